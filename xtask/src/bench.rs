//! smallfirst beside onnxruntime-web and transformers.js: the same files and inputs in the same browser.
//!
//! `tests/bench` holds what runs in Node and in the browser and writes `target/bench/results.json`; here are what it
//! needs and what is made of it. Tables and plots are made of that file alone, so `--report` makes them again.

mod files;
mod kernels;
mod models;
mod plot;
mod report;
mod results;
mod stats;
mod targets;
mod training;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::run::{command, run};
use crate::tools::{self, npm_ci};
use crate::{package, root, wasm};
use results::Results;

/// What the driver writes.
const RESULTS: &str = "target/bench/results.json";

/// What to measure, and how long.
#[derive(clap::Args)]
pub struct Args {
    /// How many turns each contender gets on each input
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How many times each page is opened with an empty profile
    #[arg(long, default_value_t = 9)]
    cold_runs: usize,
    /// How long a turn lasts, in milliseconds; a slow model runs once
    #[arg(long, default_value_t = 1000)]
    turn_ms: usize,
    /// Measure only rows whose name contains this (repeatable), for example "cold", "minilm-int8-1x", "peak"; "training"
    /// alone measures `smallfirst train` beside scikit-learn, without a browser
    #[arg(long)]
    only: Vec<String>,
    /// Few and short turns, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Also run 10,000 inferences and load models 100 times, and tell what memory they leave behind
    #[arg(long)]
    soak: bool,
    /// Measure this folder's npm package, already built, and not a new build of pkg/
    #[arg(long)]
    package: Option<PathBuf>,
    /// Measure nothing; make the tables of the last run again
    #[arg(long)]
    report: bool,
    /// Write docs/performance.md and its plots
    #[arg(long)]
    write: bool,
}

impl Args {
    /// Whether nothing was left out, so that the figures may be written down.
    fn complete(&self) -> bool {
        self.only.is_empty() && !self.quick && self.package.is_none()
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }
}

/// Measures, prints the tables and, where asked, writes them into `docs/`.
pub fn bench(args: &Args) -> Result<()> {
    if args.write && !args.complete() && !args.report {
        bail!("--write needs a whole run: leave out --only, --quick and --package");
    }
    if args.only == [training::NAME] {
        return training::bench();
    }
    if args.only == [files::NAME] {
        return files::bench();
    }
    if !args.report {
        measure(args)?;
    }
    let text = fs::read_to_string(root().join(RESULTS))
        .with_context(|| format!("{RESULTS} is missing: run `cargo xtask bench` first"))?;
    let results: Results = serde_json::from_str(&text).with_context(|| {
        format!("{RESULTS} is of another version: run `cargo xtask bench` again")
    })?;
    let partial = !results.is_whole();
    print!("{}", report::tables(&results));
    println!("\nWritten: {RESULTS}");
    if args.write {
        if partial {
            bail!(
                "{RESULTS} is of a partial run: run `cargo xtask bench --write` without --only and --quick"
            );
        }
        for (name, text) in [
            ("performance.md", report::page(&results)),
            ("performance.svg", plot::warm(&results)?),
            ("performance-cold.svg", plot::cold(&results)?),
        ] {
            let path = root().join("docs").join(name);
            fs::write(&path, text)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            println!("Written: docs/{name}");
        }
    }
    Ok(())
}

fn measure(args: &Args) -> Result<()> {
    npm_ci("tests/bench")?;
    let chromium = tools::chromium()?;
    if args.package.is_none() {
        wasm::build(&wasm::SETS)?;
        package::build()?;
    }
    let pkg = args.package.clone().unwrap_or_else(|| root().join("pkg"));
    if !pkg.join("dist/index.js").is_file() {
        bail!(
            "{} is not a built package: it has no dist/index.js",
            pkg.display()
        );
    }
    let native = models::native()?;
    let python = models::make()?;
    let cases = models::prepare(&native)?;

    let folder = root().join("tests/bench");
    run(command("npx")
        .args(["--no-install", "tsc", "-p", "."])
        .current_dir(&folder))?;
    let driver = "node_modules/.bench/driver.mjs";
    run(command("npx")
        .args([
            "--no-install",
            "esbuild",
            "driver/main.ts",
            "--bundle",
            "--platform=node",
        ])
        .args(["--packages=external", "--format=esm", "--log-level=warning"])
        .arg(format!("--outfile={driver}"))
        .current_dir(&folder))?;

    let mut node = command("node");
    node.arg(folder.join(driver))
        .arg("--python")
        .arg(python)
        .arg("--models")
        .arg(cases);
    let (rounds, cold, turn) = if args.quick {
        (2, 2, 200)
    } else {
        (args.rounds, args.cold_runs, args.turn_ms)
    };
    for (name, value) in [
        ("--rounds", rounds),
        ("--cold-runs", cold),
        ("--turn-ms", turn),
    ] {
        node.arg(name).arg(value.to_string());
    }
    for part in &args.only {
        node.arg(format!("--only={part}"));
    }
    for (flag, given) in [("--soak", args.soak), ("--quick", args.quick)] {
        if given {
            node.arg(flag);
        }
    }
    node.arg("--smallfirst").arg(native);
    if args.wants("peak kernels") {
        kernels::build()?;
        node.arg("--kernels").arg(kernels::ADDRESS);
    }
    run(node
        .env("CHROME", chromium.browser)
        .env("SMALLFIRST_PKG", pkg))
}
