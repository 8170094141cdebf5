//! The product of many vectors of 8-bit numbers with one of them.

/// The sum of the products of 8-bit numbers with others that were widened, which is once for many. Whole numbers give the same on
/// every machine; up to 65,536 products fit.
///
/// # Panics
/// When the lengths differ.
pub fn dot_integers(a: &[i8], b: &[i16]) -> i32 {
    assert_eq!(a.len(), b.len(), "the vectors have the same length");
    sum(a, b)
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn sum(a: &[i8], b: &[i16]) -> i32 {
    let products = a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b));
    products.sum()
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[allow(unsafe_code)]
fn sum(a: &[i8], b: &[i16]) -> i32 {
    use core::arch::wasm32::{
        i16x8_load_extend_i8x8, i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_splat,
        v128_load,
    };
    let (parts, rest) = a.as_chunks::<16>();
    let (others, others_rest) = b.as_chunks::<16>();
    let mut sums = [i32x4_splat(0); 2];
    for (part, other) in parts.iter().zip(others) {
        for (half, sum) in sums.iter_mut().enumerate() {
            // SAFETY: eight numbers from the first or the ninth of sixteen.
            let (a, b) = unsafe {
                (
                    i16x8_load_extend_i8x8(part.as_ptr().add(8 * half)),
                    v128_load(other.as_ptr().add(8 * half).cast()),
                )
            };
            *sum = i32x4_add(*sum, i32x4_dot_i16x8(a, b));
        }
    }
    let sum = i32x4_add(sums[0], sums[1]);
    let lanes = i32x4_extract_lane::<0>(sum)
        + i32x4_extract_lane::<1>(sum)
        + i32x4_extract_lane::<2>(sum)
        + i32x4_extract_lane::<3>(sum);
    let products = rest.iter().zip(others_rest);
    lanes
        + products
            .map(|(&a, &b)| i32::from(a) * i32::from(b))
            .sum::<i32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sum_of_products_at_every_length() {
        for n in 0..70_usize {
            let a: Vec<i8> = (0..n).map(|at| (at * 37 % 255) as u8 as i8).collect();
            let b: Vec<i16> = (0..n).map(|at| (at * 91 % 255) as i16 - 127).collect();
            let wanted: i32 = (0..n).map(|at| i32::from(a[at]) * i32::from(b[at])).sum();
            assert_eq!(dot_integers(&a, &b), wanted, "{n}");
        }
        let (low, high) = (vec![-128_i8; 16_384], vec![127_i16; 16_384]);
        assert_eq!(dot_integers(&low, &high), -128 * 127 * 16_384);
    }
}
