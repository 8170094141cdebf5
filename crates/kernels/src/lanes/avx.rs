//! AVX2 with FMA: eight numbers a vector, so one vector is one row of a panel.

use core::arch::x86_64::*;

use super::{Dot, Kernel, Lanes, Pairs};

/// Whether this processor has what [`V`] needs.
#[inline]
pub fn detected() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Made only by kernels that [`Lanes::call`] runs, and that is called only where [`detected`].
#[derive(Clone, Copy)]
pub struct V(__m256);

/// # Safety
/// Where [`detected`].
#[target_feature(enable = "avx2,fma")]
unsafe fn outlined<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<V>()
}

// SAFETY of every block below: a `V` exists, or one is being made by a kernel that runs inside
// `outlined`, so the processor has AVX2 and FMA. Reads and writes are the caller's promise.
macro_rules! v {
    ($e:expr) => {
        // SAFETY: see above.
        V(unsafe { $e })
    };
}

impl Lanes for V {
    const N: usize = 8;
    const ROWS: usize = 6;
    const WIDE: bool = true;

    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: `dispatch` names this machine only where it was detected.
        unsafe { outlined(kernel) }
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        v!(_mm256_loadu_ps(p))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(p, self.0) }
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        v!(_mm256_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        v!(_mm256_add_ps(self.0, b.0))
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        v!(_mm256_sub_ps(self.0, b.0))
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        v!(_mm256_mul_ps(self.0, b.0))
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        v!(_mm256_div_ps(self.0, b.0))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        v!(_mm256_fmadd_ps(self.0, b.0, c.0))
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // The instruction gives its second operand where the two do not compare.
        v!(_mm256_min_ps(b.0, self.0))
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        v!(_mm256_max_ps(b.0, self.0))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        v!(_mm256_sqrt_ps(self.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        v!(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0))
    }
    #[inline(always)]
    fn neg(self) -> Self {
        v!(_mm256_xor_ps(_mm256_set1_ps(-0.0), self.0))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        v!(_mm256_floor_ps(self.0))
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        v!(_mm256_ceil_ps(self.0))
    }
    #[inline(always)]
    fn round(self) -> Self {
        v!(_mm256_round_ps::<
            { _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC },
        >(self.0))
    }
    #[inline(always)]
    fn low_bits_to_exponent(self) -> Self {
        v!(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(
            _mm256_castps_si256(self.0)
        )))
    }
    #[inline(always)]
    fn zero_where_below(self, x: Self, limit: Self) -> Self {
        v!(_mm256_andnot_ps(
            _mm256_cmp_ps::<_CMP_LT_OQ>(x.0, limit.0),
            self.0
        ))
    }
    #[inline(always)]
    fn low_bytes(self, out: &mut [u8]) {
        // SAFETY: see above; the array is as long as the vector.
        let words: [i32; 8] = unsafe { core::mem::transmute(self.0) };
        out[..8].copy_from_slice(&words.map(|w| w as u8));
    }
}

impl Pairs for V {
    type Totals = __m256i;

    #[inline(always)]
    fn nothing() -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn add_pairs<const R: usize>(
        totals: &mut [__m256i; R],
        rows: &[*const i16; R],
        at: usize,
        weights: *const i8,
    ) {
        // SAFETY: see above, and the caller's promise.
        unsafe {
            let w = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.cast()));
            for (totals, row) in totals.iter_mut().zip(rows) {
                let x = _mm256_set1_epi32(row.add(at).cast::<i32>().read_unaligned());
                *totals = _mm256_add_epi32(*totals, _mm256_madd_epi16(w, x));
            }
        }
    }
    #[inline(always)]
    unsafe fn put(totals: __m256i, to: *mut i32) {
        // SAFETY: see above, and the caller's promise.
        unsafe { _mm256_storeu_si256(to.cast(), totals) }
    }
}

impl Dot for V {
    const WIDTH: usize = 1;
    const DOT_ROWS: usize = 6;
    type Sums = __m256i;
    type Weights = __m256i;
    type Inputs = __m256i;
    type Tools = __m256i;

    #[inline(always)]
    fn tools() -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_set1_epi16(1) }
    }
    #[inline(always)]
    fn zero() -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn weights(p: *const u8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }
    #[inline(always)]
    unsafe fn inputs(p: *const u8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_set1_epi32(p.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    fn dot(sums: __m256i, w: &__m256i, x: __m256i, ones: __m256i) -> __m256i {
        // SAFETY: see above. Nothing saturates: 2 * 127 * 127 < 2^15.
        unsafe { _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(x, *w), ones)) }
    }
    #[inline(always)]
    unsafe fn dot_two<const R: usize>(
        sums: &mut [__m256i; R],
        rows: &[*const u8; R],
        weights: *const u8,
        ones: __m256i,
    ) {
        // SAFETY: see above, and the caller's promise.
        unsafe {
            let first = Self::weights(weights);
            let second = Self::weights(weights.add(32));
            for (sums, row) in sums.iter_mut().zip(rows) {
                let a = _mm256_maddubs_epi16(Self::inputs(*row), first);
                let b = _mm256_maddubs_epi16(Self::inputs(row.add(4)), second);
                *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(_mm256_add_epi16(a, b), ones));
            }
        }
    }
    #[inline(always)]
    unsafe fn floats(sums: __m256i, zero: i32, columns: *const i32) -> [Self; 2] {
        // SAFETY: see above, and the caller's promise.
        unsafe {
            let columns = _mm256_loadu_si256(columns.cast());
            let product = _mm256_mullo_epi32(_mm256_set1_epi32(zero), columns);
            [V(_mm256_cvtepi32_ps(_mm256_sub_epi32(sums, product))); 2]
        }
    }
}
