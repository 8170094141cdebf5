//! The machine: a vector of a few numbers, and the code that is compiled for it.
//!
//! [`Lanes`] is all that the kernels know of SIMD. A kernel is a [`Kernel`], generic over the
//! vector; [`dispatch`] runs it with the best one there is. Everything that touches a vector is
//! `#[inline(always)]`, so that it is compiled inside the function whose target features allow it.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

/// A vector of [`Lanes::N`] numbers.
///
/// A value of an implementing type exists only where its instructions do: the only way to one is
/// through [`dispatch`].
pub trait Lanes: Copy {
    /// Numbers in a vector: 4 or 8.
    const N: usize;
    /// Rows of the largest tile whose accumulators stay in registers.
    const ROWS: usize;
    /// Whether tiles of three rows and more are two panels wide.
    const WIDE: bool;

    /// Runs a kernel for this machine as a function of its own.
    fn call<K: Kernel>(kernel: K) -> K::Output;

    /// # Safety
    /// `N` numbers can be read from `p`.
    unsafe fn load(p: *const f32) -> Self;
    /// # Safety
    /// `N` numbers can be written to `p`.
    unsafe fn store(self, p: *mut f32);
    fn splat(x: f32) -> Self;

    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    /// `self * b + c`, fused where the machine can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `if b < self { b } else { self }`: a NaN of `self` stays.
    fn min(self, b: Self) -> Self;
    /// `if self < b { b } else { self }`: a NaN of `self` stays.
    fn max(self, b: Self) -> Self;
    fn sqrt(self) -> Self;
    fn abs(self) -> Self;
    fn neg(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    /// To the nearest, the even one of two.
    fn round(self) -> Self;
    /// The bits of each number as an integer, shifted left by 23: what lies in the lowest 9 bits
    /// becomes the exponent (and sign) of a power of two.
    fn low_bits_to_exponent(self) -> Self;
    /// 0 where `x < limit`, `self` elsewhere.
    fn zero_where_below(self, x: Self, limit: Self) -> Self;
    /// The lowest byte of each number's bits.
    fn low_bytes(self, out: &mut [u8]);

    /// The first `N` numbers.
    #[inline(always)]
    fn from_slice(s: &[f32]) -> Self {
        assert!(s.len() >= Self::N);
        // SAFETY: as asserted.
        unsafe { Self::load(s.as_ptr()) }
    }
    /// Writes the first `N` numbers.
    #[inline(always)]
    fn to_slice(self, s: &mut [f32]) {
        assert!(s.len() >= Self::N);
        // SAFETY: as asserted.
        unsafe { self.store(s.as_mut_ptr()) }
    }
    /// The numbers, then zeros.
    #[inline(always)]
    fn to_array(self) -> [f32; 8] {
        let mut out = [0.0; 8];
        self.to_slice(&mut out);
        out
    }
    /// Their sum, pairwise.
    #[inline(always)]
    fn sum(self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self.to_array();
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
    /// The largest.
    #[inline(always)]
    fn largest(self) -> f32 {
        self.to_array()[..Self::N]
            .iter()
            .fold(f32::NEG_INFINITY, |a, &b| if a < b { b } else { a })
    }
}

/// Products of 16-bit numbers by 8-bit ones, two to a sum, modulo 2^32: exact on every machine.
pub trait Pairs: Lanes {
    /// The sums of one row and [`NR`](super::NR) columns, in the columns' order.
    type Totals: Copy;

    fn nothing() -> Self::Totals;
    /// Adds the products of two numbers of each row, those from number `at` on, with two weights of each of
    /// [`NR`](super::NR) columns.
    ///
    /// # Safety
    /// Two numbers can be read from each of `rows` at `at`, and twice [`NR`](super::NR) from `weights`.
    unsafe fn add_pairs<const R: usize>(
        totals: &mut [Self::Totals; R],
        rows: &[*const i16; R],
        at: usize,
        weights: *const i8,
    );
    /// # Safety
    /// [`NR`](super::NR) numbers can be written to `to`.
    unsafe fn put(totals: Self::Totals, to: *mut i32);
}

/// Products of 8-bit numbers, four to a sum: weights of -127..=127 by activations of 0..=127.
///
/// The sums are exact on every machine.
pub trait Dot: Pairs {
    /// Bytes that a number takes in the inner loop: weights and activations are widened to that.
    const WIDTH: usize;
    /// Rows of the largest tile.
    const DOT_ROWS: usize;
    /// The sums of one row and [`NR`](super::NR) columns, in the machine's own order.
    type Sums: Copy;
    /// Four weights for each of [`NR`](super::NR) columns.
    type Weights: Copy;
    /// Four activations of one row.
    type Inputs: Copy;
    /// What the products need besides, made once before the loop.
    type Tools: Copy;

    /// Widens weights; `to` is as long as `from`, a multiple of 16. Asked for only where `WIDTH` is 2.
    fn widen(from: &[i8], to: &mut [i16]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = i16::from(from);
        }
    }
    fn tools() -> Self::Tools;
    fn zero() -> Self::Sums;
    /// # Safety
    /// `32 * WIDTH` bytes can be read from `p`.
    unsafe fn weights(p: *const u8) -> Self::Weights;
    /// # Safety
    /// `4 * WIDTH` bytes can be read from `p`.
    unsafe fn inputs(p: *const u8) -> Self::Inputs;
    fn dot(sums: Self::Sums, w: &Self::Weights, x: Self::Inputs, tools: Self::Tools) -> Self::Sums;
    /// Two steps at once: eight weights for each of [`NR`](super::NR) columns by eight activations of each row. The
    /// weights are so small that four products of one sum fit into 16 bits (see `quantise_weights`).
    ///
    /// # Safety
    /// `64 * WIDTH` bytes can be read from `weights` and `8 * WIDTH` from each of `rows`.
    #[inline(always)]
    unsafe fn dot_two<const R: usize>(
        sums: &mut [Self::Sums; R],
        rows: &[*const u8; R],
        weights: *const u8,
        tools: Self::Tools,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            for u in 0..2 {
                let w = Self::weights(weights.add(u * 4 * super::NR * Self::WIDTH));
                for (sums, row) in sums.iter_mut().zip(rows) {
                    *sums = Self::dot(*sums, &w, Self::inputs(row.add(u * 4 * Self::WIDTH)), tools);
                }
            }
        }
    }
    /// `sums - zero * columns` as floats, in the order of the columns; the first [`NR`](super::NR) numbers
    /// count.
    ///
    /// # Safety
    /// [`NR`](super::NR) numbers can be read from `columns`.
    unsafe fn floats(sums: Self::Sums, zero: i32, columns: *const i32) -> [Self; 2];
}

/// Work that is compiled for each machine.
pub trait Kernel {
    /// What comes of it.
    type Output;
    /// Must be `#[inline(always)]`, as everything it calls with a vector.
    fn run<V: Dot>(self) -> Self::Output;
}

/// Runs a kernel on the best machine there is.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    wasm::V::call(kernel)
}

/// Runs a kernel on the best machine there is.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(test)]
    if portable::FORCED.get() {
        return portable::V::call(kernel);
    }
    #[cfg(target_arch = "x86_64")]
    if avx::detected() {
        return avx::V::call(kernel);
    }
    portable::V::call(kernel)
}
