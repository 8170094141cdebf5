//! A task of the caller's own: a head on one of the bundle's frozen encoders, trained from labelled texts, and a bundle of it.

mod report;
mod rows;
mod usable;

use std::collections::BTreeMap;
use std::future::Future;

use sha2::{Digest, Sha256};

use super::Runtime;
use crate::bundle::{
    Encoder, FORMAT, FORMAT_VERSION, Features, FileEntry, Guarantee, Head, Limits, Manifest,
    ModelOutput, Source, TaskEntry, check_path, hex,
};
use crate::calibrate::InputSize;
use crate::data::Fingerprints;
use crate::error::{Code, Error, Result, excerpt};
use crate::task::{Input, InputKind, Label, TaskKind};
use crate::train::{Fitted, Options, TaskFit, fit_task};
use report::report;
pub use report::{
    LabelRows, RowsTold, TrainedBundle, TrainedCertificate, TrainingAccuracy, TrainingReport,
};
pub use rows::{Example, Examples, TrainingOptions};
use rows::{check, rows};
use usable::{Usable, data};

/// The most labels.
const MOST_LABELS: usize = 1000;

/// After so many texts others may have a turn.
const TURN: usize = 64;

/// The longest input of such a task, in bytes.
const MAX_BYTES: u64 = 262_144;

/// The error rates that are tried.
const RISKS: [f64; 5] = [0.01, 0.02, 0.05, 0.1, 0.2];

impl<S: Source> Runtime<S> {
    /// Trains a task of this name on labelled texts. `between` is awaited now and then and may stop the work.
    ///
    /// # Errors
    /// [`Code::InvalidOption`]; [`Code::InvalidData`] where the rows cannot be learnt from: in which row, how, and what to do; or why
    /// the encoder could not be loaded.
    pub async fn train<F>(
        &self,
        task: &str,
        examples: Examples,
        options: &TrainingOptions,
        between: impl Fn() -> F,
    ) -> Result<TrainedBundle>
    where
        F: Future<Output = Result<()>>,
    {
        if task.len() > 64 || task.contains('/') || check_path(task).is_err() {
            return Err(wrong(format!(
                "the task's name \"{}\" must have 1 to 64 letters, digits, '.', '-' and '_'",
                excerpt(task, 60)
            )));
        }
        let risks = risks(options)?;
        let encoder = self.encoder_for(options)?;
        let mut left_out = RowsTold::default();
        let rows = rows(examples, options, &mut left_out)?;
        let limits = limits();
        let (mut usable, contradictions) = self
            .usable(&encoder, &limits, rows, &mut left_out, &between)
            .await?;
        usable.groups = Fingerprints::new(usable.texts.iter().map(String::as_str)).groups();
        check(&usable, &left_out)?;
        between().await?;
        let training = Options {
            balanced: options.balanced.unwrap_or_default(),
            ..Options::default()
        };
        let fitted = fit_task(
            &Fitted {
                vectors: &usable.vectors,
                width: usable.width,
                labels: &usable.classes,
                classes: usable.labels.len(),
                groups: &usable.groups,
                sizes: &usable.sizes,
                risks: &risks,
                delta: DELTA,
            },
            &training,
        )?;
        let report = report(task, &encoder, &usable, &fitted, left_out, contradictions);
        let files = self
            .bundle_of(task, &encoder, &usable, fitted, options)
            .await?;
        Ok(TrainedBundle { report, files })
    }

    /// The encoder that is named, or the smallest one.
    fn encoder_for(&self, options: &TrainingOptions) -> Result<String> {
        let manifest = self.bundle.manifest();
        let reads_text = |encoder: &Encoder| matches!(encoder.features, Features::Tokens { .. });
        let texts = manifest.encoders.iter().filter(|(_, e)| reads_text(e));
        let names = || {
            let names: Vec<&str> = manifest.encoders.keys().map(String::as_str).collect();
            names.join(", ")
        };
        let none = |what: String| Error::new(Code::InvalidOption, format!("train: {what}"));
        match &options.encoder {
            Some(name) => match texts.into_iter().find(|(known, _)| *known == name) {
                Some((name, _)) => Ok(name.clone()),
                None => Err(none(format!(
                    "the bundle has no encoder of texts \"{}\"; it has {}",
                    excerpt(name, 60),
                    names()
                ))),
            },
            None => {
                let bytes = |encoder: &Encoder| {
                    let file = manifest.files.get(&encoder.file);
                    file.map_or(u64::MAX, |file| file.bytes)
                };
                let smallest = texts.min_by_key(|(_, encoder)| bytes(encoder));
                smallest.map(|(name, _)| name.clone()).ok_or_else(|| {
                    none("the bundle has no encoder of texts to learn from".to_owned())
                })
            }
        }
    }

    /// The vectors of the rows that the encoder takes, and the rows that contradict others.
    async fn usable<F>(
        &self,
        encoder: &str,
        limits: &Limits,
        rows: Vec<(usize, Example)>,
        left_out: &mut RowsTold,
        between: &impl Fn() -> F,
    ) -> Result<(Usable, RowsTold)>
    where
        F: Future<Output = Result<()>>,
    {
        let mut names: Vec<String> = rows.iter().map(|(_, row)| row.label.clone()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > MOST_LABELS {
            return Err(data(format!(
                "there are {} labels, and the most is {MOST_LABELS}; is the right column taken for them?",
                names.len()
            )));
        }
        let mut usable = Usable {
            texts: Vec::with_capacity(rows.len()),
            vectors: Vec::new(),
            width: 0,
            classes: Vec::new(),
            labels: names,
            sizes: Vec::new(),
            groups: Vec::new(),
        };
        let mut contradictions = RowsTold::default();
        let mut said: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for (at, (row, example)) in rows.into_iter().enumerate() {
            if at % TURN == 0 {
                between().await?;
            }
            let Example { text, label } = example;
            let input = Input::Text(&text);
            let vector = match self.embed(encoder, input, limits).await {
                Ok(vector) => vector,
                Err(e) if matches!(e.code(), Code::InputTooShort | Code::InputTooLong) => {
                    left_out.add(|| format!("row {row}: {e}"));
                    continue;
                }
                Err(e) => return Err(e),
            };
            match said.get(&text) {
                Some((first, other)) if *other != label => contradictions.add(|| {
                    format!(
                        "row {row} says \"{}\" of the text of row {first}, which says \"{}\": {}",
                        excerpt(&label, 40),
                        excerpt(other, 40),
                        excerpt(&text, 60)
                    )
                }),
                Some(_) => {}
                None => {
                    said.insert(text.clone(), (row, label.clone()));
                }
            }
            let class = usable.labels.binary_search(&label).unwrap_or_default();
            usable.width = vector.len();
            usable.sizes.push(InputSize::of(input));
            usable.vectors.extend(vector);
            usable.classes.push(class as u32);
            usable.texts.push(text);
        }
        Ok((usable, contradictions))
    }

    /// The files of a bundle with this task alone.
    async fn bundle_of(
        &self,
        task: &str,
        encoder: &str,
        usable: &Usable,
        fitted: TaskFit,
        options: &TrainingOptions,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let from = self.bundle.manifest();
        let missing = |what: &str| Error::new(Code::BundleInvalid, format!("{what} is not there"));
        let described = from.encoders.get(encoder).ok_or_else(|| missing(encoder))?;
        let mut paths = vec![described.file.clone()];
        let mut tokenizers = BTreeMap::new();
        if let Features::Tokens { tokenizer, .. } = &described.features {
            let known = from.tokenizers.get(tokenizer);
            let known = known.ok_or_else(|| missing(tokenizer))?;
            paths.push(known.file.clone());
            tokenizers.insert(tokenizer.clone(), known.clone());
        }
        // What says where the encoder comes from, and under which licence.
        if let Some((folder, _)) = described.file.rsplit_once('/') {
            let card = format!("{folder}/README.md");
            paths.extend(from.files.contains_key(&card).then_some(card));
        }
        let mut files = BTreeMap::new();
        let mut entries = BTreeMap::new();
        for path in paths {
            let bytes = self.models.file(&self.bundle, &path).await?;
            let entry = from.files.get(&path).ok_or_else(|| missing(&path))?;
            entries.insert(path.clone(), entry.clone());
            files.insert(path, bytes);
        }
        let head = format!("{task}.head/head.sfm");
        let license = options.license.clone();
        entries.insert(
            head.clone(),
            FileEntry {
                bytes: fitted.head.len() as u64,
                sha256: hex(&Sha256::digest(&fitted.head)),
                license: license.unwrap_or_else(|| "LicenseRef-unstated".into()),
                prepared_from: None,
                weights: None,
            },
        );
        files.insert(head.clone(), fitted.head);
        let guarantee = (fitted.certified_on > 0).then(|| Guarantee {
            delta: DELTA,
            loss: None,
            options: BTreeMap::new(),
            default_risk: fitted.default_risk,
            rows: fitted.certified_on as u64,
            out_of_scope: 0,
            out_of_scope_share: None,
            per_slice: false,
            certificates: fitted.certificates,
            final_rows: None,
            uses: Some(1),
            design_effects: None,
            reference: fitted.reference,
            against_remote: None,
        });
        let label = |id: &String| Label {
            id: id.clone(),
            title: None,
        };
        let title = options.title.clone();
        let instruction = options.instruction.clone();
        let entry = TaskEntry {
            kind: TaskKind::Classify,
            input: InputKind::Text,
            title: title.unwrap_or_else(|| task.to_owned()),
            instruction: instruction
                .unwrap_or_else(|| format!("Classify the input for the task \"{task}\".")),
            labels: usable.labels.iter().map(label).collect(),
            limits: limits(),
            tiers: vec![task.to_owned()],
            prompt: None,
            extract: None,
            card: None,
            evaluation: None,
            guarantee,
        };
        let mut manifest = Manifest {
            format: FORMAT.into(),
            version: FORMAT_VERSION,
            name: task.to_owned(),
            revision: String::new(),
            files: entries,
            tokenizers,
            encoders: BTreeMap::from([(encoder.to_owned(), described.clone())]),
            tagger: None,
            heads: BTreeMap::from([(
                task.to_owned(),
                Head {
                    file: head,
                    encoder: Some(encoder.to_owned()),
                    features: None,
                    output: ModelOutput::Logits,
                    temperature: fitted.temperature,
                    addend: None,
                    ood: None,
                    correctness: None,
                    threshold: None,
                },
            )]),
            models: BTreeMap::new(),
            tasks: BTreeMap::from([(task.to_owned(), entry)]),
        };
        files.insert("manifest.json".into(), manifest.written()?);
        Ok(files)
    }
}

/// The chance, over calibration samples, that a certificate does not hold.
const DELTA: f64 = 0.05;

fn limits() -> Limits {
    Limits {
        min_bytes: 1,
        max_bytes: MAX_BYTES,
        max_tokens: None,
        languages: None,
    }
}

fn risks(options: &TrainingOptions) -> Result<Vec<f64>> {
    let mut risks = options.risks.clone().unwrap_or_else(|| RISKS.to_vec());
    if risks.is_empty() || !risks.iter().all(|risk| *risk > 0.0 && *risk < 1.0) {
        return Err(wrong("risks must be above 0 and below 1".into()));
    }
    risks.sort_by(f64::total_cmp);
    risks.dedup();
    Ok(risks)
}

fn wrong(what: String) -> Error {
    Error::new(Code::InvalidOption, format!("train: {what}"))
}

#[cfg(test)]
mod tests;
