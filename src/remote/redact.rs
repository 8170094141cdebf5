//! Personal data out of a text before it leaves, and back into the reply.
//!
//! Found by pattern and check digit; names are found by the bundle's tagger and come from outside; what has neither
//! (street addresses) is not found, and a caller adds patterns of its own. Every value becomes a placeholder like `[EMAIL_1]`, the same value always the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

mod kinds;

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PersonalData {
    /// E-mail addresses.
    Email,
    /// Account numbers (ISO 13616), held against their check digits.
    Iban,
    /// Payment card numbers, held against the Luhn check digit (ISO/IEC 7812).
    Card,
    /// Addresses of Internet hosts, versions 4 and 6.
    Ip,
    /// Telephone numbers: international ones, and national ones that are written with separators.
    Phone,
    /// People's names, where the bundle has a tagger that finds them.
    Name,
}

impl PersonalData {
    /// All kinds, in the order in which they claim a place in a text.
    pub const ALL: [PersonalData; 6] = [
        PersonalData::Email,
        PersonalData::Iban,
        PersonalData::Card,
        PersonalData::Ip,
        PersonalData::Phone,
        PersonalData::Name,
    ];

    fn name(self) -> &'static str {
        match self {
            PersonalData::Email => "EMAIL",
            PersonalData::Iban => "IBAN",
            PersonalData::Card => "CARD",
            PersonalData::Ip => "IP",
            PersonalData::Phone => "PHONE",
            PersonalData::Name => "NAME",
        }
    }
}

/// What is taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RedactOptions {
    /// The kinds; all when absent.
    pub kinds: Vec<PersonalData>,
    /// Further regular expressions (of Rust's `regex-lite`, in linear time), by the name that their placeholders get.
    /// `\w`, `\d`, `\s`, `\b` and `(?i)` know ASCII only; any other character stands for itself.
    pub patterns: BTreeMap<String, String>,
}

impl Default for RedactOptions {
    fn default() -> Self {
        RedactOptions {
            kinds: PersonalData::ALL.to_vec(),
            patterns: BTreeMap::new(),
        }
    }
}

/// The most memory that a caller's pattern may take, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// Takes personal data out of texts.
#[derive(Debug)]
pub struct Redactor {
    kinds: Vec<PersonalData>,
    patterns: Vec<(String, Regex)>,
}

/// What was taken out of some texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    /// What each placeholder stands for.
    values: BTreeMap<String, String>,
    /// The same the other way round.
    placeholders: BTreeMap<String, String>,
    /// The last number of each kind.
    numbers: BTreeMap<String, u32>,
    /// Placeholders that the texts had of themselves.
    taken: BTreeSet<String>,
}

impl Redacted {
    /// How many values of each kind were replaced.
    pub fn counts(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for placeholder in self.values.keys() {
            let name = placeholder.trim_start_matches('[');
            let name = name.rsplit_once('_').map_or(name, |(name, _)| name);
            *counts.entry(name.to_lowercase()).or_insert(0) += 1;
        }
        counts
    }

    /// A text with the values in their places again.
    pub fn restore(&self, text: &str) -> String {
        let mut restorer = Restorer::new(self);
        let mut out = restorer.push(text);
        out.push_str(&restorer.finish());
        out
    }
}

/// A place in a text that holds personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The kind's name, as in placeholders.
    pub name: String,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Redactor {
    /// A redactor.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when a pattern is none, or its name is no word in capital letters.
    pub fn new(options: &RedactOptions) -> Result<Self> {
        let wrong = |what: String| Error::new(Code::InvalidOption, format!("redact: {what}"));
        let mut patterns = Vec::new();
        for (name, pattern) in &options.patterns {
            let plain = !name.is_empty() && name.len() <= 24;
            if !plain || !name.bytes().all(|b| b.is_ascii_uppercase()) {
                return Err(wrong(format!(
                    "the pattern's name \"{}\" must be a word of capital letters, such as CUSTOMER",
                    crate::error::excerpt(name, 40)
                )));
            }
            if caseless(pattern) && !pattern.is_ascii() {
                return Err(wrong(format!(
                    "the pattern {name} is unusable: (?i) knows ASCII letters only; write both cases of the others, as in [äÄ]"
                )));
            }
            let regex = RegexBuilder::new(pattern)
                .size_limit(PATTERN_BYTES)
                .build()
                .map_err(|e| wrong(format!("the pattern {name} is unusable: {e}")))?;
            patterns.push((name.clone(), regex));
        }
        Ok(Redactor {
            kinds: options.kinds.clone(),
            patterns,
        })
    }

    /// Whether it takes out a kind.
    pub fn takes(&self, kind: PersonalData) -> bool {
        self.kinds.contains(&kind)
    }

    /// Where personal data is, in the order of the text and without overlaps. The caller's own patterns come before
    /// the built-in kinds; names, wherever they stand alone, last.
    pub fn find(&self, text: &str, names: &[String]) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut claim = |name: &str, start: usize, end: usize| {
            let at = found.partition_point(|f| f.start < start);
            let free = found[..at].last().is_none_or(|last| last.end <= start)
                && found[at..].first().is_none_or(|next| end <= next.start);
            if start < end && free {
                let name = name.to_owned();
                found.insert(at, Found { name, start, end });
            }
        };
        for (name, regex) in &self.patterns {
            for m in regex.find_iter(text) {
                claim(name, m.start(), m.end());
            }
        }
        for kind in PersonalData::ALL {
            if !self.kinds.contains(&kind) {
                continue;
            }
            for (start, end) in kinds::places(kind, text, names) {
                claim(kind.name(), start, end);
            }
        }
        found
    }

    /// Takes what is found out of texts that go together: a value gets the same placeholder in all of them.
    pub fn redact(&self, texts: &[&str], names: &[String]) -> (Vec<String>, Redacted) {
        let mut redacted = Redacted::default();
        let out = self.redact_more(&mut redacted, texts, names);
        (out, redacted)
    }

    /// Takes what is found out of further texts that go together with those of which `redacted` tells. A placeholder
    /// that stands there already stays as it is.
    pub fn redact_more(
        &self,
        redacted: &mut Redacted,
        texts: &[&str],
        names: &[String],
    ) -> Vec<String> {
        // A placeholder that a text has of itself must not be taken for one of ours.
        for text in texts {
            let foreign = PLACEHOLDER.find_iter(text).map(|m| m.as_str());
            let foreign = foreign.filter(|found| !redacted.values.contains_key(*found));
            let foreign: Vec<String> = foreign.map(str::to_owned).collect();
            redacted.taken.extend(foreign);
        }
        let out = texts.iter().map(|text| {
            let mut out = String::with_capacity(text.len());
            let mut from = 0;
            for found in self.find(text, names) {
                let value = &text[found.start..found.end];
                out.push_str(&text[from..found.start]);
                from = found.end;
                if let Some(placeholder) = redacted.placeholders.get(value) {
                    out.push_str(placeholder);
                    continue;
                }
                let number = redacted.numbers.entry(found.name.clone()).or_insert(0);
                let placeholder = loop {
                    *number += 1;
                    let placeholder = format!("[{}_{number}]", found.name);
                    if !redacted.taken.contains(placeholder.as_str()) {
                        break placeholder;
                    }
                };
                out.push_str(&placeholder);
                redacted
                    .values
                    .insert(placeholder.clone(), value.to_owned());
                redacted.placeholders.insert(value.to_owned(), placeholder);
            }
            out.push_str(&text[from..]);
            out
        });
        out.collect()
    }
}

/// Puts values back into a reply that comes in pieces: a placeholder may be cut anywhere.
#[derive(Debug)]
pub struct Restorer<'a> {
    redacted: &'a Redacted,
    held: String,
}

/// The longest placeholder: a name of 24 letters, an underscore, a number and brackets.
const LONGEST: usize = 40;

impl<'a> Restorer<'a> {
    /// A restorer for one reply.
    pub fn new(redacted: &'a Redacted) -> Self {
        Restorer {
            redacted,
            held: String::new(),
        }
    }

    /// Takes in a piece and gives what is certain.
    pub fn push(&mut self, piece: &str) -> String {
        if self.redacted.values.is_empty() {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        let mut out = String::new();
        while let Some(open) = self.held.find('[') {
            out.push_str(&self.held[..open]);
            self.held.drain(..open);
            match self.held[1..].find(['[', ']']).map(|at| at + 1) {
                Some(end) if self.held.as_bytes()[end] == b']' => {
                    let whole: String = self.held.drain(..=end).collect();
                    let value = self.redacted.values.get(&whole);
                    out.push_str(value.unwrap_or(&whole));
                }
                // Another bracket opens first, so this one begins no placeholder.
                Some(next) => out.extend(self.held.drain(..next)),
                None if self.held.len() <= LONGEST => return out,
                None => out.push_str(&std::mem::take(&mut self.held)),
            }
        }
        out.push_str(&std::mem::take(&mut self.held));
        out
    }

    /// What was held back, at the end.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| kinds::compiled(r"\[[A-Z]+_[0-9]+\]"));

/// Whether a part of a pattern ignores case.
fn caseless(pattern: &str) -> bool {
    pattern.split("(?").skip(1).any(|group| {
        let flags = group.split(|c: char| !c.is_ascii_alphabetic()).next();
        flags.is_some_and(|flags| flags.contains('i'))
    })
}

#[cfg(test)]
mod tests;
