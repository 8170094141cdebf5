//! What tokens alone do not tell of an attitude: negation, emoji and emoticons, emphasis. Keys for a hashed table.
//!
//! Words behind a negating one are marked up to the next punctuation, "but" or [`SCOPE`] words (after Das and Chen 2001 and
//! Pang, Lee and Vaithyanathan 2002): "not good" is not counted as "good" but as something of its own, and so is a pair
//! of marked neighbours. Emoji and emoticons are keys by themselves, as tokenizers made for prose have no tokens for them.
//! Emphasis is counted: words in capitals, letters that are repeated, runs of punctuation.

use crate::hash::fnv1a;

/// The most words that a negation is thought to reach.
const SCOPE: u8 = 4;

/// Words that negate what follows, besides those that end in "n't".
const NEGATING: [&str; 15] = [
    "barely", "cannot", "cant", "hardly", "neither", "never", "no", "nobody", "none", "nor", "not",
    "nothing", "rarely", "scarcely", "without",
];

/// What stands before "n't", also where the apostrophe is left out.
const CONTRACTED: [&str; 17] = [
    "ain", "aren", "couldn", "didn", "doesn", "don", "hadn", "hasn", "haven", "isn", "mustn",
    "needn", "shouldn", "wasn", "weren", "won", "wouldn",
];

/// Words that begin another thought.
const TURNING: [&str; 5] = ["although", "but", "except", "however", "though"];

/// A piece of a text.
enum Piece<'t> {
    Word(&'t str),
    Emoji(char),
    /// Neighbouring characters that are none of these; an emoticon's letter is with it (":D", "<3").
    Marks(&'t str),
}

/// The keys of a text, some perhaps twice.
pub(super) fn keys(text: &str) -> Vec<u64> {
    let mut keys = Vec::new();
    // Words that the last negation still reaches.
    let mut reach = 0;
    // The marked word just before.
    let mut before = None;
    let (mut elongated, mut capitals) = (false, 0_u8);
    pieces(text, |piece| match piece {
        Piece::Word(written) => {
            let word = lowered(written);
            let short = squeezed(&word);
            elongated |= short.len() < word.len();
            let upper = written.chars().all(char::is_uppercase) && written.chars().count() > 2;
            capitals += u8::from(upper && capitals < 3);
            if TURNING.contains(&word.as_str()) {
                reach = 0;
            }
            if reach == 0 {
                before = None;
            } else {
                reach -= 1;
                keys.push(key("not", &short));
                if let Some(before) = before.replace(short.clone()) {
                    keys.push(key(&before, &short));
                }
            }
            if negates(&word) {
                reach = SCOPE;
            }
        }
        Piece::Emoji(emoji) => {
            before = None;
            keys.push(key("emoji", emoji.encode_utf8(&mut [0; 4])));
        }
        Piece::Marks(marks) => {
            before = None;
            if marks.contains(['.', ',', ';', ':', '!', '?', '(', ')']) {
                reach = 0;
            }
            if marks.len() > 1 || marks == "!" || marks == "?" {
                keys.push(key("marks", &squeezed(&lowered(marks))));
            }
        }
    });
    if elongated {
        keys.push(key("elongated", ""));
    }
    if capitals > 0 {
        keys.push(key(
            "capitals",
            ["1", "2", "3"][usize::from(capitals.min(3)) - 1],
        ));
    }
    keys
}

/// Whether a text is of the register of short messages: it mentions somebody, has a hashtag or a link. In those, words
/// are used otherwise than in prose.
pub(super) fn is_message(text: &str) -> bool {
    let tagged = |(at, _): (usize, &str)| {
        text[at + 1..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    text.match_indices(['@', '#']).any(tagged) || text.contains("http:") || text.contains("https:")
}

/// A word negates: the list has it, or it ends in "n't" with or without the apostrophe.
fn negates(word: &str) -> bool {
    let contracted = || {
        word.strip_suffix('t')
            .is_some_and(|word| CONTRACTED.contains(&word))
    };
    NEGATING.contains(&word) || word.ends_with("n't") || contracted()
}

fn lowered(text: &str) -> String {
    text.replace('\u{2019}', "'").to_lowercase()
}

/// At most two of a character in a row.
fn squeezed(word: &str) -> String {
    let mut short = String::with_capacity(word.len());
    let mut last = [None; 2];
    for c in word.chars() {
        if last != [Some(c); 2] {
            short.push(c);
        }
        last = [last[1], Some(c)];
    }
    short
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}') && !is_shade(c)
}

/// Only says how the emoji before it looks.
fn is_shade(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}' | '\u{fe0f}' | '\u{200d}')
}

fn pieces<'t>(text: &'t str, mut found: impl FnMut(Piece<'t>)) {
    let mut left = text;
    while let Some(first) = left.chars().next() {
        let is_mark =
            |c: char| !c.is_alphanumeric() && !c.is_whitespace() && !is_emoji(c) && !is_shade(c);
        let length = if first.is_alphanumeric() {
            word(left)
        } else if is_mark(first) {
            let marks = left.find(|c| !is_mark(c)).unwrap_or(left.len());
            marks + emoticon(first, &left[marks..])
        } else {
            first.len_utf8()
        };
        let (piece, rest) = left.split_at(length);
        if first.is_alphanumeric() {
            found(Piece::Word(piece));
        } else if is_emoji(first) {
            found(Piece::Emoji(first));
        } else if is_mark(first) {
            found(Piece::Marks(piece));
        }
        left = rest;
    }
}

/// The length of the word that a text begins with; apostrophes within it are of it.
fn word(text: &str) -> usize {
    let mut end = 0;
    while let Some(part) = text.get(end..) {
        end += part
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(part.len());
        let mut after = text[end..].chars();
        match (after.next(), after.next()) {
            (Some(c @ ('\'' | '\u{2019}')), Some(next)) if next.is_alphanumeric() => {
                end += c.len_utf8()
            }
            _ => break,
        }
    }
    end
}

/// The length of the letter or digit that belongs to marks beginning so; 0 where there is none.
fn emoticon(first: char, after: &str) -> usize {
    let mut after = after.chars();
    match (first, after.next(), after.next()) {
        (':' | ';' | '=' | '<', Some(c), next)
            if c.is_alphanumeric() && !next.is_some_and(char::is_alphanumeric) =>
        {
            c.len_utf8()
        }
        _ => 0,
    }
}

/// The hash of a kind and what is of it.
fn key(kind: &str, of: &str) -> u64 {
    fnv1a(kind.bytes().chain([0]).chain(of.bytes()).map(u64::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, kind: &str, of: &str) -> bool {
        keys(text).contains(&key(kind, of))
    }

    #[test]
    fn a_negation_reaches_to_punctuation_but_or_four_words() {
        assert!(has("This is not good at all", "not", "good"));
        assert!(has("This is not good at all", "good", "at"));
        assert!(!has("This is good", "not", "good"));
        assert!(!has("not this, good", "not", "good"));
        assert!(!has("not this but good", "not", "good"));
        assert!(has("no a b c good", "not", "good") && !has("no a b c d good", "not", "good"));
        // A full stop within marks ends it, too.
        assert!(!has("I did not... Good", "not", "good"));
    }

    #[test]
    fn contractions_negate_however_they_are_written() {
        for text in [
            "I don't like it",
            "I don\u{2019}t like it",
            "I dont like it",
            "I DON'T LIKE it",
            "I can't like it",
        ] {
            assert!(has(text, "not", "like"), "{text}");
        }
        assert!(!has("I want like it", "not", "like"));
    }

    #[test]
    fn emoji_and_emoticons_are_keys() {
        // The variation selector and the skin tone say nothing.
        assert!(has("good \u{2764}\u{fe0f}", "emoji", "\u{2764}"));
        assert_eq!(keys("\u{1f44d}\u{1f3fd}"), keys("\u{1f44d}"));
        for (text, emoticon) in [
            ("so :)", ":)"),
            ("so :-(", ":-("),
            ("so :D", ":d"),
            ("<3 it", "<3"),
            ("no :))))", ":))"),
        ] {
            assert!(has(text, "marks", emoticon), "{text}");
        }
    }

    #[test]
    fn emphasis_is_counted() {
        assert!(has("sooo good", "elongated", "") && !has("soo good", "elongated", ""));
        assert!(has("GOOD", "capitals", "1") && has("THE BEST DAY EVER MADE", "capitals", "3"));
        assert!(keys("Good 2024 AB").is_empty());
        assert!(has("Good!", "marks", "!") && has("Good!!!!", "marks", "!!"));
    }

    #[test]
    fn messages_have_a_mention_a_hashtag_or_a_link() {
        assert!(
            is_message("@you are late")
                && is_message("late #fail")
                && is_message("see https://example.org")
        );
        assert!(!is_message("3 # 4 @ noon") && !is_message(""));
    }

    #[test]
    fn keys_are_fixed_for_ever() {
        // A trained table is worthless under other keys.
        assert_eq!(key("not", "good"), 0xf11c_e616_7088_1237);
        assert_eq!(key("", ""), 0xaf63_bd4c_8601_b7df);
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for text in [
            "'",
            "a'",
            "'a",
            "a''b",
            "\u{2019}\u{2019}",
            "\u{200d}",
            ":",
            "<",
            "\u{130}\u{307}",
            "\u{0}",
            "e\u{301}x",
        ] {
            keys(text);
        }
    }
}
