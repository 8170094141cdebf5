//! Windows and what is made of each: the largest, the mean, a norm. Where the largest come from (`MaxPool` with indices) and
//! back (`MaxUnpool`) is in `index`, windows over all of an image in `global`.
//!
//! The largest of a window is the largest of its rows' largest, and so with sums: images are folded an axis at a time, the
//! first one first, so that the work grows with the sum of the window's lengths and runs along rows.

mod global;
mod index;

use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::ops::conv::window::{Attributes, Axis, Padding, outputs, places};
use crate::tensor::{Data, Numbers, Tensor, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "MaxPool" => index::max_pool(decl),
        "MaxUnpool" => index::max_unpool(decl),
        "AveragePool" => average(decl),
        "LpPool" => norm(decl),
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => global::make(name, decl),
        _ => Ok(None),
    }
}

/// A pool's attributes: which versions have dilations and `ceil_mode`.
fn attributes(decl: &Decl<'_>, dilated: i64, ceil: i64) -> Result<Attributes> {
    let mut attributes = Attributes::read(decl, decl.version >= dilated)?;
    attributes.pool = true;
    attributes.ceil = decl.version >= ceil && decl.flag("ceil_mode")?;
    if attributes.kernel.is_none() {
        return fault("its attribute kernel_shape is missing");
    }
    Ok(attributes)
}

/// The window over an operand, and the shape of the result.
fn axes(attributes: &Attributes, x: &Tensor) -> Result<(Vec<Axis>, Vec<usize>)> {
    let ([images, channels, image @ ..], Some(kernel)) = (&x.shape[..], &attributes.kernel) else {
        return fault(format!("its operand is of the shape {:?}", x.shape));
    };
    if image.is_empty() {
        return fault("its operand has no axes to pool along");
    }
    let axes = attributes.axes(kernel, image)?;
    let mut shape = vec![*images, *channels];
    shape.extend(outputs(&axes));
    count(&shape)?;
    Ok((axes, shape))
}

/// What folding one axis after the other takes.
fn spend(axes: &[Axis], shape: &[usize], context: &mut Context) -> Result<()> {
    let planes = (shape[0] as u64).saturating_mul(shape[1] as u64);
    let mut lengths: Vec<usize> = axes.iter().map(|axis| axis.input).collect();
    for (at, axis) in axes.iter().enumerate() {
        lengths[at] = axis.output;
        let plane = count(&lengths)? as u64;
        let work = planes.saturating_mul(plane);
        context.spend(work.saturating_mul(axis.kernel as u64))?;
    }
    Ok(())
}

/// Folds what each window sees, plane after plane, beginning with `start`.
fn folded<T: Copy>(axes: &[Axis], x: &[T], start: T, fold: impl Fn(T, T) -> T + Copy) -> Vec<T> {
    let mut lengths: Vec<usize> = axes.iter().map(|axis| axis.input).collect();
    let plane: usize = lengths.iter().product();
    let size: usize = outputs(axes).iter().product();
    let planes = x.len().checked_div(plane).unwrap_or(0);
    let mut out = Vec::with_capacity(planes * size);
    let (mut now, mut next) = (Vec::new(), Vec::new());
    for x in x.chunks_exact(plane.max(1)) {
        now.clear();
        now.extend_from_slice(x);
        for (at, axis) in axes.iter().enumerate() {
            lengths[at] = axis.output;
            let before: usize = lengths[..at].iter().product();
            let after: usize = lengths[at + 1..].iter().product();
            next.clear();
            next.resize(before * axis.output * after, start);
            let from = axis.input * after;
            for (x, out) in now
                .chunks_exact(from.max(1))
                .zip(next.chunks_exact_mut((axis.output * after).max(1)))
            {
                if after == 1 {
                    along(axis, x, out, fold);
                } else {
                    across(axis, after, x, out, fold);
                }
            }
            std::mem::swap(&mut now, &mut next);
        }
        out.extend_from_slice(&now);
        for (length, axis) in lengths.iter_mut().zip(axes) {
            *length = axis.input;
        }
    }
    out
}

/// Folds rows as a whole into rows.
fn across<T: Copy>(axis: &Axis, row: usize, x: &[T], out: &mut [T], fold: impl Fn(T, T) -> T) {
    for (o, out) in out.chunks_exact_mut(row).enumerate() {
        for element in axis.inside(o) {
            // What is inside has a place.
            let at = axis.at(o, element).unwrap_or(0);
            let x = &x[at * row..][..row];
            out.iter_mut()
                .zip(x)
                .for_each(|(out, &x)| *out = fold(*out, x));
        }
    }
}

/// Folds along a row.
fn along<T: Copy>(axis: &Axis, x: &[T], out: &mut [T], fold: impl Fn(T, T) -> T) {
    for element in 0..axis.kernel {
        let inside = axis.outputs(element);
        if inside.is_empty() {
            continue;
        }
        let from = axis.at(inside.start, element).unwrap_or(0);
        let (x, out) = (&x[from..], &mut out[inside]);
        match axis.stride {
            1 => out
                .iter_mut()
                .zip(x)
                .for_each(|(out, &x)| *out = fold(*out, x)),
            2 => {
                let len = out.len();
                let (last, rest) = match out.split_last_mut() {
                    Some(both) => both,
                    None => continue,
                };
                // Four at a time, which the compiler makes shuffles of.
                let (fours, singles) = rest.as_chunks_mut::<4>();
                let whole = 8 * fours.len();
                for (out, x) in fours.iter_mut().zip(x.as_chunks::<8>().0) {
                    for i in 0..4 {
                        out[i] = fold(out[i], x[2 * i]);
                    }
                }
                for (i, out) in singles.iter_mut().enumerate() {
                    *out = fold(*out, x[whole + 2 * i]);
                }
                *last = fold(*last, x[2 * (len - 1)]);
            }
            stride => out
                .iter_mut()
                .zip(x.iter().step_by(stride))
                .for_each(|(out, &x)| *out = fold(*out, x)),
        }
    }
}

fn average(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let attributes = attributes(decl, 19, 10)?;
    let padded = decl.flag("count_include_pad")?;
    op(move |x, context| {
        let x = x.get(0)?;
        let (axes, shape) = axes(&attributes, x)?;
        spend(&axes, &shape, context)?;
        // How many each window is divided by, of those along each axis.
        let mut counts: Vec<Vec<usize>> = Vec::new();
        for axis in &axes {
            let whole = Axis {
                // With padding as part of the image; what is beyond that does not count.
                input: axis.input + axis.before + axis.after,
                before: 0,
                after: 0,
                ..*axis
            };
            let seen = if padded { whole } else { *axis };
            counts.push((0..axis.output).map(|o| seen.inside(o).len()).collect());
        }
        if counts.iter().flatten().any(|&seen| seen == 0) {
            return fault("a window sees nothing but padding");
        }
        let mut divisors = Vec::with_capacity(count(&outputs(&axes))?);
        places(&outputs(&axes), |_, place| {
            divisors.push(
                place
                    .iter()
                    .zip(&counts)
                    .map(|(&o, counts)| counts[o])
                    .product::<usize>(),
            );
        });
        macro_rules! mean {
            ($x:expr, $ty:ident) => {{
                let mut sums = folded(&axes, &$x, 0.0, |a, b| a + b);
                let by: Vec<$ty> = divisors.iter().map(|&n| n as $ty).collect();
                for plane in sums.chunks_exact_mut(by.len().max(1)) {
                    plane.iter_mut().zip(&by).for_each(|(x, by)| *x /= by);
                }
                sums.into()
            }};
        }
        let numbers = match x.numbers()? {
            Numbers::F32(x) => Numbers::F32(mean!(x, f32)),
            Numbers::F64(x) => Numbers::F64(mean!(x, f64)),
            _ => return fault(format!("its operand is of {}", x.ty().name())),
        };
        one(Tensor::new(shape, numbers.narrow(x.ty()))?)
    })
}

fn norm(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let attributes = attributes(decl, 18, 18)?;
    let p = power(decl)?;
    op(move |x, context| {
        let x = x.get(0)?;
        let (axes, shape) = axes(&attributes, x)?;
        spend(&axes, &shape, context)?;
        let data = match x.numbers()? {
            Numbers::F32(v) => {
                let powers: Vec<f64> = v.iter().map(|&x| raised(f64::from(x), p)).collect();
                Numbers::F64(rooted(folded(&axes, &powers, 0.0, |a, b| a + b), p).into())
            }
            Numbers::F64(v) => {
                let powers: Vec<f64> = v.iter().map(|&x| raised(x, p)).collect();
                Numbers::F64(rooted(folded(&axes, &powers, 0.0, |a, b| a + b), p).into())
            }
            _ => return fault(format!("its operand is of {}", x.ty().name())),
        };
        one(Tensor::new(shape, data.narrow(x.ty()))?)
    })
}

/// Which norm.
fn power(decl: &Decl<'_>) -> Result<i32> {
    let p = decl.int_or("p", 2)?;
    match i32::try_from(p) {
        Ok(p) if p > 0 => Ok(p),
        _ => fault(format!("its attribute p is {p}")),
    }
}

fn raised(x: f64, p: i32) -> f64 {
    match p {
        1 => x.abs(),
        2 => x * x,
        _ => x.abs().powi(p),
    }
}

fn rooted(mut sums: Vec<f64>, p: i32) -> Vec<f64> {
    match p {
        1 => {}
        2 => sums.iter_mut().for_each(|x| *x = x.sqrt()),
        _ => sums
            .iter_mut()
            .for_each(|x| *x = libm::pow(*x, 1.0 / f64::from(p))),
    }
    sums
}

/// Whether an axis has a window of nothing but padding.
fn blind(axes: &[Axis]) -> bool {
    axes.iter()
        .any(|axis| (0..axis.output).any(|o| axis.inside(o).is_empty()))
}

/// The largest of what each window sees.
fn largest(axes: &[Axis], x: &Tensor) -> Result<Data> {
    macro_rules! largest {
        ($($kind:ident, $least:expr);*) => {
            match &x.data {
                $(Data::$kind(v) => {
                    Data::$kind(folded(axes, v, $least, |a, b| if a < b { b } else { a }))
                })*
                Data::F16(_) | Data::BF16(_) => {
                    let least = f32::NEG_INFINITY;
                    let all = folded(axes, &x.floats()?, least, |a, b| if a < b { b } else { a });
                    Numbers::F32(all.into()).narrow(x.ty())
                }
                other => return fault(format!("its operand is of {}", other.ty().name())),
            }
        };
    }
    Ok(largest!(
        F32, f32::NEG_INFINITY; F64, f64::NEG_INFINITY; U8, 0; I8, i8::MIN;
        I32, i32::MIN; I64, i64::MIN; U16, 0; I16, i16::MIN; U32, 0; U64, 0
    ))
}

/// Whether this is padding as given, for what depends on it.
fn explicit(attributes: &Attributes) -> bool {
    attributes.padding == Padding::Explicit
}
