//! All tests, in the order in which they fail fastest.

use std::path::PathBuf;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;

use crate::run::{cargo, command, run, spoken};
use crate::tools::{self, WASM_TARGET, npm_ci, npm_run};
use crate::wasm::{self, SETS};
use crate::{build, conformance, dist, llm, models, package, policy, root, sizes};

/// The parts of the test suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Formatting, clippy, rustdoc, oxlint; licences and advisories of what ships
    Lint,
    /// Rust tests on this machine, and those of the package that need no browser
    Native,
    /// Rust tests as wasm, in a browser
    Wasm,
    /// The package and the demo site, in a browser, with a real LLM
    E2e,
}

/// Runs the parts (all when none is named) and says how many passed.
pub fn test(only: &[Part], rest: &[String]) -> Result<()> {
    let parts = [
        (Part::Lint, lint as fn(&[String]) -> Result<()>),
        (Part::Native, native),
        (Part::Wasm, wasm),
        (Part::E2e, end_to_end),
    ];
    let mut failures = Vec::new();
    let mut passed = 0;
    let mut took = Vec::new();
    let mut others: Option<JoinHandle<Result<()>>> = None;
    if only.is_empty() {
        // Linking a module keeps one core busy, and so do installing, linting the package itself and many tests: both cores are, when
        // one is beside the other.
        tools::wasm_target()?;
        npm_ci("pkg")?;
        others = Some(thread::spawn(ahead));
    }
    for (part, run) in parts {
        if !only.is_empty() && !only.contains(&part) {
            continue;
        }
        eprintln!("== {part:?}");
        let start = Instant::now();
        // The tests that run as wasm are made there.
        let built = match (part, others.take()) {
            (Part::Wasm | Part::E2e, Some(others)) => others
                .join()
                .unwrap_or_else(|_| Err(anyhow!("building the modules panicked"))),
            (_, building) => {
                others = building;
                Ok(())
            }
        };
        let result = built.and_then(|()| run(rest));
        took.push(format!("{part:?} {}", spoken(start)));
        match result {
            Ok(()) => passed += 1,
            Err(error) => {
                eprintln!("xtask: {part:?}: {error:#}");
                failures.push((format!("{part:?}"), error));
            }
        }
    }
    // The figures are of what passed.
    if only.is_empty() && failures.is_empty() {
        for result in [sizes::print(), accuracy()] {
            if let Err(error) = result {
                failures.push(("figures".into(), error));
            }
        }
    }
    for (part, error) in &failures {
        eprintln!("== {part} failed: {error:#}");
    }
    println!("took: {}", took.join(", "));
    println!("parts: {passed} passed, {} failed", failures.len());
    if failures.is_empty() {
        return Ok(());
    }
    let parts: Vec<String> = failures.into_iter().map(|(part, _)| part).collect();
    bail!("failed: {}", parts.join(", "))
}

/// The packages, as they are built together. All at once, each would be compiled with what the others ask of the libraries that
/// they share; those would be compiled once more, and with them all that uses them.
const PACKAGES: [&[&str]; 2] = [
    &["--workspace", "--exclude", "xtask"],
    &["--package", "xtask"],
];

fn lint(_: &[String]) -> Result<()> {
    tools::wasm_target()?;
    lint_typescript()?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    policy::check()?;
    for packages in PACKAGES {
        run(cargo().args(["clippy", "--locked"]).args(packages).args([
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))?;
    }
    run(wasm_clippy().args(["--", "-D", "warnings"]))?;
    run(wasm_clippy().args(["--features", "onnx", "--", "-D", "warnings"]))?;
    run(cargo()
        .args(["doc", "--locked", "--package", "smallfirst", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings"))
}

/// The linter reads types, so what they come from has to be there.
fn lint_typescript() -> Result<()> {
    for folder in ["pkg", "www", "tests/e2e", "tests/e2e/proxy", "tests/places"] {
        npm_ci(folder)?;
    }
    npm_run("pkg", "lint")
}

fn wasm_clippy() -> Command {
    let mut clippy = cargo();
    clippy.args([
        "clippy",
        "--locked",
        "--package",
        "smallfirst",
        "--no-default-features",
        "--lib",
    ]);
    clippy.args(["--test", "browser", "--target", WASM_TARGET]);
    clippy
}

/// The labelled data, split by the same build of the command line that is tested.
fn data() -> Result<PathBuf> {
    models::data(false)
}

fn native(_: &[String]) -> Result<()> {
    npm_ci("pkg")?;
    npm_run("pkg", "test")?;
    npm_ci("tests/reference")?;
    let magika = tools::venv(
        "reference-venv",
        &["-r", "tests/reference/requirements.txt"],
        &[],
    )?;
    let data = data()?;
    for packages in PACKAGES {
        run(cargo()
            .args(["test", "--locked"])
            .args(packages)
            .args(["--", "--include-ignored"])
            .env("SMALLFIRST_DATA", &data)
            .env("SMALLFIRST_MAGIKA_PYTHON", &magika))?;
    }
    conformance::check()
}

/// What later parts need, made while earlier ones run: the modules, the tests that run as wasm, the LLM's server.
fn ahead() -> Result<()> {
    wasm::build(&SETS)?;
    run(browser_tests().arg("--no-run"))?;
    llm::python().map(drop)
}

fn browser_tests() -> Command {
    let mut test = cargo();
    test.args(["test", "--locked", "--package", "smallfirst"]);
    test.args(["--no-default-features", "--test", "browser"]);
    test.args(["--profile", "wasm-test", "--target", WASM_TARGET]);
    test
}

fn wasm(_: &[String]) -> Result<()> {
    tools::wasm_target()?;
    let chromium = tools::chromium()?;
    let runner = std::env::current_exe()?;
    let runner = format!(
        "target.{WASM_TARGET}.runner=[{:?}, \"wasm-test-runner\"]",
        runner.display().to_string()
    );
    run(browser_tests()
        .args(["--config", &runner])
        .env("CHROMEDRIVER", chromium.driver)
        .env(
            "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
            root().join("tests/browser/webdriver.json"),
        )
        .env("WASM_BINDGEN_TEST_TIMEOUT", "300"))
}

fn end_to_end(rest: &[String]) -> Result<()> {
    build()?;
    sizes::check()?;
    package::check()?;
    npm_ci("tests/e2e")?;
    npm_ci("tests/e2e/proxy")?;
    let chromium = tools::chromium()?;
    let python = llm::python()?;
    command_line()?;
    // Whoever names a file wants that one.
    if rest.is_empty() {
        places()?;
    }
    run(command("npx")
        .args(["--no-install", "playwright", "test"])
        .args(rest)
        .current_dir(root().join("tests/e2e"))
        .env("CHROME", chromium.browser)
        .env("SMALLFIRST_LLM_PYTHON", python)
        .env("SMALLFIRST_DATA", data()?)
        .env("SMALLFIRST_BIN", root().join("target/debug/smallfirst")))
}

/// The command line, as the tests run it.
fn command_line() -> Result<()> {
    let of = ["--locked", "--package", "smallfirst", "--bin", "smallfirst"];
    run(cargo().arg("build").args(of))
}

/// The packages as npm has them, in the runtimes, bundlers and frameworks that web people have.
fn places() -> Result<()> {
    dist::dist()?;
    npm_ci("tests/places")?;
    in_places("tests/places", "short")
}

/// All of it: what is heavy to install (frameworks, built and served for development by their own commands), every input of the
/// comparisons, and the table of docs/places.md, which is written anew.
pub fn all_places() -> Result<()> {
    build()?;
    command_line()?;
    dist::dist()?;
    for folder in ["tests/places", "tests/places/frameworks", "tests/e2e/proxy"] {
        npm_ci(folder)?;
    }
    run(command("node").args(["tests/places/matrix.mjs", "--new"]))?;
    for folder in ["tests/places", "tests/places/frameworks"] {
        in_places(folder, "all")?;
    }
    run(command("node").arg("tests/places/matrix.mjs"))?;
    run(command("node").arg("tests/places/sizes.mjs"))
}

/// The tests in a folder. `scope` is `all` where they take every input and report what they measure.
fn in_places(folder: &str, scope: &str) -> Result<()> {
    let mut npm = command("npm");
    if let Some(firefox) = tools::firefox() {
        npm.env("FIREFOX", firefox);
    }
    run(npm
        .args(["test", "--silent"])
        .current_dir(root().join(folder))
        .env("CHROME", tools::chromium()?.browser)
        .env("SMALLFIRST_PLACES", scope)
        .env("SMALLFIRST_DIST", root().join(dist::FOLDER))
        .env("SMALLFIRST_DATA", data()?)
        .env("SMALLFIRST_BIN", root().join("target/debug/smallfirst")))
}

/// The held-out accuracy of every task, measured by the engine that ships.
fn accuracy() -> Result<()> {
    let data = data()?;
    for (task, file, column) in [
        ("language", "language.test", "input"),
        ("file-type", "filetype.sample", "path"),
        ("spam", "spam.test", "input"),
        ("sentiment", "sentiment.test", "input"),
    ] {
        run(cargo()
            .args(["run", "--quiet", "--locked", "--package", "smallfirst"])
            .args(["--bin", "smallfirst", "--", "evaluate", "models", "--brief"])
            .args(["--task", task, "--text", column, "--data"])
            .arg(data.join(format!("{file}.jsonl"))))?;
    }
    Ok(())
}
