//! The manifest's types: bundle format version 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::columns::Column;
use super::correctness::Correctness;
use super::guarantee::{Guarantee, Reference};
use super::platt::Platt;
use super::sight::Ocr;
use crate::error::{Code, Error, Result, excerpt};
use crate::task::{InputKind, Label, Pooling, TaskKind};

/// The word in the `format` field that tells a manifest from other JSON.
pub const FORMAT: &str = "smallfirst-bundle";

/// The format version this build reads.
pub const FORMAT_VERSION: u32 = 1;

/// `manifest.json`. All paths are relative to it, with `/` between the parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Always `smallfirst-bundle`.
    pub format: String,
    /// The format version, 1.
    pub version: u32,
    /// The bundle's name.
    pub name: String,
    /// Changes whenever the contents change.
    pub revision: String,
    /// Every file the bundle is made of, by path.
    pub files: BTreeMap<String, FileEntry>,
    /// Tokenizers, by name.
    #[serde(default)]
    pub tokenizers: BTreeMap<String, Tokenizer>,
    /// Shared encoders, by name.
    #[serde(default)]
    pub encoders: BTreeMap<String, Encoder>,
    /// Finds people's names in what is about to leave the device, for redaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagger: Option<Tagger>,
    /// Heads, by name. A head is a tier of one or more tasks.
    #[serde(default)]
    pub heads: BTreeMap<String, Head>,
    /// Models of tasks that give something else than one label, by name. A model is a tier of one or more tasks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, TaskModel>,
    /// Tasks, by identifier.
    pub tasks: BTreeMap<String, TaskEntry>,
}

/// Size, hash and licence of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileEntry {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 in 64 lower-case hexadecimal digits.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub sha256: String,
    /// SPDX licence expression.
    pub license: String,
    /// For a prepared model (`.sfm`): the SHA-256 of the ONNX file (`.onnx`, the same path otherwise) that it was
    /// prepared from. For a tokenizer: that of the file that was brought into the form it loads fastest in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub prepared_from: Option<String>,
    /// For a prepared model whose weights were made smaller: how. Its answers are not those of the file that it was
    /// prepared from, so it is calibrated by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<SmallWeights>,
}

impl FileEntry {
    /// The SHA-256 of what the file was made of, when that gives the same answers: a prepared file counts as the one it was
    /// prepared from, unless its weights were made smaller.
    pub fn source_sha256(&self) -> &str {
        let same = self
            .prepared_from
            .as_ref()
            .filter(|_| self.weights.is_none());
        same.unwrap_or(&self.sha256)
    }
}

/// How weights are stored that were made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SmallWeights {
    /// Halves.
    F16,
    /// Integers of 8 bits with scales.
    Int8,
    /// Integers of 4 bits, a scale for each 32.
    Q4,
}

/// A tokenizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tokenizer {
    /// How the file is to be read.
    pub kind: TokenizerKind,
    /// Its path.
    pub file: String,
}

/// The tokenizer file formats there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TokenizerKind {
    /// A Hugging Face `tokenizer.json`.
    HfTokenizer,
}

/// How an input becomes a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[non_exhaustive]
pub enum Features {
    /// Token ids: `i64 [1, tokens]`. Reads text.
    Tokens {
        /// The tokenizer's name.
        tokenizer: String,
        /// Whether the tokenizer's own special tokens are added, as transformer encoders want.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        special: bool,
    },
    /// Hashed token n-grams, each present one once, in rising order: `i64 [1, n-grams]`. Reads text.
    /// The hash is described in `src/text/hashed.rs`.
    HashedTokens {
        /// The tokenizer's name.
        tokenizer: String,
        /// How many buckets there are.
        buckets: u32,
        /// The version of the cues of attitude that are counted, too (`src/text/cues.rs`); 0 for none.
        #[serde(default, skip_serializing_if = "is_zero")]
        cues: u32,
    },
    /// Relative frequencies of known character n-grams: `f32 [1, n-grams]`. Reads text.
    Ngrams {
        /// The path of the vocabulary: a JSON object with `unigrams`, `bigrams`, `trigrams` and
        /// `quadgrams`, each a list of strings.
        file: String,
    },
    /// The sum of the vectors of a text's hashed character n-grams, by kind of script: `f32 [1, 3 × numbers a row]`. Reads text.
    HashedCharacters {
        /// The path of the table; its format is in `src/text/ngram_table.rs`.
        file: String,
    },
    /// The first and last bytes of a file as numbers: `i32 [1, beginBytes + endBytes]`. Reads bytes.
    ByteWindows {
        /// Bytes kept from the beginning.
        begin_bytes: u32,
        /// Bytes kept from the end.
        end_bytes: u32,
        /// Bytes looked at on each side before white space is stripped.
        block_bytes: u32,
        /// The number that stands for "no byte here".
        padding: i32,
    },
    /// The pixels of an image: `f32 [1, channels, height, width]` or `[1, height, width, channels]`. Reads images.
    Image {
        /// Resizing, cropping and scaling, as `ImageProcessor` of `crates/image` has it.
        processor: serde_json::Value,
    },
    /// The samples of a sound at the model's rate, `f32 [1, samples]`, or a spectrogram, `f32 [1, …, …]`. Reads sounds.
    Sound {
        /// Rate, spectrogram and scaling, as `SoundProcessor` of `crates/sound` has it.
        processor: serde_json::Value,
    },
    /// Columns of a row, each in the model's input that has its name, `[1, 1]`, or several in one, `[1, columns]`. Reads tables.
    Table {
        /// The columns that the model reads. A row may have others beside them.
        columns: Vec<Column>,
    },
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Features {
    /// The same, of the tokens of another tokenizer.
    pub fn with_tokenizer(mut self, name: &str) -> Self {
        if let Features::Tokens { tokenizer, .. } | Features::HashedTokens { tokenizer, .. } =
            &mut self
        {
            name.clone_into(tokenizer);
        }
        self
    }

    /// What inputs it reads.
    pub fn input(&self) -> InputKind {
        match self {
            Features::Tokens { .. }
            | Features::HashedTokens { .. }
            | Features::Ngrams { .. }
            | Features::HashedCharacters { .. } => InputKind::Text,
            Features::ByteWindows { .. } => InputKind::Bytes,
            Features::Image { .. } => InputKind::Image,
            Features::Sound { .. } => InputKind::Sound,
            Features::Table { .. } => InputKind::Table,
        }
    }
}

/// A model that several heads share: features in, one vector out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Encoder {
    /// The path of the ONNX model. Output: `f32 [1, dimension]`.
    pub file: String,
    /// What it reads.
    pub features: Features,
    /// The length of its output vector.
    pub dimension: u32,
    /// How one vector of length 1 (L2) is made of the output `f32 [1, tokens, dimension]` of a model that gives a
    /// vector a token; absent for a model that gives one vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// The most tokens it reads, special ones included; absent when only the task's limits count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
}

/// A token classifier that finds people's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tagger {
    /// The path of the ONNX model, from token ids `i64 [1, tokens]` to scores `f32 [1, tokens, labels]`.
    pub file: String,
    /// The tokenizer's name.
    pub tokenizer: String,
    /// Whether the tokenizer's own special tokens are added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub special: bool,
    /// Its labels in the order of its scores, in IOB2: `O`, `B-PER`, `I-PER` and so on.
    pub labels: Vec<String>,
    /// The kind of label that people's names have, such as `PER`.
    pub person: String,
    /// The most tokens it reads at once, special ones included. Longer texts are read in parts that overlap.
    pub max_tokens: u32,
}

/// What a head's numbers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ModelOutput {
    /// Unnormalised log-probabilities.
    #[default]
    Logits,
    /// Probabilities that sum to one.
    Probabilities,
}

/// A classifier's last part: one score a label. It reads an encoder's vector, or features directly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// The path of the ONNX model. Output: `f32 [1, labels]`.
    pub file: String,
    /// The encoder it reads from. Either this or `features`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// The features it reads. Either this or `encoder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// What its numbers are.
    pub output: ModelOutput,
    /// The temperature that calibrates it (above 0; 1 changes nothing).
    pub temperature: f64,
    /// A second model over the same input whose output is added to this head's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addend: Option<Addend>,
    /// Tells inputs that are unlike the training data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ood: Option<Ood>,
    /// Turns its probabilities into the probability that its label is right; absent where the largest of them is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correctness: Option<Correctness>,
    /// A confidence stated by the model's authors, used where the task has no guarantee and the
    /// call asks for no risk. Nothing certifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// A whole model: features in, and out what the kind of its task reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskModel {
    /// The path of the ONNX model.
    pub file: String,
    /// What it reads.
    pub features: Features,
    /// The most tokens it reads, special ones included; absent when only the task's limits count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How the vectors of a text's tokens become one, where a call does not say; for vectors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Whether vectors get length 1 (L2), where a call does not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub normalize: bool,
    /// The token that stands for a gap, for filling in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// What makes a calibrated confidence of what the model states; absent where nobody calibrated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platt: Option<Platt>,
    /// How its outputs are boxes, for object detection, as `Boxes` of `src/task/kind/detection.rs` has it: `{"queries": "softmax"}` or
    /// `"sigmoid"` (DETR and its kin), `{"listed": {"parts": false}}`, `{"rows": {"parts": false}}`, or
    /// `{"grid": {"axes": "numbersFirst", "corners": "middle", "iou": 0.7}}` (raw exports of YOLO).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<serde_json::Value>,
    /// How it finds lines of text, and the second model, which reads them: for the kind `ocr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocr: Option<Ocr>,
    /// What the numbers for labels are, of a model that reads sounds. Default: logits.
    #[serde(default, skip_serializing_if = "is_logits")]
    pub output: ModelOutput,
}

fn is_logits(output: &ModelOutput) -> bool {
    *output == ModelOutput::Logits
}

/// A model whose output is added to a head's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addend {
    /// The path of the ONNX model. Output: `f32 [1, labels]`.
    pub file: String,
    /// The features it reads.
    pub features: Features,
}

/// An out-of-distribution score, and the most it may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ood {
    /// Which score. Higher always means less like the training data.
    pub method: OodMethod,
    /// The path of an ONNX model from the encoder's vector to the score, `f32 [1, 1]`, for the
    /// methods that look at the vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Inputs above it escalate.
    pub cut: f64,
}

/// The out-of-distribution scores there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OodMethod {
    /// One minus the largest calibrated probability (Hendrycks and Gimpel 2017).
    Msp,
    /// Minus the log-sum-exp of the logits over the temperature (Liu et al. 2020).
    Energy,
    /// The distance to the nearest class mean under the shared covariance (Lee et al. 2018).
    Mahalanobis,
    /// One minus the cosine to the k-th nearest training vector (Sun et al. 2022).
    Knn,
}

/// What a task accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Fewest bytes (of the UTF-8 form, for text).
    #[cfg_attr(test, ts(type = "number"))]
    pub min_bytes: u64,
    /// Most bytes.
    #[cfg_attr(test, ts(type = "number"))]
    pub max_bytes: u64,
    /// Most tokens, where the model reads tokens.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// The languages it covers; `null` when it does not matter.
    #[serde(default)]
    pub languages: Option<LanguageLimit>,
}

/// The languages a task covers, and who tells the language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LanguageLimit {
    /// Labels of the language task that are covered.
    pub allow: Vec<String>,
    /// The task of the same bundle that tells the language. Only its confident answers count.
    pub task: String,
}

/// What a remote is told for a task that writes text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromptTemplate {
    /// The rules it writes by.
    pub system: String,
    /// What is said: `{{input}}` stands for the input, other names in double braces for the call's variables.
    pub user: String,
}

impl PromptTemplate {
    /// The names in double braces besides `input`, each once.
    pub fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for part in [&self.system, &self.user] {
            for piece in part.split("{{").skip(1) {
                let Some((name, _)) = piece.split_once("}}") else {
                    continue;
                };
                let name = name.trim();
                if name != "input" && !names.iter().any(|n| n == name) {
                    names.push(name.to_owned());
                }
            }
        }
        names
    }
}

/// A summary made of the input's own sentences: those whose vectors are nearest to the whole text's, in the
/// order of the text (centroid ranking; Radev et al. 2004).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extract {
    /// The encoder that makes the vectors.
    pub encoder: String,
    /// How many sentences are taken.
    pub sentences: u32,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskEntry {
    /// Its kind.
    pub kind: TaskKind,
    /// What it reads.
    pub input: InputKind,
    /// Its name for people.
    pub title: String,
    /// What it does, in one sentence; also what a remote LLM is told.
    pub instruction: String,
    /// The labels, in the order of the heads' outputs. None for a task that writes text.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// What it accepts.
    pub limits: Limits,
    /// Heads, or models, cheapest first. None for a task that writes text.
    #[serde(default)]
    pub tiers: Vec<String>,
    /// What a remote is told, for a task that writes text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptTemplate>,
    /// How this device itself can answer a task that writes text: with the input's own sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<Extract>,
    /// The path of the model card.
    #[serde(default)]
    pub card: Option<String>,
    /// The path of the measured evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
    /// What calibration certified; absent when the task was never calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarantee: Option<Guarantee>,
}

impl TaskEntry {
    /// How the first tier's confidences came on the calibration rows, where that is known.
    pub fn reference(&self) -> Option<&Reference> {
        self.guarantee.as_ref()?.reference.as_ref()
    }
}

/// Reads the manifest's JSON, with errors that say how far it got.
pub(super) fn parse(json: &[u8]) -> Result<Manifest> {
    #[derive(Deserialize)]
    struct Head {
        format: Option<String>,
        version: Option<u64>,
    }
    let head: Head = serde_json::from_slice(json).map_err(|e| {
        Error::new(
            Code::NotABundle,
            format!(
                "the manifest is not JSON ({e}); it begins \"{}\". \
                 Point `bundle` at the folder that holds manifest.json",
                excerpt(&String::from_utf8_lossy(&json[..json.len().min(200)]), 40)
            ),
        )
    })?;
    if head.format.as_deref() != Some(FORMAT) {
        return Err(Error::new(
            Code::NotABundle,
            format!("the manifest has no \"format\": \"{FORMAT}\"; it belongs to something else"),
        ));
    }
    if head.version != Some(u64::from(FORMAT_VERSION)) {
        let found = head.version.map_or("none".to_owned(), |v| v.to_string());
        return Err(Error::new(
            Code::BundleVersion,
            format!(
                "the bundle is of format version {found}, this build reads {FORMAT_VERSION}; \
                 use a smallfirst release of the bundle's age"
            ),
        ));
    }
    serde_json::from_slice(json).map_err(|e| {
        Error::new(
            Code::BundleInvalid,
            format!("the manifest breaks the format: {e}"),
        )
    })
}
