//! ONNX's operator vectors, natively and as wasm, and the table of operators that they give.

mod models;
mod pipelines;

pub use models::{classical, files, folder, tokenizers, write_times};
pub use pipelines::pipelines;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::root;
use crate::run::{cargo, command, output, run};
use crate::tools;

/// The sets of vectors: what is in them, and how much of what the engine has types for is to be right, in percent.
const SETS: [(&str, &str, f64); 3] = [
    ("1.12", "onnx 1.12, operator sets up to 17", 97.0),
    ("1.17", "onnx 1.17, operator sets up to 22", 95.0),
    (
        "newest",
        "onnx 1.23.2 (generated), operator sets up to 28",
        85.0,
    ),
];

const WASI: &str = "wasm32-wasip1";

/// How one test ended.
struct Outcome {
    kind: String,
    name: String,
    operators: Vec<String>,
    why: String,
}

/// Runs the vectors, holds them against what is to be right, and writes the table of operators. `wasm` runs them as wasm, too.
pub fn conformance(wasm: bool) -> Result<()> {
    let table = vectors_hold(wasm)?;
    let file = root().join("docs/operators.md");
    if fs::read_to_string(&file).unwrap_or_default() != table {
        fs::write(&file, &table)?;
        println!("docs/operators.md was written anew");
    }
    Ok(())
}

/// The same, natively, where the table is to be what is committed.
pub fn check() -> Result<()> {
    let table = vectors_hold(false)?;
    let committed = fs::read_to_string(root().join("docs/operators.md")).unwrap_or_default();
    match committed == table {
        true => Ok(()),
        false => bail!("docs/operators.md is not what the vectors say: cargo xtask conformance"),
    }
}

/// The table of operators, once all holds.
fn vectors_hold(wasm: bool) -> Result<String> {
    let vectors = vectors()?;
    // With the checks that only builds for debugging have; as the tests are built, so that little is built anew.
    run(cargo()
        .args(["build", "--locked", "--workspace", "--exclude", "xtask"])
        .args(["--example", "conformance"]))?;
    let native = root().join("target/debug/examples/conformance");
    let mut sets = Vec::new();
    for (set, ..) in SETS {
        let lines = output(command(&native).arg(vectors.join(set)).arg("--lines"));
        sets.push(read(&lines.with_context(|| {
            format!("the vectors {set} did not run to their end")
        })?)?);
    }
    let (table, problems) = written(&sets);
    if wasm {
        for ((set, ..), native) in SETS.iter().zip(&sets) {
            same(set, native, &as_wasm(&vectors.join(set))?)?;
        }
        println!("as wasm: the same");
    }
    match problems.as_slice() {
        [] => Ok(table),
        problems => bail!("{}", problems.join("\n")),
    }
}

/// The folder of the vectors, fetched where it is not there.
fn vectors() -> Result<PathBuf> {
    let folder = root().join("target/vectors");
    let script = root().join("tests/reference/vectors.py");
    let stamp = tools::Stamp::new(&folder.join(".stamp"), &fs::read(&script)?);
    if !stamp.is_fresh() {
        let python = tools::venv(
            "reference-venv",
            &["-r", "tests/reference/requirements.txt"],
            &[],
        )?;
        run(command(python).arg(script).arg(&folder))?;
        stamp.set()?;
    }
    Ok(folder)
}

fn read(lines: &str) -> Result<Vec<Outcome>> {
    let outcome = |line: &str| -> Option<Outcome> {
        let mut parts = line.splitn(4, '\t').map(str::to_owned);
        Some(Outcome {
            kind: parts.next()?,
            name: parts.next()?,
            operators: parts.next()?.split(' ').map(str::to_owned).collect(),
            why: parts.next()?,
        })
    };
    let all: Vec<Outcome> = lines
        .lines()
        .filter(|line| line.contains('\t'))
        .map_while(outcome)
        .collect();
    match all.is_empty() {
        true => bail!("no test was run"),
        false => Ok(all),
    }
}

/// The example as wasm, in Node's WASI.
fn as_wasm(set: &Path) -> Result<Vec<Outcome>> {
    if !tools::rustlib(WASI)?.join("lib").is_dir() {
        run(command("rustup").args(["target", "add", WASI]))?;
    }
    run(cargo()
        .args([
            "build",
            "--locked",
            "--release",
            "--package",
            "smallfirst-onnx",
            "--example",
            "conformance",
        ])
        .args(["--target", WASI])
        .env("RUSTFLAGS", "-Ctarget-feature=+simd128"))?;
    let module = root()
        .join("target")
        .join(WASI)
        .join("release/examples/conformance.wasm");
    let script = "const { WASI } = require('node:wasi'); const { readFileSync } = require('node:fs'); \
        const [module, set] = process.argv.slice(1); const inside = '/' + set.split('/').pop(); \
        const wasi = new WASI({ version: 'preview1', args: ['conformance', inside, '--lines'], preopens: { [inside]: set } }); \
        WebAssembly.instantiate(readFileSync(module), wasi.getImportObject()).then(({ instance }) => wasi.start(instance));";
    let lines = output(
        command("node")
            .args(["--no-warnings", "--eval", script])
            .arg(module)
            .arg(set),
    );
    read(&lines.context("the vectors did not run to their end as wasm")?)
}

fn same(set: &str, native: &[Outcome], wasm: &[Outcome]) -> Result<()> {
    if native.len() != wasm.len() {
        bail!(
            "{set}: {} tests natively and {} as wasm",
            native.len(),
            wasm.len()
        );
    }
    let other = native.iter().zip(wasm).find(|(a, b)| a.kind != b.kind);
    match other {
        Some((a, b)) => bail!(
            "{set}: {} is {} natively and {} as wasm: {}",
            a.name,
            a.kind,
            b.kind,
            b.why
        ),
        None => Ok(()),
    }
}

/// The table, and what is not as it should be.
fn written(sets: &[Vec<Outcome>]) -> (String, Vec<String>) {
    let mut problems = Vec::new();
    let mut text = String::from(
        "# Operators\n\n\
        What of ONNX's own operator vectors runs, and gives the numbers that ONNX expects: within 1e-3 of each, and for\n\
        integers, truth values and strings the same. `cargo xtask conformance` runs them and writes this page; with `--wasm` it\n\
        runs them as WebAssembly, too, and compares.\n\n\
        Not counted are tests of types that the engine does not have: sequences, optional values, 8-bit and 4-bit floats, 2-bit\n\
        integers, and 4-bit integers that a model computes. Whatever is not supported is refused by the name of the node when the\n\
        model is read, or when the node runs.\n\n\
        | vectors | counted | right | | wrong | refused | crashed | not counted |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for ((set, what, least), outcomes) in SETS.iter().zip(sets) {
        let of = |kind: &str| outcomes.iter().filter(|o| o.kind == kind).count();
        let (right, wrong, refused, crashed) =
            (of("right"), of("WRONG"), of("refused"), of("CRASHED"));
        let counted = right + wrong + refused + crashed;
        let share = 100.0 * right as f64 / counted.max(1) as f64;
        let aside = of("aside");
        let _ = writeln!(
            text,
            "| {what} | {counted} | {right} | {share:.1} % | {wrong} | {refused} | {crashed} | {aside} |"
        );
        println!(
            "{set}: {right} of {counted} right ({share:.1} %), {wrong} wrong, {refused} refused, {crashed} crashed; {aside} not counted"
        );
        if share < *least {
            problems.push(format!(
                "{set}: {share:.1} % are right, and {least} % are to be"
            ));
        }
        let bad = outcomes
            .iter()
            .filter(|o| matches!(o.kind.as_str(), "WRONG" | "CRASHED"));
        problems.extend(bad.map(|o| format!("{set}: {} is {}: {}", o.name, o.kind, o.why)));
    }
    text.push_str("\n## By operator\n\nTests of one operator, in the newest vectors.\n\n| operator | right | of | refused |\n| --- | --- | --- | --- |\n");
    let mut operators: BTreeMap<&str, (usize, usize, Vec<&str>)> = BTreeMap::new();
    let single = sets
        .last()
        .into_iter()
        .flatten()
        .filter(|o| o.kind != "aside");
    for outcome in single.filter(|o| o.operators.len() == 1) {
        let (right, all, refusals) = operators.entry(&outcome.operators[0]).or_default();
        *all += 1;
        if outcome.kind == "right" {
            *right += 1;
        } else if !refusals.contains(&reason(&outcome.why)) {
            refusals.push(reason(&outcome.why));
        }
    }
    for (operator, (right, all, refusals)) in operators {
        let refused: Vec<String> = refusals
            .iter()
            .take(4)
            .map(|why| why.replace('|', "\\|"))
            .collect();
        let _ = writeln!(
            text,
            "| {operator} | {right} | {all} | {} |",
            refused.join("; ")
        );
    }
    (text, problems)
}

/// A refusal without the name of its node.
fn reason(why: &str) -> &str {
    why.split_once("`: ").map_or(why, |(_, reason)| reason)
}
