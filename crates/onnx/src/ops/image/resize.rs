//! `Resize` and `Upsample`.

use super::taps::{Taps, planes};
use super::{cubic, rounded};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, Value, one, op};
use crate::ops::elementwise::cast;
use crate::ops::layout::axes;
use crate::tensor::{Data, Numbers, Tensor, count, map};

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

/// How the nearest one is found.
#[derive(Clone, Copy, PartialEq)]
enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
    /// Before version 11: the next above when there become fewer, else the next below.
    Old,
}

/// Which place of the old axis one of the new is.
#[derive(Clone, Copy, PartialEq)]
enum Transform {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfHalfPixelForNn,
    TfCropAndResize,
}

#[derive(Clone, Copy, PartialEq)]
enum Policy {
    Stretch,
    NotLarger,
    NotSmaller,
}

struct Resize {
    mode: Mode,
    nearest: Nearest,
    transform: Transform,
    antialias: bool,
    exclude_outside: bool,
    coefficient: f64,
    beyond: f32,
    axes: Option<Vec<i64>>,
    policy: Policy,
}

/// How much longer an axis becomes.
#[derive(Clone, Copy)]
enum Scale {
    /// As it was given. Places are computed in its 32 bits, in which what is meant to be whole mostly is.
    Given(f32),
    /// The new length over the old one.
    Ratio(f64, f64),
}

impl Scale {
    fn value(self) -> f64 {
        match self {
            Scale::Given(scale) => scale.into(),
            Scale::Ratio(new, old) => new / old,
        }
    }

    fn divide(self, place: f64) -> f64 {
        match self {
            Scale::Given(scale) => (place as f32 / scale).into(),
            Scale::Ratio(new, old) => place * old / new,
        }
    }
}

fn old(decl: &Decl<'_>) -> Result<Resize> {
    Ok(Resize {
        mode: match decl.text_or("mode", "nearest")?.as_str() {
            "nearest" => Mode::Nearest,
            "linear" | "bilinear" => Mode::Linear,
            other => return fault(format!("its attribute mode {other} is not supported")),
        },
        nearest: Nearest::Old,
        transform: Transform::Asymmetric,
        antialias: false,
        exclude_outside: false,
        coefficient: -0.75,
        beyond: 0.0,
        axes: None,
        policy: Policy::Stretch,
    })
}

pub(super) fn upsample(decl: &Decl<'_>) -> Result<Option<Op>> {
    if decl.version >= 10 {
        return fault("it is not an operator since version 10");
    }
    let given = if decl.version < 9 { 1 } else { 2 };
    decl.operands(given, given)?;
    let this = old(decl)?;
    let own = match decl.version < 9 {
        true => decl.floats("scales")?,
        false => None,
    };
    op(move |x, context| {
        let scales = match &own {
            Some(scales) => scales.clone(),
            None => x.get(1)?.floats()?.into_owned(),
        };
        if scales.iter().any(|&scale| scale < 1.0) {
            return fault(format!("its scales {scales:?} make something smaller"));
        }
        this.run(x, &scales, None, context)
    })
}

pub(super) fn resize(decl: &Decl<'_>) -> Result<Option<Op>> {
    if decl.version < 11 {
        decl.operands(2, 2)?;
        let this = old(decl)?;
        return op(move |x, context| {
            let scales = x.get(1)?.floats()?.into_owned();
            this.run(x, &scales, None, context)
        });
    }
    decl.operands(1, 4)?;
    let this = declared(decl)?;
    op(move |x, context| {
        let scales = x.opt(2).filter(|t| !t.is_empty());
        let sizes = x.opt(3).filter(|t| !t.is_empty());
        let roi = match (this.transform, x.opt(1)) {
            (Transform::TfCropAndResize, Some(roi)) => Some(roi.floats()?.into_owned()),
            (Transform::TfCropAndResize, None) => return fault("its region is missing"),
            _ => None,
        };
        match (scales, sizes) {
            (Some(scales), None) => {
                let scales = scales.floats()?.into_owned();
                this.run(x, &scales, roi.as_deref(), context)
            }
            (None, Some(sizes)) => {
                let sizes = sizes.lengths()?;
                this.run_sized(x, &sizes, roi.as_deref(), context)
            }
            (None, None) => {
                // An image without axes has neither, and stays as it is.
                if x.get(0)?.rank() == 0 || this.axes.as_ref().is_some_and(Vec::is_empty) {
                    return Ok(vec![x.value(0)?]);
                }
                fault("it has neither scales nor sizes")
            }
            (Some(_), Some(_)) => fault("it has both scales and sizes"),
        }
    })
}

fn declared(decl: &Decl<'_>) -> Result<Resize> {
    let unknown =
        |name: &str, value: &str| fault(format!("its attribute {name} {value} is not supported"));
    let mode = match decl.text_or("mode", "nearest")?.as_str() {
        "nearest" => Mode::Nearest,
        "linear" => Mode::Linear,
        "cubic" => Mode::Cubic,
        other => return unknown("mode", other),
    };
    let nearest = match decl.text_or("nearest_mode", "round_prefer_floor")?.as_str() {
        "round_prefer_floor" => Nearest::RoundPreferFloor,
        "round_prefer_ceil" => Nearest::RoundPreferCeil,
        "floor" => Nearest::Floor,
        "ceil" => Nearest::Ceil,
        other => return unknown("nearest_mode", other),
    };
    let name = "coordinate_transformation_mode";
    let transform = match decl.text_or(name, "half_pixel")?.as_str() {
        "half_pixel" => Transform::HalfPixel,
        "half_pixel_symmetric" if decl.version >= 19 => Transform::HalfPixelSymmetric,
        "pytorch_half_pixel" => Transform::PytorchHalfPixel,
        "align_corners" => Transform::AlignCorners,
        "asymmetric" => Transform::Asymmetric,
        "tf_half_pixel_for_nn" if decl.version < 13 => Transform::TfHalfPixelForNn,
        "tf_crop_and_resize" => Transform::TfCropAndResize,
        other => return unknown(name, other),
    };
    let mut this = Resize {
        mode,
        nearest,
        transform,
        antialias: false,
        exclude_outside: decl.flag("exclude_outside")?,
        coefficient: decl.float_or("cubic_coeff_a", -0.75)?.into(),
        beyond: decl.float_or("extrapolation_value", 0.0)?,
        axes: None,
        policy: Policy::Stretch,
    };
    if decl.version >= 18 {
        this.antialias = decl.flag("antialias")?;
        this.axes = decl.ints("axes")?;
        let name = "keep_aspect_ratio_policy";
        this.policy = match decl.text_or(name, "stretch")?.as_str() {
            "stretch" => Policy::Stretch,
            "not_larger" => Policy::NotLarger,
            "not_smaller" => Policy::NotSmaller,
            other => return unknown(name, other),
        };
        if this.antialias && mode == Mode::Nearest {
            return fault("its attribute antialias is not one of the mode nearest");
        }
    }
    Ok(this)
}

/// How one axis is resized.
struct Along {
    axis: usize,
    old: usize,
    new: usize,
    scale: Scale,
    /// The part that is taken, of `TfCropAndResize`.
    roi: (f32, f32),
}

impl Resize {
    fn axes(&self, rank: usize) -> Result<Vec<usize>> {
        match &self.axes {
            Some(list) => axes(list, rank),
            None => Ok((0..rank).collect()),
        }
    }

    fn run(
        &self,
        x: &Inputs,
        scales: &[f32],
        roi: Option<&[f32]>,
        context: &mut Context,
    ) -> Result<Vec<Value>> {
        let image = x.get(0)?;
        let axes = self.axes(image.rank())?;
        if scales.len() != axes.len() {
            return fault(format!(
                "{} scales are not those of {} axes",
                scales.len(),
                axes.len()
            ));
        }
        let mut all = Vec::with_capacity(axes.len());
        for (i, (&axis, &scale)) in axes.iter().zip(scales).enumerate() {
            if !(scale > 0.0 && scale.is_finite()) {
                return fault(format!("its scale {scale} is not one"));
            }
            let roi = region(roi, i, axes.len())?;
            if roi.1 - roi.0 != 1.0 {
                return fault("a region and scales at once are not supported; give it sizes");
            }
            let old = image.shape[axis];
            all.push(Along {
                axis,
                old,
                new: (old as f32 * scale).floor() as usize,
                scale: Scale::Given(scale),
                roi,
            });
        }
        self.resized(x, all, context)
    }

    fn run_sized(
        &self,
        x: &Inputs,
        sizes: &[usize],
        roi: Option<&[f32]>,
        context: &mut Context,
    ) -> Result<Vec<Value>> {
        let image = x.get(0)?;
        let axes = self.axes(image.rank())?;
        if sizes.len() != axes.len() {
            return fault(format!(
                "{} sizes are not those of {} axes",
                sizes.len(),
                axes.len()
            ));
        }
        let ratios = || {
            let pairs = axes.iter().zip(sizes);
            pairs.map(|(&axis, &new)| (new as f64, image.shape[axis] as f64))
        };
        let order = |a: &(f64, f64), b: &(f64, f64)| (a.0 / a.1).total_cmp(&(b.0 / b.1));
        let kept = match self.policy {
            Policy::Stretch => None,
            Policy::NotLarger => ratios().min_by(order),
            Policy::NotSmaller => ratios().max_by(order),
        };
        let mut all = Vec::with_capacity(axes.len());
        for (i, (&axis, (new, old))) in axes.iter().zip(ratios()).enumerate() {
            let mut along = Along {
                axis,
                old: image.shape[axis],
                new: sizes[i],
                scale: Scale::Ratio(new, old),
                roi: region(roi, i, axes.len())?,
            };
            if let Some((to, from)) = kept {
                along.new = (old * to / from + 0.5).floor() as usize;
                along.scale = Scale::Ratio(to, from);
            }
            all.push(along);
        }
        self.resized(x, all, context)
    }

    fn resized(&self, x: &Inputs, all: Vec<Along>, context: &mut Context) -> Result<Vec<Value>> {
        let image = x.get(0)?;
        let mut shape = image.shape.clone();
        all.iter().for_each(|along| shape[along.axis] = along.new);
        if count(&shape)? == 0 {
            return one(Tensor::new(shape, Data::zeros(image.ty(), 0))?);
        }
        if image.is_empty() {
            return fault(format!(
                "nothing of the shape {:?} cannot be made {shape:?}",
                image.shape
            ));
        }
        let mut changed: Vec<&Along> = all.iter().filter(|along| !self.stays(along)).collect();
        if changed.is_empty() {
            return Ok(vec![x.value(0)?]);
        }
        // Axes that become shorter first, so that there is less to do for the others; inner ones before outer ones.
        let growth = |along: &Along| along.new as f64 / along.old as f64;
        changed.sort_by(|a, b| {
            growth(a)
                .min(1.0)
                .total_cmp(&growth(b).min(1.0))
                .then(b.axis.cmp(&a.axis))
        });
        let mut now = image.shape.clone();
        if self.mode == Mode::Nearest {
            let beyond = cast(&Tensor::f32(vec![1], vec![self.beyond]), image.ty());
            let mut data: Option<Data> = None;
            for along in changed {
                let dims = around(&now, along.axis);
                now[along.axis] = along.new;
                count(&now)?;
                let (list, outside) = self.nearest(along);
                let from = data.as_ref().unwrap_or(&image.data);
                let mut moved = map!(from, v => picked(v, dims, &list));
                if !outside.is_empty() {
                    let beyond = beyond.clone()?;
                    for block in 0..dims[0] {
                        for at in &outside {
                            for i in 0..dims[2] {
                                moved.paste(
                                    (block * list.len() + at) * dims[2] + i,
                                    &beyond.data,
                                    0,
                                    1,
                                );
                            }
                        }
                    }
                }
                data = Some(moved);
            }
            let data = data.unwrap_or_else(|| image.data.clone());
            return one(Tensor::new(shape, data)?);
        }
        let mut numbers = match image.numbers()? {
            Numbers::I64(v) => Numbers::F64(v.iter().map(|&v| v as f64).collect()),
            Numbers::U64(_) => return fault("it does not interpolate uint64"),
            floats => floats,
        };
        if let Some((rows, cols)) = self.shrunken_planes(&changed, image.rank(), context)? {
            context.spend(4 * count(&shape)? as u64)?;
            let sides = [image.shape[image.rank() - 2], image.shape[image.rank() - 1]];
            numbers = match numbers {
                Numbers::F32(v) => Numbers::F32(planes(&v, sides, &rows, &cols).into()),
                Numbers::F64(v) => Numbers::F64(planes(&v, sides, &rows, &cols).into()),
                other => other,
            };
            changed.clear();
        }
        for along in changed {
            let dims = around(&now, along.axis);
            now[along.axis] = along.new;
            let len = count(&now)?;
            let taps = self.taps(along, context)?;
            context.spend(len as u64 * taps.each as u64)?;
            let beyond = f64::from(self.beyond);
            numbers = match numbers {
                Numbers::F32(v) => Numbers::F32(taps.apply(&v, dims, beyond).into()),
                Numbers::F64(v) => Numbers::F64(taps.apply(&v, dims, beyond).into()),
                other => other,
            };
        }
        one(rounded(numbers, image.ty())?.reshaped(shape)?)
    }

    /// The rows and columns of images that become so much smaller that most of them is not read; `None` for others.
    fn shrunken_planes(
        &self,
        changed: &[&Along],
        rank: usize,
        context: &mut Context,
    ) -> Result<Option<(Taps, Taps)>> {
        let (rows, cols) = match *changed {
            [a, b] if a.axis + 2 == rank && b.axis + 1 == rank => (a, b),
            [b, a] if a.axis + 2 == rank && b.axis + 1 == rank => (a, b),
            _ => return Ok(None),
        };
        if rows.new * 2 > rows.old || cols.new * 2 > cols.old {
            return Ok(None);
        }
        let (rows, cols) = (self.taps(rows, context)?, self.taps(cols, context)?);
        let plain = |taps: &Taps| taps.each == 2 && taps.outside.is_empty();
        Ok((plain(&rows) && plain(&cols)).then_some((rows, cols)))
    }

    /// Whether an axis is as it was.
    fn stays(&self, along: &Along) -> bool {
        along.new == along.old && along.scale.value() == 1.0 && along.roi == (0.0, 1.0)
    }

    /// The place of the old axis that one of the new is, and whether that is outside.
    fn original(&self, along: &Along, at: usize) -> (f64, bool) {
        let place = at as f64;
        let scale = along.scale;
        let (old, last) = (along.old as f64, along.old as f64 - 1.0);
        let half = || scale.divide(place + 0.5) - 0.5;
        match self.transform {
            Transform::HalfPixel => (half(), false),
            Transform::PytorchHalfPixel if along.new <= 1 => (0.0, false),
            Transform::PytorchHalfPixel => (half(), false),
            Transform::HalfPixelSymmetric => match scale {
                Scale::Given(scale) => {
                    let old = along.old as f32;
                    let adjustment = along.new as f32 / (old * scale);
                    let offset = old / 2.0 * (1.0 - adjustment);
                    let place = offset + (place as f32 + 0.5) / scale - 0.5;
                    (place.into(), false)
                }
                Scale::Ratio(..) => {
                    let adjustment = along.new as f64 / (old * scale.value());
                    (old / 2.0 * (1.0 - adjustment) + half(), false)
                }
            },
            Transform::AlignCorners => {
                // Of a length that is not whole, the scale's.
                let new = match scale {
                    Scale::Given(scale) => old * f64::from(scale),
                    Scale::Ratio(..) => along.new as f64,
                };
                match along.new <= 1 || new <= 1.0 {
                    true => (0.0, false),
                    false => (place * last / (new - 1.0), false),
                }
            }
            Transform::Asymmetric => (scale.divide(place), false),
            Transform::TfHalfPixelForNn => (scale.divide(place + 0.5), false),
            Transform::TfCropAndResize => {
                // In the 32 bits that the region has, so that its end is not outside by rounding.
                let ((start, end), last) = (along.roi, last as f32);
                let place = match along.new > 1 {
                    true => {
                        start * last
                            + place as f32 * (end - start) * last / (along.new as f32 - 1.0)
                    }
                    false => 0.5 * (start + end) * last,
                };
                (place.into(), !(0.0..=last).contains(&place))
            }
        }
    }

    /// The nearest places, and which of them are outside.
    fn nearest(&self, along: &Along) -> (Vec<usize>, Vec<usize>) {
        let mut outside = Vec::new();
        let list = (0..along.new).map(|at| {
            let (place, beyond) = self.original(along, at);
            if beyond {
                outside.push(at);
            }
            let whole = match self.nearest {
                Nearest::RoundPreferFloor => (place - 0.5).ceil(),
                Nearest::RoundPreferCeil => (place + 0.5).floor(),
                Nearest::Floor => place.floor(),
                Nearest::Ceil => place.ceil(),
                Nearest::Old if along.scale.value() < 1.0 => place.ceil(),
                Nearest::Old => place.trunc(),
            };
            (whole.max(0.0) as usize).min(along.old - 1)
        });
        let list = list.collect();
        (list, outside)
    }

    /// The weighted places that those of the new axis are made of.
    fn taps(&self, along: &Along, context: &mut Context) -> Result<Taps> {
        let reach = if self.mode == Mode::Cubic { 2.0 } else { 1.0 };
        let kernel = |x: f64| match self.mode {
            Mode::Cubic => cubic(self.coefficient, x),
            _ => (1.0 - x.abs()).max(0.0),
        };
        // Against aliasing, the kernel is as much wider as there become fewer.
        let narrow = match self.antialias {
            true => along.scale.value().min(1.0),
            false => 1.0,
        };
        let first = (-reach / narrow).floor() as i64 + 1;
        let each = usize::try_from(2 - 2 * first).unwrap_or(usize::MAX);
        count(&[along.new, each])?;
        context.spend(along.new as u64 * each as u64)?;
        let mut taps = Taps {
            each,
            places: Vec::with_capacity(along.new * each),
            outside: Vec::new(),
        };
        let mut weights = vec![0.0; each];
        for at in 0..along.new {
            let (place, beyond) = self.original(along, at);
            if beyond {
                taps.outside.push(at);
            }
            let base = place.floor();
            let ratio = place - base;
            let begin = (base as i64).saturating_add(first);
            let within = |i: usize| begin.saturating_add(i as i64);
            for (i, weight) in weights.iter_mut().enumerate() {
                *weight = kernel(((first + i as i64) as f64 - ratio) * narrow);
                if self.exclude_outside && !(0..along.old as i64).contains(&within(i)) {
                    *weight = 0.0;
                }
            }
            let sum: f64 = weights.iter().sum();
            let by = match (narrow < 1.0 || self.exclude_outside) && sum != 0.0 {
                true => 1.0 / sum,
                false => 1.0,
            };
            for (i, &weight) in weights.iter().enumerate() {
                let place = within(i).clamp(0, along.old as i64 - 1) as usize;
                taps.places.push((place, weight * by));
            }
        }
        Ok(taps)
    }
}

fn region(roi: Option<&[f32]>, at: usize, axes: usize) -> Result<(f32, f32)> {
    match roi {
        None => Ok((0.0, 1.0)),
        Some(roi) if roi.len() == 2 * axes => Ok((roi[at], roi[axes + at])),
        Some(roi) => fault(format!(
            "a region of {} numbers is not one of {axes} axes",
            roi.len()
        )),
    }
}

fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [
        shape[..axis].iter().product(),
        shape[axis],
        shape[axis + 1..].iter().product(),
    ]
}

/// The elements at these places along the middle of three axes.
fn picked<T: Clone>(v: &[T], [outer, len, inner]: [usize; 3], list: &[usize]) -> Vec<T> {
    let mut out = Vec::with_capacity(outer * list.len() * inner);
    for block in v.chunks_exact(len * inner) {
        match inner {
            1 => out.extend(list.iter().map(|&at| block[at].clone())),
            _ => list
                .iter()
                .for_each(|at| out.extend_from_slice(&block[at * inner..][..inner])),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(mode: Mode, transform: Transform) -> Resize {
        Resize {
            mode,
            nearest: Nearest::RoundPreferFloor,
            transform,
            antialias: false,
            exclude_outside: false,
            coefficient: -0.75,
            beyond: 0.0,
            axes: None,
            policy: Policy::Stretch,
        }
    }

    fn run(resize: &Resize, x: &[f32], scale: f32) -> Result<Vec<f32>> {
        let x = Tensor::f32(vec![x.len()], x.to_vec());
        let inputs = Inputs(vec![Some(std::sync::Arc::new(x))]);
        let out = resize.run(&inputs, &[scale], None, &mut Context::new(1 << 20, 1 << 30))?;
        Ok(out[0].floats()?.into_owned())
    }

    #[test]
    fn lines() {
        let half = plain(Mode::Linear, Transform::HalfPixel);
        assert_eq!(run(&half, &[0.0, 4.0], 2.0).unwrap(), [0.0, 1.0, 3.0, 4.0]);
        let corners = plain(Mode::Linear, Transform::AlignCorners);
        assert_eq!(
            run(&corners, &[0.0, 3.0], 2.0).unwrap(),
            [0.0, 1.0, 2.0, 3.0]
        );
        let nearest = plain(Mode::Nearest, Transform::Asymmetric);
        assert_eq!(
            run(&nearest, &[1.0, 2.0], 2.0).unwrap(),
            [1.0, 1.0, 2.0, 2.0]
        );
    }

    #[test]
    fn images_that_shrink_are_as_axis_by_axis() {
        let linear = plain(Mode::Linear, Transform::HalfPixel);
        let len = 2 * 9 * 13;
        let pixels = (0..len).map(|at| (at * 7 % 31) as f32).collect();
        let image = Tensor::f32(vec![2, 9, 13], pixels);
        let resized = |image: Tensor, sizes: &[usize]| {
            let inputs = Inputs(vec![Some(std::sync::Arc::new(image))]);
            let mut out =
                linear.run_sized(&inputs, sizes, None, &mut Context::new(1 << 20, 1 << 30))?;
            Ok::<_, crate::fault::Fault>(std::sync::Arc::unwrap_or_clone(out.remove(0)))
        };
        let rows = resized(image.clone(), &[2, 4, 13]).unwrap();
        let both = resized(rows, &[2, 4, 5]).unwrap();
        let at_once = resized(image, &[2, 4, 5]).unwrap();
        let pairs = both.f32s().unwrap().iter().zip(at_once.f32s().unwrap());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn scales_that_are_none() {
        let linear = plain(Mode::Linear, Transform::HalfPixel);
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e20] {
            assert!(run(&linear, &[1.0, 2.0], scale).is_err(), "{scale}");
        }
        assert!(run(&linear, &[], 2.0).unwrap().is_empty());
        assert!(run(&linear, &[1.0], 0.5).unwrap().is_empty());
        let mut wide = plain(Mode::Cubic, Transform::HalfPixel);
        wide.antialias = true;
        assert!(run(&wide, &[1.0; 8], 0.125).is_ok());
    }
}
