//! `pack`: a bundle as it is shipped.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use smallfirst::bundle::verify;

use crate::evaluate::is_current;
use smallfirst::task::TaskKind;

use crate::folder::open;

#[derive(Args)]
pub struct PackArgs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// Copy what is shipped to this folder, or to an archive if it ends in .tar.gz; without it the
    /// bundle is checked only
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Checks that a bundle is fit to be shipped, prints its sizes, and copies it.
pub fn pack(args: &PackArgs) -> Result<()> {
    let runtime = open(&args.bundle)?;
    let manifest = runtime.bundle().manifest();
    let mut faults = Vec::new();
    let mut total = 0;
    for (path, entry) in &manifest.files {
        let bytes = fs::read(args.bundle.join(path)).with_context(|| path.clone())?;
        verify(path, entry, &bytes)?;
        if entry.license == "LicenseRef-unstated" {
            faults.push(format!(
                "{path}: the licence is not stated; train or import with --license"
            ));
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        std::io::Write::write_all(&mut gzip, &bytes)?;
        println!(
            "{:>12} bytes, {:>12} gzipped, {:<14} {path}",
            entry.bytes,
            gzip.finish()?.len(),
            entry.license
        );
        total += entry.bytes;
    }
    println!("{total:>12} bytes in {} files", manifest.files.len());
    for (id, task) in &manifest.tasks {
        // What writes text has no model here to be described and measured.
        if task.kind == TaskKind::Generate {
            continue;
        }
        if task.card.is_none() {
            faults.push(format!("task \"{id}\" has no model card"));
        }
        match &task.evaluation {
            None => faults.push(format!(
                "task \"{id}\" was not evaluated; run: smallfirst evaluate {} --task {id} --data <rows nothing has seen> --write",
                args.bundle.display()
            )),
            Some(path) => {
                let evaluation = fs::read(args.bundle.join(path))?;
                if !is_current(runtime.bundle(), id, &evaluation)? {
                    faults.push(format!("task \"{id}\" was changed after it was evaluated; evaluate it again"));
                }
            }
        }
    }
    pollster::block_on(runtime.prepare(None, || async { Ok(()) }))?;
    if !faults.is_empty() {
        bail!(
            "the bundle is not fit to be shipped:\n  {}",
            faults.join("\n  ")
        );
    }
    let mut paths: Vec<String> = vec!["manifest.json".into()];
    paths.extend(manifest.files.keys().cloned());
    paths.extend(texts(&args.bundle, manifest.files.keys()));
    match &args.out {
        None => println!("fit to be shipped"),
        Some(out) if out.to_string_lossy().ends_with(".tar.gz") => {
            archive(&args.bundle, &paths, out)?
        }
        Some(out) => {
            for path in &paths {
                let to = out.join(path);
                fs::create_dir_all(to.parent().unwrap_or(out))?;
                fs::copy(args.bundle.join(path), &to).with_context(|| to.display().to_string())?;
            }
            println!("packed to {}", out.display());
        }
    }
    Ok(())
}

/// Licence texts and notices beside the shipped files.
fn texts<'a>(bundle: &Path, files: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut found: Vec<String> = files
        .flat_map(|path| {
            ["LICENSE", "NOTICE"].map(|text| {
                Path::new(path)
                    .with_file_name(text)
                    .to_string_lossy()
                    .into_owned()
            })
        })
        .filter(|path| bundle.join(path).is_file())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn archive(bundle: &Path, paths: &[String], out: &Path) -> Result<()> {
    let gzip = GzEncoder::new(fs::File::create(out)?, Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for path in paths {
        tar.append_path_with_name(bundle.join(path), path)?;
    }
    tar.into_inner()?.finish()?;
    println!("packed to {}", out.display());
    Ok(())
}
