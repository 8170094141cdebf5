//! How often the input monitor raises an alarm although nothing has changed: real rows of the default tasks, split and
//! ordered at random.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::fs;
use std::path::PathBuf;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use smallfirst::calibrate::{Decision, TierDecision};
use smallfirst::data::{Columns, read};
use smallfirst::host::FixedClock;
use smallfirst::monitor::{FALSE_ALARM_RATE, InputMonitor, reference};
use smallfirst::task::Input;

/// The most rows of a split that are scored: many more than a visitor asks.
const ROWS: usize = 3000;

/// How many random orders there are of a task's rows.
const ORDERS: usize = 1000;

/// The first tier's confidences on rows that the task's head was not trained on.
fn confidences(task: &str) -> Vec<Decision> {
    let data = PathBuf::from(std::env::var_os("SMALLFIRST_DATA").expect("SMALLFIRST_DATA"));
    let runtime = common::runtime(1);
    let columns = Columns {
        nested: false,
        text: "input".into(),
        label: "label".into(),
        slice: None,
    };
    let mut seen = Vec::new();
    for split in ["cal", "test"] {
        let name = format!("{task}.{split}.jsonl");
        let rows = read(&name, &fs::read(data.join(&name)).unwrap(), &columns).unwrap();
        let rows = rows.all().unwrap();
        // All over the file, whose rows lie together by their kinds.
        let step = rows.len().div_ceil(ROWS);
        for row in rows.iter().step_by(step) {
            let scores = runtime.score_tiers(task, Input::Text(&row.text), &FixedClock);
            let tiers = pollster::block_on(scores).unwrap().tiers;
            let first = tiers.into_iter().next().and_then(|(scored, _)| scored.ok());
            let Some(scored) = first else { continue };
            seen.push(Decision {
                tiers: vec![Some(TierDecision {
                    confidence: scored.calibrated.confidence,
                    correct: true,
                    in_distribution: scored.in_distribution(),
                })],
                slice: None,
                in_scope: true,
            });
        }
    }
    seen
}

fn uniform(random: &mut Pcg32) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn shuffle<T>(rows: &mut [T], random: &mut Pcg32) {
    for i in (1..rows.len()).rev() {
        rows.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
    }
}

/// Not `file-type`: the files it is calibrated with are not fetched for tests.
#[test]
#[ignore = "needs the data of `cargo xtask test`"]
fn random_orders_and_splits_of_real_rows_seldom_raise_the_alarm() {
    for task in ["language", "sentiment", "spam"] {
        let mut rows = confidences(task);
        let mut random = Pcg32::seed_from_u64(1);
        let live = rows.len() / 2;
        let mut alarms = 0;
        for _ in 0..ORDERS {
            // A new split into tuning rows, calibration rows and what comes live, each in a new order.
            shuffle(&mut rows, &mut random);
            let (calibrated, live) = rows.split_at(rows.len() - live);
            let (tune, cal) = calibrated.split_at(calibrated.len() / 3);
            let mut monitor = InputMonitor::new(&reference(tune, cal).unwrap());
            for row in live {
                let confidence = row.tiers[0].as_ref().unwrap().confidence;
                monitor.observe(confidence, uniform(&mut random));
            }
            alarms += usize::from(monitor.alarmed());
        }
        println!(
            "{task}: {alarms} alarms in {ORDERS} orders of {} rows, {live} of them live",
            rows.len()
        );
        let n = ORDERS as f64;
        let rate = FALSE_ALARM_RATE;
        let most = n * rate + 3.0 * (n * rate * (1.0 - rate)).sqrt();
        assert!(alarms as f64 <= most, "{task}: {alarms}");
    }
}
