//! Where names are that somebody else found.

use std::collections::BTreeMap;

use super::view::View;

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
    /// Whether a name ends here.
    ends: bool,
}

/// Where names stand alone, not within a longer word. Of names that begin together, the longest.
pub(super) fn find(view: &View, names: &[String]) -> Vec<(usize, usize)> {
    let mut tree = Tree {
        nodes: vec![Node::default()],
    };
    for name in names {
        let name = View::new(name.trim());
        for part in pieces(&name).chunks(PIECES) {
            tree.add(part.iter().map(|&piece| text(&name, piece)));
        }
    }
    let pieces = pieces(view);
    let mut found = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        let length = tree.longest(pieces[at..].iter().map(|&piece| text(view, piece)));
        if length > 0 {
            found.push((pieces[at].0, pieces[at + length - 1].1));
        }
        at += length.max(1);
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
    fn add(&mut self, pieces: impl Iterator<Item = String>) {
        let mut node = 0;
        for piece in pieces {
            let new = self.nodes.len();
            let next = *self.nodes[node].next.entry(piece).or_insert(new);
            if next == new {
                self.nodes.push(Node::default());
            }
            node = next;
        }
        self.nodes[node].ends = node > 0;
    }

    /// How many pieces the longest name has with which these begin.
    fn longest(&self, pieces: impl Iterator<Item = String>) -> usize {
        let mut node = 0;
        let mut longest = 0;
        for (n, piece) in pieces.enumerate() {
            match self.nodes[node].next.get(&piece) {
                Some(&next) => node = next,
                None => break,
            }
            if self.nodes[node].ends {
                longest = n + 1;
            }
        }
        longest
    }
}
