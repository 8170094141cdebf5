//! Fuzzing with a clock: libFuzzer looks for inputs that break a promise, the clock for those that take too long.
//!
//! libFuzzer comes with the crate libfuzzer-sys, and what it is told of the code by a pass of LLVM that a stable rustc has
//! too; so nothing is installed, and no nightly toolchain is needed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::root;
use crate::run::{cargo, command, output, run};

/// What makes the code tell libFuzzer which ways it goes, and what it compares.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=4 -Cdebug-assertions=on -Coverflow-checks=on";

/// How long one input may take in the fuzzer, by the wall: other work on the machine counts. The clock is stricter, and does
/// not count it.
const TIMEOUT_SECONDS: u32 = 60;

/// The most inputs that a corpus is kept with, and the most bytes of its archive.
const MOST_INPUTS: usize = 3000;
const MOST_BYTES: usize = 300_000;

/// What is fuzzed, and for how long.
#[derive(clap::Args)]
pub struct Args {
    /// The targets; all of them when none is named
    targets: Vec<String>,
    /// How long each is fuzzed
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Keep what was found in the archives that the tests send again
    #[arg(long)]
    keep: bool,
}

/// What came of a target.
struct Outcome {
    name: String,
    executions: u64,
    inputs: usize,
    slowest: String,
    /// Inputs that broke a promise, and ways to grow one that took too long.
    finds: usize,
}

/// Fuzzes the targets, minimises what was found, reads it by the clock, and prints a table.
pub fn fuzz(args: &Args) -> Result<()> {
    let clock = built(&["--features", "cli", "--bin", "clock"], None)?;
    let host = host()?;
    let fuzzer = built(
        &["--features", "cli,libfuzzer", "--bin", "fuzz"],
        Some(&host),
    )?;
    let known = output(Command::new(&clock).arg("targets")).context("the clock does not run")?;
    let known: BTreeMap<&str, &str> = known.lines().filter_map(|l| l.split_once(' ')).collect();
    if let Some(stray) = args
        .targets
        .iter()
        .find(|t| !known.contains_key(t.as_str()))
    {
        let all: Vec<&str> = known.keys().copied().collect();
        bail!(
            "there is no target \"{stray}\"; there are: {}",
            all.join(", ")
        );
    }
    let mut outcomes = Vec::new();
    for (name, most) in known {
        if args.targets.is_empty() || args.targets.iter().any(|target| target == name) {
            outcomes.push(one(name, most, &fuzzer, &clock, args)?);
        }
    }
    println!("| target | seconds | executions | inputs kept | slowest of a megabyte | finds |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for o in &outcomes {
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            o.name, args.seconds, o.executions, o.inputs, o.slowest, o.finds
        );
    }
    let found: usize = outcomes.iter().map(|outcome| outcome.finds).sum();
    if found > 0 {
        bail!("{found} finds: see above, and tests/fuzz/artifacts");
    }
    Ok(())
}

/// The platform that rustc builds for by itself.
fn host() -> Result<String> {
    let about = output(command("rustc").arg("-vV")).context("rustc is missing")?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}

/// Builds one of the binaries of tests/fuzz, for `host` with the fuzzer's flags: named, the platform has them to itself, and
/// build scripts go without.
fn built(args: &[&str], host: Option<&str>) -> Result<PathBuf> {
    let folder = root().join("tests/fuzz");
    let mut build = cargo();
    build.args(["build", "--locked", "--release"]).args(args);
    build.current_dir(&folder);
    let mut place = folder.join("target");
    if let Some(host) = host {
        build.args(["--target", host]).env("RUSTFLAGS", FLAGS);
        place.push(host);
    }
    run(&mut build)?;
    let name = args.last().copied().unwrap_or_default();
    Ok(place
        .join("release")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

fn one(name: &str, most: &str, fuzzer: &Path, clock: &Path, args: &Args) -> Result<Outcome> {
    let folder = root().join("tests/fuzz");
    let corpus = folder.join("corpus").join(name);
    let archive = folder.join(format!("corpus/{name}.tar.gz"));
    let artifacts = folder.join("artifacts").join(name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    if archive.exists() {
        tar::Archive::new(GzDecoder::new(File::open(&archive)?)).unpack(folder.join("corpus"))?;
    }
    run(Command::new(clock).args(["seeds", name]).arg(&corpus))?;
    let words = output(Command::new(clock).args(["words", name])).unwrap_or_default();
    let dictionary = folder.join("target").join(format!("{name}.dict"));
    fs::write(&dictionary, words)?;

    eprintln!("$ fuzz {name}, {} seconds", args.seconds);
    let log = folder.join("target").join(format!("{name}.log"));
    let libfuzzer = || {
        let mut command = Command::new(fuzzer);
        command
            .env("SMALLFIRST_FUZZ", name)
            .arg(format!("-max_len={most}"))
            .arg(format!("-timeout={TIMEOUT_SECONDS}"))
            .arg("-rss_limit_mb=4096")
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    };
    let before = files(&artifacts)?.len();
    // It ends at the first find, and with an error then.
    libfuzzer()
        .arg(format!("-max_total_time={}", args.seconds))
        .arg(format!("-dict={}", dictionary.display()))
        .arg("-print_final_stats=1")
        .arg(&corpus)
        .stderr(File::create(&log)?)
        .status()?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let executions = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .and_then(|n| n.trim().parse().ok())
        .with_context(|| format!("libFuzzer did not finish; it says why in {}", log.display()))?;
    let mut finds = files(&artifacts)?.len() - before;

    let least = folder.join("corpus").join(format!("{name}.least"));
    let _ = fs::remove_dir_all(&least);
    fs::create_dir_all(&least)?;
    let merged = libfuzzer()
        .arg("-set_cover_merge=1")
        .args([&least, &corpus])
        .stderr(Stdio::null())
        .status()?;
    if !merged.success() {
        bail!("the corpus of {name} could not be minimised");
    }
    let (packed, inputs) = archived(name, &least)?;
    if args.keep {
        fs::write(&archive, &packed)?;
    }
    let _ = fs::remove_dir_all(&corpus);
    fs::rename(&least, &corpus)?;

    let timed = Command::new(clock)
        .args(["time", name])
        .arg(&corpus)
        .stdin(Stdio::null())
        .output()?;
    let timed = String::from_utf8_lossy(&timed.stdout).into_owned();
    print!("{timed}");
    finds += timed
        .lines()
        .filter(|line| line.starts_with("too slow"))
        .count();
    let slowest = timed
        .lines()
        .last()
        .and_then(|line| line.split_once("slowest "));
    let slowest = slowest.context("the clock did not finish")?.1;
    let slowest = slowest.split(':').next().unwrap_or_default().to_owned();
    Ok(Outcome {
        name: name.to_owned(),
        executions,
        inputs,
        slowest,
        finds,
    })
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut all = entries.collect::<Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

/// The archive of a corpus and how many inputs are in it: the shortest ones, as many as may be kept.
fn archived(name: &str, folder: &Path) -> Result<(Vec<u8>, usize)> {
    let mut inputs = files(folder)?
        .into_iter()
        .map(|path| Ok((fs::read(&path)?, path)))
        .collect::<Result<Vec<_>>>()?;
    inputs.sort_by_key(|(bytes, _)| bytes.len());
    inputs.truncate(MOST_INPUTS);
    loop {
        let gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut archive = tar::Builder::new(gzip);
        for (bytes, path) in &inputs {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            let file = path.file_name().unwrap_or_default();
            archive.append_data(&mut header, Path::new(name).join(file), &bytes[..])?;
        }
        let packed = archive.into_inner()?.finish()?;
        if packed.len() <= MOST_BYTES {
            return Ok((packed, inputs.len()));
        }
        inputs.truncate(inputs.len() * 9 / 10);
    }
}
