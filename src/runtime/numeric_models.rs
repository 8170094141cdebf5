//! Loading models that read sounds or tables.

use std::sync::Arc;

use super::head::{Feed, LoadedHead};
use super::models::{Models, missing};
use super::numeric::LoadedNumeric;
use super::table_model::LoadedTable;
use crate::bundle::{Bundle, Column, Features, Head, Source};
use crate::calibrate::OodScorer;
use crate::engine::{Element, Shape};
use crate::error::Result;

impl<S: Source> Models<S> {
    /// The model called `name`, which reads sounds or tables, loaded now if it was not.
    pub(super) async fn numeric(&self, bundle: &Bundle, name: &str) -> Result<Arc<LoadedNumeric>> {
        let entry = bundle.manifest().models.get(name);
        let entry = entry.ok_or_else(|| missing("model", name))?;
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
            Some(Features::Image { .. }) => self.sight(bundle, name).await.map(drop),
            _ => self.task_model(bundle, name).await.map(drop),
        }
    }

    /// The head of a model that reads tables. It is a whole model, so nothing but it is loaded.
    pub(super) async fn table_head(
        &self,
        bundle: &Bundle,
        entry: &Head,
        columns: &[Column],
    ) -> Result<LoadedHead> {
        let file = self.model_file(bundle, &entry.file).await?;
        let row = (Element::F32, Shape::Row(columns.len()));
        let ood = match &entry.ood {
            None => None,
            Some(ood) => Some((OodScorer::load(ood.method, None, row)?, ood.cut)),
        };
        Ok(LoadedHead {
            feed: Feed::Table(LoadedTable::load(&entry.file, file, columns)?),
            model: None,
            output: entry.output,
            temperature: entry.temperature,
            correctness: entry.correctness.clone(),
            addend: None,
            ood,
        })
    }
}
