//! Holding a file against the manifest's size and hash.

use sha2::{Digest, Sha256};

use super::FileEntry;
use crate::error::{Code, Error, Result};

/// Checks that `bytes` are the file that `entry` describes.
///
/// # Errors
/// [`Code::FileSize`] or [`Code::HashMismatch`].
pub fn verify(path: &str, entry: &FileEntry, bytes: &[u8]) -> Result<()> {
    let mut arriving = Arriving::default();
    // The length alone tells of most damage.
    if bytes.len() as u64 == entry.bytes {
        arriving.take(bytes);
    } else {
        arriving.length = bytes.len() as u64;
    }
    arriving.verify(path, entry)
}

/// A file that comes in parts, and is to be held against its entry at the end.
#[derive(Debug, Default)]
pub struct Arriving {
    length: u64,
    hash: Sha256,
}

impl Arriving {
    /// Takes in the next part.
    pub fn take(&mut self, part: &[u8]) {
        self.length += part.len() as u64;
        self.hash.update(part);
    }

    /// Checks that what came is the file that `entry` describes.
    ///
    /// # Errors
    /// [`Code::FileSize`] or [`Code::HashMismatch`].
    pub fn verify(self, path: &str, entry: &FileEntry) -> Result<()> {
        if self.length != entry.bytes {
            return Err(Error::new(
                Code::FileSize,
                format!(
                    "{path} has {} bytes, the manifest says {}; upload the bundle again",
                    self.length, entry.bytes
                ),
            ));
        }
        let found = hex(&self.hash.finalize());
        if found != entry.sha256 {
            return Err(Error::new(
                Code::HashMismatch,
                format!(
                    "{path} has SHA-256 {found}, the manifest says {}; upload the bundle again",
                    entry.sha256
                ),
            ));
        }
        Ok(())
    }
}

/// Checks a manifest against the SHA-256 (hexadecimal) the caller pinned.
pub(super) fn verify_manifest(bytes: &[u8], pinned: &str) -> Result<()> {
    let found = hex(&Sha256::digest(bytes));
    if found.eq_ignore_ascii_case(pinned) {
        return Ok(());
    }
    Err(Error::new(
        Code::HashMismatch,
        format!("manifest.json has SHA-256 {found}, `manifestSha256` pins {pinned}"),
    ))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
