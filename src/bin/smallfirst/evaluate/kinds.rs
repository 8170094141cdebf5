//! `evaluate` of tasks that give something else than one label.

use std::fs;

use anyhow::{Context, Result, bail};
use smallfirst::calibrate::graded;
use smallfirst::evaluate::{KindMeasured, KindReport};
use smallfirst::runtime::Runtime;

use super::args::EvaluateArgs;
use crate::draft::BundleDraft;
use crate::fingerprint::fingerprint;
use crate::folder::Folder;
use crate::kind_rows::Judge;
use crate::rows::spread;

/// Measures one such task.
pub(super) fn evaluate_kind(
    args: &EvaluateArgs,
    runtime: &Runtime<Folder>,
    task: &str,
) -> Result<()> {
    args.refuse_what_is_for_labels()?;
    let bundle = runtime.bundle();
    let entry = bundle.task(task)?;
    let guarantee = entry.guarantee.as_ref();
    let options = guarantee.map(|guarantee| serde_json::to_string(&guarantee.options));
    let options = options.transpose()?;
    let loss = guarantee.and_then(|guarantee| guarantee.loss);
    let judge = Judge::new(runtime, task, loss, options.as_deref())?;
    let mut rows = args.columns.read_kind(&args.data, entry.kind)?;
    if let Some(limit) = args.limit {
        spread(&mut rows, limit);
    }
    if rows.is_empty() {
        bail!("{} has no rows", args.data.display());
    }
    let judged = judge.rows(&rows, "test rows")?;
    let platt: Vec<_> = entry
        .tiers
        .iter()
        .map(|name| bundle.manifest().models.get(name).and_then(|m| m.platt))
        .collect();
    let measured = KindMeasured {
        task: task.to_owned(),
        title: entry.title.clone(),
        kind: entry.kind,
        dataset: args.dataset(),
        fingerprint: fingerprint(bundle, task)?,
        loss: judge.loss,
        rows: graded(&judge.stated(&judged)?, &platt),
        certificates: guarantee.map_or_else(Vec::new, |guarantee| {
            let certificates = guarantee.certificates.iter();
            certificates
                .map(|c| (c.risk, c.thresholds.clone()))
                .collect()
        }),
        outputs: judged
            .into_iter()
            .map(|row| {
                let first = row.outputs.into_iter().next().flatten();
                (first.map(|(output, _)| output), row.truth)
            })
            .collect(),
    };
    let report = KindReport::new(&measured)?;
    println!("{}", report.text());
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if args.write {
        write(args, task, &report)?;
    }
    Ok(())
}

fn write(args: &EvaluateArgs, task: &str, report: &KindReport) -> Result<()> {
    let mut draft = BundleDraft::open(&args.bundle)?;
    let manifest = &draft.manifest;
    let entry = manifest.tasks.get(task).context("the task is gone")?;
    let model = entry
        .tiers
        .first()
        .and_then(|name| manifest.models.get(name));
    let file = model.and_then(|model| manifest.files.get(&model.file));
    let license = file.map(|file| file.license.clone()).unwrap_or_default();
    let about = match &args.about {
        Some(path) => fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None => entry.instruction.clone(),
    };
    let (evaluation, card) = (
        format!("{task}/evaluation.json"),
        format!("{task}/README.md"),
    );
    let json = serde_json::to_string(report)? + "\n";
    draft.put(&evaluation, json.as_bytes(), &license)?;
    draft.put(&card, report.card(&license, &about).as_bytes(), &license)?;
    if let Some(entry) = draft.manifest.tasks.get_mut(task) {
        entry.evaluation = Some(evaluation);
        entry.card = Some(card);
    }
    draft.save()?;
    println!(
        "wrote the card and the evaluation of \"{task}\"; next: smallfirst pack {}",
        args.bundle.display()
    );
    Ok(())
}
