//! What a remote is asked for in place of a model: the shape of its answer in words and as a JSON schema, and the same output, read
//! from its reply and held against the input.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::options::KindOptions;
use super::output::KindOutput;
use super::{answering, detection, entities, labels, ocr, voice, zero_shot};
use crate::error::{Code, Error, Result};
use crate::task::{Choice, Input, Label, TaskKind, choice_rules, json_of, output_schema};

/// A task of some kind, as a remote is asked to do it.
#[derive(Debug, Clone, Copy)]
pub struct Form<'a> {
    kind: TaskKind,
    labels: &'a [Label],
    input: Input<'a>,
    options: &'a KindOptions,
}

impl<'a> Form<'a> {
    /// The form of a call.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when remotes are not asked about tasks of this kind, or about what is asked for.
    pub fn new(
        kind: TaskKind,
        labels: &'a [Label],
        input: Input<'a>,
        options: &'a KindOptions,
    ) -> Result<Self> {
        if !is_for_remotes(kind, options) {
            return Err(Error::new(
                Code::InvalidOption,
                format!(
                    "{} is what a model of this device gives in its own numbers; no remote is asked for it",
                    match options.multi_label {
                        Some(true) => "multiLabel, a probability of each label,",
                        _ => kind.as_str(),
                    }
                ),
            ));
        }
        if kind == TaskKind::ZeroShotClassification {
            zero_shot::check(options.candidate_labels.as_deref().unwrap_or_default())?;
        }
        Ok(Form {
            kind,
            labels,
            input,
            options,
        })
    }

    fn candidates(&self) -> &[String] {
        self.options.candidate_labels.as_deref().unwrap_or_default()
    }

    /// What the remote is told of the shape of its answer.
    pub fn rules(&self) -> String {
        match self.kind {
            TaskKind::MultiLabel => labels::rules(self.labels),
            TaskKind::TokenClassification => entities::rules(self.labels),
            TaskKind::ZeroShotClassification => {
                choice_rules(&zero_shot::choices(self.candidates()))
            }
            TaskKind::ObjectDetection => detection::rules(self.labels),
            TaskKind::Ocr => ocr::rules(),
            TaskKind::VoiceActivityDetection => voice::RULES.to_owned(),
            _ => answering::RULES.to_owned(),
        }
    }

    /// The input, as the remote is told it.
    pub fn text(&self) -> String {
        match self.input {
            Input::Text(text) => text.to_owned(),
            Input::Pair { text, second } if self.kind == TaskKind::QuestionAnswering => {
                format!("Question: {text}\n\nText: {second}")
            }
            Input::Pair { text, second } => format!("{text}\n\n{second}"),
            Input::Image(_) => "The image is attached.".to_owned(),
            Input::Sound { samples, rate } => {
                let seconds = seconds(samples, rate);
                format!("The sound is attached. It has {seconds:.1} seconds.")
            }
            Input::Bytes(_) | Input::Table(_) => String::new(),
        }
    }

    /// The JSON schema (2020-12, in the subset that strict structured output accepts) of its answer.
    pub fn schema(&self) -> Value {
        match self.kind {
            TaskKind::MultiLabel => labels::schema(self.labels),
            TaskKind::TokenClassification => entities::schema(self.labels),
            TaskKind::ZeroShotClassification => {
                output_schema(&zero_shot::choices(self.candidates()))
            }
            TaskKind::ObjectDetection => detection::schema(self.labels),
            TaskKind::Ocr => ocr::schema(),
            TaskKind::VoiceActivityDetection => voice::schema(),
            _ => answering::schema(),
        }
    }

    /// The JSON in its reply, of the right shape, but not yet held against the input: personal data may still be missing in it.
    ///
    /// # Errors
    /// [`Code::RemoteBadResponse`] when there is none.
    pub fn find(&self, reply: &str) -> Result<Value> {
        match self.kind {
            TaskKind::MultiLabel => found::<labels::Reply>(reply),
            TaskKind::TokenClassification => found::<entities::Reply>(reply),
            TaskKind::ZeroShotClassification => found::<Choice>(reply),
            TaskKind::ObjectDetection => found::<detection::Reply>(reply),
            TaskKind::Ocr => found::<ocr::Reply>(reply),
            TaskKind::VoiceActivityDetection => found::<voice::Reply>(reply),
            _ => found::<answering::Reply>(reply),
        }
    }

    /// Reads its answer.
    ///
    /// # Errors
    /// [`Code::RemoteBadResponse`] when it is not of that shape, or names what is not there.
    pub fn read(&self, reply: &str) -> Result<KindOutput> {
        Ok(match (self.kind, self.input) {
            (TaskKind::MultiLabel, _) => KindOutput::Labels(labels::read(reply, self.labels)?),
            (TaskKind::TokenClassification, Input::Text(text)) => {
                KindOutput::Tokens(entities::read(reply, text, self.labels)?)
            }
            (TaskKind::QuestionAnswering, Input::Pair { second, .. }) => {
                KindOutput::Question(answering::read(reply, second)?)
            }
            (TaskKind::ZeroShotClassification, _) => {
                KindOutput::Label(zero_shot::read(reply, self.candidates())?)
            }
            (TaskKind::ObjectDetection, Input::Image(pixels)) => {
                let top = self.options.top_k.map(|k| k as usize);
                KindOutput::Objects(detection::read(reply, pixels, self.labels, top)?)
            }
            (TaskKind::Ocr, Input::Image(pixels)) => KindOutput::Read(ocr::read(reply, pixels)?),
            (TaskKind::VoiceActivityDetection, Input::Sound { samples, rate }) => {
                KindOutput::Voice(voice::read(reply, seconds(samples, rate))?)
            }
            (kind, input) => {
                let (kind, given) = (kind.as_str(), input.kind().as_str());
                let why = format!("{kind} does not read {given}");
                return Err(Error::new(Code::InputKind, why));
            }
        })
    }
}

/// How long a sound lasts.
fn seconds(samples: &[f32], rate: u32) -> f64 {
    samples.len() as f64 / f64::from(rate.max(1))
}

fn found<T: DeserializeOwned + Serialize + PartialEq>(reply: &str) -> Result<Value> {
    let shape: T = json_of(reply)?;
    serde_json::to_value(shape).map_err(|e| Error::new(Code::Internal, e.to_string()))
}

/// Whether a remote can give the output of a kind. Vectors, words with a model's own token numbers, and a probability of each label
/// are one model's alone.
pub fn is_for_remotes(kind: TaskKind, options: &KindOptions) -> bool {
    match kind {
        TaskKind::MultiLabel
        | TaskKind::TokenClassification
        | TaskKind::QuestionAnswering
        | TaskKind::ObjectDetection
        | TaskKind::Ocr
        | TaskKind::VoiceActivityDetection => true,
        TaskKind::ZeroShotClassification => options.multi_label != Some(true),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
