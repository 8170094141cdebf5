//! `pack`: a bundle as it is shipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use smallfirst::bundle::{Bundle, Features, FileEntry, Manifest, SmallWeights, Tiers, verify};
use smallfirst::engine::onnx::{self as model, PreparedFile};
use smallfirst::engine::{Element, Model, Shape};
use smallfirst::task::TaskKind;
use smallfirst::task::kind::losses;
use smallfirst::text::{NgramTable, NgramVocabulary, TextTokenizer};

use crate::draft::written;
use crate::fingerprint::{hex, is_current, with_extension};
use crate::folder::{open, read_model, write_in};
use crate::onnxruntime::OnnxruntimeArgs;
use crate::prepare::{small_weights, told};

#[derive(Args)]
pub struct PackArgs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// Copy what is shipped to this folder, or to an archive if it ends in .tar.gz; without it the
    /// bundle is checked only
    #[arg(long)]
    out: Option<PathBuf>,
    /// Also copy what was prepared, ONNX files and tokenizers, to this folder
    #[arg(long)]
    onnx: Option<PathBuf>,
    /// Ship ONNX files as they are; a page then needs the larger engine
    #[arg(long, conflicts_with = "onnx")]
    unprepared: bool,
    /// Prepare the models with smaller weights: f16, int8 or q4. Answers change, so the bundle that is written has no
    /// thresholds and no evaluations: calibrate and evaluate it, then pack it
    #[arg(long, value_parser = small_weights, requires = "out", conflicts_with = "unprepared")]
    weights: Option<SmallWeights>,
    #[command(flatten)]
    onnxruntime: OnnxruntimeArgs,
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
        // What writes text has no model here to be described and measured, and no answer of a kind without a loss is right or
        // wrong. With other weights than these it would be measured again.
        let measured = task.kind == TaskKind::Classify || !losses(task.kind).is_empty();
        if !measured || args.weights.is_some() {
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
    pollster::block_on(runtime.preload(None, Tiers::All, || async { Ok(()) }))?;
    if !faults.is_empty() {
        bail!(
            "the bundle is not fit to be shipped:\n  {}",
            faults.join("\n  ")
        );
    }
    let Some(out) = &args.out else {
        println!("fit to be shipped");
        return Ok(());
    };
    let texts = texts(&args.bundle, manifest.files.keys());
    let shipped = if args.unprepared {
        Shipped::as_is(&args.bundle, manifest)?
    } else {
        prepared(args, runtime.bundle())?
    };
    let mut files = shipped.files;
    files.insert("manifest.json".into(), shipped.manifest);
    for path in texts {
        let bytes = fs::read(args.bundle.join(&path))?;
        files.insert(path, bytes);
    }
    if out.to_string_lossy().ends_with(".tar.gz") {
        return archive(&files, out);
    }
    for (path, bytes) in &files {
        write_in(out, path, bytes)?;
    }
    println!("packed to {}", out.display());
    Ok(())
}

/// What goes out.
struct Shipped {
    manifest: Vec<u8>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Shipped {
    fn as_is(folder: &Path, manifest: &Manifest) -> Result<Self> {
        let read = |path: &String| Ok((path.clone(), fs::read(folder.join(path))?));
        Ok(Shipped {
            manifest: fs::read(folder.join("manifest.json"))?,
            files: manifest.files.keys().map(read).collect::<Result<_>>()?,
        })
    }
}

/// The bundle with its ONNX files and tokenizers prepared. What has no prepared form stays as it is.
fn prepared(args: &PackArgs, bundle: &Bundle) -> Result<Shipped> {
    let (folder, onnx) = (&args.bundle, args.onnx.as_deref());
    let mut manifest = bundle.manifest().clone();
    let mut shipped = Shipped::as_is(folder, &manifest)?;
    let mut any = false;
    let mut files: Vec<(String, PreparedFile)> = Vec::new();
    for (path, row) in models(folder, bundle)? {
        if !path.ends_with(".onnx") {
            if args.weights.is_some() {
                println!("{path} keeps its weights: it is prepared already");
            }
            continue;
        }
        let whole = read_model(&folder.join(&path))?;
        match model::prepare(&path, &whole, Some(row), args.weights)? {
            Ok(file) => files.push((path, file)),
            Err(why) => {
                println!("{path} stays ONNX, which needs the larger engine: {why}");
            }
        }
    }
    let asked = files.iter().map(|(path, file)| (folder.join(path), file));
    args.onnxruntime.ask(&asked.collect::<Vec<_>>())?;
    for (path, file) in files {
        let bytes = shipped.files.get(&path).context("a model is not listed")?;
        if let Some(onnx) = onnx {
            write_in(onnx, &path, &read_model(&folder.join(&path))?)?;
        }
        any = true;
        // The weights that were beside it are in the prepared file.
        for weights in Model::beside(&path, bytes)? {
            let at = Path::new(&path).with_file_name(weights);
            let at = at.to_string_lossy().replace('\\', "/");
            manifest.files.remove(&at);
            shipped.files.remove(&at);
        }
        let to = with_extension(&path, "sfm");
        println!("{:>12} bytes prepared as {to}", file.bytes.len());
        let entry = manifest.files.remove(&path);
        let mut entry = made_from(entry.context("a model is not listed")?, &file.bytes);
        if args.weights.is_some() {
            println!("  smaller weights: {}", told(&file));
            entry.weights = args.weights.filter(|_| file.is_smaller());
        }
        manifest.files.insert(to.clone(), entry);
        shipped.files.remove(&path);
        shipped.files.insert(to.clone(), file.bytes);
        rename(&mut manifest, &path, &to);
    }
    let tokenizers: Vec<String> = manifest
        .tokenizers
        .values()
        .map(|t| t.file.clone())
        .collect();
    for path in tokenizers {
        let entry = manifest.files.get_mut(&path);
        let entry = entry.context("a tokenizer is not listed")?;
        let bytes = shipped.files.get_mut(&path);
        let bytes = bytes.context("a tokenizer is not listed")?;
        let json = str::from_utf8(bytes).with_context(|| path.clone())?;
        let file = TextTokenizer::canonical(json).with_context(|| path.clone())?;
        let file = file.into_bytes();
        if *bytes == file {
            continue;
        }
        if let Some(onnx) = onnx {
            write_in(onnx, &path, bytes)?;
        }
        any = true;
        println!("{:>12} bytes as it loads fastest: {path}", file.len());
        *entry = made_from(entry.clone(), &file);
        *bytes = file;
    }
    if args.weights.is_some() {
        for evaluation in uncalibrated(&mut manifest)? {
            shipped.files.remove(&evaluation);
        }
    }
    if any {
        let (revision, json) = written(&mut manifest)?;
        println!("revision {revision}");
        shipped.manifest = json;
    }
    Ok(shipped)
}

/// Takes from the tasks whose models have smaller weights what was found out with others: thresholds and evaluations, whose
/// paths it gives.
fn uncalibrated(manifest: &mut Manifest) -> Result<Vec<String>> {
    let bundle = Bundle::parse(&serde_json::to_vec(manifest)?)?;
    let mut gone = Vec::new();
    for (id, task) in &mut manifest.tasks {
        let mut files = task
            .tiers
            .iter()
            .flat_map(|tier| bundle.files_of_head(tier));
        let smaller = |path: &str| {
            let entry = manifest.files.get(path);
            entry.is_some_and(|entry| entry.weights.is_some())
        };
        if !files.any(smaller) {
            continue;
        }
        println!(
            "task \"{id}\" has other answers with these weights: calibrate and evaluate it in what is written, and pack that"
        );
        task.guarantee = None;
        for tier in &task.tiers {
            if let Some(head) = manifest.heads.get_mut(tier) {
                head.threshold = None;
            }
        }
        if let Some(evaluation) = task.evaluation.take() {
            manifest.files.remove(&evaluation);
            gone.push(evaluation);
        }
    }
    Ok(gone)
}

/// The entry of what was made of a file.
fn made_from(entry: FileEntry, file: &[u8]) -> FileEntry {
    FileEntry {
        bytes: file.len() as u64,
        sha256: hex(&Sha256::digest(file)),
        prepared_from: Some(entry.sha256),
        ..entry
    }
}

/// Whether a head's model runs node by node, as its file has it, because what it reads is no row.
fn runs_as_it_is(features: &Features) -> bool {
    matches!(
        features,
        Features::Image { .. } | Features::Sound { .. } | Features::Table { .. }
    )
}

/// Every model of a bundle that may be prepared, with the row that it reads.
fn models(folder: &Path, bundle: &Bundle) -> Result<BTreeMap<String, (Element, Shape)>> {
    let manifest = bundle.manifest();
    let mut found = BTreeMap::new();
    let mut add = |path: &str, row| found.insert(path.to_owned(), row);
    let widths = |features: &Features| {
        Ok::<_, anyhow::Error>(match features {
            Features::Tokens { .. } | Features::HashedTokens { .. } => {
                (Element::I64, Shape::AnyRow)
            }
            &Features::ByteWindows {
                begin_bytes,
                end_bytes,
                ..
            } => (
                Element::I32,
                Shape::Row(begin_bytes as usize + end_bytes as usize),
            ),
            Features::Ngrams { file } => {
                let vocabulary = NgramVocabulary::load(file, &fs::read(folder.join(file))?)?;
                (Element::F32, Shape::Row(vocabulary.width()))
            }
            Features::HashedCharacters { file } => {
                let table = NgramTable::load(file, &fs::read(folder.join(file))?)?;
                (Element::F32, Shape::Row(table.width()))
            }
            _ => bail!("features of a kind that `pack` does not know"),
        })
    };
    for encoder in manifest.encoders.values() {
        add(&encoder.file, widths(&encoder.features)?);
    }
    let heads = manifest.heads.values();
    for head in heads.filter(|head| !head.features.as_ref().is_some_and(runs_as_it_is)) {
        let encoder = head
            .encoder
            .as_ref()
            .and_then(|name| manifest.encoders.get(name));
        let vector = encoder.map(|e| (Element::F32, Shape::Row(e.dimension as usize)));
        let own = head.features.as_ref().map(widths).transpose()?;
        let row = own
            .or(vector)
            .context("a head reads neither features nor an encoder")?;
        add(&head.file, row);
        if let Some(addend) = &head.addend {
            add(&addend.file, widths(&addend.features)?);
        }
        if let (Some(file), Some(vector)) =
            (head.ood.as_ref().and_then(|ood| ood.file.as_ref()), vector)
        {
            add(file, vector);
        }
    }
    if let Some(tagger) = &manifest.tagger {
        add(&tagger.file, (Element::I64, Shape::AnyRow));
    }
    Ok(found)
}

/// Writes another path wherever the manifest names a file.
fn rename(manifest: &mut Manifest, from: &str, to: &str) {
    let heads = manifest.heads.values_mut().flat_map(|head| {
        let addend = head.addend.as_mut().map(|addend| &mut addend.file);
        let ood = head.ood.as_mut().and_then(|ood| ood.file.as_mut());
        std::iter::once(&mut head.file).chain(addend).chain(ood)
    });
    let encoders = manifest
        .encoders
        .values_mut()
        .map(|encoder| &mut encoder.file);
    let tagger = manifest.tagger.as_mut().map(|tagger| &mut tagger.file);
    for path in heads
        .chain(encoders)
        .chain(tagger)
        .filter(|path| *path == from)
    {
        to.clone_into(path);
    }
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

fn archive(files: &BTreeMap<String, Vec<u8>>, out: &Path) -> Result<()> {
    let gzip = GzEncoder::new(fs::File::create(out)?, Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, bytes.as_slice())?;
    }
    tar.into_inner()?.finish()?;
    println!("packed to {}", out.display());
    Ok(())
}
