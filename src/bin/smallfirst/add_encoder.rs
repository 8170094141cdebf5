//! `add-encoder`: an encoder exported as ONNX, for heads to be trained on.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::bundle::{Encoder, Features, Limits, Tokenizer, TokenizerKind};
use smallfirst::engine::onnx::scores::contents;
use smallfirst::task::Input;
use smallfirst::task::Pooling;

use crate::draft::BundleDraft;
use crate::folder::{check_name, open, read, read_model};

#[derive(Args)]
pub struct EncoderArgs {
    /// The ONNX model: token ids in, one vector or a vector a token out
    model: PathBuf,
    /// The bundle's folder, which must hold a task
    #[arg(long)]
    out: PathBuf,
    /// The encoder's name
    #[arg(long)]
    name: String,
    /// A Hugging Face tokenizer.json
    #[arg(long)]
    tokenizer: PathBuf,
    /// The length of its vector, where the model does not say
    #[arg(long)]
    dimension: Option<u32>,
    /// The model gives a vector a token; take their mean
    #[arg(long)]
    mean: bool,
    /// Add the tokenizer's special tokens
    #[arg(long)]
    special: bool,
    /// The most tokens it reads
    #[arg(long)]
    max_tokens: Option<u32>,
    /// The licence, as an SPDX expression
    #[arg(long)]
    license: String,
}

/// Brings an encoder into a bundle, for heads to be trained on. LICENSE, NOTICE and README.md beside
/// the model come along.
pub fn add_encoder(args: &EncoderArgs) -> Result<()> {
    check_name("--name", &args.name)?;
    let mut draft = BundleDraft::open(&args.out)?;
    let onnx = read_model(&args.model)?;
    let found = contents(&args.model.display().to_string(), &onnx)?;
    if !found.unsupported.is_empty() {
        let named: Vec<&str> = found.unsupported.keys().map(String::as_str).collect();
        bail!(
            "the encoder uses operators the engine does not have: {}",
            named.join(", ")
        );
    }
    let stated = found
        .outputs
        .first()
        .and_then(|output| output.dims.last().copied().flatten());
    let dimension = args
        .dimension
        .or(stated.and_then(|n| u32::try_from(n).ok()));
    let dimension = dimension
        .context("the model does not say the length of its vector; name it with --dimension")?;
    let tokenizer = read(&args.tokenizer).with_context(|| args.tokenizer.display().to_string())?;
    let file = |name: &str| format!("{}/{name}", args.name);
    draft.put(&file("encoder.onnx"), &onnx, &args.license)?;
    draft.put(&file("tokenizer.json"), &tokenizer, &args.license)?;
    for text in ["LICENSE", "NOTICE", "README.md"] {
        if let Ok(bytes) = read(&args.model.with_file_name(text)) {
            match text {
                "README.md" => draft.put(&file(text), &bytes, &args.license)?,
                _ => draft.write(&file(text), &bytes)?,
            }
        }
    }
    let named = Tokenizer {
        kind: TokenizerKind::HfTokenizer,
        file: file("tokenizer.json"),
    };
    draft.manifest.tokenizers.insert(args.name.clone(), named);
    let encoder = Encoder {
        file: file("encoder.onnx"),
        features: Features::Tokens {
            tokenizer: args.name.clone(),
            special: args.special,
        },
        dimension,
        pooling: args.mean.then_some(Pooling::Mean),
        max_tokens: args.max_tokens,
    };
    draft.manifest.encoders.insert(args.name.clone(), encoder);
    draft.save()?;
    let limits = Limits {
        min_bytes: 1,
        max_bytes: 1000,
        max_tokens: None,
        languages: None,
    };
    let vector = pollster::block_on(open(&args.out)?.embed(
        &args.name,
        Input::Text("one two three"),
        &limits,
    ))?;
    if vector.len() != dimension as usize {
        bail!(
            "the encoder gives {} numbers, not {dimension}",
            vector.len()
        );
    }
    println!("added the encoder \"{}\"", args.name);
    Ok(())
}
