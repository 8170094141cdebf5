//! A caller's own patterns.

use regex_lite::Regex;

/// A part of a text that one match is looked for in.
#[derive(Clone, Copy)]
struct Window {
    /// How many bytes it has.
    bytes: usize,
    /// How many of them the next one has, too, so that a match of as many is always found.
    shared: usize,
    /// How many bytes are looked at through such windows, for each byte of the text, before the next smaller ones are taken.
    readings: usize,
}

/// To find the first match, the search may read on to the end of the text, and would do so for every match. So it is given a
/// window; of a text with so many matches that this would take long, a smaller one.
const WINDOWS: [Window; 4] = [
    Window {
        bytes: 2048,
        shared: 256,
        readings: 2,
    },
    Window {
        bytes: 512,
        shared: 256,
        readings: 4,
    },
    Window {
        bytes: 128,
        shared: 64,
        readings: 4,
    },
    Window {
        bytes: 32,
        shared: 16,
        readings: usize::MAX,
    },
];

/// How many bytes are looked at in any case before smaller windows are taken.
const LEAST_READ: usize = 1 << 20;

/// Where a pattern matches, in bytes.
pub(super) fn find(regex: &Regex, text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    for window in WINDOWS {
        let mut left = text.len().saturating_mul(window.readings).max(LEAST_READ);
        while from < text.len() && left > 0 {
            let to = boundary(text, from + window.bytes);
            left = left.saturating_sub(to - from);
            let shared = to.saturating_sub(window.shared).max(from);
            let last = to == text.len();
            from = match regex.find_at(&text[..to], from) {
                // It is looked at again with all that follows.
                Some(m) if m.start() > shared && !last => m.start(),
                Some(m) if m.end() > m.start() => {
                    found.push((m.start(), m.end()));
                    m.end()
                }
                Some(m) => boundary(text, m.end() + 1),
                None if last => text.len(),
                None => boundary(text, shared),
            };
        }
    }
    found
}

/// The first place at or behind one where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(text.len())
}
