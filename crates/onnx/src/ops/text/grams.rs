//! Counts of n-grams.

use std::collections::HashMap;

use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Data, Tensor, count};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Count,
    /// The weight, where it is there at all.
    Weight,
    CountTimesWeight,
}

/// The numbers of words.
enum Words {
    Ints(HashMap<i64, u32>),
    Texts(HashMap<String, u32>),
}

/// A word that is in no n-gram.
const UNKNOWN: u32 = u32::MAX;

struct Grams {
    words: Words,
    /// The column and the weight of each n-gram.
    grams: HashMap<Vec<u32>, (usize, f32)>,
    width: usize,
    mode: Mode,
    /// How long n-grams are.
    lengths: std::ops::RangeInclusive<usize>,
    skips: usize,
}

fn numbered<K: std::hash::Hash + Eq>(pool: Vec<K>) -> (HashMap<K, u32>, Vec<u32>) {
    let mut words = HashMap::new();
    let mut numbers = Vec::with_capacity(pool.len());
    for word in pool {
        let next = words.len() as u32;
        numbers.push(*words.entry(word).or_insert(next));
    }
    (words, numbers)
}

fn length(decl: &Decl<'_>, name: &str) -> Result<usize> {
    match usize::try_from(decl.must_int(name)?) {
        // Longer ones would only cost time.
        Ok(n) if n <= 1 << 20 => Ok(n),
        _ => fault(format!("its attribute {name} is no length")),
    }
}

pub(super) fn vectorizer(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let mode = match &*decl.text_or("mode", "")? {
        "TF" => Mode::Count,
        "IDF" => Mode::Weight,
        "TFIDF" => Mode::CountTimesWeight,
        other => return fault(format!("its mode {other} is not supported")),
    };
    let (least, most) = (
        length(decl, "min_gram_length")?,
        length(decl, "max_gram_length")?,
    );
    let skips = length(decl, "max_skip_count")?;
    if least == 0 || most < least {
        return fault("its n-grams have no length");
    }
    let starts = decl.ints("ngram_counts")?.unwrap_or_default();
    let columns = decl.ints("ngram_indexes")?.unwrap_or_default();
    let weights = decl.floats("weights")?.filter(|w| !w.is_empty());
    let ints = decl.ints("pool_int64s")?.filter(|v| !v.is_empty());
    let texts = decl.texts("pool_strings")?.filter(|v| !v.is_empty());
    let (words, pool) = match (ints, texts) {
        (Some(ints), None) => {
            let (words, pool) = numbered(ints);
            (Words::Ints(words), pool)
        }
        (None, Some(texts)) => {
            let (words, pool) = numbered(texts);
            (Words::Texts(words), pool)
        }
        _ => return fault("it has not one pool of n-grams"),
    };
    let columns = columns
        .into_iter()
        .map(usize::try_from)
        .collect::<Result<Vec<_>, _>>();
    let columns = columns.map_err(|_| "its ngram_indexes are not places")?;
    let width = columns
        .iter()
        .max()
        .map_or(0, |&last| last.saturating_add(1));
    count(&[width])?;
    if weights.as_ref().is_some_and(|w| w.len() != columns.len()) {
        return fault("its weights are not one for each n-gram");
    }
    // Weights are of n-grams by the standard, of columns in some runtimes: both only where they are in one order.
    if mode != Mode::Count
        && weights.is_some()
        && columns.iter().enumerate().any(|(at, &c)| at != c)
    {
        return fault("weights of n-grams whose columns are in another order are not supported");
    }
    let mut grams = HashMap::new();
    let mut number = 0;
    for (at, &start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(pool.len() as i64);
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let all = range.and_then(|(start, end)| pool.get(start..end));
        let Some(all) = all.filter(|all| all.len() % (at + 1) == 0) else {
            return fault("its ngram_counts do not cut its pool into n-grams");
        };
        for gram in all.chunks_exact(at + 1) {
            let Some(&column) = columns.get(number) else {
                return fault("its ngram_indexes are not one for each n-gram");
            };
            let weight = weights.as_ref().map_or(1.0, |w| w[number]);
            number += 1;
            if (least..=most).contains(&(at + 1))
                && grams.insert(gram.to_vec(), (column, weight)).is_some()
            {
                return fault("its pool has an n-gram twice");
            }
        }
    }
    if number != columns.len() {
        return fault("its ngram_indexes are not one for each n-gram");
    }
    let grams = Grams {
        words,
        grams,
        width,
        mode,
        lengths: least..=most.min(starts.len()),
        skips,
    };
    op(move |x, context| one(grams.run(x.get(0)?, context)?))
}

impl Grams {
    fn run(&self, x: &Tensor, context: &mut Context) -> Result<Tensor> {
        let (rows, length, shape) = match x.shape[..] {
            [length] => (1, length, vec![self.width]),
            [rows, length] => (rows, length, vec![rows, self.width]),
            _ => return fault(format!("it takes [C] or [N, C], not {:?}", x.shape)),
        };
        let find = |found: Option<&u32>| found.copied().unwrap_or(UNKNOWN);
        let words: Vec<u32> = match &self.words {
            Words::Texts(map) => x.texts()?.iter().map(|word| find(map.get(word))).collect(),
            Words::Ints(map) => x.ints()?.iter().map(|word| find(map.get(word))).collect(),
        };
        let mut out = vec![0.0; count(&shape)?];
        if self.width == 0 || length == 0 {
            return Tensor::new(shape, Data::F32(out));
        }
        let mut gram = Vec::new();
        for row in 0..rows {
            let words = &words[row * length..][..length];
            let counts = &mut out[row * self.width..][..self.width];
            for n in self.lengths.clone().take_while(|&n| n <= length) {
                // Single words have nothing to skip between them.
                for step in 1..=if n == 1 { 1 } else { self.skips + 1 } {
                    let reach = (n - 1).saturating_mul(step);
                    if reach >= length {
                        break;
                    }
                    context.spend((length - reach) as u64 * n as u64)?;
                    for start in 0..length - reach {
                        gram.clear();
                        gram.extend(words[start..=start + reach].iter().step_by(step));
                        if let Some(&(column, weight)) = self.grams.get(&gram) {
                            match self.mode {
                                Mode::Count => counts[column] += 1.0,
                                Mode::Weight => counts[column] = weight,
                                Mode::CountTimesWeight => counts[column] += weight,
                            }
                        }
                    }
                }
            }
        }
        Tensor::new(shape, Data::F32(out))
    }
}
