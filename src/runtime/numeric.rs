//! Whole models of tasks that read sounds or tables.

use super::sound_model::LoadedSound;
use super::table_model::LoadedTable;
use super::voice_model::LoadedVoice;
use crate::bundle::{Features, TaskModel, sound_processor};
use crate::engine::Session;
use crate::error::{Code, Error, Result};

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
