//! When a probability is speech, and when speech is a segment.

use serde::{Deserialize, Serialize};

use crate::{Fault, Result};

/// The longest duration that an option may ask for: a day, in milliseconds.
const MAX_MS: u32 = 86_400_000;

/// A pause must be longer than this to be where speech that lasts too long is cut, in milliseconds. As silero's Python has it.
const PAUSE_MS: u32 = 98;

/// How probabilities become segments. The names and the defaults are those of silero's Python.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VoiceOptions {
    /// The rate that the model runs at: 16,000 or 8,000.
    pub rate: u32,
    /// Speech begins at a window that is at least as probable.
    pub threshold: f64,
    /// Speech ends where windows are less probable; 0.15 below the other, and at least 0.01, if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neg_threshold: Option<f64>,
    /// What is not longer is no segment.
    pub min_speech_duration_ms: u32,
    /// A pause must be as long to end a segment.
    pub min_silence_duration_ms: u32,
    /// So much is added to both ends of a segment.
    pub speech_pad_ms: u32,
    /// Longer speech is cut: at its longest pause, or where it is too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_speech_duration_s: Option<f64>,
}

impl Default for VoiceOptions {
    fn default() -> VoiceOptions {
        VoiceOptions {
            rate: 16_000,
            threshold: 0.5,
            neg_threshold: None,
            min_speech_duration_ms: 250,
            min_silence_duration_ms: 100,
            speech_pad_ms: 30,
            max_speech_duration_s: None,
        }
    }
}

/// The same in samples.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// New samples of a window, and how many of the ones before are put in front of them.
    pub(super) window: u64,
    pub(super) context: u64,
    pub(super) threshold: f64,
    pub(super) negative: f64,
    pub(super) speech: u64,
    pub(super) silence: u64,
    pub(super) pad: u64,
    pub(super) pause: u64,
    pub(super) longest: f64,
}

impl VoiceOptions {
    pub(super) fn limits(&self) -> Result<Limits> {
        let (window, context) = match self.rate {
            16_000 => (512, 64),
            8_000 => (256, 32),
            other => return Err(option("rate", format!("is {other}, not 16000 or 8000"))),
        };
        let share = |name, value: f64| match (0.0..=1.0).contains(&value) {
            true => Ok(value),
            false => Err(option(name, "must be 0 to 1".into())),
        };
        let threshold = share("threshold", self.threshold)?;
        let negative = match self.neg_threshold {
            Some(negative) => share("negThreshold", negative)?,
            None => (threshold - 0.15).max(0.01),
        };
        if self.neg_threshold.is_some() && negative > threshold {
            return Err(option(
                "negThreshold",
                "must not be above `threshold`".into(),
            ));
        }
        let samples = |name, ms: u32| match ms {
            0..=MAX_MS => Ok(u64::from(ms) * u64::from(self.rate / 1000)),
            _ => Err(option(name, "is more than a day".into())),
        };
        let pad = samples("speechPadMs", self.speech_pad_ms)?;
        let longest = match self.max_speech_duration_s {
            None => f64::INFINITY,
            Some(seconds) => seconds * f64::from(self.rate) - (window + 2 * pad) as f64,
        };
        if longest.is_nan() || longest <= 0.0 {
            let why = "must be longer than a window and what is added to both ends";
            return Err(option("maxSpeechDurationS", why.into()));
        }
        Ok(Limits {
            window,
            context,
            threshold,
            negative,
            speech: samples("minSpeechDurationMs", self.min_speech_duration_ms)?,
            silence: samples("minSilenceDurationMs", self.min_silence_duration_ms)?,
            pad,
            pause: samples("", PAUSE_MS)?,
            longest,
        })
    }
}

fn option(name: &'static str, why: String) -> Fault {
    Fault::Option { name, why }
}
