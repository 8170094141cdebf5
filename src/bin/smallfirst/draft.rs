//! A bundle that is being made: nothing is written before it is saved, and it is saved only when its manifest is one that a page
//! would take.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use smallfirst::bundle::{Bundle, FORMAT, FORMAT_VERSION, FileEntry, Manifest, check_path, verify};

use crate::fingerprint::hex;
use crate::folder::{open, read, read_most, write_in};

/// Where commands leave what later commands need and a bundle does not ship.
const WORK: &str = ".work";

/// A bundle that is being worked on.
pub struct BundleDraft {
    folder: PathBuf,
    /// What will be written, by path.
    files: BTreeMap<String, Vec<u8>>,
    /// The manifest that will be written.
    pub manifest: Manifest,
}

impl BundleDraft {
    /// The bundle in `folder`, or a new one.
    pub fn open_or_new(folder: &Path) -> Result<Self> {
        if folder.join("manifest.json").exists() {
            return BundleDraft::open(folder);
        }
        let name = folder
            .file_name()
            .map_or("bundle".into(), |n| n.to_string_lossy().into_owned());
        Ok(BundleDraft {
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
                models: Default::default(),
                tasks: Default::default(),
            },
        })
    }

    /// The bundle in `folder`.
    pub fn open(folder: &Path) -> Result<Self> {
        let runtime = open(folder)?;
        Ok(BundleDraft {
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
            weights: None,
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
            copy.weights = entry.weights;
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
        manifest.models.retain(|name, _| used.contains(name));
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

    /// Stashes something for later commands.
    pub fn stash(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write(&format!("{WORK}/{name}"), bytes)
    }

    /// Stashes at once, also where nothing else of the bundle is changed; nothing happens in a folder where no command has
    /// stashed anything, such as one that was packed.
    pub fn stash_now(&self, name: &str, bytes: &[u8]) -> Result<()> {
        match self.folder.join(WORK).is_dir() {
            true => write_in(&self.folder, &format!("{WORK}/{name}"), bytes),
            false => Ok(()),
        }
    }

    /// What an earlier command stashed.
    pub fn stashed(&self, name: &str) -> Option<Vec<u8>> {
        check_path(name).ok()?;
        read(&self.folder.join(WORK).join(name)).ok()
    }
}

/// Gives a manifest the revision of what it says: the revision, and its JSON. It is checked as a page would check it.
pub fn written(manifest: &mut Manifest) -> Result<(String, Vec<u8>)> {
    let json = manifest.written()?;
    Ok((manifest.revision.clone(), json))
}

/// Every file that a task, head, encoder, tokenizer or tagger names, and the cards of shared encoders.
fn needed_files(manifest: &Manifest) -> Result<std::collections::BTreeSet<String>> {
    let bundle = Bundle::parse(&serde_json::to_vec(manifest)?)?;
    let mut needed: std::collections::BTreeSet<String> = Default::default();
    for head in manifest.heads.keys().chain(manifest.models.keys()) {
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
