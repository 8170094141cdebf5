//! Which out-of-distribution method a tier gets, and from which score on: chosen on the tuning rows.

use super::certify::Certifier;
use super::decision::{OodScores, RawRow, TierRule, decisions};
use super::ood;
use crate::bundle::OodMethod;

/// A score that separates in scope from out of scope no better than this is not used, whatever the tuning rows say.
const LEAST_AUROC: f64 = 0.7;

/// By what factor a method must let more be answered rightly to be worth its bytes; less is noise.
const LEAST_GAIN: f64 = 1.02;

/// How a choice is made.
#[derive(Debug)]
pub struct OodSelection<'a> {
    /// The risk whose coverage is to be as large as it can be.
    pub risk: f64,
    /// All risks that are to be certified, in rising order.
    pub risks: &'a [f64],
    /// As for the certificates.
    pub delta: f64,
    /// As for the certificates.
    pub per_slice: bool,
    /// As for the certificates.
    pub out_of_scope_share: Option<f64>,
    /// The shares of in-scope rows that may pass, to choose from.
    pub keep: &'a [f64],
    /// Whether a method has to be taken, even where none does better than no method.
    pub forced: bool,
}

/// One method, tried for one tier.
#[derive(Debug, Clone, PartialEq)]
pub struct OodTrial {
    /// The method.
    pub method: OodMethod,
    /// How well it separates; nothing where there are no rows of both kinds.
    pub auroc: Option<f64>,
    /// The share of out-of-scope rows that pass where 95 % of the others do.
    pub missed_at_95: f64,
    /// For the method that was taken: the threshold, and the share of in-scope rows that pass it.
    pub taken: Option<(f64, f64)>,
}

/// Chooses, tier by tier, the method and threshold that let the tuning rows answer the most in-scope inputs, and puts them
/// into `rules`. Gives what was tried, one list a tier.
pub fn select_ood(
    selection: &OodSelection<'_>,
    tune: &[RawRow],
    scores: &[OodScores],
    rules: &mut [TierRule],
) -> Vec<Vec<OodTrial>> {
    let mut all = Vec::with_capacity(rules.len());
    for tier in 0..rules.len() {
        let mut best = selection.covered(tune, scores, rules);
        let mut chosen: Option<(OodMethod, f64, f64)> = None;
        let mut trials = Vec::new();
        for (&method, of_rows) in scores.get(tier).into_iter().flatten() {
            let of = |in_scope: bool| -> Vec<f64> {
                let rows = tune.iter().zip(of_rows);
                rows.filter(|(row, _)| row.truth.is_some() == in_scope)
                    .filter_map(|(_, score)| *score)
                    .collect()
            };
            let (inside, outside) = (of(true), of(false));
            let auroc = ood::auroc(&inside, &outside);
            let at_95 = ood::cut(&inside, 0.95);
            let missed = outside.iter().filter(|s| **s <= at_95).count();
            trials.push(OodTrial {
                method,
                auroc,
                missed_at_95: missed as f64 / outside.len().max(1) as f64,
                taken: None,
            });
            let separates = auroc.is_some_and(|auroc| auroc >= LEAST_AUROC);
            if !selection.forced && !separates {
                continue;
            }
            for &keep in selection.keep {
                let threshold = ood::cut(&inside, keep);
                rules[tier].ood = Some((method, threshold));
                let found = selection.covered(tune, scores, rules);
                let first = selection.forced && chosen.is_none();
                if first || found.0 > best.0 || found.1 > best.1 * LEAST_GAIN {
                    (best, chosen) = (found, Some((method, threshold, keep)));
                }
            }
        }
        rules[tier].ood = chosen.map(|(method, threshold, _)| (method, threshold));
        if let Some((method, threshold, keep)) = chosen {
            let of_method = trials.iter_mut().filter(|trial| trial.method == method);
            of_method.for_each(|trial| trial.taken = Some((threshold, keep)));
        }
        all.push(trials);
    }
    all
}

impl OodSelection<'_> {
    /// How good some rules are: the smallest risk from the wanted one on that can be certified, negated, and how many rows are
    /// answered rightly at it.
    fn covered(&self, tune: &[RawRow], scores: &[OodScores], rules: &[TierRule]) -> (f64, f64) {
        let rows = decisions(tune, rules, scores);
        let certifier = Certifier {
            tune: &rows,
            tiers: rules.len(),
            delta: self.delta,
            per_slice: self.per_slice,
            out_of_scope_share: self.out_of_scope_share,
        };
        // Where the wanted risk is out of reach, the next one that is not decides.
        let reachable = self.risks.iter().filter(|&&risk| risk >= self.risk);
        let mut found = reachable.map(|&risk| (risk, certifier.certify(&rows, risk)));
        found
            .find(|(_, certificate)| certificate.thresholds.is_some())
            .map_or((f64::MIN, 0.0), |(risk, certificate)| {
                (-risk, certificate.n as f64 - certificate.errors as f64)
            })
    }
}
