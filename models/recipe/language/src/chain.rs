//! Words from a language's n-gram frequencies.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fst::{IntoStreamer, Map, Streamer};
use rustc_hash::FxHashMap;

use crate::random::{Choice, Random};

/// The longest n-gram that the crates have.
const LONGEST: usize = 5;

/// Words end here at the latest.
const WORD: usize = 40;

/// A Markov chain that spells words: each letter is drawn by the four before it.
pub struct Chain {
    /// How words begin, and whether they end there.
    beginnings: Vec<(Vec<char>, bool)>,
    beginning: Choice,
    next: FxHashMap<u128, Vec<(char, f32)>>,
}

impl Chain {
    /// Reads `models/ngrams.fst` of a crate: the logarithm of the probability of an n-gram's last letter, given the letters
    /// before it, of 1 to 5 letters within words.
    ///
    /// Nothing there says where words begin and end. But products of these probabilities are relative frequencies, and what
    /// an n-gram has more than all its extensions to the left has begun a word; to the right, ended it.
    pub fn load(folder: &Path) -> Result<Chain> {
        let file = folder.join("models/ngrams.fst");
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        let map = Map::new(bytes).with_context(|| file.display().to_string())?;
        let mut frequencies: FxHashMap<u128, f64> = FxHashMap::default();
        let mut all: Vec<(Vec<char>, f64)> = Vec::new();
        let mut next: FxHashMap<u128, Vec<(char, f32)>> = FxHashMap::default();
        let mut stream = map.into_stream();
        while let Some((key, value)) = stream.next() {
            let gram: Vec<char> = std::str::from_utf8(key)?.chars().collect();
            let (&last, before) = gram.split_last().context("an empty n-gram")?;
            if gram.len() > LONGEST {
                bail!("{}: an n-gram of {} letters", file.display(), gram.len());
            }
            let probability = f64::from_bits(value).exp();
            let of_before = match before {
                [] => 1.0,
                before => frequencies.get(&packed(before)).copied().unwrap_or(0.0),
            };
            let frequency = probability * of_before;
            frequencies.insert(packed(&gram), frequency);
            if gram.len() == LONGEST {
                let after = next.entry(packed(before)).or_default();
                after.push((last, probability as f32));
            }
            all.push((gram, frequency));
        }
        let (beginnings, weights): (Vec<_>, Vec<f64>) = beginnings(all).into_iter().unzip();
        if beginnings.is_empty() {
            bail!("{} has no n-grams", file.display());
        }
        Ok(Chain {
            beginnings,
            beginning: Choice::new(weights.into_iter()),
            next,
        })
    }

    /// Draws words, and counts how often each came; in order.
    pub fn words(&self, draws: usize, random: &mut Random) -> Vec<(String, u32)> {
        let mut counts: FxHashMap<String, u32> = FxHashMap::default();
        for _ in 0..draws {
            *counts.entry(self.word(random)).or_default() += 1;
        }
        let mut words: Vec<(String, u32)> = counts.into_iter().collect();
        words.sort();
        words
    }

    fn word(&self, random: &mut Random) -> String {
        let (beginning, ends) = &self.beginnings[self.beginning.draw(random)];
        let mut word = beginning.clone();
        while !ends && word.len() < WORD {
            let context = packed(&word[word.len() - (LONGEST - 1)..]);
            let Some(next) = self.next.get(&context) else {
                break;
            };
            let mut left = random.uniform() as f32;
            let drawn = next.iter().find(|(_, probability)| {
                left -= probability;
                left < 0.0
            });
            // What the letters leave is the chance that the word ends.
            let Some(&(letter, _)) = drawn else { break };
            word.push(letter);
        }
        word.into_iter().collect()
    }
}

/// The n-grams that begin a word, with whether they are the whole of it, and how often.
fn beginnings(all: Vec<(Vec<char>, f64)>) -> Vec<((Vec<char>, bool), f64)> {
    let mut left: FxHashMap<u128, f64> = FxHashMap::default();
    let mut right: FxHashMap<u128, f64> = FxHashMap::default();
    let mut both: FxHashMap<u128, f64> = FxHashMap::default();
    for (gram, frequency) in &all {
        let n = gram.len();
        if n > 1 {
            *left.entry(packed(&gram[1..])).or_default() += frequency;
            *right.entry(packed(&gram[..n - 1])).or_default() += frequency;
        }
        if n > 2 {
            *both.entry(packed(&gram[1..n - 1])).or_default() += frequency;
        }
    }
    let of = |map: &FxHashMap<u128, f64>, key| map.get(&key).copied().unwrap_or(0.0);
    let mut found = Vec::new();
    for (gram, frequency) in all {
        let key = packed(&gram);
        let (weight, ends) = match gram.len() {
            // Neither a letter before nor one after.
            1..=3 => {
                let longer = of(&left, key) + of(&right, key) - of(&both, key);
                (frequency - longer, true)
            }
            4 => (frequency - of(&left, key), false),
            _ => continue,
        };
        // Rounding leaves crumbs where no word begins.
        if weight > 1e-3 * frequency {
            found.push(((gram, ends), weight));
        }
    }
    found
}

/// At most five letters as one number.
fn packed(letters: &[char]) -> u128 {
    letters.iter().fold(0, |key, &letter| {
        (key << 21) | u128::from(u32::from(letter))
    })
}
