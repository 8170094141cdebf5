//! What the fuzzer found worth keeping, sent again.
#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

#[path = "fuzz/world.rs"]
mod world;

fn replay(target: &str, send: fn(&[u8])) {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let archive = File::open(corpora.join(format!("{target}.tar.gz"))).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    let mut count = 0;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            send(&data);
            count += 1;
        }
    }
    assert!(count > 500, "only {count} inputs: the corpus is not there");
}

#[test]
fn streams_of_the_corpus() {
    replay("stream", world::stream);
}

#[test]
fn replies_of_the_corpus() {
    replay("reply", world::reply);
}
