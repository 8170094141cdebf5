//! A sound that goes on, heard by a task's model.

use std::sync::Arc;

use super::Runtime;
use super::numbers::unfit;
use super::numeric::LoadedNumeric;
use super::voice_model::LoadedVoice;
use crate::bundle::Source;
use crate::error::{Code, Error, Result};
use crate::task::TaskKind;
use crate::task::kind::{KindOptions, SpeechEvent, VoiceStream};

/// A sound that goes on.
pub struct Listening {
    model: Arc<LoadedNumeric>,
    stream: VoiceStream,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl Listening {
    /// Hears a piece of any length, and tells what began, what ended, and which segments are settled.
    ///
    /// # Errors
    /// [`Code::InputKind`] when a sample is not finite: nothing of the piece was heard then, and the sound may go on.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<SpeechEvent>> {
        let mut model = voice(&self.model)?.asked();
        self.stream.push(samples, &mut model)
    }

    /// The end of the sound: what is still to be told.
    ///
    /// # Errors
    /// How the model fails.
    pub fn finish(self) -> Result<Vec<SpeechEvent>> {
        let mut model = voice(&self.model)?.asked();
        Ok(self.stream.finish(&mut model)?.0)
    }
}

impl<S: Source> Runtime<S> {
    /// Begins to listen to a sound of this rate, for a task that tells where somebody speaks. Its first model hears it.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when the task is of another kind, or an option is not for it; why the model could not be loaded.
    pub async fn listen(&self, task: &str, rate: u32, options: &KindOptions) -> Result<Listening> {
        let entry = self.bundle.task(task)?;
        let (TaskKind::VoiceActivityDetection, Some(tier)) = (entry.kind, entry.tiers.first())
        else {
            return Err(Error::new(
                Code::InvalidOption,
                format!(
                    "the task \"{task}\" is of the kind {}, which does not listen to a sound that goes on; call run",
                    entry.kind.as_str()
                ),
            ));
        };
        let model = self.models.numeric(&self.bundle, tier).await?;
        let stream = VoiceStream::new(rate, options, &voice(&model)?.asked())?;
        Ok(Listening { model, stream })
    }
}

fn voice(model: &LoadedNumeric) -> Result<&LoadedVoice> {
    match model {
        LoadedNumeric::Voice(voice) => Ok(voice),
        _ => Err(unfit(
            "the model",
            "keeps no state from window to window, and a voice detector does",
        )),
    }
}
