//! The model that reads a line of text, on its way into a bundle: with its characters in a file of their own, where they outlive
//! whatever becomes of the model's file.

use std::path::Path;

use anyhow::{Context, Result};
use smallfirst::bundle::Recogniser;
use smallfirst::engine::Session;

use crate::draft::BundleDraft;
use crate::folder::{read, read_model};

/// A model that reads a line, and its characters.
pub struct Reader {
    model: Vec<u8>,
    characters: Vec<u8>,
}

/// Reads the model, and its characters from `dictionary` or else from the model's metadata.
pub fn read_recogniser(path: &Path, dictionary: Option<&Path>) -> Result<Reader> {
    let name = path.display().to_string();
    let model = read_model(path)?;
    let characters = match dictionary {
        Some(path) => read(path).with_context(|| path.display().to_string())?,
        None => {
            let session = Session::load(&name, model.clone())?;
            let said = session.metadata("character").with_context(|| {
                format!(
                    "{name} does not say which characters it reads: its metadata has no \"character\"; give a file of them, one \
                     on each line (--dictionary, or `dictionary` beside the model's `file` in config.json)"
                )
            })?;
            said.as_bytes().to_vec()
        }
    };
    Ok(Reader { model, characters })
}

impl Reader {
    /// Puts both into a bundle, in a task's folder.
    pub fn put(self, draft: &mut BundleDraft, task: &str, license: &str) -> Result<Recogniser> {
        let file = format!("{task}/recogniser.onnx");
        let dictionary = format!("{task}/dictionary.txt");
        draft.put(&file, &self.model, license)?;
        draft.put(&dictionary, &self.characters, license)?;
        Ok(Recogniser::new(file, Some(dictionary)))
    }
}
