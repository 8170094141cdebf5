//! The default bundle, for tests that ask it.

use std::fs;
use std::path::Path;

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

/// The default bundle, ready to be asked.
pub fn runtime() -> Runtime<Models> {
    let bundle = Bundle::parse(&fs::read(models().join("manifest.json")).unwrap()).unwrap();
    Runtime::new(bundle, Models, Mode::OnlyLocal, RemoteOptions::default()).unwrap()
}
