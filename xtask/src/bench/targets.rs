//! The performance targets, each as a ratio of two figures of the same run.

use super::results::{BASELINE, Case, OURS, PEER, Results};
use super::stats::summary;

/// The other library, whose first answer ours is held against.
const OTHER: &str = "transformers.js";

/// One aim, and what was measured.
pub struct Target {
    pub title: String,
    /// Ours divided by the other's; nothing when one of them was not measured.
    pub ratio: Option<f64>,
    /// The ratio that is allowed.
    pub limit: f64,
}

impl Target {
    pub fn met(&self) -> Option<bool> {
        self.ratio.map(|ratio| ratio <= self.limit)
    }
}

pub fn targets(results: &Results) -> Vec<Target> {
    let mut list = warm(results);
    list.extend(memory(results));
    list.extend(cold(results));
    list.push(Target {
        title: "a batch in two workers against one, file-type".into(),
        ratio: results.sharing("file-type", 2),
        // 1.7 times the throughput.
        limit: 1.0 / 1.7,
    });
    for soak in results.soak.iter().filter(|soak| soak.contender == OURS) {
        list.push(Target {
            title: format!("memory after against before: {}", soak.what),
            ratio: Some(soak.after / soak.before),
            // A process's own memory comes and goes a little; WebAssembly's only grows.
            limit: if soak.what.contains("process") {
                1.1
            } else {
                1.0
            },
        });
    }
    list
}

/// What is allowed of the peer's time, with relaxed SIMD.
fn allowed(case: &Case) -> f64 {
    match case.model.as_str() {
        "mobilenet-v2" => 0.75,
        "minilm-int8" if case.id.contains("-1x") => 0.6,
        "minilm-fp32" if case.id.ends_with("-1x16") => 0.6,
        "minilm-fp32" if case.id.ends_with("-1x128") => 0.75,
        _ => 1.0,
    }
}

fn warm(results: &Results) -> Vec<Target> {
    let mut list = Vec::new();
    for case in results.cases.iter().filter(|case| case.timed) {
        for (contender, limit, note) in [
            (OURS, allowed(case), ""),
            (BASELINE, 1.0, ", without relaxed SIMD"),
        ] {
            let pair = results
                .warm(&case.id, contender)
                .zip(results.warm(&case.id, PEER));
            let model = title(results, &case.model);
            list.push(Target {
                title: format!("warm latency: {model}, {}{note}", case.title),
                ratio: pair.map(|(a, b)| a.median / b.median),
                limit,
            });
        }
    }
    list
}

/// The memory that a model needs for one input: the largest, where it is given several.
fn memory(results: &Results) -> Vec<Target> {
    let mut list = Vec::new();
    for model in &results.models {
        let own = |case: &&Case| case.model == model.id && case.timed && !case.id.contains("-16x");
        let last = results.cases.iter().rfind(own);
        let ratio = last.and_then(|case| {
            Some(results.memory(&case.id, OURS)? / results.memory(&case.id, PEER)?)
        });
        list.push(Target {
            title: format!("peak WebAssembly memory: {}", model.title),
            ratio,
            limit: 0.5,
        });
    }
    list
}

fn cold(results: &Results) -> Vec<Target> {
    let mut list = Vec::new();
    let mut compare = |(row, other_row): (&str, &str), other: &str, limit: f64| {
        let pair = results.cold(row, OURS).zip(results.cold(other_row, other));
        let time = pair.and_then(|(a, b)| Some(summary(&a.ms)?.median / summary(&b.ms)?.median));
        let against = if other == PEER {
            String::new()
        } else {
            format!(" against {other}")
        };
        list.push(Target {
            title: format!("bytes to the first answer: {row}{against}"),
            ratio: pair.map(|(a, b)| a.bytes / b.bytes),
            limit: 1.0,
        });
        list.push(Target {
            title: format!("time to the first answer: {row}{against}"),
            ratio: time,
            limit,
        });
    };
    // Its smallest model of a like kind makes a sentence's embedding; ours has the answer by then.
    compare(("sentiment", "MiniLM int8"), OTHER, 0.25);
    for row in ["language", "file-type", "sentiment", "MiniLM int8"] {
        compare((row, row), PEER, 1.0);
    }
    list
}

fn title<'a>(results: &'a Results, model: &'a str) -> &'a str {
    let found = results.models.iter().find(|m| m.id == model);
    found.map_or(model, |m| m.title.as_str())
}
