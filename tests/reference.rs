//! The shipped file-type model against the original it comes from: magika's Python.
//!
//! These need fetched data and packages, so they run under `cargo xtask test`, which sets the
//! environment variables; plain `cargo test` skips them.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn variable(name: &str) -> PathBuf {
    env::var_os(name)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`"))
}

/// Every `step`-th line of a data file, at most `most`.
fn sample(file: &str, step: usize, most: usize) -> Vec<String> {
    let path = variable("SMALLFIRST_DATA").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .step_by(step)
        .take(most)
        .map(str::to_owned)
        .collect()
}

/// A program that is given the lines on its standard input and answers each with a line of JSON.
fn answers(program: impl AsRef<OsStr>, script: &str, lines: &[String]) -> Vec<Value> {
    let input = env::temp_dir().join(format!(
        "smallfirst-{}-{}",
        std::process::id(),
        script.replace('/', "-")
    ));
    fs::write(&input, lines.join("\n") + "\n").unwrap();
    let output = Command::new(program)
        .arg(root().join("tests/reference").join(script))
        .stdin(Stdio::from(fs::File::open(&input).unwrap()))
        .output()
        .unwrap();
    fs::remove_file(&input).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&output.stdout)
}

/// Our own answers, with all scores, through the command line.
fn ours(lines: &[String]) -> Vec<Value> {
    let data = env::temp_dir().join(format!("smallfirst-{}-files.jsonl", std::process::id()));
    fs::write(&data, lines.join("\n") + "\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_smallfirst"))
        .args(["run", "--all-scores", "--text", "path"])
        .args(["--task", "file-type", "--data"])
        .arg(&data)
        .arg(root().join("models"))
        .output()
        .unwrap();
    fs::remove_file(&data).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&output.stdout)
}

fn parse(lines: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(lines).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn temperature(head: &str) -> f64 {
    let manifest = fs::read(root().join("models/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["heads"][head]["temperature"]
        .as_f64()
        .unwrap_or(1.0)
}

/// The probabilities of an answer as the model itself gave them, before the temperature: p is
/// proportional to q^T where q is calibrated.
fn uncalibrated(answer: &Value, temperature: f64) -> BTreeMap<String, f64> {
    let scores = answer["output"]["scores"].as_array().unwrap();
    let powers: Vec<(String, f64)> = scores
        .iter()
        .map(|s| {
            let score = s["score"].as_f64().unwrap().powf(temperature);
            (s["label"].as_str().unwrap().to_owned(), score)
        })
        .collect();
    let sum: f64 = powers.iter().map(|(_, p)| p).sum();
    powers
        .into_iter()
        .map(|(label, p)| (label, p / sum))
        .collect()
}

#[test]
#[ignore = "needs fetched data: run by `cargo xtask test`"]
fn file_type_gives_what_magika_gives() {
    let lines = sample("filetype.sample.jsonl", 3, 400);
    let theirs = answers(
        variable("SMALLFIRST_MAGIKA_PYTHON"),
        "magika_labels.py",
        &lines,
    );
    let ours = ours(&lines);
    assert_eq!(theirs.len(), ours.len());
    let temperature = temperature("file-type");
    let mut compared = 0;
    let mut labels = BTreeSet::new();
    for ((line, theirs), ours) in lines.iter().zip(&theirs).zip(&ours) {
        // The files that magika does not ask its model about are the ones we refuse.
        if theirs["label"] == "undefined" || ours.get("code").is_some() {
            assert_eq!(theirs["label"], "undefined", "{line}");
            assert!(
                matches!(
                    ours["code"].as_str(),
                    Some("input_too_short" | "empty_input")
                ),
                "{line}: {ours}"
            );
            continue;
        }
        assert_eq!(ours["output"]["label"], theirs["label"], "{line}");
        let label = theirs["label"].as_str().unwrap();
        let difference = uncalibrated(ours, temperature)[label] - theirs["score"].as_f64().unwrap();
        assert!(difference.abs() < 1e-3, "{line}: {difference}");
        compared += 1;
        labels.insert(theirs["label"].as_str().unwrap().to_owned());
    }
    println!(
        "file-type: {compared} files of {} types, all labels equal",
        labels.len()
    );
    assert!(
        compared >= 100 && labels.len() >= 15,
        "{compared} files, {} types",
        labels.len()
    );
}
