//! Models of tasks that read images.

use std::sync::Arc;

use futures_util::future::try_join3;

use super::{Models, missing};
use crate::bundle::{Bundle, Source};
use crate::error::Result;
use crate::runtime::sight::{LoadedSight, Second};

impl<S: Source> Models<S> {
    /// The model of images called `name`, and the second one where it has one, loaded now if it was not.
    pub(in crate::runtime) async fn sight(
        &self,
        bundle: &Bundle,
        name: &str,
    ) -> Result<Arc<LoadedSight>> {
        let entry = bundle.manifest().models.get(name);
        let entry = entry.ok_or_else(|| missing("model", name))?;
        let make = async || {
            let recogniser = entry.ocr.as_ref().map(|ocr| &ocr.recogniser);
            let second = async {
                match recogniser {
                    None => Ok(None),
                    Some(recogniser) => self.model_file(bundle, &recogniser.file).await.map(Some),
                }
            };
            let dictionary = async {
                match recogniser.and_then(|recogniser| recogniser.dictionary.as_ref()) {
                    None => Ok(None),
                    Some(path) => self.file(bundle, path).await.map(Some),
                }
            };
            let file = self.model_file(bundle, &entry.file);
            let (file, second, dictionary) = try_join3(file, second, dictionary).await?;
            let second = second.map(|file| Second { file, dictionary });
            LoadedSight::load(entry, file, second)
        };
        self.sights.get_or_make(name, make).await
    }
}
