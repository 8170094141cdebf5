//! What the fuzzer found worth keeping, sent again.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::Path;

#[path = "fuzz/world.rs"]
mod world;

fn replay(target: &str, send: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        send(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 50, "only {count} inputs: the corpus is not there");
}

#[test]
fn streams_of_the_corpus() {
    replay("stream", world::stream);
}

#[test]
fn replies_of_the_corpus() {
    replay("reply", world::reply);
}
