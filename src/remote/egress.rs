//! What may leave the device, and what did.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::redact::RedactOptions;
use crate::task::Sent;

/// What may leave the device for a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Egress {
    /// Nothing.
    Never,
    /// What the page's `consent` function allows, each time.
    Ask,
    /// Texts without personal data; files not at all.
    Redacted,
    /// Everything.
    #[default]
    Allow,
}

/// What may leave the device, and how it is changed before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Privacy {
    /// For tasks that are not named in `tasks`.
    pub egress: Egress,
    /// For single tasks.
    pub tasks: BTreeMap<String, Egress>,
    /// What is taken out of texts. With it, all texts are redacted; without it, those of tasks whose egress is
    /// `redacted`, and then of every kind.
    pub redact: Option<RedactOptions>,
    /// Whether the page has a function that is asked before anything leaves.
    pub before_remote: bool,
}

impl Privacy {
    /// What may leave for a task.
    pub fn of(&self, task: &str) -> Egress {
        self.tasks.get(task).copied().unwrap_or(self.egress)
    }
}

/// How many requests a ledger lists; of older ones only the sums are kept.
const LISTED: usize = 500;

/// How many bytes of bodies a ledger lists.
const LISTED_BYTES: usize = 4 << 20;

/// What left the device.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct EgressReport {
    /// How many requests were sent since the worker started.
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
}

impl Ledger {
    /// Writes down one request. Called before it is sent, so that nothing leaves unwritten.
    pub fn write(&self, sent: Sent) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.requests += 1;
        written.bytes += u64::from(sent.bytes);
        written.listed_bytes += sent.body.len();
        written.sent.push_back(sent);
        while written.sent.len() > LISTED || written.listed_bytes > LISTED_BYTES {
            let Some(gone) = written.sent.pop_front() else {
                break;
            };
            written.listed_bytes -= gone.body.len();
        }
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
