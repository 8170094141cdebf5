//! Token n-grams hashed to buckets: word order and rare words, at the price of a table.
//!
//! Every single token and every pair of neighbours counts once, however often it occurs. A token
//! `a` has the key `a + 1`, a pair `(a, b)` the key `(a + 1) * 2^32 + b + 1`; the bucket is the key
//! after the finaliser of SplitMix64 (Steele, Lea and Flood 2014), modulo the number of buckets.
//!
//! With cues (version 1), the keys of `cues` are there, too; and in a message every key counts a second time as its
//! complement, so that what words mean there and what they mean everywhere are both learnt (feature augmentation: Daumé
//! 2007, "Frustratingly Easy Domain Adaptation").

use super::cues;
use crate::hash::mix;

/// The distinct buckets of a text with these tokens, in rising order. `cues` is the version of the cues that are counted
/// besides; 0 for none. Without cues, at most twice as many as tokens.
pub fn buckets(text: &str, ids: &[i64], buckets: u32, cues: u32) -> Vec<i64> {
    let key = |id: i64| (id as u64).wrapping_add(1);
    let mut keys: Vec<u64> = ids.iter().map(|&a| key(a)).collect();
    keys.extend(
        ids.windows(2)
            .map(|pair| (key(pair[0]) << 32) | key(pair[1])),
    );
    if cues > 0 {
        keys.extend(cues::keys(text));
        if cues::is_message(text) {
            keys.extend_from_within(..);
            let half = keys.len() / 2;
            keys[half..].iter_mut().for_each(|key| *key = !*key);
        }
    }
    let bucket = |key| (mix(key) % u64::from(buckets.max(1))) as i64;
    let mut found: Vec<i64> = keys.into_iter().map(bucket).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_tokens(ids: &[i64], count: u32) -> Vec<i64> {
        buckets("", ids, count, 0)
    }

    #[test]
    fn singles_and_pairs_count_once_each() {
        assert!(of_tokens(&[], 100).is_empty());
        assert_eq!(of_tokens(&[7], 1 << 20).len(), 1);
        // 7, 8, (7,8), (8,7), of 7 8 7 8 7.
        assert_eq!(of_tokens(&[7, 8, 7, 8, 7], 1 << 20).len(), 4);
        assert_ne!(of_tokens(&[1, 2], 1 << 20), of_tokens(&[2, 1], 1 << 20));
    }

    #[test]
    fn buckets_are_fixed_for_ever() {
        // A trained table is worthless under another hash: these numbers may not change.
        assert_eq!(of_tokens(&[0, 30_521], 65_536), [1509, 4367, 59410]);
        assert!(
            of_tokens(&[5, 6, 7, 8], 3)
                .iter()
                .all(|b| (0..3).contains(b))
        );
    }

    #[test]
    fn cues_add_to_the_tokens_and_a_message_has_each_key_twice() {
        let count = |text| buckets(text, &[5, 6], 1 << 22, 1).len();
        assert_eq!(buckets("It is not good", &[5, 6], 1 << 22, 0).len(), 3);
        assert_eq!(count("It is good"), 3);
        assert_eq!(count("It is not good"), 4);
        assert_eq!(count("@them it is not good"), 8);
    }
}
