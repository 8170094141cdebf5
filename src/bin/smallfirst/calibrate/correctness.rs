//! Correctness heads: fitted for every tier, and taken where they order answers better.

use smallfirst::bundle::TaskEntry;
use smallfirst::calibrate::{Fit, RawRow, TierRule, fit_tier};
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
        let text = entry.input == InputKind::Text;
        let fit = fit_tier(tune, groups, tier, rule, entry.labels.len(), text);
        print!("{name}: correctness head ");
        match fit {
            Fit::TooFew(rows) => {
                println!("not fitted, too few right or wrong answers among {rows} tuning rows");
            }
            Fit::NoBetter(figures) => println!(
                "not taken: out-of-fold AURC {:.4}, {:.4} by the largest probability",
                figures.head, figures.plain
            ),
            Fit::Taken(head, _) => {
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
            }
        }
    }
}
