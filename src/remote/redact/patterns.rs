//! A caller's own patterns.

use regex_lite::Regex;

/// How much of a text is looked at for one match, in bytes; a match of half as many is always found. To find the first
/// match, the search may read on to the end of the text, and would do so for every match: of a text with so many
/// matches that this would take long, less is looked at for each.
const WINDOWS: [usize; 3] = [512, 128, 32];

/// How many bytes are looked at with a window before the next smaller one is taken, for each byte of the text.
const READINGS: usize = 8;

/// Where a pattern matches, in bytes.
pub(super) fn find(regex: &Regex, text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let budget = text.len() * READINGS + WINDOWS[0] * READINGS;
    let mut windows = WINDOWS.into_iter();
    let mut window = WINDOWS[0];
    let mut left = 0;
    let mut from = 0;
    while from < text.len() {
        if left == 0 {
            window = windows.next().unwrap_or(window);
            left = budget;
        }
        let to = boundary(text, from + window);
        left = left.saturating_sub(to - from);
        let half = from + window / 2;
        let last = to == text.len();
        from = match regex.find_at(&text[..to], from) {
            // It is looked at again with all that follows.
            Some(m) if m.start() > half && !last => m.start(),
            Some(m) if m.end() > m.start() => {
                found.push((m.start(), m.end()));
                m.end()
            }
            Some(m) => boundary(text, m.end() + 1),
            None if last => break,
            None => boundary(text, half),
        };
    }
    found
}

/// The first place at or behind one where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(text.len())
}
