//! The larger bundle: the default one and tasks whose models are too large to be committed. models/more has what is committed of
//! it: its manifest with the hash of every file, model cards and evaluations. The models are fetched from registries.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{fill, printed, smallfirst};
use crate::root;
use crate::run::{command, run};
use crate::tools::{self, sha256};

const COMMITTED: &str = "models/more";
/// Where the recipe puts models, and rows to calibrate and to measure on.
const MODELS: &str = "target/more";
const ROWS: &str = "target/more-rows";
/// Where the bundle is made.
const WORK: &str = "target/more-bundle";
const REQUIREMENTS: &str = "tests/reference/requirements-folders.txt";
const SCRIPT: &str = "models/recipe/more.py";
const LIST: &str = "models/recipe/more.json";

/// The tasks that come from folders: name, licence, title, instruction, and what else `import` is told.
const FOLDERS: [(&str, &str, &str, &str, &[&str]); 4] = [
    (
        "personal-data",
        "CC-BY-4.0",
        "Personal data",
        "Find names, addresses, numbers and accounts of people in the text.",
        &[],
    ),
    (
        "injection",
        "MIT",
        "Prompt injection",
        "Decide whether the text tries to give a language model other instructions than its owner's (injection) or not (safe).",
        &[],
    ),
    (
        "image",
        "Apache-2.0",
        "What is in a picture",
        "Name what the picture shows.",
        &[],
    ),
    (
        "voice",
        "MIT",
        "Where somebody speaks",
        "Tell where somebody speaks in the sound.",
        &["--task", "voice-activity-detection"],
    ),
];

/// Fetches the models and composes them, and the rows where those are wanted.
fn composed(rows: bool) -> Result<()> {
    let mut made_of = fs::read(root().join(LIST))?;
    for part in [SCRIPT, REQUIREMENTS, "models/recipe/small_weights.py"] {
        made_of.extend(fs::read(root().join(part))?);
    }
    let stamp = tools::Stamp::new(&root().join(format!("{MODELS}.stamp")), &made_of);
    if stamp.is_fresh() && root().join(MODELS).is_dir() && !rows {
        return Ok(());
    }
    let python = tools::venv("folders-venv", &["-r", REQUIREMENTS], &[])?;
    let mut recipe = command(python);
    recipe.arg(root().join(SCRIPT)).arg(root().join(MODELS));
    if rows {
        recipe.arg("--rows").arg(root().join(ROWS));
    }
    run(&mut recipe)?;
    stamp.set()
}

/// Makes the larger bundle from the default one, and writes models/more.
pub fn models() -> Result<()> {
    composed(true)?;
    fs::remove_dir_all(root().join(WORK)).ok();
    smallfirst(true, &["merge", "models", "--out", WORK])?;
    for (task, license, title, instruction, more) in FOLDERS {
        let folder = format!("{MODELS}/{task}");
        let import = ["import", &folder, "--out", WORK, "--name", task];
        let words = ["--license", license, "--title", title];
        let said = ["--instruction", instruction];
        smallfirst(true, &[&import[..], &words, &said, more].concat())?;
    }
    let (detector, recogniser) = ["detector", "recogniser"]
        .map(|part| format!("{MODELS}/ocr/{part}.onnx"))
        .into();
    let import = ["import", &detector, "--recogniser", &recogniser];
    let words = ["--task", "ocr", "--title", "Text in a picture"];
    let into = ["--out", WORK, "--license", "Apache-2.0"];
    smallfirst(true, &[&import[..], &words, &into].concat())?;
    let vectors = ["add-vectors", WORK, "--task", "vectors"];
    let of = ["--encoder", "static-text", "--title", "Meaning of a text"];
    smallfirst(true, &[&vectors[..], &of].concat())?;
    let mut figures = String::new();
    for (task, more) in [
        ("injection", &["--slice", "slice"][..]),
        (
            "personal-data",
            &["--loss", "miss", "--options", r#"{"aggregation":"max"}"#],
        ),
    ] {
        let rows = |split: &str| format!("{ROWS}/{task}.{split}.jsonl");
        let about = format!("models/recipe/about/{task}.md");
        let calibrate = ["calibrate", WORK, "--task", task, "--data", &rows("cal")];
        smallfirst(true, &[&calibrate[..], more].concat())?;
        let evaluate = ["evaluate", WORK, "--task", task, "--data", &rows("test")];
        let write = ["--write", "--about", &about];
        let slices = match task {
            "injection" => more,
            _ => &[],
        };
        figures += &printed(&[&evaluate[..], &write, slices].concat())?;
        figures += "\n";
    }
    commit()?;
    fill(
        "models/README.md",
        "more",
        &format!("{}\n{figures}", table()?),
    )
}

/// The bundle's manifest.
fn manifest(folder: &str) -> Result<Value> {
    let path = root().join(folder).join("manifest.json");
    let json = fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_slice(&json)?)
}

fn files(manifest: &Value) -> Result<impl Iterator<Item = (&str, &Value)>> {
    let files = manifest["files"].as_object();
    let files = files.context("the manifest lists no files")?;
    Ok(files.iter().map(|(path, entry)| (path.as_str(), entry)))
}

/// Puts into models/more what neither the default bundle nor the recipe has.
fn commit() -> Result<()> {
    let to = root().join(COMMITTED);
    fs::remove_dir_all(&to).ok();
    let made = manifest(WORK)?;
    for (path, entry) in files(&made)? {
        if found(path, entry)?.is_none() {
            put(&root().join(WORK).join(path), &to.join(path))?;
        }
    }
    put(
        &root().join(WORK).join("manifest.json"),
        &to.join("manifest.json"),
    )
}

/// Where a file of the larger bundle is, whose hash the manifest has.
fn found(path: &str, entry: &Value) -> Result<Option<PathBuf>> {
    let places = ["models", COMMITTED, MODELS].map(|place| root().join(place).join(path));
    for place in places.into_iter().filter(|place| place.is_file()) {
        if entry["sha256"] == sha256(&fs::read(&place)?) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn put(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("{} could not be copied", from.display()))?;
    Ok(())
}

/// Fetches what the larger bundle needs, and puts all of it in a folder that is served.
pub fn ship(to: &Path) -> Result<()> {
    composed(false)?;
    let more = manifest(COMMITTED)?;
    for (path, entry) in files(&more)? {
        match found(path, entry)? {
            Some(from) => put(&from, &to.join(path))?,
            None => bail!(
                "{path} is not the file of {COMMITTED}/manifest.json; `cargo xtask models --more` makes it anew from the default bundle"
            ),
        }
        let folder = Path::new(path).components().next();
        let folder = folder.context("a file has no folder")?.as_os_str();
        for text in ["LICENSE", "NOTICE"] {
            let text = Path::new(folder).join(text);
            if root().join(MODELS).join(&text).is_file() {
                put(&root().join(MODELS).join(&text), &to.join(&text))?;
            }
        }
    }
    // The last: a page that opens meanwhile has the bundle of before.
    put(
        &root().join(COMMITTED).join("manifest.json"),
        &to.join("manifest.json"),
    )
}

/// The tasks that the default bundle does not have, with what a page fetches for each.
fn table() -> Result<String> {
    let (default, more) = (manifest("models")?, manifest(COMMITTED)?);
    let mut out =
        String::from("| task | kind | megabytes | licence |\n| --- | --- | --- | --- |\n");
    let tasks = more["tasks"].as_object().context("no tasks")?;
    for (id, task) in tasks
        .iter()
        .filter(|(id, _)| default["tasks"][id.as_str()].is_null())
    {
        let own = files(&more)?.filter(|(path, _)| path.starts_with(&format!("{id}/")));
        let own: Vec<&Value> = own
            .filter(|(path, _)| !path.ends_with("README.md") && !path.ends_with("evaluation.json"))
            .map(|(_, entry)| entry)
            .collect();
        let bytes: u64 = own.iter().filter_map(|entry| entry["bytes"].as_u64()).sum();
        let license = own.first().map_or("as the default bundle's", |entry| {
            entry["license"].as_str().unwrap_or_default()
        });
        let kind = task["kind"].as_str().unwrap_or("classify");
        out += &format!(
            "| `{id}` | {kind} | {:.1} | {license} |\n",
            bytes as f64 / 1e6
        );
    }
    let total: u64 = files(&more)?
        .filter_map(|(_, entry)| entry["bytes"].as_u64())
        .sum();
    out += &format!(
        "\nAll files of the larger bundle: {:.1} MB; a page fetches those of the tasks that it asks.\n",
        total as f64 / 1e6
    );
    Ok(out)
}
