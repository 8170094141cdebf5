//! WebAssembly's 128-bit vectors, with fused products where relaxed SIMD is compiled in.

use core::arch::wasm32::*;

use super::{Dot, Kernel, Lanes, Pairs};

#[derive(Clone, Copy)]
pub struct V(v128);

impl Lanes for V {
    const N: usize = 4;
    // Engines on x86-64 have 15 vector registers to give: 12 sums, 2 vectors of the panel and a
    // broadcast fill them. Without a fused product there is one more, the product.
    const ROWS: usize = if cfg!(target_feature = "relaxed-simd") {
        6
    } else {
        5
    };
    const WIDE: bool = false;

    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        outlined(kernel)
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller's promise.
        V(unsafe { v128_load(p.cast()) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { v128_store(p.cast(), self.0) }
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        V(f32x4_splat(x))
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        V(f32x4_add(self.0, b.0))
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        V(f32x4_sub(self.0, b.0))
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        V(f32x4_mul(self.0, b.0))
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        V(f32x4_div(self.0, b.0))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        #[cfg(target_feature = "relaxed-simd")]
        return V(f32x4_relaxed_madd(self.0, b.0, c.0));
        #[cfg(not(target_feature = "relaxed-simd"))]
        V(f32x4_add(f32x4_mul(self.0, b.0), c.0))
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        V(f32x4_pmin(self.0, b.0))
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        V(f32x4_pmax(self.0, b.0))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        V(f32x4_sqrt(self.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        V(f32x4_abs(self.0))
    }
    #[inline(always)]
    fn neg(self) -> Self {
        V(f32x4_neg(self.0))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        V(f32x4_floor(self.0))
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        V(f32x4_ceil(self.0))
    }
    #[inline(always)]
    fn round(self) -> Self {
        V(f32x4_nearest(self.0))
    }
    #[inline(always)]
    fn low_bits_to_exponent(self) -> Self {
        V(i32x4_shl(self.0, 23))
    }
    #[inline(always)]
    fn zero_where_below(self, x: Self, limit: Self) -> Self {
        V(v128_andnot(self.0, f32x4_lt(x.0, limit.0)))
    }
    #[inline(always)]
    fn low_bytes(self, out: &mut [u8]) {
        let bytes =
            i8x16_shuffle::<0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12>(self.0, self.0);
        out[..4].copy_from_slice(&i32x4_extract_lane::<0>(bytes).to_le_bytes());
    }
}

#[inline(never)]
fn outlined<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<V>()
}

impl Pairs for V {
    type Totals = [v128; 2];

    #[inline(always)]
    fn nothing() -> [v128; 2] {
        [i32x4_splat(0); 2]
    }
    #[inline(always)]
    unsafe fn add_pairs<const R: usize>(
        totals: &mut [[v128; 2]; R],
        rows: &[*const i16; R],
        at: usize,
        weights: *const i8,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let w = [0, 8].map(|of| i16x8_load_extend_i8x8(weights.add(of)));
            for (totals, row) in totals.iter_mut().zip(rows) {
                let x = v128_load32_splat(row.add(at).cast());
                for i in 0..2 {
                    totals[i] = i32x4_add(totals[i], i32x4_dot_i16x8(w[i], x));
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn put([a, b]: [v128; 2], to: *mut i32) {
        // SAFETY: the caller's promise.
        unsafe {
            v128_store(to.cast(), a);
            v128_store(to.add(4).cast(), b);
        }
    }
}

/// `sums - zero * columns` as floats.
#[inline(always)]
unsafe fn corrected(sums: v128, zero: i32, columns: *const i32) -> V {
    // SAFETY: the caller's promise: four numbers.
    let columns = unsafe { v128_load(columns.cast()) };
    V(f32x4_convert_i32x4(i32x4_sub(
        sums,
        i32x4_mul(i32x4_splat(zero), columns),
    )))
}

/// Pairs of products in 16 bits, then pairs of those: with activations of 7 bits the relaxed
/// instruction is exact, `2 * 127 * 127 < 2^15`.
#[cfg(target_feature = "relaxed-simd")]
impl Dot for V {
    const WIDTH: usize = 1;
    const DOT_ROWS: usize = 3;
    type Sums = [v128; 2];
    type Weights = [v128; 2];
    type Inputs = v128;
    type Tools = v128;

    #[inline(always)]
    fn tools() -> v128 {
        // Kept from the compiler, which would make the constant again in every round of the loop.
        i16x8_splat(std::hint::black_box(1))
    }
    #[inline(always)]
    fn zero() -> Self::Sums {
        [i32x4_splat(0); 2]
    }
    #[inline(always)]
    unsafe fn weights(p: *const u8) -> Self::Weights {
        // SAFETY: the caller's promise.
        unsafe { [v128_load(p.cast()), v128_load(p.add(16).cast())] }
    }
    #[inline(always)]
    unsafe fn inputs(p: *const u8) -> v128 {
        // SAFETY: the caller's promise.
        unsafe { v128_load32_splat(p.cast()) }
    }
    #[inline(always)]
    fn dot(sums: Self::Sums, w: &Self::Weights, x: v128, ones: v128) -> Self::Sums {
        [0, 1].map(|i| {
            i32x4_add(
                sums[i],
                i32x4_dot_i16x8(i16x8_relaxed_dot_i8x16_i7x16(w[i], x), ones),
            )
        })
    }
    #[inline(always)]
    unsafe fn dot_two<const R: usize>(
        sums: &mut [Self::Sums; R],
        rows: &[*const u8; R],
        weights: *const u8,
        ones: v128,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let w = [0, 16, 32, 48].map(|at| v128_load(weights.add(at).cast()));
            for (sums, row) in sums.iter_mut().zip(rows) {
                let x = v128_load32_splat(row.cast());
                let y = v128_load32_splat(row.add(4).cast());
                for i in 0..2 {
                    let a = i16x8_relaxed_dot_i8x16_i7x16(w[i], x);
                    let b = i16x8_relaxed_dot_i8x16_i7x16(w[2 + i], y);
                    sums[i] = i32x4_add(sums[i], i32x4_dot_i16x8(i16x8_add(a, b), ones));
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn floats([a, b]: Self::Sums, zero: i32, columns: *const i32) -> [Self; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            [
                corrected(a, zero, columns),
                corrected(b, zero, columns.add(4)),
            ]
        }
    }
}

/// Products in 16 bits of numbers that have been widened to that.
/// Each vector of sums has two columns, of two sums each.
#[cfg(not(target_feature = "relaxed-simd"))]
impl Dot for V {
    const WIDTH: usize = 2;
    // Spelled out: compiled for size, as all around the kernels is, this loop is not made of vectors.
    #[inline(always)]
    fn widen(from: &[i8], to: &mut [i16]) {
        let (from, to) = (from.as_chunks::<16>().0, to.as_chunks_mut::<16>().0);
        for (to, from) in to.iter_mut().zip(from) {
            // SAFETY: both are as long as is read and written.
            unsafe {
                let eights = v128_load(from.as_ptr().cast());
                let to: *mut v128 = to.as_mut_ptr().cast();
                v128_store(to, i16x8_extend_low_i8x16(eights));
                v128_store(to.add(1), i16x8_extend_high_i8x16(eights));
            }
        }
    }
    const DOT_ROWS: usize = 2;
    type Sums = [v128; 4];
    type Weights = [v128; 4];
    type Inputs = v128;
    type Tools = ();

    #[inline(always)]
    fn tools() {}
    #[inline(always)]
    fn zero() -> Self::Sums {
        [i32x4_splat(0); 4]
    }
    #[inline(always)]
    unsafe fn weights(p: *const u8) -> Self::Weights {
        // SAFETY: the caller's promise.
        [0, 16, 32, 48].map(|at| unsafe { v128_load(p.add(at).cast()) })
    }
    #[inline(always)]
    unsafe fn inputs(p: *const u8) -> v128 {
        // SAFETY: the caller's promise.
        unsafe { v128_load64_splat(p.cast()) }
    }
    #[inline(always)]
    fn dot(sums: Self::Sums, w: &Self::Weights, x: v128, (): ()) -> Self::Sums {
        [0, 1, 2, 3].map(|i| i32x4_add(sums[i], i32x4_dot_i16x8(w[i], x)))
    }
    #[inline(always)]
    unsafe fn floats([a, b, c, d]: Self::Sums, zero: i32, columns: *const i32) -> [Self; 2] {
        let pairs = |a, b| {
            let even = i32x4_shuffle::<0, 2, 4, 6>(a, b);
            let odd = i32x4_shuffle::<1, 3, 5, 7>(a, b);
            i32x4_add(even, odd)
        };
        let (l, r) = (pairs(a, b), pairs(c, d));
        // SAFETY: the caller's promise.
        unsafe {
            [
                corrected(l, zero, columns),
                corrected(r, zero, columns.add(4)),
            ]
        }
    }
}
