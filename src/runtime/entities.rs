//! What a task finds in a text of any length, for redaction.

use super::Runtime;
use crate::bundle::Source;
use crate::error::{Code, Error, Result};
use crate::remote::Named;
use crate::task::kind::{Aggregation, KindOptions, KindOutput};

/// How many bytes of a text are read at once, where the task takes as many, and how many two such parts have in common: an
/// entity is shorter.
const PART: usize = 1024;
const SHARED: usize = 128;

/// What is refused at this length is refused at any.
const LEAST: usize = 2 * SHARED;

impl<S: Source> Runtime<S> {
    /// The entities that the first model of a task finds in a text, whatever its confidence. A text that is longer than the task
    /// takes is read in parts.
    ///
    /// # Errors
    /// Why the model could not be loaded or run.
    pub(super) async fn entities(&self, task: &str, text: &str) -> Result<Vec<Named>> {
        let mut found = Vec::new();
        let most = self.bundle.task(task)?.limits.max_bytes;
        let mut part = PART.min(usize::try_from(most).unwrap_or(PART));
        let mut from = 0;
        while from < text.len() {
            let to = boundary(text, (from + part).min(text.len()));
            let read = &text[from..to];
            match self.entities_of(task, read).await {
                Ok(entities) => found.extend(entities),
                Err(error) if error.code() == Code::InputTooLong && part > LEAST => {
                    part = (part / 2).max(LEAST);
                    continue;
                }
                Err(error) => return Err(error),
            }
            if to == text.len() {
                break;
            }
            from = boundary(text, to - SHARED.min(part / 2));
        }
        Ok(found)
    }

    async fn entities_of(&self, task: &str, text: &str) -> Result<Vec<Named>> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        // Whole words, since a part of one does not stand alone.
        let options = KindOptions {
            aggregation: Some(Aggregation::Max),
            ..KindOptions::default()
        };
        match self.of_first_model(task, text, options).await? {
            KindOutput::Tokens(output) => {
                let entities = output.entities.into_iter();
                Ok(entities
                    .map(|entity| Named::labelled(&entity.label, entity.text))
                    .collect())
            }
            _ => Err(Error::new(
                Code::Internal,
                "a task of entities gave something else",
            )),
        }
    }
}

/// The last place up to one where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}
