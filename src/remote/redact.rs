//! Personal data out of a text before it leaves, and back into the reply.
//!
//! Found by pattern and check digit; names are found by the bundle's tagger, and what else is somebody's by a task of it: both
//! come from outside; what has neither
//! (street addresses) is not found, and a caller adds patterns of its own. Every value becomes a placeholder like `[EMAIL_1]`, the same value always the same one.

use std::collections::BTreeMap;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

mod accounts;
mod dates;
mod ip;
mod mail;
mod names;
mod patterns;
mod phone;
mod place;
mod regions;
mod restore;
mod view;

pub use restore::{Redacted, Restorer};

pub use names::Named;
use regions::{REGIONS, Region};
use restore::{NAME_LETTERS, placeholders};
use view::View;

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
    /// Telephone numbers: those with a country code, and national ones that their trunk prefix, their groups or a word
    /// before them tell, or that are of the regions in [`RedactOptions::regions`].
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
    /// Where the texts' national telephone numbers are from, as ISO 3166-1 country codes such as `DE`. Everywhere's are
    /// found if they are written as telephone numbers (with a trunk prefix, in groups, behind a word such as "tel"); of
    /// these regions, those that are not, too, and more of what only looks like them.
    pub regions: Vec<String>,
    /// Further regular expressions (of Rust's `regex-lite`), by the name that their placeholders get. A
    /// match of up to 256 bytes is found; in a text with more than 2,500 matches, behind those perhaps one of up to 16 only.
    /// `\w`, `\d`, `\s`, `\b` and `(?i)` know ASCII only; any other character stands for itself.
    pub patterns: BTreeMap<String, String>,
    /// A task of the bundle that finds entities (token classification), such as `personal-data`. What it finds in a text is
    /// taken out wherever it stands, under the letters of its label. If the task cannot look, nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

impl Default for RedactOptions {
    fn default() -> Self {
        RedactOptions {
            kinds: PersonalData::ALL.to_vec(),
            regions: Vec::new(),
            patterns: BTreeMap::new(),
            task: None,
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
    regions: Vec<&'static Region>,
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
            let plain = !name.is_empty() && name.len() <= NAME_LETTERS;
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
        let region = |code: &String| {
            let region = REGIONS.iter().find(|region| region.code == code);
            region.ok_or_else(|| {
                wrong(format!(
                    "the region \"{}\" is unknown: write a country's two letters of ISO 3166-1 as capitals, such as DE",
                    crate::error::excerpt(code, 40)
                ))
            })
        };
        Ok(Redactor {
            kinds: options.kinds.clone(),
            patterns,
            regions: options.regions.iter().map(region).collect::<Result<_>>()?,
        })
    }

    /// Whether it takes out a kind.
    pub fn takes(&self, kind: PersonalData) -> bool {
        self.kinds.contains(&kind)
    }

    /// Where personal data is, in the order of the text and without overlaps. The caller's own patterns come before
    /// the built-in kinds; names, wherever they stand alone, last.
    ///
    /// Where two kinds could claim the same characters, the one with more evidence does. In this order: a mail address (an
    /// at sign between a name and a domain), an account number (the country's length and letters, and two check digits of
    /// 97), a card number (an issuer's beginning and length, and a check digit of 10) unless a plus sign makes it a valid
    /// international telephone number, an address of a host, and a telephone number, which has no check. Dates and times are kept
    /// from being read as parts of a number. A kind that is not taken out keeps its characters from the others all the same.
    ///
    /// Takes time in proportion to the text.
    pub fn find(&self, text: &str, names: &[Named]) -> Vec<Found> {
        let mut found = self.own(text);
        let mut view = View::new(text);
        for own in &found {
            view.take_bytes(own.start, own.end);
        }
        let mut unreplaced = Vec::new();
        let mut named: Vec<&str> = Vec::new();
        for kind in PersonalData::ALL {
            let places = match kind {
                PersonalData::Email => mail::find(&view),
                PersonalData::Iban => accounts::ibans(&view),
                PersonalData::Card => {
                    for (from, to) in dates::dates(&view) {
                        view.take(from, to);
                        unreplaced.push((from, to));
                    }
                    accounts::cards(&view)
                }
                PersonalData::Ip => ip::find(&view),
                PersonalData::Phone => phone::Phones::new(&view, &self.regions).find(),
                PersonalData::Name => {
                    for (from, to) in unreplaced.drain(..) {
                        view.give_back(from, to);
                    }
                    let (places, which): (Vec<_>, Vec<_>) = names::find(&view, names)
                        .into_iter()
                        .map(|(from, to, which)| ((from, to), which))
                        .unzip();
                    named = which.into_iter().map(|which| names[which].kind()).collect();
                    places
                }
            };
            let mut earlier = std::mem::take(&mut found).into_iter().peekable();
            for (at, (from, to)) in places.into_iter().enumerate() {
                view.take(from, to);
                let name = named.get(at).copied().unwrap_or(kind.name());
                // What a task found is taken out whatever the kinds are.
                if !self.takes(kind) && (named.is_empty() || name == names::PERSON) {
                    unreplaced.push((from, to));
                    continue;
                }
                let (start, end) = view.bytes(from, to);
                while let Some(before) = earlier.next_if(|found| found.start < start) {
                    found.push(before);
                }
                found.push(Found {
                    name: name.to_owned(),
                    start,
                    end,
                });
            }
            found.extend(earlier);
        }
        found
    }

    /// Where the caller's own patterns match: the first pattern has what two of them match.
    fn own(&self, text: &str) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for (name, regex) in &self.patterns {
            let mut earlier = std::mem::take(&mut found).into_iter().peekable();
            for (start, end) in patterns::find(regex, text) {
                // What is left of it between those that were there before. The last of these may reach over it, and over the
                // matches that follow.
                let mut start = found.last().map_or(start, |last| start.max(last.end));
                while let Some(next) = earlier.next_if(|next| next.start < end) {
                    if start < next.start {
                        found.push(Found {
                            name: name.clone(),
                            start,
                            end: next.start,
                        });
                    }
                    start = start.max(next.end);
                    found.push(next);
                }
                if start < end {
                    found.push(Found {
                        name: name.clone(),
                        start,
                        end,
                    });
                }
            }
            found.extend(earlier);
        }
        found
    }

    /// Takes what is found out of texts that go together: a value gets the same placeholder in all of them.
    pub fn redact(&self, texts: &[&str], names: &[Named]) -> (Vec<String>, Redacted) {
        let mut redacted = Redacted::default();
        let out = self.redact_more(&mut redacted, texts, names);
        (out, redacted)
    }

    /// As [`Redactor::redact_more`], for one text without names.
    pub(super) fn redact_one(&self, redacted: &mut Redacted, text: &str) -> String {
        self.redact_more(redacted, &[text], &[]).concat()
    }

    /// Takes what is found out of further texts that go together with those of which `redacted` tells. A placeholder
    /// that stands there already stays as it is.
    pub fn redact_more(
        &self,
        redacted: &mut Redacted,
        texts: &[&str],
        names: &[Named],
    ) -> Vec<String> {
        // A placeholder that a text has of itself must not be taken for one of ours.
        for text in texts {
            for foreign in placeholders(text) {
                if !redacted.values.contains_key(foreign) {
                    redacted.taken.insert(foreign.to_owned());
                }
            }
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

/// Whether a part of a pattern ignores case.
fn caseless(pattern: &str) -> bool {
    pattern.split("(?").skip(1).any(|group| {
        let flags = group.split(|c: char| !c.is_ascii_alphabetic()).next();
        flags.is_some_and(|flags| flags.contains('i'))
    })
}

#[cfg(test)]
mod tests;
