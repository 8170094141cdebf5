//! Calibration of tasks that give something else than one label: answers are graded by a loss, whose mean is certified.

use anyhow::{Context, Result, bail};
use smallfirst::bundle::Guarantee;
use smallfirst::calibrate::{KindCalibration, calibrate_kind as fit};
use smallfirst::data;
use smallfirst::runtime::Runtime;

use super::args::{CalibrateArgs, OodChoice};
use super::rows::{TUNE_SHARE, count_uses, refuse_tuning_rows};
use crate::draft::BundleDraft;
use crate::folder::Folder;
use crate::kind_rows::Judge;
use crate::rows::fingerprints;

/// What such tasks have no use for.
fn refuse_what_is_for_labels(args: &CalibrateArgs) -> Result<()> {
    let given = [
        ("--final", args.final_rows.is_some()),
        ("--out-of-scope", args.out_of_scope.is_some()),
        ("--per-slice", args.per_slice),
        ("--remote and --remote-answers", args.remote.given()),
        (
            "--ood",
            !matches!(args.ood, OodChoice::Auto | OodChoice::None),
        ),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((odd, _)) => bail!("{odd} is for tasks that give one label"),
        None => Ok(()),
    }
}

/// Calibrates one such task.
pub(super) fn calibrate_kind(
    args: &CalibrateArgs,
    mut draft: BundleDraft,
    runtime: &Runtime<Folder>,
    task: &str,
    (risks, delta): (&[f64], f64),
) -> Result<()> {
    refuse_what_is_for_labels(args)?;
    let judge = Judge::new(
        runtime,
        task,
        args.loss.map(Into::into),
        args.options.as_deref(),
    )?;
    let entry = runtime.bundle().task(task)?;
    let names = entry.tiers.clone();
    let data = args.columns.read_kind(&args.data, entry.kind)?;
    let (tune, cal) = match &args.tune {
        Some(path) => {
            let tune = args.columns.read_kind(path, entry.kind)?;
            refuse_tuning_rows(&fingerprints(&tune), &data, &fingerprints(&data))?;
            (tune, data)
        }
        None => {
            let parts = data::split(
                &fingerprints(&data).groups(),
                &vec![None; data.len()],
                &[TUNE_SHARE, 1.0 - TUNE_SHARE],
                0,
            );
            let mut parts = parts.into_iter();
            data.into_iter().partition(|_| parts.next() == Some(0))
        }
    };
    let tune = judge.stated(&judge.rows(&tune, "tuning rows")?)?;
    let uses = count_uses(args, &draft, task, &cal)?;
    let cal = judge.stated(&judge.rows(&cal, "calibration rows")?)?;
    let found = fit((&tune, &cal), names.len(), risks, delta);
    let default_risk = args.default_risk.unwrap_or(found.default_risk);
    print(&judge, delta, (tune.len(), cal.len()), &found, default_risk);
    if args.dry_run {
        return Ok(());
    }
    for (name, platt) in names.iter().zip(&found.platt) {
        let model = draft.manifest.models.get_mut(name);
        model.context("a model is gone")?.platt = *platt;
    }
    let entry = draft.manifest.tasks.get_mut(task);
    let entry = entry.context("the task is gone")?;
    entry.guarantee = Some(Guarantee {
        loss: Some(judge.loss),
        options: judge.options.of_answers(),
        delta,
        default_risk,
        rows: cal.len() as u64,
        out_of_scope: 0,
        out_of_scope_share: None,
        per_slice: false,
        certificates: found.certificates,
        uses: Some(uses),
        design_effects: None,
        reference: None,
        against_remote: None,
        final_rows: None,
    });
    entry.evaluation = None;
    draft.save()?;
    println!(
        "wrote the guarantee of \"{task}\"; next: smallfirst evaluate {} --task {task} --data <rows nothing has seen> --write",
        args.bundle.display()
    );
    Ok(())
}

fn print(
    judge: &Judge<'_>,
    delta: f64,
    (tune, cal): (usize, usize),
    found: &KindCalibration,
    default_risk: f64,
) {
    println!(
        "{tune} tuning rows, {cal} calibration rows, delta {delta}; a risk is {}",
        judge.loss.in_words()
    );
    for (at, platt) in found.platt.iter().enumerate() {
        if let Some(platt) = platt {
            println!(
                "  model {}: confidence by a slope of {:.3} and an intercept of {:.3}",
                at + 1,
                platt.slope,
                platt.intercept
            );
        }
    }
    for certificate in &found.certificates {
        let risk = 100.0 * certificate.risk;
        match (&certificate.thresholds, certificate.mean_loss) {
            (Some(thresholds), Some(mean)) => println!(
                "  risk {risk:>4} %: threshold {:.4}, answers {:.1} % of the rows, mean loss {:.2} %, {} of {} not wholly right",
                thresholds.first().copied().unwrap_or(1.0),
                100.0 * certificate.n as f64 / cal.max(1) as f64,
                100.0 * mean,
                certificate.errors,
                certificate.n
            ),
            _ => println!("  risk {risk:>4} %: not certified, every input escalates"),
        }
    }
    println!("  default risk: {} %", 100.0 * default_risk);
}
