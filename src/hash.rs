//! Hashes that are no secret: FNV-1a (Fowler, Noll and Vo) and the mixing function of SplitMix64 (Steele, Lea and Flood 2014).
//! Fixed for ever: trained tables of buckets and stored fingerprints rest on them.

/// By what the generator's state grows: 2^64 divided by the golden ratio.
#[cfg(any(test, feature = "training"))]
pub(crate) const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// FNV-1a over numbers in the place of its bytes.
pub(crate) fn fnv1a(numbers: impl IntoIterator<Item = u64>) -> u64 {
    let step = |hash: u64, number: u64| (hash ^ number).wrapping_mul(0x0100_0000_01b3);
    numbers.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The hash of characters.
pub(crate) fn of_chars(chars: &[char]) -> u64 {
    mix(fnv1a(chars.iter().map(|&c| u64::from(u32::from(c)))))
}

/// SplitMix64's finaliser: every bit of the key has its part in every bit of what comes out.
pub(crate) fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fnv1a() {
        // Of the authors' own test vectors.
        let of = |text: &str| fnv1a(text.bytes().map(u64::from));
        assert_eq!(of(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn it_is_splitmix64() {
        // The generator's first numbers from the seed 1234567, as the reference implementation prints them.
        let numbers: Vec<u64> = (1..=3)
            .map(|at| mix(1_234_567_u64.wrapping_add(GAMMA.wrapping_mul(at))))
            .collect();
        let reference = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, reference);
    }
}
