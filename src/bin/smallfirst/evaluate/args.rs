//! The arguments of `evaluate`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::remote_answers::RemoteArgs;
use crate::rows::ColumnArgs;

#[derive(Args)]
pub struct EvaluateArgs {
    /// The folder that holds manifest.json
    pub(super) bundle: PathBuf,
    /// The task; may be left out where there is only one
    #[arg(long)]
    pub(super) task: Option<String>,
    /// Labelled rows that neither training nor calibration has seen
    #[arg(long)]
    pub(super) data: PathBuf,
    #[command(flatten)]
    pub(super) columns: ColumnArgs,
    /// Rows that belong to no label and should escalate
    #[arg(long)]
    pub(super) out_of_scope: Option<PathBuf>,
    /// The label that counts as the favourable outcome in bias figures
    #[arg(long)]
    pub(super) positive: Option<String>,
    /// The data's name in reports; by default the file's
    #[arg(long)]
    pub(super) dataset: Option<String>,
    /// Take only this many rows, spread evenly over the file
    #[arg(long)]
    pub(super) limit: Option<usize>,
    /// Print the first lines only
    #[arg(long)]
    pub(super) brief: bool,
    /// Write the report as JSON
    #[arg(long)]
    pub(super) json: Option<PathBuf>,
    /// Write the report as one self-contained HTML file
    #[arg(long)]
    pub(super) html: Option<PathBuf>,
    /// Write the evaluation and the model card into the bundle
    #[arg(long)]
    pub(super) write: bool,
    /// Markdown for the card: what the task is for, where its data came from, its limits
    #[arg(long)]
    pub(super) about: Option<PathBuf>,
    /// Behavioural tests: JSON lines with a capability, an input and what must be true of the answer
    #[arg(long)]
    pub(super) behaviour: Option<PathBuf>,
    /// Rows of kinds that the data has few or none of, for a table of their own, by slice; rows without a label should escalate
    #[arg(long)]
    pub(super) beyond: Option<PathBuf>,
    /// The languages of the texts, for the card, as BCP 47 tags
    #[arg(long, value_delimiter = ',')]
    pub(super) language: Vec<String>,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
    /// Write what the remote is worth for this task into this file, for the option `profile` of its endpoint; of several tasks, one
    /// after the other
    #[arg(long)]
    pub(super) profile: Option<PathBuf>,
}

impl EvaluateArgs {
    /// The data's name in reports.
    pub(super) fn dataset(&self) -> String {
        let file = || self.data.file_name().unwrap_or_default().to_string_lossy();
        self.dataset.clone().unwrap_or_else(|| file().into_owned())
    }

    /// What only tasks that give one label have a use for.
    pub(super) fn refuse_what_is_for_labels(&self) -> Result<()> {
        let given = [
            ("--out-of-scope", self.out_of_scope.is_some()),
            ("--positive", self.positive.is_some()),
            ("--html", self.html.is_some()),
            ("--behaviour", self.behaviour.is_some()),
            ("--beyond", self.beyond.is_some()),
            ("--profile", self.profile.is_some()),
            ("--remote and --remote-answers", self.remote.given()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((odd, _)) => bail!("{odd} is for tasks that give one label"),
            None => Ok(()),
        }
    }
}
