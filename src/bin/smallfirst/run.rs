//! `run`: answers for the rows of a file, on this machine alone. No monitor watches them: the rows of a file often lie together
//! by their sources, and in that order they are a drift, whatever they are.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use smallfirst::Code;
use smallfirst::remote::OfflineHost;
use smallfirst::runtime::Call;
use smallfirst::task::Answer;

use crate::folder::{Stopwatch, open, the_task};
use crate::rows::{ColumnArgs, with_input};

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
                // Nobody watches, so no alarm ends the guarantee, and nothing is drawn to be audited.
                alarmed: Some(false),
                ..Call::new(&task, input)
            };
            pollster::block_on(runtime.run(&call, &OfflineHost(Stopwatch::start())))
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
