//! A bundle in a folder: reading it, and working on it.
//!
//! Whatever a command writes into a bundle's folder is written by [`write_in`], under a path that a manifest could list.
//! A [`Workshop`] writes nothing before it is saved, and is saved only when its manifest is one that a page would take.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use smallfirst::bundle::{
    Bundle, FORMAT, FORMAT_VERSION, FileEntry, MAX_FILE_BYTES, MAX_MANIFEST_BYTES, Manifest,
    Source, check_path, verify,
};
use smallfirst::engine::Model;
use smallfirst::remote::RemoteOptions;
use smallfirst::route::Mode;
use smallfirst::runtime::{Clock, Runtime};
use smallfirst::{Code, Error};

/// Where commands leave what later commands need and a bundle does not ship.
const WORK: &str = ".work";

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

/// A bundle that is being worked on.
pub struct Workshop {
    folder: PathBuf,
    /// What will be written, by path.
    files: BTreeMap<String, Vec<u8>>,
    /// The manifest that will be written.
    pub manifest: Manifest,
}

impl Workshop {
    /// The bundle in `folder`, or a new one.
    pub fn open_or_new(folder: &Path) -> Result<Self> {
        if folder.join("manifest.json").exists() {
            return Workshop::open(folder);
        }
        let name = folder
            .file_name()
            .map_or("bundle".into(), |n| n.to_string_lossy().into_owned());
        Ok(Workshop {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            manifest: Manifest {
                format: FORMAT.into(),
                version: FORMAT_VERSION,
                name,
                revision: String::new(),
                files: Default::default(),
                tokenizers: Default::default(),
                encoders: Default::default(),
                tagger: None,
                heads: Default::default(),
                tasks: Default::default(),
            },
        })
    }

    /// The bundle in `folder`.
    pub fn open(folder: &Path) -> Result<Self> {
        let runtime = open(folder)?;
        Ok(Workshop {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            manifest: runtime.bundle().manifest().clone(),
        })
    }

    /// Takes a file to be written, and lists it.
    pub fn put(&mut self, path: &str, bytes: &[u8], license: &str) -> Result<()> {
        self.write(path, bytes)?;
        let sha256 = hex(&Sha256::digest(bytes));
        let entry = FileEntry {
            bytes: bytes.len() as u64,
            sha256,
            license: license.to_owned(),
            prepared_from: None,
        };
        self.manifest.files.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Takes a file to be written that the manifest does not list, such as a licence text.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        check_path(path)?;
        self.files.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    /// Copies a listed file of another bundle, with the licence texts beside it.
    pub fn copy(&mut self, from: &Path, path: &str, entry: &FileEntry) -> Result<()> {
        let bytes = read_most(&from.join(path), entry.bytes.saturating_add(1))
            .with_context(|| format!("{path} cannot be read"))?;
        verify(path, entry, &bytes)?;
        self.put(path, &bytes, &entry.license)?;
        if let Some(copy) = self.manifest.files.get_mut(path) {
            copy.prepared_from.clone_from(&entry.prepared_from);
        }
        for text in ["LICENSE", "NOTICE", "README.md"] {
            let beside = Path::new(path).with_file_name(text);
            let beside = beside.to_string_lossy();
            if let Ok(bytes) = read(&from.join(&*beside)) {
                self.write(&beside, &bytes)?;
            }
        }
        Ok(())
    }

    /// Removes what nothing refers to any more from the manifest, checks it as a page would, and writes the files and
    /// it.
    pub fn save(&mut self) -> Result<()> {
        let manifest = &mut self.manifest;
        let used: Vec<String> = {
            let tasks = manifest.tasks.values();
            tasks.flat_map(|task| task.tiers.clone()).collect()
        };
        manifest.heads.retain(|name, _| used.contains(name));
        let needed = needed_files(manifest)?;
        manifest.files.retain(|path, _| needed.contains(path));
        let (_, json) = written(manifest)?;
        for (path, bytes) in std::mem::take(&mut self.files) {
            write_in(&self.folder, &path, &bytes)?;
        }
        write_in(&self.folder, "manifest.json", &json)
    }

    /// Its folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Keeps something for later commands.
    pub fn keep(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write(&format!("{WORK}/{name}"), bytes)
    }

    /// Something an earlier command kept.
    pub fn kept(&self, name: &str) -> Option<Vec<u8>> {
        check_path(name).ok()?;
        read(&self.folder.join(WORK).join(name)).ok()
    }
}

/// Gives a manifest the revision of what it says: the revision, and its JSON. It is checked as a page would check it.
pub fn written(manifest: &mut Manifest) -> Result<(String, Vec<u8>)> {
    manifest.revision = String::new();
    let digest = Sha256::digest(serde_json::to_vec(&manifest)?);
    manifest.revision = hex(&digest)[..12].to_owned();
    let mut json = serde_json::to_string_pretty(&manifest)?;
    json.push('\n');
    Bundle::parse(json.as_bytes())?;
    Ok((manifest.revision.clone(), json.into_bytes()))
}

/// Every file that a task, head, encoder, tokenizer or tagger names, and the cards of shared encoders.
fn needed_files(manifest: &Manifest) -> Result<std::collections::BTreeSet<String>> {
    let bundle = Bundle::parse(&serde_json::to_vec(manifest)?)?;
    let mut needed: std::collections::BTreeSet<String> = Default::default();
    for head in manifest.heads.keys() {
        needed.extend(bundle.files_of_head(head).into_iter().map(str::to_owned));
    }
    for task in manifest.tasks.values() {
        needed.extend(task.card.iter().chain(&task.evaluation).cloned());
    }
    for encoder in manifest.encoders.values() {
        let card = Path::new(&encoder.file).with_file_name("README.md");
        needed.insert(encoder.file.clone());
        needed.insert(card.to_string_lossy().into_owned());
    }
    needed.extend(manifest.tokenizers.values().map(|t| t.file.clone()));
    needed.extend(manifest.tagger.iter().map(|t| t.file.clone()));
    Ok(needed)
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

/// Names the models and rules of a task: whatever could change an answer changes it. What was prepared counts as
/// the file it was prepared from: that, prepared on the spot, is what was measured.
pub fn fingerprint(bundle: &Bundle, task: &str) -> Result<String> {
    let entry = bundle.task(task)?;
    let manifest = bundle.manifest();
    let source = |path: &str| {
        let entry = manifest.files.get(path);
        let before = entry.and_then(|entry| entry.prepared_from.as_ref());
        let name = match before {
            Some(_) if path.ends_with(".sfm") => with_extension(path, "onnx"),
            _ => path.to_owned(),
        };
        let sha256 = before.or(entry.map(|entry| &entry.sha256));
        (name, sha256.cloned().unwrap_or_default())
    };
    let heads = entry.tiers.iter().filter_map(|name| {
        let mut head = manifest.heads.get(name)?.clone();
        head.file = source(&head.file).0;
        if let Some(addend) = &mut head.addend {
            addend.file = source(&addend.file).0;
        }
        if let Some(file) = head.ood.as_mut().and_then(|ood| ood.file.as_mut()) {
            *file = source(file).0;
        }
        Some(head)
    });
    let heads: Vec<_> = heads.collect();
    let files: std::collections::BTreeMap<String, String> = entry
        .tiers
        .iter()
        .flat_map(|name| bundle.files_of_head(name))
        .map(source)
        .collect();
    let of = (
        &entry.labels,
        &entry.limits,
        &entry.tiers,
        &entry.guarantee,
        heads,
        files,
    );
    Ok(hex(&Sha256::digest(serde_json::to_vec(&of)?))[..16].to_owned())
}

/// A path of the bundle with another extension.
pub fn with_extension(path: &str, extension: &str) -> String {
    let path = Path::new(path).with_extension(extension);
    path.to_string_lossy().into_owned()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
