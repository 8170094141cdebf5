//! Answers by example in a call's path: the last local tier.

use super::neighbours::Query;
use super::path::Path;
use crate::bundle::Source;
use crate::error::{Code, Error, Result};
use crate::remote::Host;
use crate::route::{Facts, Mode, Obstacle};
use crate::task::{Answer, AskedRisk, Attempt, Outcome, Output, RanOn, Reason};

/// What the examples are called where a tier is named.
const TIER: &str = "learned";

impl<S: Source, H: Host> Path<'_, S, H> {
    /// Asks the examples, where this device is asked first and they may know. True when they are to answer.
    pub(super) async fn recall(&mut self, obstacle: Option<Obstacle>) -> bool {
        let local_first = matches!(self.mode, Mode::OnlyLocal | Mode::PreferLocal);
        let open = match obstacle {
            Some(Obstacle::Hard(reason)) => reason == Reason::UnknownTask,
            Some(Obstacle::Soft(_)) | None => true,
        };
        if !local_first || !open {
            return false;
        }
        let (instruction, labels) = self.question();
        let asked = Query {
            task: self.call.task,
            entry: self.task,
            instruction: &instruction,
            labels: &labels,
            input: self.call.input,
            risk: self.asked().map(|asked| asked.risk),
        };
        let from = self.host.now_ms();
        let lookup = self
            .runtime
            .look_up(&asked, self.host, &mut self.progress.timing)
            .await;
        let advice = lookup.as_ref().and_then(|lookup| lookup.advice.as_ref());
        // Where no remote may be asked, nothing can be checked.
        let check = lookup.as_ref().is_some_and(|l| l.audit) && self.mode != Mode::OnlyLocal;
        if let Some(advice) = advice {
            let (outcome, against) = match advice.threshold {
                None => (Outcome::Escalated, "nothing may answer yet".to_owned()),
                Some(least) if !advice.trusted => (
                    Outcome::Escalated,
                    format!("{least:.3} is the least that may answer"),
                ),
                Some(_) if check => (Outcome::Escalated, "checked with the remote".to_owned()),
                Some(least) => (Outcome::Answered, format!("at least {least:.3} may answer")),
            };
            let ms = self.host.now_ms() - from;
            let mut attempt = Attempt::new(RanOn::Local, TIER, outcome, ms);
            attempt.message = Some(format!(
                "{} examples give \"{}\" a score of {:.3}; {against}",
                advice.learned.examples, advice.label, advice.score
            ));
            self.progress.attempts.push(attempt);
        }
        self.lookup = lookup;
        self.may_answer_by_example() && !check
    }

    pub(super) fn may_answer_by_example(&self) -> bool {
        self.lookup.as_ref().is_some_and(|l| l.trusted().is_some())
    }

    pub(super) fn answer_by_example(self) -> Result<Answer> {
        let advice = self.lookup.and_then(|lookup| lookup.advice);
        let labels = match self.task {
            Some(task) => task.labels.clone(),
            None => self.call.labels.clone().unwrap_or_default(),
        };
        let advice =
            advice.ok_or_else(|| Error::new(Code::Internal, "examples answered without advice"))?;
        let title = labels.into_iter().find(|label| label.id == advice.label);
        let learned = advice.learned;
        let output = Output {
            label: advice.label,
            title: title.and_then(|label| label.title),
            score: None,
            scores: Vec::new(),
        };
        let facts = Facts {
            reason: Reason::Learned,
            confidence: None,
            threshold: None,
            asked: Some(AskedRisk::absolute(learned.risk)),
            guarantee: None,
            remote_problem: None,
            remote_answered: false,
            doubts: &[],
            learned: Some(&learned),
            remote_accuracy: None,
        };
        let origin = (RanOn::Local, TIER.to_owned());
        Ok(Answer {
            confidence: Some(1.0 - learned.bound),
            calibrated: true,
            threshold: Some(1.0 - learned.risk),
            ..self
                .progress
                .answer(self.call.task, output, origin, &facts, self.host)
        })
    }
}
