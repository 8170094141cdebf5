//! `types`: a bundle's tasks as TypeScript types.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use smallfirst::bundle::typescript;

use crate::folder::open;

#[derive(Args)]
pub struct TypesArgs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// Where the types go, for example src/tasks.ts; standard output when absent
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Writes the types.
pub fn types(args: &TypesArgs) -> Result<()> {
    let runtime = open(&args.bundle)?;
    let types = typescript(runtime.bundle());
    match &args.out {
        None => print!("{types}"),
        Some(path) => {
            fs::write(path, types)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            println!(
                "wrote {}; use it as createSmallFirst<Tasks>(…)",
                path.display()
            );
        }
    }
    Ok(())
}
