//! Where a bundle's files come from.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::FileEntry;
use crate::error::Result;

/// Something that has a bundle's files: a folder, or a web server behind a cache.
///
/// The bytes it gives are already [verified](super::verify) against the entry, so that a source
/// with a cache can throw a damaged copy away and fetch again.
pub trait Source {
    /// The verified bytes of the file at `path`.
    fn read(&self, path: &str, entry: &FileEntry) -> impl Future<Output = Result<Vec<u8>>>;
}

/// What happens to a file of the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum ProgressStatus {
    /// Its download begins.
    Download,
    /// More of it has come.
    Progress,
    /// The copy kept in the browser is damaged; it was thrown away and is fetched again.
    Refetch,
    /// It is complete and is what the manifest says.
    Verified,
}

/// News of a file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What happens.
    pub status: ProgressStatus,
    /// The file's path in the bundle.
    pub file: String,
    /// Bytes of it that are here.
    #[cfg_attr(test, ts(type = "number"))]
    pub loaded: u64,
    /// Bytes it has, as the manifest says.
    #[cfg_attr(test, ts(type = "number"))]
    pub total: u64,
    /// True when it came from the browser's own cache, not from the network.
    pub cached: bool,
}
