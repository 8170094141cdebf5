//! People's names in what is about to leave the device, found by the bundle's tagger.

use super::Runtime;
use crate::bundle::Source;
use crate::error::{Code, Error, Result};
use crate::remote::Question;

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

    /// The names in a question whose texts are redacted; none where the bundle has no tagger.
    ///
    /// # Errors
    /// [`Code::EgressDenied`] when the tagger could not look: what was not looked at does not leave.
    pub(super) async fn names(&self, question: &Question<'_>) -> Result<Vec<String>> {
        if self.bundle.manifest().tagger.is_none() || !self.remote.redacts_names(question.task) {
            return Ok(Vec::new());
        }
        let unseen = |error: Error| {
            let why = format!("names could not be looked for, so nothing is sent: {error}");
            Error::new(Code::EgressDenied, why)
        };
        let mut found = Vec::new();
        for text in question.texts() {
            found.extend(self.people(&text).await.map_err(unseen)?);
        }
        // A name within another is replaced only where it stands alone.
        found.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        found.dedup();
        Ok(found)
    }
}
