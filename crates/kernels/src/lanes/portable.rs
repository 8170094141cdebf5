//! Vectors of plain Rust, for machines that have no file of their own.

use super::super::NR;
use super::{Dot, Kernel, Lanes, Pairs};

#[cfg(test)]
thread_local! {
    /// Whether this thread's kernels run here even where a better machine is at hand.
    pub static FORCED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

#[derive(Clone, Copy)]
#[repr(align(16))]
pub struct V([f32; 4]);

#[inline(always)]
fn map(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    V(std::array::from_fn(|i| f(a.0[i], b.0[i])))
}

impl Lanes for V {
    const N: usize = 4;
    const ROWS: usize = 5;
    const WIDE: bool = false;

    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        outlined(kernel)
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller's promise; any four bytes are a number, and the read is unaligned.
        V(unsafe { p.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        V([x; 4])
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        map(self, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        map(self, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        map(self, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        map(self, b, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // Where it is an instruction; elsewhere it would be a call.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            V(std::array::from_fn(|i| self.0[i].mul_add(b.0[i], c.0[i])))
        } else {
            self.mul(b).add(c)
        }
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        map(self, b, |a, b| if b < a { b } else { a })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        map(self, b, |a, b| if a < b { b } else { a })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        V(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        V(self.0.map(f32::abs))
    }
    #[inline(always)]
    fn neg(self) -> Self {
        V(self.0.map(|x| -x))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        V(self.0.map(f32::floor))
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        V(self.0.map(f32::ceil))
    }
    #[inline(always)]
    fn round(self) -> Self {
        V(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    fn low_bits_to_exponent(self) -> Self {
        V(self.0.map(|x| f32::from_bits(x.to_bits() << 23)))
    }
    #[inline(always)]
    fn zero_where_below(self, x: Self, limit: Self) -> Self {
        V(std::array::from_fn(|i| {
            if x.0[i] < limit.0[i] { 0.0 } else { self.0[i] }
        }))
    }
    #[inline(always)]
    fn low_bytes(self, out: &mut [u8]) {
        out[..4].copy_from_slice(&self.0.map(|x| x.to_bits() as u8));
    }
}

#[inline(never)]
fn outlined<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<V>()
}

impl Pairs for V {
    type Totals = [i32; NR];

    #[inline(always)]
    fn nothing() -> [i32; NR] {
        [0; NR]
    }
    #[inline(always)]
    unsafe fn add_pairs<const R: usize>(
        totals: &mut [[i32; NR]; R],
        rows: &[*const i16; R],
        at: usize,
        weights: *const i8,
    ) {
        // SAFETY: the caller's promise.
        let w = unsafe { weights.cast::<[[i8; 2]; NR]>().read_unaligned() };
        for (totals, row) in totals.iter_mut().zip(rows) {
            // SAFETY: the caller's promise.
            let x = unsafe { row.add(at).cast::<[i16; 2]>().read_unaligned() };
            for (total, w) in totals.iter_mut().zip(w) {
                let product = |i: usize| i32::from(w[i]) * i32::from(x[i]);
                *total = total.wrapping_add(product(0)).wrapping_add(product(1));
            }
        }
    }
    #[inline(always)]
    unsafe fn put(totals: [i32; NR], to: *mut i32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[i32; NR]>().write_unaligned(totals) }
    }
}

impl Dot for V {
    const WIDTH: usize = 1;
    const DOT_ROWS: usize = 2;
    type Sums = [i32; NR];
    type Weights = [[i8; 4]; NR];
    type Inputs = [u8; 4];
    type Tools = ();

    #[inline(always)]
    fn tools() {}
    #[inline(always)]
    fn zero() -> Self::Sums {
        [0; NR]
    }
    #[inline(always)]
    unsafe fn weights(p: *const u8) -> Self::Weights {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<Self::Weights>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn inputs(p: *const u8) -> Self::Inputs {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<Self::Inputs>().read_unaligned() }
    }
    #[inline(always)]
    fn dot(sums: Self::Sums, w: &Self::Weights, x: Self::Inputs, (): ()) -> Self::Sums {
        std::array::from_fn(|j| {
            let products = |i: usize| i32::from(w[j][i]) * i32::from(x[i]);
            sums[j] + (products(0) + products(1)) + (products(2) + products(3))
        })
    }
    #[inline(always)]
    unsafe fn floats(sums: Self::Sums, zero: i32, columns: *const i32) -> [Self; 2] {
        // SAFETY: the caller's promise.
        let columns = unsafe { columns.cast::<[i32; NR]>().read_unaligned() };
        let half = |at: usize| {
            V(std::array::from_fn(|j| {
                (sums[at + j] - zero * columns[at + j]) as f32
            }))
        };
        [half(0), half(4)]
    }
}
