//! Out-of-fold predictions: what each training row gets from a head that was trained without it. They are to calibration what fresh
//! rows are, so that all labelled rows beside the training rows are left to certify.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng;

use super::linear::Samples;
use super::objective::Objective;
use super::solver::{self, Stop};
use super::{CHOOSING, Options, check};
use crate::data::shuffle;
use crate::error::Result;

/// How many parts rows are cut into where there are many.
pub const FOLDS: usize = 5;

/// For each of the penalties `l2`, the logits of each row from a head that was trained on the other of `folds` parts. Rows of one
/// group are in one part; with as many parts as groups, each is left out by itself. A head begins anew, so that nothing of a row
/// that it must not know comes with the start.
///
/// # Errors
/// As [`super::train`].
pub fn out_of_fold(
    samples: &Samples,
    groups: &[usize],
    options: &Options,
    l2: &[f64],
    folds: usize,
) -> Result<Vec<Vec<Vec<f32>>>> {
    check(samples, groups, options)?;
    let parts = parts(groups, options.seed, folds);
    let mut logits = vec![vec![Vec::new(); samples.labels.len()]; l2.len()];
    for part in 0..folds {
        let others: Vec<usize> = (0..parts.len()).filter(|&row| parts[row] != part).collect();
        let objective = Objective::new(samples, &others, options.balanced);
        let stop = Stop {
            gain: CHOOSING,
            iterations: options.max_iterations,
        };
        for (l2, logits) in l2.iter().zip(&mut logits) {
            let found = solver::minimise(&objective.with_l2(*l2), objective.start(), stop, |_| {});
            let model = objective.unscaled(&found.at);
            for row in (0..parts.len()).filter(|&row| parts[row] == part) {
                let dense = &samples.dense[row * samples.width..(row + 1) * samples.width];
                let sparse = samples.sparse.get(row).map_or(&[][..], Vec::as_slice);
                logits[row] = model.logits(dense, sparse);
            }
        }
    }
    Ok(logits)
}

/// The part of each row: groups in an order that the seed decides, each to the smallest part.
fn parts(groups: &[usize], seed: u64, folds: usize) -> Vec<usize> {
    let count = groups.iter().max().map_or(0, |most| most + 1);
    let mut sizes = vec![0; count];
    groups.iter().for_each(|&group| sizes[group] += 1);
    let mut order: Vec<usize> = (0..count).collect();
    let mut random = Pcg32::seed_from_u64(seed);
    shuffle(&mut order, &mut random);
    // Large groups first: what comes last evens the parts out.
    order.sort_by_key(|&group| std::cmp::Reverse(sizes[group]));
    let mut rows = vec![0; folds.max(1)];
    let mut of_group = vec![0; count];
    for group in order {
        let smallest = (0..rows.len()).min_by_key(|&part| rows[part]).unwrap_or(0);
        of_group[group] = smallest;
        rows[smallest] += sizes[group];
    }
    groups.iter().map(|&group| of_group[group]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::most_probable;
    use crate::testing::Random;
    use crate::train::train;

    /// As many features as make a head learn its rows by heart: labels are drawn by lot.
    fn noise(random: &mut Random, rows: usize, width: usize) -> (Vec<f32>, Vec<u32>) {
        let dense = (0..rows * width)
            .map(|_| random.uniform() as f32 - 0.5)
            .collect();
        let labels = (0..rows)
            .map(|_| u32::from(random.uniform() < 0.5))
            .collect();
        (dense, labels)
    }

    fn right(logits: &[Vec<f32>], labels: &[u32]) -> f64 {
        let rows = logits.iter().zip(labels);
        let right = rows.filter(|(logits, label)| {
            let logits: Vec<f64> = logits.iter().copied().map(f64::from).collect();
            most_probable(&logits) == **label as usize
        });
        right.count() as f64 / labels.len() as f64
    }

    fn five_parts(samples: &Samples, groups: &[usize], options: &Options) -> Vec<Vec<f32>> {
        out_of_fold(samples, groups, options, &[1e-4], FOLDS)
            .unwrap()
            .remove(0)
    }

    #[test]
    fn a_row_is_judged_by_heads_that_do_not_know_it() {
        let mut random = Random::new(51);
        let (dense, labels) = noise(&mut random, 200, 100);
        let samples = Samples {
            dense: &dense,
            width: 100,
            sparse: &[],
            buckets: 0,
            labels: &labels,
            classes: 2,
        };
        let options = Options {
            l2: vec![1e-4],
            ..Options::default()
        };
        let alone: Vec<usize> = (0..200).collect();
        let head = train(&samples, &alone, &options, |_| {}).unwrap().model;
        let by_heart: Vec<Vec<f32>> = dense.chunks(100).map(|row| head.logits(row, &[])).collect();
        let out = five_parts(&samples, &alone, &options);
        assert!(right(&by_heart, &labels) > 0.9);
        assert!((right(&out, &labels) - 0.5).abs() < 0.15);
        // A copy in another part would give a row away.
        let (dense, labels) = (
            [&dense[..], &dense[..]].concat(),
            [&labels[..], &labels[..]].concat(),
        );
        let samples = Samples {
            dense: &dense,
            labels: &labels,
            ..samples
        };
        let pairs: Vec<usize> = (0..400).map(|row| row % 200).collect();
        let out = five_parts(&samples, &pairs, &options);
        assert!((right(&out, &labels) - 0.5).abs() < 0.15);
        let alone: Vec<usize> = (0..400).collect();
        let out = five_parts(&samples, &alone, &options);
        assert!(right(&out, &labels) > 0.7);
    }

    #[test]
    fn parts_are_even_and_hold_whole_groups() {
        let groups: Vec<usize> = (0..1000)
            .map(|row| if row < 100 { 0 } else { row - 99 })
            .collect();
        let parts = parts(&groups, 7, FOLDS);
        assert!(parts[..100].iter().all(|&part| part == parts[0]));
        for part in 0..FOLDS {
            let rows = parts.iter().filter(|&&p| p == part).count();
            assert_eq!(rows, 200);
        }
    }
}
