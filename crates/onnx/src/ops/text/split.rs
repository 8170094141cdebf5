//! Strings cut into parts.

use std::sync::Arc;

use super::regex::Regex;
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Data, Tensor, count};

pub(super) fn split(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let delimiter = decl.text_or("delimiter", "")?;
    let most = decl.int("maxsplit")?;
    let most = most
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(usize::MAX);
    op(move |x, _| {
        let x = x.get(0)?;
        let cut = |text: &String| -> Vec<String> {
            if delimiter.is_empty() {
                return spaced(text, most);
            }
            let parts = text.splitn(most.saturating_add(1), &delimiter);
            parts.map(str::to_owned).collect()
        };
        let parts: Vec<Vec<String>> = x.texts()?.iter().map(cut).collect();
        let counts = parts.iter().map(|part| part.len() as i64).collect();
        let counts = Tensor::i64(x.shape.clone(), counts);
        Ok(vec![
            Arc::new(filled(&x.shape, parts, "")?),
            Arc::new(counts),
        ])
    })
}

/// The words of a text, at most so many cuts; what follows the last cut stays whole.
fn spaced(text: &str, most: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if parts.len() < most {
            rest.find(char::is_whitespace)
        } else {
            None
        };
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(part.to_owned());
        rest = after.trim_start();
    }
    parts
}

/// Rows of strings as a tensor with one more axis, shorter ones filled up.
fn filled(shape: &[usize], rows: Vec<Vec<String>>, with: &str) -> Result<Tensor> {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut shape = shape.to_vec();
    shape.push(width);
    let mut out = Vec::with_capacity(count(&shape)?);
    for row in rows {
        let missing = width - row.len();
        out.extend(row);
        out.extend(std::iter::repeat_n(with.to_owned(), missing));
    }
    Tensor::new(shape, Data::Text(out))
}

/// What a tokenizer takes for a token.
enum Tokens {
    Characters,
    /// What these leave between them.
    Between(Vec<Regex>),
    /// What matches.
    Matching(Regex),
}

impl Tokens {
    fn of(&self, text: &[char], least: usize, context: &mut Context) -> Result<Vec<String>> {
        let long = |token: &&[char]| token.len() >= least;
        let tokens: Vec<&[char]> = match self {
            Tokens::Characters => text.chunks(1).collect(),
            Tokens::Matching(regex) => {
                let (mut tokens, mut at) = (Vec::new(), 0);
                while let Some((start, end)) = regex.find(text, at, context)? {
                    tokens.extend(
                        Some(&text[start..end])
                            .filter(|t| !t.is_empty())
                            .filter(long),
                    );
                    // An empty match is no token, and the next begins after it.
                    at = if end > start { end } else { end + 1 };
                    if at > text.len() {
                        break;
                    }
                }
                tokens
            }
            Tokens::Between(separators) => {
                let mut parts = vec![text];
                for separator in separators {
                    let mut finer = Vec::new();
                    for part in parts {
                        let (mut begin, mut at) = (0, 0);
                        while let Some((start, end)) = separator.find(part, at, context)? {
                            if end == start {
                                return fault("a separator that matches nothing is not supported");
                            }
                            finer.extend(Some(&part[begin..start]).filter(long));
                            (begin, at) = (end, end);
                        }
                        finer.extend(Some(&part[begin..]).filter(long));
                    }
                    parts = finer;
                }
                parts
            }
        };
        Ok(tokens
            .into_iter()
            .map(|token| token.iter().collect())
            .collect())
    }
}

/// `Tokenizer` of the domain `com.microsoft`.
pub(super) fn tokenizer(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let mark = decl.flag("mark")?;
    let pad = decl.text_or("pad_value", "")?;
    let least = usize::try_from(decl.int_or("mincharnum", 1)?).unwrap_or(0);
    if least == 0 {
        return fault("its attribute mincharnum is not 1 or more");
    }
    let separators = decl.texts("separators")?.unwrap_or_default();
    let expression = decl.text("tokenexp")?.filter(|e| !e.is_empty());
    let tokens = match (&separators[..], expression) {
        ([], Some(expression)) => Tokens::Matching(Regex::new(&expression)?),
        ([], None) => return fault("it has no separators and no tokenexp"),
        (_, Some(_)) => return fault("it has separators and a tokenexp"),
        ([empty], None) if empty.is_empty() => match least {
            1 => Tokens::Characters,
            _ => return fault("characters of more than one character are not supported"),
        },
        (separators, None) => {
            let all = separators.iter().map(|separator| Regex::new(separator));
            Tokens::Between(all.collect::<Result<_>>()?)
        }
    };
    op(move |x, context| {
        let x = x.get(0)?;
        if !matches!(x.rank(), 1 | 2) {
            return fault(format!("it takes [C] or [N, C], not {:?}", x.shape));
        }
        let mut rows = Vec::with_capacity(x.len());
        for text in x.texts()? {
            let text: Vec<char> = text.chars().collect();
            rows.push(tokens.of(&text, least, context)?);
        }
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        if mark && width > 0 {
            for row in &mut rows {
                row.insert(0, "\u{2}".to_owned());
                row.push("\u{3}".to_owned());
            }
        }
        one(filled(&x.shape, rows, &pad)?)
    })
}
