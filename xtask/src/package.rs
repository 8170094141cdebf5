//! The npm package and the demo site.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::root;
use crate::run::{cargo, command, output, run};
use crate::tools::{npm_ci, npm_run};
use crate::{paths, third_party};

/// What the package has of others: where it is, and where it goes. Copied, because a package that is used without a
/// bundler finds nothing by a name.
const VENDORED: [(&str, &str); 2] = [
    ("dist/esm/index.js", "wasm-feature-detect.js"),
    ("LICENSE", "wasm-feature-detect.LICENSE"),
];

/// Compiles the TypeScript facade and puts what else the package holds beside it.
pub fn build() -> Result<()> {
    npm_ci("pkg")?;
    npm_run("pkg", "build")?;
    for (from, to) in VENDORED {
        copy(
            &format!("pkg/node_modules/wasm-feature-detect/{from}"),
            &format!("pkg/dist/vendor/{to}"),
        )?;
    }
    npm_run("pkg", "inline")?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(licence, &format!("pkg/{licence}"))?;
    }
    fs::write(
        root().join("pkg/dist").join(third_party::NAME),
        third_party::text()?,
    )?;
    copy(
        "src/bundle/manifest.schema.json",
        "pkg/dist/manifest.schema.json",
    )
}

/// Builds the demo site, with the default bundle beside its page. Where the modules for ONNX files were not built, which its
/// bundle does not need, the site goes without.
pub fn build_site() -> Result<()> {
    npm_ci("www")?;
    let mut vite = command("npm");
    vite.args(["run", "--silent", "build"])
        .current_dir(root().join("www"));
    if !root().join("pkg/dist/wasm/onnx.js").exists() {
        vite.env("SMALLFIRST_ENGINES", "prepared");
    }
    run(&mut vite)?;
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
    let notices = third_party::NAME;
    copy(
        &format!("pkg/dist/{notices}"),
        &format!("www/dist/{notices}"),
    )
}

/// Builds the command line as it is handed on: optimised, and without paths of this machine. Gives its file.
pub fn build_cli() -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["build", "--locked", "--release", "--package", "smallfirst"]);
    cargo.args(["--bin", "smallfirst"]);
    paths::set(&mut cargo, &paths::flags(&["-C", "strip=symbols"])?);
    run(&mut cargo)?;
    let name = format!("smallfirst{}", std::env::consts::EXE_SUFFIX);
    Ok(root().join("target/release").join(name))
}

/// Holds what ships against what it is to be: the notices of others' work are in the package and beside the site, and no
/// path of this machine is in any file.
pub fn check() -> Result<()> {
    let packed = output(
        command("npm")
            .args(["pack", "--dry-run", "--json", "--ignore-scripts"])
            .current_dir(root().join("pkg")),
    );
    let packed: Value = serde_json::from_str(&packed.context("`npm pack` failed")?)?;
    // A list of packages, or since npm 12 an object of them.
    let package = match &packed {
        Value::Array(packages) => packages.first(),
        Value::Object(packages) => packages.values().next(),
        _ => None,
    };
    let files = package.and_then(|package| package["files"].as_array());
    let files: Vec<&str> = files
        .context("`npm pack` lists no files")?
        .iter()
        .filter_map(|file| file["path"].as_str())
        .collect();
    let notices = format!("dist/{}", third_party::NAME);
    for needed in [&notices, "LICENSE-MIT", "LICENSE-APACHE"] {
        if !files.contains(&needed) {
            bail!("the package lacks {needed}; it has {}", files.join(", "));
        }
    }
    third_party::check(&root().join("pkg").join(&notices))?;
    let site = root().join("www/dist");
    third_party::check(&site.join(third_party::NAME))?;
    let mut shipped: Vec<PathBuf> = files
        .iter()
        .map(|file| root().join("pkg").join(file))
        .collect();
    shipped.extend(paths::under(&site)?);
    paths::check(&shipped)
}

fn copy(from: &str, to: &str) -> Result<()> {
    let (from, to) = (root().join(from), root().join(to));
    fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
    fs::copy(&from, &to).with_context(|| format!("{} could not be copied", from.display()))?;
    Ok(())
}
