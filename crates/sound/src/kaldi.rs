//! Kaldi's filter banks as the audio spectrogram transformer takes them: frames of 25 ms every 10 ms, without their mean, with
//! high frequencies raised, under a Hann window, in 512 bins; the logarithms of mel filters; a fixed number of frames.

use std::f64::consts::TAU;

use crate::fault::room;
use crate::fft::Spectrum;
use crate::mel::{Mels, Scale};
use crate::{Fault, Result};

/// What the sums are at least, before their logarithm: the step of 32-bit floats at 1.
const FLOOR: f64 = f32::EPSILON as f64;

/// The lowest frequency that filters see.
const LOW: f64 = 20.0;

/// How much of the sample before is taken from each.
const EMPHASIS: f64 = 0.97;

#[derive(Debug, Clone)]
pub(crate) struct Kaldi {
    frames: usize,
    count: usize,
    hop: usize,
    mean: f32,
    share: f32,
    window: Vec<f64>,
    mels: Mels,
    spectrum: Spectrum,
}

impl Kaldi {
    /// Sizes were checked, but for whether there is a transform of the rate's frames.
    pub(crate) fn new(
        rate: u32,
        count: usize,
        frames: usize,
        normal: Option<(f32, f32)>,
    ) -> Result<Kaldi> {
        let (length, hop) = (rate as usize * 25 / 1000, rate as usize / 100);
        let bins = length.next_power_of_two();
        let spectrum = Spectrum::new(bins).ok_or(Fault::Option {
            name: "rate",
            why: "is too high or too low".into(),
        })?;
        let window =
            (0..length).map(|at| 0.5 - 0.5 * (TAU * at as f64 / (length - 1) as f64).cos());
        let high = f64::from(rate / 2);
        let (mean, deviation) = normal.unwrap_or((0.0, 0.5));
        Ok(Kaldi {
            frames,
            count,
            hop,
            mean,
            share: deviation * 2.0,
            window: window.collect(),
            mels: Mels::new(Scale::Kaldi, count, bins, rate, (LOW, high)),
            spectrum,
        })
    }

    pub(crate) fn process(&mut self, samples: &[f32]) -> Result<(Vec<f32>, Vec<usize>)> {
        let length = self.window.len();
        if samples.len() < length {
            return Err(Fault::Option {
                name: "sound",
                why: "is shorter than one frame of 25 ms".into(),
            });
        }
        let mut features: Vec<f32> = room(self.frames * self.count)?;
        let mut frame = vec![0.0; length];
        let starts = (0..=samples.len() - length).step_by(self.hop);
        for start in starts.take(self.frames) {
            let taken = &samples[start..start + length];
            let mean = taken.iter().map(|s| f64::from(*s)).sum::<f64>() / length as f64;
            // Before the first sample lies one like it.
            let mut before = f64::from(taken[0]) - mean;
            for ((value, sample), window) in frame.iter_mut().zip(taken).zip(&self.window) {
                let centred = f64::from(*sample) - mean;
                *value = (centred - EMPHASIS * before) * window;
                before = centred;
            }
            let sums = self.mels.of(self.spectrum.power(&frame));
            features.extend(sums.map(|sum| sum.max(FLOOR).ln() as f32));
        }
        features.resize(self.frames * self.count, 0.0);
        for feature in &mut features {
            *feature = (*feature - self.mean) / self.share;
        }
        Ok((features, vec![1, self.frames, self.count]))
    }
}
