//! People's names in what is about to leave the device, found by the bundle's tagger, and what else is somebody's, found by a
//! task of it.

use super::Runtime;
use crate::bundle::Source;
use crate::error::Result;
#[cfg(not(feature = "onnx"))]
use crate::error::{Code, Error};
use crate::remote::{Named, People};

impl<S: Source> Runtime<S> {
    /// The names of people that the bundle's tagger finds in a text, in its order; none without a tagger.
    ///
    /// # Errors
    /// Why the tagger could not be loaded or run.
    pub async fn people(&self, text: &str) -> Result<Vec<String>> {
        match &self.bundle.manifest().tagger {
            None => Ok(Vec::new()),
            Some(entry) => self.models.tagger(&self.bundle, entry).await?.names(text),
        }
    }
}

impl<S: Source> People for Runtime<S> {
    /// The names in texts that are redacted, and the entities that a task finds in them; no names where the bundle has no tagger.
    async fn names(&self, texts: &[String], task: Option<&str>) -> Result<Vec<Named>> {
        let mut found = Vec::new();
        for text in texts {
            found.extend(self.people(text).await?.into_iter().map(Named::person));
            if let Some(task) = task {
                found.extend(self.entities(task, text).await?);
            }
        }
        // A name within another is replaced only where it stands alone.
        found.sort_by(Named::longest_first);
        found.dedup();
        Ok(found)
    }
}

#[cfg(not(feature = "onnx"))]
impl<S: Source> Runtime<S> {
    /// This build has no such models.
    async fn entities(&self, task: &str, _: &str) -> Result<Vec<Named>> {
        let why = format!("the task \"{task}\" needs the module for ONNX files");
        Err(Error::new(Code::NeedsOnnx, why))
    }
}
