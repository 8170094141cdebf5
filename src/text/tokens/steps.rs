//! Which character of a text a normaliser makes of which, step by step.

use std::borrow::Cow;

use tokenizers::normalizers::metaspace::MetaspaceNormalizer;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Precompiled, Prepend, Strip};
use tokenizers::pipeline::{Normalizer, PipelineNormalizer};
use unicode_segmentation::UnicodeSegmentation;

use super::composed;

/// For each character of `next`, what the step makes of `text`, the number of the character of `text` that it stands for.
/// `None` where that cannot be told.
pub(super) fn sources(step: &PipelineNormalizer, text: &str, next: &str) -> Option<Vec<u32>> {
    let sources = match step {
        PipelineNormalizer::Metaspace(step) => metaspace(step, text, next)?,
        PipelineNormalizer::Replace(step) => replace(step, text, next)?,
        PipelineNormalizer::Prepend(step) => prepend(step, text)?,
        PipelineNormalizer::Strip(step) => strip(*step, text, next),
        PipelineNormalizer::Precompiled(step) => precompiled(step.parsed(), text, next)?,
        PipelineNormalizer::NFC(_)
        | PipelineNormalizer::NFD(_)
        | PipelineNormalizer::NFKC(_)
        | PipelineNormalizer::NFKD(_) => composed::sources(step, text, next)?,
        _ => each(step, text, next)?,
    };
    let len = text.chars().count() as u64;
    let whole = sources.len() == next.chars().count()
        && sources.iter().all(|&source| u64::from(source) < len);
    whole.then_some(sources)
}

/// Of a step that looks at each character by itself.
fn each(step: &PipelineNormalizer, text: &str, next: &str) -> Option<Vec<u32>> {
    let mut sources = Vec::with_capacity(next.len());
    let mut rest = next;
    let mut buffer = [0; 4];
    for (at, c) in (0..).zip(text.chars()) {
        // It is not what the text begins with: 1.
        let made = match step.normalize(c.encode_utf8(&mut buffer), 1).ok()? {
            Cow::Borrowed(same) => same.to_owned(),
            Cow::Owned(made) => made,
        };
        rest = rest.strip_prefix(made.as_str())?;
        sources.extend(made.chars().map(|_| at));
    }
    rest.is_empty().then_some(sources)
}

fn metaspace(step: &MetaspaceNormalizer, text: &str, next: &str) -> Option<Vec<u32>> {
    let mark = step.delimiter();
    let drop = step.drop_whitespace();
    let mut characters = (0..).zip(text.chars()).peekable();
    let mut before = None;
    let mut sources = Vec::with_capacity(next.len());
    for made in next.chars() {
        if drop {
            while characters.next_if(|(_, c)| c.is_whitespace()).is_some() {
                before = None;
            }
        }
        let &(at, c) = characters.peek()?;
        sources.push(at);
        let same = made == c || made == mark && c == ' ' && !drop;
        // A mark that is put before a word stands for what the word begins with.
        if !same && (made != mark || before.is_some()) {
            return None;
        }
        before = Some(made);
        if same {
            characters.next();
        }
    }
    Some(sources)
}

/// What takes the place of something stands for the last character of it.
fn replace(step: &Replace, text: &str, next: &str) -> Option<Vec<u32>> {
    let ReplacePattern::String(pattern) = step.pattern() else {
        return None;
    };
    let mut matches = text.match_indices(pattern.as_str());
    let content = step.content.chars().count();
    let mut sources = Vec::with_capacity(next.len());
    let (mut read, mut at) = (0, 0);
    let mut rest = next;
    loop {
        let found = matches
            .next()
            .map(|(start, found)| (start, start + found.len()));
        let (start, end) = found.unwrap_or((text.len(), text.len()));
        let kept = text.get(read..start)?;
        rest = rest.strip_prefix(kept)?;
        for _ in kept.chars() {
            sources.push(at);
            at += 1;
        }
        let gone = u32::try_from(text.get(start..end)?.chars().count()).ok()?;
        if start == text.len() {
            return rest.is_empty().then_some(sources);
        }
        rest = rest.strip_prefix(step.content.as_str())?;
        at += gone;
        sources.resize(sources.len() + content, at.saturating_sub(1));
        read = end;
    }
}

fn prepend(step: &Prepend, text: &str) -> Option<Vec<u32>> {
    let len = u32::try_from(text.chars().count()).ok()?;
    let mut sources = vec![0; step.prepend.chars().count()];
    sources.extend(0..len);
    Some(sources)
}

fn strip(step: Strip, text: &str, next: &str) -> Vec<u32> {
    let gone = match step.strip_left {
        true => text.chars().take_while(|c| c.is_whitespace()).count(),
        false => 0,
    };
    (0..)
        .skip(gone)
        .zip(next.chars())
        .map(|(at, _)| at)
        .collect()
}

/// Of a table of normal forms, by what readers take for characters or, where it has none, by code points.
fn precompiled(forms: &Precompiled, text: &str, next: &str) -> Option<Vec<u32>> {
    let mut sources = Vec::with_capacity(next.len());
    let mut rest = next;
    let mut at = 0;
    let mut made = |old: &str, new: &str| -> Option<()> {
        rest = rest.strip_prefix(new)?;
        let old = u32::try_from(old.chars().count()).ok()?;
        // One for one as far as they go; what is more stands for the last one.
        let of = (0..)
            .zip(new.chars())
            .map(|(n, _)| at + old.saturating_sub(1).min(n));
        sources.extend(of);
        at += old;
        Some(())
    };
    for cluster in text.graphemes(true) {
        // As the library has it: tables have no longer ones.
        if let Some(new) = forms.transform(cluster).filter(|_| cluster.len() < 6) {
            made(cluster, new)?;
            continue;
        }
        for (start, c) in cluster.char_indices() {
            let one = &cluster[start..start + c.len_utf8()];
            made(one, forms.transform(one).unwrap_or(one))?;
        }
    }
    rest.is_empty().then_some(sources)
}
