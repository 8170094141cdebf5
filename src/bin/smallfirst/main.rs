//! The native command line: from labelled data to a bundle whose local answers carry a guarantee, with
//! the very engine that the browser runs.

mod add_encoder;
mod add_tagger;
mod add_text;
mod add_vectors;
mod bench;
mod calibrate;
mod draft;
mod embed;
mod encoders;
mod evaluate;
mod fingerprint;
mod folder;
mod http;
mod import;
mod import_folder;
mod import_ocr;
mod import_table;
mod inspect;
mod kind_rows;
mod merge;
mod onnxruntime;
mod out_of_fold;
mod pack;
mod prepare;
mod profile;
mod recogniser;
mod remote_answers;
mod rows;
mod run;
mod simulate;
mod split;
mod task_args;
mod tiers;
mod train;
mod types;
mod validate;

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
    Split(split::SplitArgs),
    /// Train a head on a frozen encoder
    Train(Box<train::TrainArgs>),
    /// Bring in a model that was trained elsewhere and exported as ONNX
    Import(Box<import::ImportArgs>),
    /// Bring in an encoder that was exported as ONNX
    AddEncoder(add_encoder::EncoderArgs),
    /// Add a task that writes text, by a remote or with the input's own sentences
    AddText(Box<add_text::TextArgs>),
    /// Add a task that gives the vectors of an encoder of the bundle
    AddVectors(Box<add_vectors::VectorArgs>),
    /// Bring in a token classifier that finds people's names, for redaction
    AddTagger(Box<add_tagger::TaggerArgs>),
    /// Add the tasks of other bundles to one, with what was certified of them
    Merge(merge::MergeArgs),
    /// Write an encoder's vectors, for training elsewhere
    Embed(embed::EmbedArgs),
    /// Fit the temperature and certify thresholds
    Calibrate(Box<calibrate::CalibrateArgs>),
    /// Measure a task on unseen data
    Evaluate(Box<evaluate::EvaluateArgs>),
    /// Show what learning from a remote's answers brings on a stream of labelled inputs
    Simulate(Box<simulate::SimulateArgs>),
    /// Make one ONNX model ready for the browser: decluttered, fused, its weights as the kernels read them
    Prepare(prepare::PrepareArgs),
    /// Time one model on this machine
    BenchModel(bench::BenchModelArgs),
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
    /// Write a bundle's tasks as TypeScript types: inputs, outputs and labels
    Types(types::TypesArgs),
    /// Check a bundle: its manifest, every file's hash, and that every model loads
    Validate {
        /// The folder that holds manifest.json
        bundle: PathBuf,
    },
    /// Answer every row of a file, on this machine alone
    Run(run::RunArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Split(args) => split::split(&args),
        Command::Train(args) => train::train(&args),
        Command::Import(args) if args.recogniser.is_some() => import_ocr::import(&args),
        Command::Import(args) if args.model.is_dir() => import_folder::import(&args),
        Command::Import(args) if args.table.is_some() => import_table::import(&args),
        Command::Import(args) => import::import(&args),
        Command::AddEncoder(args) => add_encoder::add_encoder(&args),
        Command::AddText(args) => add_text::add_text(&args),
        Command::AddTagger(args) => add_tagger::add_tagger(&args),
        Command::AddVectors(args) => add_vectors::add_vectors(&args),
        Command::Merge(args) => merge::merge(&args),
        Command::Embed(args) => embed::embed(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Evaluate(args) => evaluate::evaluate(&args),
        Command::Simulate(args) => simulate::simulate(&args),
        Command::Prepare(args) => prepare::prepare(&args),
        Command::BenchModel(args) => bench::bench_model(&args),
        #[cfg(feature = "bench")]
        Command::BenchKernels { json } => bench::bench_kernels(json),
        Command::Pack(args) => pack::pack(&args),
        Command::Inspect { bundle } => inspect::inspect(&bundle),
        Command::Types(args) => types::types(&args),
        Command::Validate { bundle } => validate::validate(&bundle),
        Command::Run(args) => run::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smallfirst: {error:#}");
            ExitCode::FAILURE
        }
    }
}
