//! Probabilities to what is told at once.

use serde::{Deserialize, Serialize};

use super::options::{Limits, VoiceOptions};
use crate::Result;

/// Speech begins or ends, at a sample of the detector's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "at")]
pub enum VoiceEvent {
    /// It began here, a little before the first window that is speech.
    Start(u64),
    /// It ended here, a little after its last window.
    End(u64),
}

/// Tells when speech begins, as soon as a window is speech, and when it ends, as soon as the pause is long enough. It cannot know
/// then whether the speech will be long enough for a [`super::Segment`], and it does not cut.
#[derive(Debug, Clone)]
pub struct VoiceEvents {
    limits: Limits,
    at: u64,
    speaking: bool,
    quiet: Option<u64>,
}

impl VoiceEvents {
    /// With nothing heard yet.
    ///
    /// # Errors
    /// [`crate::Fault::Option`] with the name of what is unusable.
    pub fn new(options: &VoiceOptions) -> Result<VoiceEvents> {
        Ok(VoiceEvents {
            limits: options.limits()?,
            at: 0,
            speaking: false,
            quiet: None,
        })
    }

    /// The next window's probability.
    pub fn push(&mut self, probability: f32) -> Option<VoiceEvent> {
        let probability = f64::from(probability);
        let here = self.at;
        self.at += self.limits.window;
        if probability >= self.limits.threshold {
            self.quiet = None;
            if !self.speaking {
                self.speaking = true;
                return Some(VoiceEvent::Start(here.saturating_sub(self.limits.pad)));
            }
        }
        if probability >= self.limits.negative || !self.speaking {
            return None;
        }
        let quiet = *self.quiet.get_or_insert(here);
        if here - quiet < self.limits.silence {
            return None;
        }
        (self.speaking, self.quiet) = (false, None);
        Some(VoiceEvent::End(quiet + self.limits.pad))
    }
}
