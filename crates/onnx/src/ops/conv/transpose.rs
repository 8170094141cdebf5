//! Convolutions the other way round: `ConvTranspose`, and `Col2Im`, which is its second half.

use smallfirst_kernels::{Epilogue, Matrix, gemm_dynamic};

use super::window::{Attributes, Axis, LIMIT, Padding, kernels, places, runs};
use super::{check_bias, fill, groups};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::ops::product::{Number, accumulate, with_scratch};
use crate::tensor::{Numbers, Tensor, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Col2Im" => col2im(decl),
        _ => transpose(decl),
    }
}

/// Adds patches, one a column, to the places of the image that the window saw. Of `axes`, the image is the input.
fn scatter<T: Number>(axes: &[Axis], patches: &[T], image: &mut [T]) {
    let columns: usize = axes.iter().map(|axis| axis.output).product();
    let all = 0..axes[0].output;
    let stride = axes[axes.len() - 1].stride;
    places(&kernels(axes), |tap, element| {
        let patches = &patches[tap * columns..][..columns];
        runs(axes, element, &all, |to, from, len| {
            let patches = &patches[from..from + len];
            if stride == 1 {
                let image = &mut image[to..to + len];
                image
                    .iter_mut()
                    .zip(patches)
                    .for_each(|(x, &p)| *x = x.add(p));
            } else {
                let image = image[to..].iter_mut().step_by(stride);
                image.zip(patches).for_each(|(x, &p)| *x = x.add(p));
            }
        });
    });
}

struct Transpose {
    attributes: Attributes,
    groups: usize,
    more: Option<Vec<i64>>,
    lengths: Option<Vec<i64>>,
}

impl Transpose {
    /// The window that moves over the result, whose outputs are the image.
    fn axes(&self, kernel: &[usize], image: &[usize]) -> Result<Vec<Axis>> {
        let mut axes = self.attributes.bare(kernel, image)?;
        for (at, axis) in axes.iter_mut().enumerate() {
            let per_axis = |given: &Option<Vec<i64>>| match given {
                Some(given) if given.len() != image.len() => fault(
                    "output_padding or output_shape is of another length than its axes are many",
                ),
                Some(given) => match usize::try_from(given[at]) {
                    Ok(length) if length < LIMIT => Ok(Some(length)),
                    _ => fault(format!("output_padding or output_shape is {given:?}")),
                },
                None => Ok(None),
            };
            let more = per_axis(&self.more)?.unwrap_or(0);
            if more > 0 && more >= axis.stride.max(axis.dilation) {
                return fault(format!("its attribute output_padding is {:?}", self.more));
            }
            if axis.input == 0 {
                return fault("an image without elements");
            }
            // The result would be as long as that, nearly.
            if axis
                .stride
                .checked_mul(axis.input)
                .is_none_or(|length| length >= LIMIT)
            {
                return fault("a result that is too large");
            }
            let whole = axis.stride * (axis.input - 1) + axis.reach() + more;
            let length = match (per_axis(&self.lengths)?, self.attributes.padding) {
                (Some(length), _) => Some(length),
                (None, Padding::Same { .. }) => Some(axis.input * axis.stride),
                (None, _) => None,
            };
            let length = match length {
                Some(length) => {
                    // One element more than is computed is one that nothing adds to, at the end. With more, or where the length
                    // follows from the stride, the standard and what runs its files differ.
                    let more = self.attributes.padding == Padding::Explicit && length == whole + 1;
                    let Some(all) = whole.checked_sub(length).or(more.then_some(0)) else {
                        return fault(format!(
                            "a result of the length {length}, and only {whole} are computed"
                        ));
                    };
                    let upper = self.attributes.padding == Padding::Same { upper: true };
                    axis.before = if upper { all / 2 } else { all.div_ceil(2) };
                    axis.after = all - axis.before;
                    length
                }
                None => match whole.checked_sub(axis.before + axis.after) {
                    Some(length) => length,
                    None => return fault("its padding is longer than its result"),
                },
            };
            // Seen from the result, the image is what the window makes of it.
            axis.output = axis.input;
            axis.input = length;
        }
        Ok(axes)
    }
}

fn transpose(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 3)?;
    let way = Transpose {
        attributes: Attributes::read(decl, true)?,
        groups: groups(decl)?,
        more: decl.ints("output_padding")?,
        lengths: decl.ints("output_shape")?,
    };
    op(move |x, context| {
        let (x, w, bias) = (x.get(0)?, x.get(1)?, x.opt(2));
        let ty = x.ty();
        if w.ty() != ty || bias.is_some_and(|b| b.ty() != ty) {
            return fault("its operands are of different types");
        }
        let ([images, channels, image @ ..], [from, each, kernel @ ..]) =
            (&x.shape[..], &w.shape[..])
        else {
            return fault("its operands have too few axes");
        };
        if image.is_empty() || channels != from || channels % way.groups != 0 {
            return fault(format!(
                "an image of the shape {:?} and weights of {:?} in {} groups",
                x.shape, w.shape, way.groups
            ));
        }
        let kernel = way.attributes.kernel_of(kernel)?;
        let axes = way.axes(&kernel, image)?;
        let Some(made) = each.checked_mul(way.groups) else {
            return fault("too many channels");
        };
        check_bias(bias, made)?;
        let mut shape = vec![*images, made];
        shape.extend(axes.iter().map(|axis| axis.input));
        let len = count(&shape)?;
        let (inner, columns) = (channels / way.groups, count(image)?);
        let Some(rows) = kernel.iter().try_fold(*each, |all, &n| all.checked_mul(n)) else {
            return fault("a window that is too large");
        };
        count(&[rows, columns])?;
        let work = (x.len() as u64).saturating_mul(rows as u64);
        context.spend(work)?;
        macro_rules! of {
            ($kind:ident, $x:expr, $w:expr, $product:expr) => {{
                let mut out = vec![Default::default(); len];
                let size = len.checked_div(images * made).unwrap_or(0);
                if let Some(bias) = bias
                    && let Numbers::$kind(bias) = bias.numbers()?
                {
                    fill(&mut out, size, Some(&bias[..]));
                }
                let mut patches = vec![Default::default(); rows * columns];
                let taps = rows.checked_div(*each).unwrap_or(0);
                if size > 0 && inner > 0 && rows > 0 {
                    let inputs = $x.chunks_exact(inner * columns);
                    for (i, (x, out)) in inputs.zip(out.chunks_exact_mut(each * size)).enumerate() {
                        let w = &$w[i % way.groups * inner * rows..][..inner * rows];
                        $product([rows, inner, columns], w, x, &mut patches);
                        for (out, patches) in out
                            .chunks_exact_mut(size)
                            .zip(patches.chunks_exact(taps * columns))
                        {
                            scatter(&axes, patches, out);
                        }
                    }
                }
                Numbers::$kind(out.into())
            }};
        }
        let numbers = match (x.numbers()?, w.numbers()?) {
            (Numbers::F32(x), Numbers::F32(w)) => of!(F32, x, w, float_product),
            (Numbers::F64(x), Numbers::F64(w)) => of!(F64, x, w, double_product),
            _ => return fault(format!("its operands are of {}", ty.name())),
        };
        one(Tensor::new(shape, numbers.narrow(ty))?)
    })
}

/// The weights, whose rows are channels, the other way round times the image.
fn float_product([m, k, n]: [usize; 3], w: &[f32], x: &[f32], out: &mut [f32]) {
    let a = Matrix {
        data: w,
        row_stride: 1,
        col_stride: m,
    };
    let b = Matrix {
        data: x,
        row_stride: n,
        col_stride: 1,
    };
    with_scratch(|scratch| gemm_dynamic(m, n, k, &a, &b, out, n, &Epilogue::default(), scratch));
}

fn double_product(shape: [usize; 3], w: &[f64], x: &[f64], out: &mut [f64]) {
    let [m, _, n] = shape;
    out.fill(0.0);
    accumulate(shape, (w, [1, m]), (x, [n, 1]), out);
}

fn col2im(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 3)?;
    let attributes = Attributes::read(decl, true)?;
    if attributes.kernel.is_some() || attributes.padding != Padding::Explicit {
        return fault("its attributes kernel_shape and auto_pad are not the operator's");
    }
    op(move |x, context| {
        let (image, block) = (x.get(1)?.lengths()?, x.get(2)?.lengths()?);
        let x = x.get(0)?;
        let &[images, rows, columns] = &x.shape[..] else {
            return fault(format!("its operand is of the shape {:?}", x.shape));
        };
        let kernel = attributes.kernel_of(&block)?;
        if image.is_empty() {
            return fault("an image without axes");
        }
        let axes = attributes.axes(&kernel, &image)?;
        let taps = count(&kernel)?;
        let blocks: usize = axes.iter().map(|axis| axis.output).product();
        if rows % taps != 0 || blocks != columns {
            return fault(format!(
                "{columns} columns of {rows} are not of blocks {block:?} in an image {image:?}"
            ));
        }
        let channels = rows / taps;
        let mut shape = vec![images, channels];
        shape.extend(&image);
        let len = count(&shape)?;
        let size = count(&image)?;
        context.spend(x.len() as u64)?;
        macro_rules! of {
            ($kind:ident, $x:expr) => {{
                let mut out = vec![Default::default(); len];
                if size > 0 {
                    let patches = $x.chunks_exact((taps * columns).max(1));
                    for (out, patches) in out.chunks_exact_mut(size).zip(patches) {
                        scatter(&axes, patches, out);
                    }
                }
                Numbers::$kind(out.into())
            }};
        }
        let numbers = match x.numbers()? {
            Numbers::F32(x) => of!(F32, x),
            Numbers::F64(x) => of!(F64, x),
            Numbers::I64(x) => of!(I64, x),
            Numbers::U64(x) => of!(U64, x),
        };
        one(Tensor::new(shape, numbers.narrow(x.ty()))?)
    })
}
