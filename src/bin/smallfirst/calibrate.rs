//! `calibrate`: the temperature, the correctness head, the out-of-distribution cut and the certified thresholds of a task.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use smallfirst::bundle::{Certificate, Guarantee, Ood, OodMethod, TaskEntry};
use smallfirst::calibrate::{
    self, Certifier, Decision, Fit, FitRow, InputSize, OodScorer, OodScores, OodSelection,
    OodTrial, RawRow, RawScores, TierRule, choose_default, decisions, fit_correctness,
    fit_temperature, select_ood, sgr,
};
use smallfirst::data::{self, Fingerprints, Row};
use smallfirst::engine::{Element, Shape};
use smallfirst::monitor::reference;
use smallfirst::runtime::Runtime;
use smallfirst::task::InputKind;

use crate::draft::BundleDraft;
use crate::folder::{Folder, Stopwatch, open, the_task};
use crate::rows::{ColumnArgs, fingerprints, for_all, places, report_overlap, with_input};

/// The share of the rows that tune, where no --tune is given.
const TUNE_SHARE: f64 = 0.3;

#[derive(Args)]
pub struct CalibrateArgs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// The task; may be left out where there is only one
    #[arg(long)]
    task: Option<String>,
    /// Labelled rows that no head was trained on
    #[arg(long)]
    data: PathBuf,
    /// Further rows for the choices that come before the test; without it, 30 % of --data
    #[arg(long)]
    tune: Option<PathBuf>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Rows that belong to no label and must escalate: any local answer to them is an error
    #[arg(long)]
    out_of_scope: Option<PathBuf>,
    /// Certify for every share of out-of-scope inputs up to this one, whatever their share among the rows
    #[arg(long, requires = "out_of_scope", conflicts_with = "per_slice")]
    out_of_scope_share: Option<f64>,
    /// The error rates to certify
    #[arg(long, value_delimiter = ',', default_value = "0.01,0.02,0.05,0.1,0.2")]
    risks: Vec<f64>,
    /// The chance, over calibration samples, that a certificate does not hold
    #[arg(long, default_value_t = 0.05)]
    delta: f64,
    /// The risk for calls that name none; by default 5 %, or the next that the tuning rows support
    #[arg(long)]
    default_risk: Option<f64>,
    /// Certify each slice by itself: the worst one decides
    #[arg(long)]
    per_slice: bool,
    /// How inputs unlike the training data are told; auto compares all on the tuning rows
    #[arg(long, value_enum, default_value_t = OodChoice::Auto)]
    ood: OodChoice,
    /// Whether a head that turns probabilities and the input's length and label into the probability of being right is
    /// fitted; auto takes it where it orders the tuning rows better
    #[arg(long, value_enum, default_value_t = CorrectnessChoice::Auto)]
    correctness: CorrectnessChoice,
    /// The shares of in-scope tuning rows that may pass the cut, to choose from
    #[arg(long, value_delimiter = ',', default_value = "0.9,0.95,0.99")]
    ood_keep: Vec<f64>,
    /// Do not change the bundle
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum OodChoice {
    Auto,
    None,
    Msp,
    Energy,
    Mahalanobis,
    Knn,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum CorrectnessChoice {
    Auto,
    None,
}

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
    let mut draft = BundleDraft::open(&args.bundle)?;
    let runtime = open(&args.bundle)?;
    let task = the_task(runtime.bundle(), args.task.as_deref())?;
    pollster::block_on(runtime.preload(Some(std::slice::from_ref(&task)), || async { Ok(()) }))?;

    let (tune_rows, cal_rows) = rows(args)?;
    warn_of_leaks(args, &draft, &task, &cal_rows)?;
    let mut tune = score_tiers(&runtime, &task, &tune_rows, "tuning rows")?;
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

    let names = runtime.bundle().task(&task)?.tiers.clone();
    let mut rules = temperatures(&names, &tune);
    if args.correctness == CorrectnessChoice::Auto {
        let entry = runtime.bundle().task(&task)?;
        let groups = fingerprints(&tune_rows).groups();
        correctness_heads(entry, &groups, &mut tune, &mut rules);
    }
    let scores = ood_scores(args, &draft, &runtime, &names, &rules, &tune)?;
    let selection = OodSelection {
        risk: args.default_risk.unwrap_or(0.05),
        risks: &risks,
        delta: args.delta,
        per_slice: args.per_slice,
        out_of_scope_share: args.out_of_scope_share,
        keep: &args.ood_keep,
        forced: args.ood != OodChoice::Auto,
    };
    print_ood(&names, &select_ood(&selection, &tune, &scores, &mut rules));
    let tune = decisions(&tune, &rules, &scores);
    let scores = ood_scores(args, &draft, &runtime, &names, &rules, &cal)?;
    let cal = decisions(&cal, &rules, &scores);

    let certifier = Certifier {
        tune: &tune,
        tiers: names.len(),
        delta: args.delta,
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
    print(args, &names, &cal, &certificates, default_risk);
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
        delta: args.delta,
        default_risk,
        rows: cal.len() as u64,
        out_of_scope,
        out_of_scope_share: args.out_of_scope_share,
        per_slice: args.per_slice,
        certificates,
        reference: reference(&tune, &cal),
    });
    // What was measured was another rule.
    entry.evaluation = None;
    let prints = fingerprints(&cal_rows);
    draft.stash(&format!("{task}.cal.json"), &serde_json::to_vec(&prints)?)?;
    draft.save()?;
    println!(
        "wrote the guarantee of \"{task}\"; next: smallfirst evaluate {} --task {task} --data <rows nothing has seen> --write",
        args.bundle.display()
    );
    Ok(())
}

/// The rows to tune on and to test on.
fn rows(args: &CalibrateArgs) -> Result<(Vec<Row>, Vec<Row>)> {
    let data = args.columns.read_labelled(&args.data)?;
    if let Some(path) = &args.tune {
        return Ok((args.columns.read_labelled(path)?, data));
    }
    let labels: Vec<Option<String>> = data.iter().map(|row| row.label.clone()).collect();
    let shares = [TUNE_SHARE, 1.0 - TUNE_SHARE];
    let parts = data::split(&fingerprints(&data).groups(), &labels, &shares, 0);
    let mut parts = parts.into_iter();
    let (tune, cal) = data.into_iter().partition(|_| parts.next() == Some(0));
    Ok((tune, cal))
}

/// Every second row to tune on, so that a sorted file is halved evenly.
fn halves(rows: Vec<Row>) -> (Vec<Row>, Vec<Row>) {
    let mut odd = false;
    rows.into_iter().partition(|_| {
        odd = !odd;
        odd
    })
}

fn warn_of_leaks(
    args: &CalibrateArgs,
    draft: &BundleDraft,
    task: &str,
    rows: &[Row],
) -> Result<()> {
    if let Some(kept) = draft.stashed(&format!("{task}.train.json")) {
        let trained: Fingerprints = serde_json::from_slice(&kept)?;
        let overlap = fingerprints(rows).overlap(&trained);
        let name = args.data.display().to_string();
        report_overlap(&name, &overlap, |at| rows[at].line, rows.len());
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

/// Fits a correctness head for every tier, and says what came of it. `groups` has the group of near-copies that each of the
/// first rows belongs to; the rows behind them are out of scope.
fn correctness_heads(
    entry: &TaskEntry,
    groups: &[usize],
    tune: &mut [RawRow],
    rules: &mut [TierRule],
) {
    for (tier, (name, rule)) in entry.tiers.iter().zip(rules).enumerate() {
        let (places, rows): (Vec<usize>, Vec<FitRow>) = tune
            .iter()
            .enumerate()
            .filter_map(|(at, row)| {
                let raw = row.tiers.get(tier)?.as_ref()?;
                // What is out of scope is for the out-of-distribution score: how much of it there will be, nobody knows.
                let truth = row.truth?;
                let calibrated = calibrate::calibrate(&raw.logits, rule.temperature);
                let label = calibrated.label();
                let row = FitRow {
                    probabilities: calibrated.probabilities,
                    label,
                    correct: truth == label,
                    size: row.size,
                    group: groups[at],
                };
                Some((at, row))
            })
            .unzip();
        let fit = fit_correctness(&rows, entry.labels.len(), entry.input == InputKind::Text);
        print!("{name}: correctness head ");
        match fit {
            Fit::TooFew => println!(
                "not fitted, too few right or wrong answers among {} tuning rows",
                rows.len()
            ),
            Fit::NoBetter(figures) => println!(
                "not taken: out-of-fold AURC {:.4}, {:.4} by the largest probability",
                figures.head, figures.plain
            ),
            Fit::Taken(head, scores) => {
                let figures = head.out_of_fold;
                println!(
                    "taken: out-of-fold AURC {:.4}, {:.4} by the largest probability{}",
                    figures.map_or(0.0, |f| f.head),
                    figures.map_or(0.0, |f| f.plain),
                    if head.labels.is_empty() {
                        ""
                    } else {
                        "; with terms for labels"
                    }
                );
                for (at, score) in places.into_iter().zip(scores) {
                    if let Some(Some(raw)) = tune[at].tiers.get_mut(tier) {
                        raw.out_of_fold = Some(score);
                    }
                }
                rule.correctness = Some(head);
            }
        }
    }
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

/// The scores of every method that is to be compared, tier by tier.
fn ood_scores(
    args: &CalibrateArgs,
    draft: &BundleDraft,
    runtime: &Runtime<Folder>,
    names: &[String],
    rules: &[TierRule],
    rows: &[RawRow],
) -> Result<Vec<OodScores>> {
    let methods: &[OodMethod] = match args.ood {
        OodChoice::None => &[],
        // Without examples of what is out of scope there is nothing to choose by.
        OodChoice::Auto if args.out_of_scope.is_none() => &[],
        OodChoice::Auto => &[
            OodMethod::Msp,
            OodMethod::Energy,
            OodMethod::Mahalanobis,
            OodMethod::Knn,
        ],
        OodChoice::Msp => &[OodMethod::Msp],
        OodChoice::Energy => &[OodMethod::Energy],
        OodChoice::Mahalanobis => &[OodMethod::Mahalanobis],
        OodChoice::Knn => &[OodMethod::Knn],
    };
    let manifest = runtime.bundle().manifest();
    let mut all = Vec::new();
    for (tier, (name, rule)) in names.iter().zip(rules).enumerate() {
        let encoder = manifest
            .heads
            .get(name)
            .and_then(|head| head.encoder.as_ref());
        let width = encoder
            .and_then(|e| manifest.encoders.get(e))
            .map_or(0, |e| e.dimension as usize);
        let mut of_tier = OodScores::new();
        for &method in methods {
            let stashed = file_name(name, method);
            let model = match &stashed {
                None => None,
                Some(stashed) => match draft.stashed(stashed).filter(|_| width > 0) {
                    Some(onnx) => Some((stashed.as_str(), onnx)),
                    // An imported head: nobody knows its training vectors.
                    None => continue,
                },
            };
            let scorer = OodScorer::load(method, model, (Element::F32, Shape::Row(width)))?;
            let scores = for_all(rows, "out-of-distribution", |row| {
                let Some(Some(raw)) = row.tiers.get(tier) else {
                    return Ok(None);
                };
                let (logits, temperature) = (&raw.logits, rule.temperature);
                let calibrated = calibrate::calibrate(logits, temperature);
                let vector = raw.vector.as_deref();
                Ok(Some(scorer.score(
                    logits,
                    temperature,
                    &calibrated,
                    vector,
                )?))
            })?;
            of_tier.insert(method, scores);
        }
        all.push(of_tier);
    }
    Ok(all)
}

/// Where `train` left the model of a method, for those that have one.
fn file_name(head: &str, method: OodMethod) -> Option<String> {
    match method {
        OodMethod::Mahalanobis => Some(format!("{head}.mahalanobis.onnx")),
        OodMethod::Knn => Some(format!("{head}.knn.onnx")),
        _ => None,
    }
}

/// Says which methods were tried, and what was taken.
fn print_ood(names: &[String], trials: &[Vec<OodTrial>]) {
    let word = |method: OodMethod| format!("{method:?}").to_lowercase();
    for (name, trials) in names.iter().zip(trials) {
        if trials.is_empty() {
            continue;
        }
        println!("{name}: out-of-distribution scores on the tuning rows");
        for trial in trials {
            println!(
                "  {:<12} AUROC {}, passes {:.1} % of what is out of scope when 95 % of the rest pass",
                word(trial.method),
                trial.auroc.map_or("-".into(), |a| format!("{a:.3}")),
                100.0 * trial.missed_at_95
            );
        }
        let taken = trials
            .iter()
            .find_map(|trial| Some((trial.method, trial.taken?)));
        match taken {
            Some((method, (threshold, keep))) => println!(
                "  taken: {}, threshold {threshold}, which {:.0} % of the in-scope rows pass",
                word(method),
                100.0 * keep
            ),
            None => println!("  none lets more be answered than the confidence alone"),
        }
    }
}

fn print(
    args: &CalibrateArgs,
    names: &[String],
    cal: &[Decision],
    certificates: &[Certificate],
    default_risk: f64,
) {
    println!(
        "{} calibration rows, delta {}{}{}",
        cal.len(),
        args.delta,
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
        let of_sgr = sgr(&pairs, default_risk, args.delta);
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
                Some(kept) => {
                    let onnx = draft.stashed(&kept).context("the OOD model is gone")?;
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
