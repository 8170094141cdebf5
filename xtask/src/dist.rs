//! The npm packages as they are published: the engine, and the default bundle.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::root;
use crate::run::{command, output};

/// Where the packages go, relative to the repository.
pub const FOLDER: &str = "target/dist";

/// The package of the default bundle.
const MODELS: &str = "smallfirst-models";

/// What of others' work has to go where it goes.
const NOTICES: [&str; 2] = ["LICENSE", "NOTICE"];

/// Packs both packages, and gives their files.
pub fn dist() -> Result<Vec<PathBuf>> {
    let into = root().join(FOLDER);
    if into.exists() {
        fs::remove_dir_all(&into)?;
    }
    fs::create_dir_all(&into)?;
    let engine = read(&root().join("pkg/package.json"))?;
    let models = assemble(&into.join(MODELS), &engine["version"])?;
    [root().join("pkg"), models]
        .iter()
        .map(|package| pack(package, &into))
        .collect()
}

/// Puts together the package of the models: what the manifest names and nothing else, and the licences beside it.
fn assemble(folder: &Path, version: &Value) -> Result<PathBuf> {
    let about = root().join("pkg/models");
    let mut package = read(&about.join("package.json"))?;
    if package["name"] != MODELS {
        bail!("pkg/models/package.json is not that of {MODELS}");
    }
    if package["version"] != *version {
        bail!(
            "pkg/models/package.json has version {}, and pkg/package.json {version}: they are published together",
            package["version"]
        );
    }
    let bundle = root().join("models");
    let manifest = read(&bundle.join("manifest.json"))?;
    let files = manifest["files"]
        .as_object()
        .context("the manifest lists no files")?;
    let mut wanted: Vec<String> = files
        .keys()
        .cloned()
        .chain(["manifest.json".into()])
        .collect();
    let folders: std::collections::BTreeSet<&str> = files
        .keys()
        .filter_map(|file| Some(file.rsplit_once('/')?.0))
        .collect();
    for inner in folders {
        let notices = NOTICES.map(|name| format!("{inner}/{name}"));
        wanted.extend(
            notices
                .into_iter()
                .filter(|file| bundle.join(file).exists()),
        );
    }
    wanted.sort();
    for file in &wanted {
        copy(&bundle.join(file), &folder.join(file))?;
    }
    copy(&root().join("NOTICE"), &folder.join("NOTICE"))?;
    copy(&root().join("LICENSE-APACHE"), &folder.join("LICENSE"))?;
    copy(&about.join("README.md"), &folder.join("README.md"))?;
    wanted.push("NOTICE".into());
    package["files"] = wanted.into();
    fs::write(folder.join("package.json"), format!("{package:#}\n"))?;
    Ok(folder.to_owned())
}

/// Packs one, and gives its file.
fn pack(package: &Path, into: &Path) -> Result<PathBuf> {
    let name = output(
        command("npm")
            .args(["pack", "--silent", "--ignore-scripts", "--pack-destination"])
            .arg(into)
            .current_dir(package),
    );
    let name = name.with_context(|| format!("`npm pack` failed in {}", package.display()))?;
    Ok(into.join(name.trim()))
}

fn read(file: &Path) -> Result<Value> {
    let bytes = fs::read(file).with_context(|| format!("{} is missing", file.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
    fs::copy(from, to).with_context(|| format!("{} could not be copied", from.display()))?;
    Ok(())
}
