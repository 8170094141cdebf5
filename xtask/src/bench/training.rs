//! Training with many labels and n-grams: time, memory and held-out accuracy, beside scikit-learn.
//!
//! The rows are 15,000 short texts with 150 labels, made of the default bundle's data: a language and whether it is a word, a
//! pair of words or a sentence (141 labels), the folder of a mail by its first line (5), the attitude of a tweet or a
//! review (3), and texts that belong to none of these (1).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::models;
use crate::root;
use crate::run::{command, run};
use crate::tools;

/// The row that `--only` names.
pub const NAME: &str = "training";

const OUT: &str = "target/bench/training";

/// The rows of a label, to train and to test on.
const TRAIN: usize = 100;
const TEST: usize = 50;

/// The longest text that is taken, in bytes.
const SHORT: usize = 400;

/// How often a process's memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Trains each way, and prints a table.
pub fn bench() -> Result<()> {
    let data = crate::models::data(true)?;
    let out = root().join(OUT);
    fs::create_dir_all(&out)?;
    let (train, test) = (out.join("train.jsonl"), out.join("test.jsonl"));
    let (rows, labels) = write_rows(&data, &train, &test)?;
    let native = models::native()?;
    let mut table = format!(
        "{rows} rows, {labels} labels\n\n| what | seconds | peak memory | held-out accuracy |\n| --- | --- | --- | --- |\n"
    );
    let mut line = |name: &str, measured: &Measured, accuracy: f64| {
        let memory = measured.peak.map_or("not known here".to_owned(), |peak| {
            format!("{} MB", peak / 1000)
        });
        let seconds = measured.seconds.as_secs_f64();
        table += &format!(
            "| {name} | {seconds:.1} | {memory} | {:.2} % |\n",
            100.0 * accuracy
        );
    };
    for (name, ngrams) in [
        ("smallfirst, encoder and n-grams", "65536"),
        ("smallfirst, encoder alone", "0"),
    ] {
        let bundle = out.join("bundle");
        fs::remove_dir_all(&bundle).ok();
        let mut train_it = command(&native);
        train_it.args(["train", "--task", "texts", "--encoder", "static"]);
        train_it.args(["--encoders-from", "models", "--ngrams", ngrams]);
        train_it.arg("--data").arg(&train).arg("--out").arg(&bundle);
        let measured = measure(&mut train_it)?;
        let report = out.join("report.json");
        run(command(&native)
            .arg("evaluate")
            .arg(&bundle)
            .args(["--task", "texts", "--brief"])
            .arg("--data")
            .arg(&test)
            .arg("--json")
            .arg(&report))?;
        let report: Value = serde_json::from_slice(&fs::read(&report)?)?;
        let accuracy = report["accuracy"]["value"].as_f64();
        line(
            name,
            &measured,
            accuracy.context("no accuracy in the report")?,
        );
    }
    let python = tools::venv(
        "training-venv",
        &["-r", "tests/bench/training/requirements.txt"],
        &[],
    )?;
    let mut sklearn = command(python);
    sklearn
        .arg("tests/bench/training/tfidf.py")
        .arg(&train)
        .arg(&test);
    let measured = measure(&mut sklearn)?;
    let printed: Value = serde_json::from_str(measured.printed.trim())?;
    let accuracy = printed["accuracy"].as_f64();
    line(
        "scikit-learn, TF-IDF and logistic regression",
        &measured,
        accuracy.context("no accuracy was printed")?,
    );
    println!("{table}");
    Ok(())
}

/// Writes the rows, and gives how many there are to train on, and of how many labels.
fn write_rows(data: &Path, train: &Path, test: &Path) -> Result<(usize, usize)> {
    let mut pool: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (file, kind) in [
        ("language.tune.jsonl", Kind::Language),
        ("language.cal.jsonl", Kind::Language),
        ("language.test.jsonl", Kind::Language),
        ("tweets.jsonl", Kind::Attitude),
        ("spam.jsonl", Kind::Folder),
        ("sentiment.oos.jsonl", Kind::Other),
    ] {
        let text = fs::read_to_string(data.join(file)).with_context(|| file.to_owned())?;
        for line in text.lines() {
            let row: Value = serde_json::from_str(line)?;
            let field = |name: &str| row[name].as_str().unwrap_or_default();
            let label = match kind {
                Kind::Language => field("slice").to_owned(),
                Kind::Attitude => format!("sentiment/{}", field("label")),
                Kind::Folder => format!("mail/{}", field("slice")),
                Kind::Other => "none".to_owned(),
            };
            let input = field("input").lines().next().unwrap_or_default().trim();
            let texts = pool.entry(label).or_default();
            let wanted = texts.len() < TRAIN + TEST && !input.is_empty() && input.len() <= SHORT;
            if wanted && seen.insert(input.to_owned()) {
                texts.push(input.to_owned());
            }
        }
    }
    let mut parts = [String::new(), String::new()];
    let mut trained = 0;
    for (label, texts) in &pool {
        for (at, input) in texts.iter().enumerate() {
            let row = serde_json::json!({"input": input, "label": label});
            parts[usize::from(at >= TRAIN)] += &format!("{row}\n");
            trained += usize::from(at < TRAIN);
        }
    }
    fs::write(train, &parts[0])?;
    fs::write(test, &parts[1])?;
    Ok((trained, pool.len()))
}

#[derive(Clone, Copy)]
enum Kind {
    Language,
    Attitude,
    Folder,
    Other,
}

struct Measured {
    seconds: Duration,
    /// In KB; Linux alone tells it.
    peak: Option<u64>,
    printed: String,
}

/// Runs a command to its end, and looks at the most memory it has had while it runs.
fn measure(of: &mut Command) -> Result<Measured> {
    let start = Instant::now();
    let mut child = of.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let output = child.stdout.take().context("it has no output")?;
    let reader = std::thread::spawn(move || std::io::read_to_string(output));
    let mut peak = None;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        let line = fs::read_to_string(&status).unwrap_or_default();
        let most = line.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|most| most.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(most);
        std::thread::sleep(LOOK);
    };
    let seconds = start.elapsed();
    let printed = reader
        .join()
        .map_err(|_| anyhow::anyhow!("its output could not be read"))??;
    eprint!("{printed}");
    if !ended.success() {
        bail!("training failed ({ended})");
    }
    Ok(Measured {
        seconds,
        peak,
        printed,
    })
}
