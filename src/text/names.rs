//! People's names in a text, from the labels that a tagger gives its tokens: IOB2 (Tjong Kim Sang and Veenstra 1999), where
//! `B-PER` begins a name, `I-PER` goes on with it, and everything else ends it.

use std::ops::Range;

/// What a token is to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Its first token.
    Begins,
    /// A further token of it.
    Goes,
    /// No part of one.
    Other,
}

impl Tag {
    /// The tag that a label stands for; `person` is the tagger's word for people, such as `PER`. Labels without `B-` and
    /// `I-` are read as `I-`.
    pub fn of(label: &str, person: &str) -> Tag {
        match label.split_once('-') {
            Some(("B", kind)) if kind == person => Tag::Begins,
            Some(("I", kind)) if kind == person => Tag::Goes,
            None if label == person => Tag::Goes,
            _ => Tag::Other,
        }
    }
}

/// The names in `text`. `tokens` has each token's place in bytes and its tag, in the order of the text. A name that begins or
/// ends inside a word is taken with the whole word: a part of a name is as telling as all of it.
pub fn names<'a>(text: &'a str, tokens: &[((usize, usize), Tag)]) -> Vec<&'a str> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for &((start, end), tag) in tokens {
        // Special tokens have no place.
        if start >= end {
            continue;
        }
        let within_word =
            spans.last().is_some_and(|&(_, last)| last == start) && !edge(text, start);
        match tag {
            // A piece of the same word, whatever the tagger thinks of it.
            Tag::Begins | Tag::Goes if open || within_word => match spans.last_mut() {
                Some(span) if tag == Tag::Goes || within_word => span.1 = end,
                _ => spans.push((start, end)),
            },
            Tag::Begins | Tag::Goes => spans.push((start, end)),
            Tag::Other => {}
        }
        open = tag != Tag::Other;
    }
    let mut words = [0..0, 0..0];
    let mut whole: Vec<(usize, usize)> = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        let [first, last] = &mut words;
        let span = (word(text, start, first).start, word(text, end, last).end);
        // The pieces of one word give the same name.
        if whole.last() != Some(&span) {
            whole.push(span);
        }
    }
    let names = whole
        .into_iter()
        .map(|(start, end)| text.get(start..end).unwrap_or_default());
    // One letter is an initial or a mistake, and stands everywhere.
    names
        .filter(|name| name.chars().filter(|c| c.is_alphabetic()).nth(1).is_some())
        .collect()
}

/// The letters and digits around a place. `known` is where those around an earlier place are: one long word may have many names.
fn word(text: &str, at: usize, known: &mut Range<usize>) -> Range<usize> {
    if !(known.start..=known.end).contains(&at) || known.end == 0 {
        let before = text.get(..at).unwrap_or_default();
        let behind = text.get(at..).unwrap_or_default();
        let start = before.trim_end_matches(char::is_alphanumeric).len();
        let end = text.len() - behind.trim_start_matches(char::is_alphanumeric).len();
        *known = start..end;
    }
    known.clone()
}

/// Whether no word goes on across a place.
fn edge(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|t| t.chars().next_back());
    let after = text.get(at..).and_then(|t| t.chars().next());
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !(letter(before) && letter(after))
}

#[cfg(test)]
mod tests {
    use super::Tag::{Begins, Goes, Other};
    use super::*;

    #[test]
    fn labels_are_read_as_the_tagger_writes_them() {
        assert_eq!(Tag::of("B-PER", "PER"), Begins);
        assert_eq!(Tag::of("I-PER", "PER"), Goes);
        assert_eq!(Tag::of("PERSON", "PERSON"), Goes);
        assert_eq!(Tag::of("B-LOC", "PER"), Other);
        assert_eq!(Tag::of("O", "PER"), Other);
    }

    #[test]
    fn tokens_become_whole_names() {
        let text = "Ann Lee met Bo-Anders and Müller";
        let place = |word: &str| text.find(word).map(|at| (at, at + word.len())).unwrap();
        let tokens = [
            ((0, 0), Other),
            (place("Ann"), Begins),
            (place("Lee"), Goes),
            (place("met"), Other),
            (place("Bo"), Begins),
            (place("-"), Goes),
            (place("And"), Goes),
            (place("ers"), Other),
            (place("and"), Other),
            // The tagger is wrong about where the word begins.
            (place("Mü"), Other),
            (place("ller"), Goes),
        ];
        assert_eq!(names(text, &tokens), ["Ann Lee", "Bo-Anders", "Müller"]);
    }

    #[test]
    fn a_long_word_of_many_pieces_is_one_name() {
        let text = "a".repeat(1 << 20);
        let tags = [Begins, Other].into_iter().cycle();
        let tokens: Vec<_> = (0..text.len()).map(|at| (at, at + 1)).zip(tags).collect();
        assert_eq!(names(&text, &tokens), [text.as_str()]);
    }

    #[test]
    fn names_side_by_side_stay_two_and_pieces_of_a_word_one() {
        let text = "Ann Bob";
        assert_eq!(
            names(text, &[((0, 3), Begins), ((4, 7), Begins)]),
            ["Ann", "Bob"]
        );
        assert_eq!(names(text, &[((0, 1), Begins), ((1, 3), Begins)]), ["Ann"]);
        assert_eq!(
            names("Ann-Bob", &[((0, 7), Begins), ((0, 7), Begins)]),
            ["Ann-Bob"]
        );
        assert!(names("A b", &[((0, 1), Begins)]).is_empty());
        assert!(names("x", &[((0, 9), Begins)]).is_empty());
    }
}
