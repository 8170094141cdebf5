//! What the fuzzer found worth keeping, sent again, and a part of it grown: no input takes more than linear time.
#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;

#[path = "fuzz/targets/mod.rs"]
mod targets;

use targets::grow::Growth;
use targets::{Target, named};

/// How many inputs of a corpus are grown.
const GROWN: usize = 12;
/// How long they are grown, and how much longer still.
const SHORT: usize = 32 << 10;
const TIMES: usize = 4;
/// What is faster than this is not looked at: a megabyte would take a second, were it quadratic, in the optimised build.
const CALM: Duration = Duration::from_millis(10);
/// The most times longer that the longer one may take. Linear would be 4, quadratic 16.
const MOST: u32 = 11;

/// The inputs in the archive of a target, and its seeds.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut inputs = (target.seeds)();
    let archive = match File::open(corpora.join(format!("{}.tar.gz", target.name))) {
        Ok(archive) => archive,
        Err(error) => panic!("the corpus of {} is not there: {error}", target.name),
    };
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            inputs.push(data);
        }
    }
    inputs
}

fn replay(name: &str) {
    let target = named(name);
    let inputs = corpus(&target);
    assert!(
        inputs.len() > 100,
        "only {} inputs: the corpus is not there",
        inputs.len()
    );
    for input in &inputs {
        (target.read)(input);
    }
    for input in inputs.iter().step_by(inputs.len().div_ceil(GROWN)) {
        for growth in Growth::ALL {
            linear(&target, input, growth);
        }
    }
}

/// Of three tries, one at least takes no more than linear time, with some room.
fn linear(target: &Target, input: &[u8], growth: Growth) {
    let short = target.grown(input, growth, SHORT);
    if short.len() < SHORT / 2 || target.time(&short) <= CALM {
        return;
    }
    let long = target.grown(input, growth, TIMES * SHORT);
    let mut tried = Vec::new();
    for _ in 0..3 {
        let (little, much) = (target.time(&short), target.time(&long));
        if much <= MOST * little {
            return;
        }
        tried.push((little, much));
    }
    panic!(
        "{} takes {tried:?} for {} and {} bytes, grown by {growth:?} of {:?}",
        target.name,
        short.len(),
        long.len(),
        String::from_utf8_lossy(input)
    );
}

macro_rules! replays {
    ($($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_sent_again() {
            let here = [$(stringify!($name)),*];
            let all: Vec<&str> = targets::TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(here[..], all[..]);
        }
    };
}

replays!(
    stream, reply, storage, manifest, model, tokenizer, text, redact, restore, onnx, archive, card,
    table, parquet
);

/// The clock itself: what is quadratic is found out.
#[test]
#[should_panic(expected = "quadratic takes")]
fn the_clock_finds_what_is_quadratic() {
    fn quadratic(data: &[u8]) {
        let mut pairs = 0u64;
        for a in data.chunks(4) {
            for b in data.chunks(4) {
                pairs += u64::from(std::hint::black_box(a[0] == b[0]));
            }
        }
        std::hint::black_box(pairs);
    }
    let target = Target {
        name: "quadratic",
        read: quadratic,
        ..named("manifest")
    };
    linear(&target, b"{}", Growth::Whole);
}
