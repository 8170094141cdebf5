//! What other models bring beside the default bundle: a second tier, and the small LLM that the demo falls back to.

use std::fs;

use anyhow::Result;

use super::{calibration, copy, data, fill, printed, smallfirst, strs};
use crate::run::{command, run};
use crate::{llm, root, tools};

/// The sentiment task with all-MiniLM-L6-v2 as its second tier. The encoder is fetched, not committed: it
/// is twice the size of everything else.
pub fn cascade() -> Result<()> {
    data(true)?;
    let python = tools::venv(
        "recipe-venv",
        &["-r", "models/recipe/requirements.txt"],
        &[],
    )?;
    let minilm = "target/recipe/minilm";
    run(command(&python).args(["models/recipe/minilm.py", "--out", minilm]))?;
    copy("models/static-text/LICENSE", &format!("{minilm}/LICENSE"))?;
    let work = "target/cascade";
    fs::remove_dir_all(root().join(work)).ok();
    smallfirst(true, &["pack", "models", "--out", work])?;
    let (model, tokenizer) = (
        format!("{minilm}/encoder.onnx"),
        format!("{minilm}/tokenizer.json"),
    );
    let mut add = vec![
        "add-encoder",
        &model,
        "--out",
        work,
        "--name",
        "minilm",
        "--tokenizer",
        &tokenizer,
    ];
    add.extend([
        "--dimension",
        "384",
        "--mean",
        "--special",
        "--max-tokens",
        "256",
        "--license",
        "Apache-2.0",
    ]);
    smallfirst(true, &add)?;
    let task = "sentiment";
    let mut train = vec![
        "train",
        "--data",
        "target/data/sentiment.train.jsonl",
        "--out",
        work,
        "--task",
        task,
    ];
    train.extend([
        "--add-tier",
        "--encoder",
        "minilm",
        "--encoders-from",
        work,
        "--ngrams",
        "65536",
    ]);
    train.extend(["--license", "Apache-2.0"]);
    smallfirst(true, &train)?;
    let calibrate = calibration(work, task);
    let calibrated = printed(&strs(&calibrate))?;
    let data = "target/data/sentiment.test.jsonl";
    let measure = [
        "evaluate", work, "--task", task, "--data", data, "--slice", "slice", "--brief",
    ];
    let measured = printed(&measure)?;
    let text = format!("{calibrated}\n{measured}");
    println!("{text}");
    fill("models/README.md", "cascade", &text)
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
        let said = |line: &&str| {
            [
                "$ smallfirst",
                "with the remote's profile",
                "  risk ",
                "the remote is right in",
            ]
            .iter()
            .any(|begins| line.trim_start_matches("    ").starts_with(begins))
        };
        out += &printed.lines().filter(said).collect::<Vec<_>>().join("\n");
        out += "\n\n";
    }
    println!("{out}");
    fill("models/README.md", "profile", &out)
}
