//! Where examples are kept: an index of all tasks in one piece, and examples in pieces of a few, so that taking one in writes
//! little. All of it through [`Storage::update`], so that tabs do not lose each other's.
//!
//! All scripts of the site can write there, so what is read is held against the bounds within which it was written.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::checks::Checks;
use super::examples::Example;
use super::leave_one_out::ThresholdEstimate;
use super::looks::{Look, are_risks, claim_place};
use crate::host::Storage;

/// The longest input that is kept with its example, in bytes.
pub(super) const MOST_INPUT_BYTES: usize = 16 << 10;

/// The longest name of a task, and of a label, that there are examples of, in bytes.
pub(super) const MOST_NAME_BYTES: usize = 1 << 10;

/// The most values of a vector.
pub(super) const MOST_DIMENSION: usize = 1 << 14;

/// The most examples of a task that may be asked for.
pub(super) const MOST_EXAMPLES: usize = 5000;

/// How many hexadecimal digits the key of a subject has.
pub(super) const KEY_LEN: usize = 24;

/// Where the index is kept.
const INDEX: &str = "learned";

/// How many examples one piece has.
const PIECE: u64 = 32;

/// How many tasks there may be.
const MOST_TASKS: usize = 32;

/// The longest texts that an index and a piece are read from: JSON writes a byte of a text in up to six, a value of a
/// vector in up to five. The look of a task with its rulings takes less than 4 KiB, and so do its checks.
const MOST_INDEX_BYTES: usize = MOST_TASKS * (6 * MOST_NAME_BYTES + 256 + (8 << 10));
const MOST_PIECE_BYTES: usize =
    PIECE as usize * (6 * (MOST_INPUT_BYTES + MOST_NAME_BYTES) + 5 * MOST_DIMENSION + 256);

/// The largest number of an example: beyond it, JavaScript cannot count.
const MOST_NUMBER: u64 = 1 << 53;

/// The last moment that JavaScript's dates know, in milliseconds since 1970.
const MOST_MS: f64 = 8.64e15;

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
    /// The risks that were tested, in the order in which they were first asked for.
    #[serde(default, deserialize_with = "readable")]
    pub risks: Vec<f64>,
    /// The latest look, and what it found.
    #[serde(default, deserialize_with = "readable")]
    pub look: Option<Look>,
    /// What checked answers showed.
    #[serde(default, deserialize_with = "readable")]
    pub checks: Checks,
}

/// What cannot be read is absent, so that the examples are not lost with it.
fn readable<'de, D: Deserializer<'de>, T: Default + for<'a> Deserialize<'a>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).unwrap_or_default())
}

impl Entry {
    fn is_sound(&self) -> bool {
        self.task.len() <= MOST_NAME_BYTES
            && self.total <= MOST_NUMBER
            && self.pieces <= pieces(MOST_EXAMPLES)
    }

    /// Without what cannot be true of the look. It is then tested anew, at the same share.
    fn checked(mut self) -> Self {
        let total = self.total;
        self.look = self.look.filter(|look| look.is_sound(total));
        if !are_risks(&self.risks) {
            self.risks.clear();
        }
        self
    }

    /// In which piece an example is kept.
    fn piece(&self, number: u64) -> u64 {
        number / PIECE % self.pieces.max(1)
    }

    /// Opens the look that is due, where `most` examples may vote; fewer do where there are not the pieces for twice as many.
    pub fn open(&mut self, most: usize) {
        let room = self.pieces.saturating_sub(1) * PIECE / 2;
        let due = Look::due(self.look.as_ref(), self.total, room.min(most as u64));
        let known = |due: &Look| self.look.as_ref().is_some_and(|l| l.upto == due.upto);
        if let Some(due) = due.filter(|due| !known(due)) {
            self.look = Some(due);
        }
    }

    /// Settles what a test of `risk` at a look depends on: which examples vote, and the place of the risk. Whoever comes first
    /// decides.
    pub fn settle(&mut self, look: &Look, risk: f64) {
        if let Some(own) = self.look.as_mut().filter(|own| own.is(look)) {
            own.voters = own.voters.take().or_else(|| look.voters.clone());
            claim_place(&mut self.risks, risk);
        }
    }

    /// Takes in whether an answer at a risk was the remote's. True when the examples are trusted no more because of it.
    pub fn check(&mut self, risk: f64, correct: bool) -> bool {
        let alarm = self.checks.take(risk, correct);
        self.distrusted |= alarm;
        alarm
    }

    /// Keeps what was found at a look, if it still is the latest. Whoever comes first decides.
    pub fn keep(&mut self, look: &Look, found: ThresholdEstimate) {
        if let Some(own) = self.look.as_mut().filter(|own| own.is(look)) {
            own.keep(found);
        }
    }
}

impl Example {
    /// Whether it is one that may have been kept.
    pub(super) fn is_sound(&self) -> bool {
        let input = self.input.as_ref().map_or(0, String::len);
        self.number <= MOST_NUMBER
            && (1..=MOST_DIMENSION).contains(&self.vector.len())
            && (1..=MOST_NAME_BYTES).contains(&self.label.len())
            && input <= MOST_INPUT_BYTES
            && (0.0..=MOST_MS).contains(&self.at)
    }
}

/// All tasks, by their key.
pub type Index = BTreeMap<String, Entry>;

fn read(json: Option<String>) -> Index {
    let json = json.filter(|json| json.len() <= MOST_INDEX_BYTES);
    let index = json.and_then(|json| serde_json::from_str::<Index>(&json).ok());
    let entries = index.unwrap_or_default().into_iter();
    entries
        .filter(|(key, entry)| key.len() == KEY_LEN && entry.is_sound())
        .map(|(key, entry)| (key, entry.checked()))
        .take(MOST_TASKS)
        .collect()
}

/// The index.
pub async fn index(storage: &impl Storage) -> Index {
    let mut found = Index::new();
    let mut look = |json: Option<String>| {
        found = read(json.clone());
        json
    };
    storage.update(INDEX, &mut look).await;
    found
}

/// Changes one entry: where it is of another task than `new`, or there is none and there is room for it, that one. Gives it
/// as it is then.
pub async fn change(
    key: &str,
    new: Entry,
    storage: &impl Storage,
    change: impl Fn(&mut Entry),
) -> Option<Entry> {
    let mut after = None;
    let mut write = |json: Option<String>| {
        let mut index = read(json);
        if index.contains_key(key) || index.len() < MOST_TASKS {
            let entry = index.entry(key.to_owned()).or_default();
            if entry.task != new.task {
                *entry = new.clone();
            }
            change(entry);
            after = Some(entry.clone());
        }
        serde_json::to_string(&index).ok()
    };
    storage.update(INDEX, &mut write).await;
    after
}

/// Changes one entry, if there is one of this task. Gives it as it is then.
pub async fn amend(
    key: &str,
    task: &str,
    storage: &impl Storage,
    change: impl Fn(&mut Entry),
) -> Option<Entry> {
    let mut after = None;
    let mut write = |json: Option<String>| {
        let mut index = read(json);
        let entry = index.get_mut(key).filter(|entry| entry.task == task);
        after = entry.map(|entry| {
            change(entry);
            entry.clone()
        });
        serde_json::to_string(&index).ok()
    };
    storage.update(INDEX, &mut write).await;
    after
}

/// How many pieces hold the `most` examples that may vote and as many that wait, however the last piece stands.
pub fn pieces(most: usize) -> u64 {
    (2 * most as u64).div_ceil(PIECE) + 1
}

/// Keeps an example.
pub async fn put(key: &str, entry: &Entry, example: &Example, storage: &impl Storage) {
    let round = example.number / PIECE;
    let at = entry.piece(example.number);
    let mut write = |json: Option<String>| {
        let mut piece = examples(json);
        // What is there may be of an earlier turn, and is let go then.
        piece.retain(|e| e.number / PIECE == round && e.number != example.number);
        piece.push(example.clone());
        serde_json::to_string(&piece).ok()
    };
    storage.update(&place(key, at), &mut write).await;
}

/// All examples that are kept, the oldest first. A piece that cannot be read is lost alone, and so is an example that cannot
/// have been kept there.
pub async fn all(key: &str, entry: &Entry, storage: &impl Storage) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for piece in 0..entry.pieces.min(entry.total.div_ceil(PIECE)) {
        let mut look = |json: Option<String>| {
            let mut remaining = examples(json.clone());
            remaining.retain(|e| e.number < entry.total && entry.piece(e.number) == piece);
            found.append(&mut remaining);
            json
        };
        storage.update(&place(key, piece), &mut look).await;
    }
    found.sort_by_key(|e| e.number);
    found.dedup_by_key(|e| e.number);
    found
}

/// Forgets a task's examples.
pub async fn forget(key: &str, storage: &impl Storage) {
    let mut gone = None;
    let mut write = |json: Option<String>| {
        let mut index = read(json);
        gone = index.remove(key);
        serde_json::to_string(&index).ok()
    };
    storage.update(INDEX, &mut write).await;
    let pieces = gone.map_or(0, |entry| entry.pieces);
    for piece in 0..pieces {
        storage.update(&place(key, piece), &mut |_| None).await;
    }
}

fn examples(json: Option<String>) -> Vec<Example> {
    let json = json.filter(|json| json.len() <= MOST_PIECE_BYTES);
    let stored = json.and_then(|json| serde_json::from_str(&json).ok());
    let mut stored: Vec<Example> = stored.unwrap_or_default();
    stored.retain(Example::is_sound);
    stored
}

fn place(key: &str, piece: u64) -> String {
    format!("{INDEX}/{key}/{piece}")
}
