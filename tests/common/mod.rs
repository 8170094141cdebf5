//! The default bundle, for tests that ask it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use smallfirst::bundle::{Bundle, FileEntry, Source, verify};
use smallfirst::remote::RemoteOptions;
use smallfirst::route::Mode;
use smallfirst::runtime::Runtime;

/// The default bundle's files.
pub struct Models;

impl Source for Models {
    async fn read(&self, path: &str, entry: &FileEntry) -> smallfirst::Result<Vec<u8>> {
        let bytes = fs::read(models().join(path)).expect("the default bundle is there");
        verify(path, entry, &bytes)?;
        Ok(bytes)
    }
}

/// Where they are.
pub fn models() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models"))
}

/// The default bundle, ready to be asked, with at most so many tiers a task. What is certified of all tiers is not of fewer.
pub fn runtime(most_tiers: usize) -> Runtime<Models> {
    let bytes = fs::read(models().join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
    for task in manifest["tasks"].as_object_mut().unwrap().values_mut() {
        let tiers = task["tiers"].as_array_mut().unwrap();
        if tiers.len() > most_tiers {
            tiers.truncate(most_tiers);
            task.as_object_mut().unwrap().remove("guarantee");
        }
    }
    let bundle = Bundle::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap();
    Runtime::new(bundle, Models, Mode::OnlyLocal, RemoteOptions::default()).unwrap()
}
