//! Text to token ids.

use std::fmt;

use tokenizers::Tokenizer;

use crate::error::{Code, Error, Result, excerpt};

/// A Hugging Face tokenizer.
pub struct TextTokenizer {
    name: String,
    inner: Tokenizer,
}

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
        let invalid = |e: tokenizers::Error| {
            Error::new(
                Code::ModelInvalid,
                format!(
                    "{name} is not a tokenizer.json: {}",
                    excerpt(&e.to_string(), 200)
                ),
            )
        };
        let mut inner = Tokenizer::from_bytes(json).map_err(invalid)?;
        inner.with_truncation(None).map_err(invalid)?;
        inner.with_padding(None);
        Ok(TextTokenizer {
            name: name.to_owned(),
            inner,
        })
    }

    /// The ids of `text`, with the tokenizer's special tokens if `special`. Empty when nothing of
    /// the text itself is a token.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when the tokenizer's own rules fail on the text.
    pub fn ids(&self, text: &str, special: bool) -> Result<Vec<i64>> {
        let encoding = self.inner.encode_fast(text, special);
        let encoding = encoding.map_err(|e| self.failed(&e))?;
        if encoding.get_special_tokens_mask().iter().all(|&m| m == 1) {
            return Ok(Vec::new());
        }
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }

    /// The ids of `text`, and where each token is in it, in bytes; special ones are nowhere (0 to 0).
    ///
    /// # Errors
    /// As [`TextTokenizer::ids`].
    pub fn places(&self, text: &str, special: bool) -> Result<Vec<(i64, (usize, usize))>> {
        let encoding = self.inner.encode(text, special);
        let encoding = encoding.map_err(|e| self.failed(&e))?;
        let ids = encoding.get_ids().iter().map(|&id| i64::from(id));
        Ok(ids.zip(encoding.get_offsets().iter().copied()).collect())
    }

    fn failed(&self, error: &tokenizers::Error) -> Error {
        let why = excerpt(&error.to_string(), 200);
        Error::new(Code::ModelInvalid, format!("{} failed: {why}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> TextTokenizer {
        let json = serde_json::json!({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
            "padding": null, "added_tokens": [],
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                           "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100,
                      "vocab": {"[UNK]": 0, "hello": 1, "wor": 2, "##ld": 3, "!": 4, "cafe": 5}}
        });
        TextTokenizer::load("tiny", json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn words_are_normalised_and_split_and_nothing_is_cut() {
        assert_eq!(
            tiny().ids("Hello wOrld! Café xyz", false).unwrap(),
            [1, 2, 3, 4, 5, 0]
        );
    }

    #[test]
    fn odd_texts_give_tokens_or_nothing() {
        assert!(tiny().ids("", false).unwrap().is_empty());
        assert!(tiny().ids(" \n\t\u{0} ", false).unwrap().is_empty());
        let long = "x".repeat(100_000);
        assert_eq!(tiny().ids(&long, false).unwrap(), [0]);
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        for bad in ["", "{}", "[]", "<html>", r#"{"model": {"type": "Nope"}}"#] {
            let error = TextTokenizer::load("t.json", bad.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::ModelInvalid, "{bad}");
            assert!(error.to_string().starts_with("t.json"), "{error}");
        }
    }
}
