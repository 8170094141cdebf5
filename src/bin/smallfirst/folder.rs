//! A bundle in a folder.
//!
//! Whatever a command writes into a bundle's folder is written by [`write_in`], under a path that a manifest could list.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use smallfirst::bundle::{
    Bundle, FileEntry, MAX_FILE_BYTES, MAX_MANIFEST_BYTES, Source, check_path, verify,
};
use smallfirst::engine::Model;
use smallfirst::host::Clock;
use smallfirst::remote::RemoteOptions;
use smallfirst::route::Mode;
use smallfirst::runtime::Runtime;
use smallfirst::{Code, Error};

/// Reads files from a folder.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(folder: &Path) -> Self {
        Folder(folder.to_owned())
    }
}

impl Source for Folder {
    async fn read(&self, path: &str, entry: &FileEntry) -> smallfirst::Result<Vec<u8>> {
        let full = self.0.join(path);
        // One byte more shows that it is another file than the manifest's.
        let bytes = read_most(&full, entry.bytes.saturating_add(1)).map_err(|e| {
            let code = match e.kind() {
                io::ErrorKind::NotFound => Code::FileMissing,
                _ => Code::BundleUnreachable,
            };
            Error::new(code, format!("{}: {e}", full.display()))
        })?;
        verify(path, entry, &bytes)?;
        Ok(bytes)
    }
}

/// The bundle in a folder, ready to be asked.
pub fn open(folder: &Path) -> Result<Runtime<Folder>> {
    let path = folder.join("manifest.json");
    let json = read_most(&path, MAX_MANIFEST_BYTES + 1).with_context(|| {
        format!(
            "{} cannot be read; name a folder that holds a bundle",
            path.display()
        )
    })?;
    let bundle = Bundle::parse(&json).with_context(|| path.display().to_string())?;
    let source = Folder(folder.to_owned());
    let remote = RemoteOptions::default();
    Ok(Runtime::new(bundle, source, Mode::OnlyLocal, remote)?)
}

/// The task that is meant: the named one, or the only one.
pub fn the_task(bundle: &Bundle, named: Option<&str>) -> Result<String> {
    let tasks = &bundle.manifest().tasks;
    if let Some(named) = named {
        bundle.task(named)?;
        return Ok(named.to_owned());
    }
    match tasks.keys().collect::<Vec<_>>()[..] {
        [only] => Ok(only.clone()),
        _ => bail!(
            "the bundle has several tasks; name one with --task: {}",
            tasks.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Writes a file of a folder, making the folders between. The path is one that a manifest could list, and nothing on its
/// way is a link: it could lead out of the folder.
pub fn write_in(folder: &Path, path: &str, bytes: &[u8]) -> Result<()> {
    check_path(path)?;
    let mut full = folder.to_owned();
    for part in path.split('/') {
        full.push(part);
        let is_link = fs::symlink_metadata(&full).is_ok_and(|found| found.is_symlink());
        if is_link {
            bail!(
                "{} is a link; nothing is written through it, put a file or folder in its place",
                full.display()
            );
        }
    }
    fs::create_dir_all(full.parent().unwrap_or(folder))?;
    fs::write(&full, bytes).with_context(|| full.display().to_string())
}

/// Checks the name that an option gives to a task or an encoder: files and folders are named after it.
pub fn check_name(option: &str, name: &str) -> Result<()> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST || name.contains('/') || check_path(name).is_err() {
        bail!(
            "{option} {name:?}: a name has 1 to {LONGEST} letters, digits, '.', '-' and '_', and is not '.' or '..'"
        );
    }
    Ok(())
}

/// A file that goes into a bundle.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = read_most(path, MAX_FILE_BYTES + 1)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let what = format!("it has more than {MAX_FILE_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// A model's file, with the weights that an ONNX model has in files beside it.
pub fn read_model(path: &Path) -> Result<Vec<u8>> {
    let name = path.display().to_string();
    let file = read(path).with_context(|| format!("{name} cannot be read"))?;
    let names = Model::beside(&name, &file)?;
    if names.is_empty() {
        return Ok(file);
    }
    let mut beside = BTreeMap::new();
    for weights in names {
        let at = path.with_file_name(&weights);
        let bytes = read(&at).with_context(|| {
            format!(
                "{name} has weights in {}, which cannot be read; put it beside the model",
                at.display()
            )
        })?;
        beside.insert(weights, bytes);
    }
    Ok(Model::whole(&name, &file, &beside)?)
}

/// The first bytes of a file, all where it has no more than `most`.
pub fn read_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The time since it was made.
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }
}

impl Clock for Stopwatch {
    fn now_ms(&self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1000.0
    }

    fn wall_ms(&self) -> f64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64() * 1000.0)
    }

    /// Nothing is watched for drift here: the middle is as good as any.
    fn uniform(&self) -> f64 {
        0.5
    }
}
