//! Holding a file against the manifest's size and hash.

use sha2::{Digest, Sha256};

use super::FileEntry;
use crate::error::{Code, Error, Result};

/// Checks that `bytes` are the file that `entry` describes.
///
/// # Errors
/// [`Code::FileSize`] or [`Code::HashMismatch`].
pub fn verify(path: &str, entry: &FileEntry, bytes: &[u8]) -> Result<()> {
    // The length alone tells of most damage.
    if bytes.len() as u64 != entry.bytes {
        return Err(Error::new(
            Code::FileSize,
            format!(
                "{path} has {} bytes, the manifest says {}; upload the bundle again",
                bytes.len(),
                entry.bytes
            ),
        ));
    }
    verify_hash(path, entry, &Sha256::digest(bytes))
}

/// Checks the SHA-256 that was found of a file of the right length.
///
/// # Errors
/// [`Code::HashMismatch`].
pub fn verify_hash(path: &str, entry: &FileEntry, found: &[u8]) -> Result<()> {
    let found = hex(found);
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

/// Checks a manifest's SHA-256 against the one the caller pinned.
pub(super) fn verify_manifest(found: &str, pinned: &str) -> Result<()> {
    if found.eq_ignore_ascii_case(pinned) {
        return Ok(());
    }
    Err(Error::new(
        Code::HashMismatch,
        format!("manifest.json has SHA-256 {found}, `manifestSha256` pins {pinned}"),
    ))
}

/// The SHA-256 of some bytes, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
