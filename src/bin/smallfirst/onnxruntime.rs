//! What is prepared, held against onnxruntime where there is a Python that has it.
//!
//! A Python runs `onnxruntime.py` in a fresh folder, which has the inputs and takes the outputs as files. So nothing of a model
//! is on a command line, and no module is taken from the folder that the command runs in.

use std::fs::{self, DirBuilder, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, process, thread};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use smallfirst::engine::onnx::PreparedFile;
use smallfirst::engine::{Array, Data};

/// The Python that is asked where none is named.
const USUAL: &str = if cfg!(windows) { "python" } else { "python3" };

/// How long the usual one may take, and one that is named.
const PATIENCE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(900)];

/// The status of a Python that lacks a module.
const LACKS: i32 = 3;

#[derive(Args)]
pub struct OnnxruntimeArgs {
    /// Hold what is prepared against onnxruntime in this Python, and write nothing that disagrees; without it python3 is asked,
    /// if it has onnxruntime
    #[arg(long, value_name = "PYTHON", conflicts_with = "no_onnxruntime")]
    onnxruntime: Option<PathBuf>,
    /// Do not ask onnxruntime
    #[arg(long)]
    no_onnxruntime: bool,
}

/// An input of a run.
#[derive(Serialize)]
struct Given<'a> {
    name: &'a str,
    file: String,
    r#type: &'static str,
    shape: &'a [usize],
}

/// A model and its runs.
#[derive(Serialize)]
struct Asked<'a> {
    file: PathBuf,
    trials: Vec<Vec<Given<'a>>>,
}

/// What onnxruntime said.
#[derive(Deserialize)]
struct Answer {
    version: String,
    models: Vec<ModelAnswer>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ModelAnswer {
    Error {
        error: String,
    },
    Outputs {
        output: String,
        outputs: Vec<Output>,
    },
}

#[derive(Deserialize)]
struct Output {
    file: String,
    r#type: String,
    shape: Vec<usize>,
}

impl OnnxruntimeArgs {
    /// Asks about ONNX files, each with what was prepared from it. It is an error that one disagrees; that onnxruntime cannot be
    /// asked is one only where a Python was named.
    pub fn ask(&self, models: &[(PathBuf, &PreparedFile)]) -> Result<()> {
        if self.no_onnxruntime || models.is_empty() {
            return Ok(());
        }
        let named = self.onnxruntime.is_some();
        let python = match &self.onnxruntime {
            // A path from here; a name alone is looked up.
            Some(python) if python.components().count() > 1 => std::path::absolute(python)?,
            Some(python) => python.clone(),
            None => PathBuf::from(USUAL),
        };
        let folder = Scratch::new()?;
        let answer = match answer(&python, &folder.0, models, PATIENCE[usize::from(named)]) {
            Ok(answer) => answer,
            Err(why) if named => {
                return Err(
                    why.context("name a Python that has it, or leave it out with --no-onnxruntime")
                );
            }
            Err(why) => {
                eprintln!(
                    "not compared with onnxruntime: {why:#} (--onnxruntime names another Python)"
                );
                return Ok(());
            }
        };
        for ((path, file), model) in models.iter().zip(answer.models) {
            let version = &answer.version;
            let name = path.display();
            match model {
                ModelAnswer::Error { error } if named => {
                    bail!(
                        "onnxruntime {version} does not run {name}: {}",
                        line(&error)
                    )
                }
                ModelAnswer::Error { error } => {
                    eprintln!(
                        "onnxruntime {version} does not run {name}: {}",
                        line(&error)
                    );
                }
                ModelAnswer::Outputs { output, outputs } => {
                    for (trial, out) in outputs.iter().enumerate() {
                        let array = out.array(&folder.0)?;
                        file.hold_against(trial, &array).map_err(|why| {
                            anyhow::anyhow!(
                                "{name}: the output \"{output}\" of its prepared form is not what onnxruntime {version} \
                                 gives, {why}; nothing is written, please report the model"
                            )
                        })?;
                    }
                    println!(
                        "{name}: within {} % of onnxruntime {version} on {} made-up inputs",
                        100.0 * file.tolerance(),
                        outputs.len()
                    );
                }
            }
        }
        Ok(())
    }
}

/// What onnxruntime makes of all models' inputs.
fn answer(
    python: &Path,
    folder: &Path,
    models: &[(PathBuf, &PreparedFile)],
    patience: Duration,
) -> Result<Answer> {
    let mut asked = Vec::new();
    for (number, (path, file)) in models.iter().enumerate() {
        let mut trials = Vec::new();
        for (trial, run) in file.trials.iter().enumerate() {
            let mut given = Vec::new();
            for (at, (input, array)) in file.inputs.iter().zip(&run.given).enumerate() {
                let name = format!("{number}-{trial}-{at}.in");
                let (bytes, r#type) = bytes(array);
                fs::write(folder.join(&name), bytes)?;
                given.push(Given {
                    name: &input.name,
                    file: name,
                    r#type,
                    shape: &array.shape,
                });
            }
            trials.push(given);
        }
        asked.push(Asked {
            file: std::path::absolute(path)?,
            trials,
        });
    }
    fs::write(folder.join("index.json"), serde_json::to_vec(&asked)?)?;
    // Not under the name of the module that it imports.
    fs::write(folder.join("ask.py"), include_str!("onnxruntime.py"))?;
    let (status, said) = run(python, folder, patience)?;
    let name = python.display();
    if status.code() == Some(LACKS) {
        bail!("{name} has no onnxruntime ({said})");
    }
    if !status.success() {
        bail!("{name} failed ({status}): {said}");
    }
    let answer = fs::read(folder.join("answer.json"));
    let answer = answer.with_context(|| format!("{name} ended without an answer"))?;
    let answer: Answer = serde_json::from_slice(&answer)
        .with_context(|| format!("{name} gave an answer that cannot be read"))?;
    if answer.models.len() != models.len() {
        bail!(
            "{name} answered about {} of {} models",
            answer.models.len(),
            models.len()
        );
    }
    Ok(answer)
}

/// Runs the script, and gives the last line that it wrote.
fn run(python: &Path, folder: &Path, patience: Duration) -> Result<(ExitStatus, String)> {
    let said = folder.join("said");
    let mut child = Command::new(python)
        .arg("ask.py")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said)?)
        .spawn()
        .with_context(|| format!("{} does not start", python.display()))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            bail!(
                "{} took more than {} seconds",
                python.display(),
                patience.as_secs()
            );
        }
        thread::sleep(Duration::from_millis(10));
    };
    let said = fs::read(said)?;
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Ok((status, line(last.unwrap_or("it said nothing"))))
}

/// The first line of what another program says, so much as one wants to read of it.
fn line(said: &str) -> String {
    let first = said.lines().next().unwrap_or_default();
    let shown = first.chars().filter(|c| !c.is_control());
    shown.take(300).collect()
}

fn bytes(array: &Array) -> (Vec<u8>, &'static str) {
    match &array.data {
        Data::F32(v) => (v.iter().flat_map(|v| v.to_le_bytes()).collect(), "<f4"),
        Data::I64(v) => (v.iter().flat_map(|v| v.to_le_bytes()).collect(), "<i8"),
    }
}

impl Output {
    fn array(&self, folder: &Path) -> Result<Array> {
        let bytes = fs::read(folder.join(&self.file))?;
        let data = match &*self.r#type {
            "<f4" => {
                let words = bytes.as_chunks().0.iter();
                Data::F32(words.map(|&word| f32::from_le_bytes(word)).collect())
            }
            _ => {
                let words = bytes.as_chunks().0.iter();
                Data::I64(words.map(|&word| i64::from_le_bytes(word)).collect())
            }
        };
        let shape = self.shape.clone();
        Ok(Array { shape, data })
    }
}

/// A folder of its own that is gone in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_nanos());
        let folder = env::temp_dir().join(format!("smallfirst-{}-{now}", process::id()));
        let mut builder = DirBuilder::new();
        // Nobody else puts a module there.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = builder.create(&folder);
        made.with_context(|| folder.display().to_string())?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
