//! Telephone numbers.
//!
//! An international number says where it is from, so that it is held against that region's plan. A national one does not:
//! it counts where its trunk prefix, the groups it is written in, or a word before it speak for a telephone number, and
//! some region's plan has such numbers. The regions that a caller names need less of that.

mod words;

use arrayvec::ArrayVec;

use super::regions::{self, International, Lengths, MOST_DIGITS, National, REGIONS, Region};
use super::view::{Class, View};
use words::{AMOUNTS, BETWEEN, CALLED, OTHERS};

/// The groups of numbers that are written without a trunk prefix, in digits. Three by three is how some write amounts, too.
const GROUPS: &[&[usize]] = &[
    &[3, 3, 3],
    &[3, 2, 2, 2],
    &[2, 2, 2, 2],
    &[3, 2, 3],
    &[3, 4, 4],
    &[5, 5],
    &[2, 5, 4],
    &[2, 4, 4],
    &[2, 3, 4],
    &[2, 3, 2, 2],
];

/// The most signs between two groups.
const SEPARATORS: usize = 4;

/// The sign of a dash, a point or a slash with blanks.
const APART: char = '~';

/// The fewest digits of a national number that is looked for.
const NATIONAL_LEAST: usize = 6;

/// The most digits that national numbers have, trunk prefix included.
const NATIONAL_MOST: usize = 12;

/// Looks for numbers in one text.
pub(super) struct Phones<'a> {
    view: &'a View,
    regions: &'a [&'static Region],
    /// National numbers of all regions, and of these, by their first three digits, as far as they were asked for.
    known: Vec<Option<(National, National)>>,
}

/// Digits with signs between them.
#[derive(Debug)]
struct Run {
    digits: ArrayVec<u8, MOST_DIGITS>,
    /// A digit each, at least.
    groups: ArrayVec<Group, MOST_DIGITS>,
    /// Whether more digits follow than a number has.
    more: bool,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    /// How many digits there are up to its end.
    digits: usize,
    /// The token behind it.
    end: usize,
    /// The sign before it; a blank where there is no other, and [`APART`] where there are blanks with it.
    sign: char,
    /// Whether a line break or a closing bracket stands before it.
    line: bool,
    closes: bool,
}

impl Run {
    fn size(&self, group: usize) -> usize {
        let before = group
            .checked_sub(1)
            .map_or(0, |before| self.groups[before].digits);
        self.groups[group].digits - before
    }

    /// The groups that a number may end with: the longest number first, those that go on in another line last.
    fn ends(&self) -> impl Iterator<Item = usize> {
        let line = self.groups.iter().position(|g| g.line);
        let line = line.unwrap_or(self.groups.len());
        (0..line).rev().chain((line..self.groups.len()).rev())
    }
}

impl<'a> Phones<'a> {
    /// What is looked for in a text, besides what is looked for everywhere: national numbers of these regions.
    pub fn new(view: &'a View, regions: &'a [&'static Region]) -> Self {
        Phones {
            view,
            regions,
            known: vec![None; 1000],
        }
    }

    /// Where numbers are.
    pub fn find(&mut self) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while at < self.view.len() {
            let end = match self.view.get(at).c {
                '+' => international(self.view, at).map(|number| number.end),
                '(' | '[' if self.view.get(at + 1).c == '+' => self.in_brackets(at),
                '(' | '[' if self.view.begins_group(at + 1) => self.national(at, at + 1),
                _ if self.view.begins_group(at) => {
                    let exit = self.with_exit_code(at);
                    exit.or_else(|| self.national(at, at))
                }
                _ => None,
            };
            match end {
                Some(end) => {
                    let end = self.extension(end);
                    found.push((at, end));
                    at = end;
                }
                None => at += 1,
            }
        }
        found
    }

    /// Where a number ends that begins with its calling code in brackets.
    fn in_brackets(&self, open: usize) -> Option<usize> {
        let end = international(self.view, open + 1)?.end;
        let closes = |i: usize| matches!(self.view.get(i).c, ')' | ']');
        (open..end).any(closes).then_some(end)
    }

    /// An international number behind an exit code instead of a plus sign.
    fn with_exit_code(&self, at: usize) -> Option<usize> {
        if self.joined_before(at) {
            return None;
        }
        if self.view.get(at).c != '0' || self.is_other(at) {
            return None;
        }
        let run = run(self.view, at);
        // The code is not cut into groups.
        let first = &run.digits[..run.groups.first()?.digits];
        let code = [&b"00"[..], b"011"]
            .into_iter()
            .find(|c| first.starts_with(c))?
            .len();
        let number = regions::international(&run.digits[code..])?;
        let shifted = International {
            with_trunk: 0,
            ..number
        };
        let end = valid(&run, shifted, code)?.end;
        (!self.joined_behind(end)).then_some(end)
    }

    /// Where a national number ends; `open` is its bracket, or its first digit.
    fn national(&mut self, open: usize, start: usize) -> Option<usize> {
        let run = run(self.view, start);
        let closes = || run.groups.iter().take(5).any(|group| group.closes);
        // No national number begins with two zeros.
        let none = run.digits.starts_with(b"00") || open < start && !closes();
        if none || run.digits.len() < NATIONAL_LEAST {
            return None;
        }
        let (lengths, named) = self.lengths(&run.digits);
        let any = lengths.any() | named.any();
        if run.groups.iter().all(|group| any & 1 << group.digits == 0) {
            return None;
        }
        let called = self.called(open);
        if self.joined_before(open) && !called {
            return None;
        }
        let case = Case {
            run: &run,
            sizes: (0..run.groups.len()).map(|group| run.size(group)).collect(),
            lengths,
            named,
            called,
            bracketed: open < start,
            other: self.is_other(open) || self.view.before(open).c == '#',
            amount: self.amount_before(open),
            follows: self.follows(open),
        };
        let end = run.ends().find(|&end| self.accepts(&case, end))?;
        Some(run.groups[end].end)
    }

    /// All regions' national numbers that begin with the first three digits, and those of the caller's regions that begin
    /// with all of them.
    fn lengths(&mut self, digits: &[u8]) -> (National, National) {
        let head = &digits[..3];
        let place = head.iter().fold(0, |n, b| n * 10 + usize::from(b - b'0'));
        let regions = self.regions;
        let (all, named) = *self.known[place].get_or_insert_with(|| {
            let named = National::of(regions.iter().copied(), head);
            (National::of(REGIONS.iter(), head), named)
        });
        match named.any() {
            0 => (all, named),
            _ => (all, National::of(regions.iter().copied(), digits)),
        }
    }

    /// Whether the digits up to the end of a group are a national number.
    fn accepts(&self, case: &Case, end: usize) -> bool {
        let run = case.run;
        let digits = run.groups[end].digits;
        let behind = run.groups[end].end;
        if !(NATIONAL_LEAST..=NATIONAL_MOST + 2).contains(&digits) || self.joined_behind(behind) {
            return false;
        }
        let sizes = &case.sizes[..=end];
        let has = |lengths: Lengths| lengths & 1 << digits != 0;
        // Two ways of grouping tell a number by themselves; of all others the length has to be one that there is.
        let told = matches!(sizes, [5, 5] | [2, 5, 4]);
        if !told && !has(case.lengths.any() | case.named.any()) {
            return false;
        }
        let grouped = end > 0;
        let last = end + 1 == run.groups.len() && !run.more;
        let next = run.groups.get(end + 1).map(|group| group.sign);
        // The same sign goes on before or behind it: a row of numbers, or a longer one.
        let same = |sign: char| run.groups[1..=end].iter().any(|group| group.sign == sign);
        let next_same = next.is_some_and(same);
        let before = case.follows.filter(|_| same(' '));
        let joined = matches!(next, Some('-' | '.' | '/'));
        let alone = !next_same && before.is_none() && !joined;
        // Among groups of its own size, it is none by itself.
        let size = sizes[0];
        let even = sizes.iter().rev().skip(1).all(|&other| other == size) && sizes[end] <= size;
        let among = before.is_some_and(|before| before.row || even && before.size == size)
            || next_same && (next != Some(' ') || even && run.size(end + 1) == size);
        let last = last || next == Some(' ');
        let amount = case.amount || self.amount_behind(behind);
        // Digit by digit, as some write them to be overlooked.
        let spread = sizes.len() > 6 && sizes.iter().all(|&size| size < 3) && sizes.contains(&1);
        let inside = if spread { 4 } else { 2 };
        let closes = run.groups[1..=end.min(inside)]
            .iter()
            .any(|group| group.closes);
        let bracketed = case.bracketed && closes;
        if case.bracketed && !closes {
            return false;
        }
        let tail = spread || sizes[1..].iter().all(|&size| size > 1);
        let lines = run.groups[1..=end]
            .iter()
            .filter(|group| group.line)
            .count();
        let slashes = run.groups[1..=end]
            .iter()
            .filter(|group| group.sign == '/')
            .count();
        let decimal = end == 1 && run.groups[1].sign == '.' && sizes[1] < 3;
        if lines > 1 || slashes > 2 || decimal {
            return false;
        }
        let zero = run.digits[0] == b'0' && run.digits[1] != b'0';

        // What the text calls a telephone number.
        if case.called && (7..=NATIONAL_MOST + 2).contains(&digits) && last {
            return tail && has(case.lengths.any()) && !is_date(run, end);
        }
        if !amount && !case.other && has(case.named.any()) && digits > 5 {
            let bare = !has(case.named.trunk);
            let apart = !among && (!joined || !bare);
            if grouped && apart || !grouped && last && digits > 7 {
                return true;
            }
        }
        if bracketed {
            let area = sizes[0] > 1 || !tail || zero;
            return area
                && alone
                && (8..=NATIONAL_MOST + 1).contains(&digits)
                && has(case.lengths.any());
        }
        if zero && has(case.lengths.any()) {
            // "0 532 123 45 67": the prefix by itself.
            let prefix = sizes[0] > 1
                || run.size(1.min(end)) == 3 && sizes.len() > 3 && run.groups[1].sign == ' ';
            let mixed = run.groups[1..=end]
                .iter()
                .any(|group| group.sign != run.groups[1].sign);
            let least = if mixed { 8 } else { 9 };
            return match grouped {
                true => (least..=NATIONAL_MOST + 1).contains(&digits) && tail && prefix && !among,
                false => last && (9..=NATIONAL_MOST).contains(&digits) && !case.other && !amount,
            };
        }
        // The trunk prefix 8.
        if run.digits[0] == b'8' && digits == 11 && has(case.lengths.trunk) {
            return match grouped {
                true => sizes[0] == 1 && sizes.len() > 2 && tail && alone,
                false => last && run.digits[1] == b'9' && !case.other,
            };
        }
        if !grouped || !alone {
            return false;
        }
        // North America, with and without the 1 before it; the last four digits may be apart.
        let area = match (digits, sizes) {
            (10, [3, 3, ..]) => run.digits[0],
            (11, [1, 3, 3, ..] | [4, 3, ..]) if run.digits[0] == b'1' => run.digits[1],
            (10, _) if spread => run.digits[0],
            (11, _) if spread && run.digits[0] == b'1' => run.digits[1],
            _ => b'0',
        };
        if area > b'1' && has(case.lengths.any()) {
            return true;
        }
        if amount || lines > 0 || !GROUPS.contains(&sizes) {
            return false;
        }
        let first = run.groups[1].sign;
        let uniform = run.groups[1..=end].iter().all(|group| group.sign == first);
        match sizes {
            // No country's numbers without a trunk prefix begin so, but dates, times and amounts do.
            _ if run.digits[0] < b'2' && !matches!(sizes, [3, 4, 4] | [2, 3, 2, 2]) => false,
            [3, 3, 3] if first != ' ' && first != '-' => false,
            [2, 2, 2, 2] | [3, 3, 3] | [5, 5] if case.other => false,
            [5, 5] => run.digits[0] > b'5' && first == ' ',
            [2, 5, 4] => first == ' ' && run.groups[2].sign == '-',
            [2, 4, 4] => first == ' ' && has(case.lengths.bare),
            _ => uniform && has(case.lengths.bare),
        }
    }

    /// Whether a number would be part of a word, an amount, a path or another number.
    fn joined_before(&self, at: usize) -> bool {
        let before = self.view.before(at);
        let further = at.checked_sub(2).map(|at| self.view.get(at).class);
        match before.c {
            '-' if further == Some(Class::Letter) => {
                // A word, not a part of an identifier.
                let word = self.view.word_before(at - 1, 0);
                word.is_none_or(|(_, start)| self.view.before(start).is_word())
            }
            '/' | '-' | ':' | '.' | ',' | '*' => further == Some(Class::Digit),
            '=' | '_' | '$' | '€' | '£' | '¥' | '₹' | '%' | '+' => true,
            _ => before.is_word(),
        }
    }

    /// The same for what follows.
    fn joined_behind(&self, end: usize) -> bool {
        let next = self.view.get(end);
        let digit = self.view.get(end + 1).class == Class::Digit;
        match next.c {
            'x' | 'X' | 'e' | 'E' => self.extension(end) == end,
            '%' | '_' | '=' | '@' => true,
            ':' | ',' => digit,
            _ => next.is_word(),
        }
    }

    /// The group of digits that stands before a number with a blank between, unless it is a year.
    fn follows(&self, start: usize) -> Option<Before> {
        let word = |at: usize| {
            let last = self.view.get(at.checked_sub(2)?);
            let before = (0..at - 1).rev().take(MOST_DIGITS);
            let size = before.take_while(|&i| self.view.get(i).is_word()).count();
            let follows = self.view.get(at - 1).class == Class::Blank;
            (follows && last.class == Class::Digit).then_some(size)
        };
        let size = word(start)?;
        let begins = start - 1 - size;
        let row = word(begins).is_some() || self.view.before(begins).c == '+';
        let century = [self.view.get(begins).c, self.view.get(begins + 1).c];
        let year = size == 4 && !row && matches!(century, ['1', '9'] | ['2', '0']);
        (!year).then_some(Before { size, row })
    }

    /// Whether a word before it says that it is a telephone number.
    fn called(&self, start: usize) -> bool {
        let mut at = start;
        for signs in [5, 3, 3] {
            let Some((word, begins)) = self.view.word_before(at, signs) else {
                return false;
            };
            // Where words have no blanks between them, it is somewhere in the sentence.
            let within = |known: &&str| !known.is_ascii() && word.contains(*known);
            let unspaced = self.view.get(begins).class == Class::Unspaced;
            if CALLED.contains(&&*word) || unspaced && CALLED.iter().any(within) {
                return true;
            }
            if !BETWEEN.contains(&&*word) {
                return false;
            }
            at = begins;
        }
        false
    }

    fn is_other(&self, start: usize) -> bool {
        let Some((word, begins)) = self.view.word_before(start, 4) else {
            return false;
        };
        let before = || self.view.word_before(begins, 2).map(|(word, _)| word);
        OTHERS.contains(&&*word)
            || BETWEEN.contains(&&*word) && before().is_some_and(|word| OTHERS.contains(&&*word))
    }

    fn amount_before(&self, start: usize) -> bool {
        let word = self.view.word_before(start, 1);
        let sign = |c: char| matches!(c, '$' | '€' | '£' | '¥' | '₹');
        word.is_some_and(|(word, _)| AMOUNTS.contains(&&*word))
            || sign(self.view.before(start).c)
            || start > 1 && sign(self.view.get(start - 2).c)
    }

    fn amount_behind(&self, end: usize) -> bool {
        let at = end + usize::from(self.view.get(end).class == Class::Blank);
        let letters = (at..at + 12).map(|i| self.view.get(i));
        let word: String = letters
            .take_while(|token| token.class == Class::Letter)
            .flat_map(|token| token.c.to_lowercase())
            .collect();
        matches!(self.view.get(at).c, '$' | '€' | '£' | '¥' | '₹' | '%')
            || AMOUNTS.contains(&&*word)
    }

    /// Where the extension of a number ends, which stands behind it.
    fn extension(&self, end: usize) -> usize {
        let view = self.view;
        let mut at = end;
        let skip = |at: &mut usize, signs: &str, most: usize| {
            for _ in 0..most {
                let token = view.get(*at);
                let blank = token.class == Class::Blank;
                *at += usize::from(blank || token.class == Class::Sign && signs.contains(token.c));
            }
        };
        skip(&mut at, ",;", 2);
        let letters = (at..at + 10).take_while(|&i| view.get(i).class == Class::Letter);
        let word: String = letters
            .map(|i| view.get(i).c.to_ascii_lowercase())
            .collect();
        if !matches!(
            &*word,
            "x" | "ext" | "extn" | "extension" | "dw" | "durchwahl" | "int" | "poste"
        ) {
            return end;
        }
        at += word.len();
        skip(&mut at, ".:=", 2);
        let digits = (at..at + 7)
            .take_while(|&i| view.get(i).class == Class::Digit)
            .count();
        match digits {
            1..=6 if !view.get(at + digits).is_word() => at + digits,
            _ => end,
        }
    }
}

/// A number that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    /// The token behind it.
    pub end: usize,
    /// Whether its region has such numbers.
    pub valid: bool,
}

/// The digits from a token on: at most [`MOST_DIGITS`], and one more.
fn run(view: &View, start: usize) -> Run {
    let mut run = Run {
        digits: ArrayVec::new(),
        groups: ArrayVec::new(),
        more: false,
    };
    let mut at = start;
    let (mut sign, mut line, mut closes) = ('\0', false, false);
    loop {
        let group = (at..at + MOST_DIGITS + 2)
            .take_while(|&i| view.get(i).class == Class::Digit)
            .count();
        if group == 0 {
            return run;
        }
        if run.digits.len() + group > MOST_DIGITS {
            run.more = true;
            return run;
        }
        run.digits
            .extend((at..at + group).map(|i| view.get(i).c as u8));
        at += group;
        run.groups.push(Group {
            digits: run.digits.len(),
            end: at,
            sign,
            line,
            closes,
        });
        (sign, line, closes) = (' ', false, false);
        let mut points = 0;
        let mut blank = false;
        for _ in 0..SEPARATORS {
            let token = view.get(at);
            match token.class {
                Class::Blank => blank = true,
                Class::Line => (line, blank) = (true, true),
                Class::Sign if "-./()[]~".contains(token.c) => {
                    points += usize::from(token.c == '.' || token.c == '/');
                    closes |= token.c == ')' || token.c == ']';
                    sign = token.c;
                }
                _ => break,
            }
            at += 1;
        }
        if blank && "-./".contains(sign) {
            sign = APART;
        }
        // Nothing between them at all: more digits than a number has.
        if points > 1 || at == run.groups[run.groups.len() - 1].end {
            return run;
        }
    }
}

/// The international number behind a plus sign.
pub(super) fn international(view: &View, plus: usize) -> Option<Number> {
    if view.before(plus).class == Class::Digit || view.before(plus).c == '+' {
        return None;
    }
    let mut start = plus + 1;
    for sign in [Class::Blank, Class::Sign] {
        let token = view.get(start);
        let opens = token.c == '(' || token.c == '[';
        start += usize::from(token.class == sign && (sign == Class::Blank || opens));
    }
    let run = run(view, start);
    let number = regions::international(&run.digits)?;
    let number = valid(&run, number, 0).or_else(|| possible(&run));
    number.filter(|number| !matches!(view.get(number.end).c, '%' | '_'))
}

/// The longest number that the region has.
fn valid(run: &Run, number: International, skipped: usize) -> Option<Number> {
    // One sign alone may be the point of a decimal number, as in coordinates.
    let decimal = |end: usize| {
        let group = run.groups[end];
        let alone = end == 1 && group.sign == '.';
        alone && (run.groups[0].digits != skipped + number.calling || group.digits < 10)
    };
    let lengths = number.valid | number.with_trunk;
    let fits = |end: &usize| {
        let digits = run.groups[*end].digits.checked_sub(skipped);
        digits.is_some_and(|digits| lengths & 1 << digits != 0) && !decimal(*end)
    };
    let end = run.ends().find(fits)?;
    Some(Number {
        end: run.groups[end].end,
        valid: true,
    })
}

/// What has the plus sign, a calling code and the length of a number, though no region has such numbers: plans change.
fn possible(run: &Run) -> Option<Number> {
    let fits = |end: &usize| {
        let group = run.groups[*end];
        let decimal = *end == 1 && group.sign == '.';
        (8..=15).contains(&group.digits) && !decimal
    };
    let end = run.ends().find(fits)?;
    Some(Number {
        end: run.groups[end].end,
        valid: false,
    })
}

/// What a national number is judged by.
struct Case<'a> {
    run: &'a Run,
    /// How many digits each group has.
    sizes: ArrayVec<usize, MOST_DIGITS>,
    lengths: National,
    named: National,
    called: bool,
    bracketed: bool,
    other: bool,
    amount: bool,
    follows: Option<Before>,
}

/// Digits before a number.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// How many, with the letters of the same word.
    size: usize,
    /// Whether more stand before them, or a sign that begins a number.
    row: bool,
}

/// Whether a run is a date by itself.
fn is_date(run: &Run, end: usize) -> bool {
    let sizes = [0, 1, 2].map(|group| if group <= end { run.size(group) } else { 0 });
    end == 2 && matches!(sizes, [4, 2, 2] | [2, 2, 4] | [2, 2, 2])
}
