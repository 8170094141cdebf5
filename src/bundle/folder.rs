//! A folder as Hugging Face's tools write it (`config.json`, `tokenizer.json`, `onnx/model.onnx`), as a manifest.
//!
//! The task follows from the model's class and configuration, as in transformers' `pipeline`. What the folder does not say is not
//! guessed: nothing in it is calibrated, so no answer of its models is guaranteed. What cannot run is refused by the field that asks
//! for it.

mod config;
mod sight;
mod tasks;
mod weights;

use std::collections::BTreeMap;

use serde_json::Value;

pub use sight::usual_detector;
pub use tasks::Asked;
pub use weights::Dtype;

use super::manifest::{
    FORMAT, FORMAT_VERSION, Features, FileEntry, Head, Limits, Manifest, ModelOutput, TaskEntry,
    TaskModel, Tokenizer, TokenizerKind,
};
use super::sight::Ocr;
use super::{Bundle, MAX_FILE_BYTES};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::{InputKind, TaskKind};
use config::Config;
pub use config::Descriptions;

/// The files that say what a folder's model is, the first of which must be there.
pub const DESCRIPTIONS: [&str; 7] = [
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "preprocessor_config.json",
];

/// The most bytes that one of them may have: some name a label of tens of thousands.
pub const MAX_DESCRIPTION_BYTES: u64 = 16 << 20;

/// The tokenizer's file.
const TOKENIZER: &str = "tokenizer.json";

/// The hash that stands for one that nobody stated.
pub const UNKNOWN_SHA256: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The most bytes of a text that a folder's model is given. Its tokens are counted, too.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// The most bytes that an image's pixels may take.
pub const MAX_IMAGE_BYTES: u64 = 4 * smallfirst_image::MAX_PIXELS;

/// The most bytes that a sound's samples may take: ten minutes at 48 kHz. A model reads it whole, or the beginning of it.
const MAX_SOUND_BYTES: u64 = 4 * 48_000 * 600;

/// The same where it is heard window by window: four hours.
const MAX_HEARD_BYTES: u64 = 4 * 48_000 * smallfirst_sound::MAX_SECONDS;

/// What is wanted of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The task, by transformers' name; what the model was made for where absent.
    pub task: Option<String>,
    /// Which weights; the smallest that the usual exporters write where absent.
    pub dtype: Option<Dtype>,
}

/// Reads one of [`DESCRIPTIONS`].
///
/// # Errors
/// [`Code::NotABundle`] when it is no JSON object or list.
pub fn description(name: &str, json: &[u8]) -> Result<Value> {
    let found: std::result::Result<Value, _> = serde_json::from_slice(json);
    match found {
        Ok(value) if value.is_object() || value.is_array() => Ok(value),
        Ok(_) => Err(Error::new(
            Code::NotABundle,
            format!("{name} is no description of a model"),
        )),
        Err(why) => Err(Error::new(
            Code::NotABundle,
            format!("{name} is no JSON: {}", excerpt(&why.to_string(), 200)),
        )),
    }
}

/// A folder's manifest. Its files have no hash and no length ([`UNKNOWN_SHA256`]): whoever has them fills them in.
///
/// # Errors
/// [`Code::NotABundle`] when it does not say what the model is, [`Code::ModelInvalid`] when it asks for what is not there,
/// [`Code::InvalidOption`] when the model is not for the task that is wanted.
pub fn manifest(
    name: &str,
    descriptions: &Descriptions,
    weights: &str,
    asked: Asked,
) -> Result<Manifest> {
    let config = Config::of(descriptions)?;
    let mut manifest = Manifest {
        format: FORMAT.into(),
        version: FORMAT_VERSION,
        name: name.to_owned(),
        revision: String::new(),
        files: BTreeMap::new(),
        tokenizers: BTreeMap::new(),
        encoders: BTreeMap::new(),
        tagger: None,
        heads: BTreeMap::new(),
        models: BTreeMap::new(),
        tasks: BTreeMap::new(),
    };
    let sight = sight::parts(&config, asked)?;
    let mut files = match asked.of_images || asked.of_sounds {
        true => vec![weights],
        false => vec![weights, TOKENIZER],
    };
    files.extend(sight.ocr.iter().flat_map(Ocr::files));
    for path in files {
        let entry = FileEntry {
            bytes: MAX_FILE_BYTES,
            sha256: UNKNOWN_SHA256.to_owned(),
            license: "unknown".to_owned(),
            prepared_from: None,
            weights: None,
        };
        manifest.files.insert(path.to_owned(), entry);
    }
    let hears = asked.kind == TaskKind::VoiceActivityDetection;
    let features = match asked.of_images {
        true => Features::Image {
            processor: sight::processor(&config, asked)?,
        },
        false if asked.of_sounds => Features::Sound {
            processor: config.sound_processor(hears)?,
        },
        false => {
            let tokenizer = Tokenizer {
                kind: TokenizerKind::HfTokenizer,
                file: TOKENIZER.to_owned(),
            };
            manifest
                .tokenizers
                .insert("tokenizer".to_owned(), tokenizer);
            Features::Tokens {
                tokenizer: "tokenizer".to_owned(),
                special: true,
            }
        }
    };
    let of_texts = !asked.of_images && !asked.of_sounds;
    let max_tokens = config.max_tokens().filter(|_| of_texts);
    let labels = match asked.kind {
        TaskKind::FeatureExtraction
        | TaskKind::FillMask
        | TaskKind::QuestionAnswering
        | TaskKind::Ocr
        | TaskKind::VoiceActivityDetection => Vec::new(),
        _ => config.labels()?,
    };
    let tier = asked.task.to_owned();
    if asked.kind == TaskKind::Classify {
        let head = Head {
            file: weights.to_owned(),
            encoder: None,
            features: Some(features),
            output: ModelOutput::Logits,
            temperature: 1.0,
            correctness: None,
            addend: None,
            ood: None,
            threshold: None,
        };
        manifest.heads.insert(tier.clone(), head);
    } else {
        let model = TaskModel {
            platt: None,
            file: weights.to_owned(),
            features,
            max_tokens,
            pooling: (asked.kind == TaskKind::FeatureExtraction)
                .then(|| config.pooling())
                .transpose()?
                .flatten(),
            normalize: asked.kind == TaskKind::FeatureExtraction && config.normalizes(),
            mask: match asked.kind {
                TaskKind::FillMask => Some(config.mask()?),
                _ => None,
            },
            boxes: sight.boxes,
            ocr: sight.ocr,
            output: ModelOutput::Logits,
        };
        manifest.models.insert(tier.clone(), model);
    }
    let entry = TaskEntry {
        kind: asked.kind,
        input: match asked.kind {
            _ if asked.of_images => InputKind::Image,
            _ if asked.of_sounds => InputKind::Sound,
            TaskKind::QuestionAnswering => InputKind::Pair,
            _ => InputKind::Text,
        },
        title: asked.task.to_owned(),
        instruction: asked.instruction.to_owned(),
        labels,
        limits: Limits {
            min_bytes: 1,
            max_bytes: match asked.of_images {
                true => MAX_IMAGE_BYTES,
                false if hears => MAX_HEARD_BYTES,
                false if asked.of_sounds => MAX_SOUND_BYTES,
                false => MAX_TEXT_BYTES,
            },
            max_tokens,
            languages: None,
        },
        tiers: vec![tier],
        prompt: None,
        extract: None,
        card: None,
        evaluation: None,
        guarantee: None,
    };
    manifest.tasks.insert(asked.task.to_owned(), entry);
    Ok(manifest)
}

/// The task that a folder's model is for, or the one that is wanted, where it can do that.
///
/// # Errors
/// As [`manifest`].
pub fn asked(descriptions: &Descriptions, wanted: Option<&str>) -> Result<Asked> {
    tasks::asked(&Config::of(descriptions)?, wanted)
}

/// The path of the model's weights, where the folder's own files name it: where they are not looked for under the usual names.
///
/// # Errors
/// As [`manifest`].
pub fn weights(descriptions: &Descriptions) -> Result<Option<String>> {
    sight::weights(&Config::of(descriptions)?)
}

/// A manifest of these types, checked as a file's is.
///
/// # Errors
/// As [`Bundle::parse`].
pub fn bundle(manifest: &Manifest) -> Result<Bundle> {
    let json = serde_json::to_vec(manifest)
        .map_err(|why| Error::new(Code::Internal, format!("a manifest was not written: {why}")))?;
    Bundle::parse(&json)
}

#[cfg(test)]
mod tests;
