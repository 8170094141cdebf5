//! The native command line: from labelled data to a bundle whose local answers carry a guarantee, with
//! the very engine that the browser runs.

#[path = "smallfirst/calibrate.rs"]
mod calibrate;
#[path = "smallfirst/evaluate.rs"]
mod evaluate;
#[path = "smallfirst/folder.rs"]
mod folder;
#[path = "smallfirst/http.rs"]
mod http;
#[path = "smallfirst/import.rs"]
mod import;
#[path = "smallfirst/learn.rs"]
mod learn;
#[path = "smallfirst/look.rs"]
mod look;
#[path = "smallfirst/pack.rs"]
mod pack;
#[path = "smallfirst/prepare.rs"]
mod prepare;
#[path = "smallfirst/rows.rs"]
mod rows;
#[path = "smallfirst/tagger.rs"]
mod tagger;
#[path = "smallfirst/text_task.rs"]
mod text_task;
#[path = "smallfirst/train.rs"]
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "smallfirst", version, about = "Small task models first")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Deal labelled rows out to train, tune, cal and test
    Split(train::SplitArgs),
    /// Train a head on a frozen encoder
    Train(Box<train::TrainArgs>),
    /// Bring in a model that was trained elsewhere and exported as ONNX
    Import(Box<import::ImportArgs>),
    /// Bring in an encoder that was exported as ONNX
    AddEncoder(import::EncoderArgs),
    /// Add a task that writes text, by a remote or with the input's own sentences
    AddText(Box<text_task::TextArgs>),
    /// Bring in a token classifier that finds people's names, for redaction
    AddTagger(Box<tagger::TaggerArgs>),
    /// Write an encoder's vectors, for training elsewhere
    Embed(import::EmbedArgs),
    /// Fit the temperature and certify thresholds
    Calibrate(Box<calibrate::CalibrateArgs>),
    /// Measure a task on unseen data
    Evaluate(Box<evaluate::EvaluateArgs>),
    /// Show what learning from a remote's answers brings on a stream of labelled inputs
    Learn(Box<learn::LearnArgs>),
    /// Make one ONNX model ready for the browser: decluttered, fused, its weights as the kernels read them
    Prepare(prepare::PrepareArgs),
    /// Time one model on this machine
    BenchModel(prepare::BenchModelArgs),
    /// Time the kernels on this machine
    #[cfg(feature = "bench")]
    BenchKernels {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that a bundle is fit to be shipped, prepare its models, and copy it
    Pack(pack::PackArgs),
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
    /// Answer every row of a file, on this machine alone
    Run(look::RunArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Split(args) => train::split(&args),
        Command::Train(args) => train::train(&args),
        Command::Import(args) => import::import(&args),
        Command::AddEncoder(args) => import::add_encoder(&args),
        Command::AddText(args) => text_task::add_text(&args),
        Command::AddTagger(args) => tagger::add_tagger(&args),
        Command::Embed(args) => import::embed(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Evaluate(args) => evaluate::evaluate(&args),
        Command::Learn(args) => learn::learn(&args),
        Command::Prepare(args) => prepare::prepare(&args),
        Command::BenchModel(args) => prepare::bench_model(&args),
        #[cfg(feature = "bench")]
        Command::BenchKernels { json } => prepare::bench_kernels(json),
        Command::Pack(args) => pack::pack(&args),
        Command::Inspect { bundle } => look::inspect(&bundle),
        Command::Validate { bundle } => look::validate(&bundle),
        Command::Run(args) => look::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smallfirst: {error:#}");
            ExitCode::FAILURE
        }
    }
}
