//! `import`: a model exported as ONNX becomes a task of a bundle. And `embed`, which gives a trainer
//! elsewhere the vectors to train on.

use std::fs;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use smallfirst::Code;
use smallfirst::bundle::{
    Encoder, Features, Head, LanguageLimit, Limits, ModelOutput, Pooling, TaskEntry, Tokenizer,
    TokenizerKind,
};
use smallfirst::data::archive;
use smallfirst::engine::import::{Contents, contents, keep_scores};
use smallfirst::task::{Input, Label, TaskKind};

use crate::folder::{Workshop, check_name, open, read, read_model};
use crate::rows::{ColumnArgs, for_all};
use crate::train::{copy_encoder, copy_tokenizer, find_encoder, tokenizer_of};

#[derive(Args)]
pub struct ImportArgs {
    /// A model.onnx, or a SageMaker model.tar.gz that holds one
    model: PathBuf,
    /// The bundle's folder; made if it does not exist
    #[arg(long)]
    out: PathBuf,
    /// The task
    #[arg(long)]
    task: String,
    /// The labels in the order of the model's outputs: a list with commas, or a JSON file of strings
    /// or of {"id", "title"}
    #[arg(long)]
    labels: String,
    /// The model reads this encoder's vector
    #[arg(long, conflicts_with = "features")]
    encoder: Option<String>,
    /// The bundle the encoder is taken from
    #[arg(long, default_value = "models")]
    encoders_from: PathBuf,
    /// The model reads features: ngrams=<vocabulary.json>, or
    /// byte-windows=<begin>,<end>,<block>,<padding>
    #[arg(long)]
    features: Option<String>,
    /// The output that holds the scores, where it cannot be told
    #[arg(long)]
    output: Option<String>,
    /// The scores are logits; by default this is told by the operator that makes them
    #[arg(long, conflicts_with = "probabilities")]
    logits: bool,
    /// The scores are probabilities
    #[arg(long)]
    probabilities: bool,
    /// A confidence stated by the model's authors, for calls without a risk while nothing is certified
    #[arg(long)]
    threshold: Option<f64>,
    /// The licence of the model, as an SPDX expression
    #[arg(long)]
    license: String,
    #[command(flatten)]
    words: TaskArgs,
}

/// What a task says of itself.
#[derive(Args)]
pub struct TaskArgs {
    /// The task's name for people
    #[arg(long)]
    title: Option<String>,
    /// What the task decides, in one sentence; also what a remote LLM is told
    #[arg(long)]
    instruction: Option<String>,
    /// The shortest input in bytes
    #[arg(long, default_value_t = 1)]
    min_bytes: u64,
    /// The longest input in bytes
    #[arg(long, default_value_t = 262_144)]
    max_bytes: u64,
    /// The most tokens of an input
    #[arg(long)]
    max_tokens: Option<u32>,
    /// The labels of --language-task that the task covers
    #[arg(long, value_delimiter = ',', requires = "language_task")]
    languages: Vec<String>,
    /// The task of the same bundle that tells the language
    #[arg(long)]
    language_task: Option<String>,
}

impl TaskArgs {
    pub fn limits(&self) -> Limits {
        Limits {
            min_bytes: self.min_bytes,
            max_bytes: self.max_bytes,
            max_tokens: self.max_tokens,
            languages: self.language_task.as_ref().map(|task| LanguageLimit {
                allow: self.languages.clone(),
                task: task.clone(),
            }),
        }
    }

    pub fn entry(
        &self,
        task: &str,
        input: smallfirst::task::InputKind,
        labels: Vec<Label>,
    ) -> TaskEntry {
        TaskEntry {
            kind: TaskKind::Classify,
            input,
            title: self.title.clone().unwrap_or_else(|| task.to_owned()),
            instruction: self
                .instruction
                .clone()
                .unwrap_or_else(|| format!("Classify the input for the task \"{task}\".")),
            labels,
            limits: self.limits(),
            tiers: vec![task.to_owned()],
            prompt: None,
            extract: None,
            card: None,
            evaluation: None,
            guarantee: None,
        }
    }
}

/// Labels from a list with commas, or from a JSON file.
pub fn labels(given: &str) -> Result<Vec<Label>> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Id(String),
        Label(Label),
    }
    let plain = |id: &str| Label {
        id: id.trim().to_owned(),
        title: None,
    };
    if !given.ends_with(".json") {
        return Ok(given.split(',').map(plain).collect());
    }
    let json = read(given.as_ref()).with_context(|| format!("{given} cannot be read"))?;
    let entries: Vec<Entry> = serde_json::from_slice(&json).with_context(|| {
        format!("{given} must be a list of strings or of {{\"id\", \"title\"}}")
    })?;
    Ok(entries
        .into_iter()
        .map(|entry| match entry {
            Entry::Id(id) => plain(&id),
            Entry::Label(label) => label,
        })
        .collect())
}

/// Brings a model into a bundle.
pub fn import(args: &ImportArgs) -> Result<()> {
    check_name("--task", &args.task)?;
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
    let labels = labels(&args.labels)?;
    if let Some(Some(n)) = cut.output.dims.last()
        && *n != labels.len() as i64
    {
        bail!(
            "{name} gives {n} scores, and --labels names {}",
            labels.len()
        );
    }
    let output = match (args.logits, args.probabilities, cut.output.made_by.as_str()) {
        (true, ..) => ModelOutput::Logits,
        (_, true, _) => ModelOutput::Probabilities,
        (
            _,
            _,
            "Softmax" | "Sigmoid" | "LinearClassifier" | "TreeEnsembleClassifier" | "Normalizer",
        ) => ModelOutput::Probabilities,
        // The exporter names its last value after what it holds.
        _ if cut.output.name.contains("prob") => ModelOutput::Probabilities,
        _ => ModelOutput::Logits,
    };
    let mut workshop = Workshop::open_or_new(&args.out)?;
    let (encoder, features) = source(args, &mut workshop, &left)?;
    let input = match (&encoder, &features) {
        (_, Some(features)) => features.input(),
        _ => smallfirst::task::InputKind::Text,
    };
    let file = format!("{}/head.onnx", args.task);
    for text in ["LICENSE", "NOTICE"] {
        if let Ok(bytes) = read(&args.model.with_file_name(text)) {
            workshop.write(&format!("{}/{text}", args.task), &bytes)?;
        }
    }
    // A model that needs no cutting is shipped byte for byte.
    let unchanged = found.outputs.len() == 1 && found.outputs[0].name == cut.output.name;
    let bytes = if unchanged { &onnx } else { &cut.onnx };
    workshop.put(&file, bytes, &args.license)?;
    let head = Head {
        file,
        encoder,
        features,
        output,
        temperature: 1.0,
        addend: None,
        ood: None,
        threshold: args.threshold,
    };
    workshop.manifest.heads.insert(args.task.clone(), head);
    let entry = args.words.entry(&args.task, input, labels);
    workshop.manifest.tasks.insert(args.task.clone(), entry);
    workshop.save()?;
    // Loading it shows whether it runs here.
    let runtime = open(&args.out)?;
    pollster::block_on(
        runtime.prepare(Some(std::slice::from_ref(&args.task)), || async { Ok(()) }),
    )?;
    println!(
        "imported {name} as the task \"{}\": {} from the output \"{}\"; next: smallfirst calibrate {} --task {0} --data <labelled rows>",
        args.task,
        if output == ModelOutput::Logits {
            "logits"
        } else {
            "probabilities"
        },
        cut.output.name,
        args.out.display()
    );
    Ok(())
}

/// The ONNX file, out of its archive where it is in one.
fn model(path: &Path) -> Result<(String, Vec<u8>)> {
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

/// What the model reads.
fn source(
    args: &ImportArgs,
    workshop: &mut Workshop,
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
        copy_encoder(workshop, &base, &args.encoders_from, &name)?;
        let tokenizer = tokenizer_of(&base, Some(&name))?;
        copy_tokenizer(workshop, &base, &args.encoders_from, &tokenizer)?;
        return Ok((Some(name), None));
    }
    match args.features.as_deref().and_then(|f| f.split_once('=')) {
        Some(("ngrams", path)) => {
            let bytes = read(path.as_ref()).with_context(|| format!("{path} cannot be read"))?;
            let file = format!("{}/ngrams.json", args.task);
            workshop.put(&file, &bytes, &args.license)?;
            Ok((None, Some(Features::Ngrams { file })))
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
            "say what the model reads: --encoder <name>, or --features ngrams=... or byte-windows=..."
        ),
    }
}

#[derive(Args)]
pub struct EncoderArgs {
    /// The ONNX model: token ids in, one vector or a vector a token out
    model: PathBuf,
    /// The bundle's folder, which must hold a task
    #[arg(long)]
    out: PathBuf,
    /// The encoder's name
    #[arg(long)]
    name: String,
    /// A Hugging Face tokenizer.json
    #[arg(long)]
    tokenizer: PathBuf,
    /// The length of its vector, where the model does not say
    #[arg(long)]
    dimension: Option<u32>,
    /// The model gives a vector a token; take their mean
    #[arg(long)]
    mean: bool,
    /// Add the tokenizer's special tokens
    #[arg(long)]
    special: bool,
    /// The most tokens it reads
    #[arg(long)]
    max_tokens: Option<u32>,
    /// The licence, as an SPDX expression
    #[arg(long)]
    license: String,
}

/// Brings an encoder into a bundle, for heads to be trained on. LICENSE, NOTICE and README.md beside
/// the model come along.
pub fn add_encoder(args: &EncoderArgs) -> Result<()> {
    check_name("--name", &args.name)?;
    let mut workshop = Workshop::open(&args.out)?;
    let onnx = read_model(&args.model)?;
    let found = contents(&args.model.display().to_string(), &onnx)?;
    if !found.unsupported.is_empty() {
        let named: Vec<&str> = found.unsupported.keys().map(String::as_str).collect();
        bail!(
            "the encoder uses operators the engine does not have: {}",
            named.join(", ")
        );
    }
    let stated = found
        .outputs
        .first()
        .and_then(|output| output.dims.last().copied().flatten());
    let dimension = args
        .dimension
        .or(stated.and_then(|n| u32::try_from(n).ok()));
    let dimension = dimension
        .context("the model does not say the length of its vector; name it with --dimension")?;
    let tokenizer = read(&args.tokenizer).with_context(|| args.tokenizer.display().to_string())?;
    let file = |name: &str| format!("{}/{name}", args.name);
    workshop.put(&file("encoder.onnx"), &onnx, &args.license)?;
    workshop.put(&file("tokenizer.json"), &tokenizer, &args.license)?;
    for text in ["LICENSE", "NOTICE", "README.md"] {
        if let Ok(bytes) = read(&args.model.with_file_name(text)) {
            match text {
                "README.md" => workshop.put(&file(text), &bytes, &args.license)?,
                _ => workshop.write(&file(text), &bytes)?,
            }
        }
    }
    let named = Tokenizer {
        kind: TokenizerKind::HfTokenizer,
        file: file("tokenizer.json"),
    };
    workshop
        .manifest
        .tokenizers
        .insert(args.name.clone(), named);
    let encoder = Encoder {
        file: file("encoder.onnx"),
        features: Features::Tokens {
            tokenizer: args.name.clone(),
            special: args.special,
        },
        dimension,
        pooling: args.mean.then_some(Pooling::Mean),
        max_tokens: args.max_tokens,
    };
    workshop
        .manifest
        .encoders
        .insert(args.name.clone(), encoder);
    workshop.save()?;
    let limits = Limits {
        min_bytes: 1,
        max_bytes: 1000,
        max_tokens: None,
        languages: None,
    };
    let vector = pollster::block_on(open(&args.out)?.embed(
        &args.name,
        Input::Text("one two three"),
        &limits,
    ))?;
    if vector.len() != dimension as usize {
        bail!(
            "the encoder gives {} numbers, not {dimension}",
            vector.len()
        );
    }
    println!("added the encoder \"{}\"", args.name);
    Ok(())
}

#[derive(Args)]
pub struct EmbedArgs {
    /// Rows: .jsonl, .csv, .tsv or .parquet
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    /// The encoder
    #[arg(long, default_value = "static")]
    encoder: String,
    /// The bundle the encoder is taken from
    #[arg(long, default_value = "models")]
    encoders_from: PathBuf,
    /// Where the JSON Lines of {"vector", "label"} go
    #[arg(long)]
    out: PathBuf,
}

/// Writes the encoder's vectors, for training a model elsewhere.
pub fn embed(args: &EmbedArgs) -> Result<()> {
    let rows = args.columns.read(&args.data)?;
    let base = open(&args.encoders_from).context("--encoders-from")?;
    let name = find_encoder(&base, &args.encoder)?.context("--encoder none has no vectors")?;
    let limits = Limits {
        min_bytes: 1,
        max_bytes: u64::MAX,
        max_tokens: None,
        languages: None,
    };
    let vectors = for_all(&rows, "embedding", |row| {
        match pollster::block_on(base.embed(&name, Input::Text(&row.text), &limits)) {
            Ok(vector) => Ok(Some(vector)),
            Err(e) if matches!(e.code(), Code::InputTooShort | Code::InputTooLong) => Ok(None),
            Err(e) => Err(e).with_context(|| format!("line {}", row.line)),
        }
    })?;
    let mut out = BufWriter::new(fs::File::create(&args.out)?);
    let mut written = 0;
    for (row, vector) in rows.iter().zip(vectors) {
        if let Some(vector) = vector {
            serde_json::to_writer(
                &mut out,
                &serde_json::json!({"vector": vector, "label": row.label}),
            )?;
            writeln!(out)?;
            written += 1;
        }
    }
    out.flush()?;
    println!(
        "{written} vectors of \"{name}\" in {}; {} rows are not for the encoder",
        args.out.display(),
        rows.len() - written
    );
    Ok(())
}
