//! Encoders: an input to one vector.

use super::features::Reader;
use crate::bundle::Limits;
use crate::engine::Model;
use crate::error::{Code, Error, Result};
use crate::task::{Input, Pooling};

/// An encoder that can be run.
pub(super) struct LoadedEncoder {
    pub(super) name: String,
    pub(super) reader: Reader,
    pub(super) model: Model,
    pub(super) dimension: usize,
    pub(super) pooling: Option<Pooling>,
}

impl LoadedEncoder {
    /// The vector of one input: `dimension` values.
    pub(super) fn run(&self, input: Input, limits: &Limits) -> Result<Vec<f32>> {
        let values = self.model.run(self.reader.tensor(input, limits)?)?;
        let Some(pooling) = self.pooling else {
            return Ok(values);
        };
        if values.is_empty() || values.len() % self.dimension != 0 {
            return Err(Error::new(
                Code::ModelOutput,
                format!(
                    "the encoder \"{}\" gave {} values, which is no whole number of vectors of {}",
                    self.name,
                    values.len(),
                    self.dimension
                ),
            ));
        }
        Ok(pool(&values, self.dimension, pooling))
    }
}

/// One vector of length 1 from the tokens' vectors, `[tokens, dimension]`.
fn pool(values: &[f32], dimension: usize, pooling: Pooling) -> Vec<f32> {
    let mut pooled = vec![0.0_f32; dimension];
    let tokens = match pooling {
        Pooling::First => 1,
        // Of the others, validation lets through no more than the mean.
        _ => values.len() / dimension,
    };
    for token in values.chunks_exact(dimension).take(tokens) {
        for (sum, value) in pooled.iter_mut().zip(token) {
            *sum += value;
        }
    }
    // The sum points where the mean does, and only the direction is kept.
    let norm = pooled.iter().map(|v| v * v).sum::<f32>().sqrt();
    let norm = norm.max(f32::MIN_POSITIVE);
    pooled.iter_mut().for_each(|v| *v /= norm);
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_vectors_become_one_of_length_one() {
        let tokens = [3.0, 0.0, 0.0, 4.0, 3.0, 4.0];
        let mean = pool(&tokens, 2, Pooling::Mean);
        assert!((mean[0] - 0.6).abs() < 1e-6 && (mean[1] - 0.8).abs() < 1e-6);
        assert_eq!(pool(&tokens, 2, Pooling::First), [1.0, 0.0]);
        assert_eq!(pool(&[0.0, 0.0], 2, Pooling::Mean), [0.0, 0.0]);
    }
}
