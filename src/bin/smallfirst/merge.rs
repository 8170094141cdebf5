//! `merge`: the tasks of other bundles, in one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::draft::BundleDraft;
use crate::folder::open;

#[derive(Args)]
pub struct MergeArgs {
    /// The bundles whose tasks are added
    #[arg(required = true)]
    from: Vec<PathBuf>,
    /// The bundle that they are added to; made if it does not exist
    #[arg(long)]
    out: PathBuf,
}

/// Adds all tasks of other bundles to one. What they name is copied as it is, so certificates and evaluations hold on.
pub fn merge(args: &MergeArgs) -> Result<()> {
    let mut draft = BundleDraft::open_or_new(&args.out)?;
    for from in &args.from {
        let runtime = open(from)?;
        let other = runtime.bundle().manifest();
        let of = from.display().to_string();
        for (path, entry) in &other.files {
            match draft.manifest.files.get(path) {
                // Both may have come from one bundle.
                Some(own) if own.sha256 == entry.sha256 => {}
                Some(_) => bail!(
                    "{of} has a file {path} that is not the one of {}: import its task under another name",
                    args.out.display()
                ),
                None => draft.copy(from, path, entry)?,
            }
        }
        let own = &mut draft.manifest;
        add("tokenizer", &of, &mut own.tokenizers, &other.tokenizers)?;
        add("encoder", &of, &mut own.encoders, &other.encoders)?;
        add("head", &of, &mut own.heads, &other.heads)?;
        add("model", &of, &mut own.models, &other.models)?;
        add("task", &of, &mut own.tasks, &other.tasks)?;
        match (&own.tagger, &other.tagger) {
            (Some(own), Some(other)) if own != other => {
                bail!("{of} has another tagger for names; a bundle has one")
            }
            (None, Some(_)) => own.tagger.clone_from(&other.tagger),
            _ => {}
        }
        // Each is looked at by itself, so that an error is of the bundle that brought it in.
        draft.save()?;
        let tasks: Vec<&str> = other.tasks.keys().map(String::as_str).collect();
        println!("{}: {} from {of}", args.out.display(), tasks.join(", "));
    }
    Ok(())
}

/// Adds what another bundle has under its names; the same twice is once.
fn add<T: Clone + PartialEq>(
    what: &str,
    of: &str,
    own: &mut BTreeMap<String, T>,
    other: &BTreeMap<String, T>,
) -> Result<()> {
    for (name, entry) in other {
        match own.get(name) {
            Some(known) if known != entry => {
                bail!("{of} has another {what} \"{name}\": import it under another name")
            }
            Some(_) => {}
            None => {
                own.insert(name.clone(), entry.clone());
            }
        }
    }
    Ok(())
}
