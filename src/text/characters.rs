//! A text's character n-grams, hashed: letters, n-grams within words and whole words.
//!
//! A text is lower-cased and cut into words of letters; whatever else there is, marks among it, ends a word. A word between
//! its boundaries gives each of its letters, each n-gram of 2 to [`longest`](ngrams) characters, boundaries counted, and itself
//! where it is longer than that. The hash of an n-gram is FNV-1a over its characters, finished by SplitMix64's mixing.
//!
//! Web and mail addresses and @names are passed over, since they are in no language.
//!
//! Scripts that one language alone writes need no n-grams: one letter stands for all of them. A Han character is a word.
//! Trained tables rest on all of this, so none of it may change.

use crate::hash::of_chars as hash;

/// The boundaries of a word.
const START: char = '\u{1}';
const END: char = '\u{2}';

/// Letters of a word that count; the rest of a longer one is passed over.
const WORD: usize = 40;

/// How many kinds of script are told apart.
pub const SCRIPTS: usize = 3;

/// The kind of script that an n-gram is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Latin letters.
    Latin,
    /// Cyrillic letters.
    Cyrillic,
    /// Any others.
    Other,
}

impl Script {
    fn of(c: char) -> Script {
        match c {
            '\u{0}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}' => Script::Latin,
            '\u{400}'..='\u{52f}' => Script::Cyrillic,
            _ => Script::Other,
        }
    }
}

/// Calls `each` with the hash and the script of every n-gram of the text, of at most `longest` characters. Time is linear in
/// the text's length.
pub fn ngrams(text: &str, longest: usize, mut each: impl FnMut(u64, Script)) {
    let mut word = vec![START];
    let parts = text.split_whitespace().filter(|part| !is_address(part));
    let letters = parts.flat_map(|part| part.chars().chain([' ']));
    // The small letter of the Turkish İ is an i and a dot above, which would end the word.
    for c in letters
        .flat_map(char::to_lowercase)
        .filter(|&c| c != '\u{307}')
    {
        let letter = is_letter(c);
        let lone = if letter { lone(c) } else { None };
        if letter && lone.is_none() {
            if word.len() <= WORD {
                word.push(c);
            }
            continue;
        }
        of_word(&mut word, longest, &mut each);
        if let Some(c) = lone {
            each(hash(&[c]), Script::Other);
            if is_han(c) {
                // Once more for the script.
                each(hash(&['一', '一']), Script::Other);
            }
        }
    }
    of_word(&mut word, longest, &mut each);
}

/// Whether a text without blanks is a web or mail address, or an @name.
fn is_address(part: &str) -> bool {
    let part = part.trim_matches(|c: char| c.is_ascii_punctuation() && c != '@');
    let mail = part
        .split_once('@')
        .is_some_and(|(name, host)| name.is_empty() || host.contains('.'));
    mail || part.contains("://") || is_host(part.split(['/', ':', '?']).next().unwrap_or(part))
}

/// Whether this is written as the name of a host: `example.com`, but neither `p.ex` nor `end.Begin`, where a blank is missing.
fn is_host(text: &str) -> bool {
    let label = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    text.rsplit_once('.').is_some_and(|(name, top)| {
        name.len() > 1
            && top.len() > 1
            && name.bytes().all(label)
            && top.bytes().all(|b| b.is_ascii_lowercase())
    })
}

/// The n-grams of one word, which stands in `word` behind its first boundary and is taken from there.
fn of_word(word: &mut Vec<char>, longest: usize, each: &mut impl FnMut(u64, Script)) {
    let Some(&first) = word.get(1) else { return };
    let script = Script::of(first);
    for &c in &word[1..] {
        each(hash(&[c]), script);
    }
    word.push(END);
    for n in 2..=longest.min(word.len()) {
        for gram in word.windows(n) {
            each(hash(gram), script);
        }
    }
    if word.len() > longest {
        each(hash(word), script);
    }
    word.truncate(1);
}

/// Letters as lingua's models count them: vowel signs and other marks that Unicode calls alphabetic end a word.
fn is_letter(c: char) -> bool {
    c.is_alphabetic()
        && !matches!(
            c,
            '\u{345}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}'
                | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{93b}' | '\u{93e}'..='\u{94f}' | '\u{955}'..='\u{957}'
                | '\u{962}'..='\u{963}'
        )
}

/// What stands for a letter that is a word by itself: the letter for all of a script of one language, or a Han character.
fn lone(c: char) -> Option<char> {
    Some(match c {
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => 'α',
        '\u{530}'..='\u{58f}' => 'ա',
        '\u{590}'..='\u{5ff}' => 'א',
        '\u{980}'..='\u{9ff}' => 'ক',
        '\u{a00}'..='\u{a7f}' => 'ਕ',
        '\u{a80}'..='\u{aff}' => 'ક',
        '\u{b80}'..='\u{bff}' => 'க',
        '\u{c00}'..='\u{c7f}' => 'క',
        '\u{e00}'..='\u{e7f}' => 'ก',
        '\u{10a0}'..='\u{10ff}' | '\u{1c90}'..='\u{1cbf}' | '\u{2d00}'..='\u{2d2f}' => 'ა',
        '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7ff}' => '가',
        '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' => 'あ',
        c if is_han(c) => c,
        _ => return None,
    })
}

fn is_han(c: char) -> bool {
    matches!(
        c,
        '\u{2e80}'..='\u{2fff}' | '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, longest: usize) -> Vec<(u64, Script)> {
        let mut found = Vec::new();
        ngrams(text, longest, |hash, script| found.push((hash, script)));
        found
    }

    fn hashes(grams: &[&str]) -> Vec<u64> {
        let of = |gram: &&str| hash(&gram.chars().collect::<Vec<_>>());
        grams.iter().map(of).collect()
    }

    #[test]
    fn a_word_gives_its_letters_its_ngrams_and_itself() {
        let found: Vec<u64> = all("Ab!", 3).into_iter().map(|(hash, _)| hash).collect();
        let expected = [
            "a",
            "b",
            "\u{1}a",
            "ab",
            "b\u{2}",
            "\u{1}ab",
            "ab\u{2}",
            "\u{1}ab\u{2}",
        ];
        assert_eq!(found, hashes(&expected));
        // Where an n-gram holds the whole word, it does not count once more.
        assert_eq!(all("ab", 4).len(), 8);
    }

    #[test]
    fn words_end_at_whatever_is_no_letter() {
        let count = |text: &str| all(text, 1).len();
        // Each letter, and the word, which no n-gram holds.
        assert_eq!(count("ab"), 3);
        assert_eq!(count("a-b"), 4);
        assert_eq!(count("a\u{301}b"), 4);
        for text in ["", " ", "123 456", "🙂 !?", "\u{64b}"] {
            assert_eq!(count(text), 0, "{text:?}");
        }
    }

    #[test]
    fn capitals_are_the_same_letters() {
        for (capitals, small) in [("ÄRGER", "ärger"), ("İZMİR", "izmir"), ("ЧАЙ", "чай")]
        {
            assert_eq!(all(capitals, 5), all(small, 5), "{capitals}");
        }
    }

    #[test]
    fn scripts_are_told_apart() {
        let scripts = |text: &str| -> Vec<Script> {
            let mut scripts: Vec<Script> = all(text, 2).into_iter().map(|(_, s)| s).collect();
            scripts.dedup();
            scripts
        };
        assert_eq!(scripts("wer"), [Script::Latin]);
        assert_eq!(scripts("кто"), [Script::Cyrillic]);
        assert_eq!(
            scripts("wer кто من"),
            [Script::Latin, Script::Cyrillic, Script::Other]
        );
    }

    #[test]
    fn scripts_of_one_language_are_one_letter_and_han_characters_are_words() {
        assert_eq!(all("ποιος", 5), vec![all("α", 5)[0]; 5]);
        assert_eq!(all("한국", 5), vec![all("가", 5)[0]; 2]);
        let han = all("中国", 5);
        assert_eq!(han.len(), 4);
        assert_eq!(han[1], han[3]);
        assert_ne!(han[0], han[2]);
    }

    #[test]
    fn addresses_are_passed_over() {
        for address in [
            "https://example.com/a",
            "(http://example.com)",
            "www.example.com",
            "ann@example.com",
            "@anna:",
            ".@anna",
            "example.com",
            "(news.example.com/a?b).",
            "example.com:80",
        ] {
            assert_eq!(
                all(&format!("ja {address} ja"), 5),
                all("ja ja", 5),
                "{address}"
            );
        }
        assert_eq!(all("https://example.com", 5), []);
        for word in ["#anna", "p.ex.", "end.Begin", "ende.Dänemark", "and/or"] {
            assert_ne!(all(&format!("{word} a"), 5), all("a", 5), "{word}");
        }
    }

    #[test]
    fn a_long_word_is_cut() {
        let long = "x".repeat(1000);
        assert_eq!(all(&long, 5), all(&long[..WORD], 5));
    }

    #[test]
    fn hashes_are_fixed_for_ever() {
        // A trained table is worthless under another hash: this number may not change.
        assert_eq!(all("a", 1)[0].0, hash(&['a']));
        assert_eq!(hash(&['a']), 0x02c0_bdbf_4814_20f8);
    }
}
