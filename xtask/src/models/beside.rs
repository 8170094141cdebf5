//! Other models beside the default bundle: a stronger one in a remote's place, other packages, and the demo's small LLM.

use std::fs;

use anyhow::{Context, Result};

use super::{calibration, data, fill, labelled_only, printed, smallfirst, strs, train};
use crate::run::{cargo, command, output, run};
use crate::{llm, root, tools};

/// The task that has a stronger model, and where its rows are.
const TASK: &str = "sentiment";

fn rows(split: &str) -> String {
    format!("target/data/{TASK}.{split}.jsonl")
}

/// A copy of the default bundle in place of what is in the folder.
fn anew(folder: &str) -> Result<()> {
    fs::remove_dir_all(root().join(folder)).ok();
    smallfirst(true, &["pack", "models", "--out", folder])
}

/// The first tier of `sentiment`, certified against the default bundle with both, which stands for a remote: a stronger model, whose
/// answers to all rows are known.
pub fn against_remote() -> Result<()> {
    data(true)?;
    let (local, remote) = ("target/against-remote/local", "models");
    anew(local)?;
    // Without --add-tier it takes the place of the task with both.
    train(TASK, local, local)?;
    let answers = |split: &str| format!("target/against-remote/{split}.answers.jsonl");
    let mut out = String::new();
    for split in ["tune", "cal", "test"] {
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
    let model = ["--remote-model", "smallfirst-both-tiers"];
    let certify = |label_errors: &str| {
        let mut args = calibration(local, TASK);
        // The remote was not asked about other rows.
        labelled_only(&mut args);
        args.extend(["--tune-remote-answers".into(), answers("tune")]);
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
