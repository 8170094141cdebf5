//! What is shipped: one manifest, and the files it names with their hashes.
//!
//! A bundle is a folder with a `manifest.json` (format version 1, JSON Schema in
//! `src/bundle/manifest.schema.json`). The manifest is small and read at once; everything else is
//! fetched when a task first needs it and is held against the manifest's size and SHA-256.

mod manifest;
mod source;
mod validate;
mod verify;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use manifest::{
    Calibration, Encoder, Features, FileEntry, Head, LanguageLimit, Limits, Manifest, ModelOutput,
    TaskEntry, Tokenizer, TokenizerKind,
};
pub use source::{Progress, ProgressStatus, Source};
pub use verify::verify;

use crate::error::{Code, Error, Result};
use crate::task::{InputKind, Label, TaskKind};

/// The format version this build reads.
pub const FORMAT_VERSION: u32 = 1;

/// The most bytes a manifest may have.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// A validated manifest.
#[derive(Debug, Clone)]
pub struct Bundle {
    manifest: Manifest,
}

/// What a bundle can do for one task, for callers and for display.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TaskInfo {
    /// The task's identifier.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Its kind.
    pub kind: TaskKind,
    /// What it reads.
    pub input: InputKind,
    /// What it does, in one sentence; also what the remote is told.
    pub instruction: String,
    /// The labels it can give.
    pub labels: Vec<Label>,
    /// What it accepts.
    pub limits: Limits,
    /// The local models, cheapest first.
    pub tiers: Vec<TierInfo>,
    /// The path of its model card inside the bundle.
    pub card: Option<String>,
}

/// One local model of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TierInfo {
    /// The head's name.
    pub name: String,
    /// The confidence from which its answers are trusted; `null` when none was certified.
    pub threshold: Option<f64>,
    /// The error rate among trusted answers that the threshold was chosen for.
    pub risk: Option<f64>,
    /// Bytes of all files it needs, shared ones included.
    #[cfg_attr(test, ts(type = "number"))]
    pub bytes: u64,
    /// Whether it is in memory now.
    pub loaded: bool,
}

impl Bundle {
    /// Reads and validates a `manifest.json`.
    ///
    /// # Errors
    /// [`Code::NotABundle`] when it is no smallfirst manifest, [`Code::BundleVersion`] when it is of
    /// another format version, [`Code::BundleInvalid`] when it breaks a rule of the format.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let manifest = manifest::parse(json)?;
        validate::validate(&manifest)?;
        Ok(Bundle { manifest })
    }

    /// As [`Bundle::parse`], after holding the bytes against the SHA-256 (hexadecimal) that the
    /// caller pinned, if one is.
    ///
    /// # Errors
    /// As [`Bundle::parse`], and [`Code::HashMismatch`].
    pub fn parse_pinned(json: &[u8], sha256: Option<&str>) -> Result<Self> {
        if let Some(sha256) = sha256 {
            verify::verify_manifest(json, sha256)?;
        }
        Bundle::parse(json)
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The task called `id`.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], with the tasks there are.
    pub fn task(&self, id: &str) -> Result<&TaskEntry> {
        self.manifest.tasks.get(id).ok_or_else(|| {
            let known: Vec<&str> = self.manifest.tasks.keys().map(String::as_str).collect();
            Error::new(
                Code::UnknownTask,
                format!(
                    "the bundle \"{}\" has no task \"{}\"; it has: {}",
                    self.manifest.name,
                    crate::error::excerpt(id, 60),
                    known.join(", ")
                ),
            )
        })
    }

    /// The paths of every file the head `name` needs, its own first.
    pub fn files_of_head(&self, name: &str) -> BTreeSet<&str> {
        let mut files = BTreeSet::new();
        let Some(head) = self.manifest.heads.get(name) else {
            return files;
        };
        files.insert(head.file.as_str());
        let encoder = head
            .encoder
            .as_ref()
            .and_then(|e| self.manifest.encoders.get(e));
        if let Some(encoder) = encoder {
            files.insert(encoder.file.as_str());
        }
        for features in head.features.iter().chain(encoder.map(|e| &e.features)) {
            match features {
                Features::Tokens { tokenizer } => {
                    if let Some(tokenizer) = self.manifest.tokenizers.get(tokenizer) {
                        files.insert(tokenizer.file.as_str());
                    }
                }
                Features::Ngrams { file } => {
                    files.insert(file.as_str());
                }
                Features::ByteWindows { .. } => {}
            }
        }
        files
    }

    /// What the bundle can do. `loaded` tells which heads are in memory.
    pub fn tasks(&self, loaded: impl Fn(&str) -> bool) -> Vec<TaskInfo> {
        self.manifest
            .tasks
            .iter()
            .map(|(id, task)| TaskInfo {
                id: id.clone(),
                title: task.title.clone(),
                kind: task.kind,
                input: task.input,
                instruction: task.instruction.clone(),
                labels: task.labels.clone(),
                limits: task.limits.clone(),
                tiers: task
                    .tiers
                    .iter()
                    .map(|name| {
                        let head = self.manifest.heads.get(name);
                        TierInfo {
                            name: name.clone(),
                            threshold: head.and_then(|h| h.threshold),
                            risk: head.and_then(|h| h.risk),
                            bytes: self
                                .files_of_head(name)
                                .iter()
                                .filter_map(|path| self.manifest.files.get(*path))
                                .map(|entry| entry.bytes)
                                .sum(),
                            loaded: loaded(name),
                        }
                    })
                    .collect(),
                card: task.card.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
