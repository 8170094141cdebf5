//! What may be set about learning.

use serde::{Deserialize, Serialize};

use super::store::MOST_EXAMPLES;
use crate::error::{Code, Error, Result};
use crate::task::risk;

/// How examples are made of remotes' answers, and used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LearnOptions {
    /// The most examples of a task that vote, 100 to 5000. Until the next test, up to as many newer ones wait.
    pub examples: u32,
    /// The share of answers by example that is checked with the remote, 0 to 1.
    pub audit: f64,
    /// The default limit on the disagreement rate with the remote, for tasks and calls that state no risk.
    #[serde(deserialize_with = "risk::deserialize")]
    pub risk: f64,
    /// Whether inputs are kept with their examples, for `exportExamples`. Without, only their vectors are.
    pub keep_inputs: bool,
}

impl Default for LearnOptions {
    fn default() -> Self {
        LearnOptions {
            examples: 2000,
            audit: 0.05,
            risk: 0.05,
            keep_inputs: true,
        }
    }
}

impl LearnOptions {
    pub(super) fn validate(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::new(Code::InvalidOption, what));
        if !(100..=MOST_EXAMPLES).contains(&(self.examples as usize)) {
            return bad("learn.examples must be 100 to 5000");
        }
        if !(0.0..=1.0).contains(&self.audit) {
            return bad("learn.audit is a share, 0 to 1");
        }
        risk::check("risk", Some(self.risk))
    }
}
