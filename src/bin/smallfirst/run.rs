//! `run`: answers for the rows of a file, on this machine alone. No monitor watches them: the rows of a file often lie together
//! by their sources, and in that order they are a drift, whatever they are.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use smallfirst::Code;
use smallfirst::bundle::Tiers;
use smallfirst::data::Row;
use smallfirst::remote::OfflineHost;
use smallfirst::runtime::{Call, KindCall, Runtime};
use smallfirst::task::Answer;
use smallfirst::task::kind::{KindOptions, KindOutput};

use crate::folder::{Folder, Stopwatch, open, the_task};
use crate::remote_answers::Line;
use crate::rows::{ColumnArgs, for_all, with_input};

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
    /// Write what --remote-answers reads, so that this bundle stands for a remote: for each labelled row the label, however
    /// little confidence there is in it
    #[arg(long, conflicts_with_all = ["risk", "all_scores"])]
    as_remote: bool,
    /// For zero-shot classification: the labels to choose from
    #[arg(long, value_delimiter = ',')]
    candidate_labels: Option<Vec<String>>,
    /// For several labels, objects, lines of text and voices: from which probability on one is given, or a window is speech
    #[arg(long)]
    threshold: Option<f64>,
    /// For vectors of images: the model's own vector of the whole image
    #[arg(long)]
    pool: bool,
}

/// What `run` prints for a row: the answer, or the error.
#[derive(Serialize)]
#[serde(untagged)]
enum Printed {
    Answer(Box<Answer>),
    Kind(Box<Answer<KindOutput>>),
    Error { code: Code, message: String },
}

/// The answers as those of a remote. A row without a label has no line, as the commands that read these leave it out.
fn as_remote(
    runtime: &Runtime<Folder>,
    task: &str,
    mut rows: Vec<Row>,
    answer: impl Fn(&Row) -> Result<smallfirst::Result<Answer>> + Sync,
) -> Result<Vec<Line>> {
    rows.retain(|row| row.label.is_some());
    // So that the first rows do not wait for the models.
    pollster::block_on(runtime.preload(Some(&[task.to_owned()]), Tiers::All, || async { Ok(()) }))?;
    let lines = for_all(&rows, "answering", |row| {
        let answer = answer(row)?.ok();
        Ok(Line {
            input: Some(row.text.clone()),
            ms: answer
                .as_ref()
                .map_or(0.0, |answer| answer.timing.infer_ms.round()),
            label: answer.map(|answer| answer.output.label),
            tokens: 0,
        })
    })?;
    let without = lines.iter().filter(|line| line.label.is_none()).count();
    eprintln!("{} rows answered, {without} not", lines.len() - without);
    Ok(lines)
}

/// An image that cannot be read is the error of its row; a file that is not there ends the command.
fn row_error<T>(result: Result<smallfirst::Result<T>>) -> Result<smallfirst::Result<T>> {
    result.or_else(|error| {
        let found = error.downcast_ref::<smallfirst::Error>();
        let code = found.map(smallfirst::Error::code);
        match code {
            Some(code) => Ok(Err(smallfirst::Error::new(code, format!("{error:#}")))),
            None => Err(error),
        }
    })
}

/// Answers every row.
pub fn run(args: &RunArgs) -> Result<()> {
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
        None => Box::new(io::stdout().lock()),
    };
    let runtime = open(&args.bundle)?;
    let task = the_task(runtime.bundle(), args.task.as_deref())?;
    let entry = runtime.bundle().task(&task)?;
    let kind = entry.input;
    args.columns.read_for(runtime.bundle(), &task)?;
    let mut rows = args.columns.read_kind(&args.data, entry.kind)?;
    rows.truncate(args.limit.unwrap_or(usize::MAX));
    let answer = |row: &Row| {
        with_input(row, kind, |input| {
            let call = Call {
                top: if args.all_scores { usize::MAX } else { 5 },
                risk: args.risk,
                // Nobody watches, so no alarm ends the guarantee, and nothing is drawn to be audited.
                alarmed: Some(false),
                ..Call::new(&task, input)
            };
            pollster::block_on(runtime.run(&call, &OfflineHost(Stopwatch::start())))
        })
    };
    if args.as_remote {
        for line in as_remote(&runtime, &task, rows, answer)? {
            serde_json::to_writer(&mut out, &line)?;
            writeln!(out)?;
        }
        return Ok(out.flush()?);
    }
    let of_kind = |row: &Row| {
        with_input(row, kind, |input| {
            let call = KindCall {
                task: &task,
                input,
                mode: None,
                dry: false,
                risk: args.risk,
                options: KindOptions {
                    candidate_labels: args.candidate_labels.clone(),
                    threshold: args.threshold,
                    pool: args.pool.then_some(true),
                    ..KindOptions::default()
                },
            };
            pollster::block_on(runtime.perform(&call, &OfflineHost(Stopwatch::start())))
        })
    };
    for row in &rows {
        let printed = match entry.kind.has_models() {
            true => row_error(of_kind(row))?.map(|answer| Printed::Kind(Box::new(answer))),
            false => row_error(answer(row))?.map(|answer| Printed::Answer(Box::new(answer))),
        };
        let printed = printed.unwrap_or_else(|error| Printed::Error {
            code: error.code(),
            message: error.to_string(),
        });
        serde_json::to_writer(&mut out, &printed)?;
        writeln!(out)?;
    }
    Ok(out.flush()?)
}
