//! To which size an image is resized.

use super::{Edge, Size, Target};
use crate::fault::{Fault, Result, config};
use crate::pixels::{MAX_TENSOR, count};

impl Target {
    /// Holds it against what can be.
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Target::Exact(size) | Target::Within(size) => {
                count(size.width, size.height)?;
            }
            Target::Shortest { edge, at_most } => {
                count(edge, 1)?;
                if at_most.is_some_and(|most| most <= edge) {
                    return config("the longer edge may not be longer than the shorter one");
                }
            }
            Target::Detection {
                edge,
                at_most,
                multiple,
            } => {
                count(edge, at_most.unwrap_or(1))?;
                count(multiple.unwrap_or(1), 1)?;
            }
            Target::Multiple(n) => {
                count(n, n)?;
            }
            Target::Limit { side, multiple, .. } => {
                count(side, 1)?;
                count(multiple, multiple)?;
            }
        }
        Ok(())
    }

    /// The size for an image of this one.
    pub(super) fn of(&self, from: Size) -> Result<Size> {
        let (height, width) = (f64::from(from.height), f64::from(from.width));
        let size = match *self {
            Target::Exact(size) => size,
            Target::Shortest { edge, at_most } => shortest(from, edge, at_most),
            Target::Detection {
                edge,
                at_most,
                multiple,
            } => {
                let mut size = detection(from, edge, at_most, multiple.is_none());
                let multiple = multiple.unwrap_or(1);
                size.height -= size.height % multiple;
                size.width -= size.width % multiple;
                size
            }
            Target::Within(most) => {
                let scale = (f64::from(most.height) / height).min(f64::from(most.width) / width);
                Size {
                    height: (height * scale) as u32,
                    width: (width * scale) as u32,
                }
            }
            Target::Multiple(n) => Size {
                height: from.height - from.height % n,
                width: from.width - from.width % n,
            },
            Target::Limit { side, of, multiple } => {
                let (edge, beyond) = match of {
                    Edge::Longest => (height.max(width), height.max(width) > f64::from(side)),
                    Edge::Shortest => (height.min(width), height.min(width) < f64::from(side)),
                };
                let ratio = if beyond { f64::from(side) / edge } else { 1.0 };
                let n = f64::from(multiple);
                // Python rounds a half to the even number. What is lower than half of one still needs one.
                let fit = |length: f64| {
                    (((length * ratio).floor() / n).round_ties_even() * n).max(n) as u32
                };
                Size {
                    height: fit(height),
                    width: fit(width),
                }
            }
        };
        size.of_tensor()?;
        Ok(size)
    }
}

impl Size {
    /// Refuses what no tensor may have: neither on the way to one, of which then a part is cut.
    pub(super) fn of_tensor(self) -> Result<()> {
        match count(self.width, self.height)? as u64 {
            n if n <= MAX_TENSOR => Ok(()),
            _ => Err(Fault::TooLarge {
                width: self.width.into(),
                height: self.height.into(),
            }),
        }
    }
}

/// Puts a shorter and a longer edge where they are in the image.
fn oriented(from: Size, short: f64, long: f64) -> Size {
    let (short, long) = (short as u32, long as u32);
    match from.width <= from.height {
        true => Size {
            height: long,
            width: short,
        },
        false => Size {
            height: short,
            width: long,
        },
    }
}

/// `get_resize_output_image_size` of transformers, which is torchvision's.
fn shortest(from: Size, edge: u32, at_most: Option<u32>) -> Size {
    let (short, long) = (from.width.min(from.height), from.width.max(from.height));
    let edge = f64::from(edge);
    let longer = (edge * f64::from(long) / f64::from(short)).floor();
    match at_most.map(f64::from) {
        Some(most) if longer > most => oriented(from, (most * edge / longer).floor(), most),
        _ => oriented(from, edge, longer),
    }
}

/// `get_size_with_aspect_ratio` of DETR's processor. YOLOS's does not keep a size whose shorter edge is right already.
fn detection(from: Size, edge: u32, at_most: Option<u32>, keeps: bool) -> Size {
    let short = f64::from(from.width.min(from.height));
    let long = f64::from(from.width.max(from.height));
    let mut raw = f64::from(edge);
    let mut rounded = raw;
    if let Some(most) = at_most.map(f64::from)
        && long / short * raw > most
    {
        raw = most * short / long;
        rounded = raw.round_ties_even();
    }
    if keeps && rounded == short {
        return from;
    }
    oriented(from, rounded, (raw * long / short).floor())
}
