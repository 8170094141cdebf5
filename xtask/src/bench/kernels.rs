//! A build of the wasm module that also exports its kernels, to be timed by themselves.

use std::ffi::OsString;
use std::fs;

use anyhow::{Context, Result};

use crate::root;
use crate::run::{cargo, run};
use crate::tools::{self, WASM_TARGET};

/// Where the driver's server has the bindings.
pub const ADDRESS: &str = "/kernels/smallfirst.js";

/// Builds it.
pub fn build() -> Result<()> {
    tools::wasm_target()?;
    let folder = root().join("target").join(WASM_TARGET).join("wasm");
    // The package's modules have the same name for cargo, which takes the file that is there for the one it would make.
    for file in ["smallfirst.wasm", "deps/smallfirst.wasm"] {
        let _ = fs::remove_file(folder.join(file));
    }
    run(cargo()
        .args(["rustc", "--locked", "--package", "smallfirst", "--lib"])
        .args(["--no-default-features", "--features", "bench"])
        .args(["--profile", "wasm", "--target", WASM_TARGET])
        .args(["--crate-type", "cdylib"])
        .args(["--target-dir", "target"])
        .env("RUSTFLAGS", "-C target-feature=+simd128,+relaxed-simd"))?;
    let words = [
        "wasm-bindgen",
        "--target",
        "web",
        "--out-name",
        "smallfirst",
        "--out-dir",
    ];
    let mut args: Vec<OsString> = words.map(OsString::from).to_vec();
    let out = root().join("target/bench/kernels");
    args.extend([out.into(), folder.join("smallfirst.wasm").into()]);
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(args)
        .context("wasm-bindgen failed on the kernels' build")
}
