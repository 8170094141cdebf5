//! Inputs to a model's tensor: the manifest's features, loaded.

use std::sync::Arc;

#[cfg(feature = "onnx")]
use smallfirst_image::ImageProcessor;

#[cfg(feature = "onnx")]
use super::sound_model::SoundReader;
use crate::bundle::Limits;
use crate::bytes::Windows;
use crate::engine::{Element, Shape, Tensor};
use crate::error::{Code, Error, Result};
use crate::task::Input;
use crate::text::{NgramTable, NgramVocabulary, TextTokenizer};

/// What turns inputs into a model's tensor.
pub(super) enum Reader {
    Tokens {
        tokenizer: Arc<TextTokenizer>,
        special: bool,
        max_tokens: Option<u32>,
    },
    Hashed {
        tokenizer: Arc<TextTokenizer>,
        buckets: u32,
        cues: u32,
    },
    Ngrams(NgramVocabulary),
    Characters(NgramTable),
    Windows(Windows),
    #[cfg(feature = "onnx")]
    Image(ImageProcessor),
    /// Of sounds, with how many axes the tensor has.
    #[cfg(feature = "onnx")]
    Sound(SoundReader, usize),
}

impl Reader {
    pub(super) fn tensor_type(&self) -> (Element, Shape) {
        match self {
            Reader::Tokens { .. } | Reader::Hashed { .. } => (Element::I64, Shape::AnyRow),
            Reader::Ngrams(vocabulary) => (Element::F32, Shape::Row(vocabulary.width())),
            Reader::Characters(table) => (Element::F32, Shape::Row(table.width())),
            Reader::Windows(windows) => (Element::I32, Shape::Row(windows.width())),
            #[cfg(feature = "onnx")]
            Reader::Image(_) => (Element::F32, Shape::Planes),
            #[cfg(feature = "onnx")]
            Reader::Sound(_, axes) => (Element::F32, Shape::Axes(*axes)),
        }
    }

    pub(super) fn tensor(&self, input: Input, limits: &Limits) -> Result<Tensor> {
        let too_short = |what: &str| Error::new(Code::InputTooShort, what);
        let of_letters = |vector: Option<Vec<f32>>| {
            let vector = vector.map(Tensor::F32);
            vector.ok_or_else(|| too_short("the text has no letters to go by"))
        };
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
            (
                Reader::Hashed {
                    tokenizer,
                    buckets,
                    cues,
                },
                Input::Text(text),
            ) => {
                let ids = tokenizer.ids(text, false)?;
                if ids.is_empty() {
                    return Err(too_short("the text has no words to go by"));
                }
                within(ids.len(), limits.max_tokens, "task")?;
                Ok(Tensor::I64(crate::text::buckets(
                    text, &ids, *buckets, *cues,
                )))
            }
            (Reader::Ngrams(vocabulary), Input::Text(text)) => {
                of_letters(vocabulary.frequencies(text))
            }
            (Reader::Characters(table), Input::Text(text)) => of_letters(table.embed(text)),
            (Reader::Windows(windows), Input::Bytes(bytes)) => windows
                .numbers(bytes, limits.min_bytes as usize)
                .map(Tensor::I32)
                .ok_or_else(|| too_short("the file begins with nothing but white space")),
            #[cfg(feature = "onnx")]
            (Reader::Image(processor), Input::Image(pixels)) => {
                let processed = processor.process(pixels)?;
                let values = match processed.data {
                    smallfirst_image::Data::F32(values) => values,
                    smallfirst_image::Data::U8(values) => {
                        values.into_iter().map(f32::from).collect()
                    }
                };
                Ok(Tensor::Planes(processed.shape, values))
            }
            #[cfg(feature = "onnx")]
            (Reader::Sound(reader, _), Input::Sound { samples, rate }) => {
                let (shape, numbers) = reader.tensor(samples, rate)?;
                Ok(Tensor::Planes(shape, numbers))
            }
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
