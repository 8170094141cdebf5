//! Text to token ids.

mod bounds;
mod canonical;
mod composed;
mod encoded;
#[cfg(feature = "expressions")]
mod expression;
mod marks;
mod pieces;
mod scratch;
mod sequence;
#[cfg(feature = "expressions")]
mod splits;
mod steps;
mod traced;
mod vocabulary;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::sync::Mutex;

use serde_json::Value;
use tokenizers::pipeline::{EncodeOptions, Override, PipelineTokenizer};

use crate::error::{Code, Error, Result, excerpt};
use canonical::CANONICAL;

pub use encoded::{Encoded, Part, Place};
pub use vocabulary::Specials;

/// A Hugging Face tokenizer.
pub struct TextTokenizer {
    name: String,
    inner: PipelineTokenizer,
    /// How many special tokens it puts around a text.
    around: usize,
    /// Whether the model's names of special tokens begin with [`UNWRITTEN`].
    renamed: bool,
    /// Its own pre-tokenizer, where the library has not what it needs.
    #[cfg(feature = "expressions")]
    splits: Option<splits::Splits>,
    /// What [`TextTokenizer::encoded`] keeps from text to text.
    scratch: Mutex<Option<Box<scratch::Scratch>>>,
}

/// What a special token's name in the model begins with where texts could spell it otherwise: a noncharacter, of which texts
/// are rid.
const UNWRITTEN: char = '\u{fdd0}';

/// What the library says of a regular expression that is not built in.
const NO_ENGINE: &str = "system-regex";
const NOT_BUILT_IN: &str = "its regular expression is not built in; those of GPT-2, cl100k, Llama 3, o200k and DeepSeek are";

impl fmt::Debug for TextTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextTokenizer")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`. Truncation and padding that it asks for are switched off: what is
    /// too long is refused, never cut unseen.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`].
    pub fn load(name: &str, json: &[u8]) -> Result<Self> {
        let invalid = |why: &dyn fmt::Display| {
            Error::new(
                Code::ModelInvalid,
                format!(
                    "{name} is not a tokenizer.json: {}",
                    excerpt(&why.to_string(), 200)
                ),
            )
        };
        let json = str::from_utf8(json).map_err(|e| invalid(&e))?;
        bounds::check(json).map_err(|e| invalid(&e))?;
        let converted = match json.starts_with(CANONICAL) {
            true => None,
            false => Some(TextTokenizer::canonical(json).map_err(|e| invalid(&e))?),
        };
        if let Some(json) = &converted {
            bounds::check(json).map_err(|e| invalid(&e))?;
        }
        let json = converted.as_deref().unwrap_or(json);
        let read = |json: &str| -> Result<Self> {
            let inner = tokenizers::from_json(json).map_err(|e| match e.to_string() {
                why if why.contains(NO_ENGINE) => invalid(&NOT_BUILT_IN),
                why => invalid(&why),
            })?;
            let mut tokenizer = TextTokenizer {
                name: name.to_owned(),
                inner,
                around: 0,
                renamed: false,
                #[cfg(feature = "expressions")]
                splits: None,
                scratch: Mutex::new(None),
            };
            // Of what is not built in, the library takes note when it is needed.
            if let Err(e) = tokenizer.encode("a", false)
                && e.to_string().contains(NO_ENGINE)
            {
                #[cfg(not(feature = "expressions"))]
                return Err(invalid(&NOT_BUILT_IN));
                #[cfg(feature = "expressions")]
                {
                    let splits = splits::Splits::new(json).map_err(|e| invalid(&e))?;
                    tokenizer.splits = Some(splits);
                }
            }
            tokenizer.around = tokenizer.encode("", true)?.len();
            Ok(tokenizer)
        };
        let tokenizer = read(json)?;
        let spelt = tokenizer.spelt()?;
        if spelt.is_empty() {
            return Ok(tokenizer);
        }
        let renamed = renamed(json, &spelt).map_err(|e| invalid(&e))?;
        let renamed = TextTokenizer {
            renamed: true,
            ..read(&renamed)?
        };
        let same = renamed.encode("", true)? == tokenizer.encode("", true)?;
        if !same || !renamed.spelt()?.is_empty() {
            return Err(invalid(&format!(
                "a text that spells its special token \"{}\" could not be told from it",
                excerpt(&spelt[0], 40)
            )));
        }
        Ok(renamed)
    }

    /// The special tokens that the model makes of a text that spells them. They are not looked for in texts, but models
    /// have them among their words or pieces, too.
    fn spelt(&self) -> Result<Vec<String>> {
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder();
        let mut spelt = Vec::new();
        for (id, token) in added {
            let written = |text: &str| -> Result<bool> {
                Ok(self.encode(text, false)?.contains(&i64::from(id)))
            };
            // What nobody knows is unknown, however it is written: characters of private use or, where those are left out,
            // letters of Nushu.
            let unknown = || -> Result<bool> {
                Ok(written("\u{e000}\u{e001}")? || written("\u{1b170}\u{1b171}")?)
            };
            if token.special && written(&token.content)? && !unknown()? {
                spelt.push(token.content);
            }
        }
        spelt.sort();
        Ok(spelt)
    }

    /// A `tokenizer.json` in the newest format and without white space, which [`TextTokenizer::load`] need not convert.
    ///
    /// # Errors
    /// Why it is none.
    pub fn canonical(json: &str) -> std::result::Result<String, tokenizers::ConvertError> {
        canonical::canonical(json)
    }

    /// The ids of `text`, with the tokenizer's special tokens if `special`. Empty when nothing of
    /// the text itself is a token.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when the tokenizer's own rules fail on the text.
    pub fn ids(&self, text: &str, special: bool) -> Result<Vec<i64>> {
        let ids = self.encode(text, special)?;
        Ok(if special && ids.len() <= self.around {
            Vec::new()
        } else {
            ids
        })
    }

    /// The ids of a text. What spells a special token in it is text: whoever writes `[SEP]` separates nothing.
    fn encode(&self, text: &str, special: bool) -> Result<Vec<i64>> {
        #[cfg(feature = "expressions")]
        if self.splits.is_some() {
            return Ok(self.encoded(text, None, special)?.ids);
        }
        let written = self.written(text);
        let options = EncodeOptions {
            add_special_tokens: special,
            encode_special_tokens: true,
            padding: Override::Off,
            truncation: Override::Off,
        };
        let mut ids = Vec::with_capacity(text.len() / 4);
        self.inner
            .encode_into(&written, &options, &mut ids)
            .map_err(|e| self.failed(&e))?;
        Ok(ids.iter().map(|id| i64::from(id.id())).collect())
    }

    /// A text that spells none of the model's special tokens. Every character stays as long as it was.
    fn written<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.renamed && text.contains(UNWRITTEN) {
            true => Cow::Owned(text.replace(UNWRITTEN, "\u{fffd}")),
            false => Cow::Borrowed(text),
        }
    }

    fn failed(&self, why: &dyn fmt::Display) -> Error {
        let why = excerpt(&why.to_string(), 200);
        Error::new(Code::ModelInvalid, format!("{} failed: {why}", self.name))
    }
}

/// A `tokenizer.json` whose model has other names for these tokens: ones that no text can spell. Their ids stay.
fn renamed(json: &str, tokens: &[String]) -> std::result::Result<String, serde_json::Error> {
    let mut value: Value = serde_json::from_str(json)?;
    let unwritten = |token: &str| format!("{UNWRITTEN}{token}");
    let among = |token: &str| tokens.iter().any(|other| other == token);
    let model = &mut value["model"];
    match &mut model["vocab"] {
        Value::Object(words) => {
            for token in tokens {
                if let Some(id) = words.remove(token) {
                    words.insert(unwritten(token), id);
                }
            }
        }
        Value::Array(pieces) => {
            for piece in pieces.iter_mut().filter_map(|piece| piece.get_mut(0)) {
                if let Some(token) = piece.as_str().filter(|token| among(token)) {
                    *piece = unwritten(token).into();
                }
            }
        }
        _ => {}
    }
    if let Some(token) = model["unk_token"].as_str().filter(|token| among(token)) {
        model["unk_token"] = unwritten(token).into();
    }
    // Those that are added have the ids of the model's tokens of the same names, or new ones.
    for added in value
        .get_mut("added_tokens")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(token) = added["content"].as_str().filter(|token| among(token)) {
            added["content"] = unwritten(token).into();
        }
    }
    serde_json::to_string(&value)
}

#[cfg(test)]
mod tests;
