//! Tensors: what flows between the nodes of a graph.

use std::borrow::Cow;

use half::{bf16, f16};

use crate::fault::{Fault, Result, fault};

/// The most elements a tensor may have, so that a hostile file or input cannot ask for all memory.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// Types of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Type {
    F32,
    U8,
    I8,
    U16,
    I16,
    I32,
    I64,
    Text,
    Bool,
    F16,
    F64,
    U32,
    U64,
    BF16,
}

/// The elements of a tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Data {
    F32(Vec<f32>),
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    Text(Vec<String>),
    Bool(Vec<bool>),
    F16(Vec<f16>),
    F64(Vec<f64>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    BF16(Vec<bf16>),
}

/// Runs code on the elements, whatever their type: `each!(data, v => v.len())`.
macro_rules! each {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            $crate::Data::F32($v) => $body,
            $crate::Data::U8($v) => $body,
            $crate::Data::I8($v) => $body,
            $crate::Data::U16($v) => $body,
            $crate::Data::I16($v) => $body,
            $crate::Data::I32($v) => $body,
            $crate::Data::I64($v) => $body,
            $crate::Data::Text($v) => $body,
            $crate::Data::Bool($v) => $body,
            $crate::Data::F16($v) => $body,
            $crate::Data::F64($v) => $body,
            $crate::Data::U32($v) => $body,
            $crate::Data::U64($v) => $body,
            $crate::Data::BF16($v) => $body,
        }
    };
}

/// The same, giving elements of the same type: `map!(data, v => v.clone())`.
macro_rules! map {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            $crate::Data::F32($v) => $crate::Data::F32($body),
            $crate::Data::U8($v) => $crate::Data::U8($body),
            $crate::Data::I8($v) => $crate::Data::I8($body),
            $crate::Data::U16($v) => $crate::Data::U16($body),
            $crate::Data::I16($v) => $crate::Data::I16($body),
            $crate::Data::I32($v) => $crate::Data::I32($body),
            $crate::Data::I64($v) => $crate::Data::I64($body),
            $crate::Data::Text($v) => $crate::Data::Text($body),
            $crate::Data::Bool($v) => $crate::Data::Bool($body),
            $crate::Data::F16($v) => $crate::Data::F16($body),
            $crate::Data::F64($v) => $crate::Data::F64($body),
            $crate::Data::U32($v) => $crate::Data::U32($body),
            $crate::Data::U64($v) => $crate::Data::U64($body),
            $crate::Data::BF16($v) => $crate::Data::BF16($body),
        }
    };
}

pub(crate) use {each, map};

/// A tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// As many elements as the lengths' product.
    pub data: Data,
}

/// Numbers in one of the four types that operators compute in: narrower ones are widened, and narrowed again at the end.
/// 16-bit floats are computed in 32 bits and rounded once; integers in 64 bits, of which the lowest are kept.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Numbers<'a> {
    F32(Cow<'a, [f32]>),
    F64(Cow<'a, [f64]>),
    I64(Cow<'a, [i64]>),
    U64(Cow<'a, [u64]>),
}

impl Type {
    /// ONNX's number of it (`TensorProto.DataType`). 4-bit integers (21 and 22) are held as bytes.
    pub fn of_code(code: i32) -> Result<Type> {
        Ok(match code {
            1 => Type::F32,
            2 | 21 => Type::U8,
            3 | 22 => Type::I8,
            4 => Type::U16,
            5 => Type::I16,
            6 => Type::I32,
            7 => Type::I64,
            8 => Type::Text,
            9 => Type::Bool,
            10 => Type::F16,
            11 => Type::F64,
            12 => Type::U32,
            13 => Type::U64,
            16 => Type::BF16,
            other => return fault(format!("{} are not supported", unknown(other))),
        })
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Type::F32 => "float32",
            Type::U8 => "uint8",
            Type::I8 => "int8",
            Type::U16 => "uint16",
            Type::I16 => "int16",
            Type::I32 => "int32",
            Type::I64 => "int64",
            Type::Text => "string",
            Type::Bool => "bool",
            Type::F16 => "float16",
            Type::F64 => "float64",
            Type::U32 => "uint32",
            Type::U64 => "uint64",
            Type::BF16 => "bfloat16",
        }
    }

    /// Whether it is a float of any width.
    pub fn is_float(self) -> bool {
        matches!(self, Type::F32 | Type::F64 | Type::F16 | Type::BF16)
    }

    /// Whether it is an integer of any width.
    pub fn is_integer(self) -> bool {
        !self.is_float() && !matches!(self, Type::Text | Type::Bool)
    }

    /// The bytes of an element; of a string, what holds it.
    pub fn size(self) -> usize {
        match self {
            Type::U8 | Type::I8 | Type::Bool => 1,
            Type::U16 | Type::I16 | Type::F16 | Type::BF16 => 2,
            Type::F32 | Type::I32 | Type::U32 => 4,
            Type::I64 | Type::F64 | Type::U64 => 8,
            Type::Text => 24,
        }
    }
}

/// What ONNX calls a type that is not among ours.
fn unknown(code: i32) -> String {
    match code {
        14 | 15 => "complex numbers".into(),
        17..=20 => "8-bit floats".into(),
        23 => "4-bit floats".into(),
        24 => "8-bit exponents".into(),
        25 | 26 => "2-bit integers".into(),
        0 => "tensors without an element type".into(),
        other => format!("elements of the unknown type {other}"),
    }
}

impl Data {
    /// The elements' type.
    pub fn ty(&self) -> Type {
        match self {
            Data::F32(_) => Type::F32,
            Data::U8(_) => Type::U8,
            Data::I8(_) => Type::I8,
            Data::U16(_) => Type::U16,
            Data::I16(_) => Type::I16,
            Data::I32(_) => Type::I32,
            Data::I64(_) => Type::I64,
            Data::Text(_) => Type::Text,
            Data::Bool(_) => Type::Bool,
            Data::F16(_) => Type::F16,
            Data::F64(_) => Type::F64,
            Data::U32(_) => Type::U32,
            Data::U64(_) => Type::U64,
            Data::BF16(_) => Type::BF16,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        each!(self, v => v.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// So many zeros, or empty strings, or `false`.
    pub fn zeros(ty: Type, len: usize) -> Data {
        match ty {
            Type::F32 => Data::F32(vec![0.0; len]),
            Type::U8 => Data::U8(vec![0; len]),
            Type::I8 => Data::I8(vec![0; len]),
            Type::U16 => Data::U16(vec![0; len]),
            Type::I16 => Data::I16(vec![0; len]),
            Type::I32 => Data::I32(vec![0; len]),
            Type::I64 => Data::I64(vec![0; len]),
            Type::Text => Data::Text(vec![String::new(); len]),
            Type::Bool => Data::Bool(vec![false; len]),
            Type::F16 => Data::F16(vec![f16::ZERO; len]),
            Type::F64 => Data::F64(vec![0.0; len]),
            Type::U32 => Data::U32(vec![0; len]),
            Type::U64 => Data::U64(vec![0; len]),
            Type::BF16 => Data::BF16(vec![bf16::ZERO; len]),
        }
    }

    /// 16-bit floats of these bits: of bfloat16, or of float16.
    pub fn half(bits: &[u16], brain: bool) -> Data {
        match brain {
            true => Data::BF16(bits.iter().map(|&b| bf16::from_bits(b)).collect()),
            false => Data::F16(bits.iter().map(|&b| f16::from_bits(b)).collect()),
        }
    }

    /// The bits of 16-bit floats; none of other types.
    pub fn bits(&self) -> Vec<u16> {
        match self {
            Data::F16(v) => v.iter().map(|v| v.to_bits()).collect(),
            Data::BF16(v) => v.iter().map(|v| v.to_bits()).collect(),
            _ => Vec::new(),
        }
    }

    /// Numbers in a type that holds each of them; `None` where one is no number of the type, and for strings.
    pub fn of_numbers(numbers: &[f64], ty: Type) -> Option<Data> {
        let whole = numbers.iter().all(|v| v.fract() == 0.0);
        Some(match ty {
            Type::Text => return None,
            Type::Bool => Data::Bool(numbers.iter().map(|&v| v != 0.0).collect()),
            _ if ty.is_float() => Numbers::F64(numbers.into()).narrow(ty),
            _ if !whole => return None,
            _ => Numbers::I64(numbers.iter().map(|&v| v as i64).collect()).narrow(ty),
        })
    }

    /// Runs of elements, one after another: where each begins, and how long all are. The caller has made sure that they lie
    /// within.
    pub fn runs(&self, len: usize, starts: impl ExactSizeIterator<Item = usize>) -> Data {
        fn copy<T: Clone>(
            v: &[T],
            len: usize,
            starts: impl ExactSizeIterator<Item = usize>,
        ) -> Vec<T> {
            let mut out = Vec::with_capacity(len * starts.len());
            if len == 1 {
                out.extend(starts.map(|start| v[start].clone()));
            } else {
                starts.for_each(|start| out.extend_from_slice(&v[start..start + len]));
            }
            out
        }
        map!(self, v => copy(v, len, starts))
    }

    /// Runs of elements of the same type, each time so many of each part. Types that differ are a bug of the caller and panic.
    pub fn joined(parts: &[(&Data, usize)], times: usize) -> Data {
        macro_rules! joined {
            ($($kind:ident),*) => {
                match parts[0].0 {
                    $(Data::$kind(_) => {
                        let all: usize = parts.iter().map(|(_, len)| len).sum();
                        let mut out = Vec::with_capacity(all * times);
                        for at in 0..times {
                            for (part, len) in parts {
                                match part {
                                    Data::$kind(v) => out.extend_from_slice(&v[at * len..(at + 1) * len]),
                                    _ => panic!("elements of different types"),
                                }
                            }
                        }
                        Data::$kind(out)
                    })*
                }
            };
        }
        joined!(
            F32, U8, I8, U16, I16, I32, I64, Text, Bool, F16, F64, U32, U64, BF16
        )
    }

    /// Copies a run of elements of the same type over own ones. Types that differ are a bug of the caller and panic.
    pub fn paste(&mut self, at: usize, from: &Data, start: usize, len: usize) {
        macro_rules! paste {
            ($($kind:ident),*) => {
                match (self, from) {
                    $((Data::$kind(to), Data::$kind(from)) => to[at..at + len].clone_from_slice(&from[start..start + len]),)*
                    _ => panic!("elements of different types"),
                }
            };
        }
        paste!(
            F32, U8, I8, U16, I16, I32, I64, Text, Bool, F16, F64, U32, U64, BF16
        );
    }

    /// All numbers, in the type that they are computed in; `None` for strings and booleans.
    pub fn numbers(&self) -> Option<Numbers<'_>> {
        fn wide<T: Copy, U: Clone>(v: &[T], widen: impl Fn(T) -> U) -> Cow<'_, [U]> {
            v.iter().map(|&x| widen(x)).collect()
        }
        Some(match self {
            Data::F32(v) => Numbers::F32(v.into()),
            Data::F64(v) => Numbers::F64(v.into()),
            Data::F16(v) => Numbers::F32(wide(v, f16::to_f32)),
            Data::BF16(v) => Numbers::F32(wide(v, bf16::to_f32)),
            Data::I64(v) => Numbers::I64(v.into()),
            Data::I32(v) => Numbers::I64(wide(v, i64::from)),
            Data::I16(v) => Numbers::I64(wide(v, i64::from)),
            Data::I8(v) => Numbers::I64(wide(v, i64::from)),
            Data::U32(v) => Numbers::I64(wide(v, i64::from)),
            Data::U16(v) => Numbers::I64(wide(v, i64::from)),
            Data::U8(v) => Numbers::I64(wide(v, i64::from)),
            Data::U64(v) => Numbers::U64(v.into()),
            Data::Text(_) | Data::Bool(_) => return None,
        })
    }
}

impl Numbers<'_> {
    /// The numbers in a narrower type: floats are rounded, of integers the lowest bits are kept. Floats do not become integers.
    pub fn narrow(self, ty: Type) -> Data {
        match (self, ty) {
            (Numbers::F32(v), Type::F16) => {
                Data::F16(v.iter().map(|&x| f16::from_f32(x)).collect())
            }
            (Numbers::F32(v), Type::BF16) => {
                Data::BF16(v.iter().map(|&x| bf16::from_f32(x)).collect())
            }
            (Numbers::F32(v), Type::F64) => Data::F64(v.iter().map(|&x| f64::from(x)).collect()),
            (Numbers::F32(v), _) => Data::F32(v.into_owned()),
            (Numbers::F64(v), Type::F32) => Data::F32(v.iter().map(|&x| x as f32).collect()),
            (Numbers::F64(v), Type::F16) => {
                Data::F16(v.iter().map(|&x| f16::from_f64(x)).collect())
            }
            (Numbers::F64(v), Type::BF16) => {
                Data::BF16(v.iter().map(|&x| bf16::from_f64(x)).collect())
            }
            (Numbers::F64(v), _) => Data::F64(v.into_owned()),
            (Numbers::I64(v), Type::I32) => Data::I32(v.iter().map(|&x| x as i32).collect()),
            (Numbers::I64(v), Type::I16) => Data::I16(v.iter().map(|&x| x as i16).collect()),
            (Numbers::I64(v), Type::I8) => Data::I8(v.iter().map(|&x| x as i8).collect()),
            (Numbers::I64(v), Type::U32) => Data::U32(v.iter().map(|&x| x as u32).collect()),
            (Numbers::I64(v), Type::U16) => Data::U16(v.iter().map(|&x| x as u16).collect()),
            (Numbers::I64(v), Type::U8) => Data::U8(v.iter().map(|&x| x as u8).collect()),
            (Numbers::I64(v), Type::U64) => Data::U64(v.iter().map(|&x| x as u64).collect()),
            (Numbers::I64(v), _) => Data::I64(v.into_owned()),
            (Numbers::U64(v), Type::I64) => Data::I64(v.iter().map(|&x| x as i64).collect()),
            (Numbers::U64(v), _) => Data::U64(v.into_owned()),
        }
    }
}

impl Tensor {
    /// A tensor of these elements.
    ///
    /// # Errors
    /// When there are more or fewer than the shape says.
    pub fn new(shape: Vec<usize>, data: Data) -> Result<Tensor> {
        if count(&shape)? != data.len() {
            return fault(format!(
                "{} elements are not of the shape {shape:?}",
                data.len()
            ));
        }
        Ok(Tensor { shape, data })
    }

    /// A tensor of floats; as many as the shape says, which the caller has made sure of.
    pub fn f32(shape: Vec<usize>, data: Vec<f32>) -> Tensor {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Tensor {
            shape,
            data: Data::F32(data),
        }
    }

    /// A tensor of integers; as many as the shape says, which the caller has made sure of.
    pub fn i64(shape: Vec<usize>, data: Vec<i64>) -> Tensor {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Tensor {
            shape,
            data: Data::I64(data),
        }
    }

    /// A tensor of truth values; as many as the shape says, which the caller has made sure of.
    pub fn bools(shape: Vec<usize>, data: Vec<bool>) -> Tensor {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Tensor {
            shape,
            data: Data::Bool(data),
        }
    }

    /// Its elements' type.
    pub fn ty(&self) -> Type {
        self.data.ty()
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The bytes of its elements.
    pub fn bytes(&self) -> u64 {
        let own = self.len() as u64 * self.ty().size() as u64;
        match &self.data {
            Data::Text(texts) => own + texts.iter().map(|text| text.len() as u64).sum::<u64>(),
            _ => own,
        }
    }

    /// How many axes it has.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Its 32-bit floats.
    pub fn f32s(&self) -> Result<&[f32]> {
        match &self.data {
            Data::F32(v) => Ok(v),
            other => fault(format!(
                "an operand is of {}, not of float32",
                other.ty().name()
            )),
        }
    }

    /// Its floats of any width, as 32-bit ones.
    pub fn floats(&self) -> Result<Cow<'_, [f32]>> {
        match self.data.numbers() {
            Some(Numbers::F32(v)) => Ok(v),
            Some(Numbers::F64(v)) => Ok(v.iter().map(|&x| x as f32).collect()),
            _ => fault(format!(
                "an operand is of {}, not of floats",
                self.ty().name()
            )),
        }
    }

    /// Its integers of any width.
    pub fn ints(&self) -> Result<Cow<'_, [i64]>> {
        match self.data.numbers() {
            Some(Numbers::I64(v)) => Ok(v),
            Some(Numbers::U64(v)) => v
                .iter()
                .map(|&x| i64::try_from(x).map_err(|_| Fault::from("an integer is too large")))
                .collect(),
            _ => fault(format!(
                "an operand is of {}, not of integers",
                self.ty().name()
            )),
        }
    }

    /// Its truth values.
    pub fn truths(&self) -> Result<&[bool]> {
        match &self.data {
            Data::Bool(v) => Ok(v),
            other => fault(format!(
                "an operand is of {}, not of bool",
                other.ty().name()
            )),
        }
    }

    /// Its strings.
    pub fn texts(&self) -> Result<&[String]> {
        match &self.data {
            Data::Text(v) => Ok(v),
            other => fault(format!(
                "an operand is of {}, not of strings",
                other.ty().name()
            )),
        }
    }

    /// Its numbers, in the type that they are computed in.
    pub fn numbers(&self) -> Result<Numbers<'_>> {
        let ty = self.ty().name();
        self.data
            .numbers()
            .ok_or_else(|| format!("an operand is of {ty}, not of numbers").into())
    }

    /// The one integer that it holds.
    pub fn scalar_int(&self) -> Result<i64> {
        match self.ints()?[..] {
            [one] => Ok(one),
            _ => fault(format!(
                "an operand of the shape {:?} is not one integer",
                self.shape
            )),
        }
    }

    /// The one float that it holds.
    pub fn scalar_float(&self) -> Result<f32> {
        match self.floats()?[..] {
            [one] => Ok(one),
            _ => fault(format!(
                "an operand of the shape {:?} is not one float",
                self.shape
            )),
        }
    }

    /// Its integers as lengths.
    pub fn lengths(&self) -> Result<Vec<usize>> {
        let ints = self.ints()?;
        ints.iter()
            .map(|&n| usize::try_from(n).map_err(|_| format!("{n} is not a length").into()))
            .collect()
    }

    /// The same elements under another shape.
    pub fn reshaped(self, shape: Vec<usize>) -> Result<Tensor> {
        Tensor::new(shape, self.data)
    }

    /// The lengths before, along and after an axis.
    pub fn around(&self, axis: usize) -> (usize, usize, usize) {
        let before = self.shape[..axis].iter().product();
        (
            before,
            self.shape[axis],
            self.shape[axis + 1..].iter().product(),
        )
    }
}

/// How many elements a shape has.
///
/// # Errors
/// When they are more than [`MAX_ELEMENTS`]. Where one length is 0, the others are held against the limit all the same.
pub fn count(shape: &[usize]) -> Result<usize> {
    let places = shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d.max(1)))
        .filter(|&n| n <= MAX_ELEMENTS)
        .ok_or_else(|| Fault(format!("a tensor of the shape {shape:?} is too large")))?;
    Ok(if shape.contains(&0) { 0 } else { places })
}

/// The distance between neighbours along each axis.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// An axis as ONNX counts them: from the end when negative.
pub fn axis(axis: i64, rank: usize) -> Result<usize> {
    let from = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(from)
        .ok()
        .filter(|&at| at < rank)
        .ok_or_else(|| Fault(format!("there is no axis {axis} among {rank}")))
}
