//! `calibrate`: the temperature, the correctness head, the out-of-distribution cut and the certified thresholds of a task.

mod against;
mod args;
mod clusters;
mod correctness;
mod final_rows;
mod kinds;
mod ood;
mod rows;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use smallfirst::bundle::{Certificate, Guarantee, Ood, Tiers};
use smallfirst::calibrate::{
    Certifier, Decision, InputSize, OodSelection, RawRow, RawScores, TierRule, choose_default,
    decisions, fit_temperature, select_ood, sgr,
};
use smallfirst::data::Row;
use smallfirst::monitor::reference;
use smallfirst::runtime::Runtime;

use crate::draft::BundleDraft;
use crate::folder::{Folder, Stopwatch, open, the_task};
use crate::rows::{fingerprints, for_all, places, with_input};
use against::certify_against;
use args::{CorrectnessChoice, OodChoice};
use clusters::{design_effects, report_clusters};
use correctness::correctness_heads;
use ood::{file_name, ood_scores, print_ood};
use rows::{
    Tuning, count_uses, halves, refuse_calibration_rows, refuse_tuning_rows, rows, warn_of_leaks,
};

pub use args::CalibrateArgs;

/// Calibrates one task.
pub fn calibrate(args: &CalibrateArgs) -> Result<()> {
    let share = |x: &f64| *x > 0.0 && *x < 1.0;
    if !args
        .risks
        .iter()
        .chain([&args.delta])
        .chain(&args.default_risk)
        .chain(&args.out_of_scope_share)
        .all(share)
        || !args.ood_keep.iter().all(|k| *k > 0.0 && *k <= 1.0)
    {
        bail!("risks, delta and shares must be above 0 and below 1");
    }
    let mut risks = args.risks.clone();
    risks.sort_by(f64::total_cmp);
    risks.dedup();
    let delta = args.delta_of_each(&risks);
    let mut draft = BundleDraft::open(&args.bundle)?;
    let runtime = open(&args.bundle)?;
    let task = the_task(runtime.bundle(), args.task.as_deref())?;
    pollster::block_on(
        runtime.preload(Some(std::slice::from_ref(&task)), Tiers::All, || async {
            Ok(())
        }),
    )?;

    if runtime.bundle().task(&task)?.kind.has_models() {
        return kinds::calibrate_kind(args, draft, &runtime, &task, (&risks, delta));
    }
    if args.loss.is_some() || args.options.is_some() {
        bail!(
            "--loss and --options are for tasks that give something else than one label; \"{task}\" gives one"
        );
    }
    let names = runtime.bundle().task(&task)?.tiers.clone();
    // What may be refused is, before the models run.
    let last = final_rows::read(args, &runtime, &task)?;
    let (tune, cal_rows, remote) = rows(args, &draft, &runtime, &task)?;
    let prints = fingerprints(&cal_rows);
    warn_of_leaks(args, &draft, &task, &cal_rows, &prints)?;
    if let Some((inside, _)) = &last {
        refuse_calibration_rows(&prints, inside)?;
    }
    let (mut tune, groups) = match tune {
        Tuning::OutOfFold {
            rows,
            groups,
            prints: of_training,
        } => {
            println!(
                "tuning on the out-of-fold predictions of {} training rows; all rows of {} certify",
                rows.len(),
                args.data.display()
            );
            refuse_tuning_rows(&of_training, &cal_rows, &prints)?;
            (rows, groups)
        }
        Tuning::Rows(tune_rows) => {
            let tune_prints = fingerprints(&tune_rows);
            refuse_tuning_rows(&tune_prints, &cal_rows, &prints)?;
            let tune = score_tiers(&runtime, &task, &tune_rows, "tuning rows")?;
            (tune, tune_prints.groups())
        }
    };
    let uses = count_uses(args, &draft, &task, &cal_rows)?;
    let mut cal = score_tiers(&runtime, &task, &cal_rows, "calibration rows")?;
    let mut out_of_scope = 0;
    if let Some(path) = &args.out_of_scope {
        let (to_tune, to_cal) = halves(args.columns.read_out_of_scope(path)?);
        out_of_scope = to_cal.len() as u64;
        tune.extend(score_tiers(
            &runtime,
            &task,
            &to_tune,
            "out of scope, tuning",
        )?);
        cal.extend(score_tiers(&runtime, &task, &to_cal, "out of scope")?);
    }

    let mut all_rows = cal_rows;
    let mut joined = Vec::new();
    if let Some((inside, outside)) = last {
        joined = score_tiers(&runtime, &task, &inside, "final rows")?;
        joined.extend(score_tiers(
            &runtime,
            &task,
            &outside,
            "final, out of scope",
        )?);
        out_of_scope += outside.len() as u64;
        all_rows.extend(inside);
    }

    let mut rules = temperatures(&names, &tune);
    if args.correctness == CorrectnessChoice::Auto {
        let entry = runtime.bundle().task(&task)?;
        correctness_heads(entry, &groups, &mut tune, &mut rules);
    }
    let scores = ood_scores(args, &draft, &runtime, &names, &rules, &tune)?;
    let selection = OodSelection {
        risk: args.default_risk.unwrap_or(0.05),
        risks: &risks,
        delta,
        per_slice: args.per_slice,
        out_of_scope_share: args.out_of_scope_share,
        keep: &args.ood_keep,
        forced: args.ood != OodChoice::Auto,
    };
    print_ood(&names, &select_ood(&selection, &tune, &scores, &mut rules));
    let final_rows = match joined.is_empty() {
        true => None,
        false => Some(final_rows::account(args, &runtime, &task, &rules, &joined)?),
    };
    cal.extend(joined);
    let tune = decisions(&tune, &rules, &scores);
    let scores = ood_scores(args, &draft, &runtime, &names, &rules, &cal)?;
    let cal = decisions(&cal, &rules, &scores);

    let certifier = Certifier {
        tune: &tune,
        tiers: names.len(),
        delta,
        per_slice: args.per_slice,
        out_of_scope_share: args.out_of_scope_share,
    };
    let certificates: Vec<Certificate> = risks
        .iter()
        .map(|&risk| certifier.certify(&cal, risk))
        .collect();
    let default_risk = args
        .default_risk
        .unwrap_or_else(|| choose_default(&certifier, &risks, 0.05));
    print(args, delta, &names, &cal, &certificates, default_risk);
    let groups = prints.groups();
    let default = certificates.iter().find(|c| c.risk >= default_risk);
    let design_effects = default.and_then(|certificate| design_effects(certificate, &cal, &groups));
    if let Some(effects) = &design_effects {
        report_clusters(effects);
    }
    let against_remote = match remote {
        None => None,
        Some(right) => {
            let labels = runtime.bundle().task(&task)?.labels.len();
            Some(certify_against(args, delta, labels, (&tune, &cal), &right)?)
        }
    };
    if args.dry_run {
        return Ok(());
    }

    for (name, rule) in names.iter().zip(&rules) {
        store_rule(&mut draft, name, rule)?;
    }
    let entry = draft
        .manifest
        .tasks
        .get_mut(&task)
        .context("the task is gone")?;
    entry.guarantee = Some(Guarantee {
        loss: None,
        options: BTreeMap::new(),
        delta,
        default_risk,
        rows: cal.len() as u64,
        out_of_scope,
        out_of_scope_share: args.out_of_scope_share,
        per_slice: args.per_slice,
        certificates,
        uses: Some(uses),
        design_effects,
        reference: reference(&tune, &cal),
        against_remote,
        final_rows: final_rows.clone(),
    });
    // Without final rows, what was measured was another rule.
    if final_rows.is_none() {
        entry.evaluation = None;
    }
    let prints = fingerprints(&all_rows);
    draft.stash(&format!("{task}.cal.json"), &serde_json::to_vec(&prints)?)?;
    draft.save()?;
    let folder = args.bundle.display();
    match final_rows {
        None => println!(
            "wrote the guarantee of \"{task}\"; next: smallfirst evaluate {folder} --task {task} --data <rows nothing has seen> --write"
        ),
        Some(of) => println!(
            "wrote the guarantee of \"{task}\", on {} rows of the report besides; next: smallfirst pack {folder}",
            of.rows
        ),
    }
    Ok(())
}

fn score_tiers(
    runtime: &Runtime<Folder>,
    task: &str,
    rows: &[Row],
    what: &str,
) -> Result<Vec<RawRow>> {
    let entry = runtime.bundle().task(task)?;
    let places = places(&entry.labels);
    for row in rows {
        if let Some(label) = &row.label
            && !places.contains_key(label.as_str())
        {
            bail!(
                "line {}: the task has no label \"{label}\"; rows of no label belong in --out-of-scope",
                row.line
            );
        }
    }
    for_all(rows, what, |row| {
        let clock = Stopwatch::start();
        let (seen, size) = with_input(row, entry.input, |input| {
            let seen = pollster::block_on(runtime.score_tiers(task, input, &clock));
            (seen, InputSize::of(input))
        })?;
        let seen = seen?;
        let tiers = seen.tiers.into_iter().map(|(scored, _)| {
            let raw = |s: smallfirst::runtime::Scored| RawScores {
                logits: s.logits,
                vector: s.vector,
                out_of_fold: None,
            };
            scored.ok().map(raw)
        });
        let mut tiers: Vec<Option<RawScores>> = tiers.collect();
        // A row that the limits refuse is answered by no tier.
        tiers.resize_with(entry.tiers.len(), || None);
        Ok(RawRow {
            truth: row
                .label
                .as_deref()
                .and_then(|label| places.get(label).copied()),
            slice: row.slice.clone(),
            size,
            tiers,
        })
    })
}

fn temperatures(names: &[String], tune: &[RawRow]) -> Vec<TierRule> {
    let rule = |(tier, name): (usize, &String)| {
        let pairs = tune.iter().filter_map(|row| {
            let raw = row.tiers.get(tier)?.as_ref()?;
            Some((raw.logits.as_slice(), row.truth?))
        });
        let (logits, labels): (Vec<&[f64]>, Vec<usize>) = pairs.unzip();
        let temperature = fit_temperature(&logits, &labels);
        println!("{name}: temperature {temperature} on {} rows", labels.len());
        TierRule {
            temperature,
            correctness: None,
            ood: None,
        }
    };
    names.iter().enumerate().map(rule).collect()
}

fn print(
    args: &CalibrateArgs,
    delta: f64,
    names: &[String],
    cal: &[Decision],
    certificates: &[Certificate],
    default_risk: f64,
) {
    println!(
        "{} calibration rows, delta {delta}{}{}{}",
        cal.len(),
        match args.jointly {
            true => format!(" each, so that all hold together but for {}", args.delta),
            false => String::new(),
        },
        args.out_of_scope_share
            .map_or(String::new(), |share| format!(
                ", for shares of out-of-scope inputs up to {} %",
                100.0 * share
            )),
        if args.per_slice {
            ", each slice by itself"
        } else {
            ""
        }
    );
    for certificate in certificates {
        let risk = 100.0 * certificate.risk;
        let Some(thresholds) = &certificate.thresholds else {
            println!("  risk {risk:>4} %: not certified, every input escalates");
            continue;
        };
        println!(
            "  risk {risk:>4} %: threshold {:.4}, answers {:.1} % of the rows, {} of {} wrong, bound {:.2} %",
            thresholds[0],
            100.0 * certificate.n as f64 / cal.len() as f64,
            certificate.errors,
            certificate.n,
            100.0 * certificate.bound.unwrap_or(1.0)
        );
        if names.len() > 1 {
            for (name, counts) in names.iter().zip(&certificate.tiers) {
                println!("      {name}: {} of {} wrong", counts.errors, counts.n);
            }
        }
        if args.per_slice {
            for (slice, counts) in &certificate.slices {
                println!("      {slice}: {} of {} wrong", counts.errors, counts.n);
            }
        }
    }
    println!("  default risk: {} %", 100.0 * default_risk);
    if names.len() == 1 && !args.per_slice {
        let pair = |row: &Decision| {
            let tier = row.tiers[0]?;
            tier.in_distribution
                .then_some((tier.confidence, tier.correct))
        };
        let pairs: Vec<(f64, bool)> = cal.iter().filter_map(pair).collect();
        let of_sgr = sgr(&pairs, default_risk, delta);
        println!(
            "  for comparison, SGR at {} %: {}",
            100.0 * default_risk,
            of_sgr.map_or("nothing".into(), |s| format!(
                "answers {:.1} %",
                100.0 * s.coverage * pairs.len() as f64 / cal.len() as f64
            ))
        );
    }
}

fn store_rule(draft: &mut BundleDraft, name: &str, rule: &TierRule) -> Result<()> {
    let license = {
        let manifest = &draft.manifest;
        let head = manifest.heads.get(name).context("a head is gone")?;
        let entry = manifest
            .files
            .get(&head.file)
            .context("a file is not listed")?;
        entry.license.clone()
    };
    let ood = match rule.ood {
        None => None,
        Some((method, cut)) => Some(Ood {
            method,
            cut,
            file: match file_name(name, method) {
                None => None,
                Some(stashed) => {
                    let onnx = draft.stashed(&stashed).context("the OOD model is gone")?;
                    let path = format!("{name}/ood.onnx");
                    draft.put(&path, &onnx, &license)?;
                    Some(path)
                }
            },
        }),
    };
    if let Some(head) = draft.manifest.heads.get_mut(name) {
        head.temperature = rule.temperature;
        head.correctness.clone_from(&rule.correctness);
        head.ood = ood;
    }
    Ok(())
}
