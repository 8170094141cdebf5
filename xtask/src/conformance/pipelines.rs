//! Folders as Hugging Face's tools write them, beside what transformers.js gives on them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::root;
use crate::run::{cargo, command, run};
use crate::tools;

const SCRIPTS: &str = "tests/reference/pipelines";
const REQUIREMENTS: &str = "tests/reference/requirements-folders.txt";

/// Composes the folders, runs transformers.js and the command line on them, and writes docs/pipelines.md.
pub fn pipelines() -> Result<()> {
    let folders = root().join("target/folders");
    composed(&folders)?;
    tools::npm_ci(SCRIPTS)?;
    let expected = expected(&folders)?;
    run(cargo().args([
        "build",
        "--locked",
        "--release",
        "--package",
        "smallfirst",
        "--bin",
        "smallfirst",
    ]))?;
    let results = folders.join("native.json");
    run(script("native.mjs")
        .arg(root().join("target/release/smallfirst"))
        .arg(&folders)
        .arg(&expected)
        .arg(root().join("target/folders-bundles"))
        .arg(&results))?;
    let compared = script("compare.mjs")
        .arg(&expected)
        .arg(&results)
        .arg("--json")
        .output()?;
    let table: Vec<Value> = serde_json::from_slice(&compared.stdout)
        .with_context(|| String::from_utf8_lossy(&compared.stderr).into_owned())?;
    let results: Value = serde_json::from_slice(&fs::read(&results)?)?;
    fs::write(root().join("docs/pipelines.md"), page(&table, &results)?)?;
    println!("docs/pipelines.md was written");
    let differing: Vec<&str> = table
        .iter()
        .filter(|row| row["right"] == false && row["cases"] != 0)
        .filter_map(|row| row["name"].as_str())
        .collect();
    match differing.is_empty() {
        true => Ok(()),
        false => bail!("differs from transformers.js: {}", differing.join(", ")),
    }
}

/// A script of the folder that has transformers.js.
fn script(name: &str) -> std::process::Command {
    let mut node = command("node");
    node.arg(root().join(SCRIPTS).join(name));
    node
}

/// What files hold, one after another: what a thing was made of.
fn contents(paths: &[&str]) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for path in paths.iter().map(|path| root().join(path)) {
        let mut files = match path.is_dir() {
            true => fs::read_dir(&path)?
                .map(|entry| Ok(entry?.path()))
                .collect::<Result<Vec<_>>>()?,
            false => vec![path],
        };
        files.retain(|file| file.is_file());
        files.sort();
        for file in files {
            all.extend(fs::read(file)?);
        }
    }
    Ok(all)
}

/// What the folders are made of.
const MADE_OF: [&str; 6] = [
    REQUIREMENTS,
    "tests/reference/folders.py",
    "tests/reference/folders.json",
    "tests/reference/folders",
    "tests/fixtures/folders/minilm",
    "tests/fixtures/folders/sentiment",
];

/// Composes the folders, unless that was done already.
fn composed(folders: &Path) -> Result<()> {
    let stamp = tools::Stamp::new(&folders.with_extension("stamp"), &contents(&MADE_OF)?);
    if !stamp.is_fresh() {
        let python = tools::venv("folders-venv", &["-r", REQUIREMENTS], &[])?;
        run(command(python)
            .arg(root().join("tests/reference/folders.py"))
            .arg(folders))?;
        stamp.set()?;
    }
    Ok(())
}

/// Where it stands what transformers.js gives.
fn expected(folders: &Path) -> Result<std::path::PathBuf> {
    let path = folders.join("expected.json");
    let scripts = [
        "expected.mjs",
        "inputs.mjs",
        "runs.mjs",
        "package-lock.json",
    ]
    .map(|name| format!("{SCRIPTS}/{name}"));
    let mut made_of = contents(&MADE_OF)?;
    made_of.extend(contents(&scripts.each_ref().map(String::as_str))?);
    made_of.extend(contents(&["models/recipe/behaviour"])?);
    let stamp = tools::Stamp::new(&folders.with_extension("expected.stamp"), &made_of);
    if !stamp.is_fresh() || !path.exists() {
        run(script("expected.mjs")
            .arg(folders)
            .arg(&path)
            .arg("--fixture")
            .arg(root().join("tests/fixtures/pipelines.json")))?;
        stamp.set()?;
    }
    Ok(path)
}

fn page(table: &[Value], results: &Value) -> Result<String> {
    let listed = fs::read(root().join("tests/reference/folders.json"))?;
    let listed: Value = serde_json::from_slice(&listed)?;
    let folders = listed["folders"]
        .as_array()
        .context("there are no folders")?;
    let mut rows: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for row in table {
        let folder = row["folder"].as_str().unwrap_or_default();
        rows.entry(folder).or_default().push(row);
    }
    let mut text = String::from(
        "# Pipelines\n\n\
        Folders as Hugging Face's tools write them (`config.json`, `tokenizer.json`, ONNX weights), run by `smallfirst/pipeline` and by the\n\
        command line, beside what transformers.js gives on the same folders and inputs.\n\n\
        `cargo xtask conformance --pipelines` composes the folders of what package registries hold (`tests/reference/folders.json`: each\n\
        file is pinned by its hash; what was written here for a folder is in its NOTICE), runs transformers.js in Node on at least 100\n\
        inputs of each, imports each folder with the command line, compares, and writes this page. Labels, their order and their scores\n\
        are to be the same: scores within the tolerance of `folders.json`, 1e-3 for floats. None of this is in the default bundle.\n\
        Pictures are squares that no processor resizes, since no two programs resize alike.\n\n\
        Three things differ on purpose or are known. A text over the model's length is cut there and refused here (nanoguard). Entities\n\
        side by side become one there although a token between them is of none; Python's and ours stay two (rampart). A head of 8-bit\n\
        weights that the command line prepares on the spot rounds otherwise; the page runs the file as it is (sentiment).\n\n\
        In Chromium: `SMALLFIRST_FOLDERS=target/folders cargo xtask test --only e2e -- pipeline.spec.ts`.\n\n\
        | folder | task | what it is | package | licence | MB | cases | labels equal | largest difference | |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for entry in folders {
        let of = |key: &str| entry[key].as_str().unwrap_or_default();
        let package = &listed["packages"][of("package")];
        let package = match package["package"].as_str() {
            Some(name) => format!(
                "{} {name} {}",
                package["registry"].as_str().unwrap_or_default(),
                package["version"].as_str().unwrap_or_default()
            ),
            None => "models/onnx".to_owned(),
        };
        let weights = entry["made"].as_object().into_iter().flatten();
        let bytes: f64 = weights.filter_map(|(_, made)| made["bytes"].as_f64()).sum();
        let begin = format!(
            "| {} | {} | {} | {package} | {} | {:.1} |",
            of("name"),
            of("task"),
            of("kind"),
            of("licence"),
            bytes / 1e6
        );
        let found = rows.get(of("name")).into_iter().flatten();
        let ran: Vec<&&Value> = found.filter(|row| row["cases"] != 0).collect();
        for row in &ran {
            let number = |key: &str| row[key].as_f64().unwrap_or_default();
            let end = match row["right"] == true {
                true => "the same".to_owned(),
                false => format!("{} differ", row["misses"].as_array().map_or(0, Vec::len)),
            };
            let _ = writeln!(
                text,
                "{begin} {} | {} | {:.0e} | {end} |",
                number("cases"),
                number("labels"),
                number("score")
            );
        }
        if ran.is_empty() {
            let _ = writeln!(text, "{begin} | | | {} |", refusal(results, of("name")));
        }
    }
    text.push_str(
        "\nWhat was run with which options is in `tests/reference/pipelines/runs.mjs`.\n",
    );
    Ok(text)
}

/// Why a folder was not run.
fn refusal(results: &Value, folder: &str) -> String {
    let runs = results.as_object().into_iter().flatten();
    let mut of = runs.filter(|(_, run)| run["folder"] == folder);
    let why = of.find_map(|(_, run)| run["refused"].as_str());
    match why {
        Some(why) => format!("refused: {}", why.replace('|', "\\|")),
        None => "not run by the command line".to_owned(),
    }
}
