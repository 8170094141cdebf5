//! The monitors of a runtime's tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, RanOn};
use crate::bundle::Reference;
use crate::monitor::{Drift, ErrorMonitor, InputMonitor, MonitorKind};

/// The monitors of one task, as numbers that are kept where they outlive this runtime.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monitors {
    /// The task.
    pub task: String,
    inputs: Option<Vec<f64>>,
    errors: Vec<Vec<f64>>,
    examples: Vec<Vec<f64>>,
}

/// All monitors, and the alarms nobody has heard of yet.
#[derive(Debug, Default)]
pub(super) struct RuntimeMonitors(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tasks: BTreeMap<String, TaskMonitors>,
    /// The tasks whose monitors have seen something that nobody has taken yet.
    changed: BTreeSet<String>,
    alarms: Vec<Drift>,
}

impl State {
    /// The monitors of a task, to be changed.
    fn of(&mut self, task: &str) -> &mut TaskMonitors {
        self.changed.insert(task.to_owned());
        self.tasks.entry(task.to_owned()).or_default()
    }
}

#[derive(Debug, Default)]
struct TaskMonitors {
    inputs: Option<InputMonitor>,
    errors: Vec<ErrorMonitor>,
    /// Of answers by example, held against the remote's.
    examples: Vec<ErrorMonitor>,
}

/// The confidence that the input monitor sees of an input: the first local tier's. None where calibration looked at no such
/// input, because its language is none of the task's (`foreign`), or where the tier gave no answer.
pub(super) fn watched(foreign: bool, first: Option<&Attempt>) -> Option<f64> {
    let first = first.filter(|first| !foreign && first.on == RanOn::Local);
    first.and_then(|first| first.confidence)
}

impl RuntimeMonitors {
    /// Takes in the first tier's confidence for one input.
    pub(super) fn seen(&self, task: &str, reference: &Reference, confidence: f64, uniform: f64) {
        let mut watched = self.lock();
        let monitors = watched.of(task);
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

    /// As [`RuntimeMonitors::seen`], unless that would raise the alarm: then nothing is taken in, and this is false.
    pub(super) fn seen_calmly(
        &self,
        task: &str,
        reference: &Reference,
        confidence: f64,
        uniform: f64,
    ) -> bool {
        let mut watched = self.lock();
        let monitors = watched.of(task);
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
        let monitors = watched.of(task);
        if observe(&mut monitors.errors, risk, correct) {
            let alarms = status(&monitors.errors, task, MonitorKind::Errors);
            let alarms: Vec<Drift> = alarms.filter(|a| a.risk == Some(risk)).collect();
            watched.alarms.extend(alarms);
        }
    }

    /// Takes in whether an answer by example is the remote's. True when this raised the alarm.
    pub(super) fn checked(&self, task: &str, risk: f64, correct: bool) -> bool {
        let mut watched = self.lock();
        let monitors = watched.of(task);
        let alarmed = observe(&mut monitors.examples, risk, correct);
        if alarmed {
            let alarms = status(&monitors.examples, task, MonitorKind::Examples);
            let alarms: Vec<Drift> = alarms.filter(|a| a.risk == Some(risk)).collect();
            watched.alarms.extend(alarms);
        }
        alarmed
    }

    /// Begins anew with the examples of one task, or of all.
    pub(super) fn forget_checks(&self, task: Option<&str>) {
        let mut watched = self.lock();
        let names = watched.tasks.keys().cloned();
        let names: Vec<String> = names.filter(|n| task.is_none_or(|t| t == n)).collect();
        for name in names {
            watched.of(&name).examples.clear();
        }
    }

    /// Whether a monitor of the bundle's own answers has raised an alarm.
    pub(super) fn alarmed(&self, task: &str) -> bool {
        let own = |drift: &Drift| drift.watched != MonitorKind::Examples;
        self.status(task).iter().any(|d| d.alarmed && own(d))
    }

    pub(super) fn status(&self, task: &str) -> Vec<Drift> {
        let watched = self.lock();
        let Some(monitors) = watched.tasks.get(task) else {
            return Vec::new();
        };
        let inputs = monitors.inputs.iter().map(|m| m.status(task));
        let errors = status(&monitors.errors, task, MonitorKind::Errors);
        let examples = status(&monitors.examples, task, MonitorKind::Examples);
        inputs.chain(errors).chain(examples).collect()
    }

    /// The monitors that have changed since this was last asked.
    pub(super) fn take_changes(&self) -> Vec<Monitors> {
        let mut watched = self.lock();
        let changed = std::mem::take(&mut watched.changed);
        let states = changed.into_iter().filter_map(|task| {
            let monitors = watched.tasks.get(&task)?;
            let all =
                |monitors: &[ErrorMonitor]| monitors.iter().map(ErrorMonitor::state).collect();
            Some(Monitors {
                inputs: monitors.inputs.as_ref().map(InputMonitor::state),
                errors: all(&monitors.errors),
                examples: all(&monitors.examples),
                task,
            })
        });
        states.collect()
    }

    /// Goes on from what an earlier runtime's monitors knew of a task. What is not theirs is left out.
    pub(super) fn resume(&self, kept: &Monitors, reference: Option<&Reference>) {
        let all = |kept: &[Vec<f64>]| {
            let monitors = kept.iter().map(|state| ErrorMonitor::resumed(state));
            monitors.flatten().collect()
        };
        let inputs = kept.inputs.as_ref().zip(reference);
        let monitors = TaskMonitors {
            inputs: inputs.and_then(|(state, reference)| InputMonitor::resumed(reference, state)),
            errors: all(&kept.errors),
            examples: all(&kept.examples),
        };
        self.lock().tasks.insert(kept.task.clone(), monitors);
    }

    pub(super) fn take_alarms(&self) -> Vec<Drift> {
        std::mem::take(&mut self.lock().alarms)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
    watched: MonitorKind,
) -> impl Iterator<Item = Drift> + 'a {
    monitors.iter().map(move |monitor| Drift {
        watched,
        ..monitor.status(task)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Outcome;

    #[test]
    fn the_input_monitor_sees_the_first_tiers_confidence() {
        let attempt = |on, confidence| Attempt {
            confidence,
            ..Attempt::new(on, "a", Outcome::Escalated, 1.0)
        };
        for (foreign, on, confidence, seen) in [
            (false, RanOn::Local, Some(0.9), Some(0.9)),
            (true, RanOn::Local, Some(0.9), None),
            (false, RanOn::Local, None, None),
            (false, RanOn::Remote, Some(0.9), None),
            (false, RanOn::Builtin, Some(0.9), None),
        ] {
            assert_eq!(watched(foreign, Some(&attempt(on, confidence))), seen);
        }
        assert_eq!(watched(false, None), None);
    }

    fn reference() -> Reference {
        Reference {
            edges: vec![0.5, 0.9],
            counts: vec![10, 20, 30],
        }
    }

    /// One who has seen a drift of inputs and audits.
    fn seen() -> RuntimeMonitors {
        let watch = RuntimeMonitors::default();
        for n in 0..300 {
            watch.seen("drifts", &reference(), 0.1, 0.5);
            watch.audited("drifts", 0.05, n % 7 > 0);
        }
        watch.audited("calm", 0.05, true);
        watch.checked("calm", 0.2, true);
        watch
    }

    #[test]
    fn monitors_go_on_where_those_before_them_ended() {
        let before = seen();
        let kept = before.take_changes();
        assert_eq!(kept.len(), 2);
        assert_eq!(before.take_changes(), []);
        let crossed = serde_json::to_value(&kept).unwrap();
        let kept: Vec<Monitors> = serde_json::from_value(crossed).unwrap();
        let after = RuntimeMonitors::default();
        for kept in &kept {
            after.resume(kept, Some(&reference()));
        }
        assert!(before.alarmed("drifts") && !before.alarmed("calm"));
        for task in ["drifts", "calm"] {
            assert_eq!(after.status(task), before.status(task));
            assert_eq!(after.alarmed(task), before.alarmed(task));
        }
        // An alarm was told of once, and the next observation counts as it would have.
        assert_eq!(after.take_alarms(), []);
        for watch in [&before, &after] {
            watch.seen("drifts", &reference(), 0.95, 0.25);
            watch.audited("calm", 0.05, false);
        }
        assert_eq!(after.status("drifts"), before.status("drifts"));
        assert_eq!(after.take_changes(), before.take_changes());
        // What is forgotten is news as well.
        after.forget_checks(Some("calm"));
        assert_eq!(after.take_changes().len(), 1);
    }

    #[test]
    fn what_is_no_monitors_state_is_left_out() {
        let kept = seen().take_changes();
        let drifts = kept.iter().find(|m| m.task == "drifts").unwrap();
        let status = |kept: &Monitors, reference: Option<&Reference>| {
            let watch = RuntimeMonitors::default();
            watch.resume(kept, reference);
            watch.status("drifts").len()
        };
        assert_eq!(status(drifts, Some(&reference())), 2);
        // Calibrated anew: the inputs' monitor begins anew.
        let mut other = reference();
        other.counts.push(0);
        assert_eq!(status(drifts, Some(&other)), 1);
        assert_eq!(status(drifts, None), 1);
        for (at, wrong) in [
            (0, f64::NAN),
            (0, 0.0),
            (3, -1.0),
            (3, 0.5),
            (4, 0.0),
            (5, f64::INFINITY),
        ] {
            let mut kept = drifts.clone();
            if let Some(inputs) = &mut kept.inputs {
                inputs[at] = wrong;
            }
            assert_eq!(status(&kept, Some(&reference())), 1, "{at}");
            let mut kept = drifts.clone();
            kept.errors[0].truncate(at);
            assert_eq!(status(&kept, Some(&reference())), 1, "{at}");
        }
    }
}
