//! Where names are that a model found, and other words that are somebody's.

use std::collections::BTreeMap;

use super::restore::NAME_LETTERS;
use super::view::View;

/// What placeholders call the name of a person.
pub const PERSON: &str = "NAME";

/// Words that are somebody's, as a model found them in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// What placeholders call them: capital letters.
    kind: String,
    text: String,
}

impl Named {
    /// The name of a person.
    pub fn person(text: impl Into<String>) -> Self {
        Named {
            kind: PERSON.to_owned(),
            text: text.into(),
        }
    }

    /// What a model calls `label`, such as `STREET_NAME`. In a placeholder that is the letters of it.
    pub fn labelled(label: &str, text: impl Into<String>) -> Self {
        let letters = label.chars().filter(char::is_ascii_alphabetic);
        let kind: String = letters.take(NAME_LETTERS).collect();
        match kind.is_empty() {
            true => Named::person(text),
            false => Named {
                kind: kind.to_ascii_uppercase(),
                text: text.into(),
            },
        }
    }

    /// The order in which longer ones come first.
    pub fn longest_first(&self, other: &Self) -> std::cmp::Ordering {
        let by_length = other.text.len().cmp(&self.text.len());
        by_length.then_with(|| self.cmp(other))
    }

    /// What placeholders call it.
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

/// The most pieces of a name that are looked for together. Of longer ones, the parts are.
const PIECES: usize = 16;

/// Names, as a tree of their pieces, so that a text is read once however many there are.
#[derive(Debug)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    next: BTreeMap<String, usize>,
    /// Which of the names ends here.
    ends: Option<usize>,
}

/// Where names stand alone, not within a longer word, and which it is. Of names that begin together, the longest.
pub(super) fn find(view: &View, names: &[Named]) -> Vec<(usize, usize, usize)> {
    let mut tree = Tree {
        nodes: vec![Node::default()],
    };
    for (which, name) in names.iter().enumerate() {
        let name = View::new(name.text.trim());
        for part in pieces(&name).chunks(PIECES) {
            tree.add(part.iter().map(|&piece| text(&name, piece)), which);
        }
    }
    let pieces = pieces(view);
    let mut found = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        let longest = tree.longest(pieces[at..].iter().map(|&piece| text(view, piece)));
        if let Some((length, which)) = longest {
            found.push((pieces[at].0, pieces[at + length - 1].1, which));
        }
        at += longest.map_or(1, |(length, _)| length);
    }
    found
}

/// Words whole, everything else by the character.
fn pieces(view: &View) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < view.len() {
        let word = (at..view.len())
            .take_while(|&i| view.get(i).is_word())
            .count();
        let end = at + word.max(1);
        pieces.push((at, end));
        at = end;
    }
    pieces
}

fn text(view: &View, (from, to): (usize, usize)) -> String {
    (from..to).map(|i| view.get(i).c).collect()
}

impl Tree {
    fn add(&mut self, pieces: impl Iterator<Item = String>, which: usize) {
        let mut node = 0;
        for piece in pieces {
            let new = self.nodes.len();
            let next = *self.nodes[node].next.entry(piece).or_insert(new);
            if next == new {
                self.nodes.push(Node::default());
            }
            node = next;
        }
        if node > 0 {
            self.nodes[node].ends.get_or_insert(which);
        }
    }

    /// How many pieces the longest name has with which these begin, and which it is.
    fn longest(&self, pieces: impl Iterator<Item = String>) -> Option<(usize, usize)> {
        let mut node = 0;
        let mut longest = None;
        for (n, piece) in pieces.enumerate() {
            match self.nodes[node].next.get(&piece) {
                Some(&next) => node = next,
                None => break,
            }
            if let Some(which) = self.nodes[node].ends {
                longest = Some((n + 1, which));
            }
        }
        longest
    }
}
