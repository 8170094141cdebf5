//! `embed`: an encoder's vectors of rows, for training elsewhere.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use smallfirst::Code;
use smallfirst::bundle::Limits;
use smallfirst::task::Input;

use crate::encoders::find_encoder;
use crate::folder::open;
use crate::rows::{ColumnArgs, for_all};

#[derive(Args)]
pub struct EmbedArgs {
    /// Rows: .jsonl, .csv, .tsv or .parquet
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    /// The encoder
    #[arg(long, default_value = "static")]
    encoder: String,
    /// The bundle the encoder is taken from
    #[arg(long, default_value = "models")]
    encoders_from: PathBuf,
    /// Where the JSON Lines of {"vector", "label"} go
    #[arg(long)]
    out: PathBuf,
}

/// Writes the encoder's vectors, for training a model elsewhere.
pub fn embed(args: &EmbedArgs) -> Result<()> {
    let rows = args.columns.read(&args.data)?;
    let base = open(&args.encoders_from).context("--encoders-from")?;
    let name = find_encoder(&base, &args.encoder)?.context("--encoder none has no vectors")?;
    let limits = Limits {
        min_bytes: 1,
        max_bytes: u64::MAX,
        max_tokens: None,
        languages: None,
    };
    let vectors = for_all(&rows, "embedding", |row| {
        match pollster::block_on(base.embed(&name, Input::Text(&row.text), &limits)) {
            Ok(vector) => Ok(Some(vector)),
            Err(e) if matches!(e.code(), Code::InputTooShort | Code::InputTooLong) => Ok(None),
            Err(e) => Err(e).with_context(|| format!("line {}", row.line)),
        }
    })?;
    let mut out = BufWriter::new(fs::File::create(&args.out)?);
    let mut written = 0;
    for (row, vector) in rows.iter().zip(vectors) {
        if let Some(vector) = vector {
            serde_json::to_writer(
                &mut out,
                &serde_json::json!({"vector": vector, "label": row.label}),
            )?;
            writeln!(out)?;
            written += 1;
        }
    }
    out.flush()?;
    println!(
        "{written} vectors of \"{name}\" in {}; {} rows are not for the encoder",
        args.out.display(),
        rows.len() - written
    );
    Ok(())
}
