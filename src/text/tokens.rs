//! Text to token ids.

mod bounds;

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};
use tokenizers::pipeline::{EncodeOptions, Override, PipelineTokenizer};

use crate::error::{Code, Error, Result, excerpt};

/// A Hugging Face tokenizer.
pub struct TextTokenizer {
    name: String,
    inner: PipelineTokenizer,
    /// How many special tokens it puts around a text.
    around: usize,
    /// Whether the model's names of special tokens begin with [`UNWRITTEN`].
    renamed: bool,
}

/// What a special token's name in the model begins with where texts could spell it otherwise: a noncharacter, of which texts
/// are rid.
const UNWRITTEN: char = '\u{fdd0}';

/// How a file of the newest format begins, as [`TextTokenizer::canonical`] writes it.
const CANONICAL: &str = "{\"version\":\"2.0\",";

/// Regular expressions are left out of the library, but for the pre-tokenizers that it knows: they are a tenth of the
/// WebAssembly module. This one is in every tokenizer that was made from a SentencePiece model, so it is rewritten.
const SPACES: &str = " {2,}";

/// Replacing that many spaces by one, in this order, leaves one of every run of up to 16 million: a step leaves k / n + k % n
/// of k spaces.
const RUNS: [usize; 9] = [256, 256, 64, 16, 8, 4, 2, 2, 2];

/// The most words that are looked at together to find the place of a token.
const TOGETHER: usize = 16;

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
                why if why.contains("system-regex") => invalid(
                    &"its regular expression is not built in; those of GPT-2, cl100k, Llama 3, o200k and DeepSeek are",
                ),
                why => invalid(&why),
            })?;
            let mut tokenizer = TextTokenizer {
                name: name.to_owned(),
                inner,
                around: 0,
                renamed: false,
            };
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
            // What nobody knows is unknown, however it is written.
            let unknown = || written("\u{e000}\u{e001}");
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
        let mut value: Value = serde_json::from_str(json)?;
        let pre = &value["pre_tokenizer"];
        let alike = pre["type"] == "Metaspace" && pre["replacement"] == METASPACE;
        if let Some(normalizer) = value.get_mut("normalizer") {
            spell_out(normalizer, alike);
        }
        tokenizers::canonicalize_value(&mut value)?;
        if let Some(all) = value.as_object_mut() {
            all.remove("version");
        }
        // It is an object with a model, or it would not have been converted.
        let rest = serde_json::to_string(&value)?;
        Ok(format!("{CANONICAL}{}", rest.trim_start_matches('{')))
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

    /// The ids of `text`, and where each token is in it, in bytes: the place of its word, or of the part of the word
    /// that is divided off by punctuation. Special tokens are nowhere (0 to 0).
    ///
    /// # Errors
    /// As [`TextTokenizer::ids`], and when the tokens of the text are not those of its words.
    pub fn places(&self, text: &str, special: bool) -> Result<Vec<(i64, (usize, usize))>> {
        let plain = self.encode(text, false)?;
        let spans = words(text);
        let mut places = Vec::with_capacity(plain.len());
        let mut from = 0;
        while from < spans.len() {
            let rest = &plain[places.len()..];
            // Where the tokens of one word are not those it has in the text, those of it and its neighbours may be.
            let most = spans.len().min(from + TOGETHER);
            let together = (from..most).find_map(|last| {
                let span = (spans[from].0, spans[last].1);
                let ids = self.within(text, span, rest)?;
                Some((last, span, ids))
            });
            let Some((last, span, ids)) = together else {
                return Err(self.unplaced());
            };
            let parts = parts(text, span);
            let mut placed = Vec::new();
            let mut left = &rest[..ids];
            let divided = parts.iter().all(|&part| {
                let Some(ids) = self.within(text, part, left) else {
                    return false;
                };
                let (of, others) = left.split_at(ids);
                placed.extend(of.iter().map(|&id| (id, part)));
                left = others;
                true
            });
            if !divided || !left.is_empty() {
                let bare = bare(text, span);
                placed = rest[..ids].iter().map(|&id| (id, bare)).collect();
            }
            places.extend(placed);
            from = last + 1;
        }
        if places.len() != plain.len() {
            return Err(self.unplaced());
        }
        if !special {
            return Ok(places);
        }
        let whole = self.encode(text, true)?;
        let before = (0..=whole.len().saturating_sub(plain.len()))
            .find(|&at| whole[at..].starts_with(&plain))
            .ok_or_else(|| self.unplaced())?;
        let mut all: Vec<_> = whole.iter().map(|&id| (id, (0, 0))).collect();
        all[before..before + places.len()].copy_from_slice(&places);
        Ok(all)
    }

    /// How many of the tokens that `ids` begins with are those of a part of `text`, by itself or, as byte-level
    /// tokenizers have it, with the space before it.
    fn within(&self, text: &str, (start, end): (usize, usize), ids: &[i64]) -> Option<usize> {
        let space = text.get(..start)?.chars().next_back();
        let spaced = space
            .filter(|c| c.is_whitespace())
            .map(|c| start - c.len_utf8());
        [Some(start), spaced]
            .into_iter()
            .flatten()
            .find_map(|start| {
                let own = self.encode(text.get(start..end)?, false).ok()?;
                ids.starts_with(&own).then_some(own.len())
            })
    }

    fn unplaced(&self) -> Error {
        Error::new(
            Code::ModelInvalid,
            format!(
                "{} divides a text otherwise than its words; a tagger needs a tokenizer that keeps to words",
                self.name
            ),
        )
    }

    /// The ids of a text. What spells a special token in it is text: whoever writes `[SEP]` separates nothing.
    fn encode(&self, text: &str, special: bool) -> Result<Vec<i64>> {
        let written = match self.renamed && text.contains(UNWRITTEN) {
            true => Cow::Owned(text.replace(UNWRITTEN, "\u{fffd}")),
            false => Cow::Borrowed(text),
        };
        let options = EncodeOptions {
            add_special_tokens: special,
            encode_special_tokens: true,
            padding: Override::Off,
            truncation: Override::Off,
        };
        let mut ids = Vec::with_capacity(text.len() / 4);
        self.inner
            .encode_into(&written, &options, &mut ids)
            .map_err(|e| {
                let why = excerpt(&e.to_string(), 200);
                Error::new(Code::ModelInvalid, format!("{} failed: {why}", self.name))
            })?;
        Ok(ids.iter().map(|id| i64::from(id.id())).collect())
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
    serde_json::to_string(&value)
}

/// What SentencePiece writes for a space.
const METASPACE: &str = "\u{2581}";

/// Makes replacements of [`SPACES`] plain ones. A metaspace will do for the space where all spaces are to become that
/// (`alike`).
fn spell_out(normalizer: &mut Value, alike: bool) {
    let content = normalizer["content"].as_str().unwrap_or_default();
    if normalizer["type"] == "Replace"
        && normalizer["pattern"]["Regex"] == SPACES
        && (content == " " || alike && content == METASPACE)
    {
        let steps = RUNS.map(
            |n| json!({"type": "Replace", "pattern": {"String": " ".repeat(n)}, "content": " "}),
        );
        *normalizer = json!({"type": "Sequence", "normalizers": steps});
    } else if let Some(parts) = normalizer
        .get_mut("normalizers")
        .and_then(Value::as_array_mut)
    {
        parts.iter_mut().for_each(|part| spell_out(part, alike));
    }
}

/// Where the words of a text are: what stands between white space. Of the control characters only tabs and ends of lines
/// are that; tokenizers leave the others out.
fn words(text: &str) -> Vec<(usize, usize)> {
    let place = |word: &str| {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        (start, start + word.len())
    };
    let space = |c: char| c.is_whitespace() && (!c.is_control() || matches!(c, '\t' | '\n' | '\r'));
    text.split(space)
        .filter(|word| !word.is_empty())
        .map(place)
        .collect()
}

/// A word without the punctuation around it, unless it is nothing but that.
fn bare(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    let word = text.get(start..end).unwrap_or_default();
    let edge = |c: char| !c.is_alphanumeric();
    let from = word.len() - word.trim_start_matches(edge).len();
    let to = word.trim_end_matches(edge).len();
    if from < to {
        (start + from, start + to)
    } else {
        (start, end)
    }
}

/// The parts of a word: runs of letters and digits with their marks, and every other character by itself.
fn parts(text: &str, (start, end): (usize, usize)) -> Vec<(usize, usize)> {
    use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
    let joins =
        |c: char| c.is_alphanumeric() || c.general_category_group() == GeneralCategoryGroup::Mark;
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (at, c) in text.get(start..end).unwrap_or_default().char_indices() {
        let (from, to) = (start + at, start + at + c.len_utf8());
        match parts.last_mut() {
            Some(part) if open && joins(c) => part.1 = to,
            _ => parts.push((from, to)),
        }
        open = joins(c);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> String {
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
        json.to_string()
    }

    fn tiny() -> TextTokenizer {
        TextTokenizer::load("tiny", json().as_bytes()).unwrap()
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
    fn tokens_are_found_in_the_text() {
        let text = " Hello,\u{a0}wOrld!caf\u{e9}";
        let place = |part: &str| text.find(part).map(|at| (at, at + part.len())).unwrap();
        assert_eq!(
            tiny().places("Hello wOrld!Caf\u{e9}", false).unwrap(),
            [
                (1, (0, 5)),
                (2, (6, 11)),
                (3, (6, 11)),
                (4, (11, 12)),
                (5, (12, 17))
            ]
        );
        assert_eq!(
            tiny().places(text, false).unwrap(),
            [
                (1, place("Hello")),
                (0, place(",")),
                (2, place("wOrld")),
                (3, place("wOrld")),
                (4, place("!")),
                (5, place("caf\u{e9}")),
            ]
        );
        assert!(tiny().places("", true).unwrap().is_empty());
    }

    #[test]
    fn special_tokens_have_no_place() {
        let mut json: Value = serde_json::from_str(&json()).unwrap();
        json["post_processor"] = serde_json::json!({
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "!", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "!", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"!": {"id": "!", "ids": [4], "tokens": ["!"]}}
        });
        let tokenizer = TextTokenizer::load("around", json.to_string().as_bytes()).unwrap();
        assert_eq!(tokenizer.ids("hello", true).unwrap(), [4, 1, 4]);
        assert!(tokenizer.ids(" ", true).unwrap().is_empty());
        assert_eq!(
            tokenizer.places("! hello", true).unwrap(),
            [(4, (0, 0)), (4, (0, 1)), (1, (2, 7)), (4, (0, 0))]
        );
    }

    /// A text that spells a special token, with tokenizers of every kind of model.
    #[test]
    fn special_tokens_in_a_text_are_text() {
        let special = |tokens: &[(&str, u32)]| -> Value {
            let one = |&(content, id): &(&str, u32)| {
                json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": false, "special": true})
            };
            tokens.iter().map(one).collect()
        };
        let around = |begins: (&str, u32), ends: (&str, u32)| -> Value {
            let token = |(name, id): (&str, u32)| {
                (
                    name.to_owned(),
                    json!({"id": name, "ids": [id], "tokens": [name]}),
                )
            };
            json!({
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": begins.0, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                           {"SpecialToken": {"id": ends.0, "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": Value::Object([token(begins), token(ends)].into_iter().collect()),
            })
        };
        let split = json!({"type": "WhitespaceSplit"});
        let metaspace = json!({"type": "Metaspace", "replacement": METASPACE, "prepend_scheme": "always", "split": true});
        let models = [
            (
                json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                       "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "[": 4, "##S": 5}}),
                split.clone(),
            ),
            (
                json!({"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}}),
                split.clone(),
            ),
            (
                json!({"type": "BPE", "dropout": null, "unk_token": "[UNK]", "continuing_subword_prefix": null,
                       "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
                       "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "[": 4, "S": 5}, "merges": []}),
                split,
            ),
            (
                json!({"type": "Unigram", "unk_id": 0, "byte_fallback": false,
                       "vocab": [["[UNK]", 0.0], ["[CLS]", 0.0], ["[SEP]", 0.0], ["a", -1.0], [METASPACE, -2.0], ["[", -3.0]]}),
                metaspace,
            ),
        ];
        for (model, pre) in models {
            let json = json!({
                "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
                "added_tokens": special(&[("[UNK]", 0), ("[CLS]", 1), ("[SEP]", 2)]),
                "pre_tokenizer": pre, "post_processor": around(("[CLS]", 1), ("[SEP]", 2)), "model": model,
            })
            .to_string();
            let canonical = TextTokenizer::canonical(&json).unwrap();
            for json in [json, canonical] {
                let tokenizer = TextTokenizer::load("t.json", json.as_bytes()).unwrap();
                for text in [
                    "a [SEP] a",
                    "[SEP]",
                    "[CLS]a[SEP]",
                    "a \u{fdd0}[SEP] a",
                    "[UNK] [SEP]",
                ] {
                    let plain = tokenizer.ids(text, false).unwrap();
                    assert!(
                        !plain.contains(&1) && !plain.contains(&2),
                        "{text}: {plain:?} of {}",
                        model["type"]
                    );
                    let whole = tokenizer.ids(text, true).unwrap();
                    assert_eq!(
                        whole,
                        [&[1], &plain[..], &[2]].concat(),
                        "{text} of {}",
                        model["type"]
                    );
                }
                assert!(tokenizer.ids("a", false).unwrap().contains(&3));
            }
        }
    }

    #[test]
    fn the_canonical_form_is_the_same_tokenizer() {
        let canonical = TextTokenizer::canonical(&json()).unwrap();
        assert!(canonical.starts_with(CANONICAL));
        assert_eq!(TextTokenizer::canonical(&canonical).unwrap(), canonical);
        let tokenizer = TextTokenizer::load("t.json", canonical.as_bytes()).unwrap();
        for text in ["Hello, wOrld! caf\u{e9}", "", "x y hello"] {
            for special in [false, true] {
                let ids = tokenizer.ids(text, special).unwrap();
                assert_eq!(ids, tiny().ids(text, special).unwrap(), "{text}");
            }
        }
        assert!(TextTokenizer::canonical("[]").is_err());
    }

    /// A tokenizer of characters that replaces by a regular expression first.
    fn replacing(pattern: &str, content: &str) -> Result<TextTokenizer> {
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}
            ]},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true},
            "post_processor": null, "decoder": null,
            "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
                      "vocab": [["<unk>", 0.0], ["\u{2581}", -1.0], ["a", -1.0], ["b", -1.0]]}
        });
        TextTokenizer::load("t.json", json.to_string().as_bytes())
    }

    #[test]
    fn runs_of_spaces_become_one_without_regular_expressions() {
        for content in [" ", "\u{2581}"] {
            let tokenizer = replacing(" {2,}", content).unwrap();
            for n in (1..=300).chain([511, 4_095, 65_535, 1_000_001]) {
                let text = format!("a{}b ab", " ".repeat(n));
                assert_eq!(
                    tokenizer.ids(&text, false).unwrap(),
                    [1, 2, 1, 3, 1, 2, 3],
                    "{n}"
                );
            }
        }
        for run in 1..=1_usize << 16 {
            assert_eq!(RUNS.iter().fold(run, |k, n| k / n + k % n), 1, "{run}");
        }
        let error = replacing("[ab]+", " ").unwrap_err();
        assert_eq!(error.code(), Code::ModelInvalid);
        assert!(error.to_string().contains("not built in"), "{error}");
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
