//! Detectors that give a box for each cell of their grids, of which many are of one object: raw exports of the YOLO kind.

use serde::{Deserialize, Serialize};

use super::boxes::{Detection, Rect, ranked, suppress};
use super::check;
use super::queries::best;
use crate::fault::{Result, output};
use crate::processor::Geometry;

/// How a raw export is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grid {
    /// Which axis is which.
    pub axes: Axes,
    /// What a box's four numbers are.
    pub corners: Corners,
    /// Whether they are parts of the tensor's lengths; otherwise they are in its pixels.
    #[serde(default)]
    pub parts: bool,
    /// Whether the fifth number tells if there is an object at all: each label's score is multiplied by it (YOLOv5, YOLOX).
    #[serde(default)]
    pub objectness: bool,
    /// Whether scores are logits yet.
    #[serde(default)]
    pub logits: bool,
    /// Boxes of one label that overlap by more than this are of one object.
    pub iou: f32,
}

/// Which axis is which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Axes {
    /// `[1, cells, numbers]` (YOLOv5, YOLOX).
    CellsFirst,
    /// `[1, numbers, cells]` (YOLOv8 and later).
    NumbersFirst,
}

/// What a box's four numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Corners {
    /// The middle, width and height.
    Middle,
    /// The left, upper, right and lower edge.
    Edges,
}

/// The most cells whose score is over the threshold that are compared with each other, the best of them.
const COMPARED: usize = 30_000;

/// Detections of a raw export.
///
/// # Errors
/// When the tensor is not of that layout.
pub fn grid(
    (values, shape): (&[f32], &[usize]),
    layout: &Grid,
    geometry: &Geometry,
    threshold: f32,
) -> Result<Vec<Detection>> {
    let (cells, numbers) = match (shape, layout.axes) {
        (&[1, cells, numbers], Axes::CellsFirst) | (&[1, numbers, cells], Axes::NumbersFirst) => {
            (cells, numbers)
        }
        _ => return output(format!("a grid of the shape {shape:?} is not of one image")),
    };
    check("grid", values.len(), shape)?;
    let first = 4 + usize::from(layout.objectness);
    if numbers <= first {
        return output(format!("a grid of {numbers} numbers a cell has no labels"));
    }
    let score = |x: f32| match layout.logits {
        true => 1.0 / (1.0 + (-x).exp()),
        false => x,
    };
    let mut cell = vec![0.0; numbers];
    let mut found = Vec::new();
    for i in 0..cells {
        match layout.axes {
            Axes::CellsFirst => cell.copy_from_slice(&values[i * numbers..][..numbers]),
            Axes::NumbersFirst => (0..numbers).for_each(|n| cell[n] = values[n * cells + i]),
        }
        let (label, best) = best(&cell[first..]);
        let object = if layout.objectness {
            score(cell[4])
        } else {
            1.0
        };
        let score = score(best) * object;
        let [a, b, c, d] = [cell[0], cell[1], cell[2], cell[3]];
        let rect = match layout.corners {
            Corners::Middle => Rect::centered(a, b, c, d),
            Corners::Edges => Rect {
                x0: a,
                y0: b,
                x1: c,
                y1: d,
            },
        };
        let rect = rect.to_original(layout.parts, geometry);
        if score > threshold && rect.is_finite() {
            found.push(Detection { label, score, rect });
        }
    }
    let mut found = ranked(&found);
    found.truncate(COMPARED);
    Ok(suppress(&found, layout.iou))
}
