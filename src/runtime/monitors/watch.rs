//! The monitors of one task: what they see, one thing after the other, and what they know by then.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::bundle::Reference;
use crate::monitor::{Drift, ErrorMonitor, InputMonitor, MonitorKind};

/// How many drawn answers of a task are remembered, the latest. Whoever reports the outcome of an earlier one is too late.
pub(super) const MOST_DRAWN: usize = 4000;

/// How many different risks are watched. A page has one or two.
const MOST_RISKS: usize = 16;

/// One thing that monitors see.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Observation {
    /// The first tier's confidence for an input, and a fresh random number.
    Input {
        /// The confidence.
        confidence: f64,
        /// The number.
        uniform: f64,
    },
    /// An answer at a risk was drawn to be audited.
    Drawn(Drawn),
    /// A drawn answer was found right or wrong.
    Outcome {
        /// Which.
        id: u64,
        /// Whether it was right.
        correct: bool,
    },
    /// An answer by example was held against the remote's.
    Check {
        /// The share that may differ.
        risk: f64,
        /// Whether it is the same.
        correct: bool,
    },
    /// The examples were forgotten.
    Forgot,
}

/// An answer that was drawn and whose outcome nobody has reported yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Drawn {
    /// Its number, below 2^53.
    pub id: u64,
    /// The promised error rate.
    pub risk: f64,
    /// The smallest chance of any answer divided by the chance of this one.
    pub weight: f64,
}

/// What monitors know, as numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Numbers {
    inputs: Option<Vec<f64>>,
    errors: Vec<Vec<f64>>,
    examples: Vec<Vec<f64>>,
    /// Of each drawn answer its number, its risk and its weight.
    #[serde(default)]
    drawn: Vec<(u64, f64, f64)>,
}

/// The monitors of one task.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    inputs: Option<InputMonitor>,
    errors: Vec<ErrorMonitor>,
    /// Of answers by example, held against the remote's.
    examples: Vec<ErrorMonitor>,
    drawn: VecDeque<Drawn>,
}

impl Watch {
    /// Takes in one thing. Inputs are held against the `reference`; without one nobody watches them.
    pub(super) fn take(&mut self, seen: &Observation, reference: Option<&Reference>) {
        match *seen {
            Observation::Input {
                confidence,
                uniform,
            } => {
                let Some(reference) = reference else { return };
                let monitor = self
                    .inputs
                    .get_or_insert_with(|| InputMonitor::new(reference));
                monitor.observe(confidence, uniform);
            }
            Observation::Drawn(drawn) => {
                if self.drawn.len() >= MOST_DRAWN {
                    self.drawn.pop_front();
                }
                self.drawn.push_back(drawn);
            }
            // Whoever is not in the list was not drawn, or counted already.
            Observation::Outcome { id, correct } => {
                let at = self.drawn.iter().position(|drawn| drawn.id == id);
                if let Some(drawn) = at.and_then(|at| self.drawn.remove(at)) {
                    observe(&mut self.errors, drawn.risk, correct, drawn.weight);
                }
            }
            Observation::Check { risk, correct } => {
                observe(&mut self.examples, risk, correct, 1.0);
            }
            Observation::Forgot => self.examples.clear(),
        }
    }

    /// Whether the alarm about inputs is not raised once this is taken in.
    pub(super) fn stays_calm(&self, seen: &Observation, reference: &Reference) -> bool {
        let mut after = Watch {
            inputs: self.inputs.clone(),
            ..Watch::default()
        };
        after.take(seen, Some(reference));
        after.inputs.is_none_or(|monitor| !monitor.alarmed())
    }

    /// Whether an answer waits for its outcome.
    pub(super) fn awaits(&self, id: u64) -> bool {
        self.drawn.iter().any(|drawn| drawn.id == id)
    }

    /// Whether they have seen nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_none()
            && self.errors.is_empty()
            && self.examples.is_empty()
            && self.drawn.is_empty()
    }

    /// The alarms that were raised, by what is watched and the risk.
    pub(super) fn alarms(&self) -> Vec<(MonitorKind, Option<f64>)> {
        let inputs = self.inputs.iter().filter(|m| m.alarmed());
        let inputs = inputs.map(|_| (MonitorKind::Inputs, None));
        let errors = alarmed(&self.errors).map(|risk| (MonitorKind::Errors, Some(risk)));
        let examples = alarmed(&self.examples).map(|risk| (MonitorKind::Examples, Some(risk)));
        inputs.chain(errors).chain(examples).collect()
    }

    /// How they stand.
    pub(super) fn status(&self, task: &str) -> Vec<Drift> {
        let of = |monitors: &[ErrorMonitor], watched| {
            let status = |monitor: &ErrorMonitor| Drift {
                watched,
                ..monitor.status(task)
            };
            monitors.iter().map(status).collect::<Vec<Drift>>()
        };
        let inputs = self.inputs.iter().map(|m| m.status(task));
        inputs
            .chain(of(&self.errors, MonitorKind::Errors))
            .chain(of(&self.examples, MonitorKind::Examples))
            .collect()
    }

    /// Whatever they know by now, the alarms that `before` had raised of the bundle's own answers stay.
    pub(super) fn stay_alarmed(&mut self, before: &Watch) {
        if let (Some(now), Some(before)) = (&mut self.inputs, &before.inputs) {
            now.stay_alarmed(before);
        }
        for before in before.errors.iter().filter(|m| m.alarmed()) {
            match self.errors.iter_mut().find(|m| m.risk() == before.risk()) {
                Some(now) => now.stay_alarmed(before),
                None => self.errors.push(before.clone()),
            }
        }
    }

    /// All that they know.
    pub(super) fn numbers(&self) -> Numbers {
        let all = |monitors: &[ErrorMonitor]| monitors.iter().map(ErrorMonitor::state).collect();
        let drawn = self.drawn.iter();
        Numbers {
            inputs: self.inputs.as_ref().map(InputMonitor::state),
            errors: all(&self.errors),
            examples: all(&self.examples),
            drawn: drawn.map(|d| (d.id, d.risk, d.weight)).collect(),
        }
    }

    /// Goes on from what others knew. What cannot be theirs is left out.
    pub(super) fn resumed(numbers: &Numbers, reference: Option<&Reference>) -> Self {
        let all = |kept: &[Vec<f64>]| {
            let monitors = kept.iter().map(|state| ErrorMonitor::resumed(state));
            monitors.flatten().take(MOST_RISKS).collect()
        };
        let share = |n: f64| n > 0.0 && n <= 1.0;
        let drawn = numbers
            .drawn
            .iter()
            .map(|&(id, risk, weight)| Drawn { id, risk, weight });
        let drawn = drawn.filter(|d| share(d.weight) && share(d.risk) && d.risk < 1.0);
        let inputs = numbers.inputs.as_ref().zip(reference);
        Watch {
            inputs: inputs.and_then(|(state, reference)| InputMonitor::resumed(reference, state)),
            errors: all(&numbers.errors),
            examples: all(&numbers.examples),
            drawn: drawn.take(MOST_DRAWN).collect(),
        }
    }
}

impl Numbers {
    /// Without the drawn answers, which are many.
    pub(super) fn of_monitors(self) -> Self {
        Numbers {
            drawn: Vec::new(),
            ..self
        }
    }
}

fn alarmed(monitors: &[ErrorMonitor]) -> impl Iterator<Item = f64> + '_ {
    let alarmed = monitors.iter().filter(|m| m.alarmed());
    alarmed.map(ErrorMonitor::risk)
}

/// Takes one answer in, by the monitor of its risk.
fn observe(monitors: &mut Vec<ErrorMonitor>, risk: f64, correct: bool, weight: f64) {
    let at = monitors.iter().position(|m| m.risk() == risk);
    let at = at.unwrap_or(monitors.len());
    if at == monitors.len() && at < MOST_RISKS {
        monitors.push(ErrorMonitor::new(risk));
    }
    if let Some(monitor) = monitors.get_mut(at) {
        monitor.observe(correct, weight);
    }
}
