//! What a folder's descriptions say, field by field.

use std::collections::BTreeMap;

use serde_json::Value;
use smallfirst_image::{CLASSES, ImageProcessor};
use smallfirst_sound::SoundProcessor;

use crate::error::{Code, Error, Result, excerpt};
use crate::task::{Label, Pooling};

/// The most labels that a model may have.
const MAX_LABELS: usize = 1 << 17;

/// The descriptions that a folder has, by name.
pub type Descriptions = BTreeMap<String, Value>;

/// The descriptions of a folder.
pub(super) struct Config<'d> {
    config: &'d Value,
    all: &'d Descriptions,
}

impl<'d> Config<'d> {
    pub(super) fn of(all: &'d Descriptions) -> Result<Self> {
        match all.get("config.json") {
            Some(config) if config.is_object() => Ok(Config { config, all }),
            _ => Err(Error::new(
                Code::NotABundle,
                "there is no config.json, which says what the model is",
            )),
        }
    }

    fn other(&self, name: &str) -> &Value {
        self.all.get(name).unwrap_or(&Value::Null)
    }

    /// The model's class.
    pub(super) fn class(&self) -> Option<&'d str> {
        self.config["architectures"][0].as_str()
    }

    pub(super) fn has_decoder(&self) -> bool {
        self.config["is_encoder_decoder"] == true
    }

    /// Whether sentence-transformers made the folder.
    pub(super) fn is_of_sentences(&self) -> bool {
        self.other("modules.json").is_array()
    }

    /// Whether each label has a probability of its own.
    pub(super) fn has_several_labels(&self) -> Result<bool> {
        match self.config["problem_type"].as_str() {
            None | Some("single_label_classification") => Ok(false),
            Some("multi_label_classification") => Ok(true),
            Some(other) => Err(Error::new(
                Code::ModelInvalid,
                format!(
                    "config.json: problem_type is \"{}\", and only labels are given here",
                    excerpt(other, 60)
                ),
            )),
        }
    }

    /// The labels, in the order of the model's numbers.
    pub(super) fn labels(&self) -> Result<Vec<Label>> {
        let wrong = |why: &str| {
            let why = format!("config.json: id2label {why}");
            Error::new(Code::ModelInvalid, why)
        };
        let label = |id: String| Label { id, title: None };
        match &self.config["id2label"] {
            Value::Object(named) => {
                let count = named.len();
                let mut labels: Vec<Option<String>> = vec![None; count.min(MAX_LABELS)];
                for (number, name) in named {
                    let at = number.parse::<usize>().ok();
                    let place = at.and_then(|at| labels.get_mut(at));
                    let (Some(place), Some(name)) = (place, name.as_str()) else {
                        return Err(wrong("must name the numbers from 0 on"));
                    };
                    *place = Some(name.to_owned());
                }
                let labels = labels.into_iter().collect::<Option<Vec<_>>>();
                let labels = labels.ok_or_else(|| wrong("leaves numbers out"))?;
                Ok(labels.into_iter().map(label).collect())
            }
            Value::Null => {
                let count = self.config["num_labels"].as_u64().unwrap_or(2) as usize;
                let named = (0..count.min(MAX_LABELS)).map(|at| format!("LABEL_{at}"));
                Ok(named.map(label).collect())
            }
            _ => Err(wrong("must be an object")),
        }
    }

    /// The most tokens that the model reads.
    pub(super) fn max_tokens(&self) -> Option<u32> {
        let number = |value: &Value| {
            // A tokenizer without a limit says 10^30.
            let whole = value.as_f64().filter(|n| (1.0..=1e6).contains(n));
            whole.map(|n| n as u32)
        };
        // Positions of RoBERTa's kind begin behind that of the padding.
        let offset = match self.config["model_type"].as_str() {
            Some("roberta" | "xlm-roberta" | "camembert" | "mpnet" | "longformer") => {
                self.config["pad_token_id"].as_u64().unwrap_or(1) as u32 + 1
            }
            _ => 0,
        };
        let positions = number(&self.config["max_position_embeddings"]);
        [
            number(&self.other("sentence_bert_config.json")["max_seq_length"]),
            number(&self.other("tokenizer_config.json")["model_max_length"]),
            positions.map(|n| n.saturating_sub(offset)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How sentence-transformers makes one vector of those of a text's tokens.
    pub(super) fn pooling(&self) -> Result<Option<Pooling>> {
        let said = self.other("1_Pooling/config.json");
        let Some(said) = said.as_object() else {
            return Ok(None);
        };
        let modes = [
            ("pooling_mode_mean_tokens", Pooling::Mean),
            ("pooling_mode_cls_token", Pooling::First),
            ("pooling_mode_max_tokens", Pooling::Max),
            ("pooling_mode_lasttoken", Pooling::Last),
        ];
        let on: Vec<&str> = said
            .iter()
            .filter(|(name, value)| name.starts_with("pooling_mode_") && **value == true)
            .map(|(name, _)| name.as_str())
            .collect();
        match on[..] {
            [one] => {
                let mode = modes.iter().find(|(name, _)| *name == one);
                mode.map(|(_, pooling)| Some(*pooling)).ok_or_else(|| {
                    Error::new(
                        Code::ModelInvalid,
                        format!(
                            "1_Pooling/config.json: {} is not done here",
                            excerpt(one, 60)
                        ),
                    )
                })
            }
            _ => Err(Error::new(
                Code::ModelInvalid,
                format!(
                    "1_Pooling/config.json asks for {} ways of pooling, and one is done here",
                    on.len()
                ),
            )),
        }
    }

    /// Whether sentence-transformers gives vectors length 1.
    pub(super) fn normalizes(&self) -> bool {
        let modules = self.other("modules.json").as_array();
        modules.is_some_and(|modules| {
            let normalizes = |module: &Value| {
                let ty = module["type"].as_str().unwrap_or_default();
                ty.ends_with(".Normalize")
            };
            modules.iter().any(normalizes)
        })
    }

    /// What names the models of text in images.
    pub(super) fn ocr(&self) -> Option<&'d Value> {
        self.config.get("ocr")
    }

    /// Whether the folder has a processor of images, and no tokenizer.
    pub(super) fn is_of_images(&self) -> bool {
        let said = self.other("preprocessor_config.json");
        let names = ["image_processor_type", "feature_extractor_type"].map(|key| &said[key]);
        let family = |class: &str| {
            let class = class.strip_suffix("Fast").unwrap_or(class);
            let class = class.strip_suffix("FeatureExtractor").unwrap_or(class);
            class
                .strip_suffix("ImageProcessor")
                .unwrap_or(class)
                .to_owned()
        };
        let known = |name: &str| CLASSES.iter().any(|class| family(class) == family(name));
        let of_images = names.iter().any(|name| name.as_str().is_some_and(known));
        of_images && !self.all.contains_key("tokenizer_config.json")
    }

    /// Whether the folder says how an image becomes a tensor.
    pub(super) fn has_processor(&self) -> bool {
        self.all.contains_key("preprocessor_config.json")
    }

    /// How an image becomes a tensor, as a manifest has it.
    pub(super) fn image_processor(&self) -> Result<Value> {
        let said = self.all.get("preprocessor_config.json").ok_or_else(|| {
            Error::new(
                Code::ModelInvalid,
                "there is no preprocessor_config.json, which says how an image becomes a tensor",
            )
        })?;
        let processor = ImageProcessor::of_config(said).map_err(|why| {
            let why = format!("preprocessor_config.json: {why}");
            Error::new(Code::ModelInvalid, why)
        })?;
        serde_json::to_value(&processor).map_err(|why| {
            let why = format!("preprocessor_config.json was not written anew: {why}");
            Error::new(Code::Internal, why)
        })
    }

    /// Whether sounds are made tensors of.
    pub(super) fn reads_sounds(&self) -> bool {
        !self.other("preprocessor_config.json")["sampling_rate"].is_null()
    }

    /// How a sound becomes a tensor, as a manifest has it. Where nobody says, a voice detector hears samples at 16 kHz.
    pub(super) fn sound_processor(&self, hears: bool) -> Result<Value> {
        let wrong = |why: &dyn std::fmt::Display| {
            let why = format!("preprocessor_config.json: {why}");
            Error::new(Code::ModelInvalid, why)
        };
        let processor = match self.all.get("preprocessor_config.json") {
            Some(said) => {
                SoundProcessor::from_config(&said.to_string()).map_err(|why| wrong(&why))?
            }
            None if hears => SoundProcessor::Samples {
                rate: 16_000,
                normalise: false,
            },
            None => {
                return Err(Error::new(
                    Code::ModelInvalid,
                    "there is no preprocessor_config.json, which says how a sound becomes a tensor",
                ));
            }
        };
        serde_json::to_value(&processor).map_err(|why| {
            let why = format!("preprocessor_config.json was not written anew: {why}");
            Error::new(Code::Internal, why)
        })
    }

    /// The token that stands for a gap.
    pub(super) fn mask(&self) -> Result<String> {
        let token = |value: &Value| {
            let plain = value.as_str().or(value["content"].as_str());
            plain.map(str::to_owned)
        };
        token(&self.other("tokenizer_config.json")["mask_token"])
            .or(token(&self.other("special_tokens_map.json")["mask_token"]))
            .ok_or_else(|| {
                Error::new(
                    Code::ModelInvalid,
                    "tokenizer_config.json names no mask_token, which stands for the gap",
                )
            })
    }
}
