//! Values back into a reply.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Place;

/// What was taken out of some texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    /// What each placeholder stands for.
    pub(super) values: BTreeMap<String, String>,
    /// The same the other way round.
    pub(super) placeholders: BTreeMap<String, String>,
    /// The last number of each kind.
    pub(super) numbers: BTreeMap<String, u32>,
    /// Placeholders that the texts had of themselves.
    pub(super) taken: BTreeSet<String>,
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

/// Puts values back into a reply that comes in pieces: a placeholder may be cut anywhere, and where the cuts are changes
/// nothing.
///
/// Values are put back into running text only. A placeholder stays where the reply would carry the value away from the
/// page that shows it: in an address (`https:…`, any `scheme:…` without a blank behind the colon, `//host…`, `www.…`,
/// `host.example/…`, up to the next white space), in the target of a Markdown link or image (`](…)`), in a link
/// reference definition (`[x]: …`), and within an HTML tag (`<a …>`).
#[derive(Debug)]
pub struct Restorer<'a> {
    redacted: &'a Redacted,
    /// What may become a placeholder.
    held: String,
    place: Place,
}

impl<'a> Restorer<'a> {
    /// A restorer for one reply.
    pub fn new(redacted: &'a Redacted) -> Self {
        Restorer {
            redacted,
            held: String::new(),
            place: Place::default(),
        }
    }

    /// Takes in a piece and gives what is certain.
    pub fn push(&mut self, piece: &str) -> String {
        if self.redacted.values.is_empty() {
            return piece.to_owned();
        }
        let mut out = String::with_capacity(self.held.len() + piece.len());
        for c in piece.chars() {
            if self.held.is_empty() && c != '[' {
                self.place.take(c);
                out.push(c);
                continue;
            }
            self.held.push(c);
            match read(&self.held) {
                Read::Part => {}
                Read::Whole(_) => {
                    let held = std::mem::take(&mut self.held);
                    let value = self.redacted.values.get(&held);
                    let value = value.filter(|_| self.place.is_text());
                    self.give(value.unwrap_or(&held), &mut out);
                }
                Read::None => {
                    // Only the last character may begin another.
                    self.held.pop();
                    let held = std::mem::take(&mut self.held);
                    self.give(&held, &mut out);
                    if c == '[' {
                        self.held.push(c);
                    } else {
                        self.place.take(c);
                        out.push(c);
                    }
                }
            }
        }
        out
    }

    fn give(&mut self, text: &str, out: &mut String) {
        out.push_str(text);
        text.chars().for_each(|c| self.place.take(c));
    }

    /// What was held back, at the end.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// The most letters of a placeholder's name.
pub(super) const NAME_LETTERS: usize = 24;

/// The most digits of a placeholder's number.
const NUMBER_DIGITS: usize = 10;

/// What a text begins with.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// No placeholder.
    None,
    /// What would be one if more came.
    Part,
    /// One of so many bytes.
    Whole(usize),
}

fn read(text: &str) -> Read {
    let bytes = text.as_bytes();
    let count = |from: usize, of: fn(&u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| of(b)).count()
    };
    if bytes.first() != Some(&b'[') {
        return Read::None;
    }
    let letters = count(1, u8::is_ascii_uppercase);
    let number = letters + 2;
    match bytes.get(letters + 1) {
        None if letters <= NAME_LETTERS => return Read::Part,
        Some(b'_') if (1..=NAME_LETTERS).contains(&letters) => {}
        _ => return Read::None,
    }
    let digits = count(number, u8::is_ascii_digit);
    match bytes.get(number + digits) {
        None if digits <= NUMBER_DIGITS => Read::Part,
        Some(b']') if (1..=NUMBER_DIGITS).contains(&digits) => Read::Whole(number + digits + 1),
        _ => Read::None,
    }
}

/// The placeholders that a text has of itself.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('[').filter_map(|(at, _)| {
        let rest = &text[at..];
        match read(rest) {
            Read::Whole(length) => Some(&rest[..length]),
            _ => None,
        }
    })
}
