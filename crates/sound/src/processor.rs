//! What a model takes of a sound.

use serde::{Deserialize, Serialize};

use crate::fft::MAX_LENGTH;
use crate::kaldi::Kaldi;
use crate::sound::{MAX_RATE, Sound};
use crate::whisper::Whisper;
use crate::{Fault, Result};

/// The most numbers that a spectrogram may have: two minutes of 128 filters, 100 a second, many times over.
const MAX_FEATURES: usize = 1 << 24;

/// How a sound becomes what a model takes, as it stands in a bundle's manifest. The channels are mixed and brought to the rate
/// first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[non_exhaustive]
pub enum SoundProcessor {
    /// The samples themselves, `[1, samples]`: what wav2vec2, HuBERT, WavLM and silero take.
    Samples {
        /// The model's rate.
        rate: u32,
        /// Whether they are shifted and scaled to a mean of 0 and a variance of 1.
        normalise: bool,
    },
    /// Whisper's log-mel spectrogram, `[1, mels, samples / hop]`.
    Whisper {
        /// The model's rate.
        rate: u32,
        /// How many mel filters: 80, or 128 for the newest models.
        mels: usize,
        /// The samples of a frame.
        fft: usize,
        /// From one frame to the next, in samples.
        hop: usize,
        /// How long the sound is made: silence follows a shorter one, and a longer one is cut.
        seconds: u32,
    },
    /// Kaldi's filter banks, `[1, frames, mels]`: what the audio spectrogram transformer takes.
    FilterBank {
        /// The model's rate.
        rate: u32,
        /// How many mel filters.
        mels: usize,
        /// How many frames of 10 ms: zeros follow fewer, and more are cut.
        frames: usize,
        /// The mean that is taken from each number and the deviation that it is then divided by, twice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        normal: Option<(f32, f32)>,
    },
}

/// What a model takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// The numbers, the last axis running fastest.
    pub data: Vec<f32>,
    /// The lengths of the axes; the first is 1.
    pub shape: Vec<usize>,
}

/// A processor with its tables.
#[derive(Debug, Clone)]
pub struct Prepared {
    rate: u32,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Samples { normalise: bool },
    Whisper(Box<Whisper>),
    Kaldi(Box<Kaldi>),
}

impl SoundProcessor {
    /// Reads a `preprocessor_config.json` of `Wav2Vec2FeatureExtractor`, `ASTFeatureExtractor` or `WhisperFeatureExtractor`.
    ///
    /// # Errors
    /// [`Fault::Config`] with the name of what is missing, unusable or not known; as [`SoundProcessor::prepare`].
    pub fn from_config(json: &str) -> Result<SoundProcessor> {
        let processor = crate::config::read(json)?;
        processor.prepare()?;
        Ok(processor)
    }

    /// The rate that the model takes.
    pub fn rate(&self) -> u32 {
        match self {
            SoundProcessor::Samples { rate, .. }
            | SoundProcessor::Whisper { rate, .. }
            | SoundProcessor::FilterBank { rate, .. } => *rate,
        }
    }

    /// Makes the tables, once for many sounds.
    ///
    /// # Errors
    /// [`Fault::Option`] with the name of what is unusable.
    pub fn prepare(&self) -> Result<Prepared> {
        let rate = self.rate();
        // So that every rate that sounds have can be brought to it.
        within("rate", rate as usize, 4_000, MAX_RATE as usize)?;
        let way = match *self {
            SoundProcessor::Samples { normalise, .. } => Way::Samples { normalise },
            SoundProcessor::Whisper {
                mels,
                fft,
                hop,
                seconds,
                ..
            } => {
                within("mels", mels, 1, 512)?;
                within("fft", fft, 16, MAX_LENGTH)?;
                within("hop", hop, 1, fft)?;
                within("seconds", seconds as usize, 1, 3600)?;
                let samples = seconds as usize * rate as usize;
                within("seconds", samples, fft, usize::MAX)?;
                within("seconds", samples / hop * mels, 1, MAX_FEATURES)?;
                let whisper = Whisper::new(rate, mels, fft, hop, samples)?;
                Way::Whisper(Box::new(whisper))
            }
            SoundProcessor::FilterBank {
                mels,
                frames,
                normal,
                ..
            } => {
                within("mels", mels, 1, 512)?;
                within("frames", frames, 1, MAX_FEATURES / mels)?;
                if normal.is_some_and(|(mean, deviation)| {
                    !mean.is_finite() || !deviation.is_normal() || deviation < 0.0
                }) {
                    return Err(Fault::Option {
                        name: "normal",
                        why: "must be a mean and a deviation above 0".into(),
                    });
                }
                Way::Kaldi(Box::new(Kaldi::new(rate, mels, frames, normal)?))
            }
        };
        Ok(Prepared { rate, way })
    }

    /// Makes of one sound what the model takes.
    ///
    /// # Errors
    /// As [`SoundProcessor::prepare`] and [`Prepared::process`].
    pub fn process(&self, sound: &Sound) -> Result<Features> {
        self.prepare()?.process(sound)
    }
}

impl Prepared {
    /// Makes of a sound what the model takes.
    ///
    /// # Errors
    /// When the rates are too far apart, the sound is shorter than a frame, or there is not enough memory.
    pub fn process(&mut self, sound: &Sound) -> Result<Features> {
        let samples = sound.mixed_at(self.rate)?;
        let (data, shape) = match &mut self.way {
            Way::Samples { normalise } => {
                let mut data = samples.into_owned();
                if *normalise {
                    standardise(&mut data);
                }
                let shape = vec![1, data.len()];
                (data, shape)
            }
            Way::Whisper(whisper) => whisper.process(&samples)?,
            Way::Kaldi(kaldi) => kaldi.process(&samples)?,
        };
        Ok(Features { data, shape })
    }
}

/// A mean of 0 and a variance of 1, or nearly so for what is nearly constant.
fn standardise(samples: &mut [f32]) {
    let count = samples.len() as f64;
    let mean = samples.iter().map(|s| f64::from(*s)).sum::<f64>() / count;
    let squares = samples.iter().map(|s| (f64::from(*s) - mean).powi(2));
    let share = 1.0 / (squares.sum::<f64>() / count + 1e-7).sqrt();
    for sample in samples {
        *sample = ((f64::from(*sample) - mean) * share) as f32;
    }
}

fn within(name: &'static str, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Fault::Option {
        name,
        why: match most {
            usize::MAX => format!("is {value}, below {least}"),
            _ => format!("is {value}, not {least} to {most}"),
        },
    })
}

#[cfg(test)]
mod tests;
