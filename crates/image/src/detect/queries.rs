//! Detectors that give a set of boxes: DETR and its kin, and exports that contain the suppression of overlapping boxes.

use serde::{Deserialize, Serialize};

use super::boxes::{Detection, Rect, ranked};
use super::check;
use crate::fault::{Result, output};
use crate::processor::Geometry;

/// What a query's numbers say about its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scores {
    /// One of the labels or, by the last number, nothing (DETR, YOLOS).
    Softmax,
    /// Each label by itself (RT-DETR, Deformable and Conditional DETR).
    Sigmoid,
}

/// Detections of `logits` of `[1, queries, labels]` (for [`Scores::Softmax`], and one for nothing) and `boxes` of `[1, queries, 4]`:
/// the middle, width and height in parts of the tensor's. As `post_process_object_detection` of each of these models has it.
///
/// # Errors
/// When the tensors are not of that shape.
pub fn queries(
    (logits, shape): (&[f32], &[usize]),
    boxes: &[f32],
    scores: Scores,
    geometry: &Geometry,
    threshold: f32,
) -> Result<Vec<Detection>> {
    let &[1, queries, labels] = shape else {
        return output(format!(
            "logits of the shape {shape:?} are not of queries of one image"
        ));
    };
    check("logits", logits.len(), shape)?;
    check("boxes", boxes.len(), &[1, queries, 4])?;
    if labels < 1 + usize::from(scores == Scores::Softmax) {
        return output("logits of no label");
    }
    let mut found = Vec::new();
    for (logits, place) in logits.chunks_exact(labels).zip(boxes.chunks_exact(4)) {
        let rect =
            Rect::centered(place[0], place[1], place[2], place[3]).to_original(true, geometry);
        if !rect.is_finite() {
            continue;
        }
        let mut keep = |label, score: f32| {
            if score > threshold {
                found.push(Detection { label, score, rect });
            }
        };
        match scores {
            Scores::Softmax => {
                let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = logits.iter().map(|x| (x - most).exp()).sum();
                let (label, best) = best(&logits[..labels - 1]);
                keep(label, (best - most).exp() / sum);
            }
            Scores::Sigmoid => {
                let sigmoid = |x: &f32| 1.0 / (1.0 + (-x).exp());
                logits
                    .iter()
                    .map(sigmoid)
                    .enumerate()
                    .for_each(|(label, score)| keep(label, score));
            }
        }
    }
    let mut found = ranked(&found);
    // One query may stand for several labels, but there are never more boxes than queries.
    found.truncate(queries);
    Ok(found)
}

/// Detections of tensors that list them: `boxes` of `[n, 4]` by their edges, in pixels of the tensor or in `parts` of its lengths, and
/// for each a label and a score.
///
/// # Errors
/// When there are not as many of each.
pub fn listed(
    boxes: &[f32],
    labels: &[i64],
    scores: &[f32],
    parts: bool,
    geometry: &Geometry,
    threshold: f32,
) -> Result<Vec<Detection>> {
    check("boxes", boxes.len(), &[scores.len(), 4])?;
    check("labels", labels.len(), &[scores.len()])?;
    let all = boxes.chunks_exact(4).zip(labels).zip(scores);
    let found: Vec<Detection> = all
        .filter_map(|((place, &label), &score)| {
            let rect = Rect {
                x0: place[0],
                y0: place[1],
                x1: place[2],
                y1: place[3],
            }
            .to_original(parts, geometry);
            let label = usize::try_from(label).ok()?;
            // Exports fill up their lists with labels of -1 or scores of 0.
            (score > threshold && rect.is_finite()).then_some(Detection { label, score, rect })
        })
        .collect();
    Ok(ranked(&found))
}

/// The same of rows of a box's edges, its score and its label, `[1, n, 6]` or `[n, 6]` (YOLOv10 and exports with `nms=True`).
///
/// # Errors
/// When the tensor is not of that shape.
pub fn rows(
    (values, shape): (&[f32], &[usize]),
    parts: bool,
    geometry: &Geometry,
    threshold: f32,
) -> Result<Vec<Detection>> {
    let (&[1, n, 6] | &[n, 6]) = shape else {
        return output(format!(
            "rows of the shape {shape:?} have not six numbers each"
        ));
    };
    check("rows", values.len(), &[n, 6])?;
    let places: Vec<f32> = values
        .chunks_exact(6)
        .flat_map(|row| &row[..4])
        .copied()
        .collect();
    let scores: Vec<f32> = values.chunks_exact(6).map(|row| row[4]).collect();
    let labels: Vec<i64> = values.chunks_exact(6).map(|row| row[5] as i64).collect();
    listed(&places, &labels, &scores, parts, geometry, threshold)
}

/// The largest number and where it is; the first of several.
pub(super) fn best(numbers: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &x) in numbers.iter().enumerate() {
        if x > best.1 {
            best = (i, x);
        }
    }
    best
}
