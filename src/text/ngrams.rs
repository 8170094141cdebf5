//! Text to character n-gram frequencies, as the language model `lande` was trained on.
//!
//! The normalisation is that of npm lande 1.0.10: runs of `-` become one space; all but letters, marks and white space is
//! deleted; runs of white space become one space, and a single one stays as it is; lower case, trimmed, with a space before
//! and after. It is written against JavaScript's definitions of white space and of a string's length, because the
//! weights were trained with them.

use std::collections::HashMap;

use serde::Deserialize;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::error::{Code, Error, Result};

/// The n-grams a model knows, with the place of each in its input.
#[derive(Debug)]
pub struct NgramVocabulary {
    /// UTF-16 code units of an n-gram, to its place.
    places: HashMap<Vec<u16>, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    unigrams: Vec<String>,
    bigrams: Vec<String>,
    trigrams: Vec<String>,
    quadgrams: Vec<String>,
}

/// The longest n-gram counted.
const LONGEST: usize = 4;

impl NgramVocabulary {
    /// Reads the vocabulary: a JSON object with `unigrams`, `bigrams`, `trigrams` and `quadgrams`.
    /// The model's input lists them in this order.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`].
    pub fn load(name: &str, json: &[u8]) -> Result<Self> {
        let invalid = |what: String| {
            Error::new(
                Code::ModelInvalid,
                format!("{name} is not an n-gram vocabulary: {what}"),
            )
        };
        let file: File = serde_json::from_slice(json).map_err(|e| invalid(e.to_string()))?;
        let mut places = HashMap::new();
        for (n, list) in (1..).zip([file.unigrams, file.bigrams, file.trigrams, file.quadgrams]) {
            for gram in list {
                let units: Vec<u16> = gram.encode_utf16().collect();
                if units.len() != n {
                    return Err(invalid(format!("\"{gram}\" is not {n} characters long")));
                }
                let place = places.len();
                if places.insert(units, place).is_some() {
                    return Err(invalid(format!("\"{gram}\" is listed twice")));
                }
            }
        }
        if places.is_empty() {
            return Err(invalid("it is empty".into()));
        }
        Ok(NgramVocabulary { places })
    }

    /// How many n-grams there are: the width of the model's input.
    pub fn width(&self) -> usize {
        self.places.len()
    }

    /// The relative frequency of each known n-gram among all n-grams of its length, or nothing when
    /// the text has no letters to go by.
    pub fn frequencies(&self, text: &str) -> Option<Vec<f32>> {
        let units = normalise(text)?;
        let mut counts = vec![0_u32; self.width()];
        for n in 1..=LONGEST {
            for window in units.windows(n) {
                if let Some(&place) = self.places.get(window) {
                    counts[place] += 1;
                }
            }
        }
        let mut frequencies = vec![0.0; counts.len()];
        for (gram, &place) in &self.places {
            let total = units.len() + 1 - gram.len().min(units.len());
            // The division is done in f64 because JavaScript does it so.
            frequencies[place] = (f64::from(counts[place]) / total as f64) as f32;
        }
        Some(frequencies)
    }
}

/// The text as lande counts it, in UTF-16 code units; nothing when no letter is left.
fn normalise(text: &str) -> Option<Vec<u16>> {
    let mut retained = String::with_capacity(text.len() + 2);
    // White space at the end of `retained` and not yet collapsed, in characters.
    let mut blanks = 0;
    let mut previous_was_hyphen = false;
    for c in text.chars() {
        let hyphen = c == '-';
        if hyphen && previous_was_hyphen {
            continue;
        }
        previous_was_hyphen = hyphen;
        let c = if hyphen { ' ' } else { c };
        if is_js_space(c) {
            blanks += 1;
            if blanks == 1 {
                retained.push(c);
            } else if blanks == 2 {
                // A run of two or more becomes one plain space; a single one stays as it is.
                retained.pop();
                retained.push(' ');
            }
        } else if matches!(
            c.general_category_group(),
            GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark
        ) {
            blanks = 0;
            retained.push(c);
        }
    }
    let lower = retained.to_lowercase();
    let trimmed = lower.trim_matches(is_js_space);
    if trimmed.is_empty() {
        return None;
    }
    let space = u16::from(b' ');
    let units = std::iter::once(space)
        .chain(trimmed.encode_utf16())
        .chain([space]);
    Some(units.collect())
}

/// JavaScript's `\s`.
fn is_js_space(c: char) -> bool {
    matches!(
        c,
        '\u{9}'..='\u{d}' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
            | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(text: &str) -> Option<String> {
        normalise(text).map(|units| String::from_utf16(&units).unwrap())
    }

    // The expectations are what lande's own JavaScript gives for the same text.
    #[test]
    fn normalisation_follows_lande() {
        for (text, expected) in [
            ("Hello", " hello "),
            ("don't a.b", " dont ab "),
            ("a . b", " a b "),
            ("a\nb\tc", " a\nb\tc "),
            ("a \n b", " a b "),
            ("a--b -c", " a b c "),
            ("a-1-b", " a b "),
            ("\u{3000}a\u{feff}", " a "),
            ("x\u{85}y\u{200b}z", " xyz "),
            ("\u{130}ΟΔΟΣ", " i\u{307}οδος "),
            ("1\u{fe0f}\u{20e3} a", " \u{fe0f}\u{20e3} a "),
        ] {
            assert_eq!(normalised(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn nothing_to_go_by_gives_nothing() {
        for text in ["", " \n", "123 456", "--- !!!", "🙂", "\u{200b}"] {
            assert_eq!(normalised(text), None, "{text:?}");
        }
    }

    #[test]
    fn frequencies_are_shares_of_all_n_grams_of_a_length() {
        let json = r#"{"unigrams": [" ", "a", "z"], "bigrams": ["ab", "zz"], "trigrams": [" ab"], "quadgrams": [" ab "]}"#;
        let vocabulary = NgramVocabulary::load("v", json.as_bytes()).unwrap();
        assert_eq!(vocabulary.width(), 7);
        // " ab ": 4 unigrams, 3 bigrams, 2 trigrams, 1 quadgram.
        let got = vocabulary.frequencies("AB!").unwrap();
        assert_eq!(got, [0.5, 0.25, 0.0, 1.0 / 3.0, 0.0, 0.5, 1.0]);
    }

    #[test]
    fn characters_outside_the_basic_plane_count_as_two_units() {
        let json = r#"{"unigrams": ["a"], "bigrams": [], "trigrams": [], "quadgrams": []}"#;
        let vocabulary = NgramVocabulary::load("v", json.as_bytes()).unwrap();
        // Space, 'a', two units, space.
        assert_eq!(vocabulary.frequencies("a𐐷").unwrap(), [0.2]);
    }

    #[test]
    fn what_is_no_vocabulary_is_refused() {
        for bad in [
            "",
            "[]",
            r#"{"unigrams": ["ab"], "bigrams": [], "trigrams": [], "quadgrams": []}"#,
            r#"{"unigrams": ["a", "a"], "bigrams": [], "trigrams": [], "quadgrams": []}"#,
            r#"{"unigrams": [], "bigrams": [], "trigrams": [], "quadgrams": []}"#,
        ] {
            let error = NgramVocabulary::load("v", bad.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::ModelInvalid, "{bad}");
        }
    }
}
