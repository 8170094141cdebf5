//! The native command line: looks into bundles, and runs and judges them with the very engine that
//! the browser runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use smallfirst::bundle::{Bundle, FileEntry, Source, verify};
use smallfirst::remote::{HttpRequest, HttpResponse, Transport, TransportError};
use smallfirst::route::Mode;
use smallfirst::runtime::{Call, Clock, Runtime};
use smallfirst::task::{Answer, Input, InputKind};
use smallfirst::{Code, Error};

#[derive(Parser)]
#[command(name = "smallfirst", version, about = "Small task models first")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what a bundle can do
    Inspect {
        /// The folder that holds manifest.json
        bundle: PathBuf,
    },
    /// Check a bundle: its manifest, every file's hash, and that every model loads
    Validate {
        /// The folder that holds manifest.json
        bundle: PathBuf,
    },
    /// Answer every line of a JSON Lines file, on this machine alone
    Run {
        #[command(flatten)]
        inputs: Inputs,
        /// Where the answers go, one line each; standard output when absent
        #[arg(long)]
        output: Option<PathBuf>,
        /// List every label with its score, not only the five best
        #[arg(long)]
        all_scores: bool,
    },
    /// Measure a task on labelled lines
    Evaluate {
        #[command(flatten)]
        inputs: Inputs,
        /// Also print every slice
        #[arg(long)]
        slices: bool,
    },
}

#[derive(Args)]
struct Inputs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// The task
    #[arg(long)]
    task: String,
    /// JSON Lines with "input" (a text) or "path" (of a file), and for `evaluate` a "label" and
    /// perhaps a "slice"
    #[arg(long)]
    data: PathBuf,
    /// Stop after this many lines
    #[arg(long)]
    limit: Option<usize>,
}

/// One line of the data.
#[derive(Deserialize)]
struct Line {
    input: Option<String>,
    path: Option<PathBuf>,
    label: Option<String>,
    slice: Option<String>,
}

/// What `run` prints for a line: the answer, or the error.
#[derive(Serialize)]
#[serde(untagged)]
enum Printed {
    Answer(Box<Answer>),
    Error { code: Code, message: String },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Inspect { bundle } => inspect(&bundle),
        Command::Validate { bundle } => validate(&bundle),
        Command::Run {
            inputs,
            output,
            all_scores,
        } => run(&inputs, output.as_deref(), all_scores),
        Command::Evaluate { inputs, slices } => evaluate(&inputs, slices),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smallfirst: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn open(folder: &Path) -> Result<Runtime<Folder>> {
    let path = folder.join("manifest.json");
    let json = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let bundle = Bundle::parse(&json).with_context(|| path.display().to_string())?;
    let source = Folder(folder.to_owned());
    Ok(Runtime::new(bundle, source, Mode::OnlyLocal, None)?)
}

fn inspect(folder: &Path) -> Result<()> {
    for task in open(folder)?.tasks() {
        println!("{}: {}", task.id, task.instruction);
        let limits = &task.limits;
        println!(
            "  reads {}, {} to {} bytes; {} labels",
            task.input.as_str(),
            limits.min_bytes,
            limits.max_bytes,
            task.labels.len()
        );
        for tier in task.tiers {
            let threshold = tier
                .threshold
                .map_or("none certified".to_owned(), |t| format!("{t:.4}"));
            println!(
                "  tier {}: {} bytes, threshold {threshold}",
                tier.name, tier.bytes
            );
        }
    }
    Ok(())
}

fn validate(folder: &Path) -> Result<()> {
    let runtime = open(folder)?;
    let files = &runtime.bundle().manifest().files;
    let source = Folder(folder.to_owned());
    for (path, entry) in files {
        pollster::block_on(source.read(path, entry))?;
    }
    pollster::block_on(runtime.prepare(None, || async { Ok(()) }))?;
    println!(
        "{} files are as the manifest says, and every model loads",
        files.len()
    );
    Ok(())
}

fn run(inputs: &Inputs, output: Option<&Path>, all_scores: bool) -> Result<()> {
    let mut out: Box<dyn Write> = match output {
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
        None => Box::new(io::stdout().lock()),
    };
    each_answer(
        inputs,
        if all_scores { usize::MAX } else { 5 },
        |_, answer| {
            let printed = match answer {
                Ok(answer) => Printed::Answer(Box::new(answer)),
                Err(error) => Printed::Error {
                    code: error.code(),
                    message: error.to_string(),
                },
            };
            serde_json::to_writer(&mut out, &printed)?;
            Ok(writeln!(out)?)
        },
    )?;
    Ok(out.flush()?)
}

/// Counts of one slice, or of all.
#[derive(Default)]
struct Tally {
    n: usize,
    right: usize,
    trusted: usize,
    trusted_wrong: usize,
    refused: usize,
}

impl Tally {
    fn add(&mut self, label: &str, answer: &Result<Answer, Error>) {
        self.n += 1;
        match answer {
            Ok(answer) => {
                let right = answer.output.label == label;
                self.right += usize::from(right);
                if !answer.degraded {
                    self.trusted += 1;
                    self.trusted_wrong += usize::from(!right);
                }
            }
            Err(_) => self.refused += 1,
        }
    }

    /// The tally in one line. Inputs that the task's limits refuse have no answer to be right or
    /// wrong; they count as not answered with confidence.
    fn line(&self, name: &str) -> String {
        let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        let answered = self.n - self.refused;
        format!(
            "{name}: accuracy {:.1} % of {answered} answered ({} more refused by the limits); \
             confident on {:.1} % of all {}, wrong among those {:.1} %",
            percent(self.right, answered),
            self.refused,
            percent(self.trusted, self.n),
            self.n,
            percent(self.trusted_wrong, self.trusted),
        )
    }
}

fn evaluate(inputs: &Inputs, slices: bool) -> Result<()> {
    let mut all = Tally::default();
    let mut by_slice: BTreeMap<String, Tally> = BTreeMap::new();
    each_answer(inputs, 1, |line, answer| {
        // Real files without a known type are in the data for other uses.
        let Some(label) = &line.label else {
            return Ok(());
        };
        all.add(label, &answer);
        if let Some(slice) = line.slice {
            by_slice.entry(slice).or_default().add(label, &answer);
        }
        Ok(())
    })?;
    if all.n == 0 {
        bail!("{} has no labelled lines", inputs.data.display());
    }
    println!("{}", all.line(&inputs.task));
    if slices {
        for (slice, tally) in by_slice {
            println!("  {}", tally.line(&slice));
        }
    }
    Ok(())
}

/// Answers every line and hands it on.
fn each_answer(
    inputs: &Inputs,
    top: usize,
    mut then: impl FnMut(Line, Result<Answer, Error>) -> Result<()>,
) -> Result<()> {
    let runtime = open(&inputs.bundle)?;
    let kind = runtime.bundle().task(&inputs.task)?.input;
    let data = File::open(&inputs.data)
        .with_context(|| format!("{} cannot be read", inputs.data.display()))?;
    for (number, line) in BufReader::new(data)
        .lines()
        .take(inputs.limit.unwrap_or(usize::MAX))
        .enumerate()
    {
        let at = || format!("{}, line {}", inputs.data.display(), number + 1);
        let line: Line = serde_json::from_str(&line?).with_context(at)?;
        let bytes;
        let input = match (kind, &line.input, &line.path) {
            (InputKind::Text, Some(text), _) => Input::Text(text),
            (InputKind::Bytes, _, Some(path)) => {
                bytes = fs::read(path).with_context(|| format!("{}: {}", at(), path.display()))?;
                Input::Bytes(&bytes)
            }
            (InputKind::Text, None, _) => bail!("{}: there is no \"input\"", at()),
            _ => bail!("{}: there is no \"path\"", at()),
        };
        let call = Call {
            top,
            ..Call::new(&inputs.task, input)
        };
        let answer = pollster::block_on(runtime.run(&call, &Alone, &Stopwatch::start()));
        then(line, answer)?;
    }
    Ok(())
}

/// A bundle in a folder.
struct Folder(PathBuf);

impl Source for Folder {
    async fn read(&self, path: &str, entry: &FileEntry) -> smallfirst::Result<Vec<u8>> {
        let full = self.0.join(path);
        let bytes = fs::read(&full).map_err(|e| {
            let code = match e.kind() {
                io::ErrorKind::NotFound => Code::FileMissing,
                _ => Code::BundleUnreachable,
            };
            Error::new(code, format!("{}: {e}", full.display()))
        })?;
        verify(path, entry, &bytes)?;
        Ok(bytes)
    }
}

/// No remote: the command line measures the local models.
struct Alone;

impl Transport for Alone {
    fn online(&self) -> bool {
        false
    }

    fn aborted(&self) -> bool {
        false
    }

    async fn send(&self, _: &HttpRequest) -> Result<HttpResponse, TransportError> {
        Err(TransportError::Unreachable(
            "the command line has no network".into(),
        ))
    }
}

struct Stopwatch(std::time::Instant);

impl Stopwatch {
    fn start() -> Self {
        Stopwatch(std::time::Instant::now())
    }
}

impl Clock for Stopwatch {
    fn now_ms(&self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1000.0
    }

    /// Nothing is watched for drift here: the middle is as good as any.
    fn uniform(&self) -> f64 {
        0.5
    }
}
