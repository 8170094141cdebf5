//! Models of whole sounds: a sound's features in, numbers out.

use std::sync::{Mutex, PoisonError};

use smallfirst_sound::{Prepared, Sound};

use super::numbers::{floats, unfit, values};
use crate::bundle::ModelOutput;
use crate::engine::Session;
use crate::engine::tensors::Type;
use crate::error::{Code, Error, Result};
use crate::task::Input;
use crate::task::kind::{Runs, Values};
use crate::task::sound::of_sound;

/// A model of sounds that can be run.
pub(super) struct LoadedSound {
    name: String,
    session: Mutex<Session>,
    reader: SoundReader,
    ty: Type,
    output: ModelOutput,
}

/// What makes a tensor of a sound.
pub(super) struct SoundReader(Mutex<Prepared>);

impl SoundReader {
    pub(super) fn new(prepared: Prepared) -> Self {
        SoundReader(Mutex::new(prepared))
    }

    /// The lengths of the tensor, and its numbers.
    pub(super) fn tensor(&self, samples: &[f32], rate: u32) -> Result<(Vec<usize>, Vec<f32>)> {
        let sound = Sound::mono(rate, samples.to_vec()).map_err(|why| of_sound(&why))?;
        let mut prepared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let features = prepared.process(&sound).map_err(|why| match why {
            // Not the sound, but what is left of it.
            smallfirst_sound::Fault::Empty => Error::new(
                Code::InputTooShort,
                "the sound is shorter than the model's frame",
            ),
            why => of_sound(&why),
        })?;
        Ok((features.shape, features.data))
    }
}

impl LoadedSound {
    pub(super) fn new(
        name: &str,
        session: Session,
        prepared: Prepared,
        output: ModelOutput,
    ) -> Result<Self> {
        let [port] = session.inputs() else {
            return Err(unfit(name, "must have one input to be a model of sounds"));
        };
        let ty = port.ty.unwrap_or(Type::F32);
        if !ty.is_float() {
            return Err(unfit(
                name,
                &format!("takes {}, and sounds are floats", ty.name()),
            ));
        }
        Ok(LoadedSound {
            name: name.to_owned(),
            reader: SoundReader::new(prepared),
            session: Mutex::new(session),
            ty,
            output,
        })
    }

    /// It, as a kind of task asks it.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked(self)
    }
}

/// A loaded model, as a kind of task asks it.
pub(super) struct Asked<'m>(&'m LoadedSound);

impl Runs for Asked<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn run(&mut self, input: Input<'_>) -> Result<Vec<Values>> {
        let model = self.0;
        let Input::Sound { samples, rate } = input else {
            let given = input.kind().as_str();
            let why = format!("{} does not read {given}", model.name);
            return Err(Error::new(Code::InputKind, why));
        };
        let (shape, numbers) = model.reader.tensor(samples, rate)?;
        let mut session = model.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(vec![Some(floats(shape, numbers, model.ty))])?;
        values(&model.name, &session, outputs)
    }

    fn gives_probabilities(&self) -> bool {
        self.0.output == ModelOutput::Probabilities
    }
}
