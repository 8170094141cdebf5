//! Personal data out of a text before it leaves, and back into the reply.
//!
//! Found by pattern and check digit; names are found by the bundle's tagger and come from outside; what has neither
//! (street addresses) is not found, and a caller adds patterns of its own. Every value becomes a placeholder like `[EMAIL_1]`, the same value always the same one.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use std::sync::LazyLock;

use iban::Iban;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

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
    /// Further regular expressions (of Rust's `regex`, in linear time), by the name that their placeholders get.
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
            if start < end && found.iter().all(|f| end <= f.start || f.end <= start) {
                found.push(Found {
                    name: name.to_owned(),
                    start,
                    end,
                });
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
            let Some(pattern) = pattern(kind) else {
                for name in names {
                    let places = text.match_indices(name.as_str());
                    for (start, _) in places.filter(|&(at, _)| alone(text, at, name)) {
                        claim(kind.name(), start, start + name.len());
                    }
                }
                continue;
            };
            for m in pattern.find_iter(text) {
                if let Some((start, end)) = confirmed(kind, text, m.start(), m.end()) {
                    claim(kind.name(), start, end);
                }
            }
        }
        found.sort_by_key(|f| f.start);
        found
    }

    /// Takes what is found out of texts that go together: a value gets the same placeholder in all of them.
    pub fn redact(&self, texts: &[&str], names: &[String]) -> (Vec<String>, Redacted) {
        let mut redacted = Redacted::default();
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        // A placeholder that a text has of itself must not be taken for one of ours.
        let taken: BTreeSet<&str> = texts
            .iter()
            .flat_map(|text| PLACEHOLDER.find_iter(text).map(|m| m.as_str()))
            .collect();
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
                let number = numbers.entry(found.name.clone()).or_insert(0);
                let placeholder = loop {
                    *number += 1;
                    let placeholder = format!("[{}_{number}]", found.name);
                    if !taken.contains(placeholder.as_str()) {
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
        (out.collect(), redacted)
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

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| compiled(r"\[[A-Z]+_[0-9]+\]"));

fn compiled(pattern: &str) -> Regex {
    // All patterns here are constants, and a test compiles each.
    Regex::new(pattern).unwrap_or_else(|_| unreachable!("a constant pattern is broken"))
}

/// Whether what stands at a place is no part of a longer word.
fn alone(text: &str, at: usize, word: &str) -> bool {
    let before = text.get(..at).and_then(|t| t.chars().next_back());
    let after = text.get(at + word.len()..).and_then(|t| t.chars().next());
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !letter(before) && !letter(after)
}

/// Candidates of a kind; names have no pattern. What a pattern cannot say, [`confirmed`] checks.
fn pattern(kind: PersonalData) -> Option<&'static Regex> {
    static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
        compiled(
            r"[\p{L}\p{N}._%+'=-]+@[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?(?:\.[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?)+",
        )
    });
    static IBAN: LazyLock<Regex> =
        LazyLock::new(|| compiled(r"(?i)\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}"));
    static CARD: LazyLock<Regex> = LazyLock::new(|| compiled(r"[0-9](?:[ -]?[0-9]){11,18}"));
    static IP: LazyLock<Regex> = LazyLock::new(|| {
        compiled(
            r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?i)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}",
        )
    });
    static PHONE: LazyLock<Regex> = LazyLock::new(|| {
        compiled(
            r"(?:\+|\b00)[ ]?[1-9][ .\-/()\u{a0}]{0,3}(?:[0-9][ .\-/()\u{a0}]{0,3}){6,14}|\(?\b[0-9]{1,5}(?:(?:[ .\-/\u{a0}]{1,3}|[ .\-/\u{a0}]{0,2}[()][ .\-/\u{a0}]{0,3})\(?[0-9]{2,5}){1,4}",
        )
    });
    Some(match kind {
        PersonalData::Email => &EMAIL,
        PersonalData::Iban => &IBAN,
        PersonalData::Card => &CARD,
        PersonalData::Ip => &IP,
        PersonalData::Phone => &PHONE,
        PersonalData::Name => return None,
    })
}

/// The part of a candidate that is what it looks like.
fn confirmed(kind: PersonalData, text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let value = &text[start..end];
    match kind {
        PersonalData::Email | PersonalData::Name => Some((start, end)),
        PersonalData::Iban => {
            if joined(before) {
                return None;
            }
            // The pattern may have taken a following word along: the longest part that checks is the number.
            let ends = (15..=value.len())
                .rev()
                .filter(|&n| value.is_char_boundary(n));
            ends.filter(|&n| !value[n..].starts_with(char::is_alphanumeric))
                .find(|&n| {
                    let plain = value[..n].replace([' ', '-'], "").to_uppercase();
                    plain.parse::<Iban>().is_ok()
                })
                .map(|n| (start, start + n))
        }
        PersonalData::Card => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            let sound = !joined(before) && !joined(after) && luhn::valid(&digits);
            // A run of one digit passes the check and is no card; and cards begin with 2 to 6 (ISO/IEC 7812).
            let plain = digits.bytes().any(|b| Some(b) != digits.bytes().next());
            (sound && plain && matches!(digits.as_bytes()[0], b'2'..=b'6')).then_some((start, end))
        }
        PersonalData::Ip => {
            let v4 = value.parse::<Ipv4Addr>().is_ok();
            // Of a version 4 address, a colon is the beginning of the port.
            let edge = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == ':' && !v4);
            // "1.2.3.4.5" is a version, not an address; a full stop may follow, a digit after it not.
            let behind = || text[..start].chars().rev();
            let dotted = |rest: &mut dyn Iterator<Item = char>| {
                rest.next() == Some('.') && rest.next().is_some_and(|c| c.is_ascii_digit())
            };
            if edge(before)
                || edge(after)
                || dotted(&mut text[end..].chars())
                || dotted(&mut behind())
            {
                return None;
            }
            let v6 = value
                .parse::<Ipv6Addr>()
                .is_ok_and(|ip| !ip.is_unspecified());
            (v4 || v6).then_some((start, end))
        }
        PersonalData::Phone => {
            let n = phone(value, &text[..start], after)?;
            static EXTENSION: LazyLock<Regex> =
                LazyLock::new(|| compiled(r"^,? ?(?i:x|ext|extension)\.?:? ?[0-9]{1,6}\b"));
            let more = EXTENSION.find(&text[start + n..]).map_or(0, |m| m.end());
            Some((start, start + n + more))
        }
    }
}

/// The length of the number in a candidate, without the separators behind it.
fn phone(value: &str, text_before: &str, after: Option<char>) -> Option<usize> {
    let trimmed = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let after = if trimmed.len() < value.len() {
        None
    } else {
        after
    };
    let mut behind = text_before.chars().rev();
    let before = behind.next();
    let digit_before = behind.next().is_some_and(|c| c.is_ascii_digit());
    let joined = match before {
        // Part of a longer number, a date, a time or a path of numbers.
        Some('/' | '-' | ':' | '.' | ',') => digit_before,
        Some(c) => c.is_alphanumeric() || matches!(c, '=' | '_' | '$' | '€' | '£' | '%'),
        None => false,
    };
    let goes_on =
        |c: char| c.is_alphanumeric() && !matches!(c, 'x' | 'X') || matches!(c, '%' | '_' | ':');
    if joined || after.is_some_and(goes_on) {
        return None;
    }
    let digits = trimmed.bytes().filter(u8::is_ascii_digit).count();
    let exit_code = trimmed.strip_prefix("00").map(str::trim_start);
    let international = trimmed.starts_with('+')
        || exit_code.is_some_and(|rest| rest.starts_with(|c| ('1'..='9').contains(&c)));
    if international {
        return (8..=15).contains(&digits).then_some(trimmed.len());
    }
    let groups: Vec<&str> = trimmed
        .split(|c: char| !c.is_ascii_digit())
        .filter(|g| !g.is_empty())
        .collect();
    let sizes: Vec<usize> = groups.iter().map(|g| g.len()).collect();
    // Dates and times in digits: 2024-05-06, 06.05.2024.
    let date = groups.len() == 3
        && (matches!(sizes[..], [4, 2, 2])
            || matches!(sizes[..], [2, 2, 4])
            || matches!(sizes[..], [2, 2, 2]));
    if date {
        return None;
    }
    // With or without the 1 of the trunk, or of the country.
    let area = match sizes[..] {
        [3, 3, 4] => groups.first(),
        [1, 3, 3, 4] if groups[0] == "1" => groups.get(1),
        _ => None,
    };
    let north_american = area.is_some_and(|area| !area.starts_with(['0', '1']));
    let trunk = groups[0].len() > 1 && groups[0].starts_with('0') && !groups[0].starts_with("00");
    // Everywhere else a national number begins with its trunk prefix, or an area code in brackets.
    let national = (9..=12).contains(&digits) && (trunk || trimmed.starts_with('('));
    (north_american || national).then_some(trimmed.len())
}

#[cfg(test)]
mod tests;
