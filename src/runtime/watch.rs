//! The monitors of a runtime's tasks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bundle::Reference;
use crate::monitor::{Drift, ErrorMonitor, InputMonitor, Watched as What};

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
    /// Of answers by example, held against the remote's.
    examples: Vec<ErrorMonitor>,
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

    /// As [`Watch::seen`], unless that would raise the alarm: then nothing is taken in, and this is false.
    pub(super) fn seen_calmly(
        &self,
        task: &str,
        reference: &Reference,
        confidence: f64,
        uniform: f64,
    ) -> bool {
        let mut watched = self.lock();
        let monitors = watched.tasks.entry(task.to_owned()).or_default();
        let monitor = monitors.inputs.clone();
        let mut monitor = monitor.unwrap_or_else(|| InputMonitor::new(reference));
        monitor.observe(confidence, uniform);
        let calm = !monitor.alarmed();
        if calm {
            monitors.inputs = Some(monitor);
        }
        calm
    }

    /// Takes in one audited answer.
    pub(super) fn audited(&self, task: &str, risk: f64, correct: bool) {
        let mut watched = self.lock();
        let monitors = watched.tasks.entry(task.to_owned()).or_default();
        if observe(&mut monitors.errors, risk, correct) {
            let alarms = status(&monitors.errors, task, What::Errors);
            let alarms: Vec<Drift> = alarms.filter(|a| a.risk == Some(risk)).collect();
            watched.alarms.extend(alarms);
        }
    }

    /// Takes in whether an answer by example is the remote's. True when this raised the alarm.
    pub(super) fn checked(&self, task: &str, risk: f64, correct: bool) -> bool {
        let mut watched = self.lock();
        let monitors = watched.tasks.entry(task.to_owned()).or_default();
        let alarmed = observe(&mut monitors.examples, risk, correct);
        if alarmed {
            let alarms = status(&monitors.examples, task, What::Examples);
            let alarms: Vec<Drift> = alarms.filter(|a| a.risk == Some(risk)).collect();
            watched.alarms.extend(alarms);
        }
        alarmed
    }

    /// Begins anew with the examples of one task, or of all.
    pub(super) fn forget_checks(&self, task: Option<&str>) {
        for (name, monitors) in &mut self.lock().tasks {
            if task.is_none_or(|task| task == name) {
                monitors.examples.clear();
            }
        }
    }

    /// Whether a monitor of the bundle's own answers has raised an alarm.
    pub(super) fn alarmed(&self, task: &str) -> bool {
        let own = |drift: &Drift| drift.watched != What::Examples;
        self.status(task).iter().any(|d| d.alarmed && own(d))
    }

    pub(super) fn status(&self, task: &str) -> Vec<Drift> {
        let watched = self.lock();
        let Some(monitors) = watched.tasks.get(task) else {
            return Vec::new();
        };
        let inputs = monitors.inputs.iter().map(|m| m.status(task));
        let errors = status(&monitors.errors, task, What::Errors);
        let examples = status(&monitors.examples, task, What::Examples);
        inputs.chain(errors).chain(examples).collect()
    }

    pub(super) fn take_alarms(&self) -> Vec<Drift> {
        std::mem::take(&mut self.lock().alarms)
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one answer in, by the monitor of its risk. True when this raised the alarm.
fn observe(monitors: &mut Vec<ErrorMonitor>, risk: f64, correct: bool) -> bool {
    let at = monitors.iter().position(|m| m.risk() == risk);
    let at = at.unwrap_or_else(|| {
        monitors.push(ErrorMonitor::new(risk));
        monitors.len() - 1
    });
    let Some(monitor) = monitors.get_mut(at) else {
        return false;
    };
    let before = monitor.alarmed();
    monitor.observe(correct);
    !before && monitor.alarmed()
}

fn status<'a>(
    monitors: &'a [ErrorMonitor],
    task: &'a str,
    watched: What,
) -> impl Iterator<Item = Drift> + 'a {
    monitors.iter().map(move |monitor| Drift {
        watched,
        ..monitor.status(task)
    })
}
