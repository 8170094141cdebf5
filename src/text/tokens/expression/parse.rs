//! Reads regular expressions.

use unicode_properties::GeneralCategory;

use super::operations::{Op, close, moved, shift};
use super::properties::property;
use super::sets::{Item, Set};

/// The deepest that groups may be in each other.
const DEEPEST: usize = 16;

/// The most parts of an expression, and the most times that a part may be written out.
const MOST: usize = 4 << 10;
const MOST_TIMES: usize = 64;

/// An expression.
pub(super) fn expression(written: &str) -> Result<Vec<Op>, String> {
    let mut reader = Reader::new(written);
    let mut ops = Vec::new();
    reader.alternatives(&mut ops, 0)?;
    if reader.next().is_some() {
        return Err("a bracket that nothing opens".to_owned());
    }
    ops.push(Op::Done);
    Ok(ops)
}

/// An expression that is one set, and whether it is followed by a plus.
pub(super) fn set(written: &str) -> Option<(Set, bool)> {
    let mut reader = Reader::new(written);
    let set = reader.one().ok()??;
    let repeated = reader.take('+');
    reader.next().is_none().then_some((set, repeated))
}

struct Reader<'e> {
    rest: std::str::Chars<'e>,
    folded: bool,
}

impl<'e> Reader<'e> {
    fn new(written: &'e str) -> Self {
        Reader {
            rest: written.chars(),
            folded: false,
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn next(&mut self) -> Option<char> {
        self.rest.next()
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.peek() == Some(c);
        if there {
            self.next();
        }
        there
    }

    fn take_all(&mut self, what: &str) -> bool {
        let rest = self.rest.as_str().strip_prefix(what);
        if let Some(rest) = rest {
            self.rest = rest.chars();
        }
        rest.is_some()
    }

    /// Sequences with bars between them, up to the end or a closing bracket.
    fn alternatives(&mut self, ops: &mut Vec<Op>, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("groups that are too deep".to_owned());
        }
        let mut ends = Vec::new();
        loop {
            let begin = ops.len();
            self.sequence(ops, depth)?;
            if !self.take('|') {
                break;
            }
            shift(ops, begin, 1);
            ops.insert(begin, Op::Either(begin + 1, ops.len() + 2));
            ends.push(ops.len());
            ops.push(Op::Jump(0));
        }
        let after = ops.len();
        for end in ends {
            ops[end] = Op::Jump(after);
        }
        Ok(())
    }

    fn sequence(&mut self, ops: &mut Vec<Op>, depth: usize) -> Result<(), String> {
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let begin = ops.len();
            self.part(ops, depth)?;
            self.repeat(ops, begin)?;
            if ops.len() > MOST {
                return Err("too many parts".to_owned());
            }
        }
        Ok(())
    }

    /// A group or a set.
    fn part(&mut self, ops: &mut Vec<Op>, depth: usize) -> Result<(), String> {
        if let Some(set) = self.one()? {
            ops.push(Op::One(set));
            return Ok(());
        }
        if !self.take('(') {
            return Err(format!("\"{}\"", self.peek().unwrap_or_default()));
        }
        let begin = ops.len();
        let folded = self.folded;
        let look = |there| Op::Look { there, end: 0 };
        let around = if self.take_all("?=") {
            Some(look(true))
        } else if self.take_all("?!") {
            Some(look(false))
        } else if self.take_all("?>") {
            Some(Op::Keep { end: 0 })
        } else {
            if self.take_all("?i:") {
                self.folded = true;
            } else if !self.take_all("?:") && self.peek() == Some('?') {
                return Err("a group that is not known".to_owned());
            }
            None
        };
        ops.extend(around);
        self.alternatives(ops, depth + 1)?;
        self.folded = folded;
        if !self.take(')') {
            return Err("a bracket that nothing closes".to_owned());
        }
        close(ops, begin);
        Ok(())
    }

    /// How often what begins at `begin` may be there.
    fn repeat(&mut self, ops: &mut Vec<Op>, begin: usize) -> Result<(), String> {
        let (least, most) = match self.peek() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => {
                let (times, rest) = self.rest.as_str()[1..]
                    .split_once('}')
                    .ok_or("a brace that nothing closes")?;
                let number = |digits: &str| {
                    let number = digits.parse().ok().filter(|&number| number <= MOST_TIMES);
                    number.ok_or(format!("{{{times}}}"))
                };
                let range = match times.split_once(',') {
                    None => (number(times)?, Some(number(times)?)),
                    Some((least, "")) => (number(least)?, None),
                    Some((least, most)) => (number(least)?, Some(number(most)?)),
                };
                if rest.starts_with(['+', '*', '{']) {
                    return Err("a repetition of a repetition".to_owned());
                }
                self.rest = rest.chars();
                self.repeated(ops, begin, range.0, range.1);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.next();
        self.repeated(ops, begin, least, most);
        Ok(())
    }

    fn repeated(&mut self, ops: &mut Vec<Op>, begin: usize, least: usize, most: Option<usize>) {
        let lazy = self.take('?');
        let keeps = !lazy && self.take('+');
        let part: Vec<Op> = ops.drain(begin..).collect();
        if keeps {
            ops.push(Op::Keep { end: 0 });
        }
        let either = |here: usize, after: usize| match lazy {
            true => Op::Either(after, here),
            false => Op::Either(here, after),
        };
        let put = |ops: &mut Vec<Op>| {
            let by = ops.len();
            ops.extend(part.iter().map(|op| moved(op, begin, by)));
        };
        for _ in 0..least {
            put(ops);
        }
        let Some(most) = most else {
            let here = ops.len();
            ops.push(Op::Done);
            put(ops);
            ops.push(Op::Jump(here));
            ops[here] = either(here + 1, ops.len());
            return close(ops, begin);
        };
        let mut ends = Vec::new();
        for _ in least..most {
            ends.push(ops.len());
            ops.push(Op::Done);
            put(ops);
        }
        for end in ends {
            ops[end] = either(end + 1, ops.len());
        }
        close(ops, begin);
    }

    /// A set of characters, if one is next.
    fn one(&mut self) -> Result<Option<Set>, String> {
        let mut set = Set {
            folded: self.folded,
            ..Set::default()
        };
        match self.peek() {
            Some('[') => {
                self.next();
                set = self.set(0)?;
            }
            Some('\\') => set.items.push(self.escape()?),
            Some('.') => {
                self.next();
                set.items.push(Item::Range('\n', '\n'));
                set.negated = true;
            }
            // Anchors and what stands for a group or a repetition.
            None | Some('(' | ')' | '|' | '^' | '$' | '*' | '+' | '?' | '{') => return Ok(None),
            Some(c) => {
                self.next();
                set.items.push(Item::Range(c, c));
            }
        }
        Ok(Some(set))
    }

    /// What is between square brackets.
    fn set(&mut self, depth: usize) -> Result<Set, String> {
        let mut set = Set {
            negated: self.take('^'),
            folded: self.folded,
            ..Set::default()
        };
        if depth > DEEPEST || self.peek() == Some(']') || self.take_all("[:") {
            return Err("a set that is not known".to_owned());
        }
        loop {
            let item = match self.peek().ok_or("a set that nothing closes")? {
                ']' => {
                    self.next();
                    return Ok(set);
                }
                '[' => {
                    self.next();
                    Item::Nested(self.set(depth + 1)?)
                }
                '&' if self.rest.as_str().starts_with("&&") => {
                    return Err("what two sets have in common".to_owned());
                }
                '\\' => self.escape()?,
                c => {
                    self.next();
                    Item::Range(c, c)
                }
            };
            let range = self.rest.as_str().strip_prefix('-');
            let to = range.filter(|rest| !rest.starts_with([']', '[']));
            let (Item::Range(from, _), Some(_)) = (&item, to) else {
                set.items.push(item);
                continue;
            };
            let from = *from;
            self.next();
            let to = match self.peek() {
                Some('\\') => self.escape()?,
                c => {
                    self.next();
                    let c = c.ok_or("a set that nothing closes")?;
                    Item::Range(c, c)
                }
            };
            match to {
                Item::Range(to, _) if from <= to => set.items.push(Item::Range(from, to)),
                _ => return Err("a range that is none".to_owned()),
            }
        }
    }

    /// What a backslash stands before.
    fn escape(&mut self) -> Result<Item, String> {
        self.next();
        let c = self.next().ok_or("a backslash at the end")?;
        let not = |item| {
            Item::Nested(Set {
                items: vec![item],
                negated: true,
                folded: false,
            })
        };
        let one = |c: char| Item::Range(c, c);
        Ok(match c {
            'n' => one('\n'),
            'r' => one('\r'),
            't' => one('\t'),
            'f' => one('\u{c}'),
            'v' => one('\u{b}'),
            's' => Item::Space,
            'S' => not(Item::Space),
            'w' => Item::Word,
            'W' => not(Item::Word),
            'd' => Item::Category(GeneralCategory::DecimalNumber),
            'D' => not(Item::Category(GeneralCategory::DecimalNumber)),
            'p' => self.property()?,
            'P' => not(self.property()?),
            'u' => one(self.code(4)?),
            'x' if self.take('{') => {
                let (digits, rest) = self.rest.as_str().split_once('}').ok_or("\\x")?;
                self.rest = rest.chars();
                one(code(digits)?)
            }
            'x' => one(self.code(2)?),
            c if c.is_ascii_alphanumeric() => return Err(format!("\\{c}")),
            c => one(c),
        })
    }

    fn code(&mut self, digits: usize) -> Result<char, String> {
        let rest = self.rest.as_str();
        let (digits, rest) = rest.split_at_checked(digits).ok_or("a code that is none")?;
        self.rest = rest.chars();
        code(digits)
    }

    fn property(&mut self) -> Result<Item, String> {
        let rest = self.rest.as_str();
        let name = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let (name, rest) = name.ok_or("a property without a name")?;
        self.rest = rest.chars();
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (true, name),
            None => (false, name),
        };
        let item = property(name).ok_or(format!("\\p{{{name}}}"))?;
        Ok(Item::Nested(Set {
            items: vec![item],
            negated,
            folded: false,
        }))
    }
}

fn code(digits: &str) -> Result<char, String> {
    let code = u32::from_str_radix(digits, 16).ok();
    let c = code.and_then(char::from_u32);
    c.ok_or("a code that is none".to_owned())
}
