//! What was tried for a call, and what left the device for it.

use std::cell::RefCell;

use super::endpoint::Endpoint;
use crate::error::{Code, Error};
use crate::task::{Attempt, Outcome, RanOn, Sent};

/// What was tried for a call, and what left the device for it.
#[derive(Debug, Default)]
pub struct Trace {
    attempts: RefCell<Vec<Attempt>>,
    sent: RefCell<Vec<Sent>>,
}

impl Trace {
    /// Both lists.
    pub fn into_parts(self) -> (Vec<Attempt>, Vec<Sent>) {
        (self.attempts.into_inner(), self.sent.into_inner())
    }

    pub(super) fn sent(&self, sent: Sent) {
        self.sent.borrow_mut().push(sent);
    }

    /// Notes an attempt that begins, and gives its place.
    pub(super) fn begin(&self, endpoint: &Endpoint) -> usize {
        let mut attempts = self.attempts.borrow_mut();
        attempts.push(attempt(Some(endpoint), Outcome::Cancelled));
        attempts.len() - 1
    }

    /// Notes how the attempt at a place ended.
    pub(super) fn end(&self, at: usize, ms: f64, result: Result<(), &Error>) {
        let mut attempts = self.attempts.borrow_mut();
        let Some(attempt) = attempts.get_mut(at) else {
            return;
        };
        attempt.ms = ms;
        attempt.outcome = Outcome::Answered;
        if let Err(error) = result {
            attempt.end(Outcome::Failed, error.code().as_str(), error.to_string());
        }
    }

    /// Notes that an endpoint, or none, was not asked.
    pub(super) fn skip(&self, endpoint: Option<&Endpoint>, code: Code, why: &str) {
        let mut skipped = attempt(endpoint, Outcome::Skipped);
        skipped.end(Outcome::Skipped, code.as_str(), why.to_owned());
        self.attempts.borrow_mut().push(skipped);
    }
}

fn attempt(endpoint: Option<&Endpoint>, outcome: Outcome) -> Attempt {
    let here = endpoint.is_some_and(Endpoint::is_on_device);
    let on = if here { RanOn::Builtin } else { RanOn::Remote };
    Attempt {
        endpoint: endpoint.map(|e| e.name().to_owned()),
        ..Attempt::new(on, endpoint.map_or("", Endpoint::model), outcome, 0.0)
    }
}
