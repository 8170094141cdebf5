//! Reads inputs by the clock, grown to a megabyte in several ways, and says which is the slowest.
//!
//!     clock seeds <target> <folder>    writes the seeds there
//!     clock words <target>             prints the fuzzer's dictionary
//!     clock time <target> <folder>     reads what is there, and what grows of it
//!     clock targets                    prints the targets and their longest input

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

mod targets;

use targets::Target;
use targets::grow::Growth;

/// How many of the inputs are grown, evenly spread: of some targets each takes a second in all ways.
const GROWN: usize = 300;
/// How long an input is grown.
const LONG: usize = 1 << 20;
/// How long it is at first: what takes a second at [`LONG`] takes longer than [`CALM`] at this length, or is linear and
/// sixteen times faster than that.
const SHORT: usize = LONG / 16;
const CALM: Duration = Duration::from_millis(2);
/// The most that a megabyte may take.
const MOST: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["targets"] => {
            for target in targets::TARGETS {
                println!("{} {}", target.name, target.most);
            }
            ExitCode::SUCCESS
        }
        ["seeds", name, folder] => {
            for (at, seed) in (targets::named(name).seeds)().iter().enumerate() {
                fs::write(Path::new(folder).join(format!("seed-{at:02}")), seed)
                    .expect("the folder is there");
            }
            ExitCode::SUCCESS
        }
        ["words", name] => {
            for word in targets::named(name).words {
                let coded: String = word.bytes().map(|b| format!("\\x{b:02x}")).collect();
                println!("\"{coded}\"");
            }
            ExitCode::SUCCESS
        }
        ["time", name, folder] => time(targets::named(name), Path::new(folder)),
        _ => {
            eprintln!(
                "clock targets | seeds <target> <folder> | words <target> | time <target> <folder>"
            );
            ExitCode::FAILURE
        }
    }
}

fn time(target: Target, folder: &Path) -> ExitCode {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    files.sort();
    let mut slowest = (Duration::ZERO, String::new());
    let mut failed = ExitCode::SUCCESS;
    let mut judge = |time: Duration, len: usize, file: &Path, how: &str| {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if time > MOST {
            println!(
                "too slow: {} ms for {len} bytes: {name} {how}",
                time.as_millis()
            );
            failed = ExitCode::FAILURE;
        }
        if time > slowest.0 {
            slowest = (time, format!("{len} bytes, {name} {how}"));
        }
    };
    let every = files.len().div_ceil(GROWN).max(1);
    for (at, file) in files.iter().enumerate() {
        let input = fs::read(file).expect("it can be read");
        let time = target.fastest(&input, MOST);
        judge(time, input.len(), file, "as it is");
        if at % every != 0 {
            continue;
        }
        for growth in Growth::ALL {
            let short = target.grown(&input, growth, SHORT);
            if short.len() > 2 * SHORT || target.fastest(&short, CALM) <= CALM {
                continue;
            }
            let long = target.grown(&input, growth, LONG);
            let time = target.fastest(&long, MOST);
            judge(time, long.len(), file, &format!("{growth:?}"));
        }
    }
    println!(
        "{}: {} inputs, slowest {} ms: {}",
        target.name,
        files.len(),
        slowest.0.as_millis(),
        slowest.1
    );
    failed
}
