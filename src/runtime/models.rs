//! The loaded parts of a bundle: tokenizers, vocabularies, encoders and heads.

use std::sync::Arc;

use futures_util::future::{try_join, try_join4};

use super::shelf::Shelf;
use crate::bundle::{
    Bundle, Features, Limits, ModelOutput, OodMethod, Pooling, Source, Tagger, TokenizerKind,
};
use crate::bytes::Windows;
use crate::calibrate::{self, Calibrated};
use crate::engine::{Element, Model, Shape, Tensor};
use crate::error::{Code, Error, Result};
use crate::task::Input;
use crate::text::{NgramVocabulary, Tag, TextTokenizer, names};

/// The models in memory, and where the others come from.
pub(super) struct Models<S> {
    source: S,
    tokenizers: Shelf<TextTokenizer>,
    encoders: Shelf<LoadedEncoder>,
    heads: Shelf<LoadedHead>,
    taggers: Shelf<LoadedTagger>,
}

/// What turns inputs into a model's tensor.
enum Reader {
    Tokens {
        tokenizer: Arc<TextTokenizer>,
        special: bool,
        max_tokens: Option<u32>,
    },
    Hashed {
        tokenizer: Arc<TextTokenizer>,
        buckets: u32,
    },
    Ngrams(NgramVocabulary),
    Windows(Windows),
}

/// An encoder that can be run.
pub(super) struct LoadedEncoder {
    name: String,
    reader: Reader,
    model: Model,
    dimension: usize,
    pooling: Option<Pooling>,
}

/// A tagger that can be run.
pub(super) struct LoadedTagger {
    tokenizer: Arc<TextTokenizer>,
    model: Model,
    special: bool,
    /// What each of its labels is to a name.
    tags: Vec<Tag>,
    most: usize,
}

/// How many tokens two parts of a text that is too long have in common: a name is shorter.
const OVERLAP: usize = 16;

/// How many tokens of a part are left for special ones.
const SPECIAL: usize = 4;

impl LoadedTagger {
    /// The names of people in `text`.
    pub(super) fn names(&self, text: &str) -> Result<Vec<String>> {
        let plain = self.tokenizer.places(text, false)?;
        let room = self.most - SPECIAL;
        let mut found = Vec::new();
        let mut from = 0;
        while from < plain.len() {
            let to = plain.len().min(from + room);
            let (first, last) = (plain[from].1.0, plain[to - 1].1.1);
            // Cut by itself, a part may have a few tokens more or fewer.
            let part = text.get(first..last).unwrap_or_default();
            found.extend(self.part(part)?.into_iter().map(str::to_owned));
            if to == plain.len() {
                break;
            }
            from = to - OVERLAP;
        }
        Ok(found)
    }

    fn part<'a>(&self, text: &'a str) -> Result<Vec<&'a str>> {
        let tokens = self.tokenizer.places(text, self.special)?;
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let ids = tokens.iter().map(|token| token.0).collect();
        let scores = self.model.run(Tensor::I64(ids))?;
        let labels = self.tags.len();
        if scores.len() != tokens.len() * labels {
            return Err(Error::new(
                Code::ModelOutput,
                format!(
                    "the tagger gave {} scores for {} tokens and {labels} labels",
                    scores.len(),
                    tokens.len()
                ),
            ));
        }
        let best = scores.chunks_exact(labels).map(|scores| {
            let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.and_then(|(at, _)| self.tags.get(at)).copied()
        });
        let tagged: Vec<_> = tokens
            .iter()
            .zip(best)
            .map(|(token, tag)| (token.1, tag.unwrap_or(Tag::Other)))
            .collect();
        Ok(names(text, &tagged))
    }
}

/// What a head reads.
enum Feed {
    Encoder(Arc<LoadedEncoder>),
    Reader(Reader),
}

/// A head that can be run.
pub(super) struct LoadedHead {
    feed: Feed,
    model: Model,
    output: ModelOutput,
    temperature: f64,
    addend: Option<(Reader, Model)>,
    ood: Option<LoadedOod>,
}

/// An out-of-distribution score that can be computed.
struct LoadedOod {
    method: OodMethod,
    cut: f64,
    model: Option<Model>,
}

/// What a head makes of one input.
#[derive(Debug, Clone)]
pub struct Scored {
    /// One logit a label.
    pub logits: Vec<f64>,
    /// Their calibrated probabilities.
    pub calibrated: Calibrated,
    /// The encoder's vector, where the head has an encoder.
    pub vector: Option<Vec<f32>>,
    /// The out-of-distribution score and the most it may be, where the head has one.
    pub ood: Option<(f64, f64)>,
}

impl Scored {
    /// Whether the input is enough like the training data; true where nothing tells.
    pub fn in_distribution(&self) -> bool {
        self.ood.is_none_or(|(score, cut)| score <= cut)
    }
}

impl<S: Source> Models<S> {
    pub(super) fn new(source: S) -> Self {
        Models {
            source,
            tokenizers: Shelf::new(),
            encoders: Shelf::new(),
            heads: Shelf::new(),
            taggers: Shelf::new(),
        }
    }

    pub(super) fn source(&self) -> &S {
        &self.source
    }

    pub(super) fn is_loaded(&self, head: &str) -> bool {
        self.heads.has(head)
    }

    /// The head called `name`, loaded now if it was not.
    pub(super) async fn head(&self, bundle: &Bundle, name: &str) -> Result<Arc<LoadedHead>> {
        let entry = bundle
            .manifest()
            .heads
            .get(name)
            .ok_or_else(|| missing("head", name))?;
        // All parts at once: while one is on its way, another can be made.
        let make = async || {
            let feed = async {
                match (&entry.encoder, &entry.features) {
                    (Some(encoder), _) => Ok(Feed::Encoder(self.encoder(bundle, encoder).await?)),
                    (None, Some(features)) => {
                        Ok(Feed::Reader(self.reader(bundle, features, None).await?))
                    }
                    (None, None) => Err(missing("features of head", name)),
                }
            };
            let addend = async {
                let Some(addend) = &entry.addend else {
                    return Ok(None);
                };
                let reader = self.reader(bundle, &addend.features, None);
                let (reader, bytes) =
                    try_join(reader, self.model_file(bundle, &addend.file)).await?;
                let (element, shape) = reader.tensor_type();
                let model = Model::load(&addend.file, bytes, element, shape)?;
                Ok(Some((reader, model)))
            };
            let scorer = async {
                match entry.ood.as_ref().and_then(|ood| ood.file.as_ref()) {
                    None => Ok(None),
                    Some(file) => Ok(Some((file, self.model_file(bundle, file).await?))),
                }
            };
            let file = self.model_file(bundle, &entry.file);
            let (feed, addend, scorer, file) = try_join4(feed, addend, scorer, file).await?;
            let (element, shape) = match &feed {
                Feed::Encoder(encoder) => (Element::F32, Shape::Row(encoder.dimension)),
                Feed::Reader(reader) => reader.tensor_type(),
            };
            let scorer = scorer.map(|(path, bytes)| Model::load(path, bytes, element, shape));
            let scorer = scorer.transpose()?;
            Ok(LoadedHead {
                feed,
                model: Model::load(&entry.file, file, element, shape)?,
                output: entry.output,
                temperature: entry.temperature,
                addend,
                ood: entry.ood.as_ref().map(|ood| LoadedOod {
                    method: ood.method,
                    cut: ood.cut,
                    model: scorer,
                }),
            })
        };
        self.heads.get_or_make(name, make).await
    }

    /// The encoder called `name`, loaded now if it was not.
    pub(super) async fn encoder(&self, bundle: &Bundle, name: &str) -> Result<Arc<LoadedEncoder>> {
        let entry = bundle
            .manifest()
            .encoders
            .get(name)
            .ok_or_else(|| missing("encoder", name))?;
        let make = async || {
            let reader = self.reader(bundle, &entry.features, entry.max_tokens);
            let (reader, file) = try_join(reader, self.model_file(bundle, &entry.file)).await?;
            let (element, shape) = reader.tensor_type();
            Ok(LoadedEncoder {
                name: name.to_owned(),
                reader,
                model: Model::load(&entry.file, file, element, shape)?,
                dimension: entry.dimension as usize,
                pooling: entry.pooling,
            })
        };
        self.encoders.get_or_make(name, make).await
    }

    /// The tagger, loaded now if it was not.
    pub(super) async fn tagger(
        &self,
        bundle: &Bundle,
        entry: &Tagger,
    ) -> Result<Arc<LoadedTagger>> {
        let make = async || {
            let tags = entry.labels.iter().map(|l| Tag::of(l, &entry.person));
            let tokenizer = self.tokenizer(bundle, &entry.tokenizer);
            let (tokenizer, file) =
                try_join(tokenizer, self.model_file(bundle, &entry.file)).await?;
            Ok(LoadedTagger {
                tokenizer,
                model: Model::load(&entry.file, file, Element::I64, Shape::AnyRow)?,
                special: entry.special,
                tags: tags.collect(),
                most: entry.max_tokens as usize,
            })
        };
        self.taggers.get_or_make("", make).await
    }

    async fn reader(
        &self,
        bundle: &Bundle,
        features: &Features,
        max_tokens: Option<u32>,
    ) -> Result<Reader> {
        Ok(match features {
            Features::Tokens { tokenizer, special } => Reader::Tokens {
                tokenizer: self.tokenizer(bundle, tokenizer).await?,
                special: *special,
                max_tokens,
            },
            Features::HashedTokens { tokenizer, buckets } => Reader::Hashed {
                tokenizer: self.tokenizer(bundle, tokenizer).await?,
                buckets: *buckets,
            },
            Features::Ngrams { file } => Reader::Ngrams(NgramVocabulary::load(
                file,
                &self.file(bundle, file).await?,
            )?),
            &Features::ByteWindows {
                begin_bytes,
                end_bytes,
                block_bytes,
                padding,
            } => Reader::Windows(Windows {
                begin: begin_bytes as usize,
                end: end_bytes as usize,
                block: block_bytes as usize,
                padding,
            }),
        })
    }

    pub(super) async fn tokenizer(
        &self,
        bundle: &Bundle,
        name: &str,
    ) -> Result<Arc<TextTokenizer>> {
        let entry = bundle
            .manifest()
            .tokenizers
            .get(name)
            .ok_or_else(|| missing("tokenizer", name))?;
        let make = async || {
            let bytes = self.file(bundle, &entry.file).await?;
            match entry.kind {
                TokenizerKind::HfTokenizer => TextTokenizer::load(&entry.file, &bytes),
            }
        };
        self.tokenizers.get_or_make(name, make).await
    }

    /// A model's file, with the weights that it has in files beside it.
    #[cfg(feature = "onnx")]
    async fn model_file(&self, bundle: &Bundle, path: &str) -> Result<Vec<u8>> {
        let file = self.file(bundle, path).await?;
        let names = Model::beside(path, &file)?;
        if names.is_empty() {
            return Ok(file);
        }
        let folder = path
            .rsplit_once('/')
            .map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut beside = std::collections::BTreeMap::new();
        for name in names {
            let at = format!("{folder}{name}");
            let entry = bundle.manifest().files.get(&at).ok_or_else(|| {
                Error::new(
                    Code::ModelInvalid,
                    format!("{path} has weights in {at}, which the manifest does not list under `files`; add it there"),
                )
            })?;
            beside.insert(name, self.source.read(&at, entry).await?);
        }
        Model::whole(path, &file, &beside)
    }

    #[cfg(not(feature = "onnx"))]
    async fn model_file(&self, bundle: &Bundle, path: &str) -> Result<Vec<u8>> {
        self.file(bundle, path).await
    }

    pub(super) async fn file(&self, bundle: &Bundle, path: &str) -> Result<Vec<u8>> {
        let entry = bundle
            .manifest()
            .files
            .get(path)
            .ok_or_else(|| missing("file", path))?;
        self.source.read(path, entry).await
    }
}

/// Validation makes sure of every reference; this is what is said should that ever fail.
fn missing(what: &str, name: &str) -> Error {
    Error::new(
        Code::Internal,
        format!("the {what} \"{name}\" passed validation and is missing"),
    )
}

impl Reader {
    fn tensor_type(&self) -> (Element, Shape) {
        match self {
            Reader::Tokens { .. } | Reader::Hashed { .. } => (Element::I64, Shape::AnyRow),
            Reader::Ngrams(vocabulary) => (Element::F32, Shape::Row(vocabulary.width())),
            Reader::Windows(windows) => (Element::I32, Shape::Row(windows.width())),
        }
    }

    fn tensor(&self, input: Input, limits: &Limits) -> Result<Tensor> {
        let too_short = |what: &str| Error::new(Code::InputTooShort, what);
        match (self, input) {
            (
                Reader::Tokens {
                    tokenizer,
                    special,
                    max_tokens,
                },
                Input::Text(text),
            ) => {
                let ids = tokenizer.ids(text, *special)?;
                if ids.is_empty() {
                    return Err(too_short("the text has no words to go by"));
                }
                within(ids.len(), limits.max_tokens, "task")?;
                within(ids.len(), *max_tokens, "encoder")?;
                Ok(Tensor::I64(ids))
            }
            (Reader::Hashed { tokenizer, buckets }, Input::Text(text)) => {
                let ids = tokenizer.ids(text, false)?;
                if ids.is_empty() {
                    return Err(too_short("the text has no words to go by"));
                }
                within(ids.len(), limits.max_tokens, "task")?;
                Ok(Tensor::I64(crate::text::buckets(&ids, *buckets)))
            }
            (Reader::Ngrams(vocabulary), Input::Text(text)) => vocabulary
                .frequencies(text)
                .map(Tensor::F32)
                .ok_or_else(|| too_short("the text has no letters to go by")),
            (Reader::Windows(windows), Input::Bytes(bytes)) => windows
                .numbers(bytes, limits.min_bytes as usize)
                .map(Tensor::I32)
                .ok_or_else(|| too_short("the file begins with nothing but white space")),
            (_, input) => Err(Error::new(
                Code::InputKind,
                format!("the model does not read {}", input.kind().as_str()),
            )),
        }
    }
}

/// Holds a text's tokens against a limit.
fn within(tokens: usize, most: Option<u32>, whose: &str) -> Result<()> {
    match most {
        Some(most) if tokens > most as usize => Err(Error::new(
            Code::InputTooLong,
            format!("the text has {tokens} tokens, over the {whose}'s limit of {most}; split it"),
        )),
        _ => Ok(()),
    }
}

impl LoadedEncoder {
    /// The vector of one input: `dimension` values.
    pub(super) fn run(&self, input: Input, limits: &Limits) -> Result<Vec<f32>> {
        let values = self.model.run(self.reader.tensor(input, limits)?)?;
        let Some(pooling) = self.pooling else {
            return Ok(values);
        };
        if values.is_empty() || values.len() % self.dimension != 0 {
            return Err(Error::new(
                Code::ModelOutput,
                format!(
                    "the encoder \"{}\" gave {} values, which is no whole number of vectors of {}",
                    self.name,
                    values.len(),
                    self.dimension
                ),
            ));
        }
        Ok(pool(&values, self.dimension, pooling))
    }
}

/// One vector of length 1 from the tokens' vectors, `[tokens, dimension]`.
fn pool(values: &[f32], dimension: usize, pooling: Pooling) -> Vec<f32> {
    let mut pooled = vec![0.0_f32; dimension];
    let tokens = match pooling {
        Pooling::Mean => values.len() / dimension,
        Pooling::First => 1,
    };
    for token in values.chunks_exact(dimension).take(tokens) {
        for (sum, value) in pooled.iter_mut().zip(token) {
            *sum += value;
        }
    }
    // The sum points where the mean does, and only the direction is kept.
    let norm = pooled.iter().map(|v| v * v).sum::<f32>().sqrt();
    let norm = norm.max(f32::MIN_POSITIVE);
    pooled.iter_mut().for_each(|v| *v /= norm);
    pooled
}

impl LoadedHead {
    /// What the head makes of one input.
    ///
    /// # Errors
    /// [`Code::InputTooShort`] or [`Code::InputTooLong`] when the input is not for this model,
    /// otherwise what failed.
    pub(super) fn run(&self, input: Input, limits: &Limits) -> Result<Scored> {
        let (tensor, vector) = match &self.feed {
            Feed::Reader(reader) => (reader.tensor(input, limits)?, None),
            Feed::Encoder(encoder) => {
                let vector = encoder.run(input, limits)?;
                (Tensor::F32(vector.clone()), Some(vector))
            }
        };
        let values = self.model.run(tensor)?;
        if values.is_empty() {
            return Err(Error::new(Code::ModelOutput, "the head gave no values"));
        }
        let mut logits = calibrate::logits(&values, self.output);
        if let Some((reader, model)) = &self.addend {
            let added = model.run(reader.tensor(input, limits)?)?;
            if added.len() != logits.len() {
                return Err(Error::new(
                    Code::ModelOutput,
                    format!(
                        "the head gives {} values and its addend {}; they belong to different tasks",
                        logits.len(),
                        added.len()
                    ),
                ));
            }
            for (logit, added) in logits.iter_mut().zip(added) {
                *logit += f64::from(added);
            }
        }
        let calibrated = calibrate::calibrate(&logits, self.temperature);
        let ood = match &self.ood {
            None => None,
            Some(ood) => Some((
                self.ood_score(ood, &logits, &calibrated, vector.as_deref())?,
                ood.cut,
            )),
        };
        Ok(Scored {
            logits,
            calibrated,
            vector,
            ood,
        })
    }

    fn ood_score(
        &self,
        ood: &LoadedOod,
        logits: &[f64],
        calibrated: &Calibrated,
        vector: Option<&[f32]>,
    ) -> Result<f64> {
        match (ood.method, &ood.model, vector) {
            (OodMethod::Msp, ..) => Ok(1.0 - calibrated.confidence),
            (OodMethod::Energy, ..) => Ok(calibrate::energy(logits, self.temperature)),
            (_, Some(model), Some(vector)) => model
                .run(Tensor::F32(vector.to_vec()))?
                .first()
                .map(|&score| f64::from(score))
                .ok_or_else(|| Error::new(Code::ModelOutput, "the OOD model gave no score")),
            _ => Err(Error::new(
                Code::Internal,
                "an OOD method without its model passed validation",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_vectors_become_one_of_length_one() {
        let tokens = [3.0, 0.0, 0.0, 4.0, 3.0, 4.0];
        let mean = pool(&tokens, 2, Pooling::Mean);
        assert!((mean[0] - 0.6).abs() < 1e-6 && (mean[1] - 0.8).abs() < 1e-6);
        assert_eq!(pool(&tokens, 2, Pooling::First), [1.0, 0.0]);
        assert_eq!(pool(&[0.0, 0.0], 2, Pooling::Mean), [0.0, 0.0]);
    }
}
