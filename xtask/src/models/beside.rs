//! What other models bring beside the default bundle: a second tier, and the small LLM that the demo falls back to.

use std::fs;

use anyhow::{Context, Result};

use super::{calibration, copy, data, fill, labelled_only, printed, smallfirst, strs};
use crate::run::{cargo, command, output, run};
use crate::{llm, root, tools};

/// The task that all-MiniLM-L6-v2 is tried on, and where its rows are.
const TASK: &str = "sentiment";

fn rows(split: &str) -> String {
    format!("target/data/{TASK}.{split}.jsonl")
}

/// A bundle with the encoder all-MiniLM-L6-v2, for heads to be trained on. The encoder is fetched, not committed: it is twice the
/// size of everything else.
fn minilm() -> Result<&'static str> {
    data(true)?;
    let python = tools::venv(
        "recipe-venv",
        &["-r", "models/recipe/requirements.txt"],
        &[],
    )?;
    let made = "target/recipe/minilm";
    run(command(&python).args(["models/recipe/minilm.py", "--out", made]))?;
    copy("models/static-text/LICENSE", &format!("{made}/LICENSE"))?;
    let bundle = "target/minilm";
    anew(bundle)?;
    let (model, tokenizer) = (
        format!("{made}/encoder.onnx"),
        format!("{made}/tokenizer.json"),
    );
    let mut add = vec!["add-encoder", &model, "--out", bundle, "--name", "minilm"];
    add.extend(["--tokenizer", &tokenizer, "--dimension", "384", "--mean"]);
    add.extend(["--special", "--max-tokens", "256"]);
    add.extend(["--license", "Apache-2.0"]);
    smallfirst(true, &add)?;
    Ok(bundle)
}

/// A copy of the default bundle in place of what is in the folder.
fn anew(folder: &str) -> Result<()> {
    fs::remove_dir_all(root().join(folder)).ok();
    smallfirst(true, &["pack", "models", "--out", folder])
}

/// Trains a head on the encoder of the bundle `encoders`, and writes it to the bundle `out`.
fn train(encoders: &str, out: &str, more: &[&str]) -> Result<()> {
    let data = rows("train");
    let mut train = vec!["train", "--data", &data, "--out", out, "--task", TASK];
    train.extend(["--encoder", "minilm", "--encoders-from", encoders]);
    train.extend(["--ngrams", "65536", "--license", "Apache-2.0"]);
    smallfirst(true, &[&train[..], more].concat())
}

/// The sentiment task with all-MiniLM-L6-v2 as its second tier.
pub fn cascade() -> Result<()> {
    let encoders = minilm()?;
    let work = "target/cascade";
    anew(work)?;
    train(encoders, work, &["--add-tier"])?;
    let calibrate = calibration(work, TASK);
    let calibrated = printed(&strs(&calibrate))?;
    let data = rows("test");
    let measure = [
        "evaluate", work, "--task", TASK, "--data", &data, "--slice", "slice", "--brief",
    ];
    let measured = printed(&measure)?;
    let text = format!("{calibrated}\n{measured}");
    println!("{text}");
    fill("models/README.md", "cascade", &text)
}

/// The sentiment task of the default bundle, certified against all-MiniLM-L6-v2, which stands for a remote: a stronger model,
/// whose answers to all rows are known.
pub fn against_remote() -> Result<()> {
    let encoders = minilm()?;
    let (local, remote) = (
        "target/against-remote/local",
        "target/against-remote/minilm",
    );
    anew(local)?;
    fs::remove_dir_all(root().join(remote)).ok();
    train(encoders, remote, &[])?;
    let answers = |split: &str| format!("target/against-remote/{split}.answers.jsonl");
    let mut out = String::new();
    for split in ["cal", "test"] {
        let (data, answers) = (rows(split), answers(split));
        let answer = [
            "run",
            remote,
            "--task",
            TASK,
            "--data",
            &data,
            "--as-remote",
            "--output",
            &answers,
        ];
        out += &printed(&answer)?;
    }
    let model = ["--remote-model", "all-MiniLM-L6-v2"];
    let certify = |label_errors: &str| {
        let mut args = calibration(local, TASK);
        // The remote was not asked about other rows.
        labelled_only(&mut args);
        args.extend(["--against-remote".into(), answers("cal")]);
        args.extend(model.map(String::from));
        args.extend(["--label-errors".into(), label_errors.into()]);
        args
    };
    out += "\n";
    out += &printed(&strs(&certify("0.05")))?;
    let (data, answers) = (rows("test"), answers("test"));
    let measure = vec![
        "evaluate",
        local,
        "--task",
        TASK,
        "--data",
        &data,
        "--slice",
        "slice",
        "--brief",
        "--remote-answers",
        &answers,
    ];
    out += "\n";
    out += &printed(&[&measure[..], &model].concat())?;
    // What it costs to assume twice as many wrong labels; without a change, so that what was measured stays.
    let mut stricter = certify("0.1");
    stricter.push("--dry-run".into());
    let stricter = printed(&strs(&stricter))?;
    let said = ["$ smallfirst", "against ", "  excess "];
    out += "\n";
    out += &only(&stricter, &said);
    println!("{out}");
    fill("models/README.md", "against-remote", &out)
}

/// The lines of what was printed that begin with one of these.
fn only(printed: &str, begins: &[&str]) -> String {
    let said = |line: &&str| {
        let line = line.trim_start_matches("    ");
        begins.iter().any(|begins| line.starts_with(begins))
    };
    let lines: Vec<&str> = printed.lines().filter(said).collect();
    lines.join("\n")
}

/// Where the demo's fallback was measured to be, for the demo.
const PROFILE: &str = "www/public/remote-profile.json";

/// Measures what the small LLM of the demo knows of the default tasks, so that the demo does not ask it where it knows less. It is
/// slow: so many rows a task.
pub fn profile(rows: usize) -> Result<()> {
    data(true)?;
    let server = llm::start()?;
    fs::remove_file(root().join(PROFILE)).ok();
    let limit = rows.to_string();
    let mut out = String::new();
    for task in ["language", "sentiment", "spam"] {
        let data = format!("target/data/{task}.test.jsonl");
        let measure = [
            "evaluate", "models", "--task", task, "--data", &data, "--limit", &limit, "--brief",
        ];
        let remote = [
            "--profile",
            PROFILE,
            "--remote-model",
            llm::MODEL,
            "--remote",
            &server.address,
        ];
        let printed = printed(&[&measure[..], &remote[..]].concat())?;
        // Another address each time; and the report itself stands elsewhere, of all rows.
        let printed = printed.replace(&server.address, "http://127.0.0.1:8000/v1");
        let said = [
            "$ smallfirst",
            "with the remote's profile",
            "  risk ",
            "the remote is right in",
        ];
        out += &only(&printed, &said);
        out += "\n\n";
    }
    println!("{out}");
    fill("models/README.md", "profile", &out)
}

/// Compares the language model with other packages that bring one, on the same test rows.
pub fn peers() -> Result<()> {
    data(true)?;
    let python = tools::venv(
        "peers-venv",
        &["-r", "models/recipe/requirements-peers.txt"],
        &[],
    )?;
    let mut build = cargo();
    build.args(["build", "--quiet", "--locked", "--release"]);
    run(build.args(["--package", "smallfirst", "--bin", "smallfirst"]))?;
    let peers = output(command(&python).args([
        "models/recipe/peers.py",
        "--data",
        "target/data",
        "--smallfirst",
        "target/release/smallfirst",
    ]))
    .context("models/recipe/peers.py failed; run it by hand to see why")?;
    println!("{peers}");
    fill("models/README.md", "peers", &peers)
}
