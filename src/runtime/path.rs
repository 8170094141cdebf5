//! A call on its way: what is asked, who is asked, and what has happened so far.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::{LocalBoxFuture, MaybeDone};

use super::Runtime;
use super::head::LoadedHead;
use super::limits::wrong_input;
use super::neighbours::Lookup;
use super::progress::Progress;
use crate::bundle::{Source, TaskEntry, Thresholds};
use crate::error::{Code, Error, Result};
use crate::remote::Host;
use crate::route::Mode;
use crate::task::{AskedRisk, Input, Label, TaskKind};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The task.
    pub task: &'a str,
    /// The input.
    pub input: Input<'a>,
    /// The mode; the runtime's own when absent.
    pub mode: Option<Mode>,
    /// The error rate allowed among locally given answers; the runtime's or the task's when absent.
    pub risk: Option<f64>,
    /// How many more of the locally given answers may be wrong than of the remote's, as a share; in place of `risk`.
    pub excess_risk: Option<f64>,
    /// How many labels to list with their scores.
    pub top: usize,
    /// For a task the bundle does not have: the labels the remote may answer with.
    pub labels: Option<Vec<Label>>,
    /// For a task the bundle does not have: what to do, in one sentence.
    pub instruction: Option<String>,
    /// Whether an alarm has ended the task's guarantee, as whoever keeps the monitors knows. This runtime's monitors then
    /// neither see the call nor draw its answer to be audited. `None`: they are this runtime's own.
    pub alarmed: Option<bool>,
    /// Whether it is only looked what the answer would be: on this device alone, and no monitor, audit or account knows of it.
    pub dry: bool,
}

impl<'a> Call<'a> {
    /// A call with nothing special.
    pub fn new(task: &'a str, input: Input<'a>) -> Self {
        Call {
            task,
            input,
            mode: None,
            risk: None,
            excess_risk: None,
            top: 5,
            labels: None,
            instruction: None,
            alarmed: None,
            dry: false,
        }
    }
}

/// A call on its way, with what was tried so far.
pub(super) struct Path<'a, S, H> {
    pub(super) runtime: &'a Runtime<S>,
    pub(super) call: &'a Call<'a>,
    pub(super) host: &'a H,
    /// The bundle's entry, when it has the task.
    pub(super) task: Option<&'a TaskEntry>,
    pub(super) mode: Mode,
    asked: Option<AskedRisk>,
    pub(super) thresholds: Option<Thresholds>,
    /// A tier that should have run before the answering one could not; its certificate is then off.
    pub(super) skipped: bool,
    /// Whether the input is one that calibration would have looked at, so that monitors count it.
    pub(super) watched: bool,
    pub(super) progress: Progress,
    /// How likely the remote is right, where that was held against the local confidence.
    pub(super) remote_accuracy: Option<f64>,
    /// What a remote's answer is audited beside, where it was drawn.
    pub(super) beside: Option<Beside>,
    /// What examples say, where they were asked.
    pub(super) lookup: Option<Lookup>,
    /// The first tier's head, which begins to load while the language is told.
    pub(super) first: Option<Loading<'a>>,
}

/// The best local answer beside a remote's that was drawn to be audited.
pub(super) struct Beside {
    pub(super) label: String,
    pub(super) confidence: f64,
    /// Whether the remote's profile was held against it.
    pub(super) profiled: bool,
}

/// A head on its way, or there.
pub(super) type Loading<'a> = Pin<Box<MaybeDone<LocalBoxFuture<'a, Result<Arc<LoadedHead>>>>>>;

impl<'a, S: Source, H: Host> Path<'a, S, H> {
    /// Checks what no answer can be given without.
    pub(super) fn new(runtime: &'a Runtime<S>, call: &'a Call<'a>, host: &'a H) -> Result<Self> {
        if call.input.is_empty() {
            return Err(Error::new(
                Code::EmptyInput,
                "the input is empty; there is nothing to classify",
            ));
        }
        let asked = AskedRisk::of(call.risk, call.excess_risk)?.or(runtime.asked);
        let task = match runtime.bundle.task(call.task) {
            Ok(entry) => {
                if entry.input != call.input.kind() {
                    return Err(wrong_input(call.task, entry, call.input));
                }
                if entry.kind == TaskKind::Generate {
                    return Err(Error::new(
                        Code::InvalidOption,
                        format!(
                            "the task \"{}\" writes text; call generate, not run",
                            call.task
                        ),
                    ));
                }
                if entry.kind != TaskKind::Classify {
                    return Err(Error::new(
                        Code::NeedsOnnx,
                        format!(
                            "the task \"{}\" is of the kind {}, which this engine does not have",
                            call.task,
                            entry.kind.as_str()
                        ),
                    ));
                }
                Some(entry)
            }
            // A task of the caller's own is for the remote, if it says which labels there are.
            Err(_) if call.labels.as_ref().is_some_and(|l| l.len() >= 2) => None,
            Err(unknown) => return Err(unknown),
        };
        Ok(Path {
            runtime,
            call,
            host,
            task,
            thresholds: task.map(|t| runtime.thresholds(t, asked)),
            asked,
            skipped: false,
            watched: false,
            mode: match call.dry {
                true => Mode::OnlyLocal,
                false => call.mode.unwrap_or(runtime.mode),
            },
            progress: Progress::new(host),
            remote_accuracy: None,
            beside: None,
            lookup: None,
            first: None,
        })
    }

    /// The promise that counts for this call.
    pub(super) fn asked(&self) -> Option<AskedRisk> {
        match &self.thresholds {
            Some(thresholds) => thresholds.asked,
            None => self.asked,
        }
    }

    /// What the remote is asked: the bundle's own words for its tasks, the caller's for others.
    pub(super) fn question(&self) -> (String, Vec<Label>) {
        match self.task {
            Some(task) => (task.instruction.clone(), task.labels.clone()),
            None => (
                self.call.instruction.clone().unwrap_or_else(|| {
                    format!("Classify the input for the task \"{}\".", self.call.task)
                }),
                self.call.labels.clone().unwrap_or_default(),
            ),
        }
    }
}
