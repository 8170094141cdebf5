//! Real ONNX files in the browser, beside onnxruntime-web.

use std::fs;

use anyhow::{Context, Result};

use crate::root;
use crate::run::{command, output, run};
use crate::tools::{self, npm_ci};
use crate::{conformance, package, wasm};

/// What `--only` asks for it by.
pub const NAME: &str = "files";

/// Measures, prints the table, and writes it into docs/models.md.
pub fn bench() -> Result<()> {
    npm_ci("tests/bench")?;
    let chromium = tools::chromium()?;
    wasm::build(&wasm::SETS)?;
    package::build()?;
    let models = conformance::folder()?;
    let folder = root().join("tests/bench");
    let driver = folder.join("node_modules/.bench/files.mjs");
    run(command("npx")
        .args(["--no-install", "esbuild", "files/main.ts", "--bundle"])
        .args(["--platform=node", "--packages=external", "--format=esm"])
        .arg("--log-level=warning")
        .arg(format!("--outfile={}", driver.display()))
        .current_dir(&folder))?;
    let table = output(
        command("node")
            .arg(driver)
            .arg(models)
            .arg(root().join("pkg"))
            .arg(folder.join("node_modules/onnxruntime-web/dist"))
            .env("CHROME", chromium.browser),
    );
    let table = table.context("the measurement did not run to its end")?;
    println!("{table}");
    fs::create_dir_all(root().join("target/bench"))?;
    fs::write(root().join("target/bench/files.md"), &table)?;
    conformance::write_times(&table)
}
