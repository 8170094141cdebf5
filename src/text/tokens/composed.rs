//! Which character of a text a Unicode normal form makes of which.

use tokenizers::normalizers::{NFD, NFKD};
use tokenizers::pipeline::{Normalizer, PipelineNormalizer};

/// How far apart the marks of one character are looked for. Nobody writes that many.
const APART: usize = 64;

/// A character of the decomposed text. It takes the place of one character more or less than `change` says: 1 if it is one
/// more than there was, 0 if it is in the place of one, -1 if another was joined to it.
type Part = (char, i32);

/// For each character of `next`, the normal form of `text`, the number of the character of `text` that it stands for, as
/// Python's `tokenizers` has it: by counting what each character adds or takes away.
pub(super) fn sources(form: &PipelineNormalizer, text: &str, next: &str) -> Option<Vec<u32>> {
    let (apart, composes) = match form {
        PipelineNormalizer::NFC(_) => (PipelineNormalizer::NFD(NFD), true),
        PipelineNormalizer::NFKC(_) => (PipelineNormalizer::NFKD(NFKD), true),
        PipelineNormalizer::NFD(_) => (PipelineNormalizer::NFD(NFD), false),
        PipelineNormalizer::NFKD(_) => (PipelineNormalizer::NFKD(NFKD), false),
        _ => return None,
    };
    let mut buffer = [0; 4];
    let mut parts: Vec<Part> = Vec::with_capacity(text.len());
    for c in text.chars() {
        let of = apart.normalize(c.encode_utf8(&mut buffer), 1).ok()?;
        let changes = std::iter::once(0).chain(std::iter::repeat(1));
        parts.extend(of.chars().zip(changes));
    }
    // In their order, which is not that of the text where marks change places.
    let sorted = apart.normalize(text, 1).ok()?;
    let mut unsorted = Pool::new(&parts);
    let sorted: Option<Vec<Part>> = sorted
        .chars()
        .map(|c| Some((c, unsorted.take(c)?)))
        .collect();
    let sorted = sorted?;
    if !composes {
        return Some(counted(sorted.into_iter().map(|(_, change)| change)));
    }
    let mut pool = Pool::new(&sorted);
    let mut changes = Vec::with_capacity(next.len());
    for c in next.chars() {
        let of = apart.normalize(c.encode_utf8(&mut buffer), 1).ok()?;
        let mut change = 1;
        for part in of.chars() {
            change += pool.take(part)? - 1;
        }
        changes.push(change);
    }
    Some(counted(changes.into_iter()))
}

/// The numbers of the characters that changes speak of.
fn counted(changes: impl Iterator<Item = i32>) -> Vec<u32> {
    let mut at: u32 = 0;
    let source = |change: i32| {
        if change > 0 {
            at.saturating_sub(1)
        } else {
            let source = at;
            at = at.saturating_add(1).saturating_add(change.unsigned_abs());
            source
        }
    };
    changes.map(source).collect()
}

/// Parts that are taken one after another, roughly in their order.
struct Pool<'p> {
    parts: &'p [Part],
    taken: Vec<bool>,
    /// All before it are taken.
    from: usize,
}

impl<'p> Pool<'p> {
    fn new(parts: &'p [Part]) -> Self {
        Pool {
            parts,
            taken: vec![false; parts.len()],
            from: 0,
        }
    }

    /// Takes the first part that is `c`, and says what it changes.
    fn take(&mut self, c: char) -> Option<i32> {
        let most = self.parts.len().min(self.from + APART);
        let at = (self.from..most).find(|&at| !self.taken[at] && self.parts[at].0 == c)?;
        self.taken[at] = true;
        while self.taken.get(self.from) == Some(&true) {
            self.from += 1;
        }
        Some(self.parts[at].1)
    }
}
