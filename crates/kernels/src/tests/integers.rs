//! Products of integers.

use proptest::prelude::*;

use super::super::*;
use super::{everywhere, noise};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Every sum is exact, at the ends of the ranges too.
    #[test]
    fn integers(m in 1..14_usize, n in 1..40_usize, k in 0..70_usize, turned: bool, gap in 0..3_usize, seed: u64) {
        let wide = |x: f32| (x * 128.0).round().clamp(-255.0, 255.0) as i16;
        let a: Vec<i16> = noise(seed, m * k).into_iter().map(wide).collect();
        let b: Vec<i8> = noise(seed ^ 1, k * n).into_iter().map(|x| (x * 70.0) as i8).collect();
        let strides = if turned { [1, k] } else { [n, 1] };
        let row = row_len_integers(k);
        let mut rows = vec![0; m * row];
        for i in 0..m {
            rows[i * row..][..k].copy_from_slice(&a[i * k..][..k]);
        }
        let mut packed = vec![77; packed_len_integers(k, n)];
        pack_integers(k, n, &b, strides, &mut packed);
        everywhere(|| {
            let stride = n + gap;
            let mut c = vec![9; span(m, stride, n, 1)];
            gemm_integers(m, n, k, &rows, &packed, &mut c, stride);
            for (at, &got) in c.iter().enumerate() {
                let (i, j) = (at / stride, at % stride);
                let product = |p: usize| i32::from(a[i * k + p]) * i32::from(b[p * strides[0] + j * strides[1]]);
                let want = if j < n { (0..k).map(product).sum() } else { 9 };
                assert_eq!(got, want);
            }
        });
    }
}
