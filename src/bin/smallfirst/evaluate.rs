//! `evaluate`: how good and how fair a task is on data that nothing has seen.

mod args;
mod kinds;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use smallfirst::bundle::Tiers;
use smallfirst::data::{Fingerprints, Row};
use smallfirst::evaluate::card::About;
use smallfirst::evaluate::{
    Behaviour, BehaviourCase, CalibrationRows, Measured, Observation, Policy, Prediction, Report,
    behaviour, card, html, text,
};
use smallfirst::runtime::{Runtime, Scored};
use smallfirst::task::{InputKind, Label};

use crate::draft::BundleDraft;
use crate::fingerprint::fingerprint;
use crate::folder::{Folder, Stopwatch, open, the_task};
use crate::profile;
use crate::rows::{fingerprints, for_all, places, spread, with_input};

pub use args::EvaluateArgs;

/// Measures one task.
pub fn evaluate(args: &EvaluateArgs) -> Result<()> {
    let runtime = open(&args.bundle)?;
    let task = the_task(runtime.bundle(), args.task.as_deref())?;
    if runtime.bundle().task(&task)?.kind.has_models() {
        return kinds::evaluate_kind(args, &runtime, &task);
    }
    let measured = measure(args, &runtime, &task)?;
    let report = Report::new(&measured);
    if args.brief {
        for line in text::render(&report)
            .lines()
            .take_while(|line| !line.starts_with("slice"))
        {
            println!("{line}");
        }
    } else {
        println!("{}", text::render(&report));
    }
    profile::print(&measured);
    if let Some(path) = &args.profile {
        profile::write(path, args.remote.model()?, &runtime, &task, &measured)?;
    }
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if let Some(path) = &args.html {
        fs::write(path, html::render(&report))?;
    }
    if args.write {
        write(args, &task, &report)?;
    }
    Ok(())
}

fn measure(args: &EvaluateArgs, runtime: &Runtime<Folder>, task: &str) -> Result<Measured> {
    let entry = runtime.bundle().task(task)?;
    let ids: Vec<String> = entry.labels.iter().map(|l| l.id.clone()).collect();
    let positive = match &args.positive {
        None => None,
        Some(label) => {
            let at = ids.iter().position(|id| id == label);
            Some(at.with_context(|| format!("--positive: the task has no label \"{label}\""))?)
        }
    };
    pollster::block_on(runtime.preload(Some(&[task.to_owned()]), Tiers::All, || async { Ok(()) }))?;
    args.columns.read_for(runtime.bundle(), task)?;
    let mut rows = args.columns.read(&args.data)?;
    // Data may hold rows without a label for other uses.
    let all = rows.len();
    rows.retain(|row| row.label.is_some());
    if rows.len() < all {
        eprintln!(
            "{}: {} rows have no label and are not measured",
            args.data.display(),
            all - rows.len()
        );
    }
    if let Some(limit) = args.limit {
        spread(&mut rows, limit);
    }
    if rows.is_empty() {
        bail!("{} has no labelled rows", args.data.display());
    }
    refuse_unknown_labels(&args.data, &rows, &entry.labels)?;
    let draft = BundleDraft::open(&args.bundle)?;
    let duplicates = duplicates(&draft, task, &rows)?;
    let mut observations = observe(runtime, task, &rows)?;
    for (row, outcome) in observations
        .iter_mut()
        .zip(args.remote.outcomes(runtime, task, &rows)?)
    {
        row.remote = Some(outcome);
    }
    if let Some(path) = &args.out_of_scope {
        let outside = args.columns.read_out_of_scope(path)?;
        observations.extend(observe(runtime, task, &outside)?);
    }
    let beyond = match &args.beyond {
        None => Vec::new(),
        Some(path) => {
            let rows = args.columns.read(path)?;
            refuse_unknown_labels(path, &rows, &entry.labels)?;
            observe(runtime, task, &rows)?
        }
    };
    let infos = runtime.tasks();
    let info = infos
        .iter()
        .find(|info| info.id == task)
        .context("the task is gone")?;
    let guarantee = entry.guarantee.as_ref();
    let stated = runtime.bundle().thresholds(entry, None).values;
    let mut policies: Vec<Policy> = guarantee
        .iter()
        .flat_map(|g| &g.certificates)
        .map(|c| Policy {
            risk: c.risk,
            thresholds: c.thresholds.clone(),
        })
        .collect();
    if let (None, Some(thresholds)) = (guarantee, stated.into_iter().collect::<Option<Vec<f64>>>())
    {
        println!(
            "the task was never calibrated: its stated threshold {thresholds:?} promises nothing"
        );
        policies.push(Policy {
            risk: 1.0,
            thresholds: Some(thresholds),
        });
    }
    let name = args
        .data
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok(Measured {
        task: task.to_owned(),
        title: entry.title.clone(),
        labels: ids,
        fingerprint: fingerprint(runtime.bundle(), task)?,
        dataset: args.dataset.clone().unwrap_or(name),
        tiers: info
            .tiers
            .iter()
            .map(|t| (t.name.clone(), t.bytes))
            .collect(),
        rows: observations,
        policies,
        positive,
        calibration: guarantee.map(CalibrationRows::from),
        against_remote: guarantee.and_then(|guarantee| guarantee.against_remote.clone()),
        duplicates,
        behaviour: behaviour_of(args, runtime, task)?,
        beyond,
    })
}

fn refuse_unknown_labels(path: &Path, rows: &[Row], labels: &[Label]) -> Result<()> {
    let known = places(labels);
    for row in rows {
        if let Some(label) = row
            .label
            .as_deref()
            .filter(|label| !known.contains_key(label))
        {
            bail!(
                "{}, line {}: the task has no label \"{label}\"; rows of no label belong in --out-of-scope",
                path.display(),
                row.line
            );
        }
    }
    Ok(())
}

/// Runs the behavioural tests.
fn behaviour_of(
    args: &EvaluateArgs,
    runtime: &Runtime<Folder>,
    task: &str,
) -> Result<Vec<Behaviour>> {
    let Some(path) = &args.behaviour else {
        return Ok(Vec::new());
    };
    let entry = runtime.bundle().task(task)?;
    let labels: Vec<String> = entry.labels.iter().map(|label| label.id.clone()).collect();
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let cases = BehaviourCase::read(&path.display().to_string(), &text, &labels)?;
    // A file is named from where the cases are, so that they mean the same wherever they are run.
    let beside = path.parent().unwrap_or(Path::new(""));
    let row = |line: usize, input: &str| Row {
        text: match entry.input {
            InputKind::Text => input.to_owned(),
            _ => beside.join(input).display().to_string(),
        },
        label: None,
        slice: None,
        line,
    };
    let inputs = cases.iter().map(|case| row(case.line, &case.input));
    let changed = cases
        .iter()
        .filter_map(|case| Some(row(case.line, case.changed.as_ref()?)));
    let inputs = observe(runtime, task, &inputs.collect::<Vec<_>>())?;
    let mut changed = observe(runtime, task, &changed.collect::<Vec<_>>())?.into_iter();
    let seen: Vec<_> = cases
        .iter()
        .zip(inputs)
        .map(|(case, input)| (input, case.changed.as_ref().and_then(|_| changed.next())))
        .collect();
    let default = runtime.bundle().thresholds(entry, None).values;
    let thresholds: Option<Vec<f64>> = default.into_iter().collect();
    Ok(behaviour(&cases, &seen, thresholds.as_deref()))
}

/// How many rows an earlier command has trained or calibrated on, equal and nearly so.
fn duplicates(draft: &BundleDraft, task: &str, rows: &[Row]) -> Result<Option<(usize, usize)>> {
    let mut found = None;
    for split in ["train", "cal"] {
        if let Some(stashed) = draft.stashed(&format!("{task}.{split}.json")) {
            let earlier: Fingerprints = serde_json::from_slice(&stashed)?;
            let overlap = fingerprints(rows).overlap(&earlier);
            let (exact, near) = found.unwrap_or((0, 0));
            found = Some((exact + overlap.exact.len(), near + overlap.near.len()));
        }
    }
    Ok(found)
}

fn observe(runtime: &Runtime<Folder>, task: &str, rows: &[Row]) -> Result<Vec<Observation>> {
    let entry = runtime.bundle().task(task)?;
    let places = places(&entry.labels);
    let prediction = |scored: Scored, milliseconds: f64| Prediction {
        in_distribution: scored.in_distribution(),
        ood: scored.ood.map(|(score, _)| score),
        confidence: scored.calibrated.confidence,
        probabilities: scored.calibrated.probabilities,
        milliseconds,
    };
    for_all(rows, "evaluating", |row| {
        let clock = Stopwatch::start();
        let seen = with_input(row, entry.input, |input| {
            pollster::block_on(runtime.score_tiers(task, input, &clock))
        })??;
        let tiers = seen.tiers.into_iter();
        let mut tiers: Vec<Option<Prediction>> = tiers
            .map(|(scored, ms)| scored.ok().map(|scored| prediction(scored, ms)))
            .collect();
        tiers.resize_with(entry.tiers.len(), || None);
        Ok(Observation {
            truth: row
                .label
                .as_deref()
                .and_then(|label| places.get(label).copied()),
            slice: row.slice.clone(),
            tiers,
            remote: None,
        })
    })
}

fn write(args: &EvaluateArgs, task: &str, report: &Report) -> Result<()> {
    let mut draft = BundleDraft::open(&args.bundle)?;
    let entry = draft.manifest.tasks.get(task).context("the task is gone")?;
    let head = entry
        .tiers
        .first()
        .and_then(|name| draft.manifest.heads.get(name));
    let file = head.map(|head| head.file.clone()).unwrap_or_default();
    let license = draft
        .manifest
        .files
        .get(&file)
        .map(|f| f.license.clone())
        .unwrap_or_default();
    let about = About {
        license: license.clone(),
        languages: args.language.clone(),
        text: match &args.about {
            Some(path) => fs::read_to_string(path).with_context(|| path.display().to_string())?,
            None => entry.instruction.clone(),
        },
    };
    let json = serde_json::to_string(report)? + "\n";
    let (evaluation, path) = (
        format!("{task}/evaluation.json"),
        format!("{task}/README.md"),
    );
    draft.put(&evaluation, json.as_bytes(), &license)?;
    draft.put(&path, card::render(report, &about).as_bytes(), &license)?;
    if let Some(entry) = draft.manifest.tasks.get_mut(task) {
        entry.evaluation = Some(evaluation);
        entry.card = Some(path);
    }
    draft.save()?;
    println!(
        "wrote the card and the evaluation of \"{task}\"; next: smallfirst pack {}",
        args.bundle.display()
    );
    Ok(())
}
