//! What others' code may be in what ships, by deny.toml: licences, bans, sources and advisories.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::run::{command, run};
use crate::{third_party, tools};

/// Checks all of it that can be checked here, and says what was not.
pub fn check() -> Result<()> {
    let deny = tools::cargo_deny()?;
    run(command(&deny).args(["--locked", "check", "licenses", "bans", "sources"]))?;
    let npm = third_party::check_npm()?;
    println!("licences of {npm} npm packages: ok");
    advisories(&deny)
}

/// Holds the lock file against the RustSec database, which is in a repository of its own and in no package registry.
/// Where it cannot be fetched nothing is checked, and that is said.
fn advisories(deny: &std::path::Path) -> Result<()> {
    let checked = command(deny)
        .args(["--locked", "check", "advisories"])
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&checked.stderr);
    if checked.status.success() {
        println!("advisories: ok");
        return Ok(());
    }
    if said.contains("failed to fetch advisory database") {
        println!(
            "advisories: NOT CHECKED, the RustSec database could not be fetched; run `cargo deny check advisories` where \
             it can be"
        );
        return Ok(());
    }
    eprintln!("{said}");
    bail!("`cargo deny check advisories` failed");
}
