//! Search by meaning over a caller's own texts: each has a vector, and what is nearest to a query's is found. No I/O here: the
//! [`Storage`] keeps things, and whoever asks brings the vectors.
//!
//! Every vector is looked at, so nothing is missed. A vector is kept as a direction in 8-bit numbers ([`quantise`]), 384 bytes for
//! 384 numbers, and similarities are cosines of these.

mod memory;
mod row;
mod scan;
mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use row::{Maker, SearchHit, SearchRow};
pub use stored::{MOST_DATA_BYTES, MOST_ID_BYTES, MOST_ROWS, MOST_TEXT_BYTES};

use crate::error::{Code, Error, Result, excerpt};
use crate::host::Storage;
use crate::neighbours::quantise;
use memory::Rows;
use row::wrong;
use stored::{Head, Row};

/// All indices of a page, by name.
#[derive(Debug, Default)]
pub struct SearchIndices {
    rows: Mutex<BTreeMap<String, Rows>>,
}

impl SearchIndices {
    /// Whether a name may be that of an index.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn check_name(name: &str) -> Result<()> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        match (1..=64).contains(&name.len()) && name.bytes().all(plain) {
            true => Ok(()),
            false => Err(Error::new(
                Code::InvalidOption,
                format!(
                    "\"{}\" is no name of an index: 1 to 64 letters, digits, dots, dashes or underscores",
                    excerpt(name, 80)
                ),
            )),
        }
    }

    /// Puts texts into an index, each with its vector; texts with the same identifiers are replaced.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] for an identifier or data that is too long, an identifier that is given twice, too many texts, and
    /// for vectors of something else than those that are there.
    pub async fn put(
        &self,
        name: &str,
        maker: &Maker,
        rows: Vec<(SearchRow, Vec<f32>)>,
        storage: &impl Storage,
    ) -> Result<usize> {
        let Some(dimension) = rows.first().map(|(_, vector)| vector.len()) else {
            return self.count(name, maker, storage).await;
        };
        let mut ids = BTreeSet::new();
        let mut made = Vec::with_capacity(rows.len());
        for (row, vector) in rows {
            stored::check(&row)?;
            if !ids.insert(row.id.clone()) {
                return Err(wrong(format!(
                    "the id \"{}\" is given twice",
                    excerpt(&row.id, 60)
                )));
            }
            let vector = quantise(&vector).filter(|vector| vector.len() == dimension);
            let vector = vector.ok_or_else(|| {
                let id = excerpt(&row.id, 60);
                Error::new(
                    Code::ModelOutput,
                    format!("the vector of \"{id}\" has no direction, or not {dimension} numbers"),
                )
            })?;
            made.push(Row { row, vector });
        }
        self.refresh(name, maker, storage).await?;
        let head = Head::new(maker, dimension);
        stored::opened(name, head, storage)
            .await
            .ok_or_else(|| stale(name))?;
        let full = |all: usize| wrong(format!("an index has at most {MOST_ROWS} texts, not {all}"));
        let parts = {
            let mut all = self.lock();
            let own = all.entry(name.to_owned()).or_default();
            let new = ids.iter().filter(|id| own.piece(id).is_none()).count();
            if own.len() + new > MOST_ROWS {
                return Err(full(own.len() + new));
            }
            own.parts(made)
        };
        for (piece, rows) in parts {
            self.change(name, piece, storage, |kept| {
                kept.retain(|old| rows.iter().all(|new| new.row.id != old.row.id));
                kept.extend(rows.iter().cloned());
            })
            .await?;
        }
        Ok(self.len(name))
    }

    /// Takes texts out. Gives how many are left.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] where the index has vectors of something else.
    pub async fn remove(
        &self,
        name: &str,
        maker: &Maker,
        ids: &[String],
        storage: &impl Storage,
    ) -> Result<usize> {
        self.refresh(name, maker, storage).await?;
        let ids: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        let pieces: BTreeSet<usize> = {
            let all = self.lock();
            let own = all.get(name);
            let piece = |id: &&str| own.and_then(|own| own.piece(id));
            ids.iter().filter_map(piece).collect()
        };
        for piece in pieces {
            self.change(name, piece, storage, |kept| {
                kept.retain(|row| !ids.contains(row.row.id.as_str()));
            })
            .await?;
        }
        Ok(self.len(name))
    }

    /// The texts whose vectors are nearest to one, the nearest first; of equally near ones, the first by identifier.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] where the index has vectors of something else.
    pub async fn search(
        &self,
        name: &str,
        maker: &Maker,
        vector: &[f32],
        limit: usize,
        storage: &impl Storage,
    ) -> Result<Vec<SearchHit>> {
        self.refresh(name, maker, storage).await?;
        let all = self.lock();
        let Some(own) = all.get(name).filter(|own| own.len() > 0) else {
            return Ok(Vec::new());
        };
        let query = quantise(vector).filter(|query| query.len() == own.dimension());
        let query = query.ok_or_else(|| {
            Error::new(
                Code::ModelOutput,
                "the query's vector has no direction, or another length",
            )
        })?;
        Ok(own.nearest(&query, limit))
    }

    /// How many texts an index has.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] where it has vectors of something else.
    pub async fn count(&self, name: &str, maker: &Maker, storage: &impl Storage) -> Result<usize> {
        self.refresh(name, maker, storage).await?;
        Ok(self.len(name))
    }

    /// Forgets an index, whatever made its vectors.
    pub async fn clear(&self, name: &str, storage: &impl Storage) {
        stored::clear(name, storage).await;
        self.lock().remove(name);
    }

    fn len(&self, name: &str) -> usize {
        self.lock().get(name).map_or(0, Rows::len)
    }

    /// Changes what a piece holds, as one transaction, and takes over what it holds then. It is read again: a browser whose storage
    /// is full says nothing of it here, and a text that is not kept would be missed on the next page without a word.
    async fn change(
        &self,
        name: &str,
        piece: usize,
        storage: &impl Storage,
        change: impl Fn(&mut Vec<Row>),
    ) -> Result<()> {
        let (before, after) = stored::change(name, piece, storage, change).await;
        let kept = stored::piece(name, piece, None, storage).await;
        // Where another tab has changed it since, it is something else again.
        let lost = kept == before && before != after;
        let wanted = stored::revise(name, piece, storage).await;
        let head = stored::head(name, storage).await;
        let counted = head.and_then(|head| head.pieces.get(piece).copied());
        if let (Some(own), Some(revision)) = (self.lock().get_mut(name), counted) {
            own.replace(piece, revision, kept);
        }
        match lost || counted.is_none() || counted < wanted {
            true => Err(Error::new(
                Code::NotStored,
                format!(
                    "the index \"{name}\" could not be kept: the browser's storage for this site is full, or gives no answer; what was not written is not in the index"
                ),
            )),
            false => Ok(()),
        }
    }

    /// Takes over what other tabs and earlier pages stored.
    async fn refresh(&self, name: &str, maker: &Maker, storage: &impl Storage) -> Result<()> {
        let Some(head) = stored::head(name, storage).await else {
            self.lock().remove(name);
            return Ok(());
        };
        if head.maker != *maker {
            return Err(stale(name));
        }
        let outdated: Vec<(usize, u64)> = {
            let mut all = self.lock();
            let own = all.entry(name.to_owned()).or_default();
            own.open(&head);
            let pieces = head.pieces.iter().copied().enumerate();
            pieces
                .filter(|&(piece, revision)| own.revision(piece) != Some(revision))
                .collect()
        };
        for (piece, revision) in outdated {
            let rows = stored::piece(name, piece, Some(head.dimension), storage).await;
            if let Some(own) = self.lock().get_mut(name) {
                own.replace(piece, revision, rows);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Rows>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stale(name: &str) -> Error {
    wrong(format!(
        "the index \"{name}\" has vectors of another model or task, which cannot be compared with this one's; clear() it and put the texts again"
    ))
}

#[cfg(test)]
mod tests;
