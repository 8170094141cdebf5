//! The loaded parts of a bundle: tokenizers, vocabularies, encoders and heads.

#[cfg(feature = "onnx")]
mod sight;

use std::sync::Arc;

use futures_util::future::{try_join, try_join4};

use super::encoder::LoadedEncoder;
use super::features::Reader;
use super::head::{Feed, LoadedHead};
#[cfg(feature = "onnx")]
use super::numeric::LoadedNumeric;
use super::once_map::OnceMap;
#[cfg(feature = "onnx")]
use super::sight::LoadedSight;
#[cfg(feature = "onnx")]
use super::sound_model::SoundReader;
use super::tagger::LoadedTagger;
#[cfg(feature = "onnx")]
use super::task_model::LoadedTaskModel;
#[cfg(feature = "onnx")]
use crate::bundle::folder::UNKNOWN_SHA256;
use crate::bundle::{Bundle, Features, Source, Tagger, TokenizerKind};
#[cfg(feature = "onnx")]
use crate::bundle::{image_processor, sound_processor};
use crate::bytes::Windows;
use crate::calibrate::OodScorer;
use crate::engine::{Element, Model, Shape};
use crate::error::{Code, Error, Result};
use crate::text::{NgramTable, NgramVocabulary, Tag, TextTokenizer};

/// The models in memory, and where the others come from.
pub(super) struct Models<S> {
    source: S,
    tokenizers: OnceMap<TextTokenizer>,
    encoders: OnceMap<LoadedEncoder>,
    heads: OnceMap<LoadedHead>,
    taggers: OnceMap<LoadedTagger>,
    #[cfg(feature = "onnx")]
    task_models: OnceMap<LoadedTaskModel>,
    #[cfg(feature = "onnx")]
    sights: OnceMap<LoadedSight>,
    #[cfg(feature = "onnx")]
    pub(super) numeric_models: OnceMap<LoadedNumeric>,
}

impl<S: Source> Models<S> {
    pub(super) fn new(source: S) -> Self {
        Models {
            source,
            tokenizers: OnceMap::new(),
            encoders: OnceMap::new(),
            heads: OnceMap::new(),
            taggers: OnceMap::new(),
            #[cfg(feature = "onnx")]
            task_models: OnceMap::new(),
            #[cfg(feature = "onnx")]
            sights: OnceMap::new(),
            #[cfg(feature = "onnx")]
            numeric_models: OnceMap::new(),
        }
    }

    pub(super) fn source(&self) -> &S {
        &self.source
    }

    pub(super) fn is_loaded(&self, head: &str) -> bool {
        #[cfg(feature = "onnx")]
        if self.task_models.has(head) || self.sights.has(head) || self.numeric_models.has(head) {
            return true;
        }
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
            #[cfg(feature = "onnx")]
            if let Some(Features::Table { columns }) = &entry.features {
                return self.table_head(bundle, entry, columns).await;
            }
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
                #[cfg(feature = "onnx")]
                Feed::Table(_) => return Err(missing("reader of tables", name)),
            };
            let ood = match &entry.ood {
                None => None,
                Some(ood) => {
                    let model = scorer.map(|(path, bytes)| (path.as_str(), bytes));
                    let scorer = OodScorer::load(ood.method, model, (element, shape))?;
                    Some((scorer, ood.cut))
                }
            };
            Ok(LoadedHead {
                feed,
                model: Some(Model::load(&entry.file, file, element, shape)?),
                output: entry.output,
                temperature: entry.temperature,
                correctness: entry.correctness.clone(),
                addend,
                ood,
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

    /// The model called `name`, loaded now if it was not.
    #[cfg(feature = "onnx")]
    pub(super) async fn task_model(
        &self,
        bundle: &Bundle,
        name: &str,
    ) -> Result<Arc<LoadedTaskModel>> {
        let entry = bundle
            .manifest()
            .models
            .get(name)
            .ok_or_else(|| missing("model", name))?;
        let make = async || {
            let Features::Tokens { tokenizer, special } = &entry.features else {
                return Err(missing("tokens of model", name));
            };
            let tokenizer = self.tokenizer(bundle, tokenizer);
            let (tokenizer, file) =
                try_join(tokenizer, self.model_file(bundle, &entry.file)).await?;
            LoadedTaskModel::load(entry, name, file, tokenizer, *special)
        };
        self.task_models.get_or_make(name, make).await
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
            Features::HashedTokens {
                tokenizer,
                buckets,
                cues,
            } => Reader::Hashed {
                tokenizer: self.tokenizer(bundle, tokenizer).await?,
                buckets: *buckets,
                cues: *cues,
            },
            Features::Ngrams { file } => Reader::Ngrams(NgramVocabulary::load(
                file,
                &self.file(bundle, file).await?,
            )?),
            Features::HashedCharacters { file } => {
                Reader::Characters(NgramTable::load(file, &self.file(bundle, file).await?)?)
            }
            #[cfg(feature = "onnx")]
            Features::Image { processor } => {
                let processor = image_processor(processor);
                Reader::Image(processor.map_err(|why| Error::new(Code::BundleInvalid, why))?)
            }
            #[cfg(feature = "onnx")]
            Features::Sound { processor } => {
                let (processor, prepared) = sound_processor(processor)
                    .map_err(|why| Error::new(Code::BundleInvalid, why))?;
                let rank = match processor {
                    smallfirst_sound::SoundProcessor::Samples { .. } => 2,
                    _ => 3,
                };
                Reader::Sound(SoundReader::new(prepared), rank)
            }
            // Its head is a whole model.
            #[cfg(feature = "onnx")]
            Features::Table { .. } => return Err(missing("head of columns", "table")),
            #[cfg(not(feature = "onnx"))]
            Features::Image { .. } | Features::Sound { .. } | Features::Table { .. } => {
                return Err(Error::new(
                    Code::NeedsOnnx,
                    "models of images, sounds and tables run in the other engine: leave `engine` out, or set it to \"onnx\"",
                ));
            }
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
    pub(super) async fn model_file(&self, bundle: &Bundle, path: &str) -> Result<Vec<u8>> {
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
            // A folder's files are not listed.
            let files = &bundle.manifest().files;
            let unlisted = files
                .get(path)
                .filter(|entry| entry.sha256 == UNKNOWN_SHA256);
            let entry = files.get(&at).or(unlisted).ok_or_else(|| {
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
pub(super) fn missing(what: &str, name: &str) -> Error {
    Error::new(
        Code::Internal,
        format!("the {what} \"{name}\" passed validation and is missing"),
    )
}
