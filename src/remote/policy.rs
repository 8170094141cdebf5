//! How failures are met: retries, waits, breakers. Pure: time and chance are passed in.

use serde::{Deserialize, Serialize};

use super::failure::{Failure, LONGEST_WAIT_MS};
use crate::error::{Code, Error, Result};

/// How failures of the remote are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// How often a request that may succeed later is sent again to the same endpoint.
    pub max_retries: u32,
    /// How long asking may take altogether, over all tries and endpoints, in milliseconds. Does not
    /// count for streamed text, whose reader may take its time.
    pub deadline_ms: u32,
    /// After how many milliseconds without an answer the next endpoint is asked, too, and the first answer
    /// counts; never when absent. Both may be billed. Not for streamed text.
    pub hedge_after_ms: Option<u32>,
    /// After how many failures in a row an endpoint is left alone for a while.
    pub breaker_failures: u32,
    /// For how long, in milliseconds; then one call tries it.
    pub breaker_open_ms: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            max_retries: 2,
            deadline_ms: 60_000,
            hedge_after_ms: None,
            breaker_failures: 5,
            breaker_open_ms: 30_000,
        }
    }
}

/// The first retry's longest wait, in milliseconds. It doubles with each.
const BASE_MS: f64 = 500.0;

/// The longest wait that is our own choice, in milliseconds.
const CAP_MS: f64 = 8_000.0;

impl Policy {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn validate(&self) -> Result<()> {
        if self.max_retries > 10 || self.deadline_ms == 0 || self.breaker_failures == 0 {
            return Err(Error::new(
                Code::InvalidOption,
                "policy: maxRetries may be 0 to 10; deadlineMs and breakerFailures must be at least 1",
            ));
        }
        Ok(())
    }

    /// How long to wait before trying again after `failure`, the `retries`-th retry being next (from
    /// 0); nothing when it is not tried again. "Full jitter": uniformly between 0 and the capped
    /// exponential wait (Brooker, "Exponential Backoff And Jitter", 2015), on top of what the server asks.
    pub fn wait(&self, failure: &Failure, retries: u32, uniform: f64) -> Option<f64> {
        if !failure.retry || retries >= self.max_retries {
            return None;
        }
        let own = uniform * (BASE_MS * 2f64.powi(retries.min(20) as i32)).min(CAP_MS);
        match failure.wait_ms {
            Some(asked) if asked > LONGEST_WAIT_MS => None,
            // Not earlier than asked; the jitter keeps a crowd from coming back in one moment.
            Some(asked) => Some(asked + own),
            None => Some(own),
        }
    }
}

/// Whether an endpoint may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Admission {
    /// It may.
    Yes,
    /// Not before that moment.
    Until(f64),
}

/// A circuit breaker: after some failures in a row an endpoint is left alone for a while, then one
/// try decides whether it is back (Nygard, "Release It!", 2007).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Breaker {
    failures: u32,
    /// Left alone until then.
    open_until: Option<f64>,
    /// One try is under way to see whether it is back; another may follow from then on, should that
    /// one never come back.
    probe_until: Option<f64>,
}

impl Breaker {
    /// Asks to try the endpoint now.
    pub fn admit(&mut self, policy: &Policy, now: f64) -> Admission {
        let Some(open) = self.open_until else {
            return Admission::Yes;
        };
        let until = open.max(self.probe_until.unwrap_or(f64::NEG_INFINITY));
        if now < until {
            return Admission::Until(until);
        }
        self.probe_until = Some(now + f64::from(policy.breaker_open_ms));
        Admission::Yes
    }

    /// It answered.
    pub fn succeeded(&mut self) {
        *self = Breaker::default();
    }

    /// It failed in a way that says nothing about its health.
    pub fn indifferent(&mut self) {
        self.probe_until = None;
    }

    /// It failed. A server that asks for a long wait is left alone for that long.
    pub fn failed(&mut self, policy: &Policy, now: f64, asked_wait_ms: Option<f64>) {
        self.failures = self.failures.saturating_add(1);
        self.probe_until = None;
        let asked = asked_wait_ms.filter(|&ms| ms > LONGEST_WAIT_MS);
        if self.failures >= policy.breaker_failures || asked.is_some() {
            // A day at most: nobody keeps a page open to wait for more.
            let wait = asked
                .unwrap_or(f64::from(policy.breaker_open_ms))
                .min(86_400_000.0);
            self.open_until = Some(now + wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(wait_ms: Option<f64>) -> Failure {
        Failure {
            retry: true,
            wait_ms,
            ..Failure::bad_reply("x")
        }
    }

    #[test]
    fn waits_grow_and_keep_to_what_is_asked() {
        let policy = Policy {
            max_retries: 10,
            ..Policy::default()
        };
        let most: Vec<_> = (0..6)
            .map(|n| policy.wait(&failure(None), n, 1.0).unwrap())
            .collect();
        assert_eq!(most, [500.0, 1000.0, 2000.0, 4000.0, 8000.0, 8000.0]);
        assert_eq!(policy.wait(&failure(None), 3, 0.0), Some(0.0));
        assert_eq!(policy.wait(&failure(Some(3000.0)), 0, 0.5), Some(3250.0));
        assert_eq!(policy.wait(&failure(Some(60_001.0)), 0, 0.5), None);
        assert_eq!(policy.wait(&failure(None), 10, 0.5), None);
        assert_eq!(policy.wait(&Failure::bad_reply("x"), 0, 0.5), None);
    }

    #[test]
    fn a_breaker_opens_probes_once_and_closes() {
        let policy = Policy {
            breaker_failures: 2,
            breaker_open_ms: 100,
            ..Policy::default()
        };
        let mut breaker = Breaker::default();
        breaker.failed(&policy, 0.0, None);
        assert_eq!(breaker.admit(&policy, 1.0), Admission::Yes);
        breaker.failed(&policy, 1.0, None);
        assert_eq!(breaker.admit(&policy, 100.0), Admission::Until(101.0));
        assert_eq!(breaker.admit(&policy, 101.0), Admission::Yes, "the probe");
        assert_eq!(breaker.admit(&policy, 102.0), Admission::Until(201.0));
        breaker.failed(&policy, 110.0, None);
        assert_eq!(breaker.admit(&policy, 150.0), Admission::Until(210.0));
        assert_eq!(breaker.admit(&policy, 210.0), Admission::Yes);
        // A probe that never comes back does not keep it shut for ever.
        assert_eq!(breaker.admit(&policy, 310.0), Admission::Yes);
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
        breaker.failed(&policy, 0.0, Some(3_600_000.0));
        assert_eq!(breaker.admit(&policy, 1.0), Admission::Until(3_600_000.0));
    }
}
