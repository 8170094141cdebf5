//! A table of vectors for hashed character n-grams, and the vector of a text from it.
//!
//! The file, numbers little endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | `SFNG` |
//! | 1 each | the version, 1; numbers a row; bits a number, 2 to 4; the longest n-gram; the logarithm to base 2 of the number of buckets; three zeros |
//! | 4 | the number of rows, u32 |
//! | 4 | the damping, f32 |
//! | (rows + buckets) / 8, rounded up | one bit string, low bits first: for each bucket its rows as ones, then a zero |
//! | rows | of each row, the lowest 8 bits of its n-gram's hash |
//! | rows | of each row, the code of its step |
//! | rows × ⌈numbers × bits / 8⌉ | of each row, its codes, low bits first |
//!
//! A row's bucket is the upper bits of its n-gram's hash. A code `c` of `b` bits is the number `(c - 2^(b-1) + 1/2) × step`, and
//! a step's code `s` is `2^((s - 160) / 8)`.
//!
//! A text's vector has a part for each kind of script: the sum of the rows of its n-grams in that script, all divided by the number
//! of known n-grams to the power of the damping.

use super::characters::{SCRIPTS, ngrams};
use crate::error::{Code, Error, Result};

const MAGIC: &[u8] = b"SFNG";
const VERSION: u8 = 1;
const HEAD: usize = 20;

/// The most rows.
const MOST_ROWS: usize = 1 << 22;

/// The most buckets, as a logarithm.
const MOST_LOG: u32 = 22;

/// The longest n-gram that may be asked for.
const MOST_LONGEST: usize = 8;

/// The table.
#[derive(Debug)]
pub struct NgramTable {
    dimension: usize,
    bits: u32,
    longest: usize,
    log_buckets: u32,
    damping: f32,
    /// The first row of each bucket, and the end of the last.
    buckets: Vec<u32>,
    fingerprints: Vec<u8>,
    steps: Vec<u8>,
    codes: Vec<u8>,
    /// What each code of a step says.
    step_of: Vec<f32>,
}

impl NgramTable {
    /// Reads a table.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`].
    pub fn load(name: &str, bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).map_err(|what| {
            Error::new(
                Code::ModelInvalid,
                format!("{name} is not a table of n-grams: {what}"),
            )
        })
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (head, mut rest) = bytes
            .split_at_checked(HEAD)
            .filter(|(head, _)| head.starts_with(MAGIC))
            .ok_or("it does not begin as one")?;
        let [version, dimension, bits, longest, log] = [4, 5, 6, 7, 8].map(|at| head[at]);
        if version != VERSION {
            return Err(format!(
                "it has version {version}, and this version of smallfirst reads version {VERSION}"
            ));
        }
        let four = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
        let rows = u32::from_le_bytes(four(12)) as usize;
        let damping = f32::from_le_bytes(four(16));
        let sound = dimension > 0
            && (2..=4).contains(&bits)
            && (1..=MOST_LONGEST).contains(&usize::from(longest))
            && (1..=MOST_LOG).contains(&u32::from(log))
            && (1..=MOST_ROWS).contains(&rows)
            && (0.0..=1.0).contains(&damping);
        if !sound {
            return Err("its head has numbers out of range".to_owned());
        }
        let (dimension, bits) = (usize::from(dimension), u32::from(bits));
        let buckets = 1_usize << log;
        let mut take = |count: usize| {
            let (taken, after) = rest.split_at_checked(count).ok_or("it is cut short")?;
            rest = after;
            Ok::<_, String>(taken)
        };
        let index = take((rows + buckets).div_ceil(8))?;
        let (fingerprints, steps) = (take(rows)?.to_vec(), take(rows)?.to_vec());
        let codes = take(rows * row_bytes(dimension, bits))?.to_vec();
        if !rest.is_empty() {
            return Err(format!("{} bytes follow its end", rest.len()));
        }
        Ok(NgramTable {
            dimension,
            bits,
            longest: usize::from(longest),
            log_buckets: u32::from(log),
            damping,
            buckets: firsts(index, rows, buckets).ok_or("its index does not fit its rows")?,
            fingerprints,
            steps,
            codes,
            step_of: (0..=u8::MAX).map(step).collect(),
        })
    }

    /// The length of a text's vector.
    pub fn width(&self) -> usize {
        SCRIPTS * self.dimension
    }

    /// The vector of a text, or nothing where the table knows none of its n-grams.
    pub fn embed(&self, text: &str) -> Option<Vec<f32>> {
        let mut vector = vec![0.0; self.width()];
        let mut known = 0_u32;
        ngrams(text, self.longest, |hash, script| {
            if let Some(row) = self.row(hash) {
                known = known.saturating_add(1);
                let from = script as usize * self.dimension;
                self.add(row, &mut vector[from..from + self.dimension]);
            }
        });
        let scale = (known.max(1) as f32).powf(-self.damping);
        vector.iter_mut().for_each(|value| *value *= scale);
        (known > 0).then_some(vector)
    }

    /// The row of an n-gram. Of unknown ones, one in 256 for each row of its bucket is taken for that row.
    fn row(&self, hash: u64) -> Option<usize> {
        let bucket = (hash >> (64 - self.log_buckets)) as usize;
        let (from, to) = (*self.buckets.get(bucket)?, *self.buckets.get(bucket + 1)?);
        (from as usize..to as usize).find(|&row| self.fingerprints.get(row) == Some(&(hash as u8)))
    }

    fn add(&self, row: usize, sum: &mut [f32]) {
        let size = row_bytes(self.dimension, self.bits);
        let Some(codes) = self.codes.get(row * size..(row + 1) * size) else {
            return;
        };
        let step = self.steps.get(row);
        let step = step.and_then(|&code| self.step_of.get(usize::from(code)));
        let step = step.copied().unwrap_or(0.0);
        // The middle between the two codes around zero.
        let middle = f32::from((1_u16 << (self.bits - 1)) - 1) + 0.5;
        let mask = (1_u16 << self.bits) - 1;
        for (at, sum) in sum.iter_mut().enumerate() {
            let bit = at * self.bits as usize;
            let low = codes.get(bit / 8).copied().unwrap_or(0);
            let high = codes.get(bit / 8 + 1).copied().unwrap_or(0);
            let code = (u16::from_le_bytes([low, high]) >> (bit % 8)) & mask;
            *sum += (f32::from(code) - middle) * step;
        }
    }
}

/// How many bytes the codes of a row take.
fn row_bytes(dimension: usize, bits: u32) -> usize {
    (dimension * bits as usize).div_ceil(8)
}

/// What a step's code says.
fn step(code: u8) -> f32 {
    2.0_f32.powf((f32::from(code) - 160.0) / 8.0)
}

/// The first row of each bucket and the end of the last; nothing where the index has other counts.
fn firsts(index: &[u8], rows: usize, buckets: usize) -> Option<Vec<u32>> {
    let mut firsts = Vec::with_capacity(buckets + 1);
    firsts.push(0);
    let mut row = 0;
    for at in 0..rows + buckets {
        if (index.get(at / 8)? >> (at % 8)) & 1 == 1 {
            row += 1;
        } else {
            firsts.push(row);
        }
    }
    (row as usize == rows && firsts.len() == buckets + 1 && firsts.last() == Some(&row))
        .then_some(firsts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::characters;

    /// A table of the n-grams of some words, each with the codes 0, 1, 2, … of three bits and steps of 1/2, 1, 2, ….
    fn table(words: &[&str]) -> Vec<u8> {
        let mut hashes = Vec::new();
        for word in words {
            characters::ngrams(word, 2, |hash, _| hashes.push(hash));
        }
        hashes.sort_unstable();
        hashes.dedup();
        let log = 4_u32;
        let mut bytes = MAGIC.to_vec();
        bytes.extend([VERSION, 2, 3, 2, log as u8, 0, 0, 0]);
        bytes.extend((hashes.len() as u32).to_le_bytes());
        bytes.extend(0.5_f32.to_le_bytes());
        let mut bits = Vec::new();
        for bucket in 0..1_u64 << log {
            let here = hashes.iter().filter(|hash| **hash >> (64 - log) == bucket);
            bits.extend(here.map(|_| 1_u8));
            bits.push(0);
        }
        let packed = bits.chunks(8).map(|bits| {
            let set = bits.iter().enumerate().map(|(at, bit)| bit << at);
            set.fold(0, |byte, bit| byte | bit)
        });
        bytes.extend(packed);
        bytes.extend(hashes.iter().map(|hash| *hash as u8));
        bytes.extend(hashes.iter().map(|_| 160));
        // Codes 7 and 0: 3.5 and -3.5 steps.
        bytes.extend(hashes.iter().map(|_| 7));
        bytes
    }

    #[test]
    fn a_text_is_the_sum_of_its_ngrams_by_script() {
        let table = NgramTable::load("t", &table(&["ab", "я"])).unwrap();
        assert_eq!(table.width(), 6);
        // a, b, ^a, ab, b$ and the word: each (3.5, -3.5), over the root of their number.
        let vector = table.embed("AB").unwrap();
        let root = 6.0_f32.sqrt();
        let expected = [3.5 * root, -3.5 * root, 0.0, 0.0, 0.0, 0.0];
        for (value, expected) in vector.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-5, "{vector:?}");
        }
        let both = table.embed("ab я").unwrap();
        assert!(both[0] > 0.0 && both[2] > 0.0 && both[4] == 0.0, "{both:?}");
        for text in ["", "123", "漢"] {
            assert_eq!(table.embed(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let good = table(&["ab"]);
        assert!(NgramTable::load("t", &good).is_ok());
        for len in 0..good.len() {
            assert!(NgramTable::load("t", &good[..len]).is_err(), "{len} bytes");
        }
        let changed = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            bytes
        };
        let mut longer = good.clone();
        longer.push(0);
        let odd = [
            changed(0, b'X'),
            changed(4, 2),
            changed(5, 0),
            changed(6, 1),
            changed(6, 5),
            changed(7, 0),
            changed(7, 9),
            changed(8, 0),
            changed(8, 40),
            changed(12, 0),
            changed(12, 255),
            changed(15, 255),
            changed(19, 0xff),
            changed(HEAD, good[HEAD] ^ 1),
            longer,
        ];
        for (at, bytes) in odd.iter().enumerate() {
            let error = NgramTable::load("t", bytes).unwrap_err();
            assert_eq!(error.code(), Code::ModelInvalid, "{at}: {error}");
        }
    }

    #[test]
    fn any_bits_are_read_without_harm() {
        let good = table(&["ab", "cd"]);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                if let Ok(table) = NgramTable::load("t", &bytes) {
                    let _ = table.embed("ab cd ef");
                }
            }
        }
    }
}
