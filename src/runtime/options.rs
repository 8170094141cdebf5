//! The options that a page gives: what the runtime reads of them, strictly, and what it makes of them. Their TypeScript types
//! and lists of names are generated from these types.

mod given;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use super::generate::TextCall;
#[cfg(feature = "onnx")]
use super::kinds::KindCall;
use super::monitors::OnDrift;
use super::path::Call;
use crate::bundle::MAX_BUNDLE_BYTES;
#[cfg(feature = "onnx")]
use crate::bundle::folder::Dtype;
use crate::error::option_fault::option_fault;
use crate::error::{Code, Error, Result};
use crate::neighbours::LearnOptions;
use crate::remote::{Message, RemoteOptions, Turn};
use crate::route::Mode;
#[cfg(feature = "onnx")]
use crate::task::Pooling;
#[cfg(feature = "onnx")]
use crate::task::kind::{Aggregation, KindOptions, Precision};
use crate::task::{Input, Label, risk};

/// What a runtime is made with. All but the bundle may be left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuntimeOptions {
    /// The manifest's absolute address.
    pub bundle: String,
    /// Who may answer, and who is asked first. Default: `"prefer-local"`.
    pub mode: Option<Mode>,
    /// The error rate allowed among locally given answers, above 0 and below 1, for example 0.05. Default: each task's
    /// own. A task without a certificate for it escalates.
    #[serde(default, deserialize_with = "risk::optional")]
    pub risk: Option<f64>,
    /// In place of `risk`: how many more of the locally given answers may be wrong than the remote would have wrong, as a
    /// share, for example 0.02. A task whose calibration knew no remote's answers escalates.
    #[serde(default, deserialize_with = "risk::optional")]
    pub excess_risk: Option<f64>,
    /// How much likelier to be right than the best local answer a remote must be to be asked, by its profile or by audits of
    /// its answers, as a difference of probabilities from 0 to 1. Default: 0.
    pub worth: Option<f64>,
    /// The share of the surest guaranteed answers that are drawn to be audited, 0.01 to 1; of the least sure ones, up to
    /// eight times as many are. Of a remote's answers with a local one beside them, this share is drawn. Default: 0.1.
    pub audit_share: Option<f64>,
    /// What an alarm about inputs does beside being reported: with `"stop"` it ends the task's guarantee. Default:
    /// `"report"`.
    pub on_drift: Option<OnDrift>,
    /// The remotes.
    #[cfg_attr(test, ts(optional, type = "Partial<RuntimeRemote>"))]
    pub remote: Option<RemoteOptions>,
    /// How examples are made of what remotes answer. Default: none are.
    #[cfg_attr(test, ts(optional, type = "Partial<LearnOptions>"))]
    pub learn: Option<LearnOptions>,
    /// The manifest's SHA-256 (hex). With it, nothing but this very bundle is accepted (`hash_mismatch`).
    pub manifest_sha256: Option<String>,
    /// The most bytes the bundle may have. Default: 256 MiB.
    pub max_bundle_bytes: Option<f64>,
    /// What is wanted of a folder without a manifest, as Hugging Face's tools write them.
    #[cfg(feature = "onnx")]
    #[cfg_attr(test, ts(optional, type = "Partial<FolderOptions>"))]
    pub folder: Option<FolderOptions>,
}

/// What is wanted of a folder without a manifest.
#[cfg(feature = "onnx")]
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FolderOptions {
    /// The task, by transformers' name, for example `"feature-extraction"`. Default: what the model was made for.
    pub task: Option<String>,
    /// Which of the folder's weights: those of `onnx/model_quantized.onnx` are `"q8"`, of `onnx/model.onnx` `"fp32"`. Default: the
    /// first there are of q8, int8, uint8, q4, fp16, fp32.
    pub dtype: Option<Dtype>,
}

impl RuntimeOptions {
    /// The most bytes that the bundle may have.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn max_bundle_bytes(&self) -> Result<u64> {
        match self.max_bundle_bytes {
            None => Ok(MAX_BUNDLE_BYTES),
            Some(bytes) if bytes >= 1.0 => Ok(bytes as u64),
            Some(_) => Err(Error::new(
                Code::InvalidOption,
                "maxBundleBytes must be at least 1",
            )),
        }
    }
}

/// How a label is asked for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(rename = "RuntimeRunOptions", optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunOptions {
    /// Overrides the instance's mode for this call.
    pub mode: Option<Mode>,
    /// Overrides the instance's risk for this call.
    #[serde(default, deserialize_with = "risk::optional")]
    pub risk: Option<f64>,
    /// Overrides the instance's risk for this call, by one against the remote.
    #[serde(default, deserialize_with = "risk::optional")]
    pub excess_risk: Option<f64>,
    /// How many labels `output.scores` lists. Default: 5. Of objects, how many are given: all that are found.
    pub top_k: Option<u32>,
    /// For a task the bundle does not have: the labels the remote may choose from.
    pub labels: Option<Vec<String>>,
    /// For a task the bundle does not have: what the remote is to decide, in one sentence.
    pub instruction: Option<String>,
    /// Whether the task's monitors, which another worker keeps, have ended its guarantee.
    pub alarmed: Option<bool>,
    /// Whether to look only what the answer would be, for a preview: on this device alone, and it counts for nothing (no monitor, no
    /// audit, no saved request). Default: `false`.
    pub dry_run: Option<bool>,
    /// Zero-shot classification: the labels to choose from.
    #[cfg(feature = "onnx")]
    pub candidate_labels: Option<Vec<String>>,
    /// Zero-shot classification: the sentence that is held against the text, with `{}` where the label goes. Default:
    /// `"This example is {}."`
    #[cfg(feature = "onnx")]
    pub hypothesis_template: Option<String>,
    /// Zero-shot classification: whether several labels may hold, each with a probability of its own.
    #[cfg(feature = "onnx")]
    pub multi_label: Option<bool>,
    /// Token classification: how tokens become entities. Default: `"simple"`, tokens side by side of the same label.
    #[cfg(feature = "onnx")]
    pub aggregation: Option<Aggregation>,
    /// Several labels, objects, lines of text: from which probability on one is given; voices: from which on a window is speech.
    /// Default: 0.5.
    #[cfg(feature = "onnx")]
    pub threshold: Option<f64>,
    /// Voices: below which probability speech ends. Default: 0.15 below `threshold`.
    #[cfg(feature = "onnx")]
    pub neg_threshold: Option<f64>,
    /// Voices: what is not longer is no segment, in milliseconds. Default: 250.
    #[cfg(feature = "onnx")]
    pub min_speech_duration_ms: Option<u32>,
    /// Voices: how long a pause must be to end a segment, in milliseconds. Default: 100.
    #[cfg(feature = "onnx")]
    pub min_silence_duration_ms: Option<u32>,
    /// Voices: what is added to both ends of a segment, in milliseconds. Default: 30.
    #[cfg(feature = "onnx")]
    pub speech_pad_ms: Option<u32>,
    /// Voices: longer speech is cut, at its longest pause, in seconds. Default: none is.
    #[cfg(feature = "onnx")]
    pub max_speech_duration_s: Option<f64>,
    /// Feature extraction: how the vectors of a text's tokens become one. Default: as the model's folder says, or `"none"`.
    #[cfg(feature = "onnx")]
    pub pooling: Option<Pooling>,
    /// Feature extraction of an image: whether the model's own vector of the whole image is given. Default: the vectors of its parts.
    #[cfg(feature = "onnx")]
    pub pool: Option<bool>,
    /// Feature extraction: whether vectors get length 1. Default: as the model's folder says.
    #[cfg(feature = "onnx")]
    pub normalize: Option<bool>,
    /// Feature extraction: how numbers are kept. Default: `"float32"`.
    #[cfg(feature = "onnx")]
    pub precision: Option<Precision>,
    /// Question answering: the most tokens that an answer may have. Default: 15.
    #[cfg(feature = "onnx")]
    pub max_answer_tokens: Option<u32>,
}

impl RunOptions {
    /// The call that is made so, of a task whose kind has models.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] for what such tasks have no use for.
    #[cfg(feature = "onnx")]
    pub fn kind_call<'a>(self, task: &'a str, input: Input<'a>) -> Result<KindCall<'a>> {
        let of_labels = [
            ("labels", self.labels.is_some()),
            ("instruction", self.instruction.is_some()),
            ("excessRisk", self.excess_risk.is_some()),
        ];
        if let Some((odd, _)) = of_labels.into_iter().find(|(_, given)| *given) {
            return Err(Error::new(
                Code::InvalidOption,
                format!("run: {odd} is for tasks that give one label"),
            ));
        }
        Ok(KindCall {
            task,
            input,
            mode: self.mode,
            risk: self.risk,
            dry: self.dry_run.unwrap_or_default(),
            options: self.kind_options(),
        })
    }

    /// What a kind is told.
    #[cfg(feature = "onnx")]
    pub fn kind_options(self) -> KindOptions {
        KindOptions {
            top_k: self.top_k,
            candidate_labels: self.candidate_labels,
            hypothesis_template: self.hypothesis_template,
            multi_label: self.multi_label,
            aggregation: self.aggregation,
            threshold: self.threshold,
            neg_threshold: self.neg_threshold,
            min_speech_duration_ms: self.min_speech_duration_ms,
            min_silence_duration_ms: self.min_silence_duration_ms,
            speech_pad_ms: self.speech_pad_ms,
            max_speech_duration_s: self.max_speech_duration_s,
            pooling: self.pooling,
            pool: self.pool,
            normalize: self.normalize,
            precision: self.precision,
            max_answer_tokens: self.max_answer_tokens,
        }
    }

    /// The call that is made so.
    pub fn call<'a>(self, task: &'a str, input: Input<'a>) -> Call<'a> {
        let label = |id| Label { id, title: None };
        let plain = Call::new(task, input);
        Call {
            mode: self.mode,
            risk: self.risk,
            excess_risk: self.excess_risk,
            top: self.top_k.map_or(plain.top, |k| k as usize),
            labels: self.labels.map(|ids| ids.into_iter().map(label).collect()),
            instruction: self.instruction,
            alarmed: self.alarmed,
            dry: self.dry_run.unwrap_or_default(),
            ..plain
        }
    }
}

/// How text is asked for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(rename = "RuntimeTextOptions", optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenerateOptions {
    /// Overrides the instance's mode for this call.
    pub mode: Option<Mode>,
    /// For a task the bundle does not have: what the remote is to do, in one sentence.
    pub instruction: Option<String>,
    /// What stands for the names in double braces of the task's prompt, for example `{ question: "…" }`.
    #[cfg_attr(test, ts(optional, type = "Record<string, string>"))]
    pub variables: Option<BTreeMap<String, String>>,
    /// What was said before, oldest first.
    pub history: Option<Vec<Message>>,
}

impl GenerateOptions {
    /// The call that is made so.
    pub fn call<'a>(self, task: &'a str, input: &'a str) -> TextCall<'a> {
        let turn = |message: Message| Turn {
            role: message.role,
            text: message.content,
        };
        TextCall {
            task,
            input,
            mode: self.mode,
            instruction: self.instruction,
            variables: self.variables.unwrap_or_default(),
            history: self.history.into_iter().flatten().map(turn).collect(),
        }
    }
}

/// Reads the options of `what`, as JSON has them; `null` stands for none at all.
///
/// # Errors
/// [`Code::InvalidOption`]: which option, and what it must be.
pub fn read<'de, T: DeserializeOwned>(what: &str, given: impl Deserializer<'de>) -> Result<T> {
    let refused = |why: String, one: bool| {
        let why = as_the_page_says(&why, one);
        Error::new(Code::InvalidOption, format!("{what}: {why}"))
    };
    // How many remotes there are is not known yet, and most pages have one.
    let given = given::given(given).map_err(|error| refused(error.to_string(), true))?;
    let given = match given {
        Value::Null => Value::Object(serde_json::Map::new()),
        given => given,
    };
    let read = |value: &Value| T::deserialize(value).map_err(|error| error.to_string());
    read(&given).map_err(|error| {
        let why = option_fault("", &given, &|part| read(part).err()).unwrap_or(error);
        let endpoints = given["remote"]["endpoints"].as_array();
        refused(why, endpoints.is_none_or(|endpoints| endpoints.len() < 2))
    })
}

/// A page says `remote`, be it one or a list, and has what concerns all remotes beside it.
fn as_the_page_says(why: &str, one: bool) -> String {
    // Errors of JavaScript say that they are one.
    let why = why.strip_prefix("Error: ").unwrap_or(why);
    let Some(rest) = why.strip_prefix("remote.") else {
        return why.to_owned();
    };
    match rest.strip_prefix("endpoints") {
        None => rest.to_owned(),
        Some(at) => format!(
            "remote{}",
            at.strip_prefix("[0]").filter(|_| one).unwrap_or(at)
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error as Fault, MapDeserializer, SeqDeserializer};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_that_json_does_not_have_is_refused_by_its_name() {
        let endpoint = MapDeserializer::new([("temperature", f64::NAN)].into_iter());
        let endpoints = SeqDeserializer::new([endpoint].into_iter());
        let remote = MapDeserializer::new([("endpoints", endpoints)].into_iter());
        let given: MapDeserializer<'_, _, Fault> =
            MapDeserializer::new([("remote", remote)].into_iter());
        let error = read::<RuntimeOptions>("it", given).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it: remote.temperature must be a number, not NaN"
        );
        let thrown = as_the_page_says("Error: remote.policy.maxRetries is none", true);
        assert_eq!(thrown, "policy.maxRetries is none");
    }

    fn refused<T: DeserializeOwned + std::fmt::Debug>(given: Value) -> String {
        let error = read::<T>("it", given).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
        error.to_string()
    }

    #[test]
    fn a_wrong_option_is_named_as_the_page_names_it() {
        let made = |more: Value| {
            let mut given = json!({ "bundle": "https://a.example/manifest.json" });
            given
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            refused::<RuntimeOptions>(given)
        };
        let remotes = |endpoints: Value| made(json!({ "remote": { "endpoints": endpoints } }));
        let openai = json!({ "provider": "openai" });
        let wrong = json!({ "provider": "openai", "maxTokens": "many" });
        for (said, part) in [
            (
                refused::<RuntimeOptions>(json!({})),
                "it: the options: \"bundle\" is missing",
            ),
            (
                refused::<RuntimeOptions>(json!(5)),
                "it: the options must be an object, not 5",
            ),
            (
                made(json!({ "mood": 1 })),
                "it: there is no option \"mood\"; the options are bundle, mode, ",
            ),
            (
                made(json!({ "mode": "local" })),
                "it: mode must be \"only-local\", ",
            ),
            (
                made(json!({ "risk": 1 })),
                "it: risk must be a number above 0 and below 1",
            ),
            (
                made(json!({ "learn": { "audit": "often" } })),
                "it: learn.audit must be a number, not",
            ),
            (
                made(json!({ "learn": { "exampels": 5 } })),
                "it: learn: there is no option \"exampels\"; the options are examples, ",
            ),
            (
                remotes(json!([wrong])),
                "it: remote.maxTokens must be a whole number",
            ),
            (
                remotes(json!([openai, wrong])),
                "it: remote[1].maxTokens must be a whole number",
            ),
            (
                made(json!({ "remote": { "policy": { "maxRetries": -1 } } })),
                "it: policy.maxRetries must be a whole number",
            ),
            (
                made(json!({ "remote": { "budget": { "tokens": 1 } } })),
                "it: budget: there is no option \"tokens\"",
            ),
            (
                refused::<RunOptions>(json!({ "topK": -1 })),
                "it: topK must be a whole number",
            ),
            (
                refused::<GenerateOptions>(
                    json!({ "history": [{ "role": "system", "content": "" }] }),
                ),
                "it: history[0].role must be \"user\" or \"assistant\"",
            ),
            (
                refused::<GenerateOptions>(json!({ "variables": { "a": 1 } })),
                "it: variables.a must be a string, not 1",
            ),
        ] {
            assert!(said.starts_with(part), "{said}\n{part}");
        }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let given = json!({ "bundle": "b", "remote": { "endpoints": [] }, "maxBundleBytes": 5.5 });
        let options: RuntimeOptions = read("it", given).unwrap();
        assert_eq!(options.remote, Some(RemoteOptions::default()));
        assert_eq!(options.max_bundle_bytes().unwrap(), 5);
        let none = RuntimeOptions {
            max_bundle_bytes: None,
            ..options.clone()
        };
        assert_eq!(none.max_bundle_bytes().unwrap(), MAX_BUNDLE_BYTES);
        let no_bytes = RuntimeOptions {
            max_bundle_bytes: Some(0.0),
            ..options
        };
        assert_eq!(
            no_bytes.max_bundle_bytes().unwrap_err().code(),
            Code::InvalidOption
        );
        let run: RunOptions = read("it", Value::Null).unwrap();
        assert_eq!(run, RunOptions::default());
        let call = run.call("spam", Input::Text("a"));
        assert_eq!((call.top, call.mode, call.labels), (5, None, None));
        let text: GenerateOptions = read(
            "it",
            json!({ "history": [{ "role": "user", "content": "a" }] }),
        )
        .unwrap();
        let call = text.call("summary", "b");
        assert_eq!((call.history.len(), call.variables.len()), (1, 0));
    }
}
