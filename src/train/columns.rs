//! The buckets that occur, as columns of a sparse matrix.
//!
//! A bucket that no row has keeps a weight of zero, and buckets that the same rows have get the same weights: one column
//! stands for them, longer by the root of their number, which leaves the penalised loss as it is. Of short texts most
//! buckets are in a single row.

use std::collections::BTreeMap;

/// By how much n-grams are enlarged for the fit (and the table with it afterwards). A standardised
/// column has squares that add up to the number of rows, a bucket's to very little: under one penalty
/// it would have no say.
const GAIN: f32 = 10.0;

/// A sparse matrix, by rows and by columns.
pub(super) struct Columns {
    /// The buckets of each column, in rising order.
    buckets: Vec<Vec<u32>>,
    by_row: Lists,
    by_column: Lists,
}

/// Lists of indices with values, one after the other.
struct Lists {
    ends: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl Lists {
    fn of<'l>(lists: impl Iterator<Item = &'l [(u32, f32)]>) -> Self {
        let mut all = Lists {
            ends: Vec::new(),
            entries: Vec::new(),
        };
        for list in lists {
            all.entries.extend(list);
            all.ends.push(all.entries.len());
        }
        all
    }

    fn at(&self, at: usize) -> &[(u32, f32)] {
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[from..self.ends[at]]
    }
}

/// The value of each bucket of a row that has `present` of them.
fn value(present: usize) -> f32 {
    GAIN / (present.max(1) as f32).sqrt()
}

impl Columns {
    /// Of rows with these buckets.
    pub(super) fn new(rows: &[&[u32]]) -> Self {
        let mut occurrences: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (row, present) in (0..).zip(rows) {
            for bucket in *present {
                occurrences.entry(*bucket).or_default().push(row);
            }
        }
        // In the order of their first buckets, so that nothing depends on chance.
        let mut alike: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let mut buckets: Vec<Vec<u32>> = Vec::new();
        for (bucket, rows) in occurrences {
            let column = *alike.entry(rows).or_insert(buckets.len());
            match buckets.get_mut(column) {
                Some(known) => known.push(bucket),
                None => buckets.push(vec![bucket]),
            }
        }
        let mut of_rows: Vec<Vec<(u32, f32)>> = vec![Vec::new(); rows.len()];
        let mut of_columns: Vec<Vec<(u32, f32)>> = vec![Vec::new(); buckets.len()];
        for (with, column) in alike {
            let times = (buckets[column].len() as f32).sqrt();
            for row in with {
                let value = times * value(rows[row as usize].len());
                of_rows[row as usize].push((column as u32, value));
                of_columns[column].push((row, value));
            }
        }
        of_rows
            .iter_mut()
            .for_each(|row| row.sort_by_key(|(column, _)| *column));
        Columns {
            buckets,
            by_row: Lists::of(of_rows.iter().map(Vec::as_slice)),
            by_column: Lists::of(of_columns.iter().map(Vec::as_slice)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// The columns that a row has, and their values.
    pub(super) fn row(&self, row: usize) -> &[(u32, f32)] {
        self.by_row.at(row)
    }

    /// The rows that have a column, and their values.
    pub(super) fn column(&self, column: usize) -> &[(u32, f32)] {
        self.by_column.at(column)
    }

    /// The columns' weights as a table of all buckets, for values that are not enlarged.
    pub(super) fn table(&self, weights: &[f32], buckets: usize, classes: usize) -> Vec<f32> {
        let mut table = vec![0.0; buckets * classes];
        for (of, row) in self.buckets.iter().zip(weights.chunks_exact(classes)) {
            let times = GAIN / (of.len() as f32).sqrt();
            for bucket in of {
                let from = *bucket as usize * classes;
                let out = &mut table[from..from + classes];
                out.iter_mut().zip(row).for_each(|(o, w)| *o = times * w);
            }
        }
        table
    }

    /// The columns' weights by a table of all buckets.
    pub(super) fn weights(&self, table: &[f32], classes: usize) -> Vec<f32> {
        let mut weights = vec![0.0; self.len() * classes];
        for (of, row) in self.buckets.iter().zip(weights.chunks_exact_mut(classes)) {
            let times = 1.0 / (GAIN * (of.len() as f32).sqrt());
            for bucket in of {
                let from = *bucket as usize * classes;
                let known = &table[from..from + classes];
                row.iter_mut().zip(known).for_each(|(w, k)| *w += times * k);
            }
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_the_same_rows_are_one_column_and_come_out_as_themselves() {
        let rows: [&[u32]; 3] = [&[1, 4, 7], &[4, 9], &[1, 4, 7, 9]];
        let columns = Columns::new(&rows);
        // 1 and 7 are alike.
        assert_eq!(columns.buckets, [vec![1, 7], vec![4], vec![9]]);
        let weights = [1.0, -1.0, 2.0, 3.0, 0.5, 0.0];
        let table = columns.table(&weights, 12, 2);
        // What a row adds up to is the same by the columns as by the buckets.
        for (at, present) in rows.iter().enumerate() {
            for class in 0..2 {
                let by_columns: f32 = columns
                    .row(at)
                    .iter()
                    .map(|(column, value)| value * weights[*column as usize * 2 + class])
                    .sum();
                let of = |bucket: &u32| table[*bucket as usize * 2 + class];
                let by_buckets =
                    present.iter().map(of).sum::<f32>() / (present.len() as f32).sqrt();
                assert!((by_columns - by_buckets).abs() < 1e-5);
            }
        }
        // So are the squares that the penalty adds up.
        let squares = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>();
        let unlike = squares(&weights) - squares(&table) / (GAIN * GAIN);
        assert!(unlike.abs() < 1e-5);
        for (back, weight) in columns.weights(&table, 2).iter().zip(weights) {
            assert!((back - weight).abs() < 1e-6);
        }
        for column in 0..columns.len() {
            for (row, value) in columns.column(column) {
                assert!(
                    columns
                        .row(*row as usize)
                        .contains(&(column as u32, *value))
                );
            }
        }
    }
}
