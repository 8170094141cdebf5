//! Samples in pieces of any length to a voice model's windows.

use super::options::VoiceOptions;
use crate::sound::check_samples;
use crate::{Fault, Result};

/// Cuts samples into windows: 64 samples of context and 512 new ones at 16 kHz, 32 and 256 at 8 kHz. Before the first sample
/// there is silence, and after the last one as well, if its window is not full.
#[derive(Debug, Clone)]
pub struct VoiceFrames {
    window: usize,
    context: usize,
    /// The context and what is not yet in a window.
    waiting: Vec<f32>,
}

impl VoiceFrames {
    /// For the rate of the options.
    ///
    /// # Errors
    /// [`Fault::Option`] with the name of what is unusable.
    pub fn new(options: &VoiceOptions) -> Result<VoiceFrames> {
        let limits = options.limits()?;
        let (window, context) = (limits.window as usize, limits.context as usize);
        Ok(VoiceFrames {
            window,
            context,
            waiting: vec![0.0; context],
        })
    }

    /// Takes a piece, and gives each window that is full to `with`.
    ///
    /// # Errors
    /// When a sample is not finite, and nothing was taken; what `with` fails with, its window having been taken.
    pub fn push(
        &mut self,
        samples: &[f32],
        mut with: impl FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        check_samples(samples)?;
        self.waiting
            .try_reserve(samples.len())
            .map_err(|_| Fault::Memory)?;
        self.waiting.extend_from_slice(samples);
        let (mut at, mut outcome) = (0, Ok(()));
        while outcome.is_ok() && at + self.context + self.window <= self.waiting.len() {
            outcome = with(&self.waiting[at..at + self.context + self.window]);
            at += self.window;
        }
        self.waiting.drain(..at);
        outcome
    }

    /// The end: gives the window that is not full, if there is one.
    ///
    /// # Errors
    /// What `with` fails with.
    pub fn finish(&mut self, with: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let waiting = self.waiting.len() - self.context;
        let silence = match waiting {
            0 => Vec::new(),
            _ => vec![0.0; self.window - waiting],
        };
        self.push(&silence, with)?;
        self.waiting.clear();
        self.waiting.resize(self.context, 0.0);
        Ok(())
    }
}
