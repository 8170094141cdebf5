//! Rows of kinds that the test rows have few or none of: no promise is for them, and a user meets them all the same.

use std::collections::BTreeMap;

use serde::Serialize;

use super::delivered::{PolicySlice, best_pairs, of_policies, right};
use super::metrics::Share;
use super::{Measured, Observation};

/// What the reports say above the figures.
pub(super) const EXPLAINED: &str = "Kinds of input that the rows above have few or none of, so no promise is for them. Where no label is right, every local answer counts as wrong.";

/// The name of the rows that name no slice.
const UNNAMED: &str = "others";

/// Figures of one kind of input.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Beyond {
    /// Its name.
    pub slice: String,
    /// Rows, those that the limits refuse and those without a label among them.
    pub n: u64,
    /// Right answers among the labelled rows that some tier takes, thresholds aside; nothing where no row has a label.
    pub accuracy: Option<Share>,
    /// What each risk delivers.
    pub policies: Vec<PolicySlice>,
}

/// The figures of each kind, in the order in which they come.
pub(super) fn beyond(measured: &Measured) -> Vec<Beyond> {
    let mut order: Vec<&str> = Vec::new();
    let mut groups: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    for row in &measured.beyond {
        let name = row.slice.as_deref().unwrap_or(UNNAMED);
        let group = groups.entry(name).or_default();
        if group.is_empty() {
            order.push(name);
        }
        group.push(row);
    }
    order
        .into_iter()
        .map(|name| {
            let rows = &groups[name];
            let labelled = rows.iter().any(|row| row.truth.is_some());
            Beyond {
                slice: name.to_owned(),
                n: rows.len() as u64,
                accuracy: labelled.then(|| right(&best_pairs(rows))),
                policies: of_policies(measured, rows),
            }
        })
        .collect()
}
