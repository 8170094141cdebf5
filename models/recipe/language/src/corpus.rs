//! Words as n-grams, and examples drawn from them.

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use smallfirst::text::character_ngrams;

use crate::random::{Choice, Random};

/// A row of the table and the script: `row << 2 | script`.
pub type Feature = u32;

/// How often an example is one word, two words or more.
const ONE: f64 = 0.45;
const TWO: f64 = 0.3;

/// How often a word of a longer example is of another language.
const FOREIGN: f64 = 0.04;

/// Single words are drawn by their count to this power: nearer to a dictionary than running text is.
const POWER: f64 = 0.5;

/// The words of one language.
struct Words {
    /// Where each word's features end.
    ends: Vec<u32>,
    features: Vec<Feature>,
    /// As in a dictionary.
    flat: Choice,
    /// As in running text.
    running: Choice,
}

impl Words {
    fn word(&self, at: usize) -> &[Feature] {
        let from = if at == 0 {
            0
        } else {
            self.ends[at - 1] as usize
        };
        &self.features[from..self.ends[at] as usize]
    }
}

/// The words of all languages.
pub struct Corpus {
    languages: Vec<Words>,
    /// The hash of each row's n-gram.
    pub hashes: Vec<u64>,
}

impl Corpus {
    /// With the `most` n-grams that words have most often, all languages weighing the same.
    pub fn new(languages: &[Vec<(String, u32)>], longest: usize, most: usize) -> Corpus {
        let hashes = most_frequent(languages, longest, most);
        let rows: FxHashMap<u64, u32> = hashes.iter().copied().zip(0..).collect();
        let languages = languages
            .par_iter()
            .map(|words| {
                let (mut ends, mut features) = (Vec::new(), Vec::new());
                for (word, _) in words {
                    character_ngrams(word, longest, |hash, script| {
                        let row = rows.get(&hash);
                        features.extend(row.map(|row| (row << 2) | script as u32));
                    });
                    ends.push(features.len() as u32);
                }
                let counts = || words.iter().map(|(_, count)| f64::from(*count));
                Words {
                    ends,
                    features,
                    flat: Choice::new(counts().map(|count| count.powf(POWER))),
                    running: Choice::new(counts()),
                }
            })
            .collect();
        Corpus { languages, hashes }
    }

    /// Keeps these rows only.
    pub fn keep(&mut self, kept: &[u32]) {
        let mut places = vec![u32::MAX; self.hashes.len()];
        for (at, &row) in (0..).zip(kept) {
            places[row as usize] = at;
        }
        self.hashes = kept.iter().map(|&row| self.hashes[row as usize]).collect();
        for words in &mut self.languages {
            let mut features = Vec::new();
            let mut from = 0;
            for end in &mut words.ends {
                let own = &words.features[from..*end as usize];
                from = *end as usize;
                features.extend(own.iter().filter_map(|feature| {
                    let place = places[(feature >> 2) as usize];
                    (place != u32::MAX).then_some((place << 2) | (feature & 3))
                }));
                *end = features.len() as u32;
            }
            words.features = features;
        }
    }

    /// Draws an example: its features go into `out`; its language comes back.
    pub fn draw(&self, random: &mut Random, out: &mut Vec<Feature>) -> usize {
        let label = random.below(self.languages.len());
        let own = &self.languages[label];
        let kind = random.uniform();
        if kind < ONE + TWO {
            let words = if kind < ONE { 1 } else { 2 };
            for _ in 0..words {
                out.extend(own.word(own.flat.draw(random)));
            }
            return label;
        }
        let words = match random.uniform() < 0.5 {
            true => 2 + random.below(4),
            false => 6 + random.below(14),
        };
        for at in 0..words {
            let from = match at > 0 && random.uniform() < FOREIGN {
                true => &self.languages[random.below(self.languages.len())],
                false => own,
            };
            out.extend(from.word(from.running.draw(random)));
        }
        label
    }
}

fn most_frequent(languages: &[Vec<(String, u32)>], longest: usize, most: usize) -> Vec<u64> {
    let mut shares: FxHashMap<u64, f32> = FxHashMap::default();
    for words in languages {
        let weight = |count: u32| f64::from(count).powf(POWER);
        let sum: f64 = words.iter().map(|(_, count)| weight(*count)).sum();
        let mut own: FxHashMap<u64, f32> = FxHashMap::default();
        for (word, count) in words {
            let share = (weight(*count) / sum) as f32;
            character_ngrams(word, longest, |hash, _| {
                *own.entry(hash).or_default() += share
            });
        }
        // What comes once in a language cannot earn its row.
        let least = (1.5 / sum) as f32;
        for (hash, share) in own.into_iter().filter(|(_, share)| *share > least) {
            *shares.entry(hash).or_default() += share;
        }
    }
    let mut shares: Vec<(u64, f32)> = shares.into_iter().collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    shares.truncate(most);
    shares.into_iter().map(|(hash, _)| hash).collect()
}
