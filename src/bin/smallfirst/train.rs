//! `train`: a head on a frozen encoder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::Code;
use smallfirst::bundle::{Addend, Features, Head, Limits, ModelOutput};
use smallfirst::calibrate::{InputSize, most_probable, ood};
use smallfirst::data::Fingerprints;
use smallfirst::engine::onnx::writer;
use smallfirst::runtime::Runtime;
use smallfirst::task::{Input, InputKind, Label};
use smallfirst::train::{self, Options, Samples, Trained};

use crate::draft::BundleDraft;
use crate::encoders::{copy_encoder, copy_tokenizer, find_encoder, tokenizer_of};
use crate::folder::{Folder, check_name, open};
use crate::out_of_fold::{self, OutOfFold, OutOfFoldRow};
use crate::rows::{ColumnArgs, bar, fingerprints, for_all, places, report_overlap, stem};
use crate::task_args::{self, TaskArgs};
use crate::tiers;

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
    /// Count cues of attitude among the n-grams, too: negated words, emoji, emphasis, and all of them apart in messages
    /// with a mention, a hashtag or a link
    #[arg(long, requires = "ngrams")]
    cues: bool,
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
    let own = fingerprints(&rows);
    report_duplicates(args, &own)?;

    let mut draft = BundleDraft::open_or_new(&args.out)?;
    if args.add_tier {
        tiers::check(&draft, &task, labels.keys().copied())?;
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
            args,
            &limits,
            &row.text,
        )
    })?;
    let usable: Vec<usize> = (0..rows.len()).filter(|&i| features[i].is_some()).collect();
    if usable.len() < rows.len() {
        println!(
            "{} rows are too long or too short for the encoder and are left out",
            rows.len() - usable.len()
        );
    }
    let present = || usable.iter().filter_map(|&i| features[i].as_ref());
    let width = present().next().map_or(0, |(vector, _)| vector.len());
    let dense: Vec<f32> = present().flat_map(|(vector, _)| vector.clone()).collect();
    let sparse: Vec<Vec<u32>> = present().map(|(_, buckets)| buckets.clone()).collect();
    let classes: Vec<u32> = usable
        .iter()
        .filter_map(|&i| labels.get(rows[i].label.as_deref()?).map(|&c| c as u32))
        .collect();
    let all_groups = own.groups();
    let groups: Vec<usize> = usable.iter().map(|&i| all_groups[i]).collect();
    let samples = Samples {
        dense: &dense,
        width,
        sparse: if args.ngrams > 0 { &sparse } else { &[] },
        buckets: args.ngrams as usize,
        labels: &classes,
        classes: labels.len(),
    };
    let trained = fit(&samples, &groups, args)?;
    let predictions = cross_fit(&samples, &groups, args, &trained)?;

    let name = match (&encoder, args.add_tier) {
        (Some(encoder), true) => tiers::name(&task, encoder),
        _ => task.clone(),
    };
    let head = write_head(&mut draft, args, &name, &encoder, &tokenizer, &trained)?;
    if let Some(encoder) = &encoder {
        copy_encoder(&mut draft, &base, &args.encoders_from, encoder)?;
        for (method, model) in [
            (
                "mahalanobis",
                ood::mahalanobis(&dense, width, &classes, labels.len()),
            ),
            ("knn", ood::nearest_neighbour(&dense, width)),
        ] {
            if let Some(model) = model {
                draft.stash(&format!("{name}.{method}.onnx"), &model)?;
            }
        }
    }
    copy_tokenizer(&mut draft, &base, &args.encoders_from, &tokenizer)?;
    let out_of_fold = OutOfFold {
        head: draft
            .manifest
            .files
            .get(&head.file)
            .map(|file| file.sha256.clone())
            .unwrap_or_default(),
        rows: usable
            .iter()
            .zip(classes.iter().zip(&groups).zip(predictions))
            .map(|(&at, ((&class, &group), logits))| OutOfFoldRow {
                text: out_of_fold::name_of(&rows[at].text),
                truth: class as usize,
                slice: rows[at].slice.clone(),
                group,
                size: InputSize::of(Input::Text(&rows[at].text)),
                logits,
            })
            .collect(),
    };
    draft.stash(
        &out_of_fold::file_name(&name),
        &serde_json::to_vec(&out_of_fold)?,
    )?;
    draft.manifest.heads.insert(name.clone(), head);
    if args.add_tier {
        tiers::add(&mut draft, &task, &name);
    } else {
        let titled = match &args.labels {
            None => Vec::new(),
            Some(given) => task_args::labels(given)?,
        };
        let places = places(&titled);
        let label = |&id: &&str| Label {
            id: id.to_owned(),
            title: places.get(id).and_then(|&at| titled[at].title.clone()),
        };
        let entry = args
            .words
            .entry(&task, InputKind::Text, labels.keys().map(label).collect());
        draft.manifest.tasks.insert(task.clone(), entry);
    }
    draft.stash(&format!("{task}.train.json"), &serde_json::to_vec(&own)?)?;
    draft.save()?;
    println!(
        "wrote the head \"{name}\" to {}; next: smallfirst calibrate {0} --task {task} --data <rows it has not seen>",
        args.out.display()
    );
    Ok(())
}

fn report_duplicates(args: &TrainArgs, own: &Fingerprints) -> Result<()> {
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
        let overlap = fingerprints(&other).overlap(own);
        report_overlap(
            &path.display().to_string(),
            &overlap,
            |at| other[at].line,
            other.len(),
        );
    }
    Ok(())
}

type RowFeatures = Option<(Vec<f32>, Vec<u32>)>;

fn featurise(
    base: &Runtime<Folder>,
    encoder: Option<&str>,
    tokenizer: &str,
    args: &TrainArgs,
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
    if args.ngrams > 0 {
        let found = base.hashed(tokenizer, text, args.ngrams, args.cues.into());
        let found = pollster::block_on(found)?;
        buckets = found.into_iter().map(|bucket| bucket as u32).collect();
        if buckets.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some((vector, buckets)))
}

fn options(args: &TrainArgs) -> Options {
    Options {
        l2: args.l2.clone(),
        balanced: args.balanced,
        seed: args.seed,
        ..Options::default()
    }
}

fn fit(samples: &Samples, groups: &[usize], args: &TrainArgs) -> Result<Trained> {
    let options = options(args);
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

/// The out-of-fold logits of the rows that were trained on.
fn cross_fit(
    samples: &Samples,
    groups: &[usize],
    args: &TrainArgs,
    trained: &Trained,
) -> Result<Vec<Vec<f32>>> {
    let options = options(args);
    let mut of_l2 = train::out_of_fold(samples, groups, &options, &[trained.l2], train::FOLDS)?;
    let logits = of_l2.pop().unwrap_or_default();
    let rows = logits.iter().zip(samples.labels);
    let right = rows.filter(|(logits, label)| {
        let logits: Vec<f64> = logits.iter().copied().map(f64::from).collect();
        most_probable(&logits) == **label as usize
    });
    println!(
        "accuracy {:.1} % on training rows by heads trained without them, which calibrate can tune on",
        100.0 * right.count() as f64 / logits.len().max(1) as f64
    );
    Ok(logits)
}

fn write_head(
    draft: &mut BundleDraft,
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
        cues: args.cues.into(),
    };
    let file = format!("{name}/head.onnx");
    let zero = vec![0.0; model.bias.len()];
    let mut addend = None;
    if encoder.is_some() {
        let onnx = writer::linear(&model.weights, &model.bias);
        draft.put(&file, &onnx, &args.license)?;
        if args.ngrams > 0 {
            let file = format!("{name}/ngrams.onnx");
            draft.put(&file, &writer::rows_sum(&model.table, &zero), &args.license)?;
            addend = Some(Addend {
                file,
                features: hashed.clone(),
            });
        }
    } else {
        draft.put(
            &file,
            &writer::rows_sum(&model.table, &model.bias),
            &args.license,
        )?;
    }
    Ok(Head {
        file,
        encoder: encoder.clone(),
        features: encoder.is_none().then_some(hashed),
        output: ModelOutput::Logits,
        temperature: 1.0,
        correctness: None,
        addend,
        ood: None,
        threshold: None,
    })
}
