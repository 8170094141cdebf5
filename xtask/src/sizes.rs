//! The sizes of what is shipped.

use std::fs;
use std::io::Write;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::root;
use crate::tools::sha256;
use crate::wasm::{MODULES, Module, Set};

/// The most bytes that a module may have, compressed with brotli, in the two sets of features. A change that takes
/// more says so here.
///
/// The same sources built in another folder differ by up to [`SPREAD`]: cargo derives the names of symbols from the
/// path of the workspace, and the names order the functions. A budget leaves that room.
const BUDGETS: [(Set, usize); 2] = [(Set::Prepared, 708_000), (Set::Onnx, 1_385_000)];

/// By what part a module's size differs from one folder to another.
const SPREAD: f64 = 0.008;

/// The sizes of one module.
struct Sizes {
    raw: usize,
    gzip: usize,
    brotli: usize,
}

/// The sizes of a module that was built. Compressing takes seconds, so they are remembered beside it.
fn sizes(module: Module) -> Result<Sizes> {
    let path = module.file();
    let bytes = fs::read(&path).context("run `cargo xtask build` first")?;
    let hash = sha256(&bytes);
    let remembered = root().join(format!("target/wasm-modules/{}/sizes", module.name()));
    let known = fs::read_to_string(&remembered).unwrap_or_default();
    if let [known, gzip, brotli] = known.split(' ').collect::<Vec<_>>()[..]
        && known == hash
    {
        return Ok(Sizes {
            raw: bytes.len(),
            gzip: gzip.parse()?,
            brotli: brotli.parse()?,
        });
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&bytes)?;
    let gzip = gzip.finish()?.len();
    let mut brotli = Vec::new();
    let best = brotli::enc::BrotliEncoderParams {
        quality: 11,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut bytes.as_slice(), &mut brotli, &best)?;
    let brotli = brotli.len();
    fs::write(&remembered, format!("{hash} {gzip} {brotli}"))?;
    Ok(Sizes {
        raw: bytes.len(),
        gzip,
        brotli,
    })
}

/// The sizes of all modules, measured side by side.
fn all() -> Result<Vec<(Module, Sizes)>> {
    std::thread::scope(|scope| {
        let measuring = MODULES.map(|module| (module, scope.spawn(move || sizes(module))));
        measuring
            .into_iter()
            .map(|(module, sizes)| {
                let sizes = sizes.join().map_err(|_| anyhow!("measuring panicked"))??;
                Ok((module, sizes))
            })
            .collect()
    })
}

/// Fails when a module is over its budget.
pub fn check() -> Result<()> {
    for (module, sizes) in all()? {
        let budget = BUDGETS.iter().find(|(set, _)| *set == module.set);
        let (_, most) = budget.context("a module has no budget")?;
        if sizes.brotli > *most {
            bail!(
                "{}.wasm has {} bytes compressed with brotli, over its budget of {most} (xtask/src/sizes.rs)",
                module.name(),
                sizes.brotli
            );
        }
        if sizes.brotli as f64 * (1.0 + SPREAD) > *most as f64 {
            println!(
                "{}.wasm has {} bytes compressed with brotli: built in another folder it may be over its budget of {most} (xtask/src/sizes.rs)",
                module.name(),
                sizes.brotli
            );
        }
    }
    Ok(())
}

/// Prints the sizes of the wasm modules and of the default bundle.
pub fn print() -> Result<()> {
    for (module, sizes) in all()? {
        let Sizes { raw, gzip, brotli } = sizes;
        println!(
            "{}.wasm: {raw} bytes raw, {gzip} gzip, {brotli} brotli",
            module.name()
        );
    }

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
