//! A box in an image, and as a remote gives it. A remote sees the image at another size than the caller, so its edges are in thousandths of the image.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smallfirst_image::Pixels;
use smallfirst_image::detect::Rect;

use super::schema::object_of;
use crate::error::{Code, Error, Result};

/// What a remote is told of edges.
pub(super) const RULE: &str = "The edges of a box are in thousandths of the image's width and height: xmin and ymin are its left upper corner, xmax \
                               and ymax its right lower one, (0, 0) is the left upper corner of the image and (1000, 1000) its right lower one.";

/// So many are the whole width, or the whole height.
const WHOLE: f64 = 1000.0;

/// Where something is in an image, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct BoundingBox {
    /// Its left edge.
    pub xmin: f64,
    /// Its upper edge.
    pub ymin: f64,
    /// Its right edge.
    pub xmax: f64,
    /// Its lower edge.
    pub ymax: f64,
}

impl BoundingBox {
    /// Within an image; nothing where no part of it is.
    pub(super) fn within(rect: Rect, pixels: &Pixels) -> Option<BoundingBox> {
        let inside = rect.clipped(pixels.width(), pixels.height());
        let [xmin, ymin, xmax, ymax] = [inside.x0, inside.y0, inside.x1, inside.y1].map(f64::from);
        let bounds = BoundingBox {
            xmin,
            ymin,
            xmax,
            ymax,
        };
        (xmin < xmax && ymin < ymax).then_some(bounds)
    }
}

/// The edges of a box, in thousandths of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edges {
    xmin: f64,
    ymin: f64,
    xmax: f64,
    ymax: f64,
}

/// Their JSON schema.
pub(super) fn schema() -> Value {
    object_of(&["xmin", "ymin", "xmax", "ymax"].map(|edge| (edge, json!({ "type": "number" }))))
}

impl Edges {
    /// The box in pixels of an image of that width and height.
    ///
    /// # Errors
    /// [`Code::RemoteBadResponse`] when it does not lie in the image, or has no area.
    pub(super) fn within(self, width: u32, height: u32) -> Result<BoundingBox> {
        let Edges {
            xmin,
            ymin,
            xmax,
            ymax,
        } = self;
        let inside = [xmin, ymin, xmax, ymax];
        let inside = inside.iter().all(|edge| (0.0..=WHOLE).contains(edge));
        if !inside || xmin >= xmax || ymin >= ymax {
            return Err(Error::new(
                Code::RemoteBadResponse,
                format!(
                    "the remote named the box {xmin}, {ymin} to {xmax}, {ymax}, which is none within an image of {WHOLE} by {WHOLE} thousandths"
                ),
            ));
        }
        let (x, y) = (f64::from(width) / WHOLE, f64::from(height) / WHOLE);
        Ok(BoundingBox {
            xmin: xmin * x,
            ymin: ymin * y,
            xmax: xmax * x,
            ymax: ymax * y,
        })
    }
}
