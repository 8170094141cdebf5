//! Paths of the machine that builds: they get into panic messages, and are to stay out of what ships.
//!
//! rustc writes another path in place of one it is told of (`--remap-path-prefix`). A profile cannot tell it, for that
//! knows neither this folder nor cargo's, so the builds of what ships are started here with the flags.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::root;
use crate::run::{command, output};

/// The flags that make rustc write other paths, after which come `others`.
pub fn flags(others: &[&str]) -> Result<Vec<String>> {
    let mut flags: Vec<String> = others.iter().map(|&flag| flag.to_owned()).collect();
    // Of several that fit, the last one counts: from the widest to the narrowest.
    let mut remapped = Vec::new();
    if let Some(home) = home() {
        remapped.push((home, "home"));
    }
    remapped.push((sysroot()?.join("lib/rustlib/src/rust"), "rust"));
    remapped.push((cargo_home()?, "cargo"));
    let registries = cargo_home()?.join("registry/src");
    if let Ok(folders) = fs::read_dir(&registries) {
        for folder in folders {
            remapped.push((folder?.path(), "crates"));
        }
    }
    remapped.push((root(), "smallfirst"));
    for (from, to) in remapped {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    }
    Ok(flags)
}

/// Gives a cargo command these flags. They may hold spaces, which `RUSTFLAGS` would take them apart at.
pub fn set(cargo: &mut Command, flags: &[String]) {
    cargo
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
}

fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| home.components().count() > 1)
}

fn cargo_home() -> Result<PathBuf> {
    match env::var_os("CARGO_HOME") {
        Some(folder) => Ok(folder.into()),
        None => Ok(home().context("there is no home folder")?.join(".cargo")),
    }
}

fn sysroot() -> Result<PathBuf> {
    let printed = output(command("rustc").args(["--print", "sysroot"]));
    Ok(printed.context("rustc is missing")?.into())
}

/// What no file that ships may have in it, whoever built it.
const EVERYWHERE: [&str; 6] = [
    ".cargo/registry",
    ".cargo\\registry",
    "registry/src/",
    ".rustup",
    "/wasm-modules/",
    "target/release/build",
];

/// Fails when one of the files has a path of this machine in it, or of any that builds.
pub fn check(files: &[PathBuf]) -> Result<()> {
    let mut wanted: Vec<String> = EVERYWHERE.map(str::to_owned).to_vec();
    let here = [Some(root()), home(), Some(cargo_home()?), Some(sysroot()?)];
    wanted.extend(
        here.into_iter()
            .flatten()
            .map(|path| format!("{}/", path.display())),
    );
    let mut found = Vec::new();
    for file in files {
        let bytes = fs::read(file).with_context(|| format!("{} is missing", file.display()))?;
        for path in &wanted {
            if let Some(at) = memmem(&bytes, path.as_bytes()) {
                found.push(format!("{}: {:?}", file.display(), around(&bytes, at)));
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "paths of this machine are in what ships; they are rewritten in xtask/src/paths.rs:\n  {}",
        found.join("\n  ")
    );
}

fn memmem(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|some| some == wanted)
}

/// What is printed of a find.
fn around(bytes: &[u8], at: usize) -> String {
    let some = &bytes[at.saturating_sub(20)..bytes.len().min(at + 100)];
    String::from_utf8_lossy(some).into_owned()
}

/// All files under a folder.
pub fn under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} is missing", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(under(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_machine_is_found_wherever_it_is() {
        let folder = env::temp_dir().join(format!("smallfirst-paths-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("some.wasm");
        fs::write(
            &file,
            b"\0asm panicked at crates/serde-1.0.0/src/lib.rs /rustc/0123/core",
        )
        .unwrap();
        check(std::slice::from_ref(&file)).unwrap();
        for path in [
            root().join("src/lib.rs").display().to_string(),
            cargo_home().unwrap().join("x").display().to_string(),
            "C:\\Users\\a\\.cargo\\registry\\src".into(),
        ] {
            fs::write(&file, format!("\0asm\u{1}{path}\0")).unwrap();
            let error = check(std::slice::from_ref(&file)).unwrap_err();
            assert!(error.to_string().contains("some.wasm"), "{error}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_narrowest_folder_comes_last() {
        let flags = flags(&["-C", "opt-level=1"]).unwrap();
        assert_eq!(flags[..2], ["-C", "opt-level=1"]);
        assert!(flags.last().unwrap().ends_with("=smallfirst"));
        let place = |end: &str| flags.iter().position(|flag| flag.ends_with(end));
        assert!(place("=home") < place("=cargo") && place("=cargo") < place("=smallfirst"));
    }
}
