//! Regions of images: pooled, and those chosen that overlap little.

use std::cmp::Ordering;

use super::images;
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, one, op};
use crate::ops::elementwise::cast;
use crate::tensor::{Data, Tensor, count};

struct RoiAlign {
    /// Without the shift by half a pixel, as before version 16.
    unshifted: bool,
    largest: bool,
    pooled: [usize; 2],
    /// How many samples a side of a bin has; 0 for as many as it has pixels.
    samples: usize,
    scale: f32,
}

fn side(decl: &Decl<'_>, name: &str) -> Result<usize> {
    let given = decl.int_or(name, 1)?;
    match usize::try_from(given) {
        Ok(side) if side > 0 => Ok(side),
        _ => fault(format!("its attribute {name} is {given}")),
    }
}

pub(super) fn roi_align(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 3)?;
    let mut unshifted = true;
    if decl.version >= 16 {
        let name = "coordinate_transformation_mode";
        unshifted = match decl.text_or(name, "half_pixel")?.as_str() {
            "half_pixel" => false,
            "output_half_pixel" => true,
            other => return fault(format!("its attribute {name} {other} is not supported")),
        };
    }
    let this = RoiAlign {
        unshifted,
        largest: match decl.text_or("mode", "avg")?.as_str() {
            "avg" => false,
            "max" => true,
            other => return fault(format!("its attribute mode {other} is not supported")),
        },
        pooled: [side(decl, "output_height")?, side(decl, "output_width")?],
        samples: usize::try_from(decl.int_or("sampling_ratio", 0)?)
            .map_err(|_| "its attribute sampling_ratio is negative")?,
        scale: decl.float_or("spatial_scale", 1.0)?,
    };
    op(move |x, context| {
        let (image, ty) = (x.get(0)?, x.get(0)?.ty());
        let [batch, channels, height, width] = images(image)?;
        let rois = x.get(1)?;
        let numbers = x.get(2)?.ints()?;
        if rois.shape != [numbers.len(), 4] {
            return fault(format!(
                "regions of the shape {:?} are not those of {} images",
                rois.shape,
                numbers.len()
            ));
        }
        let [high, wide] = this.pooled;
        let shape = vec![numbers.len(), channels, high, wide];
        let len = count(&shape)?;
        if len > 0 && (height == 0 || width == 0) {
            return fault("there is nothing in its images");
        }
        let pixels = image.floats()?;
        let mut out = Vec::with_capacity(len);
        for (roi, &number) in rois.floats()?.chunks_exact(4).zip(numbers.iter()) {
            let Some(number) = usize::try_from(number).ok().filter(|&n| n < batch) else {
                return fault(format!("there is no image {number} among {batch}"));
            };
            let block = channels * height * width;
            let own = &pixels[number * block..][..block];
            this.pool(own, [channels, height, width], roi, &mut out, context)?;
        }
        let pooled = Tensor::new(shape, Data::F32(out))?;
        one(if pooled.ty() == ty {
            pooled
        } else {
            cast(&pooled, ty)?
        })
    })
}

/// The four pixels around a sample, and how much each weighs.
type Sample = [(usize, f32); 4];

fn sample(y: f32, x: f32, height: usize, width: usize) -> Sample {
    if y < -1.0 || y > height as f32 || x < -1.0 || x > width as f32 {
        return [(0, 0.0); 4];
    }
    let split = |at: f32, len: usize| {
        let at = at.max(0.0);
        let low = at as usize;
        match low + 1 >= len {
            true => (len - 1, len - 1, 0.0),
            false => (low, low + 1, at - low as f32),
        }
    };
    let ((top, bottom, down), (left, right, along)) = (split(y, height), split(x, width));
    let (up, back) = (1.0 - down, 1.0 - along);
    [
        (top * width + left, up * back),
        (top * width + right, up * along),
        (bottom * width + left, down * back),
        (bottom * width + right, down * along),
    ]
}

impl RoiAlign {
    fn pool(
        &self,
        image: &[f32],
        [channels, height, width]: [usize; 3],
        roi: &[f32],
        out: &mut Vec<f32>,
        context: &mut Context,
    ) -> Result<()> {
        if image.is_empty() {
            return Ok(());
        }
        let shift = if self.unshifted { 0.0 } else { 0.5 };
        let edge = |at: usize| roi[at] * self.scale - shift;
        let (left, top) = (edge(0), edge(1));
        let (mut wide, mut high) = (edge(2) - left, edge(3) - top);
        if self.unshifted {
            (wide, high) = (wide.max(1.0), high.max(1.0));
        }
        let [rows, cols] = self.pooled;
        let (bin_high, bin_wide) = (high / rows as f32, wide / cols as f32);
        let samples = |bin: f32| match self.samples {
            0 => bin.ceil().max(0.0) as usize,
            samples => samples,
        };
        let (down, along) = (samples(bin_high), samples(bin_wide));
        let each = count(&[down, along])?;
        let bins = count(&[rows, cols, down, along])?;
        context.spend(bins as u64 * (channels as u64 * 4 + 8))?;
        let mut places = Vec::with_capacity(bins);
        for bin in 0..rows * cols {
            let (row, col) = ((bin / cols) as f32, (bin % cols) as f32);
            for i in 0..down {
                let y = top + row * bin_high + (i as f32 + 0.5) * bin_high / down as f32;
                for j in 0..along {
                    let x = left + col * bin_wide + (j as f32 + 0.5) * bin_wide / along as f32;
                    places.push(sample(y, x, height, width));
                }
            }
        }
        for channel in image.chunks_exact(height * width) {
            for bin in 0..rows * cols {
                let own = &places[bin * each..][..each];
                let terms = |taps: &Sample| taps.map(|(at, weight)| channel[at] * weight);
                out.push(if self.largest {
                    let all = own.iter().flat_map(terms);
                    all.reduce(f32::max).unwrap_or(0.0)
                } else {
                    let sum: f32 = own.iter().map(|taps| terms(taps).iter().sum::<f32>()).sum();
                    sum / each.max(1) as f32
                });
            }
        }
        Ok(())
    }
}

pub(super) fn max_roi_pool(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let pooled = match decl.ints("pooled_shape")?.as_deref() {
        Some(&[h, w]) if h > 0 && w > 0 => [h as usize, w as usize],
        other => return fault(format!("its attribute pooled_shape is {other:?}")),
    };
    let scale = decl.float_or("spatial_scale", 1.0)?;
    op(move |x, context| {
        let (image, rois) = (x.get(0)?, x.get(1)?);
        let ty = image.ty();
        let [batch, channels, height, width] = images(image)?;
        let [regions, 5] = rois.shape[..] else {
            return fault(format!("{:?} is not the shape of regions", rois.shape));
        };
        let [rows, cols] = pooled;
        let shape = vec![regions, channels, rows, cols];
        let mut out = Vec::with_capacity(count(&shape)?);
        let pixels = image.floats()?;
        for roi in rois.floats()?.chunks_exact(5) {
            let number = roi[0];
            if !(number >= 0.0 && number < batch as f32 && number.fract() == 0.0) {
                return fault(format!("there is no image {number} among {batch}"));
            }
            let block = channels * height * width;
            let own = &pixels[number as usize * block..][..block];
            let edge = |at: usize| (roi[at] * scale).round();
            let (left, top) = (edge(1), edge(2));
            let wide = (edge(3) - left + 1.0).max(1.0);
            let high = (edge(4) - top + 1.0).max(1.0);
            let range = |bin: usize, size: f32, start: f32, len: usize| {
                let within = |at: f32| (at + start).clamp(0.0, len as f32) as usize;
                let from = within((bin as f32 * size).floor());
                from..within(((bin + 1) as f32 * size).ceil()).max(from)
            };
            let bins: Vec<_> = (0..rows * cols)
                .map(|bin| {
                    let down = range(bin / cols, high / rows as f32, top, height);
                    (down, range(bin % cols, wide / cols as f32, left, width))
                })
                .collect();
            let work: u64 = bins
                .iter()
                .map(|(down, along)| 1 + (down.len() * along.len()) as u64)
                .sum();
            context.spend(work.saturating_mul(channels as u64))?;
            for channel in 0..channels {
                let plane = &own[channel * height * width..][..height * width];
                for (down, along) in &bins {
                    let rows = down.clone().map(|row| &plane[row * width..][along.clone()]);
                    let largest = rows.flatten().copied().reduce(f32::max);
                    // A bin of nothing is 0.
                    out.push(largest.unwrap_or(0.0));
                }
            }
        }
        let pooled = Tensor::new(shape, Data::F32(out))?;
        one(if pooled.ty() == ty {
            pooled
        } else {
            cast(&pooled, ty)?
        })
    })
}

/// A box: its least and greatest places along both axes, and its area.
struct Region {
    low: [f32; 2],
    high: [f32; 2],
    area: f32,
}

impl Region {
    fn new(v: &[f32], from_center: bool) -> Region {
        let (low, high) = if from_center {
            let half = [v[2] / 2.0, v[3] / 2.0];
            (
                [v[0] - half[0], v[1] - half[1]],
                [v[0] + half[0], v[1] + half[1]],
            )
        } else {
            (
                [v[1].min(v[3]), v[0].min(v[2])],
                [v[1].max(v[3]), v[0].max(v[2])],
            )
        };
        Region {
            low,
            high,
            area: (high[0] - low[0]) * (high[1] - low[1]),
        }
    }

    /// Whether two have more in common than this part of what they cover.
    fn overlaps(&self, other: &Region, threshold: f32) -> bool {
        let span = |at: usize| self.high[at].min(other.high[at]) - self.low[at].max(other.low[at]);
        let (wide, high) = (span(0), span(1));
        if !(wide > 0.0 && high > 0.0) || self.area <= 0.0 || other.area <= 0.0 {
            return false;
        }
        let common = wide * high;
        let whole = self.area + other.area - common;
        common > 0.0 && whole > 0.0 && common / whole > threshold
    }
}

pub(super) fn non_max_suppression(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 5)?;
    let from_center = decl.flag("center_point_box")?;
    op(move |x, context| suppressed(x, from_center, context))
}

fn suppressed(
    x: &Inputs,
    from_center: bool,
    context: &mut Context,
) -> Result<Vec<crate::op::Value>> {
    let (boxes, scores) = (x.get(0)?, x.get(1)?);
    let (&[batch, count, 4], &[also, classes, of]) = (&boxes.shape[..], &scores.shape[..]) else {
        return fault(format!(
            "{:?} and {:?} are not the shapes of boxes and scores",
            boxes.shape, scores.shape
        ));
    };
    if batch != also || count != of {
        return fault(format!(
            "scores of the shape {:?} are not those of boxes of the shape {:?}",
            scores.shape, boxes.shape
        ));
    }
    let given = |at: usize| x.opt(at).filter(|t| !t.is_empty());
    let most = given(2).map(Tensor::scalar_int).transpose()?.unwrap_or(0);
    let most = usize::try_from(most).unwrap_or(0);
    let overlap = given(3)
        .map(Tensor::scalar_float)
        .transpose()?
        .unwrap_or(0.0);
    let least = given(4).map(Tensor::scalar_float).transpose()?;
    if !(0.0..=1.0).contains(&overlap) {
        return fault(format!("{overlap} is not a part of what boxes cover"));
    }
    let (boxes, scores) = (boxes.f32s()?, scores.f32s()?);
    let mut chosen: Vec<i64> = Vec::new();
    for number in 0..batch {
        let regions: Vec<Region> = boxes[number * count * 4..][..count * 4]
            .chunks_exact(4)
            .map(|v| Region::new(v, from_center))
            .collect();
        for class in 0..classes {
            let scores = &scores[(number * classes + class) * count..][..count];
            let mut order: Vec<usize> = (0..count)
                .filter(|&at| !scores[at].is_nan() && least.is_none_or(|least| scores[at] > least))
                .collect();
            context.spend(1 + order.len() as u64 * u64::from((count + 1).ilog2() + 1))?;
            // The best first; of equal ones, the first.
            order.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).unwrap_or(Ordering::Equal));
            let mut kept: Vec<usize> = Vec::new();
            for at in order {
                if kept.len() >= most {
                    break;
                }
                context.spend(8 * kept.len() as u64)?;
                let region = &regions[at];
                if kept
                    .iter()
                    .all(|&other| !region.overlaps(&regions[other], overlap))
                {
                    kept.push(at);
                    chosen.extend([number as i64, class as i64, at as i64]);
                }
            }
        }
    }
    one(Tensor::i64(vec![chosen.len() / 3, 3], chosen))
}
