//! What the tiers decide on labelled rows, and the rule they decide by.

use std::collections::BTreeMap;

use super::accept::{Decides, first_accepted};
use super::calibrate;
use super::correctness::InputSize;
use crate::bundle::{Correctness, OodMethod};

/// What one tier decides on one labelled row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TierDecision {
    /// The calibrated confidence.
    pub confidence: f64,
    /// Whether its label is the right one; never for an out-of-scope row.
    pub correct: bool,
    /// Whether the row passes the tier's out-of-distribution threshold.
    pub in_distribution: bool,
}

impl Decides for TierDecision {
    fn confidence(&self) -> f64 {
        self.confidence
    }

    fn in_distribution(&self) -> bool {
        self.in_distribution
    }
}

/// What the tiers decide on one labelled row.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// One entry a tier; nothing where the tier does not take the input.
    pub tiers: Vec<Option<TierDecision>>,
    /// The slice the row belongs to, if any.
    pub slice: Option<String>,
    /// Whether one of the labels is the right one. Any local answer to a row that is out of scope is wrong.
    pub in_scope: bool,
}

impl Decision {
    /// Which tier answers the row at `thresholds`, and whether rightly; nothing when all escalate.
    pub fn answered(&self, thresholds: &[f64]) -> Option<(usize, bool)> {
        first_accepted(&self.tiers, thresholds).map(|(tier, says)| (tier, says.correct))
    }
}

/// What a tier makes of a row, before anything is chosen.
#[derive(Debug, Clone)]
pub struct RawScores {
    /// One logit a label.
    pub logits: Vec<f64>,
    /// The encoder's vector, where the head has an encoder.
    pub vector: Option<Vec<f32>>,
    /// For a tuning row, the confidence of a correctness head that was fitted without it. The rule's own head knows the row
    /// and would flatter it.
    pub out_of_fold: Option<f64>,
}

/// One labelled row, as all tiers see it.
#[derive(Debug, Clone)]
pub struct RawRow {
    /// The right label; nothing for an out-of-scope row.
    pub truth: Option<usize>,
    /// The slice it belongs to, if any.
    pub slice: Option<String>,
    /// The length of the input.
    pub size: InputSize,
    /// One entry a tier; nothing where the tier does not take the input.
    pub tiers: Vec<Option<RawScores>>,
}

/// How one tier decides.
#[derive(Debug, Clone, PartialEq)]
pub struct TierRule {
    /// The temperature of its logits.
    pub temperature: f64,
    /// What makes the probability of being right of its probabilities.
    pub correctness: Option<Correctness>,
    /// The out-of-distribution method, and the most that its score may be.
    pub ood: Option<(OodMethod, f64)>,
}

/// The out-of-distribution scores of one tier: by method, one a row; nothing where the tier does not take the input.
pub type OodScores = BTreeMap<OodMethod, Vec<Option<f64>>>;

/// What the rules (one a tier) make of rows. `scores` has the out-of-distribution scores of each tier.
pub fn decisions(rows: &[RawRow], rules: &[TierRule], scores: &[OodScores]) -> Vec<Decision> {
    let decide = |at: usize, row: &RawRow, tier: usize| {
        let raw = row.tiers.get(tier)?.as_ref()?;
        let rule = rules.get(tier)?;
        let mut calibrated = calibrate(&raw.logits, rule.temperature);
        if let Some(head) = &rule.correctness {
            calibrated = calibrated.judged(head, row.size);
        }
        let in_distribution = rule.ood.is_none_or(|(method, threshold)| {
            let scores = scores.get(tier).and_then(|scores| scores.get(&method));
            let score = scores.and_then(|scores| scores.get(at).copied().flatten());
            score.is_some_and(|score| score <= threshold)
        });
        Some(TierDecision {
            confidence: raw.out_of_fold.unwrap_or(calibrated.confidence),
            correct: row.truth == Some(calibrated.label()),
            in_distribution,
        })
    };
    rows.iter()
        .enumerate()
        .map(|(at, row)| Decision {
            tiers: (0..rules.len()).map(|tier| decide(at, row, tier)).collect(),
            slice: row.slice.clone(),
            in_scope: row.truth.is_some(),
        })
        .collect()
}
