//! The second tier of `sentiment`: a small BERT, which is tuned by itself, since that takes half an hour.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{calibration, copy, data, printed, smallfirst, strs};
use crate::root;
use crate::run::{command, run};
use crate::tools::{self, sha256};

const TASK: &str = "sentiment";
const ENCODER: &str = "minilm";
const HEAD: &str = "sentiment-minilm";
/// Where it is committed, and where the bundle's ONNX files go.
const TUNED: &str = "models/onnx";
const FILES: [&str; 4] = [
    "minilm/encoder.onnx",
    "minilm/tokenizer.json",
    "minilm/README.md",
    "sentiment-minilm/head.onnx",
];
/// The SHA-256 of the rows that it was tuned on.
const ROWS: &str = "minilm/rows.sha256";

/// Tunes it anew.
pub fn tune() -> Result<()> {
    data(true)?;
    let python = tools::venv(
        "tune-venv",
        &[
            "-r",
            "models/recipe/requirements.txt",
            "-r",
            "models/recipe/requirements-tune.txt",
        ],
        &[],
    )?;
    let out = "target/recipe/tuned";
    run(command(&python).args([
        "models/recipe/sentiment_bert.py",
        "--out",
        out,
        "--data",
        "target/data",
    ]))?;
    for folder in [ENCODER, HEAD] {
        fs::create_dir_all(root().join(TUNED).join(folder))?;
    }
    for file in FILES {
        copy(&format!("{out}/{file}"), &format!("{TUNED}/{file}"))?;
    }
    fs::write(at(ROWS), sha256(&training_rows()?) + "\n")?;
    println!("{TUNED} has the tuned encoder; cargo xtask models makes the bundle with it");
    Ok(())
}

fn at(file: &str) -> PathBuf {
    root().join(TUNED).join(file)
}

fn training_rows() -> Result<Vec<u8>> {
    Ok(fs::read(
        root().join(format!("target/data/{TASK}.train.jsonl")),
    )?)
}

/// What is certified with the first tier alone.
pub(super) fn alone(work: &str) -> Result<String> {
    let mut args = calibration(work, TASK);
    args.push("--dry-run".into());
    printed(&strs(&args))
}

/// Adds it to the task.
pub(super) fn add(work: &str) -> Result<()> {
    // Rows that it was tuned on must not calibrate or test it.
    if fs::read_to_string(at(ROWS))?.trim() != sha256(&training_rows()?) {
        bail!(
            "{TUNED}/{ENCODER} was tuned on other rows than target/data/{TASK}.train.jsonl; run cargo xtask tune first"
        );
    }
    copy(
        "target/recipe/parts/static-text/LICENSE",
        &format!("{TUNED}/{ENCODER}/LICENSE"),
    )?;
    let (model, tokenizer, head) = (
        format!("{TUNED}/{ENCODER}/encoder.onnx"),
        format!("{TUNED}/{ENCODER}/tokenizer.json"),
        format!("{TUNED}/{HEAD}/head.onnx"),
    );
    let mut encoder = vec!["add-encoder", &model, "--out", work, "--name", ENCODER];
    encoder.extend(["--tokenizer", &tokenizer, "--special"]);
    encoder.extend(["--max-tokens", "128", "--license", "Apache-2.0"]);
    smallfirst(true, &encoder)?;
    let mut tier = vec!["import", &head, "--out", work, "--task", TASK, "--add-tier"];
    tier.extend(["--labels", "negative,neutral,positive"]);
    tier.extend(["--encoder", ENCODER, "--encoders-from", work]);
    tier.extend(["--license", "Apache-2.0"]);
    smallfirst(true, &tier)
}
