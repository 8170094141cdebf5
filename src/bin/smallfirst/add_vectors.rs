//! `add-vectors`: a task that gives the vectors of an encoder that the bundle has.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::bundle::{Features, ModelOutput, TaskModel};
use smallfirst::task::{InputKind, Pooling, TaskKind};

use crate::draft::BundleDraft;
use crate::folder::check_name;
use crate::task_args::TaskArgs;

#[derive(Args)]
pub struct VectorArgs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// The task's identifier
    #[arg(long)]
    task: String,
    /// The encoder, which reads tokens
    #[arg(long)]
    encoder: String,
    #[command(flatten)]
    words: TaskArgs,
}

/// Adds the task, or replaces it. It needs no file of its own.
pub fn add_vectors(args: &VectorArgs) -> Result<()> {
    check_name("--task", &args.task)?;
    let mut draft = BundleDraft::open(&args.bundle)?;
    let encoders = &draft.manifest.encoders;
    let encoder = encoders.get(&args.encoder).cloned().with_context(|| {
        let known: Vec<&str> = encoders.keys().map(String::as_str).collect();
        format!(
            "the bundle has no encoder \"{}\"; it has {}",
            args.encoder,
            known.join(", ")
        )
    })?;
    if !matches!(encoder.features, Features::Tokens { .. }) {
        bail!("the encoder \"{}\" does not read tokens", args.encoder);
    }
    if draft.manifest.heads.contains_key(&args.task) {
        bail!(
            "the bundle has a head \"{}\": give the task another name",
            args.task
        );
    }
    let model = TaskModel {
        file: encoder.file,
        features: encoder.features,
        max_tokens: encoder.max_tokens,
        // One that gives a vector of the whole text is asked for the mean of that one.
        pooling: Some(encoder.pooling.unwrap_or(Pooling::Mean)),
        normalize: true,
        mask: None,
        platt: None,
        boxes: None,
        ocr: None,
        output: ModelOutput::Logits,
    };
    let mut entry = args.words.entry(&args.task, InputKind::Text, Vec::new());
    entry.kind = TaskKind::FeatureExtraction;
    if args.words.instruction().is_none() {
        entry.instruction = "Make a vector of the text.".to_owned();
    }
    draft.manifest.models.insert(args.task.clone(), model);
    draft.manifest.tasks.insert(args.task.clone(), entry);
    draft.save()?;
    println!("{} gives vectors of \"{}\" now", args.task, args.encoder);
    Ok(())
}
