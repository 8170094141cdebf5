//! The answer of a call: what came out, where it ran, and why there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AnswerGuarantee, Output};
use crate::attempt::{Attempt, RanOn};

/// Why the call was answered where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A local model's confidence reaches its threshold.
    Confident,
    /// The mode asks for the remote.
    Mode,
    /// The bundle has no such task.
    UnknownTask,
    /// The input holds too little for the local model.
    InputTooShort,
    /// The input is over a limit of the task.
    InputTooLong,
    /// The text is in a language the local model does not cover.
    UnsupportedLanguage,
    /// No local model of the task could be loaded or run.
    ModelUnavailable,
    /// No local model's confidence reaches its threshold.
    LowConfidence,
    /// No threshold is certified for the risk asked for, so no local answer is trusted.
    Uncertified,
    /// The input is unlike what the local models were trained on.
    OutOfDistribution,
    /// The remote was asked first, as the mode wants, and could not answer.
    RemoteFailed,
    /// The task's answer is made of the input's own sentences, which this device can choose.
    Extracted,
    /// The task writes text, which only a remote can.
    RemoteOnly,
    /// The input nearly repeats others that the remote answered.
    Learned,
    /// No local model's confidence reaches its threshold, but by its profile the remote is no likelier right.
    RemoteUnlikelyToHelp,
    /// Only this device answers tasks of this kind.
    LocalOnly,
}

/// How long the parts of a call took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    /// The whole call.
    pub total_ms: f64,
    /// Fetching, verifying and preparing models; 0 once they are loaded.
    pub load_ms: f64,
    /// Preprocessing and running local models.
    pub infer_ms: f64,
    /// Waiting for the remote.
    pub remote_ms: f64,
}

/// What a call's remote requests used, all tries together. What a server did not count is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of requests.
    #[cfg_attr(test, ts(type = "number"))]
    pub input_tokens: u64,
    /// Tokens of replies.
    #[cfg_attr(test, ts(type = "number"))]
    pub output_tokens: u64,
    /// US dollars, where the endpoint has a price.
    pub cost_usd: Option<f64>,
}

/// One request that left the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// When, in milliseconds since 1970.
    pub at: f64,
    /// For which task.
    pub task: String,
    /// To which address, or to which function of the page.
    pub endpoint: String,
    /// To which model.
    pub model: String,
    /// How many bytes the body had.
    pub bytes: u32,
    /// The body itself, as it was sent. Headers are not in it.
    pub body: String,
    /// How many values of each kind of personal data were replaced in it.
    pub redactions: BTreeMap<String, u32>,
}

/// The evidence for an answer by example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Learned {
    /// How many examples there are.
    #[cfg_attr(test, ts(type = "number"))]
    pub examples: u64,
    /// The cosine of the input's vector and that of the nearest of them.
    pub nearest: f64,
    /// How many of the five nearest examples have the answer's label.
    pub agreeing: u32,
    /// The limit on the disagreement rate with the remote.
    pub risk: f64,
    /// How many examples were answered from the others (leave-one-out).
    #[cfg_attr(test, ts(type = "number"))]
    pub tested: u64,
    /// Disagreements with the remote among them.
    #[cfg_attr(test, ts(type = "number"))]
    pub wrong: u64,
    /// Upper confidence bound on the true disagreement rate.
    pub bound: f64,
}

/// That an answer was drawn to be audited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Audit {
    /// Its number, by which the outcome is counted once.
    #[cfg_attr(test, ts(type = "number"))]
    pub id: u64,
    /// The chance with which an answer as sure as this one is drawn.
    pub chance: f64,
    /// The label of the best local answer, where this one is a remote's; `null` for a local answer.
    pub local: Option<String>,
}

/// What a task gives that writes text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TextOutput {
    /// The text.
    pub text: String,
    /// Whether it was cut off at the token limit.
    pub truncated: bool,
}

/// The answer of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Answer<O = Output> {
    /// The task that was asked.
    pub task: String,
    /// What came out.
    pub output: O,
    /// Where it was computed.
    pub ran_on: RanOn,
    /// The head's name, or the remote model's.
    pub tier: String,
    /// Why it was computed there.
    pub reason: Reason,
    /// The reason as one English sentence.
    pub explanation: String,
    /// The probability that the output is right: the calibrated one of a local answer, or what a remote says of itself;
    /// `null` where nobody states one.
    pub confidence: Option<f64>,
    /// Whether the confidence is calibrated. A confidence that a remote states never is.
    pub calibrated: bool,
    /// What the confidence was held against; `null` where there is no such number.
    pub threshold: Option<f64>,
    /// The error rate asked for among locally given answers: the call's, the instance's or the
    /// task's own; `null` where there is none, and where `excessRisk` asks for another promise.
    pub risk: Option<f64>,
    /// True when this is a local answer that the bundle's certificate for that risk supports, and no alarm has ended the
    /// task's guarantee: one of audited answers, or one of inputs where `onDrift` is `"stop"`. Never for an answer by
    /// example: it is held against the remote's answers, not against the truth.
    pub guaranteed: bool,
    /// The promise of a guaranteed answer; `null` for every other one.
    pub guarantee: Option<AnswerGuarantee>,
    /// Set where this answer was drawn to be audited: find out whether it is right, and say so by `reportOutcome`. `null`
    /// for every other answer, whose outcome does not count.
    pub audit: Option<Audit>,
    /// True when this is the best that could be had, not what the mode or the threshold asks for.
    pub degraded: bool,
    /// Everything that was tried, in order.
    pub attempts: Vec<Attempt>,
    /// How long the parts took.
    pub timing: Timing,
    /// What the remote requests used, when one answered.
    pub usage: Option<Usage>,
    /// Whether a remote's answer to the same question was kept from earlier, or shared with a call under way.
    pub cached: bool,
    /// The evidence for an answer by example; `null` for every other answer.
    pub learned: Option<Learned>,
    /// Everything that left the device for this call.
    pub sent: Vec<Sent>,
}
