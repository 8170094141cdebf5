//! `import` of a model that reads rows of a table, as scikit-learn, XGBoost and LightGBM are exported: with an input for each
//! column, or one for all columns side by side.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use smallfirst::bundle::{Column, ColumnKind, Features, Head, ModelOutput, TaskModel, Tiers};
use smallfirst::engine::Session;
use smallfirst::engine::onnx::scores::{keep_scores_alone, labels};
use smallfirst::engine::tensors::{Length, Port, Type};
use smallfirst::task::{InputKind, Label, TaskKind};

use crate::draft::BundleDraft;
use crate::folder::{check_name, open, read};
use crate::import::{ImportArgs, model, scores};
use crate::task_args;

/// The most columns that are named after the one input that they go into.
const MOST_COLUMNS: usize = 1 << 16;

/// A column of a file of columns: all of it, or its name, where the model's input says the rest.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Name(String),
    Column(Column),
}

/// Brings a model of tables into a bundle.
pub fn import(args: &ImportArgs) -> Result<()> {
    let task = args.task()?;
    check_name("--task", task)?;
    let (name, onnx) = model(&args.model)?;
    let session = Session::load(&name, onnx.clone())?;
    let file = args.table.as_ref().and_then(Option::as_ref);
    let columns = match file {
        None => columns_of(session.inputs())?,
        Some(path) => {
            let json = read(path).with_context(|| format!("{} cannot be read", path.display()))?;
            let given: Vec<Given> = serde_json::from_slice(&json).with_context(|| {
                format!(
                    "{} must be a list of names, or of {{\"name\", \"kind\"}}",
                    path.display()
                )
            })?;
            named(given, session.inputs())?
        }
    };
    let mut draft = BundleDraft::open_or_new(&args.out)?;
    if draft.manifest.tasks.contains_key(task) {
        bail!(
            "{} has a task \"{task}\" already; give another --task",
            args.out.display()
        );
    }
    for text in ["LICENSE", "NOTICE"] {
        if let Ok(bytes) = read(&args.model.with_file_name(text)) {
            draft.write(&format!("{task}/{text}"), &bytes)?;
        }
    }
    let count = columns.len();
    let features = Features::Table { columns };
    let path = format!("{task}/model.onnx");
    let given = match args.regression {
        true => {
            draft.put(&path, &onnx, &args.license)?;
            let model = TaskModel {
                boxes: None,
                ocr: None,
                platt: None,
                file: path,
                features,
                max_tokens: None,
                pooling: None,
                normalize: false,
                mask: None,
                output: ModelOutput::Logits,
            };
            draft.manifest.models.insert(task.to_owned(), model);
            let mut entry = args.words.entry(task, InputKind::Table, Vec::new());
            entry.kind = TaskKind::Regression;
            draft.manifest.tasks.insert(task.to_owned(), entry);
            "numbers".to_owned()
        }
        false => classifier(args, (task, &name, &onnx), features, path, &mut draft)?,
    };
    draft.save()?;
    // Loading it shows whether it runs here.
    let runtime = open(&args.out)?;
    pollster::block_on(runtime.preload(Some(&[task.to_owned()]), Tiers::All, || async { Ok(()) }))?;
    println!("imported {name} as the task \"{task}\": {given} of {count} columns");
    if !args.regression {
        println!(
            "nothing is calibrated yet; next: smallfirst calibrate {} --task {task} --data <labelled rows>",
            args.out.display()
        );
    }
    Ok(())
}

/// Adds a model that gives a score for each label. Says what it gives.
fn classifier(
    args: &ImportArgs,
    (task, name, onnx): (&str, &str, &[u8]),
    features: Features,
    path: String,
    draft: &mut BundleDraft,
) -> Result<String> {
    let cut = keep_scores_alone(name, onnx, args.output.as_deref())?;
    let labels: Vec<Label> = match &args.labels {
        Some(given) => task_args::labels(given)?,
        None => {
            let found = labels(name, onnx)?.with_context(|| {
                "--labels is missing, and the model does not name its labels (for numbers, say --regression)"
            })?;
            let label = |id| Label { id, title: None };
            found.into_iter().map(label).collect()
        }
    };
    if let Some(Some(n)) = cut.output.dims.last()
        && *n != labels.len() as i64
    {
        bail!(
            "{name} gives {n} scores, and there are {} labels",
            labels.len()
        );
    }
    let output = scores(args, &cut.output);
    draft.put(&path, &cut.onnx, &args.license)?;
    let head = Head {
        file: path,
        encoder: None,
        features: Some(features),
        output,
        temperature: 1.0,
        correctness: None,
        addend: None,
        ood: None,
        threshold: args.threshold,
    };
    draft.manifest.heads.insert(task.to_owned(), head);
    let entry = args.words.entry(task, InputKind::Table, labels);
    draft.manifest.tasks.insert(task.to_owned(), entry);
    Ok(match output {
        ModelOutput::Probabilities => {
            format!("probabilities from the output \"{}\"", cut.output.name)
        }
        _ => format!("logits from the output \"{}\"", cut.output.name),
    })
}

/// What an input takes.
fn kind(port: &Port) -> ColumnKind {
    match port.ty {
        Some(Type::Text) => ColumnKind::Category,
        _ => ColumnKind::Number,
    }
}

fn column(name: String, kind: ColumnKind, input: Option<&str>) -> Column {
    Column {
        input: input.filter(|input| *input != name).map(str::to_owned),
        name,
        kind,
        categories: None,
        unknown: None,
        missing: None,
    }
}

/// How many columns go into an input.
fn width(port: &Port) -> Result<usize> {
    match port.shape.as_deref() {
        Some([_, Length::Known(width @ 1..=MOST_COLUMNS)]) => Ok(*width),
        _ => bail!(
            "the input \"{}\" does not say how many columns it takes; name them in a file: --table columns.json",
            port.name
        ),
    }
}

/// A column for each input, by its name; of an input for several, by its name and a number from 0 on.
fn columns_of(ports: &[Port]) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    for port in ports {
        match width(port)? {
            1 => columns.push(column(port.name.clone(), kind(port), None)),
            width => columns.extend(
                (0..width)
                    .map(|at| column(format!("{}{at}", port.name), kind(port), Some(&port.name))),
            ),
        }
    }
    Ok(columns)
}

/// The columns of a file. Names alone are of the inputs that are called so, or all of the one input that there is.
fn named(given: Vec<Given>, ports: &[Port]) -> Result<Vec<Column>> {
    let only = match ports {
        [only] => Some(only),
        _ => None,
    };
    let named = given.into_iter().map(|given| match given {
        Given::Column(mut column) => {
            if let (None, Some(only)) =
                (&column.input, only.filter(|only| only.name != column.name))
            {
                column.input = Some(only.name.clone());
            }
            Ok(column)
        }
        Given::Name(name) => {
            let own = ports.iter().find(|port| port.name == name).or(only);
            let own = own.with_context(|| format!("the model has no input \"{name}\""))?;
            Ok(column(name, kind(own), Some(&own.name)))
        }
    });
    named.collect()
}
