//! One bundle, ready to be asked. Carries a call along its path: capability, local tiers, remote,
//! answer. All effects (files, network, time) come from outside, so the native command line and the
//! browser run this same code.

mod by_example;
mod call;
mod encoder;
#[cfg(feature = "onnx")]
mod entities;
mod features;
mod generate;
mod head;
#[cfg(feature = "onnx")]
mod kinds;
mod language;
mod limits;
#[cfg(feature = "onnx")]
mod listening;
mod local;
mod models;
mod monitors;
mod names;
mod neighbours;
#[cfg(feature = "onnx")]
mod numbers;
#[cfg(feature = "onnx")]
mod numeric;
#[cfg(feature = "onnx")]
mod numeric_models;
mod once_map;
pub mod options;
#[cfg(feature = "onnx")]
mod outputs;
mod path;
mod progress;
mod redact_task;
mod remote_worth;
mod scoring;
#[cfg(feature = "onnx")]
mod searching;
#[cfg(feature = "onnx")]
mod sight;
#[cfg(feature = "onnx")]
mod sound_model;
#[cfg(feature = "onnx")]
mod table_model;
mod tagger;
#[cfg(feature = "onnx")]
mod task_model;
#[cfg(feature = "training")]
mod training;
mod unanswered;
#[cfg(feature = "onnx")]
mod voice_model;
mod watching;

use std::future::Future;

pub use generate::TextCall;
pub use head::Scored;
#[cfg(feature = "onnx")]
pub use kinds::KindCall;
#[cfg(feature = "onnx")]
pub use listening::Listening;
pub use monitors::{Monitors, OnDrift};
pub use path::Call;
pub use scoring::TierScores;
#[cfg(feature = "training")]
pub use training::{
    Example, Examples, LabelRows, RowsTold, TrainedBundle, TrainedCertificate, TrainingAccuracy,
    TrainingOptions, TrainingReport,
};
pub use watching::{Adopted, Adoption, AuditOutcome};

use crate::bundle::{Bundle, Card, Source, TaskEntry, TaskInfo, Thresholds, Tiers};
use crate::error::{Code, Error, Result};
use crate::monitor::AUDIT_SHARE;
use crate::neighbours::{LearnOptions, LearnedExample, LearnedTask, Learner};
use crate::remote::{EgressReport, Host, Remote, RemoteOptions, UsageReport};
use crate::route::Mode;
use crate::task::{AskedRisk, GuaranteeKind, Sent};

use models::Models;
use monitors::RuntimeMonitors;
use once_map::OnceMap;

/// A bundle with its loaded models, and where to turn when they are not enough.
pub struct Runtime<S> {
    bundle: Bundle,
    models: Models<S>,
    mode: Mode,
    asked: Option<AskedRisk>,
    worth: f64,
    remote: Remote,
    watch: RuntimeMonitors,
    /// The hashes of what tasks were calibrated with, by their names.
    calibrations: OnceMap<String>,
    /// The share of the surest guaranteed answers that are drawn to be audited.
    audit_share: f64,
    on_drift: OnDrift,
    learner: Learner,
    #[cfg(feature = "onnx")]
    indices: crate::search::SearchIndices,
    /// Whether it learns. What was learned before may be seen and forgotten where it does not.
    learns: bool,
}

impl<S> std::fmt::Debug for Runtime<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("bundle", &self.bundle.manifest().name)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl<S: Source> Runtime<S> {
    /// A runtime for `bundle`, whose files come from `source`. Nothing is loaded yet.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when the remotes are unusable, or a task is named that the bundle does not have.
    pub fn new(bundle: Bundle, source: S, mode: Mode, remote: RemoteOptions) -> Result<Self> {
        let remote = Remote::new(remote)?;
        remote.check_tasks(bundle.manifest().tasks.keys().map(String::as_str))?;
        if let Some(task) = remote.redacts_by() {
            redact_task::check(&bundle, task)?;
        }
        Ok(Runtime {
            remote,
            bundle,
            models: Models::new(source),
            mode,
            asked: None,
            worth: 0.0,
            watch: RuntimeMonitors::default(),
            calibrations: OnceMap::new(),
            audit_share: AUDIT_SHARE,
            on_drift: OnDrift::default(),
            learner: Learner::default(),
            #[cfg(feature = "onnx")]
            indices: crate::search::SearchIndices::default(),
            learns: false,
        })
    }

    /// The same runtime, which makes examples of what remotes answer, and answers near-repeats by them.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn with_learning(mut self, options: Option<LearnOptions>) -> Result<Self> {
        self.learns = options.is_some();
        self.learner = Learner::new(options.unwrap_or_default())?;
        Ok(self)
    }

    /// The tasks there are examples of.
    pub async fn learned(&self, host: &impl Host) -> Vec<LearnedTask> {
        self.learner.report(host).await
    }

    /// The examples, of one task or of all, the oldest first.
    pub async fn examples(&self, task: Option<&str>, host: &impl Host) -> Vec<LearnedExample> {
        let labels = |task: &str| {
            let entry = self.bundle.task(task).ok()?;
            Some(entry.labels.iter().map(|label| label.id.clone()).collect())
        };
        self.learner.export(task, labels, host).await
    }

    /// Forgets the examples, of one task or of all.
    pub async fn forget_examples(&self, task: Option<&str>, host: &impl Host) {
        self.learner.forget(task, host).await;
    }

    /// The same runtime with an error rate that counts for every call that names none, or an excess over the remote's.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when one is not above 0 and below 1, or both are given.
    pub fn with_risk(mut self, risk: Option<f64>, excess: Option<f64>) -> Result<Self> {
        self.asked = AskedRisk::of(risk, excess)?;
        Ok(self)
    }

    /// What the tiers of a task must reach. A certificate against a remote is for that remote's model: where nobody would ask it,
    /// it promises nothing.
    fn thresholds(&self, task: &TaskEntry, asked: Option<AskedRisk>) -> Thresholds {
        let found = self.bundle.thresholds(task, asked);
        let against = task
            .guarantee
            .as_ref()
            .and_then(|g| g.against_remote.as_ref());
        let kind = found.certified.map(|certified| certified.kind);
        if kind == Some(GuaranteeKind::AgainstRemote)
            && !against.is_some_and(|against| self.remote.asks(&against.model))
        {
            return Thresholds {
                certified: None,
                values: vec![None; task.tiers.len()],
                ..found
            };
        }
        found
    }

    /// The same runtime, which asks remotes only where they are likelier right than the best local answer by more than this, as
    /// far as profiles or audits tell; nothing stands for 0.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when it is not a number from 0 to 1.
    pub fn with_worth(mut self, worth: Option<f64>) -> Result<Self> {
        self.worth = worth.unwrap_or_default();
        match (0.0..=1.0).contains(&self.worth) {
            true => Ok(self),
            false => Err(Error::new(
                Code::InvalidOption,
                format!("worth must be a number from 0 to 1, not {}", self.worth),
            )),
        }
    }

    /// The model card of a task, fetched when asked for.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], [`Code::FileMissing`] when the task has no card, or why it could not be
    /// read.
    pub async fn card(&self, task: &str) -> Result<Card> {
        let entry = self.bundle.task(task)?;
        let path = entry.card.as_ref().ok_or_else(|| {
            Error::new(
                Code::FileMissing,
                format!("the task \"{task}\" has no model card"),
            )
        })?;
        let markdown = self.models.file(&self.bundle, path).await?;
        let evaluation = match &entry.evaluation {
            None => None,
            Some(path) => {
                let json = self.models.file(&self.bundle, path).await?;
                let parsed = serde_json::from_slice(&json).map_err(|e| {
                    Error::new(Code::BundleInvalid, format!("{path} is not JSON: {e}"))
                })?;
                Some(parsed)
            }
        };
        Ok(Card {
            task: task.to_owned(),
            markdown: String::from_utf8_lossy(&markdown).into_owned(),
            evaluation,
        })
    }

    /// What was spent on remotes, and what answers without them saved, in all tabs.
    pub async fn usage(&self, host: &impl Host) -> UsageReport {
        self.remote.usage(host).await
    }

    /// Everything that left the device since the runtime was made.
    pub fn egress(&self) -> EgressReport {
        self.remote.egress()
    }

    /// What was written down to leave the device since this was last asked, for whoever keeps it where it outlives this
    /// runtime.
    pub fn take_sent(&self) -> Vec<Sent> {
        self.remote.take_sent()
    }

    /// Forgets the remotes' answers that are kept.
    pub async fn clear_answer_cache(&self, host: &impl Host) {
        self.remote.forget(host).await;
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Where its files come from.
    pub fn source(&self) -> &S {
        self.models.source()
    }

    /// What the bundle can do, and what of it is loaded.
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.bundle.tasks(|head| self.models.is_loaded(head))
    }

    /// Loads the models of `tasks` (of all when `None`). With those of all tiers, later calls need no network.
    /// `between` is awaited between models and may stop the work.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], or why a model could not be loaded.
    pub async fn preload<F>(
        &self,
        tasks: Option<&[String]>,
        tiers: Tiers,
        between: impl Fn() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let all: Vec<String>;
        let tasks = match tasks {
            Some(tasks) => tasks,
            None => {
                all = self.bundle.manifest().tasks.keys().cloned().collect();
                &all
            }
        };
        for task in tasks {
            let entry = self.bundle.task(task)?;
            if entry.kind.has_models() {
                self.preload_models(entry, tiers, &between).await?;
                continue;
            }
            for head in self.bundle.heads_of(entry, tiers) {
                between().await?;
                self.models.head(&self.bundle, head).await?;
            }
            if let Some(extract) = &entry.extract {
                between().await?;
                self.models.encoder(&self.bundle, &extract.encoder).await?;
            }
        }
        Ok(())
    }

    #[cfg(feature = "onnx")]
    async fn preload_models<F>(
        &self,
        entry: &TaskEntry,
        tiers: Tiers,
        between: &impl Fn() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        for model in self.bundle.heads_of(entry, tiers) {
            between().await?;
            self.models.load_ahead(&self.bundle, model).await?;
        }
        Ok(())
    }

    /// This build has no such models; a call of the task says so.
    #[cfg(not(feature = "onnx"))]
    async fn preload_models<F>(&self, _: &TaskEntry, _: Tiers, _: &impl Fn() -> F) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
