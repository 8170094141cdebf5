//! Boxes: what they share, and which of several for one object is kept.

use serde::{Deserialize, Serialize};

use crate::processor::Geometry;
use crate::sort::sorted;

/// A rectangle, by its left, upper, right and lower edge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Rect {
    pub x0: f32,
    pub y0: f32,
    pub x1: f32,
    pub y1: f32,
}

impl Rect {
    /// Of its middle, width and height.
    pub fn centered(x: f32, y: f32, width: f32, height: f32) -> Rect {
        let (w, h) = (width * 0.5, height * 0.5);
        Rect {
            x0: x - w,
            y0: y - h,
            x1: x + w,
            y1: y + h,
        }
    }

    /// Its area; 0 for one that is turned inside out.
    pub fn area(&self) -> f32 {
        (self.x1 - self.x0).max(0.0) * (self.y1 - self.y0).max(0.0)
    }

    /// What both cover, as a part of what either does (intersection over union).
    pub fn iou(&self, other: &Rect) -> f32 {
        let both = Rect {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        }
        .area();
        let either = self.area() + other.area() - both;
        if either > 0.0 { both / either } else { 0.0 }
    }

    /// The same within an image of this size.
    pub fn clipped(&self, width: u32, height: u32) -> Rect {
        let (w, h) = (width as f32, height as f32);
        Rect {
            x0: self.x0.clamp(0.0, w),
            y0: self.y0.clamp(0.0, h),
            x1: self.x1.clamp(0.0, w),
            y1: self.y1.clamp(0.0, h),
        }
    }

    /// A place in the tensor as a place in the original: in its pixels, or in parts of its width and height.
    pub(super) fn to_original(self, parts: bool, geometry: &Geometry) -> Rect {
        let place = |x, y| match parts {
            true => geometry.to_original_of_parts(x, y),
            false => geometry.to_original(x, y),
        };
        let ([x0, y0], [x1, y1]) = (place(self.x0, self.y0), place(self.x1, self.y1));
        Rect { x0, y0, x1, y1 }
    }

    pub(super) fn is_finite(&self) -> bool {
        [self.x0, self.y0, self.x1, self.y1]
            .iter()
            .all(|x| x.is_finite())
    }
}

/// An object that was found. Where it reaches beyond the image, so does its box.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// The number of its label.
    pub label: usize,
    /// How sure the model is, 0 to 1.
    pub score: f32,
    /// Where it is, in pixels of the original.
    #[serde(flatten)]
    pub rect: Rect,
}

/// The best scores first.
pub(super) fn ranked(found: &[Detection]) -> Vec<Detection> {
    sorted(found, |a, b| b.score.total_cmp(&a.score))
}

/// Keeps of all boxes of one label that overlap by more than `iou` the one with the best score: greedily, the best first.
pub fn suppress(found: &[Detection], iou: f32) -> Vec<Detection> {
    let mut kept: Vec<Detection> = Vec::new();
    for one in ranked(found) {
        let overlaps =
            |other: &Detection| other.label == one.label && other.rect.iou(&one.rect) > iou;
        if !kept.iter().any(overlaps) {
            kept.push(one);
        }
    }
    kept
}
