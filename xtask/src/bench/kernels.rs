//! A build of the wasm module that also exports its kernels, to be timed by themselves.

use std::ffi::OsString;
use std::fs;

use anyhow::{Context, Result};

use crate::root;
use crate::run::{cargo, run};
use crate::tools::{self, WASM_TARGET};

/// Where the driver's server has the bindings.
pub const ADDRESS: &str = "/kernels/smallfirst.js";

/// Builds it, if the crate has the feature `bench`; says whether it has.
pub fn build() -> Result<bool> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    if !manifest.lines().any(|line| line.starts_with("bench =")) {
        return Ok(false);
    }
    tools::wasm_target()?;
    let target = root().join("target/bench/cargo");
    run(cargo()
        .args([
            "rustc",
            "--locked",
            "--package",
            "smallfirst",
            "--lib",
            "--no-default-features",
        ])
        .args([
            "--features",
            "bench",
            "--profile",
            "wasm",
            "--target",
            WASM_TARGET,
        ])
        .args(["--crate-type", "cdylib"])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "-C target-feature=+simd128,+relaxed-simd"))?;
    let built = target.join(WASM_TARGET).join("wasm/smallfirst.wasm");
    let words = [
        "wasm-bindgen",
        "--target",
        "web",
        "--out-name",
        "smallfirst",
        "--out-dir",
    ];
    let mut args: Vec<OsString> = words.map(OsString::from).to_vec();
    args.extend([root().join("target/bench/kernels").into(), built.into()]);
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(args)
        .context("wasm-bindgen failed on the kernels' build")?;
    Ok(true)
}
