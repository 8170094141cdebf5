//! The arithmetic: dense kernels over plain slices.
//!
//! Nothing here knows of graphs or files. Matrices are row major unless a stride says otherwise,
//! images are channels last, and every function checks the lengths it relies on before it starts
//! (a wrong length is a bug of the caller and panics).
//!
//! The same source serves three machines (`lanes`): WebAssembly with fixed-width SIMD, the same with
//! relaxed SIMD, and native code, which takes AVX2 and FMA where the processor has them. They agree
//! within rounding: a fused multiply-add rounds once, the others twice.
//!
//! # Matrix products
//!
//! The right operand is packed once into *panels* of [`NR`] columns, so that the inner loop reads
//! it front to back; the left is read in place. The inner loop keeps a tile of the result, a few
//! rows by one or two panels, in registers (`tile`); around it the loops keep a panel in the
//! first-level cache and a block of rows in the second (`gemm`).

mod activation;
mod attention;
#[cfg(feature = "bench")]
pub mod bench;
mod depthwise;
mod dot;
mod elementwise;
mod gemm;
mod int8;
mod integers;
mod lanes;
mod math;
mod narrow;
mod norm;
mod pack;
mod planes;
mod pool;
mod tile;
mod window;

#[cfg(test)]
mod tests;

pub use activation::activate;
pub use attention::attention;
pub use depthwise::depthwise;
pub use dot::dot_integers;
pub use elementwise::{binary, binary_scalar, binary_scalar_left, unary};
pub use gemm::{gemm, gemm_dynamic};
pub use int8::{gemm_i8, packed_len_i8, quantise_weights};
pub use integers::{gemm_integers, pack_integers, packed_len_integers, row_len_integers};
pub use narrow::{Narrow, narrowed, widen};
pub use norm::{layer_norm, log_softmax, rms_norm, softmax};
pub use pack::{PIECE, pack_b, packed_len, widen_panels};
pub use planes::{conv_planes, depthwise_planes};
pub use pool::{pool_average, pool_max};
pub use window::{LONGEST, Window, im2col};

/// Columns of a packed panel.
pub const NR: usize = 8;

/// What is done to each number at the end of a product, or by [`activate`].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(x, 0)`.
    Relu,
    /// At least the first, at most the second.
    Clamp(f32, f32),
    /// `x Φ(x)`, with the error function.
    Gelu,
    /// The approximation of [`Activation::Gelu`] with a hyperbolic tangent.
    GeluTanh,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `x / (1 + e^-x)`.
    Silu,
    /// `min(max(x / 6 + 1/2, 0), 1)`.
    HardSigmoid,
    /// `x` times its [`Activation::HardSigmoid`].
    HardSwish,
}

/// One operator on each number, for [`unary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Unary {
    /// `|x|`.
    Abs,
    /// `-x`.
    Neg,
    /// `e^x`; 0 where that is below 2.5e-38.
    Exp,
    /// The natural logarithm.
    Ln,
    /// The square root.
    Sqrt,
    /// `1 / sqrt(x)`.
    Rsqrt,
    /// `1 / x`.
    Recip,
    /// `x²`.
    Square,
    /// The error function.
    Erf,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// The next integer below.
    Floor,
    /// The next integer above.
    Ceil,
    /// The nearest integer, the even one of two.
    Round,
    /// The sine of radians.
    Sin,
    /// The cosine of radians.
    Cos,
    /// -1, 0 or 1.
    Sign,
    /// `ln(1 + e^x)`.
    Softplus,
}

/// One operator on each pair of numbers, for [`binary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a b`.
    Mul,
    /// `a / b`.
    Div,
    /// The smaller; `a` where they do not compare.
    Min,
    /// The larger; `a` where they do not compare.
    Max,
    /// `a^b`.
    Pow,
}

/// What follows a product: `activation(scale * product + bias + residual)`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// Multiplies the product.
    pub scale: f32,
    /// One addend a column.
    pub bias: Option<&'a [f32]>,
    /// One addend an element, laid out as the result, with the same row stride.
    pub residual: Option<&'a [f32]>,
    /// The last step.
    pub activation: Activation,
}

impl Default for Epilogue<'_> {
    fn default() -> Self {
        Epilogue {
            scale: 1.0,
            bias: None,
            residual: None,
            activation: Activation::None,
        }
    }
}

/// A matrix in a slice: element `(i, j)` is `data[i * row_stride + j * col_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Where it lies.
    pub data: &'a [f32],
    /// From one row to the next, in elements.
    pub row_stride: usize,
    /// From one column to the next, in elements.
    pub col_stride: usize,
}

impl Matrix<'_> {
    /// Panics unless `rows` by `cols` elements lie in the slice.
    fn check(&self, rows: usize, cols: usize) {
        assert!(
            span(rows, self.row_stride, cols, self.col_stride) <= self.data.len(),
            "a matrix of {rows} by {cols} is longer than its slice"
        );
    }
}

impl Epilogue<'_> {
    /// Panics unless `c`, the bias and the residual hold a result of `m` by `n`, at least 1 each, whose rows are
    /// `c_row_stride` apart and do not overlap.
    fn check(&self, m: usize, n: usize, c: &[f32], c_row_stride: usize) {
        assert!(m == 1 || c_row_stride >= n, "rows of the result overlap");
        let result = span(m, c_row_stride, n, 1);
        assert!(c.len() >= result, "the result is longer than its slice");
        assert!(
            self.bias.is_none_or(|bias| bias.len() >= n),
            "a bias shorter than a row"
        );
        assert!(
            self.residual.is_none_or(|r| r.len() >= result),
            "a residual shorter than the result"
        );
    }
}

/// How long a slice must be for `rows` by `cols` elements with these strides.
fn span(rows: usize, row_stride: usize, cols: usize, col_stride: usize) -> usize {
    if rows == 0 || cols == 0 {
        return 0;
    }
    let last = (rows - 1)
        .checked_mul(row_stride)
        .zip((cols - 1).checked_mul(col_stride));
    last.and_then(|(row, col)| row.checked_add(col)?.checked_add(1))
        .expect("strides that overflow")
}
