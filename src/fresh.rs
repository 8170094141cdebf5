//! Keeps generated files that are committed equal to what generates them.

use std::path::Path;

/// Fails when the file at `path` (from the repository's root) is not `fresh`; with the environment
/// variable `UPDATE` set, writes it instead.
pub(crate) fn check(path: &str, fresh: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&full, fresh).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&full).unwrap_or_default();
    assert!(
        committed == fresh,
        "{path} is stale: run `UPDATE=1 cargo test --lib fresh`"
    );
}
