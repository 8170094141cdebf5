//! `add-text`: a task that writes text, by a remote or with the input's own sentences.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use smallfirst::bundle::{Extract, Limits, PromptTemplate, TaskEntry};
use smallfirst::task::{InputKind, TaskKind};

use crate::draft::BundleDraft;
use crate::folder::check_name;

#[derive(Args)]
pub struct TextArgs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// The task's identifier
    #[arg(long)]
    task: String,
    /// Its name for people
    #[arg(long)]
    title: String,
    /// What it does, in one sentence
    #[arg(long)]
    instruction: String,
    /// The rules a remote writes by
    #[arg(long)]
    system: String,
    /// What a remote is told: {{input}} stands for the input, other names in double braces for the call's variables
    #[arg(long, default_value = "{{input}}")]
    prompt: String,
    /// Answer on the device, with the input's own sentences, ranked by this encoder
    #[arg(long)]
    extract: Option<String>,
    /// How many of them
    #[arg(long, default_value_t = 3)]
    sentences: u32,
    /// The fewest bytes of an input that is answered on the device
    #[arg(long, default_value_t = 1)]
    min_bytes: u64,
    /// The most
    #[arg(long, default_value_t = 20_000)]
    max_bytes: u64,
}

/// Adds the task, or replaces it.
pub fn add_text(args: &TextArgs) -> Result<()> {
    check_name("--task", &args.task)?;
    let mut draft = BundleDraft::open(&args.bundle)?;
    let entry = TaskEntry {
        kind: TaskKind::Generate,
        input: InputKind::Text,
        title: args.title.clone(),
        instruction: args.instruction.clone(),
        labels: Vec::new(),
        limits: Limits {
            min_bytes: args.min_bytes,
            max_bytes: args.max_bytes,
            max_tokens: None,
            languages: None,
        },
        tiers: Vec::new(),
        prompt: Some(PromptTemplate {
            system: args.system.clone(),
            user: args.prompt.clone(),
        }),
        extract: args.extract.as_ref().map(|encoder| Extract {
            encoder: encoder.clone(),
            sentences: args.sentences,
        }),
        card: None,
        evaluation: None,
        guarantee: None,
    };
    draft.manifest.tasks.insert(args.task.clone(), entry);
    draft.save()?;
    println!("{} writes text now", args.task);
    Ok(())
}
