//! The tensors that cross into the engine: one row of one type.

use serde::{Deserialize, Serialize};

use super::array::Array;

/// The element types a model may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
}

/// The shape of a model's input: one row, or an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[1, n]`.
    Row(usize),
    /// `[1, any]`: a length that differs from call to call, at least 1.
    AnyRow,
    /// Of images: `[1, …]`, as the tensor itself says.
    #[cfg(feature = "onnx")]
    Planes,
    /// Of sounds: `[1, …]` with so many axes, as the tensor itself says.
    #[cfg(feature = "onnx")]
    Axes(usize),
}

impl Shape {
    /// Whether a row of `len` values is of this shape.
    pub fn holds(self, len: usize) -> bool {
        match self {
            Shape::Row(n) => len == n,
            Shape::AnyRow => len > 0,
            #[cfg(feature = "onnx")]
            Shape::Planes | Shape::Axes(_) => len > 0,
        }
    }
}

/// One row of values, shape `[1, len]`, or an image.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 64-bit integers.
    I64(Vec<i64>),
    /// 32-bit floats of an image or a sound, and the length of each axis.
    #[cfg(feature = "onnx")]
    Planes(Vec<usize>, Vec<f32>),
}

impl Tensor {
    /// The type of its values.
    pub fn element(&self) -> Element {
        match self {
            Tensor::F32(_) => Element::F32,
            #[cfg(feature = "onnx")]
            Tensor::Planes(..) => Element::F32,
            Tensor::I32(_) => Element::I32,
            Tensor::I64(_) => Element::I64,
        }
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        match self {
            Tensor::F32(v) => v.len(),
            #[cfg(feature = "onnx")]
            Tensor::Planes(_, v) => v.len(),
            Tensor::I32(v) => v.len(),
            Tensor::I64(v) => v.len(),
        }
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn into_array(self) -> Array {
        let shape = vec![1, self.len()];
        match self {
            Tensor::F32(v) => Array::f32(shape, v),
            #[cfg(feature = "onnx")]
            Tensor::Planes(shape, v) => Array::f32(shape, v),
            Tensor::I32(v) => Array::i64(shape, v.into_iter().map(i64::from).collect()),
            Tensor::I64(v) => Array::i64(shape, v),
        }
    }
}
