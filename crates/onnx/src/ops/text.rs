//! Operators of strings.

mod grams;
mod regex;
mod split;
#[cfg(test)]
mod tests;

use crate::broadcast::{Rows, common};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Tensor, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "StringNormalizer" => normalizer(decl),
        "StringConcat" => concat(decl),
        "StringSplit" => split::split(decl),
        "TfIdfVectorizer" => grams::vectorizer(decl),
        "RegexFullMatch" => full_match(decl),
        // Old exporters write it without its domain.
        "Tokenizer" => split::tokenizer(decl),
        _ => Ok(None),
    }
}

/// The operators of strings that `com.microsoft` has.
pub(super) fn microsoft(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Tokenizer" => split::tokenizer(decl),
        _ => Ok(None),
    }
}

fn normalizer(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let change: fn(&str) -> String = match &*decl.text_or("case_change_action", "NONE")? {
        "LOWER" => str::to_lowercase,
        "UPPER" => str::to_uppercase,
        "NONE" => str::to_owned,
        other => return fault(format!("its case_change_action {other} is not supported")),
    };
    let exact = decl.flag("is_case_sensitive")?;
    // Some languages have letters whose cases differ from everybody else's.
    let locale = decl.text_or("locale", "en_US")?;
    if ["tr", "az", "lt"].iter().any(|own| locale.starts_with(own)) {
        return fault(format!("its locale {locale} is not supported"));
    }
    let key = move |word: &str| {
        if exact {
            word.to_owned()
        } else {
            word.to_lowercase()
        }
    };
    let stop = decl.texts("stopwords")?.unwrap_or_default();
    let stop: std::collections::HashSet<String> = stop.iter().map(|word| key(word)).collect();
    op(move |x, _| {
        let x = x.get(0)?;
        if !matches!(x.shape[..], [_] | [1, _]) {
            return fault(format!("it takes [C] or [1, C], not {:?}", x.shape));
        }
        let kept = x
            .texts()?
            .iter()
            .filter(|word| stop.is_empty() || !stop.contains(&key(word)));
        let mut kept: Vec<String> = kept.map(|word| change(word)).collect();
        if kept.is_empty() {
            kept.push(String::new());
        }
        let mut shape = x.shape.clone();
        let last = shape.len() - 1;
        shape[last] = kept.len();
        one(Tensor::new(shape, Data::Text(kept))?)
    })
}

fn concat(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    op(|x, context| {
        let (a, b) = (x.get(0)?, x.get(1)?);
        let shape = common([&a.shape[..], &b.shape[..]])?;
        let (left, right) = (a.texts()?, b.texts()?);
        let mut out = vec![String::new(); count(&shape)?];
        let rows = Rows::new(&shape, [&a.shape, &b.shape]);
        let mut bytes = 0;
        rows.each(|_, [l, r]| {
            for i in 0..rows.len {
                let (l, r) = (&left[l + i * rows.step[0]], &right[r + i * rows.step[1]]);
                bytes += (l.len() + r.len()) as u64;
            }
        });
        context.spend(bytes)?;
        if bytes > crate::tensor::MAX_ELEMENTS as u64 {
            return fault("its strings are too long");
        }
        rows.each(|at, [l, r]| {
            for i in 0..rows.len {
                let (l, r) = (&left[l + i * rows.step[0]], &right[r + i * rows.step[1]]);
                out[at + i] = format!("{l}{r}");
            }
        });
        one(Tensor::new(shape, Data::Text(out))?)
    })
}

fn full_match(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let pattern = decl
        .text("pattern")?
        .ok_or("its attribute pattern is missing")?;
    let pattern = regex::Regex::new(&pattern)?;
    op(move |x, context| {
        let x = x.get(0)?;
        let mut out = Vec::with_capacity(x.len());
        for text in x.texts()? {
            let text: Vec<char> = text.chars().collect();
            out.push(pattern.longest(&text, 0, context)? == Some(text.len()));
        }
        one(Tensor::new(x.shape.clone(), Data::Bool(out))?)
    })
}
