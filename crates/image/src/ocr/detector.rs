//! From an image to the detector's input, and from its map to boxes ("Real-time Scene Text Detection with Differentiable
//! Binarization", Liao et al. 2020).

use super::hull::{self, Corners};
use super::region;
use crate::fault::{Result, output};
use crate::pixels::{Pixels, count};
use crate::processor::{Channels, Edge, Geometry, ImageProcessor, Processed, Resize, Target};
use crate::resample::Filter;

/// A detector's settings. By default those that PP-OCR's small models are used with.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    /// What makes its input.
    pub processor: ImageProcessor,
    /// Places of the map above this are of text.
    pub threshold: f32,
    /// Boxes whose mean in the map is below this are dropped.
    pub box_threshold: f32,
    /// How much boxes are widened: by this many times their area through their circumference. The model was trained on shrunk ones.
    pub unclip: f32,
    /// The most regions that are looked at, from the top.
    pub most: usize,
}

/// A box around a line of text, in pixels of the original.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextBox {
    /// Its corners from the upper left one, clockwise.
    pub corners: [[f32; 2]; 4],
    /// The mean of the map in it.
    pub score: f32,
}

impl Default for Detector {
    fn default() -> Self {
        let to = Target::Limit {
            side: 960,
            of: Edge::Longest,
            multiple: 32,
        };
        Detector {
            processor: ImageProcessor {
                resize: Some(Resize {
                    to,
                    filter: Filter::Linear,
                }),
                scale: Some(1.0 / 255.0),
                // Of ImageNet's red, green and blue, which PaddleOCR uses for blue, green and red.
                mean: vec![0.485, 0.456, 0.406],
                std: vec![0.229, 0.224, 0.225],
                channels: Channels::Bgr,
                ..ImageProcessor::default()
            },
            threshold: 0.2,
            box_threshold: 0.4,
            unclip: 1.4,
            most: 3000,
        }
    }
}

/// What is lower or narrower than this many places of the map is no text.
const LEAST: f32 = 3.0;

/// An image is very low when it has this height or less, or is this many times as wide.
const LOW: u32 = 30;
const WIDE: u32 = 8;

impl Detector {
    /// Makes the detector's input. An image that is very low gets black above and below, as in RapidOCR: a line that fills its image is
    /// often found in pieces.
    ///
    /// # Errors
    /// As [`ImageProcessor::process`].
    pub fn prepare(&self, pixels: &Pixels) -> Result<Processed> {
        let (width, height) = (pixels.width(), pixels.height());
        if height > LOW && width <= height.saturating_mul(WIDE) {
            return self.processor.process(pixels);
        }
        let above = (2 * LOW.max(width / WIDE)).abs_diff(height) / 2;
        let mut made = self.processor.process(&framed(pixels, above)?)?;
        made.geometry.original.height = height;
        made.geometry.offset[1] += above as f32 * made.geometry.scale[1];
        Ok(made)
    }

    /// The boxes around lines of text, of the map `[1, 1, height, width]` that the model gives, in no order.
    ///
    /// Boxes are rectangles, so widening them by the offset of a polygon moves each edge by the same distance: its round corners are
    /// within the new rectangle.
    ///
    /// # Errors
    /// When the map is not of the input's size.
    pub fn boxes(
        &self,
        (map, shape): (&[f32], &[usize]),
        geometry: &Geometry,
    ) -> Result<Vec<TextBox>> {
        let (height, width) = (
            geometry.input.height as usize,
            geometry.input.width as usize,
        );
        if shape != [1, 1, height, width] || map.len() != height * width || map.is_empty() {
            return output(format!(
                "a map of the shape {shape:?} is not of {width} x {height}"
            ));
        }
        let text: Vec<bool> = map.iter().map(|&p| p > self.threshold).collect();
        let mut boxes = Vec::new();
        for outline in region::outlines(text, width, self.most) {
            let (corners, least) = hull::smallest(&outline);
            if least < LEAST {
                continue;
            }
            let corners = hull::clockwise(corners);
            let score = mean_within(map, width, &corners);
            if score < self.box_threshold {
                continue;
            }
            let (corners, least) = self.widened(&corners);
            if least >= LEAST + 2.0
                && let Some(corners) = placed(&hull::clockwise(corners), geometry)
            {
                boxes.push(TextBox { corners, score });
            }
        }
        Ok(boxes)
    }

    fn widened(&self, corners: &Corners) -> (Corners, f32) {
        let by = hull::area(corners) * self.unclip / hull::circumference(corners);
        // Polygons are moved on whole numbers there.
        let whole = corners.map(|[x, y]| [x.trunc(), y.trunc()]);
        let (corners, _) = hull::smallest(&whole);
        // So are the moved ones, which for an upright box is the same as a whole distance.
        let [a, b, ..] = corners;
        let upright = a[0] == b[0] || a[1] == b[1];
        let by = if upright { by.round() } else { by };
        hull::grown(&corners, by)
    }
}

/// The image with so many black rows above and below.
fn framed(pixels: &Pixels, rows: u32) -> Result<Pixels> {
    let height = pixels.height().saturating_add(rows.saturating_mul(2));
    let bytes = 4 * count(pixels.width(), height)?;
    let black = 4 * pixels.width() as usize * rows as usize;
    let mut rgba = Vec::with_capacity(bytes);
    rgba.resize(black, 0);
    rgba.extend_from_slice(pixels.rgba());
    rgba.resize(bytes, 0);
    Ok(Pixels::made(pixels.width(), height, rgba))
}

/// A box in pixels of the original and within it, unless it is too small there.
fn placed(corners: &Corners, geometry: &Geometry) -> Option<Corners> {
    let (width, height) = (
        geometry.original.width as f32,
        geometry.original.height as f32,
    );
    let place = |[x, y]: [f32; 2]| {
        let [x, y] = geometry.to_original(x, y);
        [
            x.round_ties_even().clamp(0.0, width - 1.0),
            y.round_ties_even().clamp(0.0, height - 1.0),
        ]
    };
    let corners = hull::clockwise(corners.map(place));
    let wide = hull::distance(corners[0], corners[1]).floor();
    let high = hull::distance(corners[0], corners[3]).floor();
    (wide > LEAST && high > LEAST).then_some(corners)
}

/// The mean of the map within a box whose corners are at whole numbers.
fn mean_within(map: &[f32], width: usize, corners: &Corners) -> f32 {
    let corners = corners.map(|[x, y]| [x.trunc(), y.trunc()]);
    let height = map.len() / width;
    let (low, high) = corners.iter().fold((f32::MAX, f32::MIN), |(low, high), c| {
        (low.min(c[1]), high.max(c[1]))
    });
    let (mut sum, mut n) = (0.0f64, 0usize);
    for y in low.max(0.0) as usize..=(high.max(0.0) as usize).min(height - 1) {
        let Some((from, to)) = hull::row(&corners, y as f32) else {
            continue;
        };
        let to = (to.max(0.0).round() as usize).min(width - 1);
        let from = (from.max(0.0).round() as usize).min(to);
        let row = &map[y * width + from..=y * width + to];
        sum += row.iter().map(|&p| f64::from(p)).sum::<f64>();
        n += row.len();
    }
    (sum / n.max(1) as f64) as f32
}
