//! The wasm module: cargo, wasm-bindgen, wasm-opt.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::{cargo, command, run};
use crate::tools::{self, Stamp, WASM_TARGET};
use crate::{root, tools::npm_ci};

/// Where the module and its bindings go.
pub fn out() -> PathBuf {
    root().join("pkg/dist/wasm")
}

/// The features every browser with SIMD has. Naming them matters: with all features allowed,
/// wasm-opt writes a file that Chromium refuses.
const FEATURES: &[&str] = &[
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Builds `pkg/dist/wasm`.
pub fn build() -> Result<()> {
    tools::wasm_target()?;
    npm_ci("pkg")?;
    run(cargo().args([
        "rustc",
        "--locked",
        "--package",
        "smallfirst",
        "--lib",
        "--no-default-features",
        "--profile",
        "wasm",
        "--target",
        WASM_TARGET,
        // Only here, because a crate that is a cdylib and an rlib at once is built without LTO.
        "--crate-type",
        "cdylib",
    ]))?;
    let built = root()
        .join("target")
        .join(WASM_TARGET)
        .join("wasm/smallfirst.wasm");
    let module = fs::read(&built).with_context(|| format!("{} is missing", built.display()))?;
    let stamp = Stamp::new(&out().join(".stamp"), &module);
    if stamp.is_fresh() {
        return Ok(());
    }
    eprintln!("$ wasm-bindgen --target web --out-dir pkg/dist/wasm smallfirst.wasm");
    let mut args: Vec<OsString> = [
        "wasm-bindgen",
        "--target",
        "web",
        "--out-name",
        "smallfirst",
        "--out-dir",
    ]
    .map(OsString::from)
    .to_vec();
    args.extend([out().into(), built.into()]);
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(args)?;
    let module = out().join("smallfirst_bg.wasm");
    run(command("node")
        // binaryen is itself wasm here, and the module is large.
        .args([
            "--max-old-space-size=8192",
            "--stack-size=8192",
            "pkg/node_modules/binaryen/bin/wasm-opt",
        ])
        .arg(&module)
        .arg("-o")
        .arg(&module)
        .arg("-O2")
        // The names of functions. cargo could leave them out too, but would take with them what
        // wasm-bindgen needs to know.
        .arg("--strip-debug")
        .args(FEATURES))?;
    stamp.set()
}

/// Runs one compiled wasm test, as cargo's runner.
pub fn test_runner(args: Vec<OsString>) -> Result<()> {
    let name = OsString::from("wasm-bindgen-test-runner");
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args([name].into_iter().chain(args))
}
