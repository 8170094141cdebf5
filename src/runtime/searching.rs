//! Search by meaning: the vectors of texts and queries, made by a task of the bundle.

use sha2::{Digest, Sha256};

use super::Runtime;
use super::kinds::first_model;
use crate::bundle::Source;
use crate::error::{Code, Error, Result, excerpt};
use crate::host::Storage;
use crate::search::{Maker, SearchHit, SearchIndices, SearchRow};
use crate::task::kind::{KindOptions, KindOutput, Vectors};
use crate::task::{InputKind, TaskKind};

/// The most texts that one search gives.
const MOST_HITS: usize = 1000;

impl<S: Source> Runtime<S> {
    /// Puts texts into the index `name`, each with its vector by the task; those with the same identifiers are replaced. Gives how
    /// many texts the index has then.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] for what cannot be put, [`Code::InputTooLong`] with the identifier of a text that the task does not
    /// take, or why the model could not be run. Nothing is put then.
    pub async fn index_put(
        &self,
        name: &str,
        task: &str,
        rows: Vec<SearchRow>,
        storage: &impl Storage,
    ) -> Result<usize> {
        let maker = self.maker(name, task)?;
        let mut made = Vec::with_capacity(rows.len());
        for row in rows {
            let vector = self.vector(task, &row.text).await.map_err(|error| {
                let why = format!("\"{}\": {error}", excerpt(&row.id, 60));
                Error::new(error.code(), why)
            })?;
            made.push((row, vector));
        }
        self.indices.put(name, &maker, made, storage).await
    }

    /// Takes texts out of an index. Gives how many are left.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub async fn index_remove(
        &self,
        name: &str,
        task: &str,
        ids: &[String],
        storage: &impl Storage,
    ) -> Result<usize> {
        let maker = self.maker(name, task)?;
        self.indices.remove(name, &maker, ids, storage).await
    }

    /// The texts of an index that are nearest to a query, the nearest first.
    ///
    /// # Errors
    /// [`Code::InvalidOption`], or why the model could not be run.
    pub async fn index_search(
        &self,
        name: &str,
        task: &str,
        query: &str,
        limit: usize,
        storage: &impl Storage,
    ) -> Result<Vec<SearchHit>> {
        if !(1..=MOST_HITS).contains(&limit) {
            let why = format!("limit must be a whole number from 1 to {MOST_HITS}, not {limit}");
            return Err(Error::new(Code::InvalidOption, why));
        }
        let maker = self.maker(name, task)?;
        let vector = self.vector(task, query).await?;
        self.indices
            .search(name, &maker, &vector, limit, storage)
            .await
    }

    /// How many texts an index has.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub async fn index_count(
        &self,
        name: &str,
        task: &str,
        storage: &impl Storage,
    ) -> Result<usize> {
        let maker = self.maker(name, task)?;
        self.indices.count(name, &maker, storage).await
    }

    /// Forgets an index.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub async fn index_clear(&self, name: &str, storage: &impl Storage) -> Result<()> {
        SearchIndices::check_name(name)?;
        self.indices.clear(name, storage).await;
        Ok(())
    }

    /// What makes an index's vectors: the files of the task's first model, and how vectors are made of its outputs.
    fn maker(&self, name: &str, task: &str) -> Result<Maker> {
        SearchIndices::check_name(name)?;
        let entry = self.bundle.task(task)?;
        if entry.kind != TaskKind::FeatureExtraction || entry.input != InputKind::Text {
            let why = format!(
                "the task \"{}\" makes no vectors of texts (feature-extraction), which an index needs",
                excerpt(task, 60)
            );
            return Err(Error::new(Code::InvalidOption, why));
        }
        let manifest = self.bundle.manifest();
        let model = first_model(entry)?;
        let mut hash = Sha256::new();
        let described = manifest.models.get(model);
        // Where files lie changes no vector.
        let described = described.map(|model| (&model.pooling, model.normalize, model.max_tokens));
        hash.update(format!("{described:?}"));
        for file in self.bundle.files_of_head(model) {
            hash.update(manifest.files.get(file).map_or("", |file| &file.sha256));
        }
        let digest = hash.finalize();
        Ok(Maker {
            task: task.to_owned(),
            model: digest.iter().map(|b| format!("{b:02x}")).collect(),
        })
    }

    /// The vector of a text by the first model of a task.
    async fn vector(&self, task: &str, text: &str) -> Result<Vec<f32>> {
        let made = self.of_first_model(task, text, KindOptions::default());
        match made.await? {
            KindOutput::Vectors(output) if output.dims.len() == 2 => match output.data {
                Vectors::F32(numbers) => Ok(numbers),
                _ => Err(unpooled(task)),
            },
            _ => Err(unpooled(task)),
        }
    }
}

fn unpooled(task: &str) -> Error {
    let why = format!(
        "the task \"{}\" makes a vector of each token; an index needs one that pools them",
        excerpt(task, 60)
    );
    Error::new(Code::InvalidOption, why)
}

#[cfg(test)]
mod tests;
