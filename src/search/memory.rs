//! The rows of an index in memory, piece by piece as they are stored.

use std::collections::{BTreeMap, HashMap};

use super::row::{SearchHit, SearchRow};
use super::scan::{nearest, per_length};
use super::stored::{Head, PIECE, Row};

/// An index, or the part of it that was read.
#[derive(Debug, Default)]
pub(super) struct Rows {
    dimension: usize,
    rows: Vec<SearchRow>,
    vectors: Vec<i8>,
    per_lengths: Vec<f32>,
    /// In which piece each is stored.
    pieces: Vec<usize>,
    /// Where each is.
    places: HashMap<String, usize>,
    /// The revision of each piece that was read.
    revisions: BTreeMap<usize, u64>,
    /// How many pieces there are.
    count: usize,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Takes over how the index is laid out.
    pub fn open(&mut self, head: &Head) {
        if self.dimension != head.dimension || head.pieces.len() < self.count {
            *self = Rows::default();
        }
        self.dimension = head.dimension;
        self.count = head.pieces.len();
    }

    /// The revision of a piece that was read.
    pub fn revision(&self, piece: usize) -> Option<u64> {
        self.revisions.get(&piece).copied()
    }

    /// The piece that holds a text.
    pub fn piece(&self, id: &str) -> Option<usize> {
        self.places.get(id).map(|&at| self.pieces[at])
    }

    /// Which piece each of these rows goes to: its own, or the first with room.
    pub fn parts(&self, rows: Vec<Row>) -> BTreeMap<usize, Vec<Row>> {
        let mut held = vec![0; self.count];
        self.pieces.iter().for_each(|&piece| {
            if let Some(held) = held.get_mut(piece) {
                *held += 1;
            }
        });
        let mut parts: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        let mut first = 0;
        for row in rows {
            let piece = self.piece(&row.row.id).unwrap_or_else(|| {
                while held.get(first).is_some_and(|&held| held >= PIECE) {
                    first += 1;
                }
                if first == held.len() {
                    held.push(0);
                }
                held[first] += 1;
                first
            });
            parts.entry(piece).or_default().push(row);
        }
        parts
    }

    /// Takes over what a piece holds.
    pub fn replace(&mut self, piece: usize, revision: u64, rows: Vec<Row>) {
        self.count = self.count.max(piece + 1);
        self.revisions.insert(piece, revision);
        let mut at = 0;
        while at < self.rows.len() {
            match self.pieces[at] == piece {
                true => self.take_out(at),
                false => at += 1,
            }
        }
        for Row { row, vector } in rows {
            if self.dimension == 0 {
                self.dimension = vector.len();
            }
            if vector.len() != self.dimension {
                continue;
            }
            // Two tabs may have put the same text into two pieces. The later of these counts.
            if let Some(&twin) = self.places.get(&row.id) {
                if self.pieces[twin] > piece {
                    continue;
                }
                self.take_out(twin);
            }
            self.places.insert(row.id.clone(), self.rows.len());
            self.per_lengths.push(per_length(&vector));
            self.vectors.extend(vector);
            self.pieces.push(piece);
            self.rows.push(row);
        }
    }

    /// Takes out one; the last comes to its place.
    fn take_out(&mut self, at: usize) {
        let (last, n) = (self.rows.len() - 1, self.dimension);
        let gone = self.rows.swap_remove(at);
        self.places.remove(&gone.id);
        self.pieces.swap_remove(at);
        self.per_lengths.swap_remove(at);
        self.vectors.copy_within(last * n..(last + 1) * n, at * n);
        self.vectors.truncate(last * n);
        if let Some(moved) = self.rows.get(at) {
            self.places.insert(moved.id.clone(), at);
        }
    }

    /// The texts that are nearest to a query.
    pub fn nearest(&self, query: &[i8], limit: usize) -> Vec<SearchHit> {
        let mut found = nearest(&self.vectors, &self.per_lengths, query, limit);
        found.sort_by(|a, b| {
            let by_id = || self.rows[a.at].id.cmp(&self.rows[b.at].id);
            b.cosine.total_cmp(&a.cosine).then_with(by_id)
        });
        found.truncate(limit);
        let hit = |near: super::scan::Near| {
            let row = &self.rows[near.at];
            SearchHit {
                id: row.id.clone(),
                score: f64::from(near.cosine).clamp(-1.0, 1.0),
                text: row.text.clone(),
                data: row.data.clone(),
            }
        };
        found.into_iter().map(hit).collect()
    }
}
