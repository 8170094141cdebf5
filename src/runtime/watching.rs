//! What monitors see of a runtime's answers, which answers are drawn to be audited, and what alarms end.

use serde::{Deserialize, Serialize};

use super::Runtime;
use super::monitors::{self, Monitors, OnDrift, Place};
use crate::attempt::{Attempt, Outcome};
use crate::bundle::{Source, TaskEntry};
use crate::error::{Code, Error, Result};
use crate::host::{Clock, Storage};
use crate::monitor::{Drift, LEAST_AUDIT_SHARE, audit_chance};
use crate::remote::Host;
use crate::task::{Audit, Reason, risk};

/// What another runtime answered, as far as it is remembered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Adopted {
    /// Why the answer was given.
    pub reason: Reason,
    /// Whether it is guaranteed.
    pub guaranteed: bool,
    /// The error rate that was asked for, where one was.
    pub risk: Option<f64>,
    /// What was tried for it.
    pub attempts: Vec<Attempt>,
}

/// What is added to such an answer. Only the runtime that keeps the monitors draws answers to be audited.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Adoption {
    /// Set where the answer was drawn.
    pub audit: Option<Audit>,
}

/// What was found of an answer that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditOutcome<'a> {
    /// Whether it is right.
    pub correct: bool,
    /// The right label, where that was found.
    pub label: Option<&'a str>,
    /// [`Audit::local`] of the answer.
    pub local: Option<&'a str>,
}

impl AuditOutcome<'_> {
    /// Where the right label was not found.
    pub fn of(correct: bool) -> Self {
        AuditOutcome {
            correct,
            label: None,
            local: None,
        }
    }
}

impl<S: Source> Runtime<S> {
    /// The same runtime, which draws at least the share `audits` of its guaranteed answers to be audited, and that share of the
    /// remote's that a local answer stands beside, and ends a task's guarantee as `on_drift` says.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when the share is not 0.01 to 1.
    pub fn with_watching(mut self, audits: Option<f64>, on_drift: OnDrift) -> Result<Self> {
        if let Some(share) = audits {
            if !(LEAST_AUDIT_SHARE..=1.0).contains(&share) {
                let why = format!(
                    "auditShare must be a number from {LEAST_AUDIT_SHARE} to 1, not {share}"
                );
                return Err(Error::new(Code::InvalidOption, why));
            }
            self.audit_share = share;
        }
        self.on_drift = on_drift;
        Ok(self)
    }

    /// How the monitors of a task stand, with what earlier pages saw.
    ///
    /// # Errors
    /// [`Code::UnknownTask`] where neither the bundle nor the examples have it.
    pub async fn drift(&self, task: &str, storage: &impl Storage) -> Result<Vec<Drift>> {
        let checks = self.learner.checks(task, storage).await;
        // A task of the caller's own has examples alone.
        if checks.is_none() {
            self.bundle.task(task)?;
        }
        self.resume_stored(task, storage).await;
        let mut status = self.watch.status(task);
        status.extend(checks.into_iter().flatten());
        Ok(status)
    }

    /// Takes in that the answer of `task` that was drawn with the number `audit` was found right or wrong. False where it
    /// does not count: it was not drawn, counted already, or was drawn too long ago.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], and [`Code::InvalidOption`] when the right label is none of the task's.
    pub async fn report_outcome(
        &self,
        task: &str,
        audit: u64,
        outcome: &AuditOutcome<'_>,
        storage: &impl Storage,
    ) -> Result<bool> {
        let entry = self.bundle.task(task)?;
        if let Some(label) = outcome.label
            && !entry.labels.iter().any(|known| known.id == label)
        {
            let why = format!("reportOutcome: \"{label}\" is no label of the task \"{task}\"");
            return Err(Error::new(Code::InvalidOption, why));
        }
        let local = outcome.label.zip(outcome.local);
        let local = local.map(|(label, local)| label == local);
        // Another tab may have drawn it, or counted it already.
        self.keep_monitors_of(task, storage).await;
        let counts = self.watch.audited(task, audit, outcome.correct, local);
        if counts {
            self.keep_monitors_of(task, storage).await;
        }
        Ok(counts)
    }

    /// Whether an alarm has ended the task's guarantee.
    ///
    /// # Errors
    /// [`Code::UnknownTask`].
    pub async fn guarantee_ended(&self, task: &str, storage: &impl Storage) -> Result<bool> {
        self.bundle.task(task)?;
        self.resume_stored(task, storage).await;
        Ok(self.ended(task))
    }

    pub(super) fn ended(&self, task: &str) -> bool {
        self.watch.ended(task, self.on_drift)
    }

    /// Takes in what another runtime of this bundle answered on this device, as if it had been answered here: the monitor
    /// sees its confidence, it may be drawn to be audited, and a remote's answer for that many bytes was saved.
    ///
    /// Nothing, and nothing is taken in, where the answer would not be guaranteed here as it was there: an alarm has ended
    /// the guarantee, or this would raise such an alarm. The input is then to be run here. The monitor draws anew for it,
    /// and two draws in a row raise an alarm no more often than one.
    ///
    /// # Errors
    /// [`Code::UnknownTask`].
    pub async fn adopt(
        &self,
        task: &str,
        answer: &Adopted,
        bytes: usize,
        host: &impl Host,
    ) -> Result<Option<Adoption>> {
        let entry = self.bundle.task(task)?;
        self.resume_stored(task, host).await;
        if answer.guaranteed && self.ended(task) {
            return Ok(None);
        }
        let foreign = answer.reason == Reason::UnsupportedLanguage;
        let confidence = monitors::watched(foreign, answer.attempts.first());
        if let (Some(confidence), Some(reference)) = (confidence, entry.reference()) {
            let uniform = host.uniform();
            if !answer.guaranteed || self.on_drift == OnDrift::Report {
                self.watch.seen(task, reference, confidence, uniform);
            } else if !self.watch.seen_calmly(task, reference, confidence, uniform) {
                return Ok(None);
            }
        }
        let answered = |attempt: &&Attempt| attempt.outcome == Outcome::Answered;
        let by = answer.attempts.iter().rev().find(answered);
        let by = by.filter(|_| answer.guaranteed);
        let audit =
            by.and_then(|by| self.draw(task, answer.risk, by.confidence?, by.threshold?, host));
        self.remote.saved(entry.input, bytes, false, host).await;
        Ok(Some(Adoption { audit }))
    }

    /// Draws whether a guaranteed answer is to be audited, before anybody knows whether it is right.
    pub(super) fn draw(
        &self,
        task: &str,
        risk: Option<f64>,
        confidence: f64,
        threshold: f64,
        clock: &impl Clock,
    ) -> Option<Audit> {
        let risk = risk.filter(|&risk| risk::check("risk", Some(risk)).is_ok())?;
        let chance = audit_chance(self.audit_share, confidence, threshold);
        if clock.uniform() >= chance {
            return None;
        }
        // The share is the smallest chance that any answer has.
        let weight = self.audit_share / chance;
        let id = self.watch.drawn(task, risk, weight, clock.uniform());
        Some(Audit {
            id,
            chance,
            local: None,
        })
    }

    /// The alarms that were raised since this was last asked.
    pub fn take_alarms(&self) -> Vec<Drift> {
        self.watch.take_alarms()
    }

    /// The monitors that have changed since this was last asked, for a runtime that comes after this one.
    pub fn take_monitors(&self) -> Vec<Monitors> {
        self.watch.take_changes()
    }

    /// Goes on with the monitors of an earlier runtime of this very bundle: its evidence counts, and so do its alarms.
    pub fn resume_monitors(&self, monitors: &[Monitors]) {
        for earlier in monitors {
            let entry = self.bundle.task(&earlier.task).ok();
            self.watch
                .resume(earlier, entry.and_then(TaskEntry::reference));
        }
    }

    /// Writes what monitors have seen since this was last asked where later pages find it, and takes in what other tabs
    /// wrote. Costs nothing where they have seen nothing.
    pub async fn keep_monitors(&self, storage: &impl Storage) {
        for task in self.watch.unwritten() {
            self.keep_monitors_of(&task, storage).await;
        }
    }

    /// Whether monitors have seen something that was not written yet.
    pub fn has_unwritten(&self) -> bool {
        !self.watch.unwritten().is_empty()
    }

    async fn keep_monitors_of(&self, task: &str, storage: &impl Storage) {
        match self.place(task).await {
            Some(place) => self.watch.keep(task, &place, storage).await,
            // A task of the caller's own has no calibration that its monitors could belong to.
            None => self.watch.forget_unwritten(task),
        }
    }

    /// Goes on from what earlier pages kept of a task's monitors, the first time that it is asked.
    pub(super) async fn resume_stored(&self, task: &str, storage: &impl Storage) {
        if self.watch.is_resumed(task) {
            return;
        }
        if let Some(place) = self.place(task).await {
            self.watch.resume_stored(task, &place, storage).await;
        }
    }

    /// Where a task's monitors are kept. What it was calibrated with is worked out once.
    async fn place(&self, task: &str) -> Option<Place<'_>> {
        let unknown = || Error::new(Code::UnknownTask, "the bundle has no such task");
        let of = self.calibrations.get_or_make(task, || async {
            let of = self.bundle.calibration_sha256(task);
            of.ok_or_else(unknown)
        });
        Place::new(&self.bundle, task, &of.await.ok()?)
    }
}
