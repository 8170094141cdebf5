//! `add-tagger`: a token classifier that finds people's names, so that they can be taken out of what leaves the device.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::bundle::{Tagger, Tokenizer, TokenizerKind};
use smallfirst::engine::onnx::scores::contents;

use crate::draft::BundleDraft;
use crate::folder::{self, open};

/// Where the tagger's files are in a bundle, and its tokenizer's name.
const NAME: &str = "tagger";

#[derive(Args)]
pub struct TaggerArgs {
    /// The ONNX model: token ids in, a score for each token and label out
    model: PathBuf,
    /// The bundle's folder
    #[arg(long)]
    out: PathBuf,
    /// A Hugging Face tokenizer.json
    #[arg(long)]
    tokenizer: PathBuf,
    /// Its labels in the order of its scores, such as O,B-PER,I-PER
    #[arg(long, value_delimiter = ',', required = true)]
    labels: Vec<String>,
    /// The kind of label that people's names have
    #[arg(long, default_value = "PER")]
    person: String,
    /// The most tokens it reads at once
    #[arg(long, default_value_t = 128)]
    max_tokens: u32,
    /// Add the tokenizer's special tokens
    #[arg(long)]
    special: bool,
    /// A text to try it on
    #[arg(long, default_value = "Anna Schmidt wrote to John Smith in London.")]
    text: String,
    /// The licence, as an SPDX expression
    #[arg(long)]
    license: String,
}

/// Adds the tagger, or replaces it, and shows what it finds.
pub fn add_tagger(args: &TaggerArgs) -> Result<()> {
    let mut draft = BundleDraft::open(&args.out)?;
    let read = |path: &PathBuf| folder::read(path).with_context(|| path.display().to_string());
    let onnx = folder::read_model(&args.model)?;
    let found = contents(&args.model.display().to_string(), &onnx)?;
    if !found.unsupported.is_empty() {
        let named: Vec<&str> = found.unsupported.keys().map(String::as_str).collect();
        bail!(
            "the tagger uses operators the engine does not have: {}",
            named.join(", ")
        );
    }
    let file = |name: &str| format!("{NAME}/{name}");
    draft.put(&file("tagger.onnx"), &onnx, &args.license)?;
    draft.put(
        &file("tokenizer.json"),
        &read(&args.tokenizer)?,
        &args.license,
    )?;
    for text in ["LICENSE", "NOTICE"] {
        if let Ok(bytes) = folder::read(&args.model.with_file_name(text)) {
            draft.write(&file(text), &bytes)?;
        }
    }
    let tokenizer = Tokenizer {
        kind: TokenizerKind::HfTokenizer,
        file: file("tokenizer.json"),
    };
    let manifest = &mut draft.manifest;
    manifest.tokenizers.insert(NAME.to_owned(), tokenizer);
    manifest.tagger = Some(Tagger {
        file: file("tagger.onnx"),
        tokenizer: NAME.to_owned(),
        special: args.special,
        labels: args.labels.clone(),
        person: args.person.clone(),
        max_tokens: args.max_tokens,
    });
    draft.save()?;
    let people = pollster::block_on(open(&args.out)?.people(&args.text))?;
    println!("added the tagger; in \"{}\" it finds {people:?}", args.text);
    Ok(())
}
