//! What a remote is worth beside the local models: the profile that a page routes by, and what routing by it changes.

use serde::Serialize;

use super::profile::{ProfileBin, TaskProfile};
use crate::evaluate::{Observation, Policy};
use crate::route::remote_may_help;

/// The fewest rows that make a profile.
pub const FEWEST_ROWS: usize = 20;

/// The most bins of a profile, and the rows that each needs.
const BINS: usize = 10;
const ROWS_PER_BIN: usize = 20;

/// The strength of a prior that leaves nothing of a bin's own accuracy.
const STRONGEST: f64 = 1e6;

/// A row as the profile sees it.
#[derive(Debug, Clone, Copy)]
struct Measured {
    confidence: f64,
    local_right: bool,
    remote_right: bool,
    milliseconds: f64,
    tokens: f64,
}

fn measured(row: &Observation) -> Option<Measured> {
    let (_, best) = row.best()?;
    let remote = row.remote?;
    row.truth?;
    Some(Measured {
        confidence: best.confidence,
        local_right: row.is_right(best.label()),
        remote_right: remote.label.is_some_and(|label| row.is_right(label)),
        milliseconds: remote.milliseconds,
        tokens: remote.tokens as f64,
    })
}

/// The profile of the remote on labelled rows that it was asked. `models` names the local models, `now` is in milliseconds since 1970. Nothing
/// where there are fewer than [`FEWEST_ROWS`].
pub fn remote_profile<'a>(
    rows: impl IntoIterator<Item = &'a Observation>,
    models: &str,
    now: f64,
) -> Option<TaskProfile> {
    let mut rows: Vec<Measured> = rows.into_iter().filter_map(measured).collect();
    if rows.len() < FEWEST_ROWS {
        return None;
    }
    rows.sort_by(|a, b| a.confidence.total_cmp(&b.confidence));
    let bins = bins(&rows);
    let mut times: Vec<f64> = rows.iter().map(|row| row.milliseconds).collect();
    times.sort_by(f64::total_cmp);
    Some(TaskProfile {
        models: models.to_owned(),
        measured: now,
        rows: rows.len() as u64,
        right: bins.iter().map(|bin| bin.right).sum(),
        prior_rows: prior_rows(&bins),
        bins,
        milliseconds: times
            .get(times.len() / 2)
            .copied()
            .unwrap_or_default()
            .round(),
        tokens: (rows.iter().map(|row| row.tokens).sum::<f64>() / rows.len() as f64).round(),
    })
}

/// Bins of as many rows each as can be without parting equal confidences.
fn bins(rows: &[Measured]) -> Vec<ProfileBin> {
    let count = (rows.len() / ROWS_PER_BIN).clamp(1, BINS);
    let mut bins: Vec<ProfileBin> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        // Rounded down, so that a stored border has the rows it was chosen for.
        let from = (row.confidence.clamp(0.0, 1.0) * 1e6).floor() / 1e6;
        let begins = at * count / rows.len() >= bins.len();
        if begins && bins.last().is_none_or(|bin| bin.from < from) {
            bins.push(ProfileBin {
                from,
                rows: 0,
                right: 0,
                local_right: 0,
            });
        }
        if let Some(bin) = bins.last_mut() {
            bin.rows += 1;
            bin.right += u64::from(row.remote_right);
            bin.local_right += u64::from(row.local_right);
        }
    }
    bins
}

/// The strength of the beta prior of the bins' accuracies, from their intraclass correlation (the analysis-of-variance estimate;
/// Ridout, Demetrio and Firth 1999, "Estimating intraclass correlation for binary data", section 2.1).
fn prior_rows(bins: &[ProfileBin]) -> f64 {
    let n: f64 = bins.iter().map(|bin| bin.rows as f64).sum();
    let k = bins.len() as f64;
    if k < 2.0 || n <= k {
        return STRONGEST;
    }
    let mean = bins.iter().map(|bin| bin.right as f64).sum::<f64>() / n;
    let (mut between, mut within, mut squares) = (0.0, 0.0, 0.0);
    for bin in bins {
        let rows = bin.rows as f64;
        let share = bin.right as f64 / rows;
        between += rows * (share - mean).powi(2);
        within += rows * share * (1.0 - share);
        squares += rows * rows;
    }
    let (between, within) = (between / (k - 1.0), within / (n - k));
    let size = (n - squares / n) / (k - 1.0);
    let correlation = (between - within) / (between + (size - 1.0) * within);
    match correlation > 0.0 {
        true => ((1.0 - correlation) / correlation).min(STRONGEST),
        false => STRONGEST,
    }
}

/// What routing by the profile changes at one risk.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileFigures {
    /// The risk.
    pub risk: f64,
    /// The share of the rows that the remote is asked without a profile.
    pub escalated_before: f64,
    /// The same with one.
    pub escalated_after: f64,
    /// The accuracy of local and remote together without a profile.
    pub accuracy_before: f64,
    /// The same with one.
    pub accuracy_after: f64,
}

/// The figures at each risk. The rows are halved, and each half is routed by the profile of the other one, so that no row is judged
/// by its own reply. Empty where there are too few rows.
pub fn profile_figures(rows: &[Observation], policies: &[Policy]) -> Vec<ProfileFigures> {
    let labelled = rows
        .iter()
        .filter(|row| row.truth.is_some() && row.remote.is_some());
    let labelled: Vec<&Observation> = labelled.collect();
    let half = |odd: usize| {
        let rows = labelled.iter().enumerate();
        let rows = rows.filter(move |(at, _)| at % 2 == odd);
        rows.map(|(_, row)| *row)
    };
    let (Some(even), Some(odd)) = (
        remote_profile(half(0), "", 0.0),
        remote_profile(half(1), "", 0.0),
    ) else {
        return Vec::new();
    };
    let figures = policies.iter().map(|policy| {
        let mut counts = [0.0; 4];
        for (at, row) in labelled.iter().enumerate() {
            let profile = match at % 2 {
                0 => &odd,
                _ => &even,
            };
            let routed = routed(row, policy, None);
            let by_profile = self::routed(row, policy, Some(profile));
            for (count, (asked, right)) in [routed, by_profile].into_iter().enumerate() {
                counts[2 * count] += f64::from(asked);
                counts[2 * count + 1] += f64::from(right);
            }
        }
        let [asked, right, asked_less, right_then] = counts.map(|c| c / labelled.len() as f64);
        ProfileFigures {
            risk: policy.risk,
            escalated_before: asked,
            escalated_after: asked_less,
            accuracy_before: right,
            accuracy_after: right_then,
        }
    });
    figures.collect()
}

/// Whether the remote is asked about a row, and whether what comes out is right.
fn routed(row: &Observation, policy: &Policy, profile: Option<&TaskProfile>) -> (bool, bool) {
    let thresholds = policy.thresholds.as_deref().unwrap_or_default();
    if let Some((_, answer)) = row.answered(thresholds) {
        return (false, row.is_right(answer.label()));
    }
    let best = row.best().map(|(_, best)| best);
    let local = best.map(|best| best.label());
    let help = best.is_none_or(|best| {
        let accuracy = profile
            .filter(|_| best.in_distribution)
            .map(|profile| profile.accuracy(best.confidence));
        remote_may_help(accuracy, best.confidence, 0.0)
    });
    let remote = row.remote.filter(|_| help).and_then(|remote| remote.label);
    // Where the remote fails, the best local answer is given.
    let label = remote.or(local);
    (help, label.is_some_and(|label| row.is_right(label)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Prediction, RemoteOutcome};
    use crate::testing::Random;

    /// Local answers are right with the probability of their confidence, the remote's with `remote` of it.
    fn rows(random: &mut Random, n: usize, remote: impl Fn(f64) -> f64) -> Vec<Observation> {
        let mut one = || {
            let confidence = 0.5 + 0.5 * random.uniform();
            let right = random.uniform() < confidence;
            let truth = usize::from(!right);
            let remote_right = random.uniform() < remote(confidence);
            Observation {
                truth: Some(truth),
                slice: None,
                tiers: vec![Some(Prediction {
                    probabilities: vec![confidence, 1.0 - confidence],
                    confidence,
                    ood: None,
                    in_distribution: true,
                    milliseconds: 0.0,
                })],
                remote: Some(RemoteOutcome {
                    label: Some(if remote_right { truth } else { 1 - truth }),
                    milliseconds: 10.0,
                    tokens: 7,
                }),
            }
        };
        (0..n).map(|_| one()).collect()
    }

    fn policy(threshold: f64) -> [Policy; 1] {
        [Policy {
            risk: 0.05,
            thresholds: Some(vec![threshold]),
        }]
    }

    #[test]
    fn a_remote_that_knows_less_is_not_asked() {
        let mut random = Random::new(41);
        let rows = rows(&mut random, 2000, |_| 0.3);
        let figures = &profile_figures(&rows, &policy(0.9))[0];
        assert!(figures.escalated_before > 0.75, "{figures:?}");
        assert_eq!(figures.escalated_after, 0.0);
        assert!(
            figures.accuracy_after > figures.accuracy_before + 0.2,
            "{figures:?}"
        );
    }

    #[test]
    fn a_remote_that_knows_more_is_asked_as_before() {
        let mut random = Random::new(42);
        let rows = rows(&mut random, 2000, |_| 0.97);
        let figures = &profile_figures(&rows, &policy(0.9))[0];
        assert_eq!(figures.escalated_after, figures.escalated_before);
        assert_eq!(figures.accuracy_after, figures.accuracy_before);
    }

    #[test]
    fn a_remote_that_is_better_where_this_device_is_unsure_is_asked_there() {
        let mut random = Random::new(43);
        // As likely right as the local answer at a confidence of 0.75.
        let rows = rows(&mut random, 8000, |confidence| 1.5 - confidence);
        let figures = &profile_figures(&rows, &policy(0.95))[0];
        assert!((figures.escalated_after - 0.5).abs() < 0.1, "{figures:?}");
        assert!(
            figures.accuracy_after > figures.accuracy_before,
            "{figures:?}"
        );
        let profile = remote_profile(&rows, "m", 0.0).unwrap();
        assert_eq!(profile.bins.len(), BINS);
        assert!((profile.accuracy(0.525) - 0.975).abs() < 0.03);
        assert!((profile.accuracy(0.975) - 0.525).abs() < 0.06);
        assert_eq!((profile.milliseconds, profile.tokens), (10.0, 7.0));
    }

    #[test]
    fn bins_that_differ_by_chance_are_shrunk_to_the_mean() {
        let mut random = Random::new(44);
        let rows = rows(&mut random, 400, |_| 0.6);
        let profile = remote_profile(&rows, "m", 0.0).unwrap();
        let mean = profile.right as f64 / profile.rows as f64;
        for bin in &profile.bins {
            let shrunk = profile.accuracy(bin.from);
            let plain = bin.right as f64 / bin.rows as f64;
            assert!((shrunk - mean).abs() <= 0.5 * (plain - mean).abs() + 1e-9);
        }
    }

    #[test]
    fn what_a_profile_cannot_be_made_of() {
        let mut random = Random::new(45);
        let few = rows(&mut random, FEWEST_ROWS - 1, |_| 0.5);
        assert_eq!(remote_profile(&few, "m", 0.0), None);
        assert_eq!(profile_figures(&few, &policy(0.9)), []);
        // All of one confidence, and all right, are one bin.
        let mut alike = rows(&mut random, 500, |_| 1.0);
        for row in &mut alike {
            row.tiers[0].as_mut().unwrap().confidence = 0.8;
        }
        let profile = remote_profile(&alike, "m", 0.0).unwrap();
        assert_eq!((profile.bins.len(), profile.accuracy(0.8)), (1, 1.0));
        // Rows that no tier takes, and rows out of scope, have no part in it.
        for row in &mut alike[..250] {
            row.tiers[0] = None;
        }
        for row in &mut alike[250..300] {
            row.truth = None;
        }
        assert_eq!(remote_profile(&alike, "m", 0.0).unwrap().rows, 200);
    }
}
