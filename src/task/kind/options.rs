//! What a call may ask for beside the input.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entities::Aggregation;
use super::vectors::Precision;
use crate::error::{Code, Error, Result};
use crate::task::{Pooling, TaskKind};

/// What a call may ask for beside the input. What a kind has no use for is refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KindOptions {
    /// How many candidates to give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Zero-shot classification: the labels to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_labels: Option<Vec<String>>,
    /// Zero-shot classification: the sentence that is held against the text, with `{}` where the label goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypothesis_template: Option<String>,
    /// Zero-shot classification: whether several labels may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_label: Option<bool>,
    /// Token classification: how tokens become entities. Default: simple.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<Aggregation>,
    /// Several labels, objects, lines of text: from which probability on one is given; voices: from which on a window is speech.
    /// Default: 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Voices: below which probability speech ends. Default: 0.15 below the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neg_threshold: Option<f64>,
    /// Voices: what is not longer is no segment, in milliseconds. Default: 250.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_speech_duration_ms: Option<u32>,
    /// Voices: how long a pause must be to end a segment, in milliseconds. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_silence_duration_ms: Option<u32>,
    /// Voices: what is added to both ends of a segment, in milliseconds. Default: 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_pad_ms: Option<u32>,
    /// Voices: longer speech is cut, in seconds. Default: none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_speech_duration_s: Option<f64>,
    /// Feature extraction: how the vectors of a text's tokens become one. Default: as the model's folder says, or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Feature extraction of an image: the model's own vector of the whole image, and not those of its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<bool>,
    /// Feature extraction: whether vectors get length 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
    /// Feature extraction: how numbers are kept. Default: 32-bit floats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Question answering: the most tokens that an answer may have. Default: 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_answer_tokens: Option<u32>,
}

impl KindOptions {
    /// Those that decide which answer is given, and not only what of it is listed: a certificate holds for these alone.
    pub fn of_answers(&self) -> BTreeMap<String, Value> {
        let mut labels = self.candidate_labels.clone();
        if let Some(labels) = &mut labels {
            labels.sort();
        }
        let deciding = KindOptions {
            top_k: None,
            candidate_labels: labels,
            ..self.clone()
        };
        match serde_json::to_value(deciding) {
            Ok(Value::Object(fields)) => fields.into_iter().collect(),
            _ => BTreeMap::new(),
        }
    }

    /// The options with these names and values, as [`KindOptions::of_answers`] gives them.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn of(values: &BTreeMap<String, Value>) -> Result<Self> {
        let fields = values.iter().map(|(name, v)| (name.clone(), v.clone()));
        serde_json::from_value(Value::Object(fields.collect()))
            .map_err(|why| Error::new(Code::InvalidOption, why.to_string()))
    }

    /// The options that were given, by the names that a page knows them by.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("topK", self.top_k.is_some()),
            ("candidateLabels", self.candidate_labels.is_some()),
            ("hypothesisTemplate", self.hypothesis_template.is_some()),
            ("multiLabel", self.multi_label.is_some()),
            ("aggregation", self.aggregation.is_some()),
            ("threshold", self.threshold.is_some()),
            ("negThreshold", self.neg_threshold.is_some()),
            ("minSpeechDurationMs", self.min_speech_duration_ms.is_some()),
            (
                "minSilenceDurationMs",
                self.min_silence_duration_ms.is_some(),
            ),
            ("speechPadMs", self.speech_pad_ms.is_some()),
            ("maxSpeechDurationS", self.max_speech_duration_s.is_some()),
            ("pooling", self.pooling.is_some()),
            ("pool", self.pool.is_some()),
            ("normalize", self.normalize.is_some()),
            ("precision", self.precision.is_some()),
            ("maxAnswerTokens", self.max_answer_tokens.is_some()),
        ];
        all.into_iter()
            .filter_map(|(name, given)| given.then_some(name))
    }

    pub(super) fn check(&self, kind: TaskKind, takes: &[&str]) -> Result<()> {
        let odd = self.given().find(|name| !takes.contains(name));
        if let Some(odd) = odd {
            return Err(Error::new(
                Code::InvalidOption,
                format!(
                    "{} has no option \"{odd}\"; it takes {}",
                    kind.as_str(),
                    match takes {
                        [] => "none".to_owned(),
                        takes => takes.join(", "),
                    }
                ),
            ));
        }
        if self.top_k == Some(0) || self.max_answer_tokens == Some(0) {
            return Err(Error::new(
                Code::InvalidOption,
                "topK and maxAnswerTokens must be at least 1",
            ));
        }
        Ok(())
    }
}
