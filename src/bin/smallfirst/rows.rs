//! Labelled data from files, and running things over it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use smallfirst::bundle::{Bundle, Column, Features};
use smallfirst::data::{self, Columns, Fingerprints, Row, Rows};
use smallfirst::task::{Input, InputKind, Label, Table, TaskKind};

use crate::folder::read_most;

/// Where a file's text, label and slice are.
#[derive(Args, Clone)]
pub struct ColumnArgs {
    /// The column of the text (or of the file's path, for tasks that read files)
    #[arg(long, default_value = "input")]
    text: String,
    /// The column of the label
    #[arg(long, default_value = "label")]
    label: String,
    /// The column of the slice, a named group that is reported by itself
    #[arg(long)]
    slice: Option<String>,
    /// Go on without the rows that cannot be read; without this, one of them is an error
    #[arg(long)]
    skip_bad_rows: bool,
    /// The columns that the task's first tier reads, of a task that reads rows of a table.
    #[arg(skip)]
    table: OnceLock<Vec<Column>>,
}

impl ColumnArgs {
    /// The rows of a file of inputs that belong to no label, and to no slice.
    pub fn read_out_of_scope(&self, path: &Path) -> Result<Vec<Row>> {
        let mut columns = self.clone();
        columns.slice = None;
        let mut rows = columns.read(path)?;
        rows.iter_mut().for_each(|row| row.label = None);
        Ok(rows)
    }

    /// From now on, files are read for this task: of a task that reads rows of a table, the model's columns are the input.
    pub fn read_for(&self, bundle: &Bundle, task: &str) -> Result<()> {
        let manifest = bundle.manifest();
        let tier = bundle.task(task)?.tiers.first();
        let head = tier.and_then(|tier| manifest.heads.get(tier)?.features.as_ref());
        let model = tier.and_then(|tier| manifest.models.get(tier).map(|model| &model.features));
        if let Some(Features::Table { columns }) = head.or(model) {
            self.table.get_or_init(|| columns.clone());
        }
        Ok(())
    }

    /// The rows of a .jsonl, .csv, .tsv or .parquet file.
    pub fn read(&self, path: &Path) -> Result<Vec<Row>> {
        self.accounted(self.open(path, false)?)
    }

    /// The same, of a task of this kind: where it is not one label of one text, inputs and labels may be JSON's objects and lists,
    /// and stay JSON.
    pub fn read_kind(&self, path: &Path, kind: TaskKind) -> Result<Vec<Row>> {
        self.accounted(self.open(path, kind.has_models())?)
    }

    /// The same, where a row without a label is a bad one.
    pub fn read_labelled(&self, path: &Path) -> Result<Vec<Row>> {
        let mut rows = self.open(path, false)?;
        let reason = format!(
            "there is no \"{}\"; name the label's column with --label, or remove the row",
            self.label
        );
        rows.skip(&reason, |row| row.label.is_none());
        self.accounted(rows)
    }

    fn open(&self, path: &Path, nested: bool) -> Result<Rows> {
        // One byte more than is read shows that there is more.
        let most = data::Limits::default().bytes as u64 + 1;
        let bytes =
            read_most(path, most).with_context(|| format!("{} cannot be read", path.display()))?;
        let columns = Columns {
            nested,
            text: self.text.clone(),
            label: self.label.clone(),
            slice: self.slice.clone(),
        };
        let name = path.display().to_string();
        Ok(match self.table.get() {
            Some(model) => data::read_table(&name, &bytes, model, &columns)?,
            None => data::read(&name, &bytes, &columns)?,
        })
    }

    /// Says how many rows were read, and how many were not. All commands get their rows through this.
    fn accounted(&self, rows: Rows) -> Result<Vec<Row>> {
        eprintln!("{}", rows.summary());
        Ok(match self.skip_bad_rows {
            true => rows.readable()?,
            false => rows.all()?,
        })
    }
}

/// Where each label is in a task's list. A list of many labels is not gone through for every row.
pub fn places(labels: &[Label]) -> HashMap<&str, usize> {
    labels
        .iter()
        .map(|label| label.id.as_str())
        .zip(0..)
        .collect()
}

/// Two texts, as a row has them.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pair {
    #[serde(alias = "question")]
    text: String,
    #[serde(alias = "context")]
    text_pair: String,
}

/// A row's input, with the file's bytes for tasks that read files.
pub fn with_input<T>(row: &Row, kind: InputKind, then: impl FnOnce(Input<'_>) -> T) -> Result<T> {
    match kind {
        InputKind::Text => Ok(then(Input::Text(&row.text))),
        InputKind::Pair => {
            let pair: Pair = serde_json::from_str(&row.text).with_context(|| {
                format!(
                    "line {}: two texts are a JSON object {{\"text\", \"textPair\"}} or {{\"question\", \"context\"}}",
                    row.line
                )
            })?;
            let (text, second) = (&pair.text, &pair.text_pair);
            Ok(then(Input::Pair { text, second }))
        }
        InputKind::Table => {
            let found = serde_json::from_str(&row.text)
                .with_context(|| format!("line {}: a row of a table is a JSON object", row.line))?;
            let table = Table::of_json(found).with_context(|| format!("line {}", row.line))?;
            Ok(then(Input::Table(&table)))
        }
        kind => {
            let path = PathBuf::from(&row.text);
            let bytes = fs::read(&path)
                .with_context(|| format!("line {}: {} cannot be read", row.line, row.text))?;
            if kind == InputKind::Image {
                // With its code, for whoever goes on with other rows.
                let pixels = smallfirst_image::decode(&bytes).map_err(smallfirst::Error::from);
                let pixels = pixels.with_context(|| format!("line {}: {}", row.line, row.text))?;
                return Ok(then(Input::Image(&pixels)));
            }
            if kind == InputKind::Sound {
                let sound = smallfirst_sound::decode(bytes);
                let sound = sound.with_context(|| format!("line {}: {}", row.line, row.text))?;
                let (samples, rate) = (&sound.mixed()[..], sound.rate());
                return Ok(then(Input::Sound { samples, rate }));
            }
            Ok(then(Input::Bytes(&bytes)))
        }
    }
}

/// Keeps so many of the rows, spread evenly: the first ones of a sorted file would be of one kind.
pub fn spread(rows: &mut Vec<Row>, limit: usize) {
    let all = rows.len();
    if limit >= all {
        return;
    }
    let mut at = 0..all;
    rows.retain(|_| {
        let at = at.next().unwrap_or(0);
        (at + 1) * limit / all > at * limit / all
    });
}

/// Fingerprints of the rows' texts.
pub fn fingerprints(rows: &[Row]) -> Fingerprints {
    Fingerprints::new(rows.iter().map(|row| row.text.as_str()))
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
    println!(
        "{name}: {} of {of} rows are in the training data and {} nearly so (lines {}, ...); scores on them are too good",
        overlap.exact.len(),
        overlap.near.len(),
        first_lines(found.map(|(at, _)| line(*at)))
    );
}

/// The first few of some lines' numbers.
pub fn first_lines(lines: impl Iterator<Item = usize>) -> String {
    let lines: Vec<String> = lines.take(5).map(|line| line.to_string()).collect();
    lines.join(", ")
}

/// The file's name up to the first dot.
pub fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or("task").to_owned()
}

/// A bar of `n` steps, on a terminal only.
pub fn bar(n: usize, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:24} {bar:40} {pos}/{len} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(n as u64)
        .with_style(style)
        .with_message(what.to_owned())
}

/// Does `work` for every item on all cores, with a progress bar; results keep the items' order.
pub fn for_all<T: Sync, R: Send>(
    items: &[T],
    what: &str,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let bar = bar(items.len(), what);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<R>)>> = Mutex::new(Vec::with_capacity(items.len()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(item);
                    let failed = result.is_err();
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((at, result));
                    bar.inc(1);
                    if failed {
                        // The others need not go on.
                        next.store(items.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
