//! The operators of a prepared program. Few, because exporters' many ways to write the same thing
//! are settled when a model is prepared (see `onnx` and `simplify`).

use serde::{Deserialize, Serialize};

use super::dim::Dim;
use super::kernels::{Activation, Binary, Unary};

/// What a step computes. Every operator has one result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// A product of arrays (`einsum`) with what follows it.
    MatMul(MatMul),
    /// `softmax(scale q kᵀ + mask) v` for every head at once.
    Attention(Attention),
    /// A convolution, channels last.
    Conv(Conv),
    /// The largest or the mean of windows, channels last.
    Pool(Pool),
    /// One operator on every element.
    Unary(Unary),
    /// An activation function on every element.
    Activate(Activation),
    /// One operator on pairs of elements, with broadcasting.
    Binary(Binary),
    /// A comparison or a logical operator on pairs of elements, with broadcasting; gives 0 or 1.
    Compare(Comparison),
    /// 1 where a float is not a number.
    IsNan,
    /// The second operand where the first is not 0, the third elsewhere, with broadcasting.
    Select,
    /// Another element type.
    Cast(Kind),
    /// Softmax over one axis.
    Softmax {
        /// The axis.
        axis: usize,
        /// Its logarithm instead.
        log: bool,
    },
    /// One number for all elements along some axes, which keep the length 1.
    Reduce {
        /// What is computed.
        kind: Reduction,
        /// Along which axes.
        axes: Vec<usize>,
    },
    /// Layer normalisation over the last axis (Ba et al. 2016): operands `x`, `gamma`, `beta`, and
    /// where `residual` an array that is added to `x` first.
    LayerNorm {
        /// Added to the variance.
        eps: f32,
        /// Whether there is a fourth operand.
        residual: bool,
    },
    /// Root-mean-square normalisation over the last axis (Zhang and Sennrich 2019): `x`, `gamma`.
    RmsNorm {
        /// Added to the mean of squares.
        eps: f32,
    },
    /// Slices of the first operand along an axis, by the numbers of the second.
    Gather {
        /// The axis.
        axis: usize,
    },
    /// Rows of a table of int8 or of floats in fewer bits, as floats: operands are the table, the row numbers, and where
    /// `scaled` a factor a row.
    Rows {
        /// Whether there is a third operand.
        scaled: bool,
    },
    /// Other lengths, same elements in the same order.
    Reshape(Vec<Dim>),
    /// Axis `i` of the result is axis `perm[i]` of the operand.
    Transpose(Vec<usize>),
    /// A part along one axis.
    Slice {
        /// The axis.
        axis: usize,
        /// The first that is kept.
        start: Dim,
        /// The first that is not kept any more.
        end: Dim,
    },
    /// All operands, one after another along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Repeated along axes of length 1.
    Broadcast(Vec<Dim>),
    /// With a number around it.
    Pad {
        /// How many before and after, for each axis.
        pads: Vec<(usize, usize)>,
        /// The number.
        value: f32,
    },
    /// 0, 1, 2 and so on.
    Range {
        /// How many.
        len: Dim,
    },
    /// The value of an expression, as an array of one integer without axes.
    Length(Dim),
    /// The `k` largest along the last axis, falling.
    TopK {
        /// How many.
        k: usize,
        /// The smallest instead, rising.
        smallest: bool,
    },
}

/// Element types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// 32-bit floats.
    F32,
    /// Integers.
    I64,
    /// 0 and 1.
    Bool,
}

/// Comparisons and logical operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Neither is 0.
    And,
    /// One is not 0.
    Or,
}

/// What a reduction computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduction {
    /// The sum.
    Sum,
    /// The mean.
    Mean,
    /// The mean of squares.
    MeanOfSquares,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The product.
    Product,
    /// The place of the first largest.
    ArgMax,
    /// The place of the first smallest.
    ArgMin,
}

/// The right operand of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Right {
    /// A value, with a letter for each of its axes.
    Dynamic(String),
    /// A weight `[k, n]` in packed panels of floats.
    Packed {
        /// The product of the lengths summed over.
        k: usize,
        /// The lengths of the result's last axes.
        n: Vec<usize>,
    },
    /// A weight `[k, n]` in packed int8 with a scale and a sum a column: three operands.
    Int8 {
        /// The product of the lengths summed over.
        k: usize,
        /// The lengths of the result's last axes.
        n: Vec<usize>,
    },
}

/// A product: `activation(scale * left right + bias + residual)`. Axes are named by letters, as in `einsum`.
///
/// Operands: left, right (one, or three for int8), the bias where there is one (one number for each place of the last
/// axis), the residual where there is one (shaped as the result).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatMul {
    /// A letter for each axis of the left operand.
    pub left: String,
    /// The right operand.
    pub right: Right,
    /// A letter for each axis of the result; for a weight, without the axes that it brings.
    pub result: String,
    /// Multiplies the product.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub scale: f32,
    /// What follows.
    #[serde(rename = "then")]
    pub epilogue: Epilogue,
}

/// What follows a product or a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epilogue {
    /// Whether a bias is an operand.
    pub bias: bool,
    /// Whether something of the result's shape is added.
    pub residual: bool,
    /// The last step.
    pub activation: Activation,
}

impl Default for Epilogue {
    fn default() -> Self {
        Epilogue {
            bias: false,
            residual: false,
            activation: Activation::None,
        }
    }
}

/// Attention over heads. Operands: `q`, `k`, `v` with the axes batch, position, head and feature in the orders given, or
/// where `together` one array `[batch, position, 3, head, feature]` that holds all three; and where `mask` an array that broadcasts to `[batch, 1, 1, keys]`. The result is `[batch, queries, heads, features]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    /// Which axes of `q` are batch, position, head, feature.
    pub q: [usize; 4],
    /// The same of `k`.
    pub k: [usize; 4],
    /// The same of `v`.
    pub v: [usize; 4],
    /// Whether the three are parts of one array.
    pub together: bool,
    /// Multiplies the scores.
    pub scale: f32,
    /// Whether a mask is added to the scaled scores.
    pub mask: bool,
}

/// Windows over the two inner axes of `[batch, height, width, channels]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// From one window to the next.
    pub stride: [usize; 2],
    /// From one element of a window to the next.
    pub dilation: [usize; 2],
    /// Zeros before the first row and column.
    pub before: [usize; 2],
    /// Zeros after the last ones.
    pub after: [usize; 2],
}

/// A convolution. Operands: `x`, `[batch, height, width, channels]`; the weights; the bias where there is one; the
/// residual where there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conv {
    /// The windows.
    pub windows: Windows,
    /// Channels of the result. The weights are packed panels of `[kernel height * kernel width * channels, outputs]`, or
    /// for `depthwise`, where each channel is by itself, `[kernel height, kernel width, channels]`.
    pub outputs: usize,
    /// Each channel by itself.
    pub depthwise: bool,
    /// What follows.
    #[serde(rename = "then")]
    pub epilogue: Epilogue,
}

impl Conv {
    /// Whether one step can do this convolution and `next`, some rows at a time (`eval/conv.rs`).
    pub(crate) fn fuses_with(&self, next: &Conv) -> bool {
        !self.depthwise && !self.epilogue.residual && next.depthwise && !next.epilogue.residual
    }
}

/// Pooling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The windows.
    pub windows: Windows,
    /// The mean instead of the largest.
    pub average: bool,
    /// Whether zeros around the image count in a mean.
    pub include_padding: bool,
}

#[cfg(feature = "cli")]
impl Op {
    /// What it is, for a profile: operators that take about as long for the same reason are of one kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Op::MatMul(MatMul { right, .. }) => match right {
                Right::Packed { .. } => "products with weights",
                Right::Int8 { .. } => "products with int8 weights",
                Right::Dynamic(_) => "products of values",
            },
            Op::Attention(_) => "attention",
            Op::Conv(conv) if conv.depthwise => "convolutions by channels",
            Op::Conv(_) => "convolutions",
            Op::Pool(_) => "pooling",
            Op::LayerNorm { .. } | Op::RmsNorm { .. } => "normalisation",
            Op::Gather { .. } | Op::Rows { .. } => "rows picked from tables",
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Activate(_)
            | Op::Softmax { .. }
            | Op::Reduce { .. } => "elementwise and reductions",
            _ => "shapes and copies",
        }
    }
}

fn one() -> f32 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(scale: &f32) -> bool {
    *scale == 1.0
}
