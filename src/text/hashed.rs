//! Token n-grams hashed to buckets: word order and rare words, at the price of a table.
//!
//! Every single token and every pair of neighbours counts once, however often it occurs. A token
//! `a` has the key `a + 1`, a pair `(a, b)` the key `(a + 1) * 2^32 + b + 1`; the bucket is the key
//! after the finaliser of SplitMix64 (Steele, Lea and Flood 2014), modulo the number of buckets.

use crate::splitmix::mix;

/// The distinct buckets of a text's tokens, in rising order. At most twice as many as tokens.
pub fn buckets(ids: &[i64], buckets: u32) -> Vec<i64> {
    let key = |id: i64| (id as u64).wrapping_add(1);
    let singles = ids.iter().map(|&a| key(a));
    let pairs = ids
        .windows(2)
        .map(|pair| (key(pair[0]) << 32) | key(pair[1]));
    let mut found: Vec<i64> = singles
        .chain(pairs)
        .map(|key| (mix(key) % u64::from(buckets.max(1))) as i64)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singles_and_pairs_count_once_each() {
        assert!(buckets(&[], 100).is_empty());
        assert_eq!(buckets(&[7], 1 << 20).len(), 1);
        // 7, 8, (7,8), (8,7), of 7 8 7 8 7.
        assert_eq!(buckets(&[7, 8, 7, 8, 7], 1 << 20).len(), 4);
        assert_ne!(buckets(&[1, 2], 1 << 20), buckets(&[2, 1], 1 << 20));
    }

    #[test]
    fn buckets_are_fixed_for_ever() {
        // A trained table is worthless under another hash: these numbers may not change.
        assert_eq!(buckets(&[0, 30_521], 65_536), [1509, 4367, 59410]);
        assert!(buckets(&[5, 6, 7, 8], 3).iter().all(|b| (0..3).contains(b)));
    }
}
