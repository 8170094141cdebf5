//! `split`: labelled rows dealt out to train, tune, cal and test.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use smallfirst::data;

use crate::rows::{ColumnArgs, fingerprints, stem};

#[derive(Args)]
pub struct SplitArgs {
    /// Labelled rows: .jsonl, .csv, .tsv or .parquet
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Where <name>.train.jsonl, .tune.jsonl, .cal.jsonl and .test.jsonl go; <name> is the data file's
    #[arg(long)]
    out: PathBuf,
    /// The shares of train, tune, cal and test
    #[arg(long, value_delimiter = ',', default_value = "50,10,20,20")]
    shares: Vec<f64>,
    /// Decides what goes where
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Deals rows out to the four splits; copies and near-copies stay together.
pub fn split(args: &SplitArgs) -> Result<()> {
    const PARTS: [&str; 4] = ["train", "tune", "cal", "test"];
    if args.shares.len() != PARTS.len() || args.shares.iter().any(|s| !(s.is_finite() && *s > 0.0))
    {
        bail!("--shares takes four numbers above 0, for train, tune, cal and test");
    }
    let rows = args.columns.read(&args.data)?;
    let labels: Vec<Option<String>> = rows.iter().map(|row| row.label.clone()).collect();
    let parts = data::split(
        &fingerprints(&rows).groups(),
        &labels,
        &args.shares,
        args.seed,
    );
    fs::create_dir_all(&args.out)?;
    for (part, name) in PARTS.iter().enumerate() {
        let mut lines = String::new();
        let mut n = 0;
        for (row, _) in rows.iter().zip(&parts).filter(|(_, p)| **p == part) {
            let line =
                serde_json::json!({"input": row.text, "label": row.label, "slice": row.slice});
            lines += &format!("{line}\n");
            n += 1;
        }
        let path = args.out.join(format!("{}.{name}.jsonl", stem(&args.data)));
        fs::write(&path, lines)?;
        println!("{}: {n} rows", path.display());
    }
    Ok(())
}
