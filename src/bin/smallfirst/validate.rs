//! `validate`: every file as the manifest says, every model loaded.

use std::path::Path;

use anyhow::Result;
use smallfirst::bundle::{Source, Tiers};

use crate::folder::{Folder, open};

/// Checks every file and loads every model.
pub fn validate(folder: &Path) -> Result<()> {
    let runtime = open(folder)?;
    let files = &runtime.bundle().manifest().files;
    let source = Folder::new(folder);
    for (path, entry) in files {
        pollster::block_on(source.read(path, entry))?;
    }
    pollster::block_on(runtime.preload(None, Tiers::All, || async { Ok(()) }))?;
    pollster::block_on(runtime.people("Anna wrote to John."))?;
    println!(
        "{} files are as the manifest says, and every model loads",
        files.len()
    );
    Ok(())
}
