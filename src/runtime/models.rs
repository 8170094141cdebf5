//! The loaded parts of a bundle: tokenizers, vocabularies, encoders and heads.

use std::sync::Arc;

use super::shelf::Shelf;
use crate::bundle::{Bundle, Features, Limits, Source, TokenizerKind};
use crate::bytes::Windows;
use crate::calibrate::{Calibrated, calibrate};
use crate::engine::{Element, Model, Shape, Tensor};
use crate::error::{Code, Error, Result};
use crate::task::Input;
use crate::text::{NgramVocabulary, TextTokenizer};

/// The models in memory, and where the others come from.
pub(super) struct Models<S> {
    source: S,
    tokenizers: Shelf<TextTokenizer>,
    encoders: Shelf<LoadedEncoder>,
    heads: Shelf<LoadedHead>,
}

/// What turns inputs into a model's tensor.
enum Reader {
    Tokens(Arc<TextTokenizer>),
    Ngrams(NgramVocabulary),
    Windows(Windows),
}

struct LoadedEncoder {
    reader: Reader,
    model: Model,
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
    output: crate::bundle::ModelOutput,
    temperature: f64,
}

impl<S: Source> Models<S> {
    pub(super) fn new(source: S) -> Self {
        Models {
            source,
            tokenizers: Shelf::new(),
            encoders: Shelf::new(),
            heads: Shelf::new(),
        }
    }

    #[cfg(test)]
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
        let make = async || {
            let (feed, element, shape) = match (&entry.encoder, &entry.features) {
                (Some(encoder), _) => {
                    let (loaded, dimension) = self.encoder(bundle, encoder).await?;
                    (Feed::Encoder(loaded), Element::F32, Shape::Row(dimension))
                }
                (None, Some(features)) => {
                    let reader = self.reader(bundle, features).await?;
                    let (element, shape) = reader.tensor_type();
                    (Feed::Reader(reader), element, shape)
                }
                (None, None) => return Err(missing("features of head", name)),
            };
            Ok(LoadedHead {
                feed,
                model: self.model(bundle, &entry.file, element, shape).await?,
                output: entry.output,
                temperature: entry.temperature,
            })
        };
        self.heads.get_or_make(name, make).await
    }

    async fn encoder(&self, bundle: &Bundle, name: &str) -> Result<(Arc<LoadedEncoder>, usize)> {
        let entry = bundle
            .manifest()
            .encoders
            .get(name)
            .ok_or_else(|| missing("encoder", name))?;
        let make = async || {
            let reader = self.reader(bundle, &entry.features).await?;
            let (element, shape) = reader.tensor_type();
            let model = self.model(bundle, &entry.file, element, shape).await?;
            Ok(LoadedEncoder { reader, model })
        };
        let encoder = self.encoders.get_or_make(name, make).await?;
        Ok((encoder, entry.dimension as usize))
    }

    async fn reader(&self, bundle: &Bundle, features: &Features) -> Result<Reader> {
        Ok(match features {
            Features::Tokens { tokenizer } => {
                Reader::Tokens(self.tokenizer(bundle, tokenizer).await?)
            }
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

    async fn tokenizer(&self, bundle: &Bundle, name: &str) -> Result<Arc<TextTokenizer>> {
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

    async fn model(
        &self,
        bundle: &Bundle,
        path: &str,
        element: Element,
        shape: Shape,
    ) -> Result<Model> {
        Model::load(path, &self.file(bundle, path).await?, element, shape)
    }

    async fn file(&self, bundle: &Bundle, path: &str) -> Result<Vec<u8>> {
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
            Reader::Tokens(_) => (Element::I64, Shape::AnyRow),
            Reader::Ngrams(vocabulary) => (Element::F32, Shape::Row(vocabulary.width())),
            Reader::Windows(windows) => (Element::I32, Shape::Row(windows.width())),
        }
    }

    fn tensor(&self, input: Input, limits: &Limits) -> Result<Tensor> {
        let too_short = |what: &str| Error::new(Code::InputTooShort, what);
        match (self, input) {
            (Reader::Tokens(tokenizer), Input::Text(text)) => {
                let ids = tokenizer.ids(text)?;
                if ids.is_empty() {
                    return Err(too_short("the text has no words to go by"));
                }
                match limits.max_tokens {
                    Some(most) if ids.len() > most as usize => Err(Error::new(
                        Code::InputTooLong,
                        format!(
                            "the text has {} tokens, over the task's limit of {most}; split it",
                            ids.len()
                        ),
                    )),
                    _ => Ok(Tensor::I64(ids)),
                }
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

impl LoadedHead {
    /// The head's calibrated probabilities for one input.
    ///
    /// # Errors
    /// [`Code::InputTooShort`] or [`Code::InputTooLong`] when the input is not for this model,
    /// otherwise what failed.
    pub(super) fn run(&self, input: Input, limits: &Limits) -> Result<Calibrated> {
        let tensor = match &self.feed {
            Feed::Reader(reader) => reader.tensor(input, limits)?,
            Feed::Encoder(encoder) => {
                let tokens = encoder.reader.tensor(input, limits)?;
                Tensor::F32(encoder.model.run(tokens)?)
            }
        };
        let values = self.model.run(tensor)?;
        if values.is_empty() {
            return Err(Error::new(Code::ModelOutput, "the head gave no values"));
        }
        Ok(calibrate(&values, self.output, self.temperature))
    }
}
