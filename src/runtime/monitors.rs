//! The monitors of a runtime's tasks.

mod stored;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::once_map::OnceMap;
use crate::attempt::{Attempt, RanOn};
use crate::bundle::Reference;
use crate::host::Storage;
use crate::monitor::{Drift, MonitorKind};

pub(super) use stored::Place;
pub(super) use watch::DrawnReply;
use watch::{Drawn, Numbers, Observation, Watch};

/// How many observations wait to be written at most; where nobody writes, the oldest are let go.
const MOST_UNWRITTEN: usize = 10_000;

/// Draws are numbered below this, which JavaScript can count to.
const NUMBERS: f64 = (1_u64 << 53) as f64;

/// Whether inputs that differ from the calibration data end a task's guarantee. Audited answers that are wrong too often
/// always do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum OnDrift {
    /// They are reported only. They may be harmless, and the promise does not rest on them.
    #[default]
    Report,
    /// They end it.
    Stop,
}

/// The monitors of one task, for a runtime that comes after this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monitors {
    /// The task.
    pub task: String,
    numbers: Numbers,
    /// What was seen since they were last written where they are kept.
    unwritten: Vec<Observation>,
}

/// All monitors, and the alarms nobody has heard of yet.
#[derive(Debug)]
pub(super) struct RuntimeMonitors {
    state: Mutex<State>,
    /// The tasks whose monitors have gone on from what is kept.
    resumed: OnceMap<()>,
}

#[derive(Debug, Default)]
struct State {
    tasks: BTreeMap<String, TaskMonitors>,
    alarms: Vec<Drift>,
}

#[derive(Debug, Default)]
struct TaskMonitors {
    watch: Watch,
    unwritten: Vec<Observation>,
    /// Whether they have seen something that no later runtime was told of.
    changed: bool,
}

impl State {
    /// The monitors of a task, to be changed.
    fn of(&mut self, task: &str) -> &mut TaskMonitors {
        let monitors = self.tasks.entry(task.to_owned()).or_default();
        monitors.changed = true;
        monitors
    }

    /// Takes in one thing.
    fn take(&mut self, task: &str, seen: Observation, reference: Option<&Reference>) {
        let monitors = self.of(task);
        let before = monitors.watch.alarms();
        monitors.watch.take(&seen, reference);
        if monitors.unwritten.len() >= MOST_UNWRITTEN {
            monitors.unwritten.drain(..MOST_UNWRITTEN / 2);
        }
        monitors.unwritten.push(seen);
        self.tell(task, &before);
    }

    /// Has those alarms of a task told that were not there before.
    fn tell(&mut self, task: &str, before: &[(MonitorKind, Option<f64>)]) {
        let Some(monitors) = self.tasks.get(task) else {
            return;
        };
        if monitors.watch.alarms().len() == before.len() {
            return;
        }
        let status = monitors.watch.status(task).into_iter();
        let told = |d: &Drift| d.watched != MonitorKind::RemoteWorth;
        let new = |d: &Drift| d.alarmed && told(d) && !before.contains(&(d.watched, d.risk));
        self.alarms.extend(status.filter(new));
    }
}

/// The confidence that the input monitor sees of an input: the first local tier's. None where calibration looked at no such
/// input, because its language is none of the task's (`foreign`), or where the tier gave no answer.
pub(super) fn watched(foreign: bool, first: Option<&Attempt>) -> Option<f64> {
    let first = first.filter(|first| !foreign && first.on == RanOn::Local);
    first.and_then(|first| first.confidence)
}

impl Default for RuntimeMonitors {
    fn default() -> Self {
        RuntimeMonitors {
            state: Mutex::default(),
            resumed: OnceMap::new(),
        }
    }
}

impl RuntimeMonitors {
    /// Takes in the first tier's confidence for one input.
    pub(super) fn seen(&self, task: &str, reference: &Reference, confidence: f64, uniform: f64) {
        let seen = Observation::Input {
            confidence,
            uniform,
        };
        self.lock().take(task, seen, Some(reference));
    }

    /// As [`RuntimeMonitors::seen`], unless that would raise the alarm: then nothing is taken in, and this is false.
    pub(super) fn seen_calmly(
        &self,
        task: &str,
        reference: &Reference,
        confidence: f64,
        uniform: f64,
    ) -> bool {
        let seen = Observation::Input {
            confidence,
            uniform,
        };
        let mut state = self.lock();
        let calm = state.of(task).watch.stays_calm(&seen, reference);
        if calm {
            state.take(task, seen, Some(reference));
        }
        calm
    }

    /// Remembers that an answer was drawn to be audited. `number` is a fresh random number in `[0, 1)`; gives the answer's
    /// own.
    pub(super) fn drawn(&self, task: &str, risk: f64, weight: f64, number: f64) -> u64 {
        let drawn = |id| Observation::Drawn(Drawn { id, risk, weight });
        self.remember(task, number, drawn)
    }

    /// The same of a remote's answer, whose number the `reply` does not have yet.
    pub(super) fn drawn_reply(&self, task: &str, reply: DrawnReply, number: f64) -> u64 {
        let drawn = |id| Observation::Reply(DrawnReply { id, ..reply });
        self.remember(task, number, drawn)
    }

    fn remember(&self, task: &str, number: f64, drawn: impl Fn(u64) -> Observation) -> u64 {
        let mut state = self.lock();
        let mut id = (number * NUMBERS) as u64;
        while state.of(task).watch.awaits(id) {
            id = (id + 1) % NUMBERS as u64;
        }
        state.take(task, drawn(id), None);
        id
    }

    /// Takes in whether a drawn answer was right, and whether the best local one beside it was. False, and nothing is taken
    /// in, where it was not drawn, or counted already, or is too old.
    pub(super) fn audited(&self, task: &str, id: u64, correct: bool, local: Option<bool>) -> bool {
        let mut state = self.lock();
        let counts = state.of(task).watch.awaits(id);
        if counts {
            let seen = Observation::Outcome { id, correct, local };
            state.take(task, seen, None);
        }
        counts
    }

    /// Whether audits speak against a claim about a remote.
    pub(super) fn refuted(&self, task: &str, claim: u64) -> bool {
        let state = self.lock();
        let monitors = state.tasks.get(task);
        monitors.is_some_and(|monitors| monitors.watch.refutes(claim))
    }

    /// Has alarms told that were raised elsewhere.
    pub(super) fn raise(&self, alarms: impl Iterator<Item = Drift>) {
        self.lock().alarms.extend(alarms);
    }

    /// Whether an alarm has ended the guarantee of the bundle's own answers.
    pub(super) fn ended(&self, task: &str, on_drift: OnDrift) -> bool {
        let state = self.lock();
        let alarms = state.tasks.get(task).map(|m| m.watch.alarms());
        alarms
            .into_iter()
            .flatten()
            .any(|(watched, _)| match watched {
                MonitorKind::Errors => true,
                MonitorKind::Inputs => on_drift == OnDrift::Stop,
                MonitorKind::Examples | MonitorKind::Remote | MonitorKind::RemoteWorth => false,
            })
    }

    pub(super) fn status(&self, task: &str) -> Vec<Drift> {
        let state = self.lock();
        let monitors = state.tasks.get(task);
        monitors.map_or_else(Vec::new, |m| m.watch.status(task))
    }

    /// The monitors that have changed since this was last asked. Drawn answers are not among what they know: those are many,
    /// and are kept.
    pub(super) fn take_changes(&self) -> Vec<Monitors> {
        let mut state = self.lock();
        let changed = state.tasks.iter_mut().filter(|(_, m)| m.changed);
        let changed = changed.map(|(task, monitors)| {
            monitors.changed = false;
            Monitors {
                task: task.clone(),
                numbers: monitors.watch.numbers().of_monitors(),
                unwritten: monitors.unwritten.clone(),
            }
        });
        changed.collect()
    }

    /// Goes on from what an earlier runtime's monitors knew of a task. What is not theirs is left out.
    pub(super) fn resume(&self, earlier: &Monitors, reference: Option<&Reference>) {
        let mut watch = Watch::resumed(&earlier.numbers, reference);
        let drawn =
            |seen: &&Observation| matches!(seen, Observation::Drawn(_) | Observation::Reply(_));
        let drawn = earlier.unwritten.iter().filter(drawn);
        drawn.for_each(|seen| watch.take(seen, None));
        let monitors = TaskMonitors {
            watch,
            unwritten: earlier.unwritten.clone(),
            changed: false,
        };
        self.lock().tasks.insert(earlier.task.clone(), monitors);
    }

    /// Goes on from what is kept of a task; once, and whoever comes meanwhile waits for it.
    pub(super) async fn resume_stored(
        &self,
        task: &str,
        place: &Place<'_>,
        storage: &impl Storage,
    ) {
        let resuming = self.resumed.get_or_make(task, || async {
            self.keep(task, place, storage).await;
            Ok(())
        });
        // It cannot fail.
        let _ = resuming.await;
    }

    /// Whether they have gone on from what is kept of a task.
    pub(super) fn is_resumed(&self, task: &str) -> bool {
        self.resumed.has(task)
    }

    /// The tasks that have seen something since it was written.
    pub(super) fn unwritten(&self) -> Vec<String> {
        let state = self.lock();
        let tasks = state.tasks.iter().filter(|(_, m)| !m.unwritten.is_empty());
        tasks.map(|(task, _)| task.clone()).collect()
    }

    /// Adds what a task's monitors have seen to what is kept, and goes on from there.
    pub(super) async fn keep(&self, task: &str, place: &Place<'_>, storage: &impl Storage) {
        let (own, seen) = {
            let mut state = self.lock();
            let monitors = state.of(task);
            // Taken out before it is written: whoever comes after this runtime is told that it is, and does not write it
            // again, come what may.
            (
                monitors.watch.clone(),
                std::mem::take(&mut monitors.unwritten),
            )
        };
        let mut merged = place.merge(own, &seen, storage).await;
        let mut state = self.lock();
        let monitors = state.of(task);
        for seen in &monitors.unwritten {
            merged.take(seen, place.reference);
        }
        merged.stay_alarmed(&monitors.watch);
        let before = monitors.watch.alarms();
        monitors.watch = merged;
        state.tell(task, &before);
    }

    /// Lets go of what cannot be written.
    pub(super) fn forget_unwritten(&self, task: &str) {
        if let Some(monitors) = self.lock().tasks.get_mut(task) {
            monitors.unwritten.clear();
        }
    }

    pub(super) fn take_alarms(&self) -> Vec<Drift> {
        std::mem::take(&mut self.lock().alarms)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
