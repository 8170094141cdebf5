//! Arrays: what flows between the steps of a program.

use std::borrow::Cow;

use super::kernels::Narrow;

/// The most elements an array may have, so that a hostile file or input cannot ask for all memory.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// What stopped a step; says what was wrong with its operands.
pub(crate) type Fault = &'static str;

/// The elements of an array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// Integers of any width, and truth values as 0 and 1.
    I64(Vec<i64>),
}

/// An array with its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// As many elements as the lengths' product.
    pub data: Data,
}

/// Borrowed elements.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Elements<'a> {
    F32(&'a [f32]),
    I64(&'a [i64]),
    I8(&'a [i8]),
    I32(&'a [i32]),
    /// Floats in fewer bits, as the file has them.
    Narrow(Narrow, &'a [u8]),
}

/// A borrowed array: a value, or a weight inside the file.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    pub shape: Cow<'a, [usize]>,
    pub data: Elements<'a>,
}

impl Array {
    pub(crate) fn f32(shape: Vec<usize>, data: Vec<f32>) -> Array {
        Array {
            shape,
            data: Data::F32(data),
        }
    }

    pub(crate) fn i64(shape: Vec<usize>, data: Vec<i64>) -> Array {
        Array {
            shape,
            data: Data::I64(data),
        }
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            shape: Cow::Borrowed(&self.shape),
            data: match &self.data {
                Data::F32(v) => Elements::F32(v),
                Data::I64(v) => Elements::I64(v),
            },
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.data {
            Data::F32(v) => v.len(),
            Data::I64(v) => v.len(),
        }
    }
}

impl<'a> View<'a> {
    pub(crate) fn floats(&self) -> Result<&'a [f32], Fault> {
        match self.data {
            Elements::F32(v) => Ok(v),
            _ => Err("an operand is not of floats"),
        }
    }

    pub(crate) fn ints(&self) -> Result<&'a [i64], Fault> {
        match self.data {
            Elements::I64(v) => Ok(v),
            _ => Err("an operand is not of integers"),
        }
    }

    pub(crate) fn bytes(&self) -> Result<&'a [i8], Fault> {
        match self.data {
            Elements::I8(v) => Ok(v),
            _ => Err("an operand is not of int8"),
        }
    }

    pub(crate) fn sums(&self) -> Result<&'a [i32], Fault> {
        match self.data {
            Elements::I32(v) => Ok(v),
            _ => Err("an operand is not of int32"),
        }
    }
}

/// How many elements a shape has. Where one length is 0, the others are held against the limit all the same: steps go along
/// them, whatever they find there.
pub(crate) fn count(shape: &[usize]) -> Result<usize, Fault> {
    let places = shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d.max(1)))
        .filter(|&n| n <= MAX_ELEMENTS)
        .ok_or("an array is too large")?;
    Ok(if shape.contains(&0) { 0 } else { places })
}

/// The distance between neighbours along each axis.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The lengths before, along and after an axis.
pub(crate) fn around(shape: &[usize], axis: usize) -> Result<(usize, usize, usize), Fault> {
    let along = *shape.get(axis).ok_or("there is no such axis")?;
    Ok((count(&shape[..axis])?, along, count(&shape[axis + 1..])?))
}
