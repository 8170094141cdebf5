//! What a threshold that all tiers share delivers as it falls. It is counted on all rows and by the accept rule, as the
//! figures of the certified thresholds are, so that these lie on the curve.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Observation;
use super::metrics::Share;
use crate::calibrate::Decides;

/// Points of the risk-coverage curve, besides those of the thresholds that are asked for.
const POINTS: usize = 40;
/// Points of the ideal order's curve, behind the one where its errors begin.
const IDEAL_POINTS: usize = 16;

/// A point of a risk-coverage curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SelectivePoint {
    /// The share of all rows that is answered locally.
    pub coverage: f64,
    /// The error rate among these.
    pub risk: f64,
}

/// What the best threshold in hindsight delivers at a risk: more than this no threshold answers on these rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Oracle {
    /// The threshold.
    pub threshold: f64,
    /// Answered locally, of all rows.
    pub coverage: Share,
    /// Wrong among these; at most the risk.
    pub error: Share,
}

/// What is answered from one threshold on, down to the next step's.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    threshold: f64,
    answered: u64,
    wrong: u64,
}

/// All that a shared threshold can deliver on some rows.
#[derive(Debug)]
pub(super) struct Sweep {
    rows: u64,
    /// Rows that some tier could answer rightly.
    answerable: u64,
    /// In falling order of the thresholds: rows of equal confidence are answered together or not at all.
    steps: Vec<Step>,
}

/// How the counts change when the threshold falls to a confidence.
struct Change {
    confidence: f64,
    answered: i64,
    wrong: i64,
}

impl Sweep {
    /// The sweep over these rows; any answer to one that is out of scope is wrong.
    pub(super) fn of(rows: &[Observation]) -> Sweep {
        let mut changes: Vec<Change> = rows.iter().flat_map(changes).collect();
        changes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let (mut answered, mut wrong) = (0, 0);
        let steps = changes
            .chunk_by(|a, b| a.confidence == b.confidence)
            .filter_map(|tied| {
                answered += tied.iter().map(|change| change.answered).sum::<i64>();
                wrong += tied.iter().map(|change| change.wrong).sum::<i64>();
                Some(Step {
                    threshold: tied.first()?.confidence,
                    // Nothing is taken away that was not added at a higher confidence.
                    answered: answered.unsigned_abs(),
                    wrong: wrong.unsigned_abs(),
                })
            })
            .collect();
        let answerable = rows.iter().filter(|row| {
            let mut said = row.tiers.iter().flatten();
            said.any(|p| p.in_distribution && row.is_right(p.label()))
        });
        Sweep {
            rows: rows.len() as u64,
            answerable: answerable.count() as u64,
            steps,
        }
    }

    /// The threshold that answers the most rows with an error rate of at most `risk`; nothing where none keeps it.
    pub(super) fn oracle(&self, risk: f64) -> Option<Oracle> {
        // Divided as `Share` divides, so that both find the same rate within the risk.
        let kept = |step: &&Step| step.wrong as f64 / step.answered as f64 <= risk;
        let steps = self.steps.iter().filter(kept);
        let best = steps.max_by_key(|step| (step.answered, std::cmp::Reverse(step.wrong)))?;
        Some(Oracle {
            threshold: best.threshold,
            coverage: Share::of(best.answered, self.rows),
            error: Share::of(best.wrong, best.answered),
        })
    }

    /// The risk-coverage curve: points of evenly spaced coverage, the last one, and those of these thresholds.
    pub(super) fn curve(&self, thresholds: impl IntoIterator<Item = f64>) -> Vec<SelectivePoint> {
        let Some(last) = self.steps.last() else {
            return Vec::new();
        };
        let evenly = (1..=POINTS).map(|point| {
            let answered = last.answered as f64 * point as f64 / POINTS as f64;
            self.steps
                .partition_point(|step| (step.answered as f64) < answered)
        });
        let asked = thresholds.into_iter().filter_map(|threshold| {
            let reached = self
                .steps
                .partition_point(|step| step.threshold >= threshold);
            reached.checked_sub(1)
        });
        let places: BTreeSet<usize> = evenly.chain(asked).chain([self.steps.len() - 1]).collect();
        let steps = places.iter().filter_map(|&place| self.steps.get(place));
        steps
            .map(|step| self.point(step.answered as f64, step.wrong as f64))
            .collect()
    }

    /// The curve of an ideal order, below which no threshold comes: all rows that some tier answers rightly are first.
    pub(super) fn ideal(&self) -> Vec<SelectivePoint> {
        let Some(last) = self.steps.last() else {
            return Vec::new();
        };
        let (right, all) = (self.answerable as f64, last.answered as f64);
        let mut points = vec![self.point(0.0, 0.0)];
        if right > 0.0 {
            points.push(self.point(right, 0.0));
        }
        if all > right {
            points.extend((1..=IDEAL_POINTS).map(|point| {
                let answered = right + (all - right) * point as f64 / IDEAL_POINTS as f64;
                self.point(answered, answered - right)
            }));
        }
        points
    }

    /// Rounded: the curves are read by eyes.
    fn point(&self, answered: f64, wrong: f64) -> SelectivePoint {
        let rounded = |share: f64| (share * 1e4).round() / 1e4;
        SelectivePoint {
            coverage: rounded(answered / self.rows.max(1) as f64),
            risk: match answered > 0.0 {
                true => rounded(wrong / answered),
                false => 0.0,
            },
        }
    }
}

/// When a row's answer changes as the threshold falls: the most confident tier answers it first, and gives way to an earlier
/// one where the threshold reaches that one's confidence.
fn changes(row: &Observation) -> Vec<Change> {
    let mut found = Vec::new();
    let mut highest: Option<f64> = None;
    for says in row.tiers.iter().flatten() {
        let confidence = says.confidence();
        // An earlier tier that is as confident always answers before this one.
        let overtaken = highest.is_some_and(|highest| confidence <= highest);
        if !says.in_distribution() || confidence.is_nan() || overtaken {
            continue;
        }
        let wrong = i64::from(!row.is_right(says.label()));
        let gives_way = highest.map(|confidence| Change {
            confidence,
            answered: -1,
            wrong: -wrong,
        });
        found.extend(gives_way);
        found.push(Change {
            confidence,
            answered: 1,
            wrong,
        });
        highest = Some(confidence);
    }
    found
}

#[cfg(test)]
mod tests;
