//! `prepare`: one ONNX model made ready for the browser.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::engine::onnx;

use crate::folder::read_model;

#[derive(Args)]
pub struct PrepareArgs {
    /// An ONNX file
    model: PathBuf,
    /// Where the prepared file goes; by default beside the model, ending in .sfm
    #[arg(long)]
    out: Option<PathBuf>,
    /// Store the weights of large products as int8, with a scale a column
    #[arg(long)]
    int8: bool,
}

/// Prepares one model.
pub fn prepare(args: &PrepareArgs) -> Result<()> {
    let name = args.model.display().to_string();
    let model = read_model(&args.model)?;
    let file = match onnx::prepare(&name, &model, None, args.int8)? {
        Ok(file) => file,
        Err(why) => bail!(
            "{name} has no prepared form ({why}); it runs as it is, in pages with the engine for ONNX"
        ),
    };
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| args.model.with_extension("sfm"));
    fs::write(&out, &file).with_context(|| out.display().to_string())?;
    println!(
        "{}: {} bytes ONNX, {} bytes prepared",
        out.display(),
        model.len(),
        file.len()
    );
    Ok(())
}
