//! Vectors of an image (image feature extraction).

use smallfirst_image::{ImageProcessor, Pixels};

use super::forward::{Values, misshapen};
use super::options::KindOptions;
use super::sees::Sees;
use super::vectors::{Precision, VectorOutput, kept, normalize, pooled};
use crate::error::{Code, Error, Result};
use crate::task::Pooling;

/// The output that is one vector of the whole image.
const POOLED: &str = "pooler_output";

/// The outputs that are vectors of its parts, or its own, in the order in which they are looked for: as in transformers.js.
const RAW: [&str; 3] = ["last_hidden_state", "logits", "image_embeds"];

pub(super) fn perform(
    pixels: &Pixels,
    options: &KindOptions,
    usual: (Option<Pooling>, bool),
    processor: &ImageProcessor,
    model: &mut dyn Sees,
) -> Result<VectorOutput> {
    let refused = |why: &str| Err(Error::new(Code::InvalidOption, why));
    let pool = options.pool == Some(true);
    if pool && options.pooling.is_some_and(|p| p != Pooling::None) {
        return refused(
            "pool takes the model's own vector, and pooling makes one; give one of them",
        );
    }
    let precision = options.precision.unwrap_or_default();
    let normalizes = options.normalize.unwrap_or(usual.1);
    if precision == Precision::Int8 && !normalizes {
        return refused("precision \"int8\" is for vectors of length 1; set normalize, too");
    }
    let pooling = match pool {
        true => Pooling::None,
        false => options.pooling.or(usual.0).unwrap_or(Pooling::None),
    };
    let values = model.run(processor.process(pixels)?)?;
    let found = chosen(&values, pool, model)?;
    let (mut dims, mut numbers) = vectors(found, pool, pooling, model)?;
    let of_vectors = dims.len() < 4;
    if !of_vectors && (normalizes || precision != Precision::Float32) {
        return refused(
            "normalize and precision are for vectors, and this model gives maps: set pool or pooling, too",
        );
    }
    let width = dims.last().copied().unwrap_or(0);
    if normalizes {
        numbers.chunks_exact_mut(width.max(1)).for_each(normalize);
    }
    let (data, width) = kept(numbers, width, precision)?;
    if let Some(last) = dims.last_mut() {
        *last = width;
    }
    Ok(VectorOutput {
        data,
        dims: dims.into_iter().map(|n| n as u32).collect(),
        precision,
    })
}

fn chosen<'v>(values: &'v [Values], pool: bool, model: &dyn Sees) -> Result<&'v Values> {
    let named = |name: &str| values.iter().find(|v| v.name == name);
    let found = match pool {
        true => named(POOLED),
        false => RAW.into_iter().find_map(named).or(values.first()),
    };
    found.ok_or_else(|| {
        let there: Vec<&str> = values.iter().map(|v| v.name.as_str()).collect();
        Error::new(
            Code::ModelOutput,
            format!(
                "{} gives {}, and no {POOLED}: it has no vector of the whole image; set pooling in place of pool",
                model.name(),
                there.join(", ")
            ),
        )
    })
}

/// The lengths and the numbers of what is asked for.
fn vectors(
    found: &Values,
    pool: bool,
    pooling: Pooling,
    model: &dyn Sees,
) -> Result<(Vec<usize>, Vec<f32>)> {
    let numbers = || found.numbers.clone();
    match (&found.shape[..], pooling) {
        // Some poolers leave the lengths of 1 that they pooled to.
        (&[1, width, 1, 1], _) if pool => Ok((vec![1, width], numbers())),
        (&[1, width], _) if width > 0 => Ok((vec![1, width], numbers())),
        (&[1, _, _] | &[1, _, _, _], Pooling::None) if !pool => {
            Ok((found.shape.clone(), numbers()))
        }
        (&[1, parts, width], _) if !pool && parts > 0 => {
            let (_, numbers) = pooled(model.name(), found, parts, pooling)?;
            Ok((vec![1, width], numbers))
        }
        (&[1, width, high, wide], Pooling::Mean | Pooling::Max) if !pool && high * wide > 0 => {
            let of_map = |map: &[f32]| match pooling {
                Pooling::Max => map.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                _ => {
                    let sum: f64 = map.iter().map(|&v| f64::from(v)).sum();
                    (sum / map.len() as f64) as f32
                }
            };
            let maps = found.numbers.chunks_exact(high * wide);
            Ok((vec![1, width], maps.map(of_map).collect()))
        }
        (&[1, _, _, _], Pooling::First | Pooling::Last) => Err(Error::new(
            Code::InvalidOption,
            "pooling must be \"mean\" or \"max\": this model gives maps, which have no first or last vector",
        )),
        _ => Err(misshapen(
            model.name(),
            found,
            "[1, numbers], [1, parts, numbers] or [1, numbers, height, width]",
        )),
    }
}
