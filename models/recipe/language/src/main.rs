//! Trains the language model of the default bundle: vectors for hashed character n-grams, and a layer from a text's vector to
//! logits.
//!
//! ```text
//! smallfirst-recipe-language <languages.json> <folder>
//! ```
//!
//! `languages.json` is a list of pairs: a label, and the folder of the language's `lingua-*-language-model` crate. Into the folder
//! come `ngrams.sfng` (the table; its format is in `src/text/ngram_table.rs`) and `head.json` (`weights`, one list of logits'
//! weights for each number of a text's vector, and `biases`).
//!
//! The data are words that are drawn from the crates' n-gram frequencies, which come from news texts. Their test data has no part in
//! it. The same crates give the same files, whatever the number of threads.

mod chain;
mod corpus;
mod model;
mod quantise;
mod random;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use serde_json::json;

use chain::Chain;
use corpus::Corpus;
use model::{Model, Schedule};
use random::Random;

/// The longest n-gram, in characters.
const LONGEST: usize = 5;

/// How many words are drawn of each language.
const DRAWS: usize = 250_000;

/// How many n-grams training begins with.
const CANDIDATES: usize = 400_000;

/// Training goes in stages: so many n-grams, those that the loss would miss most; examples; the rate at the beginning; bits a
/// number, 0 for numbers that are not rounded yet.
const STAGES: [(usize, Schedule, u32); 4] = [
    (CANDIDATES, Schedule::new(1_500_000, 0.4), 0),
    (200_000, Schedule::new(900_000, 0.3), 0),
    (142_000, Schedule::new(1_200_000, 0.25), 2),
    (142_000, Schedule::new(1_400_000, 0.15), 2),
];

fn main() -> Result<()> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [languages, out] = &args[..] else {
        bail!("usage: smallfirst-recipe-language <languages.json> <folder>");
    };
    let text = fs::read_to_string(languages).with_context(|| languages.display().to_string())?;
    let languages: Vec<(String, PathBuf)> = serde_json::from_str(&text)?;
    let start = Instant::now();
    let words: Vec<Vec<(String, u32)>> = languages
        .par_iter()
        .enumerate()
        .map(|(at, (_, folder))| {
            let seed = 1 ^ (at as u64 + 1).wrapping_mul(0x1234_5678_9abc_def1);
            Ok(Chain::load(folder)?.words(DRAWS, &mut Random::new(seed)))
        })
        .collect::<Result<_>>()?;
    println!("words: {:.0?}", start.elapsed());
    let (model, hashes) = trained(&words, start);
    write(out, &model, &hashes)
}

/// The model, and the hashes of its n-grams.
fn trained(words: &[Vec<(String, u32)>], start: Instant) -> (Model, Vec<u64>) {
    let mut corpus = Corpus::new(words, LONGEST, CANDIDATES);
    let mut model = Model::new(corpus.hashes.len(), words.len(), &mut Random::new(7));
    for (seed, (rows, schedule, bits)) in (1000..).zip(STAGES) {
        if rows < model.rows() || bits > 0 {
            let kept = model.most_missed(rows);
            model.keep(&kept);
            corpus.keep(&kept);
            model.loosen();
        }
        model.quantise(bits);
        let loss = model.train(&corpus, &schedule, seed);
        println!(
            "{} n-grams, {bits} bits: loss {loss:.3}, after {:.0?}",
            model.rows(),
            start.elapsed()
        );
    }
    (model, corpus.hashes)
}

fn write(out: &Path, model: &Model, hashes: &[u64]) -> Result<()> {
    fs::create_dir_all(out)?;
    let table = table::write(model, hashes, LONGEST);
    println!("ngrams.sfng: {} bytes", table.len());
    fs::write(out.join("ngrams.sfng"), table)?;
    let head = json!({"weights": model.weights(), "biases": model.biases()});
    fs::write(out.join("head.json"), format!("{head}\n"))?;
    Ok(())
}
