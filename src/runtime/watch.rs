//! The monitors of a runtime's tasks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bundle::Reference;
use crate::monitor::{Drift, ErrorMonitor, InputMonitor};

/// All monitors, and the alarms nobody has heard of yet.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    tasks: BTreeMap<String, TaskMonitors>,
    alarms: Vec<Drift>,
}

#[derive(Debug, Default)]
struct TaskMonitors {
    inputs: Option<InputMonitor>,
    errors: Vec<ErrorMonitor>,
}

impl Watch {
    /// Takes in the first tier's confidence for one input.
    pub(super) fn seen(&self, task: &str, reference: &Reference, confidence: f64, uniform: f64) {
        let mut watched = self.lock();
        let monitors = watched.tasks.entry(task.to_owned()).or_default();
        let monitor = monitors
            .inputs
            .get_or_insert_with(|| InputMonitor::new(reference));
        let before = monitor.alarmed();
        monitor.observe(confidence, uniform);
        let status = monitor.status(task);
        if !before && status.alarmed {
            watched.alarms.push(status);
        }
    }

    /// Takes in one audited answer.
    pub(super) fn audited(&self, task: &str, risk: f64, correct: bool) {
        let mut watched = self.lock();
        let monitors = watched.tasks.entry(task.to_owned()).or_default();
        let at = match monitors.errors.iter().position(|m| m.risk() == risk) {
            Some(at) => at,
            None => {
                monitors.errors.push(ErrorMonitor::new(risk));
                monitors.errors.len() - 1
            }
        };
        let Some(monitor) = monitors.errors.get_mut(at) else {
            return;
        };
        let before = monitor.alarmed();
        monitor.observe(correct);
        let status = monitor.status(task);
        if !before && status.alarmed {
            watched.alarms.push(status);
        }
    }

    /// Whether any monitor of the task has raised an alarm.
    pub(super) fn alarmed(&self, task: &str) -> bool {
        self.status(task).iter().any(|drift| drift.alarmed)
    }

    pub(super) fn status(&self, task: &str) -> Vec<Drift> {
        let watched = self.lock();
        let Some(monitors) = watched.tasks.get(task) else {
            return Vec::new();
        };
        let inputs = monitors.inputs.iter().map(|m| m.status(task));
        let errors = monitors.errors.iter().map(|m| m.status(task));
        inputs.chain(errors).collect()
    }

    pub(super) fn take_alarms(&self) -> Vec<Drift> {
        std::mem::take(&mut self.lock().alarms)
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
