//! The npm package and the demo site.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::root;
use crate::run::{command, run};
use crate::tools::npm_ci;

/// What the package has of others: where it is, and where it goes. Copied, because a package that is used without a
/// bundler finds nothing by a name.
const VENDORED: [(&str, &str); 2] = [
    ("dist/esm/index.js", "wasm-feature-detect.js"),
    ("LICENSE", "wasm-feature-detect.LICENSE"),
];

/// Compiles the TypeScript facade and puts what else the package holds beside it.
pub fn build() -> Result<()> {
    npm_ci("pkg")?;
    run(command("npm")
        .args(["run", "--silent", "build"])
        .current_dir(root().join("pkg")))?;
    for (from, to) in VENDORED {
        copy(
            &format!("pkg/node_modules/wasm-feature-detect/{from}"),
            &format!("pkg/dist/vendor/{to}"),
        )?;
    }
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(licence, &format!("pkg/{licence}"))?;
    }
    copy(
        "src/bundle/manifest.schema.json",
        "pkg/dist/manifest.schema.json",
    )
}

/// Builds the demo site, with the default bundle beside its page.
pub fn build_site() -> Result<()> {
    npm_ci("www")?;
    run(command("npm")
        .args(["run", "--silent", "build"])
        .current_dir(root().join("www")))?;
    let manifest = fs::read(root().join("models/manifest.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let files = manifest["files"]
        .as_object()
        .context("the manifest lists no files")?;
    for path in files.keys().map(String::as_str).chain(["manifest.json"]) {
        copy(
            &format!("models/{path}"),
            &format!("www/dist/models/{path}"),
        )?;
    }
    Ok(())
}

fn copy(from: &str, to: &str) -> Result<()> {
    let (from, to) = (root().join(from), root().join(to));
    fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
    fs::copy(&from, &to).with_context(|| format!("{} could not be copied", from.display()))?;
    Ok(())
}
