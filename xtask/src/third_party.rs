//! The notices of others' work in what ships: `THIRD-PARTY.txt` in the package and beside the demo site.
//!
//! Which crates are in a module is what cargo says of its features and its target; which licence is taken where a crate
//! gives a choice is the order of deny.toml, by which `cargo xtask test --only lint` also refuses what it does not allow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, LicenseId, Licensee, ParseMode};

use crate::root;
use crate::run::{cargo, output};
use crate::tools::WASM_TARGET;
use crate::wasm::Set;

/// The file.
pub const NAME: &str = "THIRD-PARTY.txt";

/// A crate in a module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    pub name: String,
    pub version: String,
}

/// The crates of others in a module with a set of features, macros among them.
pub fn crates(set: Set) -> Result<BTreeSet<Crate>> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--package", "smallfirst"])
        .args(["--no-default-features", "--target", WASM_TARGET])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    if set == Set::Onnx {
        tree.args(["--features", "onnx"]);
    }
    let printed = output(&mut tree).context("cargo tree failed; run it to see why")?;
    let mut found = BTreeSet::new();
    for line in printed.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, version, ..] = words[..] else {
            bail!("cargo tree printed \"{line}\"");
        };
        let version = version.trim_start_matches('v').to_owned();
        // What is in this repository is under its own licence.
        if !line.contains(&root().display().to_string()) {
            let name = name.to_owned();
            found.insert(Crate { name, version });
        }
    }
    Ok(found)
}

/// What is known of a crate.
struct Found {
    of: Crate,
    license: String,
    authors: Vec<String>,
    repository: Option<String>,
    folder: PathBuf,
}

/// The text of the file.
pub fn text() -> Result<String> {
    let crates = crates(Set::Onnx)?;
    let missing: Vec<Crate> = crates_of_prepared_alone(&crates)?;
    if !missing.is_empty() {
        bail!("the small module has crates that the large one has not: {missing:?}");
    }
    let accepted = accepted()?;
    // A text, and the crates that are under it.
    let mut texts: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut all = String::new();
    let mut sources = String::new();
    for found in known(&crates)? {
        let name = format!("{} {}", found.of.name, found.of.version);
        let taken = taken(&found, &accepted)?;
        let ids: Vec<&str> = taken.iter().map(|id| id.name).collect();
        all += &format!("  {name}: {}\n", ids.join(" AND "));
        for id in taken {
            let text = license_text(&found, id)?;
            texts
                .entry((id.name.to_owned(), text))
                .or_default()
                .push(name.clone());
            if id.is_copyleft() {
                let place = found.repository.as_deref().unwrap_or("its author");
                sources += &format!(
                    "The source of {name} is under {}. It is used unchanged, and is to be had as the crate {name} of the \
                     Rust package registry and from {place}\n\n",
                    id.name
                );
            }
        }
        if let Some(notice) = file_of(&found.folder, &["notice"])? {
            texts
                .entry(("NOTICE".into(), notice))
                .or_default()
                .push(name);
        }
    }
    let (id, text) = feature_detect()?;
    let name = "wasm-feature-detect, in vendor/".to_owned();
    all += &format!("  {name}: {id}\n");
    texts.entry((id, text)).or_default().push(name);
    let mut out = format!(
        "The WebAssembly modules of smallfirst hold work of others, and the package a script; this is under which licence,\n\
         and its text. The small modules hold a part of these crates. The standard library of Rust is in all of them, under\n\
         MIT OR Apache-2.0, Copyright (c) The Rust Project Contributors.\n\n{all}\n{sources}"
    );
    for ((id, text), names) in texts {
        let line = "-".repeat(80);
        out += &format!(
            "{line}\n{id}: {}\n{line}\n\n{}\n\n",
            names.join(", "),
            text.trim_end()
        );
    }
    Ok(out)
}

fn crates_of_prepared_alone(onnx: &BTreeSet<Crate>) -> Result<Vec<Crate>> {
    Ok(crates(Set::Prepared)?.difference(onnx).cloned().collect())
}

/// What cargo knows of these crates.
fn known(crates: &BTreeSet<Crate>) -> Result<Vec<Found>> {
    let printed = output(cargo().args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        WASM_TARGET,
    ]));
    let metadata: Value = serde_json::from_str(&printed.context("cargo metadata failed")?)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let word = |package: &Value, key: &str| package[key].as_str().map(str::to_owned);
    let mut found = Vec::new();
    for of in crates {
        let own = |package: &&Value| package["name"] == of.name && package["version"] == of.version;
        let package = packages.iter().find(own);
        let package = package.with_context(|| format!("cargo does not know {}", of.name))?;
        let manifest = PathBuf::from(word(package, "manifest_path").context("no path")?);
        let authors = package["authors"].as_array().into_iter().flatten();
        found.push(Found {
            of: of.clone(),
            license: word(package, "license")
                .with_context(|| format!("{} states no licence", of.name))?,
            authors: authors
                .filter_map(|a| a.as_str().map(str::to_owned))
                .collect(),
            repository: word(package, "repository"),
            folder: manifest.parent().unwrap_or(&root()).to_owned(),
        });
    }
    Ok(found)
}

/// The licences that deny.toml allows, in its order, and those that it allows single crates.
fn accepted() -> Result<Vec<String>> {
    let path = root().join("deny.toml");
    let policy = fs::read_to_string(&path)?;
    let quoted = |line: &str| -> Vec<String> {
        let words = line.split('"').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let mut accepted = Vec::new();
    let mut within = false;
    for line in policy.lines().skip_while(|line| *line != "[licenses]") {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with("[bans]") {
            break;
        }
        within |= line.starts_with("allow = [");
        if within {
            accepted.extend(quoted(line));
            within = !line.ends_with(']');
        }
    }
    if accepted.is_empty() {
        bail!("{} allows no licence", path.display());
    }
    Ok(accepted)
}

/// The licences that are taken: all that are needed, and of a choice the one that is accepted first.
fn taken(found: &Found, accepted: &[String]) -> Result<Vec<LicenseId>> {
    let expression = Expression::parse_mode(&found.license, ParseMode::LAX)
        .with_context(|| format!("the licence of {}: {}", found.of.name, found.license))?;
    let licensees: Vec<Licensee> = accepted
        .iter()
        .map(|id| Licensee::parse(id).with_context(|| format!("deny.toml: {id}")))
        .collect::<Result<_>>()?;
    let needed = expression.minimized_requirements(licensees.iter());
    let needed = needed.with_context(|| {
        format!(
            "{} is under {}, which deny.toml does not allow",
            found.of.name, found.license
        )
    })?;
    needed
        .iter()
        .map(|needed| {
            needed
                .license
                .id()
                .context("a licence without an identifier")
        })
        .collect()
}

/// The text of a licence as the crate has it, or the standard one with the crate's authors.
fn license_text(found: &Found, id: LicenseId) -> Result<String> {
    let word = match id.name {
        "Apache-2.0" => "apache",
        "BSL-1.0" => "boost",
        name => name.split('-').next().unwrap_or(name),
    };
    let word = word.to_lowercase();
    let own = |start: &str| format!("{start}-{word}");
    let specific = ["license", "licence", "copying"].map(own);
    let specific: Vec<&str> = specific.iter().map(String::as_str).collect();
    if let Some(text) = file_of(&found.folder, &specific)? {
        return Ok(text);
    }
    // One file alone is that of whatever the crate is under; of several none is meant.
    let general = files_of(
        &found.folder,
        &["license", "licence", "copying", "unlicense"],
    )?;
    if let [only] = &general[..] {
        let text = fs::read_to_string(only)?;
        if mentions(&text, id) {
            return Ok(text);
        }
    }
    let by = match found.authors.is_empty() {
        true => format!("the authors of {}", found.of.name),
        false => found.authors.join(", "),
    };
    Ok(format!(
        "(The crate has no text of its own. By {by}.)\n\n{}",
        id.text().trim()
    ))
}

/// Whether a text is that of a licence.
fn mentions(text: &str, id: LicenseId) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = match id.name {
        "MIT" => "Permission is hereby granted, free of charge",
        "Apache-2.0" => "Apache License",
        "Zlib" => "This software is provided 'as-is'",
        "BSL-1.0" => "Boost Software License",
        "MPL-2.0" => "Mozilla Public License",
        "Unlicense" => "public domain",
        "Unicode-3.0" => "UNICODE LICENSE V3",
        _ => "Redistribution",
    };
    plain(text).contains(sentence)
}

fn file_of(folder: &Path, starts: &[&str]) -> Result<Option<String>> {
    let Some(first) = files_of(folder, starts)?.into_iter().next() else {
        return Ok(None);
    };
    let bytes = fs::read(&first).with_context(|| first.display().to_string())?;
    Ok(Some(String::from_utf8_lossy(&bytes).replace("\r\n", "\n")))
}

/// The files of a folder whose names begin so, in whatever case.
fn files_of(folder: &Path, starts: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let name = name.replace('_', "-");
        if path.is_file() && starts.iter().any(|start| name.starts_with(start)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The licence of the script that is copied into the package.
fn feature_detect() -> Result<(String, String)> {
    let folder = root().join("pkg/node_modules/wasm-feature-detect");
    let package: Value = serde_json::from_slice(&fs::read(folder.join("package.json"))?)?;
    let id = package["license"]
        .as_str()
        .context("wasm-feature-detect states no licence")?;
    Ok((id.to_owned(), fs::read_to_string(folder.join("LICENSE"))?))
}

/// Fails when npm packages whose code ships, or is run by who serves the demo, are under a licence that deny.toml does not
/// allow.
pub fn check_npm() -> Result<usize> {
    let accepted = accepted()?;
    let mut checked = 0;
    for folder in ["pkg", "www"] {
        let path = root().join(folder).join("package-lock.json");
        let lock: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let packages = lock["packages"]
            .as_object()
            .context("a lock without packages")?;
        for (place, package) in packages {
            let name = place.rsplit("node_modules/").next().unwrap_or(place);
            let ships = package["dev"] != true || name == "wasm-feature-detect";
            // The project itself, and what is a link to it.
            if !ships || !place.contains("node_modules/") || package["link"] == true {
                continue;
            }
            let license = package["license"].as_str().unwrap_or("no licence");
            let parsed = Expression::parse_mode(license, ParseMode::LAX);
            let allowed = parsed.is_ok_and(|expression| {
                expression.evaluate(|needed| {
                    needed
                        .license
                        .id()
                        .is_some_and(|id| accepted.iter().any(|a| a == id.name))
                })
            });
            if !allowed {
                bail!(
                    "{} has {name} under {license}, which deny.toml does not allow",
                    path.display()
                );
            }
            checked += 1;
        }
    }
    Ok(checked)
}

/// Fails when a file does not name every crate of a set of features, or has no text under one.
pub fn check(file: &Path) -> Result<()> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} is missing", file.display()))?;
    for set in [Set::Prepared, Set::Onnx] {
        for of in crates(set)? {
            let name = format!("{} {}", of.name, of.version);
            let named = text.contains(&format!("\n  {name}: "));
            let with_text = text
                .lines()
                .filter(|line| !line.starts_with(' '))
                .any(|line| {
                    let names = line.split_once(": ").map_or("", |(_, names)| names);
                    names.split(", ").any(|one| one == name)
                });
            if !named || !with_text {
                bail!("{} lacks {name}", file.display());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(license: &str, folder: &Path) -> Found {
        Found {
            of: Crate {
                name: "some".into(),
                version: "1.0.0".into(),
            },
            license: license.into(),
            authors: vec!["An Author".into()],
            repository: None,
            folder: folder.to_owned(),
        }
    }

    #[test]
    fn of_a_choice_the_licence_allowed_first_is_taken_and_others_are_refused() {
        let accepted = accepted().unwrap();
        assert_eq!(accepted[0], "MIT");
        assert!(accepted.iter().any(|id| id == "MPL-2.0"));
        let names = |license: &str| -> Vec<&str> {
            let taken = taken(&of(license, Path::new(".")), &accepted).unwrap();
            taken.iter().map(|id| id.name).collect()
        };
        assert_eq!(names("Apache-2.0/MIT"), ["MIT"]);
        assert_eq!(names("Zlib OR Apache-2.0 OR MIT"), ["MIT"]);
        let mut both = names("(MIT OR Apache-2.0) AND Unicode-3.0");
        both.sort_unstable();
        assert_eq!(both, ["MIT", "Unicode-3.0"]);
        let error = taken(&of("GPL-3.0-only", Path::new(".")), &accepted).unwrap_err();
        assert!(error.to_string().contains("does not allow"), "{error}");
    }

    #[test]
    fn a_crates_own_text_is_taken_where_it_has_one() {
        let folder =
            std::env::temp_dir().join(format!("smallfirst-notices-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let id = |name| spdx::license_id(name).unwrap();
        let found = of("MIT OR Apache-2.0", &folder);
        let standard = license_text(&found, id("MIT")).unwrap();
        assert!(standard.contains("An Author") && standard.contains("hereby granted"));
        fs::write(folder.join("LICENSE_MIT.md"), "own text").unwrap();
        assert_eq!(license_text(&found, id("MIT")).unwrap(), "own text");
        // Not that of another licence.
        assert!(
            license_text(&found, id("Apache-2.0"))
                .unwrap()
                .contains("Apache License")
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
