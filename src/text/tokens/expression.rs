//! Regular expressions of tokenizers: what they commonly have, in a few kilobytes. Full engines are a tenth of the
//! WebAssembly module.
//!
//! Alternatives are tried in their order and repetitions go back, as in Oniguruma, which Python's `tokenizers` has. What is
//! not known here is refused, never read otherwise, and no text holds a worker: steps are counted.

mod operations;
mod parse;
mod properties;
mod sets;

use operations::Op;
use sets::Set;

/// How many steps a text may take for each of its bytes, and how many any text may take.
const STEPS: (usize, usize) = (256, 1 << 16);

/// How many places to go back to a text may have for each of its bytes, and how many any text may have.
const BACK: (usize, usize) = (8, 1 << 12);

/// A regular expression.
#[derive(Debug)]
pub(super) struct Expression {
    ops: Vec<Op>,
}

/// The set that an expression is, and whether it may be repeated, if it is no more than that.
pub(super) fn alone(expression: &str) -> Option<(Set, bool)> {
    parse::set(expression)
}

/// A part of a text, and whether it is a match.
pub(super) type Part = ((usize, usize), bool);

/// Why an expression was not run to its end.
#[derive(Debug)]
pub(super) struct TooLong;

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is not known.
    pub(super) fn new(written: &str) -> Result<Self, String> {
        let ops = parse::expression(written)?;
        Ok(Expression { ops })
    }

    /// The parts of a text that are matches and those that are not, in turn.
    ///
    /// # Errors
    /// When that takes too long.
    pub(super) fn parts(&self, text: &str) -> Result<Vec<Part>, TooLong> {
        let mut steps = STEPS.1 + text.len().saturating_mul(STEPS.0);
        let mut parts = Vec::new();
        let mut stack = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < text.len() {
            match self.run(text, 0, at, &mut stack, &mut steps)? {
                Some(end) if end > at => {
                    if at > from {
                        parts.push(((from, at), false));
                    }
                    parts.push(((at, end), true));
                    (from, at) = (end, end);
                }
                _ => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        if from < text.len() {
            parts.push(((from, text.len()), false));
        }
        Ok(parts)
    }

    /// Where a match that begins at `at` ends. What was put on the stack before is left there.
    fn run(
        &self,
        text: &str,
        op: usize,
        at: usize,
        stack: &mut Vec<(usize, usize)>,
        steps: &mut usize,
    ) -> Result<Option<usize>, TooLong> {
        let floor = stack.len();
        stack.push((op, at));
        while stack.len() > floor {
            let Some((mut op, mut at)) = stack.pop() else {
                break;
            };
            loop {
                *steps = steps.checked_sub(1).ok_or(TooLong)?;
                match &self.ops[op] {
                    Op::One(set) => match text[at..].chars().next() {
                        Some(c) if set.contains(c) => {
                            at += c.len_utf8();
                            op += 1;
                        }
                        _ => break,
                    },
                    Op::Either(first, second) => {
                        if stack.len() > BACK.1 + text.len().saturating_mul(BACK.0) {
                            return Err(TooLong);
                        }
                        stack.push((*second, at));
                        op = *first;
                    }
                    Op::Jump(to) => op = *to,
                    Op::Look { there, end } => {
                        let found = self.run(text, op + 1, at, stack, steps)?;
                        if found.is_some() != *there {
                            break;
                        }
                        op = *end;
                    }
                    Op::Keep { end } => match self.run(text, op + 1, at, stack, steps)? {
                        Some(after) => (op, at) = (*end, after),
                        None => break,
                    },
                    Op::Done => {
                        stack.truncate(floor);
                        return Ok(Some(at));
                    }
                }
            }
        }
        Ok(None)
    }
}
