//! The test rows, when their report is written: they join the calibration rows for the certificate that ships.

use std::fs;

use anyhow::{Context, Result, bail};
use smallfirst::bundle::FinalRows;
use smallfirst::calibrate::{RawRow, TierRule};
use smallfirst::data::Row;
use smallfirst::runtime::Runtime;

use super::args::CalibrateArgs;
use crate::fingerprint::{fingerprint, is_current};
use crate::folder::Folder;

/// The rows of --final, and of --final-out-of-scope.
///
/// # Errors
/// Where the bundle as it is was not evaluated: rows that certify have nothing left to report.
pub(super) fn read(
    args: &CalibrateArgs,
    runtime: &Runtime<Folder>,
    task: &str,
) -> Result<Option<(Vec<Row>, Vec<Row>)>> {
    let Some(path) = &args.final_rows else {
        return Ok(None);
    };
    let entry = runtime.bundle().task(task)?;
    let evaluated = match &entry.evaluation {
        None => false,
        Some(path) => is_current(runtime.bundle(), task, &fs::read(args.bundle.join(path))?)?,
    };
    let before = entry.guarantee.as_ref();
    if !evaluated || before.is_none_or(|guarantee| guarantee.final_rows.is_some()) {
        bail!(
            "--final takes the test rows after their report is written: calibrate without it, run smallfirst evaluate {} --task {task} --data {} --write, and then this",
            args.bundle.display(),
            path.display()
        );
    }
    let outside = match (&args.final_out_of_scope, args.out_of_scope_share) {
        (Some(path), _) => args.columns.read_out_of_scope(path)?,
        (None, None) if args.out_of_scope.is_some() => bail!(
            "--out-of-scope without --out-of-scope-share promises for the share among the rows, which --final alone would lower; give --final-out-of-scope, too"
        ),
        (None, _) => Vec::new(),
    };
    Ok(Some((args.columns.read_labelled(path)?, outside)))
}

/// What the manifest says of them. The rule must be the one that was evaluated.
///
/// # Errors
/// Where it is another.
pub(super) fn account(
    args: &CalibrateArgs,
    runtime: &Runtime<Folder>,
    task: &str,
    rules: &[TierRule],
    rows: &[RawRow],
) -> Result<FinalRows> {
    let manifest = runtime.bundle().manifest();
    for (name, rule) in runtime.bundle().task(task)?.tiers.iter().zip(rules) {
        let head = manifest.heads.get(name).context("a head is gone")?;
        let ood = head.ood.as_ref().map(|ood| (ood.method, ood.cut));
        if head.temperature != rule.temperature
            || head.correctness != rule.correctness
            || ood != rule.ood
        {
            bail!(
                "the rule of \"{name}\" is not the one that was evaluated; give --final with the same --data, --tune and options as the calibration before, in {}",
                args.bundle.display()
            );
        }
    }
    Ok(FinalRows {
        rows: rows.len() as u64,
        evaluated: fingerprint(runtime.bundle(), task)?,
    })
}
