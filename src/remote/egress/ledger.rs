//! What left the device.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::task::Sent;

/// How many requests a ledger lists; of older ones only the sums are kept.
const LISTED: usize = 500;

/// How many bytes of bodies a ledger lists.
const LISTED_BYTES: usize = 4 << 20;

/// What left the device.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct EgressReport {
    /// How many requests were sent since the instance was made.
    #[cfg_attr(test, ts(type = "number"))]
    pub requests: u64,
    /// How many bytes their bodies had.
    #[cfg_attr(test, ts(type = "number"))]
    pub bytes: u64,
    /// The latest of them, oldest first.
    pub sent: Vec<Sent>,
}

/// Writes down what leaves the device.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    requests: u64,
    bytes: u64,
    sent: VecDeque<Sent>,
    listed_bytes: usize,
    /// How many of all requests were handed out as news.
    told: u64,
}

impl Ledger {
    /// Writes down one request. Called before it is sent, so that nothing leaves unwritten.
    pub fn write(&self, sent: Sent) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.requests += 1;
        written.bytes += u64::from(sent.bytes);
        written.listed_bytes += sent.body.len();
        written.sent.push_back(sent);
        // The latest is listed however long it is.
        while written.sent.len() > LISTED
            || (written.sent.len() > 1 && written.listed_bytes > LISTED_BYTES)
        {
            let Some(gone) = written.sent.pop_front() else {
                break;
            };
            written.listed_bytes -= gone.body.len();
        }
    }

    /// The requests that were written down since this was last asked, as far as they are listed.
    pub fn news(&self) -> Vec<Sent> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = (written.requests - written.told) as usize;
        written.told = written.requests;
        let old = written.sent.len().saturating_sub(new);
        written.sent.iter().skip(old).cloned().collect()
    }

    /// What was written down.
    pub fn report(&self) -> EgressReport {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        EgressReport {
            requests: written.requests,
            bytes: written.bytes,
            sent: written.sent.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(body: String) -> Sent {
        Sent {
            at: 0.0,
            task: "t".into(),
            endpoint: "https://a.example".into(),
            model: "m".into(),
            bytes: body.len() as u32,
            body,
            redactions: Default::default(),
        }
    }

    #[test]
    fn each_request_is_news_once_however_long_it_is() {
        let ledger = Ledger::default();
        assert_eq!(ledger.news(), []);
        for body in ["a", "b"] {
            ledger.write(sent(body.into()));
        }
        let long = sent("x".repeat(LISTED_BYTES + 1));
        assert_eq!(ledger.news().len(), 2);
        ledger.write(long.clone());
        assert_eq!(ledger.news(), [long]);
        assert_eq!(ledger.news(), []);
        assert_eq!(
            (ledger.report().requests, ledger.report().sent.len()),
            (3, 1)
        );
    }
}
