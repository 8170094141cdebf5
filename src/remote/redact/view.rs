//! A text as the recognisers read it: one token a character, whatever way it is written.
//!
//! Digits of every script are `0` to `9`, dashes of every kind `-`, a run of white space is one blank or one line break,
//! full-width signs and percent-encoded ones are the signs themselves, and what has no width is left out. Every token
//! knows the bytes that it stands for.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// A character of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// The character, as the module says.
    pub c: char,
    pub class: Class,
    /// Where it begins in the text, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What a character can be part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `0` to `9`.
    Digit,
    /// A letter, or a mark on one.
    Letter,
    /// A letter of a script that sets no blanks between words, or glues endings to foreign words: an address, a number
    /// or a name ends there.
    Unspaced,
    /// White space without a line break.
    Blank,
    /// White space with a line break.
    Line,
    /// White space with more than one.
    Gap,
    /// Anything else.
    Sign,
}

impl Token {
    /// Whether it is part of a word, where words have blanks between them.
    pub fn is_word(self) -> bool {
        matches!(self.class, Class::Digit | Class::Letter)
    }
}

/// What stands where no token is.
const EDGE: Token = Token {
    c: '\0',
    class: Class::Gap,
    start: 0,
    end: 0,
};

/// The tokens of a text, and which of them something was recognised in.
#[derive(Debug)]
pub(super) struct View {
    tokens: Vec<Token>,
    taken: Vec<bool>,
}

impl View {
    /// A text, nothing of it taken.
    pub fn new(text: &str) -> Self {
        let tokens = tokens(text);
        View {
            taken: vec![false; tokens.len()],
            tokens,
        }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// A token; [`EDGE`] outside, and where something was recognised.
    pub fn get(&self, at: usize) -> Token {
        match self.taken.get(at) {
            Some(false) => self.tokens[at],
            _ => EDGE,
        }
    }

    /// The token before one.
    pub fn before(&self, at: usize) -> Token {
        at.checked_sub(1).map_or(EDGE, |at| self.get(at))
    }

    /// Makes tokens a boundary for what is looked for next.
    pub fn take(&mut self, from: usize, to: usize) {
        self.taken[from..to].fill(true);
    }

    /// Makes tokens free again.
    pub fn give_back(&mut self, from: usize, to: usize) {
        self.taken[from..to].fill(false);
    }

    /// Takes the tokens that have a byte in common with a part of the text.
    pub fn take_bytes(&mut self, start: usize, end: usize) {
        let from = self.tokens.partition_point(|t| t.end <= start);
        let to = self.tokens.partition_point(|t| t.start < end);
        self.take(from, to.max(from));
    }

    /// The bytes of tokens.
    pub fn bytes(&self, from: usize, to: usize) -> (usize, usize) {
        (self.tokens[from].start, self.tokens[to - 1].end)
    }

    /// Whether a group of digits begins here.
    pub fn begins_group(&self, at: usize) -> bool {
        self.get(at).class == Class::Digit && self.before(at).class != Class::Digit
    }

    /// The word before a token, in lower case, and where it begins: at most `signs` characters that are no part of a word
    /// are between, and no empty line. A word is letters of one kind; digits end it.
    pub fn word_before(&self, at: usize, signs: usize) -> Option<(String, usize)> {
        let mut end = at;
        while end > 0 && at - end <= signs {
            match self.get(end - 1).class {
                Class::Letter | Class::Unspaced => break,
                Class::Digit | Class::Gap => return None,
                Class::Blank | Class::Line | Class::Sign => end -= 1,
            }
        }
        let class = self.before(end).class;
        let mut start = end;
        while start > 0 && end - start < LONGEST_WORD && self.get(start - 1).class == class {
            start -= 1;
        }
        let letters = (start..end).map(|i| self.get(i).c);
        matches!(class, Class::Letter | Class::Unspaced)
            .then(|| (letters.flat_map(char::to_lowercase).collect(), start))
    }
}

/// The most letters that are looked at of a word.
const LONGEST_WORD: usize = 16;

/// The tokens of a text.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let mut end = start + c.len_utf8();
        let last = tokens.last().copied().unwrap_or(EDGE);
        let (c, class) = match c {
            '\r' if text[end..].starts_with('\n') => continue,
            '%' => match encoded(&text.as_bytes()[end..]) {
                Some(sign) => {
                    chars.next();
                    chars.next();
                    end += 2;
                    ascii(sign)
                }
                None => ('%', Class::Sign),
            },
            c if c.is_ascii() => ascii(c),
            c => match other(c, last) {
                Some(read) => read,
                None => continue,
            },
        };
        let space = |class| matches!(class, Class::Blank | Class::Line | Class::Gap);
        match tokens.last_mut() {
            Some(last) if space(class) && space(last.class) => {
                last.class = match (last.class, class) {
                    (Class::Blank, class) => class,
                    (class, Class::Blank) => class,
                    _ => Class::Gap,
                };
                last.end = end;
            }
            // Without width.
            _ if c == '\0' => {}
            _ => tokens.push(Token {
                c,
                class,
                start,
                end,
            }),
        }
    }
    tokens
}

fn ascii(c: char) -> (char, Class) {
    match c {
        '0'..='9' => (c, Class::Digit),
        'a'..='z' | 'A'..='Z' => (c, Class::Letter),
        '\n' | '\x0b' | '\x0c' | '\r' => (' ', Class::Line),
        ' ' | '\t' => (' ', Class::Blank),
        _ if c.is_ascii_control() => ('\0', Class::Sign),
        _ => (c, Class::Sign),
    }
}

/// What two hexadecimal digits behind a percent sign stand for, where that is a visible ASCII character or a blank.
fn encoded(rest: &[u8]) -> Option<char> {
    let digit = |at: usize| (*rest.get(at)? as char).to_digit(16);
    let code = digit(0)? * 16 + digit(1)?;
    (0x20..0x7f).contains(&code).then_some(code as u8 as char)
}

/// A character beyond ASCII, unless it has no width.
fn other(c: char, last: Token) -> Option<(char, Class)> {
    let between_digits = last.class == Class::Digit || last.c == ')';
    Some(match c {
        '\u{ff01}'..='\u{ff5e}' => ascii(char::from((u32::from(c) - 0xfee0) as u8)),
        '\u{fe6b}' => ('@', Class::Sign),
        '\u{fe62}' => ('+', Class::Sign),
        '\u{2044}' | '\u{2215}' => ('/', Class::Sign),
        // The minus sign; and a letter that Japanese numbers have for a dash.
        '\u{2212}' => ('-', Class::Sign),
        '\u{30fc}' | '\u{ff70}' if between_digits => ('-', Class::Sign),
        '·' | '•' | '‧' | '∙' | '・' if between_digits => ('.', Class::Sign),
        '\u{85}' | '\u{2028}' | '\u{2029}' => (' ', Class::Line),
        // The empty Braille cell and the Hangul fillers look like white space.
        '\u{2800}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => (' ', Class::Blank),
        // Variation selectors and the grapheme joiner.
        '\u{fe00}'..='\u{fe0f}' | '\u{34f}' => return None,
        _ if unspaced(c) => (c, Class::Unspaced),
        _ => match c.general_category() {
            GeneralCategory::DecimalNumber => (char::from(b'0' + value(c)), Class::Digit),
            GeneralCategory::DashPunctuation => ('-', Class::Sign),
            GeneralCategory::SpaceSeparator => (' ', Class::Blank),
            GeneralCategory::Format | GeneralCategory::Control => return None,
            _ if c.general_category_group() == GeneralCategoryGroup::Mark => {
                // On a digit it is decoration, as of the keycaps.
                if last.class == Class::Digit {
                    return None;
                }
                (c, Class::Letter)
            }
            _ if c.is_alphanumeric() => (c, Class::Letter),
            _ => (c, Class::Sign),
        },
    })
}

/// The value of a decimal digit: Unicode has them in whole tens, from zero to nine.
fn value(digit: char) -> u8 {
    let before = (1..=u32::from(digit)).take(50).take_while(|back| {
        char::from_u32(u32::from(digit) - back)
            .is_some_and(|c| c.general_category() == GeneralCategory::DecimalNumber)
    });
    (before.count() % 10) as u8
}

/// Thai, Lao, Burmese, Khmer, Hangul, kana, Bopomofo, Han.
fn unspaced(c: char) -> bool {
    let range = matches!(c,
        '\u{e01}'..='\u{e4e}' | '\u{e80}'..='\u{ecf}' | '\u{edc}'..='\u{eff}' | '\u{1000}'..='\u{103f}'
        | '\u{1780}'..='\u{17d3}' | '\u{1100}'..='\u{11ff}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}');
    range && (c.is_alphanumeric() || c.general_category_group() == GeneralCategoryGroup::Mark)
}
