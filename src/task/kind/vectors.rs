//! Vectors of a text (feature extraction, sentence similarity), and what they have in common with those of an image.

use serde::{Deserialize, Serialize};

use super::forward::{Forward, Values, misshapen};
use crate::error::{Code, Error, Result};
use crate::task::Pooling;

/// The outputs that hold vectors, in the order in which they are looked for. One that is already a sentence's counts where
/// nobody asks for another pooling.
const OF_TOKENS: [&str; 4] = [
    "last_hidden_state",
    "token_embeddings",
    "hidden_states",
    "logits",
];

/// How the numbers of vectors are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Float32,
    /// 8-bit integers: 127 times the number, of vectors of length 1.
    Int8,
    /// A bit a number, whether it is above 0; eight a byte, the first highest, as signed bytes (the byte minus 128).
    Binary,
    /// The same, as unsigned bytes.
    Ubinary,
}

/// The vectors of an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct VectorOutput {
    /// The numbers, row by row: in the page a `Float32Array`, `Int8Array` or `Uint8Array`.
    #[cfg_attr(test, ts(type = "Float32Array | Int8Array | Uint8Array"))]
    pub data: Vectors,
    /// Its lengths: `[1, numbers]`, or `[1, tokens, numbers]` without pooling; of an image's parts, as the model has it.
    pub dims: Vec<u32>,
    /// How the numbers are kept.
    pub precision: Precision,
}

/// Numbers of one precision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Vectors {
    /// Floats.
    F32(Vec<f32>),
    /// Signed bytes.
    I8(Vec<i8>),
    /// Unsigned bytes.
    U8(Vec<u8>),
}

/// How vectors are wanted; what is left out is as the model's folder says.
pub(super) struct Wanted {
    pub(super) pooling: Option<Pooling>,
    pub(super) normalize: Option<bool>,
    pub(super) precision: Precision,
}

pub(super) fn perform(text: &str, wanted: Wanted, model: &mut dyn Forward) -> Result<VectorOutput> {
    let tokens = model.tokens(text, None, false)?;
    let pooling = wanted.pooling.or(model.pooling()).unwrap_or(Pooling::None);
    let normalizes = wanted.normalize.unwrap_or(model.normalizes());
    let precision = wanted.precision;
    if precision == Precision::Int8 && !normalizes {
        return Err(Error::new(
            Code::InvalidOption,
            "precision \"int8\" is for vectors of length 1; set normalize, too",
        ));
    }
    let values = model.run(&tokens)?;
    let found = OF_TOKENS
        .iter()
        .find_map(|name| values.iter().find(|v| v.name == *name))
        .or(values.first());
    let found = found
        .ok_or_else(|| Error::new(Code::ModelOutput, format!("{} gives nothing", model.name())))?;
    let (rows, numbers) = pooled(model.name(), found, tokens.ids.len(), pooling)?;
    let mut numbers = numbers;
    let width = numbers.len() / rows.max(1);
    if normalizes {
        numbers.chunks_exact_mut(width.max(1)).for_each(normalize);
    }
    let (data, width) = kept(numbers, width, precision)?;
    let dims = match pooling {
        Pooling::None => vec![1, rows, width],
        _ => vec![1, width],
    };
    Ok(VectorOutput {
        data,
        dims: dims.into_iter().map(|n| n as u32).collect(),
        precision,
    })
}

/// How many vectors there are, and their numbers.
pub(super) fn pooled(
    model: &str,
    values: &Values,
    tokens: usize,
    pooling: Pooling,
) -> Result<(usize, Vec<f32>)> {
    let width = match values.shape[..] {
        [1, n, width] if n == tokens && n > 0 => width,
        // A vector of the whole text already.
        [1, width] if width > 0 && pooling != Pooling::None => {
            return Ok((1, values.numbers.clone()));
        }
        _ => {
            let wanted = format!("[1, {tokens}, numbers]");
            return Err(misshapen(model, values, &wanted));
        }
    };
    let row = |at: usize| values.numbers[at * width..(at + 1) * width].to_vec();
    Ok(match pooling {
        Pooling::None => (tokens, values.numbers.clone()),
        Pooling::First => (1, row(0)),
        Pooling::Last => (1, row(tokens - 1)),
        Pooling::Mean => {
            let mut sums = vec![0.0f64; width];
            for token in values.numbers.chunks_exact(width) {
                sums.iter_mut()
                    .zip(token)
                    .for_each(|(s, v)| *s += f64::from(*v));
            }
            let mean = sums.into_iter().map(|s| (s / tokens as f64) as f32);
            (1, mean.collect())
        }
        Pooling::Max => {
            let mut most = vec![f32::NEG_INFINITY; width];
            for token in values.numbers.chunks_exact(width) {
                most.iter_mut().zip(token).for_each(|(m, v)| *m = m.max(*v));
            }
            (1, most)
        }
    })
}

pub(super) fn normalize(vector: &mut [f32]) {
    let norm = vector
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt();
    let norm = norm.max(1e-12) as f32;
    vector.iter_mut().for_each(|v| *v /= norm);
}

pub(super) fn kept(
    numbers: Vec<f32>,
    width: usize,
    precision: Precision,
) -> Result<(Vectors, usize)> {
    let bits = || {
        if !width.is_multiple_of(8) {
            return Err(Error::new(
                Code::InvalidOption,
                format!("vectors of {width} numbers cannot be kept as bits: 8 are a byte"),
            ));
        }
        let byte = |of: &[f32]| {
            of.iter()
                .fold(0u8, |byte, v| byte << 1 | u8::from(*v > 0.0))
        };
        Ok(numbers.chunks_exact(8).map(byte).collect::<Vec<u8>>())
    };
    Ok(match precision {
        Precision::Float32 => (Vectors::F32(numbers), width),
        Precision::Int8 => {
            let byte = |v: &f32| (v * 127.0).round_ties_even().clamp(-127.0, 127.0) as i8;
            (Vectors::I8(numbers.iter().map(byte).collect()), width)
        }
        Precision::Ubinary => (Vectors::U8(bits()?), width / 8),
        Precision::Binary => {
            let signed = |byte: u8| (i16::from(byte) - 128) as i8;
            (
                Vectors::I8(bits()?.into_iter().map(signed).collect()),
                width / 8,
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Played;
    use super::super::{KindOptions, KindOutput, perform};
    use super::*;
    use crate::task::{Input, TaskKind};

    fn vectors(options: KindOptions) -> Result<VectorOutput> {
        let mut model = Played::of("a b", 9);
        // Special tokens around two words.
        let rows: Vec<f32> = (0..4 * 8).map(|v| v as f32 - 15.5).collect();
        model.gives("last_hidden_state", vec![1, 4, 8], rows);
        let kind = TaskKind::FeatureExtraction;
        match perform(kind, &[], Input::Text("a b"), &options, &mut model)?.output {
            KindOutput::Vectors(output) => Ok(output),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn vectors_are_pooled_as_they_are_asked_for() {
        let of = |pooling| {
            let options = KindOptions {
                pooling: Some(pooling),
                ..KindOptions::default()
            };
            match vectors(options).unwrap() {
                VectorOutput {
                    data: Vectors::F32(data),
                    dims,
                    ..
                } => (data, dims),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of(Pooling::None).1, [1, 4, 8]);
        assert_eq!(
            (of(Pooling::First).0[0], of(Pooling::First).1),
            (-15.5, vec![1, 8])
        );
        assert_eq!((of(Pooling::Last).0[7], of(Pooling::Max).0[0]), (15.5, 8.5));
        assert_eq!(of(Pooling::Mean).0[0], -3.5);
    }

    #[test]
    fn numbers_are_kept_as_small_as_they_are_asked_for() {
        let of = |precision, normalize| {
            let options = KindOptions {
                pooling: Some(Pooling::Mean),
                normalize: Some(normalize),
                precision: Some(precision),
                ..KindOptions::default()
            };
            vectors(options)
        };
        let whole = of(Precision::Float32, true).unwrap();
        let Vectors::F32(data) = &whole.data else {
            panic!()
        };
        assert!((data.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-6);
        let bytes = of(Precision::Int8, true).unwrap();
        let Vectors::I8(bytes) = &bytes.data else {
            panic!()
        };
        assert!(
            data.iter()
                .zip(bytes)
                .all(|(v, b)| (v * 127.0 - f32::from(*b)).abs() <= 0.5)
        );
        assert_eq!(
            of(Precision::Int8, false).unwrap_err().code(),
            Code::InvalidOption
        );
        // -3.5 to 3.5: the second half is above 0.
        let bits = of(Precision::Ubinary, false).unwrap();
        assert_eq!(
            (bits.data, bits.dims),
            (Vectors::U8(vec![0b1111]), vec![1, 1])
        );
        assert_eq!(
            of(Precision::Binary, false).unwrap().data,
            Vectors::I8(vec![-113])
        );
    }
}
