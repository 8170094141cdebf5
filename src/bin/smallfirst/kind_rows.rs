//! Labelled rows of tasks that give something else than one label: what is right, what the models gave, and what that costs.

use anyhow::{Context, Result, bail};
use smallfirst::Code;
use smallfirst::calibrate::{Stated, StatedRow};
use smallfirst::data::Row;
use smallfirst::remote::OfflineHost;
use smallfirst::runtime::{KindCall, Runtime};
use smallfirst::task::kind::{KindOptions, KindOutput, Made, Truth, loss, losses};
use smallfirst::task::{Input, Loss};

use crate::folder::{Folder, Stopwatch};
use crate::rows::{for_all, with_input};

/// How a task's answers are made and judged.
pub struct Judge<'a> {
    pub runtime: &'a Runtime<Folder>,
    pub task: &'a str,
    pub options: KindOptions,
    pub loss: Loss,
}

/// What one row's models gave, beside what is right.
pub struct JudgedRow {
    pub truth: Truth,
    /// One a tier; nothing where it gave no answer.
    pub outputs: Vec<Option<(KindOutput, f64)>>,
}

impl<'a> Judge<'a> {
    /// The usual loss, or the one that is wanted.
    pub fn new(
        runtime: &'a Runtime<Folder>,
        task: &'a str,
        wanted: Option<Loss>,
        options: Option<&str>,
    ) -> Result<Self> {
        let kind = runtime.bundle().task(task)?.kind;
        let known = losses(kind);
        let loss = match (wanted, known.first()) {
            (_, None) => bail!(
                "the task \"{task}\" is of the kind {}, whose answers nothing grades yet",
                kind.as_str()
            ),
            (None, Some(usual)) => *usual,
            (Some(wanted), _) if known.contains(&wanted) => wanted,
            (Some(wanted), _) => {
                let known: Vec<&str> = known.iter().map(|loss| loss.as_str()).collect();
                bail!(
                    "{} has no loss \"{}\"; it has {}",
                    kind.as_str(),
                    wanted.as_str(),
                    known.join(", ")
                )
            }
        };
        let options = match options {
            None => KindOptions::default(),
            Some(json) => serde_json::from_str(json)
                .with_context(|| format!("--options is no JSON object of options: {json}"))?,
        };
        Ok(Judge {
            runtime,
            task,
            options,
            loss,
        })
    }

    /// Runs all models over the rows.
    pub fn rows(&self, rows: &[Row], what: &str) -> Result<Vec<JudgedRow>> {
        for_all(rows, what, |row| self.row(row))
    }

    fn row(&self, row: &Row) -> Result<JudgedRow> {
        let entry = self.runtime.bundle().task(self.task)?;
        let said = row.label.as_deref().with_context(|| {
            format!(
                "line {}: the row does not say what is right; name the column with --label",
                row.line
            )
        })?;
        let at_line = || format!("line {}", row.line);
        with_input(row, entry.input, |input| {
            let truth = Truth::read(entry.kind, &entry.labels, input, said)
                .map_err(anyhow::Error::msg)
                .with_context(at_line)?;
            let outputs = (0..entry.tiers.len()).map(|tier| self.made(input, tier));
            let outputs: Result<Vec<_>> = outputs.collect();
            Ok(JudgedRow {
                truth,
                outputs: outputs.with_context(at_line)?,
            })
        })?
    }

    /// What one model gives; nothing where it does not take the input.
    fn made(&self, input: Input<'_>, tier: usize) -> Result<Option<(KindOutput, f64)>> {
        let call = KindCall {
            task: self.task,
            input,
            mode: None,
            risk: None,
            dry: true,
            options: self.options.clone(),
        };
        let host = OfflineHost(Stopwatch::start());
        match pollster::block_on(self.runtime.measure_kind(&call, tier, &host)) {
            Ok(Made { output, confidence }) => {
                let stated = confidence.context("the kind states no probability")?;
                Ok(Some((output, stated)))
            }
            Err(error) if matches!(error.code(), Code::InputTooLong | Code::InputTooShort) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The rows with what each answer costs.
    pub fn stated(&self, rows: &[JudgedRow]) -> Result<Vec<StatedRow>> {
        let tier = |truth: &Truth, output: &Option<(KindOutput, f64)>| {
            let Some((output, probability)) = output else {
                return Ok(None);
            };
            Ok(Some(Stated {
                probability: *probability,
                loss: loss(output, truth, self.loss)?,
            }))
        };
        rows.iter()
            .map(|row| row.outputs.iter().map(|o| tier(&row.truth, o)).collect())
            .collect()
    }
}
