//! The guarantee on real data: many random splits of real rows, each calibrated by itself and held
//! against the rows it has not seen.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::fs;
use std::path::PathBuf;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use smallfirst::calibrate::{
    Certifier, Decision, Fit, InputSize, RawRow, RawScores, TierDecision, TierRule, decisions,
    fit_tier,
};
use smallfirst::data::{Columns, read};
use smallfirst::host::FixedClock;
use smallfirst::runtime::Scored;
use smallfirst::task::Input;

/// A row, and what the default bundle's task makes of it.
struct Seen {
    raw: RawRow,
    decision: Decision,
}

/// All rows of a task that its head was not trained on.
fn pool(task: &str) -> Vec<Seen> {
    let data = PathBuf::from(std::env::var_os("SMALLFIRST_DATA").expect("SMALLFIRST_DATA"));
    let runtime = common::runtime();
    let labels = runtime.bundle().task(task).unwrap().labels.clone();
    let columns = Columns {
        text: "input".into(),
        label: "label".into(),
        slice: None,
    };
    let mut pool = Vec::new();
    for split in ["cal", "test"] {
        let name = format!("{task}.{split}.jsonl");
        for row in read(&name, &fs::read(data.join(&name)).unwrap(), &columns)
            .unwrap()
            .all()
            .unwrap()
        {
            let input = Input::Text(&row.text);
            let seen = runtime.score_tiers(task, input, &FixedClock);
            let tiers = pollster::block_on(seen).unwrap().tiers;
            let says = tiers.into_iter().next().and_then(|(scored, _)| scored.ok());
            let truth = labels
                .iter()
                .position(|label| Some(&label.id) == row.label.as_ref());
            let decision = Decision {
                tiers: vec![says.as_ref().map(|scored| TierDecision {
                    confidence: scored.calibrated.confidence,
                    correct: truth == Some(scored.calibrated.label()),
                    in_distribution: scored.in_distribution(),
                })],
                slice: None,
                in_scope: true,
            };
            let raw = |scored: Scored| RawScores {
                logits: scored.logits,
                vector: None,
                out_of_fold: None,
            };
            pool.push(Seen {
                raw: RawRow {
                    truth,
                    slice: None,
                    size: InputSize::of(input),
                    tiers: vec![says.map(raw)],
                },
                decision,
            });
        }
    }
    pool
}

fn shuffle<T>(rows: &mut [T], random: &mut Pcg32) {
    for i in (1..rows.len()).rev() {
        rows.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
    }
}

/// Whether thresholds break a promise on rows that calibration has not seen, and which share of them they answer.
fn held_against(unseen: &[Decision], thresholds: &[f64], risk: f64) -> (bool, f64) {
    let answers = unseen.iter().filter_map(|row| row.answered(thresholds));
    let said: Vec<bool> = answers.map(|(_, right)| right).collect();
    let wrong = said.iter().filter(|right| !**right).count();
    let coverage = said.len() as f64 / unseen.len() as f64;
    (wrong as f64 > risk * said.len() as f64, coverage)
}

/// The most broken promises that `delta` allows, with three standard errors.
fn allowed(repeats: u32, delta: f64) -> f64 {
    let n = f64::from(repeats);
    n * delta + 3.0 * (n * delta * (1.0 - delta)).sqrt()
}

#[test]
#[ignore = "needs the data of `cargo xtask test`"]
fn repeated_splits_of_real_rows_keep_the_promise() {
    let (repeats, delta) = (400, 0.05);
    for task in ["language", "sentiment"] {
        let mut rows: Vec<Decision> = pool(task).into_iter().map(|seen| seen.decision).collect();
        let mut random = Pcg32::seed_from_u64(1);
        for risk in [0.05, 0.1, 0.2] {
            let (mut broken, mut certified, mut coverage) = (0, 0, 0.0);
            for _ in 0..repeats {
                shuffle(&mut rows, &mut random);
                let (tune, rest) = rows.split_at(1000);
                let (cal, unseen) = rest.split_at(2000);
                let certifier = Certifier {
                    tune,
                    tiers: 1,
                    delta,
                    per_slice: false,
                    out_of_scope_share: None,
                };
                let Some(thresholds) = certifier.certify(cal, risk).thresholds else {
                    continue;
                };
                let (breaks, covers) = held_against(unseen, &thresholds, risk);
                certified += 1;
                coverage += covers;
                broken += usize::from(breaks);
            }
            println!(
                "{task} at risk {risk}: {certified} of {repeats} splits certified, coverage {:.3}, promise broken in {broken}",
                coverage / f64::from(certified).max(1.0)
            );
            assert!(
                broken as f64 <= allowed(repeats, delta),
                "{task} at {risk}: {broken}"
            );
            assert!(
                risk < 0.1 || certified > repeats / 2,
                "{task} at {risk}: {certified}"
            );
        }
    }
}

/// The correctness head, its penalty and whether it is taken come from the tuning rows of each split; so does the order of the
/// candidates, by scores that the rows got from heads fitted without them.
#[test]
#[ignore = "needs the data of `cargo xtask test`"]
fn a_correctness_head_answers_more_on_repeated_splits_and_keeps_the_promise() {
    let (repeats, delta) = (200, 0.05);
    let task = "language";
    let head = common::runtime().bundle().manifest().heads[task].clone();
    let labels = common::runtime().bundle().task(task).unwrap().labels.len();
    let mut rows: Vec<RawRow> = pool(task).into_iter().map(|seen| seen.raw).collect();
    let mut random = Pcg32::seed_from_u64(2);
    let mut figures = [
        (0.02, [0, 0], [0.0, 0.0]),
        (0.05, [0, 0], [0.0, 0.0]),
        (0.1, [0, 0], [0.0, 0.0]),
    ];
    for _ in 0..repeats {
        shuffle(&mut rows, &mut random);
        let (tune, rest) = rows.split_at(2000);
        let plain = TierRule {
            temperature: head.temperature,
            correctness: None,
            ood: None,
        };
        let mut fitted = tune.to_vec();
        let mut with_head = plain.clone();
        // Nobody looked for near-copies: each row is a group of its own.
        let groups: Vec<usize> = (0..fitted.len()).collect();
        let fit = fit_tier(&mut fitted, &groups, 0, &mut with_head, labels, true);
        assert!(
            matches!(fit, Fit::Taken(..)),
            "texts of such different lengths ask for a head: {fit:?}"
        );
        for (which, (tune, rule)) in [(tune, plain), (&fitted, with_head)]
            .into_iter()
            .enumerate()
        {
            let rules = [rule];
            let decided = decisions(tune, &rules, &[]);
            let rest = decisions(rest, &rules, &[]);
            let (cal, unseen) = rest.split_at(4000);
            let certifier = Certifier {
                tune: &decided,
                tiers: 1,
                delta,
                per_slice: false,
                out_of_scope_share: None,
            };
            for (risk, broken, coverage) in &mut figures {
                if let Some(thresholds) = certifier.certify(cal, *risk).thresholds {
                    let (breaks, covers) = held_against(unseen, &thresholds, *risk);
                    broken[which] += usize::from(breaks);
                    coverage[which] += covers;
                }
            }
        }
    }
    for (risk, broken, coverage) in figures {
        let [plain, with_head] = coverage.map(|sum| sum / f64::from(repeats));
        println!(
            "{task} at risk {risk}: coverage {plain:.3}, with a correctness head {with_head:.3}; promise broken in {broken:?} of {repeats}"
        );
        let most = allowed(repeats, delta);
        assert!(
            broken.iter().all(|&broken| broken as f64 <= most),
            "{risk}: {broken:?}"
        );
        assert!(with_head > plain + 0.03, "{risk}: {plain} and {with_head}");
    }
}
