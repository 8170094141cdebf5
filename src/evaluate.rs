//! How good and how fair a task is: metrics with intervals, slices, what each certificate delivers
//! on unseen data, and reports of it. Pure.

mod against;
mod behaviour;
mod beyond;
mod bias;
mod calibration;
pub mod card;
mod cost;
mod delivered;
mod exceeded;
mod figures;
pub mod html;
mod kinds;
mod markdown;
mod metrics;
mod ood;
mod plots;
mod report;
mod sweep;
pub mod text;

pub use against::{AgainstFigures, Difference, ExcessFigures};
pub use behaviour::{Behaviour, BehaviourCase, BehaviourKind, behaviour};
pub use beyond::Beyond;
pub use bias::Bias;
pub use calibration::CalibrationRows;
pub use cost::CostPoint;
pub use delivered::PolicySlice;
pub use exceeded::exceeded;
pub use kinds::{KindMeasured, KindPoint, KindPolicy, KindReport};
pub use metrics::{Share, auroc, expected_calibration_error};
pub use ood::OodFigures;
pub use plots::{Growth, growth};
pub use report::{Bin, Class, Confusion, PolicyFigures, Report, Slice, TierFigures};
pub use sweep::{Oracle, SelectivePoint};

use crate::bundle::AgainstRemote;
use crate::calibrate::{Decides, first_accepted, most_confident, most_probable};

/// Everything that was measured for one task.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The task.
    pub task: String,
    /// Its name for people.
    pub title: String,
    /// The labels' identifiers.
    pub labels: Vec<String>,
    /// Names the models and rules that were measured, so that an outdated report is found out.
    pub fingerprint: String,
    /// The name of the data.
    pub dataset: String,
    /// The tiers' names and sizes in bytes, cheapest first.
    pub tiers: Vec<(String, u64)>,
    /// The rows.
    pub rows: Vec<Observation>,
    /// What each risk asks of the tiers.
    pub policies: Vec<Policy>,
    /// The label that counts as the favourable outcome in bias figures.
    pub positive: Option<usize>,
    /// The rows that the certificates rest on, where there are certificates.
    pub calibration: Option<CalibrationRows>,
    /// What is certified against a remote, if anything.
    pub against_remote: Option<AgainstRemote>,
    /// Rows that the training data has too: equal ones, and nearly equal ones.
    pub duplicates: Option<(usize, usize)>,
    /// How the task does on behavioural tests, where there are any.
    pub behaviour: Vec<Behaviour>,
    /// Rows of other kinds than `rows`, by slice. They are in no figure but those of their slices; to one without a label any
    /// local answer is an error.
    pub beyond: Vec<Observation>,
}

/// One row and what became of it.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The right label; nothing for an out-of-scope row, to which any local answer is an error.
    pub truth: Option<usize>,
    /// The named group it belongs to.
    pub slice: Option<String>,
    /// One entry a tier; nothing where the tier does not take the input.
    pub tiers: Vec<Option<Prediction>>,
    /// What the remote answered, where it was asked.
    pub remote: Option<RemoteOutcome>,
}

/// What one tier says.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// Calibrated probabilities, one a label.
    pub probabilities: Vec<f64>,
    /// The probability that the label is right.
    pub confidence: f64,
    /// The out-of-distribution score, where there is one.
    pub ood: Option<f64>,
    /// Whether it passes the cut.
    pub in_distribution: bool,
    /// How long the tier took, in milliseconds.
    pub milliseconds: f64,
}

impl Prediction {
    /// The place of the chosen label.
    pub fn label(&self) -> usize {
        most_probable(&self.probabilities)
    }
}

impl Decides for Prediction {
    fn confidence(&self) -> f64 {
        self.confidence
    }

    fn in_distribution(&self) -> bool {
        self.in_distribution
    }
}

/// What a remote made of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RemoteOutcome {
    /// Its label; nothing when it failed.
    pub label: Option<usize>,
    /// How long it took.
    pub milliseconds: f64,
    /// Tokens of request and reply.
    pub tokens: u64,
}

/// What a risk asks of the tiers.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The risk.
    pub risk: f64,
    /// One threshold a tier; nothing when the risk is not certified.
    pub thresholds: Option<Vec<f64>>,
}

impl Observation {
    /// The most confident tier's prediction, and which tier it is: what a degraded answer would be.
    pub fn best(&self) -> Option<(usize, &Prediction)> {
        let said = self.tiers.iter().enumerate();
        most_confident(said.filter_map(|(tier, p)| Some((tier, p.as_ref()?))))
    }

    /// The tier that answers at these thresholds, with its prediction.
    pub fn answered(&self, thresholds: &[f64]) -> Option<(usize, &Prediction)> {
        first_accepted(&self.tiers, thresholds)
    }

    /// Whether a label is right for the row.
    pub fn is_right(&self, label: usize) -> bool {
        self.truth == Some(label)
    }
}
