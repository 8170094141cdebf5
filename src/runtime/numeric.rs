//! Whole models of tasks that read sounds or tables.

use std::sync::Arc;

use super::models::Models;
use super::sound_model::LoadedSound;
use super::table_model::LoadedTable;
use super::voice_model::LoadedVoice;
use crate::bundle::{Bundle, Features, Source, TaskModel, sound_processor};
use crate::engine::Session;
use crate::engine::tensors::{Numbers, Tensor, Type};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::kind::Values;

/// A model that reads sounds or tables.
pub(super) enum LoadedNumeric {
    Sound(LoadedSound),
    /// Of sounds, one that keeps a state from window to window.
    Voice(LoadedVoice),
    Table(LoadedTable),
}

impl LoadedNumeric {
    pub(super) fn load(entry: &TaskModel, file: Vec<u8>) -> Result<Self> {
        match &entry.features {
            Features::Sound { processor } => {
                let made = sound_processor(processor);
                let (processor, prepared) =
                    made.map_err(|why| Error::new(Code::BundleInvalid, why))?;
                let session = Session::load(&entry.file, file)?;
                match session.inputs() {
                    [_] => {
                        let probabilities = entry.output;
                        let sound = LoadedSound::new(&entry.file, session, prepared, probabilities);
                        sound.map(LoadedNumeric::Sound)
                    }
                    _ => {
                        LoadedVoice::new(&entry.file, session, &processor).map(LoadedNumeric::Voice)
                    }
                }
            }
            Features::Table { columns } => {
                LoadedTable::load(&entry.file, file, columns).map(LoadedNumeric::Table)
            }
            _ => Err(Error::new(
                Code::Internal,
                format!("{} reads neither sounds nor tables", entry.file),
            )),
        }
    }
}

impl<S: Source> Models<S> {
    /// The model called `name`, which reads sounds or tables, loaded now if it was not.
    pub(super) async fn numeric(&self, bundle: &Bundle, name: &str) -> Result<Arc<LoadedNumeric>> {
        let entry = bundle.manifest().models.get(name);
        let entry = entry.ok_or_else(|| super::models::missing("model", name))?;
        let make = async || {
            let file = self.model_file(bundle, &entry.file).await?;
            LoadedNumeric::load(entry, file)
        };
        self.numeric_models.get_or_make(name, make).await
    }

    /// Loads the model called `name`, whatever it reads.
    pub(super) async fn load_ahead(&self, bundle: &Bundle, name: &str) -> Result<()> {
        let reads = bundle.manifest().models.get(name).map(|m| &m.features);
        match reads {
            Some(Features::Sound { .. } | Features::Table { .. }) => {
                self.numeric(bundle, name).await.map(drop)
            }
            _ => self.task_model(bundle, name).await.map(drop),
        }
    }
}

/// Floats in the type that an input has.
pub(super) fn floats(shape: Vec<usize>, numbers: Vec<f32>, ty: Type) -> Tensor {
    let data = Numbers::F32(numbers.into()).narrow(ty);
    Tensor { shape, data }
}

/// The outputs of a run that are of floats. Every number is finite.
pub(super) fn values(name: &str, session: &Session, outputs: Vec<Tensor>) -> Result<Vec<Values>> {
    let named = session.outputs().iter().zip(outputs);
    named
        .filter(|(_, tensor)| tensor.ty().is_float())
        .map(|(port, tensor)| {
            let numbers = tensor.floats().map_err(|why| failed(name, &why.0))?;
            if let Some(at) = numbers.iter().position(|v| !v.is_finite()) {
                let why = format!("value {at} of {} is {}", port.name, numbers[at]);
                return Err(failed(name, &why));
            }
            Ok(Values {
                name: port.name.clone(),
                numbers: numbers.into_owned(),
                shape: tensor.shape,
            })
        })
        .collect()
}

pub(super) fn failed(name: &str, why: &str) -> Error {
    let why = excerpt(why, 300);
    Error::new(Code::ModelOutput, format!("{name}: {why}"))
}

/// That a model is not what its task needs.
pub(super) fn unfit(name: &str, why: &str) -> Error {
    let why = excerpt(why, 300);
    Error::new(Code::ModelInvalid, format!("{name} {why}"))
}
