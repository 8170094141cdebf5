//! What a kind of task asks of the model that serves it.

use crate::error::{Code, Error, Result};
use crate::task::Pooling;

/// A text as a model reads it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tokens {
    /// The ids.
    pub ids: Vec<i64>,
    /// Which of the two texts each belongs to, as the model numbers them.
    pub types: Vec<i64>,
    /// Where each is in its text; none for special tokens.
    pub places: Vec<Option<Place>>,
    /// Whether a word begins with it.
    pub begins: Vec<bool>,
}

/// Where a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether it is in the second of two texts.
    pub second: bool,
    /// Its first byte there.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
}

/// What a model gives: the values of one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Its name.
    pub name: String,
    /// Its lengths.
    pub shape: Vec<usize>,
    /// Its numbers, row by row. Every one is finite.
    pub numbers: Vec<f32>,
}

/// What a kind of task may ask of the model that serves it.
pub trait Forward {
    /// The model's name, for errors.
    fn name(&self) -> &str;
    /// The tokens of a text, or of two. With `mask`, what spells the mask token in the text stands for it.
    ///
    /// # Errors
    /// What is wrong with the text, or with the tokenizer.
    fn tokens(&self, text: &str, second: Option<&str>, mask: bool) -> Result<Tokens>;
    /// The id of the mask token.
    fn mask_id(&self) -> Option<i64>;
    /// The text that tokens stand for, special ones left out.
    ///
    /// # Errors
    /// When the tokenizer cannot tell.
    fn words(&self, ids: &[i64]) -> Result<String>;
    /// All outputs for these tokens.
    ///
    /// # Errors
    /// When the model fails.
    fn run(&mut self, tokens: &Tokens) -> Result<Vec<Values>>;
    /// How vectors of tokens become one, where the model's folder says.
    fn pooling(&self) -> Option<Pooling>;
    /// Whether vectors get length 1, where the model's folder says.
    fn normalizes(&self) -> bool;
}

/// The output of a name, or the only one there is.
pub(super) fn named<'v>(model: &str, values: &'v [Values], names: &[&str]) -> Result<&'v Values> {
    let found = names
        .iter()
        .find_map(|name| values.iter().find(|v| v.name == *name));
    match (found, values) {
        (Some(found), _) => Ok(found),
        (None, [only]) => Ok(only),
        (None, _) => {
            let there: Vec<&str> = values.iter().map(|v| v.name.as_str()).collect();
            Err(Error::new(
                Code::ModelOutput,
                format!(
                    "{model} gives {}, and none of them is {}",
                    there.join(", "),
                    names.join(" or ")
                ),
            ))
        }
    }
}

/// That a model gave something of another shape than its task needs.
pub(super) fn misshapen(model: &str, values: &Values, wanted: &str) -> Error {
    Error::new(
        Code::ModelOutput,
        format!(
            "{model} gave {} of the shape {:?}, and {wanted} was expected; it belongs to another task",
            values.name, values.shape
        ),
    )
}
