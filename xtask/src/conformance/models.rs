//! Real models: ONNX files that package registries hold, beside onnxruntime, and models of scikit-learn, XGBoost and LightGBM,
//! beside these libraries.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Outcome, read};
use crate::root;
use crate::run::{cargo, command, output, run};
use crate::tools;

/// The table's beginning, between which and its end a run writes.
const MARKS: [(&str, &str); 3] = [
    ("<!-- files -->", "<!-- /files -->"),
    ("<!-- classical -->", "<!-- /classical -->"),
    ("<!-- times -->", "<!-- /times -->"),
];

/// Runs the files of tests/reference/files.json, and writes docs/models.md.
pub fn files() -> Result<()> {
    let list = fs::read(root().join("tests/reference/files.json"))?;
    let list: Vec<Value> = serde_json::from_slice(&list)?;
    let folder = folder()?;
    let outcomes = outcomes(&folder, &[])?;
    let found: BTreeMap<&str, &Outcome> = outcomes.iter().map(|o| (o.name.as_str(), o)).collect();
    let of = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().replace('|', "\\|");
    let mut table = String::from(
        "| file | what it is | package | licence | MB | |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let mut right = 0;
    for entry in &list {
        let name = of(entry, "name");
        let outcome = found
            .get(name.as_str())
            .with_context(|| format!("{name} was not run"))?;
        let end = match outcome.kind.as_str() {
            "right" => {
                right += 1;
                "right".to_owned()
            }
            kind => format!(
                "{}: {}",
                kind.to_lowercase(),
                outcome.why.replace('|', "\\|")
            ),
        };
        let megabytes = entry["bytes"].as_f64().unwrap_or_default() / 1e6;
        let (kind, licence) = (of(entry, "kind"), of(entry, "licence"));
        let package = format!(
            "{} {} {}",
            of(entry, "registry"),
            of(entry, "package"),
            of(entry, "version")
        );
        let _ = writeln!(
            table,
            "| {name} | {kind} | {package} | {licence} | {megabytes:.1} | {end} |"
        );
    }
    let said = format!(
        "{right} of {} files give what onnxruntime gives, at two sizes each.\n\n{table}",
        list.len()
    );
    println!("{right} of {} files are right", list.len());
    write(0, &said)?;
    refuse_wrong(&outcomes)
}

/// The folder of the files, with inputs for each and what onnxruntime gives.
pub fn folder() -> Result<PathBuf> {
    made(
        "files",
        "tests/reference/requirements-files.txt",
        "tests/reference/files.py",
        Some("tests/reference/files.json"),
    )
}

/// Writes the table of times into docs/models.md.
pub fn write_times(table: &str) -> Result<()> {
    write(2, table)
}

/// Runs the models of tests/reference/classical.py, and writes docs/models.md.
pub fn classical() -> Result<()> {
    let folder = made(
        "classical",
        "tests/reference/requirements-classical.txt",
        "tests/reference/classical.py",
        None,
    )?;
    let outcomes = outcomes(&folder, &["--tolerance", "1e-5"])?;
    let right = outcomes.iter().filter(|o| o.kind == "right").count();
    let names: Vec<String> = outcomes
        .iter()
        .map(|o| match o.kind.as_str() {
            "right" => o.name.clone(),
            kind => format!("{} ({}: {})", o.name, kind.to_lowercase(), o.why),
        })
        .collect();
    println!("{right} of {} models are right", outcomes.len());
    let said = format!(
        "{right} of {} models give what their libraries give, within 1e-5: {}.\n",
        outcomes.len(),
        names.join(", ")
    );
    write(1, &said)?;
    refuse_wrong(&outcomes)
}

fn refuse_wrong(outcomes: &[Outcome]) -> Result<()> {
    let wrong: Vec<&str> = outcomes
        .iter()
        .filter(|o| matches!(o.kind.as_str(), "WRONG" | "CRASHED"))
        .map(|o| o.name.as_str())
        .collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => bail!("wrong or crashed: {}", wrong.join(", ")),
    }
}

/// Runs the tokenizers of tests/reference/tokens.json, and writes docs/tokenizers.md.
pub fn tokenizers() -> Result<()> {
    let folder = made(
        "tokenizers",
        "tests/reference/requirements-tokens.txt",
        "tests/reference/tokens.py",
        Some("tests/reference/tokens.json"),
    )?;
    run(cargo()
        .args(["test", "--locked", "--package", "smallfirst"])
        .args([
            "--test",
            "tokenizers",
            "--",
            "--include-ignored",
            "--nocapture",
        ])
        .env("SMALLFIRST_TOKENIZERS", &folder))
}

/// A folder that a script made with packages of its own, and of a list of files in packages.
fn made(name: &str, requirements: &str, script: &str, list: Option<&str>) -> Result<PathBuf> {
    let folder = root().join("target").join(name);
    let mut inputs = Vec::new();
    let archives = list.map(|_| "tests/reference/archives.py");
    for file in [requirements, script]
        .into_iter()
        .chain(list)
        .chain(archives)
    {
        inputs.extend(fs::read(root().join(file))?);
    }
    let stamp = tools::Stamp::new(&folder.with_extension("stamp"), &inputs);
    if !stamp.is_fresh() {
        let python = tools::venv(&format!("{name}-venv"), &["-r", requirements], &[])?;
        run(command(python).arg(root().join(script)).arg(&folder))?;
        stamp.set()?;
    }
    Ok(folder)
}

fn outcomes(folder: &std::path::Path, options: &[&str]) -> Result<Vec<Outcome>> {
    run(cargo()
        .args([
            "build",
            "--locked",
            "--release",
            "--package",
            "smallfirst-onnx",
        ])
        .args(["--example", "conformance"]))?;
    let example = root().join("target/release/examples/conformance");
    let lines = output(command(example).arg(folder).arg("--lines").args(options));
    read(&lines.context("the models did not run to their end")?)
}

fn write(table: usize, text: &str) -> Result<()> {
    let path = root().join("docs/models.md");
    let page = fs::read_to_string(&path)?;
    let (begin, end) = MARKS[table];
    let parts = page
        .split_once(begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = parts.with_context(|| format!("docs/models.md has no {begin}"))?;
    Ok(fs::write(
        &path,
        format!("{before}{begin}\n\n{text}\n{end}{after}"),
    )?)
}
