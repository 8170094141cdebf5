//! The guarantee on real data: many random splits of real rows, each calibrated by itself and held
//! against the rows it has not seen.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::fs;
use std::path::PathBuf;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use smallfirst::calibrate::{Certifier, Decision, TierDecision};
use smallfirst::data::{Columns, read};
use smallfirst::host::FixedClock;
use smallfirst::task::Input;

/// What the default bundle's task says of all rows that its head was not trained on.
fn pool(task: &str) -> Vec<Decision> {
    let data = PathBuf::from(std::env::var_os("SMALLFIRST_DATA").expect("SMALLFIRST_DATA"));
    let runtime = common::runtime();
    let labels = runtime.bundle().task(task).unwrap().labels.clone();
    let columns = Columns {
        text: "input".into(),
        label: "label".into(),
        slice: None,
    };
    let mut decisions = Vec::new();
    for split in ["cal", "test"] {
        let name = format!("{task}.{split}.jsonl");
        for row in read(&name, &fs::read(data.join(&name)).unwrap(), &columns)
            .unwrap()
            .all()
            .unwrap()
        {
            let seen = runtime.score_tiers(task, Input::Text(&row.text), &FixedClock);
            let tiers = pollster::block_on(seen).unwrap().tiers;
            let says = tiers.into_iter().next().and_then(|(scored, _)| scored.ok());
            decisions.push(Decision {
                tiers: vec![says.map(|scored| {
                    let found = &scored.calibrated;
                    let label = Some(labels[found.label()].id.clone());
                    TierDecision {
                        confidence: found.confidence,
                        correct: label == row.label,
                        in_distribution: scored.in_distribution(),
                    }
                })],
                slice: None,
            });
        }
    }
    decisions
}

#[test]
#[ignore = "needs the data of `cargo xtask test`"]
fn repeated_splits_of_real_rows_keep_the_promise() {
    let (repeats, delta) = (400, 0.05);
    for task in ["language", "sentiment"] {
        let mut rows = pool(task);
        let mut random = Pcg32::seed_from_u64(1);
        for risk in [0.05, 0.1, 0.2] {
            let (mut broken, mut certified, mut coverage) = (0, 0, 0.0);
            for _ in 0..repeats {
                for i in (1..rows.len()).rev() {
                    rows.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
                }
                let (tune, rest) = rows.split_at(1000);
                let (cal, unseen) = rest.split_at(2000);
                let certifier = Certifier {
                    tune,
                    tiers: 1,
                    delta,
                    per_slice: false,
                };
                let Some(thresholds) = certifier.certify(cal, risk).thresholds else {
                    continue;
                };
                let said: Vec<bool> = unseen
                    .iter()
                    .filter_map(|row| row.answered(&thresholds).map(|(_, right)| right))
                    .collect();
                let wrong = said.iter().filter(|right| !**right).count();
                certified += 1;
                coverage += said.len() as f64 / unseen.len() as f64;
                broken += usize::from(wrong as f64 > risk * said.len() as f64);
            }
            println!(
                "{task} at risk {risk}: {certified} of {repeats} splits certified, coverage {:.3}, promise broken in {broken}",
                coverage / f64::from(certified).max(1.0)
            );
            let n = f64::from(repeats);
            let most = n * delta + 3.0 * (n * delta * (1.0 - delta)).sqrt();
            assert!(broken as f64 <= most, "{task} at {risk}: {broken}");
            assert!(
                risk < 0.1 || certified > repeats / 2,
                "{task} at {risk}: {certified}"
            );
        }
    }
}
