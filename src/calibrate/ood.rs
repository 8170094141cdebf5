//! Out-of-distribution scores: how unlike the training data an input is. Higher is always less
//! alike. Two of them need a model of the training vectors, which is made here.

use nalgebra::{Cholesky, DMatrix};

use crate::engine::onnx::writer;

/// The share of the identity that is mixed into the covariance, so that it can be inverted whatever
/// the data (shrinkage, after Ledoit and Wolf 2004, with a fixed amount).
const SHRINKAGE: f64 = 0.05;

/// Which neighbour's distance counts.
pub const NEIGHBOUR: usize = 10;

/// The most training vectors the nearest-neighbour model keeps.
pub const MOST_VECTORS: usize = 512;

/// The ONNX model of the Mahalanobis distance to the nearest class mean under one shared covariance
/// (Lee et al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution Samples").
/// `vectors` is row-major `[labels.len(), width]`. Nothing when there are no vectors.
pub fn mahalanobis(
    vectors: &[f32],
    width: usize,
    labels: &[u32],
    classes: usize,
) -> Option<Vec<u8>> {
    if vectors.is_empty() || width == 0 {
        return None;
    }
    let mut means = vec![vec![0.0_f64; width]; classes];
    let mut counts = vec![0.0_f64; classes];
    for (row, &label) in vectors.chunks_exact(width).zip(labels) {
        let (mean, count) = (
            means.get_mut(label as usize)?,
            counts.get_mut(label as usize)?,
        );
        *count += 1.0;
        for (sum, &value) in mean.iter_mut().zip(row) {
            *sum += f64::from(value);
        }
    }
    for (mean, count) in means.iter_mut().zip(&counts) {
        mean.iter_mut().for_each(|sum| *sum /= count.max(1.0));
    }
    let mut covariance = DMatrix::<f64>::zeros(width, width);
    let mut centred = vec![0.0; width];
    for (row, &label) in vectors.chunks_exact(width).zip(labels) {
        let mean = means.get(label as usize)?;
        for ((out, &value), mean) in centred.iter_mut().zip(row).zip(mean) {
            *out = f64::from(value) - mean;
        }
        for i in 0..width {
            for j in 0..=i {
                covariance[(i, j)] += centred[i] * centred[j];
            }
        }
    }
    covariance.fill_upper_triangle_with_lower_triangle();
    covariance /= labels.len() as f64;
    let average = covariance.trace() / width as f64;
    covariance *= 1.0 - SHRINKAGE;
    for i in 0..width {
        covariance[(i, i)] += SHRINKAGE * average.max(1e-12);
    }
    // With S = L L^T, x^T S^-1 x is the squared length of L^-1 x.
    let inverse = Cholesky::new(covariance)?
        .l()
        .solve_lower_triangular(&DMatrix::identity(width, width))?;
    let whitening: Vec<f32> = (0..width)
        .flat_map(|i| (0..width).map(move |j| (j, i)))
        .map(|at| inverse[at] as f32)
        .collect();
    // Classes without rows have no mean to be near to.
    let whitened: Vec<f32> = means
        .iter()
        .zip(&counts)
        .filter(|(_, count)| **count > 0.0)
        .flat_map(|(mean, _)| {
            let inverse = &inverse;
            (0..width)
                .map(move |i| (0..width).map(|j| inverse[(i, j)] * mean[j]).sum::<f64>() as f32)
        })
        .collect();
    Some(writer::nearest_mean(&whitening, &whitened, width))
}

/// The ONNX model of one minus the cosine to the [`NEIGHBOUR`]-th nearest of at most
/// [`MOST_VECTORS`] training vectors (Sun et al. 2022, "Out-of-Distribution Detection with Deep
/// Nearest Neighbors"), taken evenly from all. Nothing when there are no vectors.
pub fn nearest_neighbour(vectors: &[f32], width: usize) -> Option<Vec<u8>> {
    if vectors.is_empty() || width == 0 {
        return None;
    }
    let rows = vectors.len() / width;
    let taken = rows.min(MOST_VECTORS);
    let units: Vec<f32> = (0..taken)
        .flat_map(|i| {
            let at = i * rows / taken * width;
            let row = &vectors[at..at + width];
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            row.iter().map(move |v| v / norm)
        })
        .collect();
    Some(writer::nearest_neighbour(&units, width, NEIGHBOUR))
}

/// The area under the ROC curve: the chance that an out-of-scope input scores higher than one in
/// scope, ties counting half. Nothing when either is missing.
pub fn auroc(in_scope: &[f64], out_of_scope: &[f64]) -> Option<f64> {
    if in_scope.is_empty() || out_of_scope.is_empty() {
        return None;
    }
    let mut sorted = in_scope.to_vec();
    sorted.sort_by(f64::total_cmp);
    let wins: f64 = out_of_scope
        .iter()
        .map(|&score| {
            let below = sorted.partition_point(|&s| s < score) as f64;
            let equal = sorted.partition_point(|&s| s <= score) as f64 - below;
            below + equal / 2.0
        })
        .sum();
    Some(wins / (in_scope.len() as f64 * out_of_scope.len() as f64))
}

/// The score that the share `keep` of `in_scope` does not exceed.
pub fn cut(in_scope: &[f64], keep: f64) -> f64 {
    let mut sorted = in_scope.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (keep * sorted.len() as f64).ceil() as usize;
    let at = at.clamp(1, sorted.len().max(1)) - 1;
    // Rounded up, so that what was kept stays kept.
    match sorted.get(at) {
        Some(cut) => (cut * 1e6).ceil() / 1e6,
        None => f64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Element, Model, Shape, Tensor};
    use crate::testing::Random;

    fn score(onnx: &[u8], x: &[f32]) -> f32 {
        let model = Model::load("ood", onnx.to_vec(), Element::F32, Shape::Row(x.len())).unwrap();
        model.run(Tensor::F32(x.to_vec())).unwrap()[0]
    }

    /// Two clouds around (4, 0) and (0, 4), wide along the first axis and narrow along the second.
    fn clouds() -> (Vec<f32>, Vec<u32>) {
        let mut random = Random::new(3);
        let mut vectors = Vec::new();
        let mut labels = Vec::new();
        for i in 0..2000_u32 {
            let label = i % 2;
            let noise = |r: &mut Random| (0..12).map(|_| r.uniform()).sum::<f64>() - 6.0;
            let (x, y) = if label == 0 { (4.0, 0.0) } else { (0.0, 4.0) };
            vectors.push((x + noise(&mut random)) as f32);
            vectors.push((y + 0.1 * noise(&mut random)) as f32);
            labels.push(label);
        }
        (vectors, labels)
    }

    #[test]
    fn distances_are_measured_in_the_spread_of_the_data() {
        let (vectors, labels) = clouds();
        let onnx = mahalanobis(&vectors, 2, &labels, 2).unwrap();
        let at_mean = score(&onnx, &[4.0, 0.0]);
        let along = score(&onnx, &[6.0, 0.0]);
        let across = score(&onnx, &[4.0, 2.0]);
        assert!(at_mean < 0.1, "{at_mean}");
        // Two standard deviations, up to the shrinkage.
        assert!((2.5..5.0).contains(&along), "{along}");
        assert!(across > 10.0 * along, "{across} against {along}");
    }

    #[test]
    fn neighbours_are_near_where_the_data_is() {
        let (vectors, _) = clouds();
        let onnx = nearest_neighbour(&vectors, 2).unwrap();
        assert!(score(&onnx, &[4.0, 0.0]) < 0.01);
        assert!(score(&onnx, &[-1.0, -4.0]) > 0.5);
    }

    #[test]
    fn no_vectors_make_no_model() {
        assert!(mahalanobis(&[], 2, &[], 2).is_none());
        assert!(nearest_neighbour(&[], 2).is_none());
        // One row, and a class without any.
        assert!(mahalanobis(&[1.0, 2.0], 2, &[1], 2).is_some());
        assert!(mahalanobis(&[1.0, 2.0], 2, &[5], 2).is_none());
    }

    #[test]
    fn auroc_counts_pairs() {
        assert_eq!(auroc(&[1.0, 2.0], &[3.0]), Some(1.0));
        assert_eq!(auroc(&[3.0], &[1.0, 2.0]), Some(0.0));
        assert_eq!(auroc(&[1.0, 2.0], &[1.0, 2.0]), Some(0.5));
        assert_eq!(auroc(&[1.0, 3.0], &[2.0]), Some(0.5));
        assert_eq!(auroc(&[], &[2.0]), None);
    }

    #[test]
    fn the_cut_keeps_its_share() {
        let scores: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(cut(&scores, 0.95), 95.0);
        assert_eq!(cut(&scores, 1.0), 100.0);
        assert_eq!(cut(&scores, 0.0), 1.0);
        assert_eq!(cut(&[], 0.9), f64::MAX);
    }
}
