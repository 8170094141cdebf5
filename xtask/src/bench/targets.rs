//! What smallfirst wants to reach, each as a ratio to onnxruntime-web in the same run.

use super::results::{OURS, PEER, Results};
use super::stats::summary;

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
    let mut list = Vec::new();
    for row in ["language", "file-type", "sentiment", "MiniLM int8"] {
        let pair = results.cold(row, OURS).zip(results.cold(row, PEER));
        let time = pair.and_then(|(a, b)| Some(summary(&a.ms)?.median / summary(&b.ms)?.median));
        list.push(Target {
            title: format!("bytes to the first answer: {row}"),
            ratio: pair.map(|(a, b)| a.bytes / b.bytes),
            limit: 1.0,
        });
        list.push(Target {
            title: format!("time to the first answer: {row}"),
            ratio: time,
            limit: 1.0,
        });
    }
    for case in results.cases.iter().filter(|case| case.timed) {
        let title = results
            .models
            .iter()
            .find(|m| m.id == case.model)
            .map_or(case.model.as_str(), |m| m.title.as_str());
        let pair = results
            .warm(&case.id, OURS)
            .zip(results.warm(&case.id, PEER));
        list.push(Target {
            title: format!("warm latency: {title}, {}", case.title),
            ratio: pair.map(|(a, b)| a.median / b.median),
            limit: 1.0,
        });
    }
    for model in &results.models {
        let last = results
            .cases
            .iter()
            .rfind(|case| case.model == model.id && case.timed);
        let ratio = last.and_then(|case| {
            Some(results.memory(&case.id, OURS)? / results.memory(&case.id, PEER)?)
        });
        list.push(Target {
            title: format!("peak WebAssembly memory: {}", model.title),
            ratio,
            limit: 1.0,
        });
    }
    list
}
