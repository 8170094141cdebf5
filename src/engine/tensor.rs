//! The tensors that cross into the engine: one row of one type.

use tract_onnx::prelude::*;

/// The element types a model may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
}

/// The shape of a model's input: always one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[1, n]`.
    Row(usize),
    /// `[1, any]`: a length that differs from call to call, at least 1.
    AnyRow,
}

impl Shape {
    /// Whether a row of `len` values is of this shape.
    pub fn holds(self, len: usize) -> bool {
        match self {
            Shape::Row(n) => len == n,
            Shape::AnyRow => len > 0,
        }
    }
}

/// One row of values: shape `[1, len]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 64-bit integers.
    I64(Vec<i64>),
}

impl Tensor {
    /// The type of its values.
    pub fn element(&self) -> Element {
        match self {
            Tensor::F32(_) => Element::F32,
            Tensor::I32(_) => Element::I32,
            Tensor::I64(_) => Element::I64,
        }
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        match self {
            Tensor::F32(v) => v.len(),
            Tensor::I32(v) => v.len(),
            Tensor::I64(v) => v.len(),
        }
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn into_tract(self) -> TractResult<tract_onnx::prelude::Tensor> {
        let shape = [1, self.len()];
        Ok(match self {
            Tensor::F32(v) => tract_ndarray::Array2::from_shape_vec(shape, v)?.into_tensor(),
            Tensor::I32(v) => tract_ndarray::Array2::from_shape_vec(shape, v)?.into_tensor(),
            Tensor::I64(v) => tract_ndarray::Array2::from_shape_vec(shape, v)?.into_tensor(),
        })
    }
}

/// tract's description of an input.
pub(super) fn fact(symbols: &SymbolScope, element: Element, shape: Shape) -> TypedFact {
    let columns = match shape {
        Shape::Row(n) => n.to_dim(),
        Shape::AnyRow => symbols.sym("N").to_dim(),
    };
    let datum = match element {
        Element::F32 => f32::datum_type(),
        Element::I32 => i32::datum_type(),
        Element::I64 => i64::datum_type(),
    };
    datum.fact([1.to_dim(), columns])
}

/// The values of an `f32` tensor, flattened.
pub(super) fn values(tensor: &tract_onnx::prelude::Tensor) -> TractResult<Vec<f32>> {
    Ok(tensor
        .to_plain_array_view::<f32>()?
        .iter()
        .copied()
        .collect())
}
