//! `prepare`: one ONNX model made ready for the browser.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::engine::onnx::{Form, Source};

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
    let onnx = read_model(&args.model)?;
    let file = match Source::read(&name, &onnx, None)?.prepare(args.int8)? {
        Form::Prepared(file) => file,
        Form::Tract(_, why) => bail!(
            "{name} has no prepared form ({why}); it runs on tract, in pages with the engine for ONNX"
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
        onnx.len(),
        file.len()
    );
    Ok(())
}
