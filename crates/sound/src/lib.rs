//! Sound of the world to tensors, and a voice detector's probabilities to segments.
//!
//! [`Sound`] holds samples that were checked. [`Resampler`] brings them to a model's rate, whole or in pieces.
//! [`SoundProcessor`] makes of them what a model takes, as its `preprocessor_config.json` asks. [`VoiceDetector`] frames them
//! for silero's models, which whoever calls it runs, and makes [`Segment`]s of the probabilities. With the feature `decode`,
//! `decode` reads files.
//!
//! Everything is bounded: what is empty, not finite, at no rate or too long is a [`Fault`], and so is a processor that asks for
//! what is not known here.

mod config;
#[cfg(feature = "decode")]
mod decode;
mod fault;
mod fft;
mod kaldi;
mod kernel;
mod mel;
mod processor;
mod resample;
mod roc;
mod sound;
mod voice;
mod wav;
mod whisper;

#[cfg(feature = "decode")]
pub use decode::decode;
pub use fault::{Fault, Result};
pub use processor::{Features, Prepared, SoundProcessor};
pub use resample::{Resampler, resample};
pub use roc::{Roc, roc};
pub use sound::{MAX_CHANNELS, MAX_RATE, MAX_SECONDS, Sound};
pub use voice::{
    Segment, Segmenter, VoiceDetector, VoiceEvent, VoiceEvents, VoiceFrames, VoiceOptions,
    VoiceState, voices,
};
pub use wav::wav;

#[cfg(test)]
mod testing;
