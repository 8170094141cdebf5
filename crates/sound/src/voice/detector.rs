//! Samples to segments and events, by a model that the caller runs.

use std::fmt::Display;

use super::events::{VoiceEvent, VoiceEvents};
use super::frames::VoiceFrames;
use super::options::VoiceOptions;
use super::segments::{Segment, Segmenter};
use crate::{Fault, Result, Sound};

/// What a voice model remembers from window to window.
#[derive(Debug, Clone, PartialEq)]
pub struct VoiceState(
    /// The numbers of a tensor of [`VoiceState::SHAPE`].
    pub Vec<f32>,
);

impl VoiceState {
    /// The lengths of the model's input and output `state`.
    pub const SHAPE: [usize; 3] = [2, 1, 128];
}

impl Default for VoiceState {
    fn default() -> VoiceState {
        VoiceState(vec![0.0; VoiceState::SHAPE.iter().product()])
    }
}

/// Hears a sound of one channel in pieces of any length. The model is a function of a window (576 samples at 16 kHz, 288 at
/// 8 kHz) and of the state, which it replaces; it gives the probability that the window is speech.
///
/// After an error some windows may be lost: begin with a new one.
#[derive(Debug, Clone)]
pub struct VoiceDetector {
    heard: u64,
    frames: VoiceFrames,
    state: VoiceState,
    segmenter: Segmenter,
    events: VoiceEvents,
}

impl VoiceDetector {
    /// With nothing heard yet.
    ///
    /// # Errors
    /// [`Fault::Option`] with the name of what is unusable.
    pub fn new(options: &VoiceOptions) -> Result<VoiceDetector> {
        Ok(VoiceDetector {
            heard: 0,
            frames: VoiceFrames::new(options)?,
            state: VoiceState::default(),
            segmenter: Segmenter::new(options)?,
            events: VoiceEvents::new(options)?,
        })
    }

    /// Hears a piece, at the rate of the options. Gives what began and what ended.
    ///
    /// # Errors
    /// When a sample is not finite; when the model fails or what it gives is no probability.
    pub fn push<E: Display>(
        &mut self,
        samples: &[f32],
        mut model: impl FnMut(&[f32], &mut VoiceState) -> std::result::Result<f32, E>,
    ) -> Result<Vec<VoiceEvent>> {
        let mut told = Vec::new();
        self.frames.push(samples, |window| {
            let probability = ask(&mut model, window, &mut self.state)?;
            self.segmenter.push(probability);
            told.extend(self.events.push(probability));
            Ok(())
        })?;
        self.heard += samples.len() as u64;
        Ok(told)
    }

    /// Takes out the segments that nothing can change any more, so that what is kept does not grow with the sound.
    pub fn settled(&mut self) -> Vec<Segment> {
        self.segmenter.settled()
    }

    /// The segments so far that were not taken out. The last of them may be speech that still goes on.
    pub fn segments(&self) -> Vec<Segment> {
        self.segmenter.segments(self.heard)
    }

    /// The end: hears what did not fill a window, and gives all segments.
    ///
    /// # Errors
    /// As [`VoiceDetector::push`].
    pub fn finish<E: Display>(
        mut self,
        mut model: impl FnMut(&[f32], &mut VoiceState) -> std::result::Result<f32, E>,
    ) -> Result<Vec<Segment>> {
        self.frames.finish(|window| {
            let probability = ask(&mut model, window, &mut self.state)?;
            self.segmenter.push(probability);
            Ok(())
        })?;
        Ok(self.segments())
    }
}

/// Where somebody speaks in a whole sound, in samples of the rate of the options.
///
/// # Errors
/// As [`VoiceDetector::new`], [`VoiceDetector::push`] and [`Sound::mixed_at`].
pub fn voices<E: Display>(
    sound: &Sound,
    options: &VoiceOptions,
    mut model: impl FnMut(&[f32], &mut VoiceState) -> std::result::Result<f32, E>,
) -> Result<Vec<Segment>> {
    let mut detector = VoiceDetector::new(options)?;
    detector.push(&sound.mixed_at(options.rate)?, &mut model)?;
    detector.finish(model)
}

fn ask<E: Display>(
    model: &mut impl FnMut(&[f32], &mut VoiceState) -> std::result::Result<f32, E>,
    window: &[f32],
    state: &mut VoiceState,
) -> Result<f32> {
    let probability = model(window, state).map_err(|why| Fault::Model(why.to_string()))?;
    match (0.0..=1.0).contains(&probability) {
        true => Ok(probability),
        false => Err(Fault::Model(format!("{probability} is no probability"))),
    }
}
