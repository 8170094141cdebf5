//! Other element types.

use half::{bf16, f16};

use crate::fault::{Result, fault};
use crate::tensor::{Data, Numbers, Tensor, Type};

/// The elements in another type. Floats are cut to integers; those outside of the range saturate, as in Rust (ONNX leaves it open).
pub(in crate::ops) fn cast(x: &Tensor, to: Type) -> Result<Tensor> {
    let data = match &x.data {
        same if same.ty() == to => same.clone(),
        // Weights, which are many.
        Data::I8(v) if to == Type::F32 => Data::F32(v.iter().map(|&v| f32::from(v)).collect()),
        Data::U8(v) if to == Type::F32 => Data::F32(v.iter().map(|&v| f32::from(v)).collect()),
        Data::I32(v) if to == Type::F32 => Data::F32(v.iter().map(|&v| v as f32).collect()),
        Data::F16(v) if to == Type::F32 => Data::F32(v.iter().map(|v| v.to_f32()).collect()),
        Data::Text(v) => parsed(v, to)?,
        Data::Bool(v) if to == Type::Text => Data::Text(
            v.iter()
                .map(|&v| if v { "True" } else { "False" }.to_owned())
                .collect(),
        ),
        Data::Bool(v) => from_ints(v.iter().map(|&v| i64::from(v)), to),
        data => match data.numbers() {
            Some(Numbers::F32(v)) if to == Type::Text => Data::Text(
                v.iter()
                    .map(|&v| written(f64::from(v), v.to_string()))
                    .collect(),
            ),
            Some(Numbers::F64(v)) if to == Type::Text => {
                Data::Text(v.iter().map(|&v| written(v, v.to_string())).collect())
            }
            Some(Numbers::I64(v)) if to == Type::Text => {
                Data::Text(v.iter().map(i64::to_string).collect())
            }
            Some(Numbers::U64(v)) if to == Type::Text => {
                Data::Text(v.iter().map(u64::to_string).collect())
            }
            Some(Numbers::F32(v)) => from_floats(v.iter().map(|&v| f64::from(v)), to),
            Some(Numbers::F64(v)) => from_floats(v.iter().copied(), to),
            Some(Numbers::I64(v)) => from_ints(v.iter().copied(), to),
            Some(Numbers::U64(v)) => match to {
                Type::F32 | Type::F64 | Type::F16 | Type::BF16 => {
                    from_floats(v.iter().map(|&v| v as f64), to)
                }
                Type::U64 => Data::U64(v.into_owned()),
                _ => from_ints(v.iter().map(|&v| v as i64), to),
            },
            None => return fault("there is no such cast"),
        },
    };
    Tensor::new(x.shape.clone(), data)
}

/// The same bits as another type of the same width.
pub(in crate::ops) fn same_bits(x: &Tensor, to: Type) -> Result<Tensor> {
    let from = x.ty();
    if from == Type::Text || to == Type::Text || from.size() != to.size() {
        return fault(format!(
            "{} have other bits than {}",
            from.name(),
            to.name()
        ));
    }
    let bits: Vec<i64> = match &x.data {
        Data::F32(v) => v.iter().map(|v| i64::from(v.to_bits())).collect(),
        Data::F64(v) => v.iter().map(|v| v.to_bits().cast_signed()).collect(),
        Data::F16(_) | Data::BF16(_) => x.data.bits().into_iter().map(i64::from).collect(),
        Data::U64(v) => v.iter().map(|v| v.cast_signed()).collect(),
        Data::Bool(v) => v.iter().map(|&v| i64::from(v)).collect(),
        _ => x.ints()?.into_owned(),
    };
    let data = match to {
        Type::F32 => Data::F32(bits.iter().map(|&b| f32::from_bits(b as u32)).collect()),
        Type::F64 => Data::F64(
            bits.iter()
                .map(|&b| f64::from_bits(b.cast_unsigned()))
                .collect(),
        ),
        Type::F16 | Type::BF16 => {
            let bits: Vec<u16> = bits.iter().map(|&b| b as u16).collect();
            Data::half(&bits, to == Type::BF16)
        }
        Type::Bool => Data::Bool(bits.iter().map(|&b| b != 0).collect()),
        other => Numbers::I64(bits.into()).narrow(other),
    };
    Tensor::new(x.shape.clone(), data)
}

/// As NumPy writes floats: infinities and NaN by its names, others as short as they can be read back.
fn written(v: f64, short: String) -> String {
    match v {
        v if v.is_nan() => "NaN".into(),
        v if v == f64::INFINITY => "INF".into(),
        v if v == f64::NEG_INFINITY => "-INF".into(),
        _ => short,
    }
}

fn parsed(v: &[String], to: Type) -> Result<Data> {
    let number = |text: &String| -> Result<f64> {
        let text = text.trim();
        let special = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
        let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
        match special.as_str() {
            "inf" | "infinity" => Ok(sign * f64::INFINITY),
            "nan" => Ok(f64::NAN),
            _ => text
                .parse()
                .map_err(|_| format!("{text:?} is not a number").into()),
        }
    };
    match to {
        Type::I64 => {
            let whole = |text: &String| {
                text.trim()
                    .parse()
                    .map_err(|_| format!("{text:?} is not an integer").into())
            };
            Ok(Data::I64(v.iter().map(whole).collect::<Result<_>>()?))
        }
        _ => {
            let numbers: Vec<f64> = v.iter().map(number).collect::<Result<_>>()?;
            Ok(from_floats(numbers.into_iter(), to))
        }
    }
}

fn from_floats(v: impl Iterator<Item = f64>, to: Type) -> Data {
    match to {
        Type::F32 => Data::F32(v.map(|v| v as f32).collect()),
        Type::F64 => Data::F64(v.collect()),
        Type::F16 => Data::F16(v.map(f16::from_f64).collect()),
        Type::BF16 => Data::BF16(v.map(|v| bf16::from_f32(v as f32)).collect()),
        Type::I64 => Data::I64(v.map(|v| v as i64).collect()),
        Type::I32 => Data::I32(v.map(|v| v as i32).collect()),
        Type::I16 => Data::I16(v.map(|v| v as i64 as i16).collect()),
        Type::I8 => Data::I8(v.map(|v| v as i64 as i8).collect()),
        Type::U64 => Data::U64(v.map(|v| v as u64).collect()),
        Type::U32 => Data::U32(v.map(|v| v as i64 as u32).collect()),
        Type::U16 => Data::U16(v.map(|v| v as i64 as u16).collect()),
        Type::U8 => Data::U8(v.map(|v| v as i64 as u8).collect()),
        Type::Bool => Data::Bool(v.map(|v| v != 0.0).collect()),
        Type::Text => Data::Text(v.map(|v| written(v, v.to_string())).collect()),
    }
}

fn from_ints(v: impl Iterator<Item = i64>, to: Type) -> Data {
    match to {
        Type::F32 => Data::F32(v.map(|v| v as f32).collect()),
        Type::F64 => Data::F64(v.map(|v| v as f64).collect()),
        Type::F16 => Data::F16(v.map(|v| f16::from_f64(v as f64)).collect()),
        Type::BF16 => Data::BF16(v.map(|v| bf16::from_f32(v as f32)).collect()),
        Type::Bool => Data::Bool(v.map(|v| v != 0).collect()),
        Type::Text => Data::Text(v.map(|v| v.to_string()).collect()),
        other => Numbers::I64(v.collect()).narrow(other),
    }
}
