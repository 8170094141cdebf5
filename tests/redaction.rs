//! How much personal data is found in real mails, held against what other libraries see there.
//!
//! Needs fetched data and packages, so it runs under `cargo xtask test`, which sets the environment variables.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use smallfirst::remote::{RedactOptions, Redactor};

fn variable(name: &str) -> PathBuf {
    env::var_os(name)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`"))
}

#[derive(Default)]
struct Counts {
    theirs: u32,
    ours: u32,
    /// Of theirs, those of which we replace every character.
    covered: u32,
    /// Of ours, those that touch one of theirs.
    confirmed: u32,
}

#[test]
#[ignore = "needs data and Python packages: cargo xtask test"]
fn what_other_libraries_see_is_found() {
    let data = variable("SMALLFIRST_DATA").join("spam.jsonl");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/personal_data.py");
    let output = Command::new(variable("SMALLFIRST_MAGIKA_PYTHON"))
        .arg(script)
        .stdin(Stdio::from(fs::File::open(&data).unwrap()))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let theirs = String::from_utf8(output.stdout).unwrap();
    let redactor = Redactor::new(&RedactOptions::default()).unwrap();
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut mails = 0;
    for (line, theirs) in fs::read_to_string(&data)
        .unwrap()
        .lines()
        .zip(theirs.lines())
    {
        mails += 1;
        let row: Value = serde_json::from_str(line).unwrap();
        let text = row["input"].as_str().unwrap();
        let places: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        let theirs: Vec<(String, usize, usize)> = serde_json::from_str(theirs).unwrap();
        let theirs: Vec<_> = theirs
            .into_iter()
            .map(|(kind, start, end)| (kind, places[start], places[end]))
            .collect();
        let ours = redactor.find(text, &[]);
        for kind in ["EMAIL", "IP", "PHONE"] {
            let count = counts.entry(kind).or_default();
            for (_, start, end) in theirs.iter().filter(|(k, ..)| k == kind) {
                count.theirs += 1;
                // By whatever name: what is replaced does not leave.
                let kept = |at: &usize| !ours.iter().any(|f| f.start <= *at && *at < f.end);
                let alphanumeric = |at: &usize| text[*at..].starts_with(char::is_alphanumeric);
                let inside = places.iter().filter(|at| (*start..*end).contains(*at));
                let whole = !inside.filter(|at| alphanumeric(at)).any(kept);
                if !whole && env::var_os("SHOW").is_some() {
                    println!("missed {kind}: {:?}", &text[*start..*end]);
                }
                count.covered += u32::from(whole);
            }
            for found in ours.iter().filter(|f| f.name == kind) {
                count.ours += 1;
                let touches = |(_, start, end): &&(String, usize, usize)| {
                    *start < found.end && found.start < *end
                };
                let confirmed = theirs.iter().any(|t| touches(&t));
                if !confirmed && env::var_os("SHOW").is_some() {
                    println!("alone {kind}: {:?}", &text[found.start..found.end]);
                }
                count.confirmed += u32::from(confirmed);
            }
        }
    }
    println!("{mails} mails");
    for (kind, c) in &counts {
        println!(
            "{kind}: of {} that the reference sees {} are replaced ({:.1} %); of {} replaced {} are ones it sees ({:.1} %)",
            c.theirs,
            c.covered,
            100.0 * f64::from(c.covered) / f64::from(c.theirs),
            c.ours,
            c.confirmed,
            100.0 * f64::from(c.confirmed) / f64::from(c.ours),
        );
        assert!(
            c.theirs > 20,
            "{kind}: the reference sees only {}",
            c.theirs
        );
    }
    let recall = |kind: &str| f64::from(counts[kind].covered) / f64::from(counts[kind].theirs);
    assert!(recall("EMAIL") > 0.97 && recall("IP") > 0.97 && recall("PHONE") > 0.9);
}
