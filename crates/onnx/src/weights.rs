//! Weights: tensors as files hold them.

use half::{bf16, f16};

use crate::fault::{Result, fault};
use crate::proto::{SparseTensorProto, TensorProto};
use crate::tensor::{Data, Tensor, Type, count, strides};

/// Reads a weight.
///
/// # Errors
/// When its numbers are elsewhere, of a type that is not supported, or not as many as its lengths say.
pub fn tensor(proto: &TensorProto) -> Result<Tensor> {
    if proto.data_location == 1 {
        return fault("its numbers are in a file beside the model, which was not read with it");
    }
    let shape = lengths(&proto.dims)?;
    let len = count(&shape)?;
    let ty = Type::of_code(proto.data_type)?;
    let data = if ty == Type::Text {
        let text = |bytes: &bytes::Bytes| String::from_utf8_lossy(bytes).into_owned();
        Data::Text(proto.string_data.iter().map(text).collect())
    } else if matches!(proto.data_type, 21 | 22) {
        nibbles(proto, ty, len)?
    } else if proto.raw_data.is_empty() {
        fields(proto, ty)
    } else {
        raw(&proto.raw_data, ty, len)?
    };
    if data.len() != len {
        return fault(format!(
            "it holds {} numbers, and {shape:?} are {len}",
            data.len()
        ));
    }
    Tensor::new(shape, data)
}

/// Reads a sparse weight: zeros but for some places.
pub(crate) fn sparse(proto: &SparseTensorProto) -> Result<Tensor> {
    let shape = lengths(&proto.dims)?;
    let len = count(&shape)?;
    let (Some(values), Some(indices)) = (&proto.values, &proto.indices) else {
        return fault("a sparse weight without values or without places");
    };
    let (values, indices) = (tensor(values)?, tensor(indices)?);
    let steps = strides(&shape);
    let flat = indices.ints()?;
    let places: Vec<i64> = match indices.shape.len() {
        1 => flat.into_owned(),
        2 if indices.shape[1] == shape.len() && !shape.is_empty() => flat
            .chunks_exact(shape.len())
            .map(|place| {
                place
                    .iter()
                    .zip(&steps)
                    .map(|(&at, &step)| at * step as i64)
                    .sum()
            })
            .collect(),
        _ => return fault("a sparse weight whose places do not fit its shape"),
    };
    if places.len() != values.len() {
        return fault("a sparse weight with other numbers of values and places");
    }
    let mut data = Data::zeros(values.ty(), len);
    for (at, &place) in places.iter().enumerate() {
        match usize::try_from(place).ok().filter(|&place| place < len) {
            Some(place) => data.paste(place, &values.data, at, 1),
            None => {
                return fault(format!(
                    "a sparse weight has a value at {place}, outside of its shape"
                ));
            }
        }
    }
    Tensor::new(shape, data)
}

/// Lengths that a file gives.
fn lengths(dims: &[i64]) -> Result<Vec<usize>> {
    dims.iter()
        .map(|&d| usize::try_from(d).map_err(|_| format!("{d} is not a length").into()))
        .collect()
}

/// Two 4-bit integers a byte, the lower one first.
fn nibbles(proto: &TensorProto, ty: Type, len: usize) -> Result<Data> {
    let bytes: Vec<u8> = if proto.raw_data.is_empty() {
        proto.int32_data.iter().map(|&v| v as u8).collect()
    } else {
        proto.raw_data.to_vec()
    };
    if bytes.len() != len.div_ceil(2) {
        return fault(format!(
            "it holds {} bytes, and {len} 4-bit integers are {}",
            bytes.len(),
            len.div_ceil(2)
        ));
    }
    let each = bytes
        .iter()
        .flat_map(|byte| [byte & 15, byte >> 4])
        .take(len);
    Ok(match ty {
        Type::I8 => Data::I8(each.map(|v| ((v << 4) as i8) >> 4).collect()),
        _ => Data::U8(each.collect()),
    })
}

/// The numbers in the field of their type.
fn fields(proto: &TensorProto, ty: Type) -> Data {
    let ints = proto.int32_data.iter();
    match ty {
        Type::F32 => Data::F32(proto.float_data.clone()),
        Type::F64 => Data::F64(proto.double_data.clone()),
        Type::I64 => Data::I64(proto.int64_data.clone()),
        Type::U64 => Data::U64(proto.uint64_data.clone()),
        Type::U32 => Data::U32(proto.uint64_data.iter().map(|&v| v as u32).collect()),
        Type::I32 => Data::I32(proto.int32_data.clone()),
        Type::I16 => Data::I16(ints.map(|&v| v as i16).collect()),
        Type::U16 => Data::U16(ints.map(|&v| v as u16).collect()),
        Type::I8 => Data::I8(ints.map(|&v| v as i8).collect()),
        Type::U8 => Data::U8(ints.map(|&v| v as u8).collect()),
        Type::Bool => Data::Bool(ints.map(|&v| v != 0).collect()),
        Type::F16 => Data::F16(ints.map(|&v| f16::from_bits(v as u16)).collect()),
        Type::BF16 => Data::BF16(ints.map(|&v| bf16::from_bits(v as u16)).collect()),
        Type::Text => Data::Text(Vec::new()),
    }
}

/// The numbers as bytes.
fn raw(bytes: &[u8], ty: Type, len: usize) -> Result<Data> {
    if len.checked_mul(ty.size()) != Some(bytes.len()) {
        return fault(format!(
            "it holds {} bytes, and {len} numbers of {} are {}",
            bytes.len(),
            ty.name(),
            len * ty.size()
        ));
    }
    fn words<const N: usize, T>(bytes: &[u8], word: impl Fn([u8; N]) -> T) -> Vec<T> {
        bytes
            .as_chunks::<N>()
            .0
            .iter()
            .map(|&chunk| word(chunk))
            .collect()
    }
    Ok(match ty {
        Type::F32 => Data::F32(words(bytes, f32::from_le_bytes)),
        Type::F64 => Data::F64(words(bytes, f64::from_le_bytes)),
        Type::I64 => Data::I64(words(bytes, i64::from_le_bytes)),
        Type::U64 => Data::U64(words(bytes, u64::from_le_bytes)),
        Type::I32 => Data::I32(words(bytes, i32::from_le_bytes)),
        Type::U32 => Data::U32(words(bytes, u32::from_le_bytes)),
        Type::I16 => Data::I16(words(bytes, i16::from_le_bytes)),
        Type::U16 => Data::U16(words(bytes, u16::from_le_bytes)),
        Type::F16 => Data::F16(words(bytes, f16::from_le_bytes)),
        Type::BF16 => Data::BF16(words(bytes, bf16::from_le_bytes)),
        Type::I8 => Data::I8(bytes.iter().map(|&b| b.cast_signed()).collect()),
        Type::U8 => Data::U8(bytes.to_vec()),
        Type::Bool => Data::Bool(bytes.iter().map(|&b| b != 0).collect()),
        Type::Text => return fault("strings cannot be raw bytes"),
    })
}
