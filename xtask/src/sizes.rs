//! The sizes of what is shipped.

use std::fs;
use std::io::Write;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{root, wasm};

/// Prints the sizes of the wasm module and of the default bundle.
pub fn print() -> Result<()> {
    let module = fs::read(wasm::out().join("smallfirst_bg.wasm"))
        .context("run `cargo xtask build` first")?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&module)?;
    let gzip = gzip.finish()?.len();
    let mut brotli = Vec::new();
    let best = brotli::enc::BrotliEncoderParams {
        quality: 11,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut module.as_slice(), &mut brotli, &best)?;
    println!(
        "wasm: {} bytes raw, {gzip} gzip, {} brotli",
        module.len(),
        brotli.len()
    );

    let manifest = fs::read(root().join("models/manifest.json"))?;
    let parsed: Value = serde_json::from_slice(&manifest)?;
    let files = parsed["files"]
        .as_object()
        .context("the manifest lists no files")?;
    let bytes = |entry: &Value| entry["bytes"].as_u64().unwrap_or(0);
    let total: u64 = files.values().map(bytes).sum::<u64>() + manifest.len() as u64;
    println!("bundle: {total} bytes in {} files", files.len() + 1);
    for (path, entry) in files {
        println!("  {:>9} {path}", bytes(entry));
    }
    Ok(())
}
