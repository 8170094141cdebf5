//! Correctness heads: fitted for every tier, and taken where they order answers better.

use smallfirst::bundle::TaskEntry;
use smallfirst::calibrate::{self, Fit, FitRow, RawRow, TierRule, fit_correctness};
use smallfirst::task::InputKind;

/// Fits a correctness head for every tier, and says what came of it. `groups` has the group of near-copies that each of the
/// first rows belongs to; the rows behind them are out of scope.
pub(super) fn correctness_heads(
    entry: &TaskEntry,
    groups: &[usize],
    tune: &mut [RawRow],
    rules: &mut [TierRule],
) {
    for (tier, (name, rule)) in entry.tiers.iter().zip(rules).enumerate() {
        let (places, rows): (Vec<usize>, Vec<FitRow>) = tune
            .iter()
            .enumerate()
            .filter_map(|(at, row)| {
                let raw = row.tiers.get(tier)?.as_ref()?;
                // What is out of scope is for the out-of-distribution score: how much of it there will be, nobody knows.
                let truth = row.truth?;
                let calibrated = calibrate::calibrate(&raw.logits, rule.temperature);
                let label = calibrated.label();
                let row = FitRow {
                    probabilities: calibrated.probabilities,
                    label,
                    correct: truth == label,
                    size: row.size,
                    group: groups[at],
                };
                Some((at, row))
            })
            .unzip();
        let fit = fit_correctness(&rows, entry.labels.len(), entry.input == InputKind::Text);
        print!("{name}: correctness head ");
        match fit {
            Fit::TooFew => println!(
                "not fitted, too few right or wrong answers among {} tuning rows",
                rows.len()
            ),
            Fit::NoBetter(figures) => println!(
                "not taken: out-of-fold AURC {:.4}, {:.4} by the largest probability",
                figures.head, figures.plain
            ),
            Fit::Taken(head, scores) => {
                let figures = head.out_of_fold;
                println!(
                    "taken: out-of-fold AURC {:.4}, {:.4} by the largest probability{}",
                    figures.map_or(0.0, |f| f.head),
                    figures.map_or(0.0, |f| f.plain),
                    if head.labels.is_empty() {
                        ""
                    } else {
                        "; with terms for labels"
                    }
                );
                for (at, score) in places.into_iter().zip(scores) {
                    if let Some(Some(raw)) = tune[at].tiers.get_mut(tier) {
                        raw.out_of_fold = Some(score);
                    }
                }
                rule.correctness = Some(head);
            }
        }
    }
}
