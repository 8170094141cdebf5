//! What a task says of itself, and its labels, as options of `train` and `import`.

use anyhow::{Context, Result};
use clap::Args;
use smallfirst::bundle::{LanguageLimit, Limits, TaskEntry};
use smallfirst::task::{InputKind, Label, TaskKind};

use crate::folder::read;

/// What a task says of itself.
#[derive(Args)]
pub struct TaskArgs {
    /// The task's name for people
    #[arg(long)]
    title: Option<String>,
    /// What the task decides, in one sentence; also what a remote LLM is told
    #[arg(long)]
    instruction: Option<String>,
    /// The shortest input in bytes
    #[arg(long, default_value_t = 1)]
    min_bytes: u64,
    /// The longest input in bytes
    #[arg(long, default_value_t = 262_144)]
    max_bytes: u64,
    /// The most tokens of an input
    #[arg(long)]
    max_tokens: Option<u32>,
    /// The labels of --language-task that the task covers
    #[arg(long, value_delimiter = ',', requires = "language_task")]
    languages: Vec<String>,
    /// The task of the same bundle that tells the language
    #[arg(long)]
    language_task: Option<String>,
}

impl TaskArgs {
    /// The instruction, where one is given.
    pub fn instruction(&self) -> Option<&str> {
        self.instruction.as_deref()
    }

    /// Puts the words that are given in place of those of a task that says something of itself.
    pub fn reword(&self, task: &mut TaskEntry) {
        if let Some(title) = &self.title {
            task.title.clone_from(title);
        }
        if let Some(instruction) = &self.instruction {
            task.instruction.clone_from(instruction);
        }
    }

    pub fn limits(&self) -> Limits {
        Limits {
            min_bytes: self.min_bytes,
            max_bytes: self.max_bytes,
            max_tokens: self.max_tokens,
            languages: self.language_task.as_ref().map(|task| LanguageLimit {
                allow: self.languages.clone(),
                task: task.clone(),
            }),
        }
    }

    pub fn entry(&self, task: &str, input: InputKind, labels: Vec<Label>) -> TaskEntry {
        TaskEntry {
            kind: TaskKind::Classify,
            input,
            title: self.title.clone().unwrap_or_else(|| task.to_owned()),
            instruction: self
                .instruction
                .clone()
                .unwrap_or_else(|| format!("Classify the input for the task \"{task}\".")),
            labels,
            limits: self.limits(),
            tiers: vec![task.to_owned()],
            prompt: None,
            extract: None,
            card: None,
            evaluation: None,
            guarantee: None,
        }
    }
}

/// Labels from a list with commas, or from a JSON file.
pub fn labels(given: &str) -> Result<Vec<Label>> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Id(String),
        Label(Label),
    }
    let plain = |id: &str| Label {
        id: id.trim().to_owned(),
        title: None,
    };
    if !given.ends_with(".json") {
        return Ok(given.split(',').map(plain).collect());
    }
    let json = read(given.as_ref()).with_context(|| format!("{given} cannot be read"))?;
    let entries: Vec<Entry> = serde_json::from_slice(&json).with_context(|| {
        format!("{given} must be a list of strings or of {{\"id\", \"title\"}}")
    })?;
    Ok(entries
        .into_iter()
        .map(|entry| match entry {
            Entry::Id(id) => plain(&id),
            Entry::Label(label) => label,
        })
        .collect())
}
