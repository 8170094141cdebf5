//! Bytes to UTF-8.

use std::borrow::Cow;

use super::record::Wrong;

/// How many bytes are looked at to tell UTF-16 that does not say so.
const LOOKED_AT: usize = 4 << 10;

/// The most lines that a note lists.
const LISTED: usize = 5;

/// A file's text, without a byte order mark. It may hold bytes that are not UTF-8: the rows they are in are named.
#[derive(Debug)]
pub(super) struct Text<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// What was done to it that its reader should know.
    pub(super) notes: Vec<String>,
}

/// What is wrong with bytes that are not UTF-8.
pub(super) const NOT_UTF8: &str = "this is not UTF-8; if it was written on Windows, it is Windows-1252 most likely: \
                                   convert it with `iconv -f windows-1252 -t utf-8`";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// Reads UTF-8, and UTF-16 of both orders, with and without a mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Text<'_>, Wrong> {
    let (order, rest) = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            return Err(Wrong::new(
                "this is UTF-32; convert it with `iconv -f utf-32 -t utf-8`",
            ));
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => (None, rest),
        [0xff, 0xfe, rest @ ..] => (Some(Order::Little), rest),
        [0xfe, 0xff, rest @ ..] => (Some(Order::Big), rest),
        _ => (unmarked(bytes), bytes),
    };
    match order {
        None => Ok(Text {
            bytes: Cow::Borrowed(rest),
            notes: Vec::new(),
        }),
        Some(order) => utf16(rest, order),
    }
}

/// The order of UTF-16 without a mark. Separators, quotes, digits and most letters of a table have a zero byte there, on one
/// side of every pair; a text in UTF-8 has none.
fn unmarked(bytes: &[u8]) -> Option<Order> {
    let looked = &bytes[..bytes.len().min(LOOKED_AT) & !1];
    let zeros = |side: usize| {
        looked
            .iter()
            .skip(side)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let (first, second) = (zeros(0), zeros(1));
    // A header or an object begins in ASCII. One zero byte somewhere makes no UTF-16.
    let begins = |letter: usize, zero: usize| {
        looked.get(letter).is_some_and(|b| (9..127).contains(b)) && looked.get(zero) == Some(&0)
    };
    let many = looked.len().div_ceil(32);
    if second >= many && 8 * first < second && begins(0, 1) {
        Some(Order::Little)
    } else if first >= many && 8 * second < first && begins(1, 0) {
        Some(Order::Big)
    } else {
        None
    }
}

fn utf16<'a>(bytes: &[u8], order: Order) -> Result<Text<'a>, Wrong> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Wrong::new(
            "this is UTF-16 with an odd number of bytes; the file is cut short",
        ));
    }
    let units = units.iter().map(|unit| match order {
        Order::Little => u16::from_le_bytes(*unit),
        Order::Big => u16::from_be_bytes(*unit),
    });
    let mut text = String::with_capacity(bytes.len());
    let mut line = 1;
    let mut halves = Lines::default();
    for found in char::decode_utf16(units) {
        let c = found.unwrap_or_else(|_| {
            halves.add(line);
            char::REPLACEMENT_CHARACTER
        });
        line += usize::from(c == '\n');
        text.push(c);
    }
    let mut notes = vec!["it is read as UTF-16".to_owned()];
    notes.extend(halves.note());
    Ok(Text {
        bytes: Cow::Owned(text.into_bytes()),
        notes,
    })
}

/// The lines in which half of a surrogate pair was read as U+FFFD.
#[derive(Debug, Default)]
pub(super) struct Lines {
    found: Vec<usize>,
    count: usize,
}

impl Lines {
    pub(super) fn add(&mut self, line: usize) {
        if self.found.last() == Some(&line) {
            return;
        }
        self.count += 1;
        if self.found.len() < LISTED {
            self.found.push(line);
        }
    }

    /// What to say of them, where there are any.
    pub(super) fn note(&self) -> Option<String> {
        let listed: Vec<String> = self.found.iter().map(ToString::to_string).collect();
        let more = if self.count > self.found.len() {
            ", …"
        } else {
            ""
        };
        (self.count > 0).then(|| {
            format!(
                "half of a surrogate pair is no character and was read as U+FFFD, as a browser does ({} lines: {}{more})",
                self.count,
                listed.join(", ")
            )
        })
    }
}
