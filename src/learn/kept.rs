//! Where examples are kept: an index of all tasks in one piece, and examples in pieces of a few, so that taking one in writes
//! little. All of it through [`Transport::update`], so that tabs do not lose each other's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::examples::Example;
use crate::remote::Transport;

/// Where the index is kept.
const INDEX: &str = "learned";

/// How many examples one piece has.
const PIECE: u64 = 32;

/// How many tasks there may be.
const MOST_TASKS: usize = 32;

/// What is known of a task's examples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The task.
    pub task: String,
    /// How many examples have come, those that were let go included.
    pub total: u64,
    /// In how many pieces they are kept, in turn.
    pub pieces: u64,
    /// Whether checked answers broke the promise: they are not trusted again.
    pub distrusted: bool,
}

/// All tasks, by their key.
pub type Index = BTreeMap<String, Entry>;

fn read(json: Option<String>) -> Index {
    json.and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default()
}

/// The index.
pub async fn index(transport: &impl Transport) -> Index {
    let mut found = Index::new();
    let mut look = |json: Option<String>| {
        found = read(json.clone());
        json
    };
    transport.update(INDEX, &mut look).await;
    found
}

/// Changes one entry, making it if there is room for another task. Gives it as it is then.
pub async fn change(
    key: &str,
    transport: &impl Transport,
    make: impl Fn() -> Entry,
    change: impl Fn(&mut Entry),
) -> Option<Entry> {
    let mut after = None;
    let mut write = |json: Option<String>| {
        let mut index = read(json);
        if index.contains_key(key) || index.len() < MOST_TASKS {
            let entry = index.entry(key.to_owned()).or_insert_with(&make);
            change(entry);
            after = Some(entry.clone());
        }
        serde_json::to_string(&index).ok()
    };
    transport.update(INDEX, &mut write).await;
    after
}

/// How many pieces hold `most` examples, however the last piece stands.
pub fn pieces(most: usize) -> u64 {
    (most as u64).div_ceil(PIECE) + 1
}

/// Keeps an example.
pub async fn put(key: &str, entry: &Entry, example: &Example, transport: &impl Transport) {
    let round = example.number / PIECE;
    let mut write = |json: Option<String>| {
        let mut piece = examples(json);
        // What is there may be of an earlier turn, and is let go then.
        piece.retain(|e| e.number / PIECE == round && e.number != example.number);
        piece.push(example.clone());
        serde_json::to_string(&piece).ok()
    };
    let place = place(key, round % entry.pieces.max(1));
    transport.update(&place, &mut write).await;
}

/// All examples that are kept, the oldest first. A piece that cannot be read is lost alone.
pub async fn all(key: &str, entry: &Entry, transport: &impl Transport) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for piece in 0..entry.pieces.min(entry.total.div_ceil(PIECE)) {
        let mut look = |json: Option<String>| {
            found.extend(examples(json.clone()));
            json
        };
        transport.update(&place(key, piece), &mut look).await;
    }
    found.sort_by_key(|e| e.number);
    found.dedup_by_key(|e| e.number);
    found
}

/// Forgets a task's examples.
pub async fn forget(key: &str, transport: &impl Transport) {
    let mut gone = None;
    let mut write = |json: Option<String>| {
        let mut index = read(json);
        gone = index.remove(key);
        serde_json::to_string(&index).ok()
    };
    transport.update(INDEX, &mut write).await;
    let pieces = gone.map_or(0, |entry| entry.pieces);
    for piece in 0..pieces {
        transport.update(&place(key, piece), &mut |_| None).await;
    }
}

fn examples(json: Option<String>) -> Vec<Example> {
    json.and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default()
}

fn place(key: &str, piece: u64) -> String {
    format!("{INDEX}/{key}/{piece}")
}
