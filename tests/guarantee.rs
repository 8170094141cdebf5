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
    fit_temperature, fit_tier,
};
use smallfirst::data::{Columns, Row, read};
use smallfirst::host::FixedClock;
use smallfirst::runtime::Scored;
use smallfirst::task::Input;
use smallfirst::train::{FOLDS, Options, Samples, out_of_fold, train};

/// A row, and what the default bundle's task makes of it.
struct Seen {
    raw: RawRow,
    decision: Decision,
}

/// All rows of a task that its head was not trained on.
fn labelled(task: &str) -> Vec<Row> {
    let data = PathBuf::from(std::env::var_os("SMALLFIRST_DATA").expect("SMALLFIRST_DATA"));
    let columns = Columns {
        nested: false,
        text: "input".into(),
        label: "label".into(),
        slice: None,
    };
    let of_split = |split: &str| {
        let name = format!("{task}.{split}.jsonl");
        let bytes = fs::read(data.join(&name)).unwrap();
        read(&name, &bytes, &columns).unwrap().all().unwrap()
    };
    ["cal", "test"].into_iter().flat_map(of_split).collect()
}

/// The same, and what the default bundle's task makes of them.
fn pool(task: &str) -> Vec<Seen> {
    let runtime = common::runtime(1);
    let labels = runtime.bundle().task(task).unwrap().labels.clone();
    let seen = |row: Row| {
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
        Seen {
            raw: RawRow {
                truth,
                slice: None,
                size: InputSize::of(input),
                tiers: vec![says.map(raw)],
            },
            decision,
        }
    };
    labelled(task).into_iter().map(seen).collect()
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
fn a_correctness_head_is_taken_where_it_pays_and_keeps_the_promise_on_repeated_splits() {
    let (repeats, delta) = (100, 0.05);
    let task = "language";
    let head = common::runtime(1).bundle().manifest().heads[task].clone();
    let labels = common::runtime(1).bundle().task(task).unwrap().labels.len();
    let mut rows: Vec<RawRow> = pool(task).into_iter().map(|seen| seen.raw).collect();
    let mut random = Pcg32::seed_from_u64(2);
    let mut figures = [
        (0.02, [0, 0], [0.0, 0.0]),
        (0.05, [0, 0], [0.0, 0.0]),
        (0.1, [0, 0], [0.0, 0.0]),
    ];
    let mut taken = 0;
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
        taken += u32::from(matches!(fit, Fit::Taken(..)));
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
        // The model's confidence orders these rows well by itself, so there is little to gain; none may be lost.
        assert!(with_head > plain - 0.005, "{risk}: {plain} and {with_head}");
    }
    println!("{task}: a head was taken in {taken} of {repeats} splits");
}

/// A head trained anew on each split, at a risk that it can reach. Tuning on out-of-fold predictions of the training rows leaves
/// all others to certify; before, a third of them tuned.
#[test]
#[ignore = "needs the data of `cargo xtask test`"]
fn cross_fitting_answers_more_on_repeated_splits_and_keeps_the_promise() {
    let (repeats, delta, risk) = (60, 0.05, 0.3);
    let runtime = common::runtime(1);
    let task = runtime.bundle().task("sentiment").unwrap().clone();
    let head = &runtime.bundle().manifest().heads[&task.tiers[0]];
    let encoder = head
        .encoder
        .as_ref()
        .expect("its first tier has an encoder");
    let texts = labelled("sentiment").into_iter().step_by(2);
    let embedded = texts.filter_map(|row| {
        let label = row.label.as_ref()?;
        let truth = task.labels.iter().position(|l| l.id == *label)?;
        let vector = runtime.embed(encoder, Input::Text(&row.text), &task.limits);
        Some((pollster::block_on(vector).ok()?, truth as u32))
    });
    let mut rows: Vec<(Vec<f32>, u32)> = embedded.collect();
    let width = rows[0].0.len();
    let mut random = Pcg32::seed_from_u64(3);
    let (mut broken, mut coverage) = ([0, 0], [0.0, 0.0]);
    for _ in 0..repeats {
        shuffle(&mut rows, &mut random);
        let (training, rest) = rows.split_at(1500);
        let (others, unseen) = rest.split_at(2000);
        let dense: Vec<f32> = training.iter().flat_map(|row| row.0.clone()).collect();
        let labels: Vec<u32> = training.iter().map(|row| row.1).collect();
        let samples = Samples {
            dense: &dense,
            width,
            sparse: &[],
            buckets: 0,
            labels: &labels,
            classes: task.labels.len(),
        };
        let options = Options {
            l2: vec![1e-3],
            ..Options::default()
        };
        let groups: Vec<usize> = (0..labels.len()).collect();
        let head = train(&samples, &groups, &options, |_| {}).unwrap().model;
        let raw = |logits: Vec<f32>, truth: u32| RawRow {
            truth: Some(truth as usize),
            slice: None,
            size: InputSize::default(),
            tiers: vec![Some(RawScores {
                logits: logits.into_iter().map(f64::from).collect(),
                vector: None,
                out_of_fold: None,
            })],
        };
        let scored = |rows: &[(Vec<f32>, u32)]| -> Vec<RawRow> {
            let rows = rows.iter();
            rows.map(|(vector, truth)| raw(head.logits(vector, &[]), *truth))
                .collect()
        };
        let out = out_of_fold(&samples, &groups, &options, &[1e-3], FOLDS)
            .unwrap()
            .remove(0);
        let out = out.into_iter().zip(&labels);
        let cross_fitted: Vec<RawRow> = out.map(|(logits, truth)| raw(logits, *truth)).collect();
        let (third, two_thirds) = others.split_at(others.len() / 3);
        let unseen = scored(unseen);
        for (which, (tune, cal)) in [
            (scored(third), scored(two_thirds)),
            (cross_fitted, scored(others)),
        ]
        .into_iter()
        .enumerate()
        {
            let pairs: Vec<(&[f64], usize)> = tune
                .iter()
                .filter_map(|row| Some((row.tiers[0].as_ref()?.logits.as_slice(), row.truth?)))
                .collect();
            let (logits, truths): (Vec<&[f64]>, Vec<usize>) = pairs.into_iter().unzip();
            let rules = [TierRule {
                temperature: fit_temperature(&logits, &truths),
                correctness: None,
                ood: None,
            }];
            let tune = decisions(&tune, &rules, &[]);
            let certifier = Certifier {
                tune: &tune,
                tiers: 1,
                delta,
                per_slice: false,
                out_of_scope_share: None,
            };
            let certificate = certifier.certify(&decisions(&cal, &rules, &[]), risk);
            if let Some(thresholds) = certificate.thresholds {
                let unseen = decisions(&unseen, &rules, &[]);
                let (breaks, covers) = held_against(&unseen, &thresholds, risk);
                broken[which] += usize::from(breaks);
                coverage[which] += covers / f64::from(repeats);
            }
        }
    }
    println!(
        "sentiment at risk {risk}: coverage {:.3} where a third of 2,000 rows tunes, {:.3} by cross-fitting; promise broken in {broken:?} of {repeats} splits",
        coverage[0], coverage[1]
    );
    for broken in broken {
        assert!(broken as f64 <= allowed(repeats, delta), "{broken}");
    }
    assert!(coverage[1] > coverage[0], "{coverage:?}");
}
