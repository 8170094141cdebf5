//! The wasm modules: cargo, wasm-bindgen, wasm-opt.
//!
//! There are four: two sets of features, each for two sets of instructions. Those of one set of features are used
//! through the same JavaScript.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::paths;
use crate::root;
use crate::run::{cargo, command, output, run};
use crate::tools::{self, Stamp, WASM_TARGET, npm_ci};

/// What a module can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Prepared models only.
    Prepared,
    /// Any ONNX model, too.
    Onnx,
}

/// The instructions that a module uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// SIMD, which every browser since 2023 has.
    Baseline,
    /// And relaxed SIMD.
    Relaxed,
}

/// One of the modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    pub set: Set,
    pub instructions: Instructions,
}

/// Both sets of features.
pub const SETS: [Set; 2] = [Set::Prepared, Set::Onnx];

/// All modules, those of the same instructions together: they share what cargo builds.
pub const MODULES: [Module; 4] = [
    Module::new(Set::Prepared, Instructions::Baseline),
    Module::new(Set::Onnx, Instructions::Baseline),
    Module::new(Set::Prepared, Instructions::Relaxed),
    Module::new(Set::Onnx, Instructions::Relaxed),
];

impl Set {
    pub fn name(self) -> &'static str {
        match self {
            Set::Prepared => "prepared",
            Set::Onnx => "onnx",
        }
    }
}

impl Module {
    const fn new(set: Set, instructions: Instructions) -> Self {
        Module { set, instructions }
    }

    /// The module's name, which is its file's, too.
    pub fn name(self) -> String {
        match self.instructions {
            Instructions::Baseline => self.set.name().to_owned(),
            Instructions::Relaxed => format!("{}-relaxed", self.set.name()),
        }
    }

    /// Where it is in the package.
    pub fn file(self) -> PathBuf {
        out().join(format!("{}.wasm", self.name()))
    }

    /// Where it is made.
    fn folder(self) -> PathBuf {
        root().join("target/wasm-modules").join(self.name())
    }

    /// Without paths of this machine.
    fn rustflags(self) -> Result<Vec<String>> {
        paths::flags(&[
            "-C",
            match self.instructions {
                Instructions::Baseline => "target-feature=+simd128",
                Instructions::Relaxed => "target-feature=+simd128,+relaxed-simd",
            },
        ])
    }
}

/// Where the modules and their bindings go.
fn out() -> PathBuf {
    root().join("pkg/dist/wasm")
}

/// The profile the modules are built with.
const PROFILE: &str = "wasm";

/// The features every browser with SIMD has. Naming them matters: with all features allowed,
/// wasm-opt writes a file that Chromium refuses.
const FEATURES: &[&str] = &[
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Builds the modules of these sets into `pkg/dist/wasm`.
pub fn build(sets: &[Set]) -> Result<()> {
    tools::wasm_target()?;
    npm_ci("pkg")?;
    let inputs = inputs()?;
    fs::create_dir_all(out())?;
    // Most of the time goes by while one thread optimises one module, so those of the other instructions are made beside it.
    let inputs = inputs.as_str();
    thread::scope(|scope| {
        let both = [Instructions::Baseline, Instructions::Relaxed];
        let both =
            both.map(|instructions| scope.spawn(move || build_all(sets, instructions, inputs)));
        for built in both {
            built
                .join()
                .map_err(|_| anyhow!("a module could not be built"))??;
        }
        Ok::<(), anyhow::Error>(())
    })?;
    ship(sets)
}

/// Builds the modules of these sets that use these instructions.
fn build_all(sets: &[Set], instructions: Instructions, inputs: &str) -> Result<()> {
    let modules = MODULES
        .into_iter()
        .filter(|module| sets.contains(&module.set) && module.instructions == instructions);
    // cargo is waited for; what comes after it runs beside the next module's cargo.
    thread::scope(|scope| {
        let mut finishing = Vec::new();
        for module in modules {
            let folder = module.folder();
            let stamp = Stamp::new(
                &folder.join(".stamp"),
                format!("{inputs}\n{}", module.rustflags()?.join("\n")).as_bytes(),
            );
            if stamp.is_fresh() {
                continue;
            }
            let built = compile(module)?;
            finishing.push(scope.spawn(move || {
                bind(module, &built)?;
                optimise(module)?;
                stamp.set()
            }));
        }
        for finish in finishing {
            finish
                .join()
                .map_err(|_| anyhow!("a module could not be finished"))??;
        }
        Ok(())
    })
}

/// Everything the modules are made of, as one hash a line.
fn inputs() -> Result<String> {
    let mut files = Vec::new();
    walk(&root().join("src"), &mut files)?;
    walk(&root().join("crates"), &mut files)?;
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        "xtask/src/paths.rs",
        "xtask/src/wasm.rs",
        "pkg/package-lock.json",
    ] {
        files.push(root().join(file));
    }
    files.sort();
    let mut all = output(command("rustc").arg("-vV")).context("rustc is missing")?;
    for file in files {
        let bytes = fs::read(&file)?;
        all += &format!("\n{} {}", file.display(), tools::sha256(&bytes));
    }
    Ok(all)
}

/// The files in a folder, without those of the command line and of examples.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("src/bin") || path.ends_with("examples") {
            continue;
        }
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Compiles a module and gives a copy of what came out.
fn compile(module: Module) -> Result<PathBuf> {
    // Two cargos in one folder would wait for each other.
    let folder = match module.instructions {
        Instructions::Baseline => root().join("target"),
        Instructions::Relaxed => root().join("target/relaxed"),
    };
    let target = folder.join(WASM_TARGET).join(PROFILE);
    // All modules have the same name for cargo, which takes the file that is there for the one it would make.
    for file in ["smallfirst.wasm", "deps/smallfirst.wasm"] {
        let _ = fs::remove_file(target.join(file));
    }
    let mut cargo = cargo();
    cargo.args([
        "rustc",
        "--locked",
        "--package",
        "smallfirst",
        "--lib",
        "--no-default-features",
        "--profile",
        PROFILE,
        "--target",
        WASM_TARGET,
        // Only here, because a crate that is a cdylib and an rlib at once is built without LTO.
        "--crate-type",
        "cdylib",
    ]);
    cargo.arg("--target-dir").arg(&folder);
    if module.set == Set::Onnx {
        cargo.args(["--features", "onnx"]);
    }
    paths::set(&mut cargo, &module.rustflags()?);
    run(&mut cargo)?;
    let built = target.join("smallfirst.wasm");
    let copy = module.folder().join("compiled.wasm");
    fs::create_dir_all(module.folder())?;
    fs::copy(&built, &copy).with_context(|| format!("{} is missing", built.display()))?;
    Ok(copy)
}

/// Makes the module's bindings.
fn bind(module: Module, built: &Path) -> Result<()> {
    eprintln!("$ wasm-bindgen --target web ({})", module.name());
    let mut args: Vec<OsString> = [
        "wasm-bindgen",
        "--target",
        "web",
        // The worker says which module it wants; bundlers would ship the other one, too.
        "--omit-default-module-path",
        "--out-name",
        module.set.name(),
        "--out-dir",
    ]
    .map(OsString::from)
    .to_vec();
    args.extend([module.folder().into(), built.into()]);
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(args)
}

/// What wasm-bindgen makes of the compiled module.
fn bound(module: Module) -> PathBuf {
    module
        .folder()
        .join(format!("{}_bg.wasm", module.set.name()))
}

/// Makes the module smaller.
fn optimise(module: Module) -> Result<()> {
    let mut node = command("node");
    node
        // binaryen is itself wasm here, and the module is large.
        .args([
            "--max-old-space-size=8192",
            "--stack-size=8192",
            "pkg/node_modules/binaryen/bin/wasm-opt",
        ])
        .arg(bound(module))
        .arg("-o")
        .arg(module.folder().join("optimised.wasm"))
        .args(PASSES)
        // The names of functions. cargo could leave them out too, but would take with them what
        // wasm-bindgen needs to know.
        .arg("--strip-debug")
        .args(FEATURES);
    if module.instructions == Instructions::Relaxed {
        node.arg("--enable-relaxed-simd");
    }
    run(&mut node)
}

/// What wasm-opt does. Its own levels (-O2, -Oz) make modules that are smaller, too, until they are compressed: they undo
/// what similar functions have in common.
const PASSES: &[&str] = &[
    "--duplicate-function-elimination",
    "--dae",
    "--optimize-instructions",
    "--precompute",
    "--rse",
    "--vacuum",
    "--remove-unused-brs",
    "--remove-unused-names",
    "--merge-blocks",
    "--vacuum",
    "--duplicate-function-elimination",
    "--reorder-locals",
];

/// Puts what was made into the package.
fn ship(sets: &[Set]) -> Result<()> {
    for &set in sets {
        let of = |instructions| -> Result<(Module, Vec<u8>)> {
            let module = Module::new(set, instructions);
            let script = module.folder().join(format!("{}.js", set.name()));
            Ok((module, fs::read(script)?))
        };
        let (baseline, script) = of(Instructions::Baseline)?;
        let (relaxed, other) = of(Instructions::Relaxed)?;
        if script != other {
            bail!(
                "the scripts of {} and {} differ: the package has room for one; compare them in target/wasm-modules",
                baseline.name(),
                relaxed.name()
            );
        }
        fs::write(out().join(format!("{}.js", set.name())), script)?;
        for module in [baseline, relaxed] {
            fs::copy(module.folder().join("optimised.wasm"), module.file())?;
        }
    }
    Ok(())
}

/// Runs one compiled wasm test, as cargo's runner.
pub fn test_runner(args: Vec<OsString>) -> Result<()> {
    let name = OsString::from("wasm-bindgen-test-runner");
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args([name].into_iter().chain(args))
}
