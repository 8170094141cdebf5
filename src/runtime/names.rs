//! People's names in what is about to leave the device, found by the bundle's tagger.

use super::Runtime;
use crate::bundle::Source;
use crate::error::Result;
use crate::remote::People;

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
    /// The names in texts that are redacted; none where the bundle has no tagger.
    async fn names(&self, texts: &[String]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for text in texts {
            found.extend(self.people(text).await?);
        }
        // A name within another is replaced only where it stands alone.
        found.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        found.dedup();
        Ok(found)
    }
}
