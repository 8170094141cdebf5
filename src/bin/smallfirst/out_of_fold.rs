//! The out-of-fold predictions of a head's training rows: `train` leaves them, `calibrate` tunes on them.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smallfirst::bundle::{FileEntry, Manifest};
use smallfirst::calibrate::{InputSize, RawRow, RawScores};

use crate::draft::BundleDraft;
use crate::fingerprint::hex;

/// What is left of a training.
#[derive(Serialize, Deserialize)]
pub struct OutOfFold {
    /// The SHA-256 of the head's file. Predictions of another head say nothing of this one.
    pub head: String,
    /// One entry a training row.
    pub rows: Vec<OutOfFoldRow>,
}

/// One training row.
#[derive(Serialize, Deserialize)]
pub struct OutOfFoldRow {
    /// Names the text, so that tiers' rows are put together.
    pub text: String,
    /// The place of the right label.
    pub truth: usize,
    /// The slice it belongs to, if any.
    pub slice: Option<String>,
    /// The group of near-copies.
    pub group: usize,
    /// The length of the input.
    pub size: InputSize,
    /// The logits of a head that was trained without the row.
    pub logits: Vec<f32>,
}

/// The name of a text.
pub fn name_of(text: &str) -> String {
    hex(&Sha256::digest(text))[..16].to_owned()
}

/// Where they are stashed.
pub fn file_name(head: &str) -> String {
    format!("{head}.out-of-fold.json")
}

/// The rows to tune the tiers `names` on, and their groups of near-copies; nothing where a tier has no predictions of the head
/// as it is, or tiers were trained on other rows.
pub fn tuning_rows(
    draft: &BundleDraft,
    manifest: &Manifest,
    names: &[String],
) -> Result<Option<(Vec<RawRow>, Vec<usize>)>> {
    let mut tiers = Vec::new();
    for name in names {
        let Some(json) = draft.stashed(&file_name(name)) else {
            return Ok(None);
        };
        let found: OutOfFold = serde_json::from_slice(&json)
            .with_context(|| format!("{}: train again", file_name(name)))?;
        let file = manifest
            .heads
            .get(name)
            .and_then(|h| manifest.files.get(&h.file));
        if file.map(FileEntry::source_sha256) != Some(found.head.as_str()) {
            return Ok(None);
        }
        tiers.push(found.rows);
    }
    Ok(together(tiers))
}

fn together(tiers: Vec<Vec<OutOfFoldRow>>) -> Option<(Vec<RawRow>, Vec<usize>)> {
    let texts = |rows: &[OutOfFoldRow]| -> BTreeSet<(String, usize)> {
        rows.iter()
            .map(|row| (row.text.clone(), row.truth))
            .collect()
    };
    let first = texts(tiers.first()?);
    // A tier that does not take some of the rows has none of theirs, and who knows those cannot be told from others.
    if first.is_empty() || tiers.iter().any(|rows| texts(rows) != first) {
        return None;
    }
    let mut tiers = tiers.into_iter();
    let (mut rows, mut groups) = (Vec::new(), Vec::new());
    let mut places = std::collections::HashMap::new();
    for row in tiers.next()? {
        places.entry((row.text, row.truth)).or_insert(rows.len());
        groups.push(row.group);
        rows.push(RawRow {
            truth: Some(row.truth),
            slice: row.slice,
            size: row.size,
            tiers: vec![Some(raw(row.logits))],
        });
    }
    for (tier, more) in tiers.enumerate() {
        for row in &mut rows {
            row.tiers.resize_with(tier + 2, || None);
        }
        for row in more {
            if let Some(row_at) = places
                .get(&(row.text, row.truth))
                .and_then(|&at| rows.get_mut(at))
            {
                row_at.tiers[tier + 1] = Some(raw(row.logits));
            }
        }
    }
    Some((rows, groups))
}

fn raw(logits: Vec<f32>) -> RawScores {
    RawScores {
        logits: logits.into_iter().map(f64::from).collect(),
        vector: None,
        out_of_fold: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, truth: usize, logit: f32) -> OutOfFoldRow {
        OutOfFoldRow {
            text: name_of(text),
            truth,
            slice: None,
            group: truth,
            size: InputSize::default(),
            logits: vec![logit, 0.0],
        }
    }

    #[test]
    fn tiers_of_the_same_rows_are_put_together() {
        let first = vec![row("a", 0, 1.0), row("b", 1, 2.0)];
        let second = vec![row("b", 1, 4.0), row("a", 0, 3.0)];
        let (rows, groups) = together(vec![first, second]).unwrap();
        let logits = |at: usize, tier: usize| rows[at].tiers[tier].as_ref().unwrap().logits[0];
        assert_eq!((logits(0, 0), logits(0, 1)), (1.0, 3.0));
        assert_eq!((logits(1, 0), logits(1, 1)), (2.0, 4.0));
        assert_eq!(groups, [0, 1]);
    }

    #[test]
    fn tiers_of_other_rows_are_not() {
        let first = || vec![row("a", 0, 1.0), row("b", 1, 2.0)];
        assert!(together(vec![first(), vec![row("a", 0, 1.0)]]).is_none());
        assert!(together(vec![first(), vec![row("a", 0, 1.0), row("b", 0, 1.0)]]).is_none());
        assert!(together(vec![Vec::new()]).is_none());
        assert!(together(Vec::new()).is_none());
    }
}
