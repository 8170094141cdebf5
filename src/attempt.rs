//! One thing that was tried for a call, as answers and errors list it.

use serde::{Deserialize, Serialize};

/// Where an answer was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum RanOn {
    /// On this device, by a model of the bundle.
    Local,
    /// On this device, by the browser's own language model.
    Builtin,
    /// At a configured remote endpoint, or by the page's own function.
    Remote,
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its answer was returned.
    Answered,
    /// It gave an answer that was not trusted enough.
    Escalated,
    /// It failed.
    Failed,
    /// It was not tried, for the reason in `code`.
    Skipped,
    /// It was under way when its answer was no longer needed: another came first, or time was up.
    Cancelled,
}

/// What speaks against a local answer, where the head's probability of being right is lower for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Doubt {
    /// Another label is almost as likely.
    CloseLabels,
    /// The model is less often right about inputs as short as this one.
    ShortInput,
    /// The model is less often right about inputs as long as this one.
    LongInput,
    /// The model often gives this label where another one is right.
    ConfusedLabel,
}

/// One thing that was tried for a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Where.
    pub on: RanOn,
    /// The head's name, or the remote model's.
    pub tier: String,
    /// The address that was asked, for remotes.
    pub endpoint: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// The calibrated probability that the output is right, where there is one.
    pub confidence: Option<f64>,
    /// The threshold it was held against, where there is one.
    pub threshold: Option<f64>,
    /// What speaks against its answer, the weightiest first. Only heads that were calibrated with a correctness head say so.
    #[serde(default)]
    pub doubts: Vec<Doubt>,
    /// The error's code, when it failed or was skipped.
    pub code: Option<String>,
    /// The error's message, when it failed or was skipped.
    pub message: Option<String>,
}

impl Attempt {
    /// An attempt of which no more is known.
    pub(crate) fn new(on: RanOn, tier: &str, outcome: Outcome, ms: f64) -> Self {
        Attempt {
            on,
            tier: tier.to_owned(),
            endpoint: None,
            outcome,
            ms,
            confidence: None,
            threshold: None,
            doubts: Vec::new(),
            code: None,
            message: None,
        }
    }

    /// Notes that it came to this end, and why.
    pub(crate) fn end(&mut self, outcome: Outcome, code: &str, message: String) {
        self.outcome = outcome;
        self.code = Some(code.to_owned());
        self.message = Some(message);
    }
}
