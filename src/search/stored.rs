//! Where indices are kept: a head for each with what made its vectors, and rows in pieces of a few, so that a change writes little.
//! All of it through [`Storage::update`], so that tabs do not lose each other's.
//!
//! All scripts of the site can write there, so what is read is held against the bounds within which it was written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::row::{Maker, SearchRow, wrong};
use crate::error::{Result, excerpt};
use crate::host::Storage;

/// The most texts of an index.
pub const MOST_ROWS: usize = 200_000;
/// The longest identifier in bytes.
pub const MOST_ID_BYTES: usize = 1 << 10;
/// The longest text in bytes.
pub const MOST_TEXT_BYTES: usize = 64 << 10;
/// The longest data of a text, as JSON, in bytes.
pub const MOST_DATA_BYTES: usize = 16 << 10;

/// How many rows a piece has, or a few more where two tabs fill it at the same time.
pub(super) const PIECE: usize = 64;

const MOST_DIMENSION: usize = 1 << 14;
/// Pieces that lost rows are filled again, so there are few more than the rows need.
const MOST_PIECES: usize = 4 * MOST_ROWS / PIECE;
/// JSON writes a byte of a text in up to six.
const MOST_PIECE_BYTES: usize = 2
    * PIECE
    * (6 * (MOST_TEXT_BYTES + MOST_ID_BYTES + MOST_DATA_BYTES) + 2 * MOST_DIMENSION + 256);
const MOST_HEAD_BYTES: usize = 24 * MOST_PIECES + (8 << 10);

/// Of the format. What another one wrote is not read.
const VERSION: u32 = 1;

/// What is known of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    version: u32,
    pub maker: Maker,
    pub dimension: usize,
    /// How often each piece was changed, counted from `from`.
    pub pieces: Vec<u64>,
    /// Above all revisions that there were before the index was cleared, so that no tab takes an old piece for a new one.
    from: u64,
}

impl Head {
    pub fn new(maker: &Maker, dimension: usize) -> Self {
        Head {
            version: VERSION,
            maker: maker.clone(),
            dimension,
            pieces: Vec::new(),
            from: 0,
        }
    }

    /// What is left of one that was cleared.
    fn cleared(&self) -> Self {
        Head {
            maker: Maker {
                task: String::new(),
                model: String::new(),
            },
            pieces: Vec::new(),
            from: self.pieces.iter().copied().max().unwrap_or(self.from) + 1,
            ..self.clone()
        }
    }

    fn is_cleared(&self) -> bool {
        self.maker.task.is_empty()
    }

    fn read(json: Option<&String>) -> Option<Self> {
        let json = json.filter(|json| json.len() <= MOST_HEAD_BYTES)?;
        let head: Head = serde_json::from_str(json).ok()?;
        let sound = head.version == VERSION
            && (1..=MOST_DIMENSION).contains(&head.dimension)
            && head.pieces.len() <= MOST_PIECES;
        sound.then_some(head)
    }

    fn write(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// A row with its vector.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub row: SearchRow,
    pub vector: Vec<i8>,
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
struct StoredRow {
    id: String,
    text: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    data: Value,
    /// Two hexadecimal digits a number.
    vector: String,
}

impl StoredRow {
    fn of(row: &Row) -> Self {
        let SearchRow { id, text, data } = row.row.clone();
        let digits = |&v: &i8| {
            let v = v.cast_unsigned();
            [v >> 4, v & 15].map(|d| char::from_digit(u32::from(d), 16).unwrap_or('0'))
        };
        StoredRow {
            id,
            text,
            data,
            vector: row.vector.iter().flat_map(digits).collect(),
        }
    }

    /// Nothing where it cannot have been written.
    fn read(self, dimension: usize) -> Option<Row> {
        let digit = |b: u8| char::from(b).to_digit(16);
        let (pairs, rest) = self.vector.as_bytes().as_chunks::<2>();
        let number = |[high, low]: &[u8; 2]| {
            let byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
            Some(byte.cast_signed())
        };
        let vector: Option<Vec<i8>> = pairs.iter().map(number).collect();
        let vector = vector.filter(|vector| rest.is_empty() && vector.len() == dimension)?;
        let row = SearchRow {
            id: self.id,
            text: self.text,
            data: self.data,
        };
        check(&row).ok()?;
        Some(Row { row, vector })
    }
}

/// Whether a text may be put into an index.
///
/// # Errors
/// [`Code::InvalidOption`](crate::error::Code::InvalidOption).
pub(super) fn check(row: &SearchRow) -> Result<()> {
    let id = excerpt(&row.id, 60);
    if row.id.is_empty() || row.id.len() > MOST_ID_BYTES {
        return Err(wrong(format!(
            "an id has 1 to {MOST_ID_BYTES} bytes, not \"{id}\""
        )));
    }
    if row.text.len() > MOST_TEXT_BYTES {
        let len = row.text.len();
        return Err(wrong(format!(
            "the text of \"{id}\" has {len} bytes, over {MOST_TEXT_BYTES}; put it in as several"
        )));
    }
    let data = serde_json::to_string(&row.data).map_or(0, |json| json.len());
    if data > MOST_DATA_BYTES {
        return Err(wrong(format!(
            "the data of \"{id}\" has {data} bytes as JSON, over {MOST_DATA_BYTES}"
        )));
    }
    Ok(())
}

fn head_key(name: &str) -> String {
    format!("search/{name}")
}

fn piece_key(name: &str, piece: usize) -> String {
    format!("search/{name}/{piece}")
}

/// An index's head; nothing where there is none.
pub(super) async fn head(name: &str, storage: &impl Storage) -> Option<Head> {
    let mut found = None;
    let mut look = |json: Option<String>| {
        found = Head::read(json.as_ref()).filter(|head| !head.is_cleared());
        json
    };
    storage.update(&head_key(name), &mut look).await;
    found
}

/// An index's head, made now where there is none; nothing where it is of other vectors.
pub(super) async fn opened(name: &str, new: Head, storage: &impl Storage) -> Option<Head> {
    let mut found = None;
    let mut open = |json: Option<String>| {
        let mut head = Head::read(json.as_ref()).unwrap_or_else(|| new.clone());
        if head.is_cleared() {
            let from = head.from;
            head = Head {
                from,
                ..new.clone()
            };
        }
        let same = head.maker == new.maker && head.dimension == new.dimension;
        let after = head.write();
        found = same.then_some(head);
        match same {
            true => after,
            false => json,
        }
    };
    storage.update(&head_key(name), &mut open).await;
    found
}

/// Counts a change of a piece. Gives the piece's revision; nothing where the index is gone.
pub(super) async fn revise(name: &str, piece: usize, storage: &impl Storage) -> Option<u64> {
    let mut revision = None;
    let mut count = |json: Option<String>| {
        let head = Head::read(json.as_ref()).filter(|head| !head.is_cleared());
        let Some(mut head) = head.filter(|_| piece < MOST_PIECES) else {
            return json;
        };
        if head.pieces.len() <= piece {
            head.pieces.resize(piece + 1, head.from);
        }
        head.pieces[piece] += 1;
        revision = Some(head.pieces[piece]);
        head.write()
    };
    storage.update(&head_key(name), &mut count).await;
    revision
}

fn read_rows(json: Option<String>, dimension: Option<usize>) -> Vec<Row> {
    let json = json.filter(|json| json.len() <= MOST_PIECE_BYTES);
    let stored = json.and_then(|json| serde_json::from_str::<Vec<StoredRow>>(&json).ok());
    let rows = stored.into_iter().flatten().take(2 * PIECE);
    rows.filter_map(|row| {
        let dimension = dimension.unwrap_or(row.vector.len() / 2);
        row.read(dimension)
    })
    .collect()
}

/// What a piece holds. What cannot have been written is left out: where no dimension is given, a vector may have any.
pub(super) async fn piece(
    name: &str,
    piece: usize,
    dimension: Option<usize>,
    storage: &impl Storage,
) -> Vec<Row> {
    let mut found = Vec::new();
    let mut look = |json: Option<String>| {
        found = read_rows(json.clone(), dimension);
        json
    };
    storage.update(&piece_key(name, piece), &mut look).await;
    found
}

/// Changes what a piece holds. Gives what it held, and what it is to hold then.
pub(super) async fn change(
    name: &str,
    piece: usize,
    storage: &impl Storage,
    change: impl Fn(&mut Vec<Row>),
) -> (Vec<Row>, Vec<Row>) {
    let mut changed = (Vec::new(), Vec::new());
    let mut write = |json: Option<String>| {
        let before = read_rows(json, None);
        let mut rows = before.clone();
        change(&mut rows);
        let stored: Vec<StoredRow> = rows.iter().map(StoredRow::of).collect();
        changed = (before, rows);
        serde_json::to_string(&stored).ok()
    };
    storage.update(&piece_key(name, piece), &mut write).await;
    changed
}

/// Forgets an index.
pub(super) async fn clear(name: &str, storage: &impl Storage) {
    let mut pieces = 0;
    let mut forget = |json: Option<String>| {
        let head = Head::read(json.as_ref())?;
        pieces = head.pieces.len();
        head.cleared().write()
    };
    storage.update(&head_key(name), &mut forget).await;
    for piece in 0..pieces {
        storage.update(&piece_key(name, piece), &mut |_| None).await;
    }
}
