//! `inspect`, `validate` and `run`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use smallfirst::Code;
use smallfirst::remote::Alone;
use smallfirst::runtime::Call;
use smallfirst::task::{Answer, TaskKind};

use crate::folder::{Stopwatch, open, the_task};
use crate::rows::{ColumnArgs, with_input};

/// Prints what a bundle can do.
pub fn inspect(folder: &Path) -> Result<()> {
    for task in open(folder)?.tasks() {
        println!("{}: {}", task.id, task.instruction);
        let limits = &task.limits;
        if task.kind == TaskKind::Generate {
            println!("  writes text; see its prompt in manifest.json");
            continue;
        }
        println!(
            "  reads {}, {} to {} bytes; {} labels",
            task.input.as_str(),
            limits.min_bytes,
            limits.max_bytes,
            task.labels.len()
        );
        for tier in task.tiers {
            let threshold = tier.threshold.map_or("never trusted".to_owned(), |t| {
                format!("trusted from {t:.4}")
            });
            println!("  tier {}: {} bytes, {threshold}", tier.name, tier.bytes);
        }
        for risk in task.risks {
            let percent = 100.0 * risk.risk;
            let default = if task.risk == Some(risk.risk) {
                " (default)"
            } else {
                ""
            };
            if risk.certified {
                println!(
                    "  risk {percent} %{default}: {:.1} % answered locally in calibration",
                    100.0 * risk.coverage
                );
            } else {
                println!("  risk {percent} %: not certified");
            }
        }
    }
    Ok(())
}

/// Checks every file and loads every model.
pub fn validate(folder: &Path) -> Result<()> {
    use smallfirst::bundle::Source;
    let runtime = open(folder)?;
    let files = &runtime.bundle().manifest().files;
    let source = crate::folder::Folder::new(folder);
    for (path, entry) in files {
        pollster::block_on(source.read(path, entry))?;
    }
    pollster::block_on(runtime.prepare(None, || async { Ok(()) }))?;
    pollster::block_on(runtime.people("Anna wrote to John."))?;
    println!(
        "{} files are as the manifest says, and every model loads",
        files.len()
    );
    Ok(())
}

#[derive(Args)]
pub struct RunArgs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// The task; may be left out where there is only one
    #[arg(long)]
    task: Option<String>,
    /// Rows: .jsonl, .csv, .tsv or .parquet
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    /// The error rate allowed among locally given answers
    #[arg(long)]
    risk: Option<f64>,
    /// Stop after this many rows
    #[arg(long)]
    limit: Option<usize>,
    /// Where the answers go, one line each; standard output when absent
    #[arg(long)]
    output: Option<PathBuf>,
    /// List every label with its score, not only the five best
    #[arg(long)]
    all_scores: bool,
}

/// What `run` prints for a row: the answer, or the error.
#[derive(Serialize)]
#[serde(untagged)]
enum Printed {
    Answer(Box<Answer>),
    Error { code: Code, message: String },
}

/// Answers every row.
pub fn run(args: &RunArgs) -> Result<()> {
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
        None => Box::new(io::stdout().lock()),
    };
    let runtime = open(&args.bundle)?;
    let task = the_task(runtime.bundle(), args.task.as_deref())?;
    let kind = runtime.bundle().task(&task)?.input;
    let rows = args.columns.read(&args.data)?;
    for row in rows.iter().take(args.limit.unwrap_or(usize::MAX)) {
        let answer = with_input(row, kind, |input| {
            let call = Call {
                top: if args.all_scores { usize::MAX } else { 5 },
                risk: args.risk,
                ..Call::new(&task, input)
            };
            pollster::block_on(runtime.run(&call, &Alone, &Stopwatch::start()))
        })?;
        let printed = match answer {
            Ok(answer) => Printed::Answer(Box::new(answer)),
            Err(error) => Printed::Error {
                code: error.code(),
                message: error.to_string(),
            },
        };
        serde_json::to_writer(&mut out, &printed)?;
        writeln!(out)?;
    }
    Ok(out.flush()?)
}
