//! `train` and `split`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::Code;
use smallfirst::bundle::{Addend, Features, Head, Limits, ModelOutput};
use smallfirst::calibrate::ood;
use smallfirst::data::{self, Prints};
use smallfirst::engine::export;
use smallfirst::runtime::Runtime;
use smallfirst::task::{Input, InputKind, Label};
use smallfirst::train::{self, Options, Samples, Trained};

use crate::folder::{Folder, Workshop, check_name, open};
use crate::import::{self, TaskArgs};
use crate::rows::{ColumnArgs, bar, for_all, places, prints};

#[derive(Args)]
pub struct TrainArgs {
    /// Labelled rows: .jsonl, .csv, .tsv or .parquet
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    /// The bundle's folder; made if it does not exist
    #[arg(long)]
    out: PathBuf,
    /// The task; by default the data file's name up to the first dot
    #[arg(long)]
    task: Option<String>,
    /// The frozen encoder: a name of one in the bundle of --encoders-from (a unique beginning is
    /// enough), or `none` for hashed n-grams alone
    #[arg(long, default_value = "static")]
    encoder: String,
    /// The bundle the encoder is taken from
    #[arg(long, default_value = "models")]
    encoders_from: PathBuf,
    /// Also learn from token n-grams, hashed to this many buckets
    #[arg(long, default_value_t = 0)]
    ngrams: u32,
    /// Weigh all labels the same, however many rows they have
    #[arg(long)]
    balanced: bool,
    /// The penalties to choose from, by log loss on a fifth of the rows
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1e-1,3e-2,1e-2,3e-3,1e-3,3e-4,1e-4,3e-5"
    )]
    l2: Vec<f64>,
    /// Decides which rows the penalty is chosen on
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Other splits of the data: rows they share with the training data are reported
    #[arg(long)]
    against: Vec<PathBuf>,
    /// Add the head as a further tier of a task that the bundle has
    #[arg(long)]
    add_tier: bool,
    /// The licence of the trained head, as an SPDX expression
    #[arg(long, default_value = "LicenseRef-unstated")]
    license: String,
    /// Titles for the labels: a JSON file of {"id", "title"}
    #[arg(long)]
    labels: Option<String>,
    #[command(flatten)]
    words: TaskArgs,
}

/// Trains a head on a frozen encoder's vectors and writes it to a bundle.
pub fn train(args: &TrainArgs) -> Result<()> {
    let task = match &args.task {
        Some(task) => task.clone(),
        None => stem(&args.data),
    };
    check_name("--task", &task)?;
    let rows = args.columns.read_labelled(&args.data)?;
    let labels: BTreeMap<&str, usize> = {
        let mut labels: Vec<&str> = rows.iter().filter_map(|r| r.label.as_deref()).collect();
        labels.sort_unstable();
        labels.dedup();
        labels.into_iter().zip(0..).collect()
    };
    println!(
        "{}: {} rows, {} labels",
        args.data.display(),
        rows.len(),
        labels.len()
    );
    let own = prints(&rows);
    report_duplicates(args, &own)?;

    let mut workshop = Workshop::open_or_new(&args.out)?;
    if args.add_tier {
        let entry = workshop.manifest.tasks.get(&task);
        let entry =
            entry.with_context(|| format!("the bundle has no task \"{task}\" to add a tier to"))?;
        let known: Vec<&str> = entry.labels.iter().map(|l| l.id.as_str()).collect();
        if known != labels.keys().copied().collect::<Vec<_>>() {
            bail!("the task \"{task}\" has other labels: {}", known.join(", "));
        }
    }
    let base = open(&args.encoders_from).context("--encoders-from")?;
    let encoder = find_encoder(&base, &args.encoder)?;
    let tokenizer = tokenizer_of(&base, encoder.as_deref())?;
    if encoder.is_none() && args.ngrams == 0 {
        bail!("--encoder none needs --ngrams, or there is nothing to learn from");
    }

    let limits = args.words.limits();
    let features = for_all(&rows, "reading", |row| {
        featurise(
            &base,
            encoder.as_deref(),
            &tokenizer,
            args.ngrams,
            &limits,
            &row.text,
        )
    })?;
    let kept: Vec<usize> = (0..rows.len()).filter(|&i| features[i].is_some()).collect();
    if kept.len() < rows.len() {
        println!(
            "{} rows are too long or too short for the encoder and are left out",
            rows.len() - kept.len()
        );
    }
    let present = || kept.iter().filter_map(|&i| features[i].as_ref());
    let width = present().next().map_or(0, |(vector, _)| vector.len());
    let dense: Vec<f32> = present().flat_map(|(vector, _)| vector.clone()).collect();
    let sparse: Vec<Vec<u32>> = present().map(|(_, buckets)| buckets.clone()).collect();
    let classes: Vec<u32> = kept
        .iter()
        .filter_map(|&i| labels.get(rows[i].label.as_deref()?).map(|&c| c as u32))
        .collect();
    let all_groups = own.groups();
    let groups: Vec<usize> = kept.iter().map(|&i| all_groups[i]).collect();
    let samples = Samples {
        dense: &dense,
        width,
        sparse: if args.ngrams > 0 { &sparse } else { &[] },
        buckets: args.ngrams as usize,
        labels: &classes,
        classes: labels.len(),
    };
    let trained = fit(&samples, &groups, args)?;

    let name = match (&encoder, args.add_tier) {
        (Some(encoder), true) => format!("{task}-{encoder}"),
        _ => task.clone(),
    };
    let head = write_head(&mut workshop, args, &name, &encoder, &tokenizer, &trained)?;
    if let Some(encoder) = &encoder {
        copy_encoder(&mut workshop, &base, &args.encoders_from, encoder)?;
        for (method, model) in [
            (
                "mahalanobis",
                ood::mahalanobis(&dense, width, &classes, labels.len()),
            ),
            ("knn", ood::nearest_neighbour(&dense, width)),
        ] {
            if let Some(model) = model {
                workshop.keep(&format!("{name}.{method}.onnx"), &model)?;
            }
        }
    }
    copy_tokenizer(&mut workshop, &base, &args.encoders_from, &tokenizer)?;
    workshop.manifest.heads.insert(name.clone(), head);
    if args.add_tier {
        if let Some(entry) = workshop.manifest.tasks.get_mut(&task) {
            if !entry.tiers.contains(&name) {
                entry.tiers.push(name.clone());
            }
            // What was certified and measured was another cascade.
            entry.guarantee = None;
            entry.evaluation = None;
        }
    } else {
        let titled = match &args.labels {
            None => Vec::new(),
            Some(given) => import::labels(given)?,
        };
        let places = places(&titled);
        let label = |&id: &&str| Label {
            id: id.to_owned(),
            title: places.get(id).and_then(|&at| titled[at].title.clone()),
        };
        let entry = args
            .words
            .entry(&task, InputKind::Text, labels.keys().map(label).collect());
        workshop.manifest.tasks.insert(task.clone(), entry);
    }
    workshop.keep(&format!("{task}.train.json"), &serde_json::to_vec(&own)?)?;
    workshop.save()?;
    println!(
        "wrote the head \"{name}\" to {}; next: smallfirst calibrate {0} --task {task} --data <rows it has not seen>",
        args.out.display()
    );
    Ok(())
}

/// The file's name up to the first dot.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or("task").to_owned()
}

fn report_duplicates(args: &TrainArgs, own: &Prints) -> Result<()> {
    let groups = own.groups();
    let distinct = groups.iter().max().map_or(0, |most| most + 1);
    if distinct < own.len() {
        println!(
            "{} rows are copies or near-copies of others; they stay on one side of the validation split",
            own.len() - distinct
        );
    }
    for path in &args.against {
        let other = args.columns.read(path)?;
        let overlap = prints(&other).overlap(own);
        report_overlap(
            &path.display().to_string(),
            &overlap,
            |at| other[at].line,
            other.len(),
        );
    }
    Ok(())
}

/// Says how much of a file is in the training data, and where.
pub fn report_overlap(
    name: &str,
    overlap: &data::Overlap,
    line: impl Fn(usize) -> usize,
    of: usize,
) {
    if overlap.exact.is_empty() && overlap.near.is_empty() {
        return;
    }
    let found = overlap.exact.iter().chain(&overlap.near);
    let lines: Vec<String> = found.take(5).map(|(at, _)| line(*at).to_string()).collect();
    println!(
        "{name}: {} of {of} rows are in the training data and {} nearly so (lines {}, ...); scores on them are too good",
        overlap.exact.len(),
        overlap.near.len(),
        lines.join(", ")
    );
}

/// The encoder that is meant, or nothing for `none`.
pub fn find_encoder(base: &Runtime<Folder>, wanted: &str) -> Result<Option<String>> {
    if wanted == "none" {
        return Ok(None);
    }
    let encoders = &base.bundle().manifest().encoders;
    if encoders.contains_key(wanted) {
        return Ok(Some(wanted.to_owned()));
    }
    match encoders
        .keys()
        .filter(|e| e.starts_with(wanted))
        .collect::<Vec<_>>()[..]
    {
        [only] => Ok(Some(only.clone())),
        _ => bail!(
            "--encoder {wanted}: the bundle of --encoders-from has {}, or say none",
            encoders.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The tokenizer that n-grams are made of: the encoder's, or the bundle's only one.
pub fn tokenizer_of(base: &Runtime<Folder>, encoder: Option<&str>) -> Result<String> {
    let manifest = base.bundle().manifest();
    let features = encoder
        .and_then(|e| manifest.encoders.get(e))
        .map(|e| &e.features);
    match features {
        Some(Features::Tokens { tokenizer, .. }) => return Ok(tokenizer.clone()),
        Some(_) => bail!("the encoder does not read text"),
        None => {}
    }
    manifest
        .tokenizers
        .keys()
        .next()
        .cloned()
        .context("the bundle of --encoders-from has no tokenizer")
}

type RowFeatures = Option<(Vec<f32>, Vec<u32>)>;

fn featurise(
    base: &Runtime<Folder>,
    encoder: Option<&str>,
    tokenizer: &str,
    ngrams: u32,
    limits: &Limits,
    text: &str,
) -> Result<RowFeatures> {
    let vector = match encoder {
        None => Vec::new(),
        Some(encoder) => match pollster::block_on(base.embed(encoder, Input::Text(text), limits)) {
            Ok(vector) => vector,
            Err(e) if matches!(e.code(), Code::InputTooShort | Code::InputTooLong) => {
                return Ok(None);
            }
            Err(e) => return Err(e.into()),
        },
    };
    let mut buckets = Vec::new();
    if ngrams > 0 {
        let found = pollster::block_on(base.hashed(tokenizer, text, ngrams))?;
        buckets = found.into_iter().map(|bucket| bucket as u32).collect();
        if buckets.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some((vector, buckets)))
}

fn fit(samples: &Samples, groups: &[usize], args: &TrainArgs) -> Result<Trained> {
    let options = Options {
        l2: args.l2.clone(),
        balanced: args.balanced,
        seed: args.seed,
        ..Options::default()
    };
    let fits = options.l2.len() + 1;
    let bar = bar(fits * options.max_iterations as usize, "training");
    let per_fit = options.max_iterations;
    let shown = bar.clone();
    let trained = train::train(samples, groups, &options, move |at| {
        shown.set_position(at.fit as u64 * per_fit + at.iteration);
    })?;
    bar.finish_and_clear();
    for tried in &trained.tried {
        println!(
            "  l2 {:<8} log loss {:.4}, accuracy {:.1} % on the validation rows",
            tried.l2,
            tried.log_loss,
            100.0 * tried.accuracy
        );
    }
    println!(
        "l2 {} was taken, and the head trained on all rows",
        trained.l2
    );
    if !trained.converged {
        println!("the last fit ended before it converged; the head is usable as it is");
    }
    Ok(trained)
}

fn write_head(
    workshop: &mut Workshop,
    args: &TrainArgs,
    name: &str,
    encoder: &Option<String>,
    tokenizer: &str,
    trained: &Trained,
) -> Result<Head> {
    let model = &trained.model;
    let hashed = Features::HashedTokens {
        tokenizer: tokenizer.to_owned(),
        buckets: args.ngrams.max(1),
    };
    let file = format!("{name}/head.onnx");
    let zero = vec![0.0; model.bias.len()];
    let mut addend = None;
    if encoder.is_some() {
        let onnx = export::linear(&model.weights, &model.bias);
        workshop.put(&file, &onnx, &args.license)?;
        if args.ngrams > 0 {
            let file = format!("{name}/ngrams.onnx");
            workshop.put(&file, &export::rows_sum(&model.table, &zero), &args.license)?;
            addend = Some(Addend {
                file,
                features: hashed.clone(),
            });
        }
    } else {
        workshop.put(
            &file,
            &export::rows_sum(&model.table, &model.bias),
            &args.license,
        )?;
    }
    Ok(Head {
        file,
        encoder: encoder.clone(),
        features: encoder.is_none().then_some(hashed),
        output: ModelOutput::Logits,
        temperature: 1.0,
        addend,
        ood: None,
        threshold: None,
    })
}

pub fn copy_encoder(
    workshop: &mut Workshop,
    base: &Runtime<Folder>,
    from: &Path,
    name: &str,
) -> Result<()> {
    let manifest = base.bundle().manifest();
    let encoder = manifest.encoders.get(name).context("the encoder is gone")?;
    let card = Path::new(&encoder.file).with_file_name("README.md");
    let mut paths = vec![encoder.file.clone()];
    let card = card.to_string_lossy().into_owned();
    if manifest.files.contains_key(&card) {
        paths.push(card);
    }
    if !same_folder(&workshop.folder(), from) {
        for path in paths {
            let entry = manifest.files.get(&path).context("a file is not listed")?;
            workshop.copy(from, &path, entry)?;
        }
    }
    workshop
        .manifest
        .encoders
        .insert(name.to_owned(), encoder.clone());
    Ok(())
}

pub fn copy_tokenizer(
    workshop: &mut Workshop,
    base: &Runtime<Folder>,
    from: &Path,
    name: &str,
) -> Result<()> {
    let manifest = base.bundle().manifest();
    let tokenizer = manifest
        .tokenizers
        .get(name)
        .context("the tokenizer is gone")?;
    if !same_folder(&workshop.folder(), from) {
        let entry = manifest
            .files
            .get(&tokenizer.file)
            .context("a file is not listed")?;
        workshop.copy(from, &tokenizer.file, entry)?;
    }
    workshop
        .manifest
        .tokenizers
        .insert(name.to_owned(), tokenizer.clone());
    Ok(())
}

fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

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
    let parts = data::split(&prints(&rows).groups(), &labels, &args.shares, args.seed);
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
