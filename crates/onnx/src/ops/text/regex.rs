//! Regular expressions in the syntax of RE2, as far as tokenizers use it. They run on all states at once, so that no pattern and
//! no text make them slow.

use crate::fault::{Result, fault};
use crate::op::Context;

/// The most steps of a program.
const MAX_STEPS: usize = 1 << 14;

/// How deep groups may be within each other.
const MAX_DEPTH: usize = 50;

/// Ranges of characters, or all others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    ranges: Vec<(char, char)>,
    others: bool,
}

impl Class {
    fn has(&self, c: char) -> bool {
        self.ranges.iter().any(|&(from, to)| from <= c && c <= to) != self.others
    }
}

/// What a place in the text must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    End,
    Word,
    NoWord,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    One(Class),
    At(Place),
    /// Goes on at both.
    Split(usize, usize),
    Jump(usize),
    Done,
}

#[derive(Debug, Clone)]
enum Tree {
    Empty,
    One(Class),
    At(Place),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Repeat(Box<Tree>, u32, Option<u32>),
}

pub(super) struct Regex {
    steps: Vec<Step>,
    /// How many parts were put in, those without a step too.
    parts: usize,
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// `\d`, `\w` and `\s`, and their opposites.
fn named(c: char) -> Option<Class> {
    let ranges: &[(char, char)] = match c.to_ascii_lowercase() {
        'd' => &[('0', '9')],
        'w' => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        's' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
        _ => return None,
    };
    Some(Class {
        ranges: ranges.to_vec(),
        others: c.is_ascii_uppercase(),
    })
}

fn single(c: char) -> Class {
    Class {
        ranges: vec![(c, c)],
        others: false,
    }
}

struct Parser<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    depth: usize,
}

impl Parser<'_> {
    fn unsupported<T>(&self, what: impl std::fmt::Display) -> Result<T> {
        fault(format!(
            "its regular expression has {what}, which is not supported"
        ))
    }

    fn any(&mut self) -> Result<Tree> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.unsupported("too many groups within each other");
        }
        let mut ways = vec![self.all()?];
        while self.rest.next_if_eq(&'|').is_some() {
            ways.push(self.all()?);
        }
        self.depth -= 1;
        Ok(Tree::Any(ways))
    }

    fn all(&mut self) -> Result<Tree> {
        let mut parts = Vec::new();
        while let Some(&c) = self.rest.peek() {
            if c == '|' || c == ')' {
                break;
            }
            let part = self.atom()?;
            parts.push(self.repeated(part)?);
        }
        Ok(Tree::All(parts))
    }

    fn repeated(&mut self, mut part: Tree) -> Result<Tree> {
        let mut once = false;
        loop {
            let (least, most) = match self.rest.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => {
                    let mut ahead = self.rest.clone();
                    ahead.next();
                    let ahead: String = ahead.collect();
                    let Some((body, _)) = ahead.split_once('}') else {
                        return self.unsupported("a brace that is no count");
                    };
                    let (least, most) = match body.split_once(',') {
                        Some((least, "")) => (least.parse().ok(), Some(None)),
                        Some((least, most)) => (least.parse().ok(), most.parse().ok().map(Some)),
                        None => (body.parse().ok(), body.parse().ok().map(Some)),
                    };
                    let (Some(least), Some(most)) = (least, most) else {
                        return self.unsupported("a brace that is no count");
                    };
                    if least > 1000 || most.is_some_and(|m: u32| m > 1000 || m < least) {
                        return self.unsupported("a count of that size");
                    }
                    // All but the closing brace, which is left for below.
                    for _ in 0..=body.chars().count() {
                        self.rest.next();
                    }
                    (least, most)
                }
                _ => return Ok(part),
            };
            if once {
                return self.unsupported("a repetition of a repetition");
            }
            once = true;
            self.rest.next();
            // Which of several matches is preferred means nothing here: the longest is.
            self.rest.next_if_eq(&'?');
            part = Tree::Repeat(Box::new(part), least, most);
        }
    }

    fn atom(&mut self) -> Result<Tree> {
        Ok(match self.rest.next() {
            Some('(') => {
                if self.rest.next_if_eq(&'?').is_some() && self.rest.next() != Some(':') {
                    return self.unsupported("a group with flags or a name");
                }
                let inner = self.any()?;
                if self.rest.next() != Some(')') {
                    return self.unsupported("a group without an end");
                }
                inner
            }
            Some('[') => Tree::One(self.class()?),
            Some('.') => Tree::One(Class {
                others: true,
                ..single('\n')
            }),
            Some('^') => Tree::At(Place::Start),
            Some('$') => Tree::At(Place::End),
            Some('\\') => match self.rest.peek() {
                Some('b') => {
                    self.rest.next();
                    Tree::At(Place::Word)
                }
                Some('B') => {
                    self.rest.next();
                    Tree::At(Place::NoWord)
                }
                Some('A') => {
                    self.rest.next();
                    Tree::At(Place::Start)
                }
                Some('z') => {
                    self.rest.next();
                    Tree::At(Place::End)
                }
                _ => Tree::One(self.escaped()?),
            },
            Some(c @ ('*' | '+' | '?' | '{')) => {
                return self.unsupported(format!("a {c} after nothing"));
            }
            Some(c) => Tree::One(single(c)),
            None => Tree::Empty,
        })
    }

    fn escaped(&mut self) -> Result<Class> {
        let Some(c) = self.rest.next() else {
            return self.unsupported("a backslash at its end");
        };
        if let Some(class) = named(c) {
            return Ok(class);
        }
        Ok(single(match c {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\x0c',
            'v' => '\x0b',
            'x' => {
                let digits: String = if self.rest.next_if_eq(&'{').is_some() {
                    self.rest.by_ref().take_while(|&c| c != '}').collect()
                } else {
                    self.rest.by_ref().take(2).collect()
                };
                let code = u32::from_str_radix(&digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                match code {
                    Some(c) => c,
                    None => return self.unsupported("an escape that is no character"),
                }
            }
            c if c.is_ascii_alphanumeric() => return self.unsupported(format!("\\{c}")),
            c => c,
        }))
    }

    fn class(&mut self) -> Result<Class> {
        let others = self.rest.next_if_eq(&'^').is_some();
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut first = true;
        loop {
            let Some(c) = self.rest.next() else {
                return self.unsupported("a class without an end");
            };
            let from = match c {
                ']' if !first => break,
                '[' if self.rest.peek() == Some(&':') => {
                    return self.unsupported("a class by its name");
                }
                '\\' => self.escaped()?,
                c => single(c),
            };
            first = false;
            let [(low, high)] = from.ranges[..] else {
                if from.others {
                    return self.unsupported("an opposite within a class");
                }
                ranges.extend(from.ranges);
                continue;
            };
            let mut ahead = self.rest.clone();
            let range = ahead.next() == Some('-') && !matches!(ahead.next(), Some(']') | None);
            if from.others || (range && low != high) {
                return self.unsupported("a range or opposite of a class within a class");
            }
            if !range {
                ranges.push((low, high));
                continue;
            }
            self.rest.next();
            let to = match self.rest.next() {
                Some('\\') => self.escaped()?,
                Some(c) => single(c),
                None => return self.unsupported("a class without an end"),
            };
            match to.ranges[..] {
                [(to, same)] if to == same && low <= to => ranges.push((low, to)),
                _ => return self.unsupported("a range that is none"),
            }
        }
        Ok(Class { ranges, others })
    }
}

impl Regex {
    pub(super) fn new(pattern: &str) -> Result<Regex> {
        let mut parser = Parser {
            rest: pattern.chars().peekable(),
            depth: 0,
        };
        let tree = parser.any()?;
        if parser.rest.next().is_some() {
            return parser.unsupported("a group without a beginning");
        }
        let mut regex = Regex {
            steps: Vec::new(),
            parts: 0,
        };
        regex.add(&tree)?;
        regex.push(Step::Done)?;
        Ok(regex)
    }

    fn push(&mut self, step: Step) -> Result<usize> {
        if self.steps.len() >= MAX_STEPS {
            return fault("its regular expression is too large");
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn add(&mut self, tree: &Tree) -> Result<()> {
        self.parts += 1;
        if self.parts > 4 * MAX_STEPS {
            return fault("its regular expression is too large");
        }
        match tree {
            Tree::Empty => {}
            Tree::One(class) => {
                self.push(Step::One(class.clone()))?;
            }
            Tree::At(place) => {
                self.push(Step::At(*place))?;
            }
            Tree::All(parts) => {
                for part in parts {
                    self.add(part)?;
                }
            }
            Tree::Any(ways) => {
                let mut ends = Vec::new();
                for (at, way) in ways.iter().enumerate() {
                    let last = at + 1 == ways.len();
                    let split = if last {
                        None
                    } else {
                        Some(self.push(Step::Done)?)
                    };
                    self.add(way)?;
                    if let Some(split) = split {
                        ends.push(self.push(Step::Done)?);
                        self.steps[split] = Step::Split(split + 1, self.steps.len());
                    }
                }
                for end in ends {
                    self.steps[end] = Step::Jump(self.steps.len());
                }
            }
            Tree::Repeat(part, least, most) => {
                for _ in 0..*least {
                    self.add(part)?;
                }
                match most {
                    None => {
                        let split = self.push(Step::Done)?;
                        self.add(part)?;
                        self.push(Step::Jump(split))?;
                        self.steps[split] = Step::Split(split + 1, self.steps.len());
                    }
                    Some(most) => {
                        let mut splits = Vec::new();
                        for _ in *least..*most {
                            splits.push(self.push(Step::Done)?);
                            self.add(part)?;
                        }
                        for split in splits {
                            self.steps[split] = Step::Split(split + 1, self.steps.len());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Where the longest match that begins here ends.
    pub(super) fn longest(
        &self,
        text: &[char],
        start: usize,
        context: &mut Context,
    ) -> Result<Option<usize>> {
        context.spend(1 + self.steps.len() as u64 / 8)?;
        let mut now = vec![0];
        let mut end = None;
        let mut seen = vec![usize::MAX; self.steps.len()];
        let mut at = start;
        while !now.is_empty() {
            let (mut open, mut next) = (now, Vec::new());
            let mut work = 0;
            while let Some(step) = open.pop() {
                // Each step once for each place.
                if seen[step] == at {
                    continue;
                }
                seen[step] = at;
                work += 1;
                match &self.steps[step] {
                    Step::Done => end = Some(at),
                    Step::Jump(to) => open.push(*to),
                    Step::Split(a, b) => open.extend([*b, *a]),
                    Step::At(place) if holds(*place, text, at) => open.push(step + 1),
                    Step::At(_) => {}
                    Step::One(class) => {
                        if text.get(at).is_some_and(|&c| class.has(c)) {
                            next.push(step + 1);
                        }
                    }
                }
            }
            context.spend(work)?;
            now = next;
            at += 1;
        }
        Ok(end)
    }

    /// The first match from here on, the longest of those.
    pub(super) fn find(
        &self,
        text: &[char],
        from: usize,
        context: &mut Context,
    ) -> Result<Option<(usize, usize)>> {
        for start in from..=text.len() {
            if let Some(end) = self.longest(text, start, context)? {
                return Ok(Some((start, end)));
            }
        }
        Ok(None)
    }
}

fn holds(place: Place, text: &[char], at: usize) -> bool {
    let is_word = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|&c| word(c));
    let edge = is_word(at.checked_sub(1)) != is_word(Some(at));
    match place {
        Place::Start => at == 0,
        Place::End => at == text.len(),
        Place::Word => edge,
        Place::NoWord => !edge,
    }
}
