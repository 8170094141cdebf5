//! Which of many vectors are nearest to one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use smallfirst_kernels::dot_integers;

/// The numbers of a vector, as they are multiplied with many.
fn widened(vector: &[i8]) -> Vec<i16> {
    vector.iter().map(|&v| i16::from(v)).collect()
}

/// One divided by the length of a vector.
pub(super) fn per_length(vector: &[i8]) -> f32 {
    let squares = dot_integers(vector, &widened(vector));
    1.0 / (squares.max(1) as f32).sqrt()
}

/// A vector's place, and how near it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Near {
    pub at: usize,
    pub cosine: f32,
}

/// In a heap of these, the farthest is on top.
impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        other.cosine.total_cmp(&self.cosine)
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Near {}

/// The nearest `limit` of vectors that lie one behind the other, and whatever is as near as the last of them, in no order.
/// `per_lengths` has one divided by the length of each.
pub(super) fn nearest(
    vectors: &[i8],
    per_lengths: &[f32],
    query: &[i8],
    limit: usize,
) -> Vec<Near> {
    if limit == 0 || query.is_empty() {
        return Vec::new();
    }
    let (per_query, wide) = (per_length(query), widened(query));
    let mut nearest: BinaryHeap<Near> = BinaryHeap::with_capacity(limit + 1);
    // As near as the last of the heap: which of them are given is decided by their identifiers.
    let mut tied: Vec<Near> = Vec::new();
    for (at, (vector, &per)) in vectors
        .chunks_exact(query.len())
        .zip(per_lengths)
        .enumerate()
    {
        let cosine = dot_integers(vector, &wide) as f32 * per * per_query;
        let near = Near { at, cosine };
        if nearest.len() < limit {
            nearest.push(near);
            continue;
        }
        let Some(farthest) = nearest.peek().copied() else {
            continue;
        };
        match cosine.total_cmp(&farthest.cosine) {
            Ordering::Less => {}
            Ordering::Equal => tied.push(near),
            Ordering::Greater => {
                nearest.pop();
                nearest.push(near);
                match nearest.peek() {
                    Some(last) if last.cosine == farthest.cosine => tied.push(farthest),
                    _ => tied.clear(),
                }
            }
        }
    }
    let mut found = nearest.into_vec();
    found.extend(tied);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn the_nearest_are_those_of_a_sort_ties_included() {
        let mut random = Random::new(1);
        for (dimension, spread) in [(5, 2), (16, 1), (33, 127), (384, 3)] {
            for count in [0, 1, 7, 200] {
                let mut values = |n: usize| -> Vec<i8> {
                    (0..n)
                        .map(|_| ((random.next() % (2 * spread + 1)) as i64 - spread as i64) as i8)
                        .collect()
                };
                let (vectors, query) = (values(dimension * count), values(dimension));
                let rows: Vec<&[i8]> = vectors.chunks_exact(dimension).collect();
                let per: Vec<f32> = rows.iter().map(|row| per_length(row)).collect();
                let slow = |row: &[i8]| -> i32 {
                    row.iter()
                        .zip(&query)
                        .map(|(&a, &b)| i32::from(a) * i32::from(b))
                        .sum()
                };
                let mut sorted: Vec<f32> = rows
                    .iter()
                    .zip(&per)
                    .map(|(row, per)| slow(row) as f32 * per * per_length(&query))
                    .collect();
                sorted.sort_by(|a, b| b.total_cmp(a));
                for limit in [0, 1, 3, 10, 500] {
                    let mut found: Vec<f32> = nearest(&vectors, &per, &query, limit)
                        .iter()
                        .map(|near| near.cosine)
                        .collect();
                    found.sort_by(|a, b| b.total_cmp(a));
                    let last = sorted.get(limit.wrapping_sub(1)).copied();
                    let wanted: Vec<f32> = match (limit, last) {
                        (0, _) => Vec::new(),
                        (_, Some(last)) => {
                            sorted.iter().copied().take_while(|c| *c >= last).collect()
                        }
                        (_, None) => sorted.clone(),
                    };
                    assert_eq!(found, wanted, "{dimension} {spread} {count} {limit}");
                }
            }
        }
    }
}
