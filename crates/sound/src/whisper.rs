//! Whisper's features: a log-mel spectrogram of a fixed time, over a range of 80 dB below its loudest.

use std::f64::consts::TAU;

use crate::fault::room;
use crate::fft::Spectrum;
use crate::mel::{Mels, Scale};
use crate::{Fault, Result};

/// What the sums are at least, before their logarithm.
const FLOOR: f64 = 1e-10;

/// The highest frequency that filters see, whatever the rate.
const HIGH: f64 = 8000.0;

#[derive(Debug, Clone)]
pub(crate) struct Whisper {
    /// How many samples are looked at; fewer are followed by silence, more are cut off.
    samples: usize,
    hop: usize,
    count: usize,
    window: Vec<f64>,
    mels: Mels,
    spectrum: Spectrum,
}

impl Whisper {
    /// Sizes were checked, but for whether there is a transform of `length`.
    pub(crate) fn new(
        rate: u32,
        count: usize,
        length: usize,
        hop: usize,
        samples: usize,
    ) -> Result<Whisper> {
        let spectrum = Spectrum::new(length).ok_or(Fault::Option {
            name: "fft",
            why: "is a length that cannot be transformed".into(),
        })?;
        let window = (0..length).map(|at| 0.5 - 0.5 * (TAU * at as f64 / length as f64).cos());
        Ok(Whisper {
            samples,
            hop,
            count,
            window: window.collect(),
            mels: Mels::new(Scale::Slaney, count, length, rate, (0.0, HIGH)),
            spectrum,
        })
    }

    pub(crate) fn process(&mut self, samples: &[f32]) -> Result<(Vec<f32>, Vec<usize>)> {
        // As a whole: `1 + samples / hop` frames, without the last.
        let frames = self.samples / self.hop;
        let mut features: Vec<f32> = room(self.count * frames)?;
        features.resize(self.count * frames, FLOOR.log10() as f32);
        let mut frame = vec![0.0; self.window.len()];
        let mut loudest = FLOOR.log10();
        for at in 0..frames {
            let mut silent = true;
            for (within, (sample, window)) in frame.iter_mut().zip(&self.window).enumerate() {
                let value = self.sample(samples, at * self.hop + within);
                silent &= value == 0.0;
                *sample = f64::from(value) * window;
            }
            if silent {
                continue;
            }
            for (mel, sum) in self.mels.of(self.spectrum.power(&frame)).enumerate() {
                let level = sum.max(FLOOR).log10();
                loudest = loudest.max(level);
                features[mel * frames + at] = level as f32;
            }
        }
        for feature in &mut features {
            *feature = ((f64::from(*feature).max(loudest - 8.0) + 4.0) / 4.0) as f32;
        }
        Ok((features, vec![1, self.count, frames]))
    }

    /// A sample of the padded sound, which has half a frame of its own mirror image at both ends.
    fn sample(&self, samples: &[f32], at: usize) -> f32 {
        let half = self.window.len() / 2;
        let at = at.abs_diff(half);
        let at = match at < self.samples {
            true => at,
            false => 2 * (self.samples - 1) - at,
        };
        samples.get(at).copied().unwrap_or(0.0)
    }
}
