//! Texts that are the same or nearly so. Between training and test data they inflate scores; within
//! a split they must stay together.
//!
//! Texts are compared by their letters and digits in lower case. Nearly the same means an estimated
//! Jaccard similarity of at least 0.8 between their sets of 5-character shingles, by MinHash (Broder
//! 1997) with 64 hashes, found by locality-sensitive hashing in 16 bands of 4.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::hash::{GAMMA, mix, of_chars};

/// Hashes in a signature.
const HASHES: usize = 64;
/// Hashes in a band: two texts are compared when all of a band agree.
const BAND: usize = 4;
/// Characters in a shingle.
const SHINGLE: usize = 5;
/// The estimated similarity from which texts are nearly the same.
const NEAR: f64 = 0.8;
/// Shorter texts are the same or not; their few shingles say too little.
const SHORTEST: usize = 20;
/// The most texts of one band's bucket that a text is compared with.
const MOST_COMPARED: usize = 50;

/// Fingerprints of some texts, kept so that other data can be compared with them later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// A hash of each normalised text.
    exact: Vec<u64>,
    /// The MinHash signature of each; empty for short ones.
    signatures: Vec<Vec<u32>>,
}

/// Rows of one set that are in another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Pairs of a row and the row it equals.
    pub exact: Vec<(usize, usize)>,
    /// Pairs of a row and one it nearly equals.
    pub near: Vec<(usize, usize)>,
}

impl Fingerprints {
    /// The fingerprints of `texts`.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut prints = Fingerprints::default();
        for text in texts {
            let normal: Vec<char> = text
                .chars()
                .flat_map(char::to_lowercase)
                .filter(|c| c.is_alphanumeric())
                .collect();
            prints.exact.push(of_chars(&normal));
            prints.signatures.push(signature(&normal));
        }
        prints
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.exact.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty()
    }

    /// Which of these texts are in `other` too: for each at most one, an equal one if there is.
    pub fn overlap(&self, other: &Fingerprints) -> Overlap {
        let equal: HashMap<u64, usize> = other.exact.iter().copied().zip(0..).collect();
        let bands = other.bands();
        let mut overlap = Overlap::default();
        for (row, exact) in self.exact.iter().enumerate() {
            if let Some(&same) = equal.get(exact) {
                overlap.exact.push((row, same));
            } else if let Some(like) = other.most_like(&bands, &self.signatures[row]) {
                overlap.near.push((row, like));
            }
        }
        overlap
    }

    /// A group number for each text: those that are the same or nearly so, directly or through
    /// others, share one. Numbers count up from 0 in the order of first appearance.
    pub fn groups(&self) -> Vec<usize> {
        let mut parents: Vec<usize> = (0..self.len()).collect();
        let mut first: HashMap<u64, usize> = HashMap::new();
        for (row, exact) in self.exact.iter().enumerate() {
            let same = *first.entry(*exact).or_insert(row);
            unite(&mut parents, row, same);
        }
        for bucket in self.bands().values() {
            for (at, &row) in bucket.iter().enumerate() {
                // Equal texts fill a bucket; comparing with a few of them joins them all.
                for &earlier in bucket[..at].iter().rev().take(MOST_COMPARED) {
                    if similarity(&self.signatures[row], &self.signatures[earlier]) >= NEAR {
                        unite(&mut parents, row, earlier);
                    }
                }
            }
        }
        let mut numbers = HashMap::new();
        (0..self.len())
            .map(|row| {
                let next = numbers.len();
                *numbers.entry(root(&mut parents, row)).or_insert(next)
            })
            .collect()
    }

    /// The rows that share each band.
    fn bands(&self) -> HashMap<(usize, &[u32]), Vec<usize>> {
        let mut bands: HashMap<_, Vec<usize>> = HashMap::new();
        for (row, signature) in self.signatures.iter().enumerate() {
            for band in signature.chunks_exact(BAND).enumerate() {
                bands.entry(band).or_default().push(row);
            }
        }
        bands
    }

    fn most_like(
        &self,
        bands: &HashMap<(usize, &[u32]), Vec<usize>>,
        signature: &[u32],
    ) -> Option<usize> {
        let candidates = signature
            .chunks_exact(BAND)
            .enumerate()
            .filter_map(|band| bands.get(&band))
            .flat_map(|bucket| bucket.iter().take(MOST_COMPARED));
        candidates
            .map(|&row| (similarity(signature, &self.signatures[row]), row))
            .filter(|(similarity, _)| *similarity >= NEAR)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
            .map(|(_, row)| row)
    }
}

fn root(parents: &mut [usize], mut row: usize) -> usize {
    while parents[row] != row {
        parents[row] = parents[parents[row]];
        row = parents[row];
    }
    row
}

fn unite(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}

/// The share of hashes that agree, which estimates the Jaccard similarity.
fn similarity(a: &[u32], b: &[u32]) -> f64 {
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    equal as f64 / HASHES as f64
}

fn signature(normal: &[char]) -> Vec<u32> {
    if normal.len() < SHORTEST {
        return Vec::new();
    }
    let mut least = vec![u32::MAX; HASHES];
    for shingle in normal.windows(SHINGLE) {
        let key = of_chars(shingle);
        for (seed, least) in (1_u64..).zip(&mut least) {
            let hashed = mix(key ^ seed.wrapping_mul(GAMMA)) >> 32;
            *least = (*least).min(hashed as u32);
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: &str = "Dear friend, you have won a prize of one million dollars. \
        Please send us your address and the number of your bank account within three days.";

    #[test]
    fn equal_and_nearly_equal_texts_are_found() {
        let changed = LETTER.replace("million", "billion");
        let other =
            "The meeting about the new release of the compiler is moved to Thursday, ten o'clock.";
        let train = Fingerprints::new([other, LETTER]);
        let test = Fingerprints::new([
            "Unrelated words that are long enough to have shingles.",
            &changed,
            "DEAR FRIEND",
            &LETTER.to_uppercase(),
        ]);
        let overlap = test.overlap(&train);
        assert_eq!(overlap.exact, [(3, 1)]);
        assert_eq!(overlap.near, [(1, 1)]);
        // Short texts are equal or not.
        assert_eq!(
            Fingerprints::new(["so good!"])
                .overlap(&Fingerprints::new(["So, good"]))
                .exact,
            [(0, 0)]
        );
        assert_eq!(
            Fingerprints::new(["so good"]).overlap(&Fingerprints::new(["so goo"])),
            Overlap::default()
        );
    }

    #[test]
    fn groups_join_copies() {
        let changed = LETTER.replace("three", "two");
        let prints = Fingerprints::new([
            LETTER,
            "something else altogether, and long enough",
            &changed,
            "x",
            LETTER,
            "x",
        ]);
        assert_eq!(prints.groups(), [0, 1, 0, 2, 0, 2]);
        assert!(Fingerprints::new([]).groups().is_empty());
    }

    #[test]
    fn many_copies_are_no_trouble() {
        let prints = Fingerprints::new(std::iter::repeat_n(LETTER, 5_000));
        assert!(prints.groups().iter().all(|&group| group == 0));
        assert_eq!(prints.overlap(&prints).exact.len(), 5_000);
    }

    #[test]
    fn fingerprints_are_kept_as_they_are() {
        let prints = Fingerprints::new([LETTER, "short"]);
        let json = serde_json::to_string(&prints).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprints>(&json).unwrap(), prints);
    }
}
