//! Where somebody speaks: frames for a voice detector, and segments of the probabilities that it gives.
//!
//! The models are silero's (version 5 and 6). Each takes a window of new samples with some of the ones before, and a state that
//! it gives back changed; whoever calls this runs them.

mod detector;
mod events;
mod frames;
mod options;
mod segments;

pub use detector::{VoiceDetector, VoiceState, voices};
pub use events::{VoiceEvent, VoiceEvents};
pub use frames::VoiceFrames;
pub use options::VoiceOptions;
pub use segments::{Segment, Segmenter};

#[cfg(test)]
mod tests;
