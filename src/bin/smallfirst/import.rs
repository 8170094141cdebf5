//! `import`: a model exported as ONNX becomes a task of a bundle.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::bundle::folder::Dtype;
use smallfirst::bundle::{Features, Head, ModelOutput, Tiers};
use smallfirst::data::archive;
use smallfirst::engine::onnx::scores::{Contents, Value, contents, keep_scores};
use smallfirst::task::InputKind;
use smallfirst::text::NgramTable;

use crate::draft::BundleDraft;
use crate::encoders::{copy_encoder, copy_tokenizer, find_encoder, tokenizer_of};
use crate::folder::{check_name, open, read, read_model};
use crate::task_args::{TaskArgs, labels};
use crate::tiers;

#[derive(Args)]
pub struct ImportArgs {
    /// A model.onnx, a SageMaker model.tar.gz that holds one, or a folder as Hugging Face's tools write it, with config.json
    pub model: PathBuf,
    /// The bundle's folder; made if it does not exist
    #[arg(long)]
    pub out: PathBuf,
    /// The task; of a folder, transformers' name of it, such as feature-extraction, where it is not what the model was made for
    #[arg(long)]
    pub task: Option<String>,
    /// Of a folder, what the task is called in the bundle; transformers' name of it where absent
    #[arg(long)]
    pub name: Option<String>,
    /// Of a folder, which of its weights: q8, int8, uint8, q4, fp16 or fp32; the first there are where absent
    #[arg(long, value_parser = dtype)]
    pub dtype: Option<Dtype>,
    /// The labels in the order of the model's outputs: a list with commas, or a JSON file of strings
    /// or of {"id", "title"}; a folder names them itself
    #[arg(long)]
    pub labels: Option<String>,
    /// The model reads this encoder's vector
    #[arg(long, conflicts_with = "features")]
    encoder: Option<String>,
    /// The bundle the encoder is taken from
    #[arg(long, default_value = "models")]
    encoders_from: PathBuf,
    /// The model reads features: ngrams=<vocabulary.json>, hashed-characters=<table.sfng>, or
    /// byte-windows=<begin>,<end>,<block>,<padding>
    #[arg(long)]
    features: Option<String>,
    /// The model is a detector of lines of text as PaddleOCR exports them, and this is the model that reads a line
    #[arg(long, conflicts_with_all = ["encoder", "features", "labels", "add_tier"])]
    pub recogniser: Option<PathBuf>,
    /// The characters that the recogniser knows, one on each line; where absent, its own metadata has them
    #[arg(long, requires = "recogniser")]
    pub dictionary: Option<PathBuf>,
    /// The model reads rows of a table: a JSON file of its columns, or without one a column for each input of the model
    #[arg(long, num_args = 0..=1, value_name = "COLUMNS", conflicts_with_all = ["encoder", "features", "add_tier"])]
    pub table: Option<Option<PathBuf>>,
    /// The model gives numbers, and no label
    #[arg(long, requires = "table")]
    pub regression: bool,
    /// Add the model as a further tier of a task that the bundle has
    #[arg(long)]
    add_tier: bool,
    /// The output that holds the scores, where it cannot be told
    #[arg(long)]
    pub output: Option<String>,
    /// The scores are logits; by default this is told by the operator that makes them
    #[arg(long, conflicts_with = "probabilities")]
    pub logits: bool,
    /// The scores are probabilities
    #[arg(long)]
    pub probabilities: bool,
    /// A confidence stated by the model's authors, for calls without a risk while nothing is certified
    #[arg(long)]
    pub threshold: Option<f64>,
    /// The licence of the model, as an SPDX expression
    #[arg(long)]
    pub license: String,
    #[command(flatten)]
    pub words: TaskArgs,
}

impl ImportArgs {
    /// The task of a single file, which nothing but the caller can name.
    pub fn task(&self) -> Result<&str> {
        let task = self.task.as_deref();
        task.context("--task is missing: an ONNX file does not say what it is for")
    }
}

/// Reads `--dtype`.
fn dtype(given: &str) -> std::result::Result<Dtype, String> {
    let value = serde_json::Value::String(given.to_owned());
    serde_json::from_value(value).map_err(|why| why.to_string())
}

/// Brings a model into a bundle.
pub fn import(args: &ImportArgs) -> Result<()> {
    let task = args.task()?;
    check_name("--task", task)?;
    let (name, onnx) = model(&args.model)?;
    let found = contents(&name, &onnx)?;
    let cut = keep_scores(&name, &onnx, args.output.as_deref())?;
    let left = contents(&name, &cut.onnx)?;
    if !left.unsupported.is_empty() {
        let named: Vec<String> = left
            .unsupported
            .iter()
            .map(|(op, n)| format!("{op} ({n} times)"))
            .collect();
        bail!(
            "{name} uses operators the engine does not have: {}. Export the model without its text or \
             map steps, so that it takes numbers and gives a tensor of scores",
            named.join(", ")
        );
    }
    let labels = args.labels.as_deref();
    let labels = labels.context("--labels is missing: an ONNX file does not name its labels")?;
    let labels = self::labels(labels)?;
    if let Some(Some(n)) = cut.output.dims.last()
        && *n != labels.len() as i64
    {
        bail!(
            "{name} gives {n} scores, and --labels names {}",
            labels.len()
        );
    }
    let output = scores(args, &cut.output);
    let mut draft = BundleDraft::open_or_new(&args.out)?;
    if args.add_tier {
        tiers::check(&draft, task, labels.iter().map(|l| l.id.as_str()))?;
    }
    let tier = tier(args, task)?;
    let (encoder, features) = source(args, &tier, &mut draft, &left)?;
    let input = match (&encoder, &features) {
        (_, Some(features)) => features.input(),
        _ => InputKind::Text,
    };
    let file = format!("{tier}/head.onnx");
    for text in ["LICENSE", "NOTICE"] {
        if let Ok(bytes) = read(&args.model.with_file_name(text)) {
            draft.write(&format!("{tier}/{text}"), &bytes)?;
        }
    }
    // A model that needs no cutting is shipped byte for byte.
    let unchanged = found.outputs.len() == 1 && found.outputs[0].name == cut.output.name;
    let bytes = if unchanged { &onnx } else { &cut.onnx };
    draft.put(&file, bytes, &args.license)?;
    let head = Head {
        file,
        encoder,
        features,
        output,
        temperature: 1.0,
        correctness: None,
        addend: None,
        ood: None,
        threshold: args.threshold,
    };
    draft.manifest.heads.insert(tier.clone(), head);
    if args.add_tier {
        tiers::add(&mut draft, task, &tier);
    } else {
        let entry = args.words.entry(task, input, labels);
        draft.manifest.tasks.insert(task.to_owned(), entry);
    }
    draft.save()?;
    // Loading it shows whether it runs here.
    let runtime = open(&args.out)?;
    pollster::block_on(runtime.preload(Some(&[task.to_owned()]), Tiers::All, || async { Ok(()) }))?;
    println!(
        "imported {name} as {}: {} from the output \"{}\"; next: smallfirst calibrate {} --task {} --data <labelled rows>",
        match args.add_tier {
            true => format!("the tier \"{tier}\" of the task \"{task}\""),
            false => format!("the task \"{tier}\""),
        },
        if output == ModelOutput::Logits {
            "logits"
        } else {
            "probabilities"
        },
        cut.output.name,
        args.out.display(),
        task
    );
    Ok(())
}

/// What the scores of an output are.
pub fn scores(args: &ImportArgs, output: &Value) -> ModelOutput {
    match (args.logits, args.probabilities, output.made_by.as_str()) {
        (true, ..) => ModelOutput::Logits,
        (_, true, _) => ModelOutput::Probabilities,
        (
            _,
            _,
            "Softmax" | "Sigmoid" | "LinearClassifier" | "TreeEnsembleClassifier" | "Normalizer",
        ) => ModelOutput::Probabilities,
        // The exporter names its last value after what it holds.
        _ if output.name.contains("prob") => ModelOutput::Probabilities,
        _ => ModelOutput::Logits,
    }
}

/// The ONNX file, out of its archive where it is in one.
pub fn model(path: &Path) -> Result<(String, Vec<u8>)> {
    let name = path.display().to_string();
    if !(name.ends_with(".tar.gz") || name.ends_with(".tgz")) {
        return Ok((name, read_model(path)?));
    }
    let file = fs::File::open(path).with_context(|| format!("{name} cannot be read"))?;
    let found = archive::model(&name, BufReader::new(file), &archive::Limits::default())?;
    for ignored in &found.ignored {
        println!("{name}: ignored {ignored}");
    }
    Ok((format!("{name}/{}", found.name), found.onnx))
}

/// The name of the tier: the task's, or for a further tier what tells it from the first, too.
fn tier(args: &ImportArgs, task: &str) -> Result<String> {
    if !args.add_tier {
        return Ok(task.to_owned());
    }
    let reads = match (&args.encoder, &args.features) {
        (Some(wanted), _) => {
            let base = open(&args.encoders_from).context("--encoders-from")?;
            find_encoder(&base, wanted)?
        }
        (_, Some(features)) => features.split_once('=').map(|(kind, _)| kind.to_owned()),
        _ => None,
    };
    Ok(reads.map_or_else(|| task.to_owned(), |reads| tiers::name(task, &reads)))
}

/// What the model reads.
fn source(
    args: &ImportArgs,
    tier: &str,
    draft: &mut BundleDraft,
    found: &Contents,
) -> Result<(Option<String>, Option<Features>)> {
    if let Some(wanted) = &args.encoder {
        let base = open(&args.encoders_from).context("--encoders-from")?;
        let name = find_encoder(&base, wanted)?.context("--encoder none reads nothing")?;
        let encoder = base.bundle().manifest().encoders.get(&name);
        let dimension = encoder.map_or(0, |encoder| i64::from(encoder.dimension));
        let width = found
            .inputs
            .first()
            .and_then(|input| input.dims.last().copied().flatten());
        if width.is_some_and(|width| width != dimension) {
            bail!(
                "the model reads {} numbers, and the encoder \"{name}\" gives {dimension}",
                width.unwrap_or(0)
            );
        }
        copy_encoder(draft, &base, &args.encoders_from, &name)?;
        let tokenizer = tokenizer_of(&base, Some(&name))?;
        copy_tokenizer(draft, &base, &args.encoders_from, &tokenizer)?;
        return Ok((Some(name), None));
    }
    match args.features.as_deref().and_then(|f| f.split_once('=')) {
        Some((kind @ ("ngrams" | "hashed-characters"), path)) => {
            let bytes = read(path.as_ref()).with_context(|| format!("{path} cannot be read"))?;
            let mut put = |file: String| draft.put(&file, &bytes, &args.license).map(|()| file);
            let features = if kind == "ngrams" {
                let file = put(format!("{tier}/ngrams.json"))?;
                Features::Ngrams { file }
            } else {
                NgramTable::load(path, &bytes)?;
                let file = put(format!("{tier}/ngrams.sfng"))?;
                Features::HashedCharacters { file }
            };
            Ok((None, Some(features)))
        }
        Some(("byte-windows", numbers)) => {
            let numbers: Vec<u32> = numbers
                .split(',')
                .map(str::parse)
                .collect::<std::result::Result<_, _>>()
                .context("--features byte-windows takes four numbers")?;
            let [begin_bytes, end_bytes, block_bytes, padding] = numbers[..] else {
                bail!("--features byte-windows takes four numbers");
            };
            let padding = i32::try_from(padding)?;
            Ok((
                None,
                Some(Features::ByteWindows {
                    begin_bytes,
                    end_bytes,
                    block_bytes,
                    padding,
                }),
            ))
        }
        _ => bail!(
            "say what the model reads: --encoder <name>, or --features ngrams=..., hashed-characters=... or byte-windows=..."
        ),
    }
}
