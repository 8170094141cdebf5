//! `prepare`: one ONNX model made ready for the browser.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::bundle::SmallWeights;
use smallfirst::engine::onnx::{self, PreparedFile};

use crate::folder::read_model;
use crate::onnxruntime::OnnxruntimeArgs;

#[derive(Args)]
pub struct PrepareArgs {
    /// An ONNX file
    model: PathBuf,
    /// Where the prepared file goes; by default beside the model, ending in .sfm
    #[arg(long)]
    out: Option<PathBuf>,
    /// Store the weights smaller, as f16, int8 or q4 (4 bits, a scale for each 32), and print how the outputs change
    #[arg(long, value_parser = small_weights)]
    weights: Option<SmallWeights>,
    #[command(flatten)]
    onnxruntime: OnnxruntimeArgs,
}

/// The form that an option names.
pub fn small_weights(name: &str) -> Result<SmallWeights, String> {
    Ok(match name {
        "f16" => SmallWeights::F16,
        "int8" => SmallWeights::Int8,
        "q4" => SmallWeights::Q4,
        _ => return Err("smaller weights are f16, int8 or q4".into()),
    })
}

/// What smaller weights save and change, in a line.
pub fn told(file: &PreparedFile) -> String {
    if !file.is_smaller() {
        return "none is smaller in this form".into();
    }
    let saved = format!("{} bytes instead of {}", file.bytes.len(), file.whole);
    match file.agreement() {
        None => format!("{saved}; the model took none of the inputs that were made up for it"),
        Some(agreement) => format!(
            "{saved}; on {} made-up inputs the largest difference is {:.2} % of the largest number, the mean one {:.2} % of \
             the mean size, the cosine {:.6}",
            agreement.outputs,
            100.0 * agreement.largest,
            100.0 * agreement.mean,
            agreement.cosine
        ),
    }
}

/// Prepares one model.
pub fn prepare(args: &PrepareArgs) -> Result<()> {
    let name = args.model.display().to_string();
    let model = read_model(&args.model)?;
    let file = match onnx::prepare(&name, &model, None, args.weights)? {
        Ok(file) => file,
        Err(why) if args.weights.is_some() => {
            bail!("{name} has no prepared form with such weights: {why}")
        }
        Err(why) => bail!(
            "{name} has no prepared form ({why}); it runs as it is, in pages with the engine for ONNX"
        ),
    };
    args.onnxruntime.ask(&[(args.model.clone(), &file)])?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| args.model.with_extension("sfm"));
    fs::write(&out, &file.bytes).with_context(|| out.display().to_string())?;
    println!(
        "{}: {} bytes ONNX, {} bytes prepared",
        out.display(),
        model.len(),
        file.bytes.len()
    );
    if args.weights.is_some() {
        println!("smaller weights: {}", told(&file));
    }
    Ok(())
}
