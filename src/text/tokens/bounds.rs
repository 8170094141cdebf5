//! What a tokenizer may ask for: its file is somebody else's, and every text is read by all of it.
//!
//! The file is read once more for this, without keeping anything. Where a key occurs twice, both are held against the bounds,
//! whichever the library takes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The most steps of normalisation and pre-tokenisation together. Each goes through the whole text.
const MOST_STEPS: usize = 64;

/// The most times longer than a text its normal form may be, by replacements one after another: a space by three bytes, that
/// by as many again.
const MOST_GROWTH: usize = 16;

/// The longest text that a table of normal forms may have for a character. The longest of NFKC has 33 bytes.
const MOST_FORM: usize = 40;

/// The most token ids around a text, and the most parts of the template that puts them there.
const MOST_AROUND: usize = 256;

/// The largest token id: tables have a place for each.
pub(super) const MOST_ID: u64 = 1 << 21;

/// The longest token, in bytes. The library breaks off at 64 KiB.
const MOST_TOKEN: usize = 4 << 10;

/// The longest piece of a Unigram model, in bytes: at each place of a text, all pieces up to this length are looked at.
/// Trainers make pieces of at most 16 characters.
const MOST_PIECE: usize = 256;

/// The longest word that is divided into pieces, in characters: each piece costs as much as the rest of the word is long.
const MOST_WORD: u64 = 4 << 10;

/// The longest mark of a piece that goes on with a word, in bytes. It is put before all of them.
const MOST_AFFIX: usize = 32;

/// Holds a `tokenizer.json` against the bounds.
///
/// # Errors
/// What is beyond them, or why it is no JSON.
pub(super) fn check(json: &str) -> Result<(), serde_json::Error> {
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_str(json);
    Walk {
        found: &mut found,
        place: Place::Top,
    }
    .deserialize(&mut reader)?;
    reader.end()
}

/// What was found so far.
#[derive(Default)]
struct Found {
    steps: usize,
    growth: usize,
    around: usize,
    /// Of the step that is read: the lengths of what is replaced, and of what takes its place.
    pattern: usize,
    content: usize,
}

/// Where in the file.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Top,
    Steps,
    Kind,
    Pattern,
    Content,
    Forms,
    Template,
    Around,
    Model,
    Vocabulary,
    Pieces,
    Word,
    Affix,
    Added,
    Id,
    Token,
    Other,
}

impl Place {
    fn of(self, key: &str) -> Place {
        match (self, key) {
            (Place::Top, "normalizer" | "pre_tokenizer") => Place::Steps,
            (Place::Top, "post_processor") => Place::Template,
            (Place::Top, "model") => Place::Model,
            (Place::Top, "added_tokens") => Place::Added,
            (Place::Steps, "type") => Place::Kind,
            (Place::Steps, "String") => Place::Pattern,
            (Place::Steps, "content" | "prepend") => Place::Content,
            (Place::Steps, "precompiled_charsmap") => Place::Forms,
            (Place::Template, "ids") => Place::Around,
            (Place::Model, "vocab") => Place::Vocabulary,
            (Place::Model, "max_input_chars_per_word") => Place::Word,
            (Place::Model, "continuing_subword_prefix" | "end_of_word_suffix") => Place::Affix,
            (Place::Added, "id") => Place::Id,
            (Place::Added, "content") => Place::Token,
            (Place::Vocabulary, _) => Place::Id,
            (Place::Steps | Place::Template | Place::Pieces, _) => self,
            _ => Place::Other,
        }
    }
}

struct Walk<'f> {
    found: &'f mut Found,
    place: Place,
}

impl Walk<'_> {
    fn text<E: Error>(self, text: &str) -> Result<(), E> {
        let len = text.len();
        let found = self.found;
        match self.place {
            Place::Kind => {
                found.steps += 1;
                within(found.steps, MOST_STEPS, "steps before its model")
            }
            Place::Pattern => {
                found.pattern = len;
                Ok(())
            }
            Place::Content => {
                found.content = len;
                Ok(())
            }
            Place::Forms => within(longest_form(text), MOST_FORM, "bytes for one character"),
            Place::Affix => within(len, MOST_AFFIX, "bytes around each piece of a word"),
            Place::Pieces => within(len, MOST_PIECE, "bytes in a piece"),
            Place::Token => within(len, MOST_TOKEN, "bytes in a token"),
            _ => Ok(()),
        }
    }

    fn number<E: Error>(self, number: u64) -> Result<(), E> {
        match self.place {
            Place::Id | Place::Around if number > MOST_ID => Err(E::custom(format!(
                "the token id {number} is beyond {MOST_ID}"
            ))),
            Place::Word if number > MOST_WORD => Err(E::custom(format!(
                "it divides words of {number} characters, and the most is {MOST_WORD}"
            ))),
            Place::Around => {
                self.found.around += 1;
                within(self.found.around, MOST_AROUND, "tokens around a text")
            }
            _ => Ok(()),
        }
    }
}

fn within<E: Error>(found: usize, most: usize, what: &str) -> Result<(), E> {
    if found <= most {
        return Ok(());
    }
    Err(E::custom(format!(
        "it has {found} {what}, and the most is {most}"
    )))
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.number(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.number(number.unsigned_abs())
    }

    // `1e9` is a whole number to the library.
    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.number(number.abs() as u64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let place = match self.place {
            Place::Vocabulary => Place::Pieces,
            place => place,
        };
        loop {
            let found = &mut *self.found;
            if items.next_element_seed(Walk { found, place })?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let found = self.found;
        // In the older format a piece names a list of ids, and any number of pieces the same one.
        if self.place == Place::Template {
            found.around += 1;
            within(found.around, MOST_AROUND, "tokens around a text")?;
        }
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            if self.place == Place::Vocabulary {
                within(key.len(), MOST_TOKEN, "bytes in a token")?;
            }
            let place = self.place.of(&key);
            entries.next_value_seed(Walk {
                found: &mut *found,
                place,
            })?;
        }
        // The end of a step that writes something; its pattern is a map of its own inside it.
        if self.place == Place::Steps && found.content > 0 {
            let times = found.content.div_ceil(found.pattern.max(1));
            found.growth = found.growth.max(1).saturating_mul(times);
            (found.pattern, found.content) = (0, 0);
            within(
                found.growth,
                MOST_GROWTH,
                "times the length of a text as its normal form",
            )?;
        }
        Ok(())
    }
}

/// The length of the longest text that a table of SentencePiece's has for a character: after the length of a trie and the trie
/// itself come the texts, each with a zero byte behind it. In base64.
fn longest_form(table: &str) -> usize {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = table.bytes().map_while(digit).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = (0..4).fold(0, |bits, i| {
            bits << 6 | u32::from(*four.get(i).unwrap_or(&0))
        });
        let [_, a, b, c] = bits.to_be_bytes();
        [a, b, c].into_iter().take(four.len().saturating_sub(1))
    });
    let bytes: Vec<u8> = bytes.collect();
    let Some((len, rest)) = bytes.split_first_chunk() else {
        return 0;
    };
    let forms = rest
        .get(u32::from_le_bytes(*len) as usize..)
        .unwrap_or_default();
    forms
        .split(|&byte| byte == 0)
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(file: &Value) -> String {
        match check(&file.to_string()) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_ships_is_within_the_bounds() {
        check(include_str!("../../../models/static-text/tokenizer.json")).unwrap();
    }

    #[test]
    fn what_would_hold_a_worker_is_refused() {
        let replace = |from: &str, to: &str| json!({"type": "Replace", "pattern": {"String": from}, "content": to});
        let steps =
            |steps: Vec<Value>| json!({"normalizer": {"type": "Sequence", "normalizers": steps}});
        assert_eq!(judged(&steps(vec![replace(" ", "\u{2581}"); 2])), "");
        assert_eq!(judged(&steps(vec![replace("aaaa", "bbbb"); 63])), "");
        let table = |form: &str| {
            let bytes = [
                &4u32.to_le_bytes()[..],
                b"trie",
                b"x\0",
                form.as_bytes(),
                b"\0",
            ]
            .concat();
            json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": base64(&bytes)}})
        };
        assert_eq!(judged(&table(&"x".repeat(40))), "");
        for (file, words) in [
            (steps(vec![replace("a", "b"); 64]), "65 steps"),
            (
                json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": vec![json!({"type": "Digits"}); 64]}}),
                "65 steps",
            ),
            (steps(vec![replace("a", "aaaa"); 3]), "64 times"),
            (
                steps(vec![json!({"type": "Prepend", "prepend": "x".repeat(17)})]),
                "17 times",
            ),
            (table(&"x".repeat(41)), "41 bytes"),
            (
                json!({"post_processor": {"single": [{"ids": vec![1; 257]}]}}),
                "257 tokens",
            ),
            (
                json!({"post_processor": {"single": vec![json!({"SpecialToken": {"id": "x"}}); 130]}}),
                "257 tokens",
            ),
            (
                json!({"model": {"vocab": {"a": 3_000_000}}}),
                "the token id 3000000",
            ),
            (
                json!({"model": {"vocab": {"a": 3e9}}}),
                "the token id 3000000000",
            ),
            (
                json!({"added_tokens": [{"id": 3_000_000, "content": "a"}]}),
                "the token id 3000000",
            ),
            (
                json!({"model": {"vocab": {"a".repeat(4097): 1}}}),
                "4097 bytes",
            ),
            (
                json!({"added_tokens": [{"id": 1, "content": "a".repeat(4097)}]}),
                "4097 bytes",
            ),
            (
                json!({"model": {"vocab": [["a".repeat(257), -1.0]]}}),
                "257 bytes",
            ),
            (
                json!({"model": {"max_input_chars_per_word": 5000}}),
                "words of 5000",
            ),
            (
                json!({"model": {"continuing_subword_prefix": "#".repeat(33)}}),
                "33 bytes",
            ),
        ] {
            let why = judged(&file);
            assert!(why.contains(words), "{words}: {why:?}");
        }
        // Whichever of two the library takes.
        let twice =
            r#"{"model": {"max_input_chars_per_word": 100, "max_input_chars_per_word": 5000}}"#;
        assert!(check(twice).is_err());
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let four = |three: &[u8]| {
            let bits = (0..3).fold(0, |bits, i| {
                bits << 8 | u32::from(*three.get(i).unwrap_or(&0))
            });
            let digits = (0..4).map(move |i| DIGITS[(bits >> (18 - 6 * i)) as usize % 64]);
            digits
                .take(three.len() + 1)
                .map(char::from)
                .collect::<String>()
        };
        bytes.chunks(3).map(four).collect()
    }
}
