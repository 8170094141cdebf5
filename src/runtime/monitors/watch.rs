//! The monitors of one task: what they see, one thing after the other, and what they know by then.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::bundle::Reference;
use crate::monitor::{Drift, ErrorMonitor, InputMonitor, MonitorKind, RemoteClaim, RemoteMonitor};

/// How many drawn answers of a task are remembered, the latest. Whoever reports the outcome of an earlier one is too late.
pub(super) const MOST_DRAWN: usize = 4000;

/// How many different risks are watched. A page has one or two.
const MOST_RISKS: usize = 16;

/// How many claims about remotes are watched. A page has one or two; the one that was not audited for the longest time goes.
const MOST_CLAIMS: usize = 8;

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
    /// A remote's answer was drawn to be audited.
    Reply(DrawnReply),
    /// A drawn answer was found right or wrong.
    Outcome {
        /// Which.
        id: u64,
        /// Whether it was right.
        correct: bool,
        /// Whether the best local answer beside a remote's was, where that is known.
        local: Option<bool>,
    },
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

/// The same of a remote's answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in crate::runtime) struct DrawnReply {
    /// Its number, below 2^53.
    pub id: u64,
    /// The number of the claim that it is held against.
    pub claim: u64,
    /// Whether that is a profile's.
    pub profile: bool,
    /// What is claimed: the accuracy that the profile expects, or the worth.
    pub claimed: f64,
    /// Whether the best local answer is the same,
    pub same: bool,
    /// and whether it is right if the remote's is wrong: there is no third label.
    pub other: bool,
}

impl DrawnReply {
    fn kind(&self) -> RemoteClaim {
        match self.profile {
            true => RemoteClaim::Profile,
            false => RemoteClaim::Worth,
        }
    }

    /// Whether the best local answer is right, where nobody says. One that may be counts as wrong, so that the remote is
    /// rather asked.
    fn local(&self, correct: bool) -> bool {
        match correct {
            true => self.same,
            false => self.other,
        }
    }

    fn numbers(&self) -> (u64, u64, f64, u8) {
        let bits = [self.profile, self.same, self.other].map(u8::from);
        let bits = bits.iter().rev().fold(0, |all, bit| all << 1 | bit);
        (self.id, self.claim, self.claimed, bits)
    }

    fn resumed(&(id, claim, claimed, bits): &(u64, u64, f64, u8)) -> Option<Self> {
        let sound = (0.0..=1.0).contains(&claimed) && bits < 8;
        sound.then_some(DrawnReply {
            id,
            claim,
            profile: bits & 1 > 0,
            claimed,
            same: bits & 2 > 0,
            other: bits & 4 > 0,
        })
    }
}

/// What monitors know, as numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Numbers {
    inputs: Option<Vec<f64>>,
    errors: Vec<Vec<f64>>,
    /// Of each drawn answer its number, its risk and its weight.
    #[serde(default)]
    drawn: Vec<(u64, f64, f64)>,
    #[serde(default)]
    remotes: Vec<Vec<f64>>,
    /// Of each drawn answer of a remote its number, its claim's, what is claimed, and what else is known, as bits.
    #[serde(default)]
    replies: Vec<(u64, u64, f64, u8)>,
}

/// The monitors of one task.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    inputs: Option<InputMonitor>,
    errors: Vec<ErrorMonitor>,
    drawn: VecDeque<Drawn>,
    /// Of claims about remotes, the one that was audited last at the end.
    remotes: Vec<RemoteMonitor>,
    replies: VecDeque<DrawnReply>,
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
            Observation::Drawn(drawn) => remember(&mut self.drawn, drawn),
            Observation::Reply(reply) => remember(&mut self.replies, reply),
            // Whoever is not in the lists was not drawn, or counted already.
            Observation::Outcome { id, correct, local } => {
                let at = self.drawn.iter().position(|drawn| drawn.id == id);
                if let Some(drawn) = at.and_then(|at| self.drawn.remove(at)) {
                    observe(&mut self.errors, drawn.risk, correct, drawn.weight);
                }
                let at = self.replies.iter().position(|reply| reply.id == id);
                if let Some(reply) = at.and_then(|at| self.replies.remove(at)) {
                    let local = local.unwrap_or_else(|| reply.local(correct));
                    let mut monitor = self.take_remote(reply.claim, reply.kind());
                    monitor.observe(reply.claimed, correct, local);
                    self.remotes.push(monitor);
                }
            }
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
            || self.replies.iter().any(|reply| reply.id == id)
    }

    /// Whether audits speak against a claim about a remote.
    pub(super) fn refutes(&self, claim: u64) -> bool {
        let mut monitors = self.remotes.iter();
        monitors.any(|monitor| monitor.id() == claim && monitor.alarmed())
    }

    /// Takes the monitor of a claim out of the list, for it to come to the end; a new one where there is none.
    fn take_remote(&mut self, claim: u64, kind: RemoteClaim) -> RemoteMonitor {
        let at = self.remotes.iter().position(|m| m.id() == claim);
        if let Some(at) = at {
            return self.remotes.remove(at);
        }
        if self.remotes.len() >= MOST_CLAIMS {
            self.remotes.remove(0);
        }
        RemoteMonitor::new(claim, kind)
    }

    /// Whether they have seen nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_none()
            && self.errors.is_empty()
            && self.drawn.is_empty()
            && self.remotes.is_empty()
            && self.replies.is_empty()
    }

    /// The alarms that were raised, by what is watched and the risk.
    pub(super) fn alarms(&self) -> Vec<(MonitorKind, Option<f64>)> {
        let inputs = self.inputs.iter().filter(|m| m.alarmed());
        let inputs = inputs.map(|_| (MonitorKind::Inputs, None));
        let errors = alarmed(&self.errors).map(|risk| (MonitorKind::Errors, Some(risk)));
        let remotes = self.profiles().filter(|m| m.alarmed());
        let remotes = remotes.map(|_| (MonitorKind::Remote, None));
        inputs.chain(errors).chain(remotes).collect()
    }

    /// The monitors of profiles. Others end by themselves, and raise no alarm that anybody is told of.
    fn profiles(&self) -> impl Iterator<Item = &RemoteMonitor> {
        let monitors = self.remotes.iter();
        monitors.filter(|m| m.claim() == RemoteClaim::Profile)
    }

    /// How they stand.
    pub(super) fn status(&self, task: &str) -> Vec<Drift> {
        let inputs = self.inputs.iter().map(|m| m.status(task));
        inputs
            .chain(self.errors.iter().map(|m| m.status(task)))
            .chain(self.remotes.iter().map(|m| m.status(task)))
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
        for before in before.profiles().filter(|m| m.alarmed()) {
            let mut now = self.take_remote(before.id(), RemoteClaim::Profile);
            now.stay_alarmed(before);
            self.remotes.push(now);
        }
    }

    /// All that they know.
    pub(super) fn numbers(&self) -> Numbers {
        let all = |monitors: &[ErrorMonitor]| monitors.iter().map(ErrorMonitor::state).collect();
        let drawn = self.drawn.iter();
        Numbers {
            inputs: self.inputs.as_ref().map(InputMonitor::state),
            errors: all(&self.errors),
            drawn: drawn.map(|d| (d.id, d.risk, d.weight)).collect(),
            remotes: self.remotes.iter().map(RemoteMonitor::state).collect(),
            replies: self.replies.iter().map(DrawnReply::numbers).collect(),
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
        let remotes = numbers.remotes.iter();
        let remotes = remotes.filter_map(|state| RemoteMonitor::resumed(state));
        let replies = numbers.replies.iter().filter_map(DrawnReply::resumed);
        Watch {
            inputs: inputs.and_then(|(state, reference)| InputMonitor::resumed(reference, state)),
            errors: all(&numbers.errors),
            drawn: drawn.take(MOST_DRAWN).collect(),
            remotes: remotes.take(MOST_CLAIMS).collect(),
            replies: replies.take(MOST_DRAWN).collect(),
        }
    }
}

impl Numbers {
    /// Without the drawn answers, which are many.
    pub(super) fn of_monitors(self) -> Self {
        Numbers {
            drawn: Vec::new(),
            replies: Vec::new(),
            ..self
        }
    }
}

/// Remembers what was drawn; the earliest is forgotten.
fn remember<T>(drawn: &mut VecDeque<T>, new: T) {
    if drawn.len() >= MOST_DRAWN {
        drawn.pop_front();
    }
    drawn.push_back(new);
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
