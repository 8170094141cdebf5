//! A call on its way: how long its parts took, what was tried, what left the device. An answer is made of it.

use crate::host::Clock;
use crate::remote::{Reply, Trace};
use crate::route::{self, Facts};
use crate::task::{Answer, AskedRisk, Attempt, RanOn, Sent, Timing};

/// What has happened to a call so far.
#[derive(Debug)]
pub(super) struct Progress {
    started: f64,
    pub(super) timing: Timing,
    pub(super) attempts: Vec<Attempt>,
    sent: Vec<Sent>,
}

impl Progress {
    /// Of a call that begins now.
    pub(super) fn new(clock: &impl Clock) -> Self {
        Progress {
            started: clock.now_ms(),
            timing: Timing::default(),
            attempts: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Takes in what the remotes did in the milliseconds since `from`.
    pub(super) fn remote(&mut self, trace: Trace, from: f64, clock: &impl Clock) {
        self.timing.remote_ms += clock.now_ms() - from;
        let (attempts, sent) = trace.into_parts();
        self.attempts.extend(attempts);
        self.sent.extend(sent);
    }

    /// An answer with what `facts` say of it. Nobody states a confidence, and it is not degraded.
    pub(super) fn answer<O>(
        self,
        task: &str,
        output: O,
        (ran_on, tier): (RanOn, String),
        facts: &Facts<'_>,
        clock: &impl Clock,
    ) -> Answer<O> {
        Answer {
            task: task.to_owned(),
            output,
            ran_on,
            tier,
            reason: facts.reason,
            explanation: route::explain(facts),
            confidence: None,
            calibrated: false,
            threshold: None,
            risk: facts.asked.and_then(AskedRisk::as_absolute),
            guaranteed: facts.guarantee.is_some(),
            guarantee: facts.guarantee,
            audit: None,
            degraded: false,
            attempts: self.attempts,
            timing: Timing {
                total_ms: clock.now_ms() - self.started,
                ..self.timing
            },
            usage: None,
            cached: false,
            learned: facts.learned.cloned(),
            sent: self.sent,
        }
    }
}

/// Where a reply was made, and by which model.
pub(super) fn origin(reply: &Reply) -> (RanOn, String) {
    let on = match reply.on_device {
        true => RanOn::Builtin,
        false => RanOn::Remote,
    };
    (on, reply.model.clone())
}
