//! `target/bench/results.json`, as `tests/bench/driver/results.ts` writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::stats::{Summary, summary};

pub const OURS: &str = "smallfirst";
/// Ours in browsers whose SIMD is not relaxed.
pub const BASELINE: &str = "smallfirst, no relaxed SIMD";
pub const PEER: &str = "onnxruntime-web";

#[derive(Deserialize)]
pub struct Results {
    pub date: String,
    pub machine: Machine,
    pub options: Options,
    pub versions: BTreeMap<String, String>,
    pub models: Vec<Model>,
    pub cases: Vec<Case>,
    pub missing: Vec<String>,
    pub checks: Vec<Check>,
    pub cold: Vec<Cold>,
    pub warm: Vec<Warm>,
    pub memory: Vec<Memory>,
    pub api: Vec<Api>,
    pub batches: Vec<Batch>,
    pub peak: Vec<Speed>,
    pub kernels: Vec<Speed>,
    pub soak: Vec<Soak>,
}

#[derive(Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory: f64,
    pub system: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    pub rounds: usize,
    pub cold_runs: usize,
    pub turn_ms: usize,
    pub quick: bool,
    pub only: Vec<String>,
    pub complete: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    pub id: String,
    pub title: String,
    pub about: String,
    pub bytes: f64,
    pub prepared_from: Option<String>,
}

#[derive(Deserialize)]
pub struct Case {
    pub id: String,
    pub model: String,
    pub title: String,
    pub timed: bool,
    pub flops: f64,
}

/// Whether an output agrees with the reference, or why there was none.
#[derive(Deserialize)]
pub struct Check {
    pub case: String,
    pub contender: String,
    pub ok: bool,
    pub cosine: Option<f64>,
    pub largest: Option<f64>,
    pub error: Option<String>,
}

#[derive(Deserialize)]
pub struct Cold {
    pub row: String,
    pub contender: String,
    pub ms: Vec<f64>,
    pub bytes: f64,
    pub files: Vec<File>,
    pub longest: Vec<f64>,
}

#[derive(Deserialize)]
pub struct File {
    pub path: String,
    pub bytes: f64,
}

#[derive(Deserialize)]
pub struct Warm {
    pub case: String,
    pub contender: String,
    pub ms: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Memory {
    pub case: String,
    pub contender: String,
    pub bytes: f64,
}

#[derive(Deserialize)]
pub struct Api {
    pub task: String,
    pub ms: Vec<f64>,
    pub longest: f64,
}

/// A batch of so many inputs, and how many workers share it.
#[derive(Deserialize)]
pub struct Batch {
    pub task: String,
    pub workers: usize,
    pub inputs: usize,
    pub ms: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Speed {
    pub name: String,
    pub contender: String,
    pub gflops: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Soak {
    pub what: String,
    pub contender: String,
    pub before: f64,
    pub after: f64,
}

impl Results {
    /// Whether nothing was left out of the run.
    pub fn is_whole(&self) -> bool {
        self.options.complete && self.options.only.is_empty() && !self.options.quick
    }

    pub fn warm(&self, case: &str, contender: &str) -> Option<Summary> {
        let found = self
            .warm
            .iter()
            .find(|w| w.case == case && w.contender == contender)?;
        summary(&found.ms)
    }

    pub fn cold(&self, row: &str, contender: &str) -> Option<&Cold> {
        self.cold
            .iter()
            .find(|c| c.row == row && c.contender == contender)
    }

    /// How long a batch takes that so many workers share, as a ratio to the same in one worker.
    pub fn sharing(&self, task: &str, workers: usize) -> Option<f64> {
        let median = |workers: usize| {
            let mut all = self.batches.iter();
            let found = all.find(|b| b.task == task && b.workers == workers)?;
            Some(summary(&found.ms)?.median)
        };
        Some(median(workers)? / median(1)?)
    }

    /// The WebAssembly memory after a case and all before it.
    pub fn memory(&self, case: &str, contender: &str) -> Option<f64> {
        let found = self
            .memory
            .iter()
            .find(|m| m.case == case && m.contender == contender)?;
        Some(found.bytes)
    }

    /// The contenders of some rows, in the order in which they are shown.
    pub fn order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        for name in names {
            if !found.contains(&name) {
                found.push(name);
            }
        }
        // Ours, then those in the browser, then the bare machine.
        found.sort_by_key(|name| (name.ends_with("native"), !name.starts_with(OURS)));
        found
    }

    /// The most that a kernel could reach, in thousands of millions of operations a second: the fastest of the loops of
    /// nothing but arithmetic on a kind of number, ours and those among the kernels' benchmarks.
    pub fn limit(&self, kind: Kind) -> Option<f64> {
        let kernels = self.kernels.iter().filter(|k| k.contender == "wasm");
        let named = |prefix: &'static str| move |speed: &&Speed| speed.name.starts_with(prefix);
        let best = |speed: &Speed| summary(&speed.gflops).map(|of| of.best);
        let (ours, other): (Vec<_>, Vec<_>) = self.peak.iter().partition(named("f32"));
        let (loops, peak) = match kind {
            Kind::Float => (ours, "peak f32"),
            Kind::Int8 => (other, "peak i8"),
        };
        let all = loops.into_iter().chain(kernels.filter(named(peak)));
        all.filter_map(best).reduce(f64::max)
    }
}

/// What a model computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Float,
    Int8,
}

impl Kind {
    pub fn of(model: &str) -> Self {
        if model.ends_with("int8") {
            Kind::Int8
        } else {
            Kind::Float
        }
    }
}
