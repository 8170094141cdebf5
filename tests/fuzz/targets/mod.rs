//! The targets: each reads what somebody else wrote, and must come to an end with an answer or a typed error.
//!
//! Shared by the fuzzer (`fuzz.rs`), the clock (`clock.rs`) and the tests that send the corpora again
//! (`tests/corpus.rs`).

#![allow(dead_code)]

pub mod grow;
mod manifest;
mod model;
mod redact;
mod remote;
mod storage;
mod text;
mod tokenizer;

#[cfg(feature = "cli")]
mod archive;
#[cfg(feature = "cli")]
mod card;
#[cfg(feature = "cli")]
mod data;
#[cfg(feature = "cli")]
mod onnx;

/// Something that reads what somebody else wrote.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, also that of its corpus.
    pub name: &'static str,
    /// Reads an input; panics where a promise is broken.
    pub read: fn(&[u8]),
    /// How many bytes at the beginning choose what is read how. They stay where they are when an input is grown.
    pub choice: usize,
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The longest input that the fuzzer makes.
    pub most: usize,
    /// What inputs are made of, for the fuzzer's dictionary.
    pub words: &'static [&'static str],
}

/// All of them that this build has.
pub const TARGETS: &[Target] = &[
    remote::STREAM,
    remote::REPLY,
    storage::STORAGE,
    manifest::MANIFEST,
    model::MODEL,
    tokenizer::TOKENIZER,
    text::TEXT,
    redact::REDACT,
    redact::RESTORE,
    #[cfg(feature = "cli")]
    onnx::ONNX,
    #[cfg(feature = "cli")]
    archive::ARCHIVE,
    #[cfg(feature = "cli")]
    card::CARD,
    #[cfg(feature = "cli")]
    data::TABLE,
    #[cfg(feature = "cli")]
    data::PARQUET,
];

/// The target of that name.
pub fn named(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| {
        let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!(
            "there is no target \"{name}\"; there are: {}",
            all.join(", ")
        )
    })
}
