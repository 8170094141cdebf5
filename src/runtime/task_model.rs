//! Whole models of a task: what they read of texts, and what a kind of task may ask of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::outputs::values;
use crate::bundle::TaskModel;
use crate::engine::Session;
use crate::engine::tensors::{Data, Length, Tensor, Type};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::Pooling;
use crate::task::kind::{Forward, Place, Tokens, Values};
use crate::text::{Part, TextTokenizer};

/// A model that can be run.
pub(super) struct LoadedTaskModel {
    name: String,
    session: Mutex<Session>,
    inputs: Vec<(String, Role, Type)>,
    tokenizer: Arc<TextTokenizer>,
    special: bool,
    /// The most tokens that it reads.
    most: Option<usize>,
    pooling: Option<Pooling>,
    normalize: bool,
    /// The token that stands for a gap, and its id.
    mask: Option<(String, i64)>,
    /// Whether its inputs have a length that is known.
    fixed: Option<usize>,
}

/// What an input is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Ids,
    Mask,
    Types,
    Positions,
}

impl Role {
    fn of(name: &str) -> Option<Role> {
        Some(match name {
            "input_ids" | "ids" | "input" | "tokens" => Role::Ids,
            "attention_mask" | "input_mask" | "mask" => Role::Mask,
            "token_type_ids" | "segment_ids" | "type_ids" => Role::Types,
            "position_ids" => Role::Positions,
            _ => return None,
        })
    }
}

impl LoadedTaskModel {
    pub(super) fn load(
        entry: &TaskModel,
        name: &str,
        file: Vec<u8>,
        tokenizer: Arc<TextTokenizer>,
        special: bool,
    ) -> Result<Self> {
        let session = Session::load(&entry.file, file)?;
        let ports = session.inputs();
        let mut inputs = Vec::with_capacity(ports.len());
        let mut taken = BTreeSet::new();
        let mut fixed = None;
        for port in ports {
            // A model of one input reads ids, whatever it calls them.
            let role = Role::of(&port.name).or((ports.len() == 1).then_some(Role::Ids));
            let ty = port.ty.unwrap_or(Type::I64);
            let reads = matches!(ty, Type::I64 | Type::I32 | Type::F32 | Type::Bool);
            let Some(role) = role.filter(|role| reads && taken.insert(*role as u8)) else {
                return Err(Error::new(
                    Code::ModelInvalid,
                    format!(
                        "{} has the input \"{}\" ({}), and a model of texts is given input_ids, attention_mask, token_type_ids and \
                         position_ids",
                        entry.file,
                        excerpt(&port.name, 60),
                        ty.name()
                    ),
                ));
            };
            if let Some([_, Length::Known(length)]) = port.shape.as_deref() {
                fixed = Some(*length);
            }
            inputs.push((port.name.clone(), role, ty));
        }
        let mask = match &entry.mask {
            None => None,
            Some(token) => Some((
                token.clone(),
                tokenizer.id_of(token).ok_or_else(|| {
                    Error::new(
                        Code::BundleInvalid,
                        format!(
                            "the model \"{name}\" has the mask token \"{}\", which its tokenizer does not know",
                            excerpt(token, 40)
                        ),
                    )
                })?,
            )),
        };
        Ok(LoadedTaskModel {
            name: entry.file.clone(),
            session: Mutex::new(session),
            inputs,
            tokenizer,
            special,
            most: entry.max_tokens.map(|most| most as usize),
            pooling: entry.pooling,
            normalize: entry.normalize,
            mask,
            fixed,
        })
    }

    /// It, as a kind of task asks it.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked(self)
    }

    fn feed(&self, role: Role, ty: Type, tokens: &Tokens) -> Result<Tensor> {
        let count = tokens.ids.len();
        let numbers: Vec<i64> = match role {
            Role::Ids => tokens.ids.clone(),
            Role::Mask => vec![1; count],
            Role::Types => tokens.types.clone(),
            Role::Positions => (0..count as i64).collect(),
        };
        let shape = vec![1, count];
        Ok(match ty {
            Type::F32 => Tensor::f32(shape, numbers.into_iter().map(|n| n as f32).collect()),
            Type::Bool => Tensor::bools(shape, numbers.into_iter().map(|n| n != 0).collect()),
            Type::I32 => {
                let numbers: Vec<f64> = numbers.into_iter().map(|n| n as f64).collect();
                let data = Data::of_numbers(&numbers, ty);
                let data = data.ok_or_else(|| self.failed("ids could not be narrowed"))?;
                Tensor::new(shape, data).map_err(|why| self.failed(&why.0))?
            }
            _ => Tensor::i64(shape, numbers),
        })
    }

    fn failed(&self, why: &str) -> Error {
        Error::new(
            Code::ModelOutput,
            format!("{}: {}", self.name, excerpt(why, 300)),
        )
    }
}

/// A loaded model, as a kind of task asks it.
pub(super) struct Asked<'m>(&'m LoadedTaskModel);

impl Forward for Asked<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn tokens(&self, text: &str, second: Option<&str>, mask: bool) -> Result<Tokens> {
        let model = self.0;
        let gap = model.mask.as_ref().filter(|_| mask);
        let encoded = match gap {
            Some((token, _)) => model
                .tokenizer
                .encoded_with_mask(text, token, model.special)?,
            None => model.tokenizer.encoded(text, second, model.special)?,
        };
        let count = encoded.ids.len();
        if encoded.places.iter().all(|place| place.part.is_none()) {
            return Err(Error::new(
                Code::InputTooShort,
                "the text has no words to go by",
            ));
        }
        if let Some(most) = model.most.filter(|most| count > *most) {
            return Err(Error::new(
                Code::InputTooLong,
                format!("the text has {count} tokens, over the model's limit of {most}; split it"),
            ));
        }
        if let Some(fixed) = model.fixed.filter(|fixed| count != *fixed) {
            return Err(Error::new(
                Code::InputTooLong,
                format!(
                    "the text has {count} tokens, and {} reads exactly {fixed}; export it with lengths that may differ",
                    model.name
                ),
            ));
        }
        let places = encoded.places.iter().map(|place| {
            place.part.map(|part| Place {
                second: part == Part::Second,
                start: place.start,
                end: place.end,
            })
        });
        Ok(Tokens {
            places: places.collect(),
            ids: encoded.ids,
            types: encoded.type_ids,
            begins: encoded.starts_word,
        })
    }

    fn mask_id(&self) -> Option<i64> {
        self.0.mask.as_ref().map(|(_, id)| *id)
    }

    fn words(&self, ids: &[i64]) -> Result<String> {
        self.0.tokenizer.decode(ids, true)
    }

    fn run(&mut self, tokens: &Tokens) -> Result<Vec<Values>> {
        let model = self.0;
        let feeds = model.inputs.iter();
        let feeds: Vec<Option<Tensor>> = feeds
            .map(|(_, role, ty)| model.feed(*role, *ty, tokens).map(Some))
            .collect::<Result<_>>()?;
        let mut session = model.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(feeds)?;
        values(&model.name, session.outputs(), outputs)
    }

    fn pooling(&self) -> Option<Pooling> {
        self.0.pooling
    }

    fn normalizes(&self) -> bool {
        self.0.normalize
    }
}
