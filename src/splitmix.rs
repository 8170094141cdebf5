//! The mixing function of SplitMix64 (Steele, Lea and Flood 2014). Fixed for ever: trained tables of buckets and stored
//! fingerprints rest on it.

/// By what the generator's state grows: 2^64 divided by the golden ratio.
#[cfg(any(test, feature = "cli"))]
pub(crate) const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser: every bit of the key has its part in every bit of what comes out.
pub(crate) fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

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
