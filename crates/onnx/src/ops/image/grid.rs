//! Images sampled at the places that a grid names, and such grids.

use super::{cubic, rounded};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Numbers, Tensor, count};

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

#[derive(Clone, Copy, PartialEq)]
enum Padding {
    Zeros,
    Border,
    Reflection,
}

struct Sampler {
    mode: Mode,
    padding: Padding,
    corners: bool,
}

pub(super) fn grid_sample(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let sampler = Sampler {
        mode: match decl.text_or("mode", "linear")?.as_str() {
            "nearest" => Mode::Nearest,
            "linear" | "bilinear" => Mode::Linear,
            "cubic" | "bicubic" => Mode::Cubic,
            other => return fault(format!("its attribute mode {other} is not supported")),
        },
        padding: match decl.text_or("padding_mode", "zeros")?.as_str() {
            "zeros" => Padding::Zeros,
            "border" => Padding::Border,
            "reflection" => Padding::Reflection,
            other => {
                return fault(format!(
                    "its attribute padding_mode {other} is not supported"
                ));
            }
        },
        corners: decl.flag("align_corners")?,
    };
    op(move |x, context| {
        let (image, grid) = (x.get(0)?, x.get(1)?);
        let sides = image.rank().saturating_sub(2);
        let fits = (1..=3).contains(&sides)
            && grid.rank() == image.rank()
            && grid.shape[0] == image.shape[0]
            && grid.shape[sides + 1] == sides;
        if !fits {
            return fault(format!(
                "a grid of the shape {:?} does not fit images of the shape {:?}",
                grid.shape, image.shape
            ));
        }
        let mut shape = image.shape[..2].to_vec();
        shape.extend(&grid.shape[1..=sides]);
        let len = count(&shape)?;
        if len == 0 {
            return one(Tensor::new(shape, Data::zeros(image.ty(), 0))?);
        }
        if image.is_empty() {
            return fault("there is nothing to sample");
        }
        let taps = match sampler.mode {
            Mode::Nearest => 1u64,
            Mode::Linear => 2,
            Mode::Cubic => 4,
        };
        let points = grid.len() / sides;
        let work = (len + points) as u64;
        context.spend(work.saturating_mul(taps.pow(sides as u32)))?;
        // In the type that the grid has, so that halves are rounded as there.
        let places: Vec<f64> = match grid.numbers()? {
            Numbers::F32(v) => v.iter().map(|&v| f64::from(v)).collect(),
            Numbers::F64(v) => v.into_owned(),
            _ => return fault(format!("its grid is of {}", grid.ty().name())),
        };
        let wide = matches!(grid.data, Data::F64(_));
        let points = sampler.points(&places, &image.shape[2..], wide);
        let sampled = match image.numbers()? {
            Numbers::F32(v) => Numbers::F32(sampled(&v, image, &points).into()),
            Numbers::F64(v) => Numbers::F64(sampled(&v, image, &points).into()),
            Numbers::I64(v) => {
                let v: Vec<f64> = v.iter().map(|&v| v as f64).collect();
                Numbers::F64(sampled(&v, image, &points).into())
            }
            Numbers::U64(_) => return fault("it does not sample uint64"),
        };
        one(rounded(sampled, image.ty())?.reshaped(shape)?)
    })
}

/// The weighted places in a channel that each point is made of.
struct Points {
    each: usize,
    places: Vec<(usize, f64)>,
}

/// Each channel of each image at the points of that image.
fn sampled<T: super::taps::Float>(x: &[T], image: &Tensor, points: &Points) -> Vec<T> {
    let (batch, channels) = (image.shape[0], image.shape[1]);
    let plane: usize = image.shape[2..].iter().product();
    let own = points.places.len() / batch;
    let mut out = Vec::with_capacity(batch * channels * own / points.each);
    for (number, places) in points.places.chunks_exact(own).enumerate() {
        for channel in 0..channels {
            let from = &x[(number * channels + channel) * plane..][..plane];
            out.extend(places.chunks_exact(points.each).map(|taps| {
                taps.iter().fold(T::of(0.0), |sum, &(at, weight)| {
                    sum + from[at] * T::of(weight)
                })
            }));
        }
    }
    out
}

impl Sampler {
    /// A place from -1 to 1 as one along an axis.
    fn place(&self, at: f64, len: usize, wide: bool) -> f64 {
        if wide {
            let len = len as f64;
            return match self.corners {
                true => (at + 1.0) / 2.0 * (len - 1.0),
                false => ((at + 1.0) * len - 1.0) / 2.0,
            };
        }
        let (at, len) = (at as f32, len as f32);
        f64::from(match self.corners {
            true => (at + 1.0) / 2.0 * (len - 1.0),
            false => ((at + 1.0) * len - 1.0) / 2.0,
        })
    }

    /// Where an axis begins and ends.
    fn borders(&self, len: usize) -> (f64, f64) {
        match self.corners {
            true => (0.0, len as f64 - 1.0),
            false => (-0.5, len as f64 - 0.5),
        }
    }

    /// A whole place within an axis; `None` where there is nothing.
    fn within(&self, at: f64, len: usize) -> Option<usize> {
        let last = len as f64 - 1.0;
        match self.padding {
            Padding::Zeros => (0.0..=last).contains(&at).then_some(at as usize),
            // What is no number is the first place.
            Padding::Border => Some(at.max(0.0).min(last) as usize),
            Padding::Reflection => {
                let at = reflected(at, self.borders(len));
                Some(at.max(0.0).min(last) as usize)
            }
        }
    }

    fn points(&self, grid: &[f64], lengths: &[usize], wide: bool) -> Points {
        let sides = lengths.len();
        let each: usize = match self.mode {
            Mode::Nearest => 1,
            Mode::Linear => 2,
            Mode::Cubic => 4,
        };
        let all = each.pow(sides as u32);
        let mut places = Vec::with_capacity(grid.len() / sides * all);
        let mut taps: Vec<(usize, f64)> = Vec::new();
        let mut next: Vec<(usize, f64)> = Vec::new();
        for point in grid.chunks_exact(sides) {
            taps.clear();
            taps.push((0, 1.0));
            // The innermost axis comes first in a grid.
            for (&at, &len) in point.iter().rev().zip(lengths) {
                let mut at = self.place(at, len, wide);
                if self.mode == Mode::Nearest {
                    at = at.round_ties_even();
                }
                let (low, high) = self.borders(len);
                // A cubic kernel sees the padding through its own places.
                if self.mode != Mode::Cubic && (at < low || at > high) {
                    match self.padding {
                        Padding::Zeros => {}
                        Padding::Border => at = at.clamp(0.0, len as f64 - 1.0),
                        Padding::Reflection => at = reflected(at, (low, high)),
                    }
                }
                if self.mode == Mode::Nearest {
                    at = at.trunc();
                }
                let base = at.floor();
                next.clear();
                for &(start, weight) in &taps {
                    for i in 0..each {
                        let place = base + i as f64 - if each == 4 { 1.0 } else { 0.0 };
                        let own = match self.mode {
                            Mode::Nearest => 1.0,
                            Mode::Linear => 1.0 - (at - place).abs(),
                            Mode::Cubic => cubic(-0.75, at - place),
                        };
                        next.push(match self.within(place, len) {
                            Some(place) => (start * len + place, weight * own),
                            None => (start * len, 0.0),
                        });
                    }
                }
                std::mem::swap(&mut taps, &mut next);
            }
            places.extend_from_slice(&taps);
        }
        Points { each: all, places }
    }
}

/// A place that is thrown back at both ends until it is within.
fn reflected(at: f64, (low, high): (f64, f64)) -> f64 {
    let span = high - low;
    if span <= 0.0 {
        return low;
    }
    let beyond = |by: f64| {
        let rest = by % span;
        ((by / span).trunc() % 2.0 == 0.0, rest)
    };
    if at < low {
        match beyond(low - at) {
            (true, rest) => low + rest,
            (false, rest) => high - rest,
        }
    } else if at > high {
        match beyond(at - high) {
            (true, rest) => high - rest,
            (false, rest) => low + rest,
        }
    } else {
        at
    }
}

/// The grid of an affine transformation, with places from -1 to 1.
pub(super) fn affine_grid(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let corners = decl.flag("align_corners")?;
    op(move |x, context| {
        let (theta, size) = (x.get(0)?, x.get(1)?.lengths()?);
        let sides = size.len().saturating_sub(2);
        if !(2..=3).contains(&sides) || theta.shape != [size[0], sides, sides + 1] {
            return fault(format!(
                "{:?} is not the shape of transformations of images of {size:?}",
                theta.shape
            ));
        }
        let lengths = &size[2..];
        if corners && lengths.contains(&1) {
            return fault("corners of an axis of length 1 are not supported");
        }
        let mut shape = vec![size[0]];
        shape.extend(lengths);
        shape.push(sides);
        let len = count(&shape)?;
        context.spend(len as u64 * (sides as u64 + 1))?;
        let matrices: Vec<f64> = match theta.numbers()? {
            Numbers::F32(v) => v.iter().map(|&v| f64::from(v)).collect(),
            Numbers::F64(v) => v.into_owned(),
            _ => return fault(format!("its operand is of {}", theta.ty().name())),
        };
        let place = |at: usize, len: usize| match corners {
            true => 2.0 * at as f64 / (len as f64 - 1.0) - 1.0,
            false => (2.0 * at as f64 + 1.0) / len as f64 - 1.0,
        };
        let points: usize = lengths.iter().product();
        let mut out = Vec::with_capacity(len);
        for matrix in matrices.chunks_exact(sides * (sides + 1)) {
            for point in 0..points {
                // The innermost axis is the first coordinate.
                let mut own = [1.0; 4];
                let mut rest = point;
                for (coordinate, &len) in own.iter_mut().zip(lengths.iter().rev()) {
                    *coordinate = place(rest % len, len);
                    rest /= len;
                }
                own[sides] = 1.0;
                for row in matrix.chunks_exact(sides + 1) {
                    out.push(row.iter().zip(own).map(|(m, v)| m * v).sum());
                }
            }
        }
        one(Tensor::new(
            shape,
            Numbers::F64(out.into()).narrow(theta.ty()),
        )?)
    })
}
