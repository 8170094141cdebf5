//! The average of windows of an image of 8 bits.

use std::ops::Range;

use super::linear::Steps;
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Tensor, count, strides};

/// The windows along each axis.
struct Windows {
    kernel: Vec<usize>,
    strides: Vec<usize>,
    /// At the beginnings, then at the ends.
    pads: Vec<usize>,
    auto: String,
    ceil: bool,
    with_pads: bool,
    last: bool,
}

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    if name != "QLinearAveragePool" {
        return Ok(None);
    }
    decl.operands(4, 5)?;
    let lengths = |name: &str, least: usize, default: Vec<usize>| -> Result<Vec<usize>> {
        let Some(given) = decl.ints(name)? else {
            return Ok(default);
        };
        given
            .iter()
            .map(|&n| match usize::try_from(n) {
                Ok(n) if n >= least && n < 1 << 24 => Ok(n),
                _ => fault(format!("its attribute {name} has {n}")),
            })
            .collect()
    };
    let kernel = lengths("kernel_shape", 1, Vec::new())?;
    let rank = kernel.len();
    let windows = Windows {
        strides: lengths("strides", 1, vec![1; rank])?,
        pads: lengths("pads", 0, vec![0; 2 * rank])?,
        auto: decl.text_or("auto_pad", "NOTSET")?,
        ceil: decl.flag("ceil_mode")?,
        with_pads: decl.flag("count_include_pad")?,
        last: decl.flag("channels_last")?,
        kernel,
    };
    if rank == 0 || windows.strides.len() != rank || windows.pads.len() != 2 * rank {
        return fault("its attributes are of different numbers of axes");
    }
    if windows.ceil && windows.with_pads {
        return fault("its attributes ceil_mode and count_include_pad together are not supported");
    }
    op(move |x, context| {
        let own = x.get(0)?;
        let (from, to) = (Steps::of(x, 1, own.ty())?, Steps::of(x, 3, own.ty())?);
        let (shape, work) = windows.shape(own)?;
        context.spend(work)?;
        let numbers: Vec<f32> = own
            .ints()?
            .iter()
            .map(|&v| from.scale * (v - i64::from(from.zero)) as f32)
            .collect();
        let averages = windows.averages(own, &shape, &numbers)?;
        one(to.tensor(shape, averages.into_iter().map(|v| to.byte(v)).collect())?)
    })
}

impl Windows {
    /// Where the axes of places begin.
    fn first(&self) -> usize {
        if self.last { 1 } else { 2 }
    }

    /// How much is put before an axis, and how many windows it has.
    fn along(&self, axis: usize, length: usize) -> Result<(usize, usize)> {
        let (kernel, stride) = (self.kernel[axis], self.strides[axis]);
        let (before, after) = (self.pads[axis], self.pads[axis + self.kernel.len()]);
        Ok(match self.auto.as_str() {
            "SAME_UPPER" | "SAME_LOWER" => {
                let windows = length.div_ceil(stride);
                let all = (windows.saturating_sub(1) * stride + kernel).saturating_sub(length);
                let before = match self.auto == "SAME_LOWER" {
                    true => all.div_ceil(2),
                    false => all / 2,
                };
                (before, windows)
            }
            "VALID" => (0, (length + 1).saturating_sub(kernel).div_ceil(stride)),
            "NOTSET" | "" => {
                let Some(room) = (length + before + after).checked_sub(kernel) else {
                    return fault("a window that is larger than its image");
                };
                let mut windows = room / stride + 1;
                if self.ceil {
                    windows = room.div_ceil(stride) + 1;
                    // The last one must begin within the image.
                    if (windows - 1) * stride >= length + before {
                        windows -= 1;
                    }
                }
                if before >= kernel || after >= kernel {
                    return fault("windows that lie beside the image");
                }
                (before, windows)
            }
            other => return fault(format!("its attribute auto_pad is {other}")),
        })
    }

    /// The shape of the result, and how many numbers are added.
    fn shape(&self, of: &Tensor) -> Result<(Vec<usize>, u64)> {
        if of.rank() != self.kernel.len() + 2 {
            return fault(format!("an image of the shape {:?}", of.shape));
        }
        count(&of.shape)?;
        let mut shape = of.shape.clone();
        for axis in 0..self.kernel.len() {
            let at = self.first() + axis;
            shape[at] = self.along(axis, shape[at])?.1;
        }
        let each = self
            .kernel
            .iter()
            .fold(1u64, |n, &k| n.saturating_mul(k as u64));
        Ok((shape.clone(), each.saturating_mul(count(&shape)? as u64)))
    }

    fn averages(&self, of: &Tensor, shape: &[usize], numbers: &[f32]) -> Result<Vec<f32>> {
        let (from, to) = (strides(&of.shape), strides(shape));
        let mut out = Vec::with_capacity(count(shape)?);
        for at in 0..out.capacity().min(shape.iter().product()) {
            // The window's places along each axis; all others are those of the result.
            let mut start = 0;
            let mut ranges: Vec<(Range<usize>, usize)> = Vec::new();
            for (i, &stride) in to.iter().enumerate() {
                let place = at / stride % shape[i];
                match i
                    .checked_sub(self.first())
                    .filter(|&axis| axis < self.kernel.len())
                {
                    Some(axis) => {
                        let (before, _) = self.along(axis, of.shape[i])?;
                        let begin = place * self.strides[axis];
                        let end = (begin + self.kernel[axis]).saturating_sub(before);
                        let begin = begin.saturating_sub(before);
                        ranges.push((begin..end.min(of.shape[i]), from[i]));
                    }
                    None => start += place * from[i],
                }
            }
            let size: usize = ranges.iter().map(|(range, _)| range.len()).product();
            let divisor = match self.with_pads {
                true => self.kernel.iter().product(),
                false => size,
            };
            out.push(sum(numbers, start, &ranges) / divisor.max(1) as f32);
        }
        Ok(out)
    }
}

fn sum(numbers: &[f32], start: usize, ranges: &[(Range<usize>, usize)]) -> f32 {
    match ranges.split_first() {
        None => numbers[start],
        Some(((range, stride), rest)) => range
            .clone()
            .map(|i| sum(numbers, start + i * stride, rest))
            .sum(),
    }
}
