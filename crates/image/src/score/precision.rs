//! Boxes beside the right ones: mean average precision as COCO has it.

use std::collections::BTreeSet;

use crate::detect::{Detection, Rect};
use crate::sort::sorted;

/// An object that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// The number of its label.
    pub label: usize,
    /// Where it is.
    pub rect: Rect,
}

/// What is in an image and what was found in it.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Scene {
    pub truths: Vec<Truth>,
    pub found: Vec<Detection>,
}

/// Mean average precision, over the labels that occur among the truths. `None` where there are none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision {
    /// With boxes that overlap the right ones by half or more (intersection over union).
    pub at_50: f64,
    /// The mean over overlaps of 0.5, 0.55 and so on to 0.95.
    pub at_50_to_95: f64,
}

/// The most boxes of a label that count in an image.
const MOST: usize = 100;
/// Recalls at which the precision is read: 0, 0.01 and so on to 1.
const RECALLS: u32 = 100;

/// Mean average precision with 101 points of recall and the best 100 boxes of each label and image, as pycocotools computes it. There
/// are no crowds and no regions that do not count.
pub fn average_precision(scenes: &[Scene]) -> Option<Precision> {
    let labels: BTreeSet<usize> = scenes
        .iter()
        .flat_map(|s| s.truths.iter().map(|t| t.label))
        .collect();
    if labels.is_empty() {
        return None;
    }
    // Added up like numpy's `linspace`, as recalls below: whole numbers of boxes lie on these.
    let step = (0.95 - 0.5) / 9.0;
    let overlaps = (0..10).map(|i| 0.5 + step * f64::from(i));
    let means: Vec<f64> = overlaps
        .map(|overlap| {
            let sum: f64 = labels
                .iter()
                .map(|&label| of_label(scenes, label, overlap))
                .sum();
            sum / labels.len() as f64
        })
        .collect();
    Some(Precision {
        at_50: means[0],
        at_50_to_95: means.iter().sum::<f64>() / means.len() as f64,
    })
}

/// Average precision of one label at one overlap.
fn of_label(scenes: &[Scene], label: usize, overlap: f64) -> f64 {
    let mut truths = 0;
    // Each box's score, and whether it is right.
    let mut judged: Vec<(f32, bool)> = Vec::new();
    for scene in scenes {
        let right: Vec<&Rect> = scene
            .truths
            .iter()
            .filter(|t| t.label == label)
            .map(|t| &t.rect)
            .collect();
        truths += right.len();
        let mut found: Vec<&Detection> = scene.found.iter().filter(|d| d.label == label).collect();
        found = sorted(&found, |a, b| b.score.total_cmp(&a.score));
        let mut taken = vec![false; right.len()];
        for one in found.into_iter().take(MOST) {
            // Of the objects that have no box yet the one that overlaps most; of several, the last.
            let mut best = (overlap.min(1.0 - 1e-10), None);
            for (i, rect) in right.iter().enumerate() {
                let iou = exact_iou(rect, &one.rect);
                if !taken[i] && iou >= best.0 {
                    best = (iou, Some(i));
                }
            }
            best.1.into_iter().for_each(|i| taken[i] = true);
            judged.push((one.score, best.1.is_some()));
        }
    }
    area(&sorted(&judged, |a, b| b.0.total_cmp(&a.0)), truths)
}

/// The mean of the best precision that is had at each recall or a larger one.
fn area(judged: &[(f32, bool)], truths: usize) -> f64 {
    let mut right = 0usize;
    let mut curve: Vec<(f64, f64)> = Vec::with_capacity(judged.len());
    for (i, (_, is_right)) in judged.iter().enumerate() {
        right += usize::from(*is_right);
        curve.push((right as f64 / truths as f64, right as f64 / (i + 1) as f64));
    }
    let mut best = 0.0f64;
    for point in curve.iter_mut().rev() {
        best = best.max(point.1);
        point.1 = best;
    }
    let at = |recall: f64| {
        let first = curve.partition_point(|point| point.0 < recall);
        curve.get(first).map_or(0.0, |point| point.1)
    };
    let sum: f64 = (0..=RECALLS).map(|i| at(f64::from(i) * 0.01)).sum();
    sum / f64::from(RECALLS + 1)
}

/// In 64 bits: overlaps lie on the thresholds where boxes have whole numbers.
fn exact_iou(a: &Rect, b: &Rect) -> f64 {
    let [a, b] = [a, b].map(|r| [r.x0, r.y0, r.x1, r.y1].map(f64::from));
    let area = |r: [f64; 4]| (r[2] - r[0]).max(0.0) * (r[3] - r[1]).max(0.0);
    let both = area([
        a[0].max(b[0]),
        a[1].max(b[1]),
        a[2].min(b[2]),
        a[3].min(b[3]),
    ]);
    let either = area(a) + area(b) - both;
    if either > 0.0 { both / either } else { 0.0 }
}
