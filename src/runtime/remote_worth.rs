//! Whether a remote is worth asking: by its profile, or by what audits of its answers found. Which of its answers are audited.

use super::Runtime;
use super::local::Local;
use super::monitors::DrawnReply;
use super::path::{Beside, Path};
use crate::bundle::Source;
use crate::remote::{Host, Reply, worth_claim};
use crate::route::{self, Mode};
use crate::task::{Audit, Reason};

impl<S: Source> Runtime<S> {
    /// Whether audits found of every remote that it is not worth asking.
    fn remotes_are_unworthy(&self, task: &str) -> bool {
        let claim = |model| worth_claim(model, self.worth);
        let mut claims = self.remote.models().map(claim).peekable();
        claims.peek().is_some() && claims.all(|claim| self.watch.refuted(task, claim))
    }
}

impl<S: Source, H: Host> Path<'_, S, H> {
    /// Whether a remote may know better than the best local answer, by what was measured of it. That was on inputs like the
    /// calibration data, so it says nothing where this one is not.
    ///
    /// Draws whether the remote's answer is audited, before it is asked. One that is drawn is asked even where audits found
    /// that it is not worth asking. So every input has the same chance to be audited, whatever audits have found by then, and
    /// they find out if that changes.
    pub(super) fn remote_may_help(&mut self, reason: Reason, best: &Local) -> bool {
        let comparable = matches!(reason, Reason::LowConfidence | Reason::Uncertified);
        let Some(task) = self
            .task
            .filter(|_| comparable && self.mode == Mode::PreferLocal)
        else {
            return true;
        };
        let (runtime, name, confidence) = (self.runtime, self.call.task, best.confidence);
        let models = || runtime.bundle.models_of(task);
        let refuted = |claim| runtime.watch.refuted(name, claim);
        let remote = &runtime.remote;
        self.remote_accuracy = remote.expected_accuracy(name, models, confidence, refuted);
        if !route::remote_may_help(self.remote_accuracy, confidence, runtime.worth) {
            return false;
        }
        let profiled = self.remote_accuracy.is_some();
        // Whoever keeps no monitors draws nothing.
        if self.call.alarmed.is_none() && self.host.uniform() < runtime.audit_share {
            self.beside = Some(Beside {
                label: best.output.label.clone(),
                confidence,
                profiled,
            });
            return true;
        }
        profiled || !runtime.remotes_are_unworthy(name)
    }

    /// How a remote's answer is audited, if it was drawn. One that was kept says nothing of the remote as it is today.
    pub(super) fn audit_of(&self, reply: &Reply) -> Option<Audit> {
        let beside = self.beside.as_ref().filter(|_| !reply.cached)?;
        let (task, output) = (self.task?, reply.output.as_ref()?);
        let (runtime, model) = (self.runtime, &reply.model);
        let (claim, claimed) = match beside.profiled {
            true => {
                let remote = &runtime.remote;
                remote.claimed_accuracy(model, self.call.task, beside.confidence)?
            }
            false => (worth_claim(model, runtime.worth), runtime.worth),
        };
        let same = output.label == beside.label;
        let reply = DrawnReply {
            id: 0,
            claim,
            profile: beside.profiled,
            claimed,
            same,
            other: !same && task.labels.len() == 2,
        };
        let (watch, number) = (&runtime.watch, self.host.uniform());
        Some(Audit {
            id: watch.drawn_reply(self.call.task, reply, number),
            chance: runtime.audit_share,
            local: Some(beside.label.clone()),
        })
    }
}
