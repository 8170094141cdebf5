//! What a remote says of labelled rows: read from a file, or asked now.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use smallfirst::data::Row;
use smallfirst::evaluate::RemoteOutcome;
use smallfirst::host::Clock;
use smallfirst::remote::{
    AnswerCache, Question, Remote, RemoteOptions, ResponseFormat, Trace, Unnamed,
};
use smallfirst::runtime::Runtime;
use smallfirst::task::Input;

use crate::folder::Folder;
use crate::http::Http;
use crate::rows::{bar, places};

#[derive(Args)]
pub struct RemoteArgs {
    /// The remote's answers: JSON Lines of {"label", "ms", "tokens"}, one for each row of --data in order. A line may have
    /// the row's "input", which is then compared; a label of null stands for no answer
    #[arg(long, visible_alias = "against-remote")]
    remote_answers: Option<PathBuf>,
    /// Ask this remote about every row: its address up to and without the provider's path
    #[arg(long, conflicts_with = "remote_answers", requires = "remote_model")]
    remote: Option<String>,
    /// The model's name there
    #[arg(long)]
    remote_model: Option<String>,
    /// The wire format it speaks
    #[arg(long, default_value = "openai")]
    remote_provider: String,
    /// Write what the remote answers as JSON Lines, to be given as --remote-answers
    #[arg(long, requires = "remote")]
    record: Option<PathBuf>,
}

/// One line of --remote-answers.
#[derive(Serialize, Deserialize)]
pub struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    pub label: Option<String>,
    #[serde(default)]
    pub ms: f64,
    #[serde(default)]
    pub tokens: u64,
}

impl RemoteArgs {
    /// Whether a remote is named.
    pub fn given(&self) -> bool {
        self.remote_answers.is_some() || self.remote.is_some()
    }

    /// The remote's model, which whatever is made of its answers must name.
    ///
    /// # Errors
    /// Where it is not given.
    pub fn model(&self) -> Result<&str> {
        let model = self.remote_model.as_deref();
        model.context("--remote-model: name the model whose answers these are")
    }

    /// What the remote makes of each row, in their order; nothing where no remote is named.
    pub fn outcomes(
        &self,
        runtime: &Runtime<Folder>,
        task: &str,
        rows: &[Row],
    ) -> Result<Vec<RemoteOutcome>> {
        match (&self.remote_answers, &self.remote) {
            (Some(path), _) => read(path, runtime, task, rows),
            (None, Some(address)) => self.ask(address, runtime, task, rows),
            (None, None) => Ok(Vec::new()),
        }
    }

    fn ask(
        &self,
        address: &str,
        runtime: &Runtime<Folder>,
        task: &str,
        rows: &[Row],
    ) -> Result<Vec<RemoteOutcome>> {
        let entry = runtime.bundle().task(task)?;
        let places = places(&entry.labels);
        let endpoint = serde_json::from_value(serde_json::json!({
            "provider": self.remote_provider, "baseUrl": address, "model": self.model()?,
        }))
        .with_context(|| format!("--remote-provider {}", self.remote_provider))?;
        let remote = Remote::new(RemoteOptions {
            endpoints: vec![endpoint],
            // Every row is measured by itself.
            answer_cache: AnswerCache {
                entries: 0,
                ..AnswerCache::default()
            },
            ..RemoteOptions::default()
        })?;
        let host = Http::new();
        let mut record = match &self.record {
            None => None,
            Some(path) => Some(BufWriter::new(
                File::create(path).with_context(|| path.display().to_string())?,
            )),
        };
        let bar = bar(rows.len(), "asking the remote");
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            let question = Question {
                bundled: true,
                task,
                instruction: &entry.instruction,
                input: Input::Text(&row.text),
                wanted: ResponseFormat::Choice(&entry.labels),
            };
            let started = host.now_ms();
            let trace = Trace::default();
            let reply = pollster::block_on(remote.ask(&question, &Unnamed, &host, &trace));
            bar.inc(1);
            let ms = host.now_ms() - started;
            let (label, tokens) = match reply {
                Ok(reply) => (
                    reply.output.map(|output| output.label),
                    reply.usage.map_or(0, |u| u.input_tokens + u.output_tokens),
                ),
                Err(error) => {
                    bar.println(format!("line {}: {error}", row.line));
                    (None, 0)
                }
            };
            outcomes.push(RemoteOutcome {
                label: label
                    .as_deref()
                    .and_then(|label| places.get(label).copied()),
                milliseconds: ms,
                tokens,
            });
            if let Some(record) = &mut record {
                let line = Line {
                    input: Some(row.text.clone()),
                    label,
                    ms: ms.round(),
                    tokens,
                };
                // Line by line, so that a run that is broken off leaves what it paid for.
                serde_json::to_writer(&mut *record, &line)?;
                writeln!(record)?;
                record.flush()?;
            }
        }
        bar.finish_and_clear();
        Ok(outcomes)
    }
}

/// Reads the remote's answers to `rows`.
pub fn read(
    path: &Path,
    runtime: &Runtime<Folder>,
    task: &str,
    rows: &[Row],
) -> Result<Vec<RemoteOutcome>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let places = places(&runtime.bundle().task(task)?.labels);
    parse(&text, rows, |label| places.get(label).copied())
        .with_context(|| path.display().to_string())
}

fn parse(
    text: &str,
    rows: &[Row],
    place: impl Fn(&str) -> Option<usize>,
) -> Result<Vec<RemoteOutcome>> {
    let lines: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    if lines.len() != rows.len() {
        bail!(
            "{} answers for {} rows; give one for each labelled row of the data, in the same order",
            lines.len(),
            rows.len()
        );
    }
    let outcomes = lines.into_iter().zip(rows).map(|((at, line), row)| {
        let line: Line = serde_json::from_str(line).with_context(|| format!("line {}", at + 1))?;
        if line.input.as_ref().is_some_and(|input| *input != row.text) {
            bail!(
                "line {}: the answer is to another input than that of line {} of the data",
                at + 1,
                row.line
            );
        }
        Ok(RemoteOutcome {
            label: line.label.as_deref().and_then(&place),
            milliseconds: line.ms,
            tokens: line.tokens,
        })
    });
    outcomes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |(at, text): (usize, &str)| Row {
            line: at + 1,
            text: text.to_owned(),
            label: Some("a".to_owned()),
            slice: None,
        };
        ["one", "two"].into_iter().enumerate().map(row).collect()
    }

    fn read(text: &str) -> Result<Vec<Option<usize>>> {
        let place = |label: &str| ["a", "b"].iter().position(|l| *l == label);
        let outcomes = parse(text, &rows(), place)?;
        Ok(outcomes.into_iter().map(|outcome| outcome.label).collect())
    }

    #[test]
    fn answers_stand_in_the_rows_order() {
        let plain = "{\"label\": \"b\"}\n\n{\"label\": null, \"ms\": 4, \"tokens\": 5}\n";
        assert_eq!(read(plain).unwrap(), [Some(1), None]);
        // A label that the task does not have is a wrong answer.
        let other =
            "{\"label\": \"c\", \"input\": \"one\"}\n{\"label\": \"a\", \"input\": \"two\"}";
        assert_eq!(read(other).unwrap(), [None, Some(0)]);
    }

    #[test]
    fn answers_that_do_not_fit_the_rows_are_refused() {
        for (text, told) in [
            ("", "0 answers for 2 rows"),
            ("{\"label\": \"a\"}", "1 answers for 2 rows"),
            (
                "{\"label\": \"a\"}\n{\"label\": \"a\"}\n{\"label\": \"a\"}",
                "3 answers for 2 rows",
            ),
            ("{\"label\": \"a\"}\n{\"lable\": 1", "line 2"),
            (
                "{\"label\": \"a\", \"input\": \"two\"}\n{\"label\": \"a\"}",
                "another input",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(format!("{error:#}").contains(told), "{error:#}");
        }
    }
}
