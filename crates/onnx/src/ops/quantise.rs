//! Integers with scales: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear.

use std::borrow::Cow;
use std::sync::Arc;

use half::{bf16, f16};

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Tensor, Type, axis, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "QuantizeLinear" => {
            decl.operands(2, 3)?;
            let along = Along::of(decl)?;
            if decl.version >= 19 {
                // It says what becomes of numbers beyond the range of 8-bit floats, which are not supported.
                decl.unused("saturate");
            }
            let (mut to, mut precision) = (None, None);
            if decl.version >= 21 {
                to = typed(decl, "output_dtype")?;
            }
            if decl.version >= 23 {
                precision = typed(decl, "precision")?;
                if precision.is_some_and(|ty| !ty.is_float()) {
                    return fault("its attribute precision names no type of floats");
                }
            }
            op(move |x, _| {
                one(quantize(
                    x.get(0)?,
                    x.get(1)?,
                    x.opt(2),
                    along,
                    to,
                    precision,
                )?)
            })
        }
        "DequantizeLinear" => {
            decl.operands(2, 3)?;
            let along = Along::of(decl)?;
            let to = match decl.version >= 23 {
                true => typed(decl, "output_dtype")?,
                false => None,
            };
            op(move |x, _| one(dequantize(x.get(0)?, x.get(1)?, x.opt(2), along, to)?))
        }
        "DynamicQuantizeLinear" => {
            decl.operands(1, 1)?;
            op(|x, _| {
                let x = x.get(0)?;
                let (scale, zero) = range(x.f32s()?);
                let mut quantised = vec![0u8; x.len()];
                quantised_row(x.f32s()?, scale, i32::from(zero), &mut quantised);
                Ok(vec![
                    Arc::new(Tensor::new(x.shape.clone(), Data::U8(quantised))?),
                    Arc::new(Tensor::f32(Vec::new(), vec![scale])),
                    Arc::new(Tensor::new(Vec::new(), Data::U8(vec![zero]))?),
                ])
            })
        }
        _ => Ok(None),
    }
}

/// A type that an attribute names, of which 0 is none.
fn typed(decl: &Decl<'_>, name: &str) -> Result<Option<Type>> {
    match decl.int(name)? {
        Some(0) | None => Ok(None),
        Some(_) => decl.ty(name),
    }
}

/// Scale and zero point that 8 bits have for these numbers.
pub(super) fn range(x: &[f32]) -> (f32, u8) {
    // Several at a time. What is no number is none of the two; `f32::min` would be a call in WebAssembly.
    let (mut lows, mut highs) = ([0f32; 8], [0f32; 8]);
    let mut see = |part: &[f32]| {
        for (i, &x) in part.iter().enumerate() {
            lows[i] = if x < lows[i] { x } else { lows[i] };
            highs[i] = if x > highs[i] { x } else { highs[i] };
        }
    };
    let (parts, rest) = x.as_chunks::<8>();
    parts.iter().for_each(|part| see(part));
    see(rest);
    let low = lows.into_iter().fold(0f32, f32::min);
    let high = highs.into_iter().fold(0f32, f32::max);
    let scale = if high == low {
        1.0
    } else {
        (high - low) / 255.0
    };
    let zero = (0.0 - low / scale).clamp(0.0, 255.0).round_ties_even();
    (scale, zero as u8)
}

/// Along which axis scales differ, and of how many elements a block has one; 0 where they differ with each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Along {
    pub(super) axis: i64,
    pub(super) block: usize,
}

impl Along {
    fn of(decl: &Decl<'_>) -> Result<Along> {
        let axis = match decl.version >= 13 {
            true => decl.int_or("axis", 1)?,
            false => 1,
        };
        let block = match decl.version >= 21 {
            true => decl.int_or("block_size", 0)?,
            false => 0,
        };
        match usize::try_from(block) {
            Ok(block) => Ok(Along { axis, block }),
            Err(_) => fault(format!("its attribute block_size is {block}")),
        }
    }
}

/// Which scale each element has: runs of elements with one, or with as many as they are.
struct Scales {
    outer: usize,
    along: usize,
    inner: usize,
    /// Elements along the axis with the same scales; 0 where there is only one scale.
    block: usize,
    /// Whether there are scales of each element beside the axis.
    own: bool,
}

impl Scales {
    fn new(shape: &[usize], scale: &Tensor, along: Along) -> Result<Scales> {
        let len = shape.iter().product();
        let all = Scales {
            outer: 1,
            along: 1,
            inner: len,
            block: 0,
            own: false,
        };
        if scale.rank() == 0 || (scale.len() == 1 && scale.rank() == 1) {
            return Ok(all);
        }
        let at = axis(along.axis, shape.len())?;
        let outer = shape[..at].iter().product();
        let inner = shape[at + 1..].iter().product();
        if along.block == 0 {
            if scale.shape != [shape[at]] {
                return fault(format!(
                    "scales of the shape {:?} for {} along the axis {at}",
                    scale.shape, shape[at]
                ));
            }
            return Ok(Scales {
                outer,
                along: shape[at],
                inner,
                block: 1,
                own: false,
            });
        }
        let mut blocks = shape.to_vec();
        blocks[at] = shape[at].div_ceil(along.block);
        if scale.shape != blocks {
            return fault(format!(
                "scales of the shape {:?} for blocks of the shape {blocks:?}",
                scale.shape
            ));
        }
        Ok(Scales {
            outer,
            along: shape[at],
            inner,
            block: along.block,
            own: true,
        })
    }

    /// Calls with where each run begins, how long it is, which scale its first element has, and whether the others have the
    /// next ones (else the same).
    fn each(&self, mut run: impl FnMut(usize, usize, usize, bool)) {
        if self.outer * self.along * self.inner == 0 {
            return;
        }
        if self.block == 0 {
            return run(0, self.inner, 0, false);
        }
        let blocks = self.along.div_ceil(self.block);
        for outer in 0..self.outer {
            let at = outer * self.along;
            match (self.own, self.inner) {
                (false, 1) => run(at, self.along, 0, true),
                (false, inner) => {
                    (0..self.along).for_each(|i| run((at + i) * inner, inner, i, false));
                }
                (true, 1) => (0..blocks).for_each(|b| {
                    let start = b * self.block;
                    let len = self.block.min(self.along - start);
                    run(at + start, len, outer * blocks + b, false);
                }),
                (true, inner) => (0..self.along).for_each(|i| {
                    let first = (outer * blocks + i / self.block) * inner;
                    run((at + i) * inner, inner, first, true);
                }),
            }
        }
    }
}

/// The zero points, as many as scales.
fn zeros<'a>(scale: &Tensor, zero: Option<&'a Tensor>, ty: Type) -> Result<Option<Cow<'a, [i64]>>> {
    let Some(zero) = zero else {
        return Ok(None);
    };
    if zero.len() != scale.len() || (zero.rank() > 1 && zero.shape != scale.shape) {
        return fault(format!(
            "zero points of the shape {:?} for scales of the shape {:?}",
            zero.shape, scale.shape
        ));
    }
    if zero.ty() != ty {
        return fault(format!(
            "zero points of {} for {}",
            zero.ty().name(),
            ty.name()
        ));
    }
    zero.ints().map(Some)
}

/// `(x - zero) * scale`.
pub(super) fn dequantize(
    x: &Tensor,
    scale: &Tensor,
    zero: Option<&Tensor>,
    along: Along,
    to: Option<Type>,
) -> Result<Tensor> {
    count(&x.shape)?;
    let to = to.unwrap_or(scale.ty());
    if !to.is_float() || !scale.ty().is_float() || to == Type::F64 || scale.ty() == Type::F64 {
        return fault(format!(
            "scales of {} that give {} are not supported",
            scale.ty().name(),
            to.name()
        ));
    }
    let zeros = zeros(scale, zero, x.ty())?;
    let runs = Scales::new(&x.shape, scale, along)?;
    let by = scale.floats()?;
    let mut out = vec![0f32; x.len()];
    fn fill<T: Copy>(
        x: &[T],
        by: &[f32],
        zeros: Option<&[i64]>,
        runs: &Scales,
        out: &mut [f32],
        difference: impl Fn(T, i64) -> f32,
    ) {
        let zero = |at: usize| zeros.map_or(0, |zeros| zeros[at]);
        runs.each(|at, len, first, next| {
            let pairs = out[at..at + len].iter_mut().zip(&x[at..at + len]);
            if next {
                for (i, (out, &x)) in pairs.enumerate() {
                    *out = difference(x, zero(first + i)) * by[first + i];
                }
            } else {
                let (by, zero) = (by[first], zero(first));
                for (out, &x) in pairs {
                    *out = difference(x, zero) * by;
                }
            }
        });
    }
    let zeros = zeros.as_deref();
    macro_rules! small {
        ($v:ident) => {
            fill($v, &by, zeros, &runs, &mut out, |x, z| {
                (i32::from(x) - z as i32) as f32
            })
        };
    }
    match &x.data {
        Data::U8(v) => small!(v),
        Data::I8(v) => small!(v),
        Data::U16(v) => small!(v),
        Data::I16(v) => small!(v),
        Data::I32(v) => fill(v, &by, zeros, &runs, &mut out, |x, z| {
            (i64::from(x) - z) as f32
        }),
        other => {
            return fault(format!(
                "numbers of {} with scales are not supported",
                other.ty().name()
            ));
        }
    }
    let data = match to {
        Type::F16 => Data::F16(out.iter().map(|&v| f16::from_f32(v)).collect()),
        Type::BF16 => Data::BF16(out.iter().map(|&v| bf16::from_f32(v)).collect()),
        _ => Data::F32(out),
    };
    Tensor::new(x.shape.clone(), data)
}

/// What numbers are quantised to.
pub(super) trait Quantised: Copy {
    const LOW: i32;
    const HIGH: i32;
    fn of(v: i32) -> Self;
}

macro_rules! quantised {
    ($($ty:ty),*) => {
        $(impl Quantised for $ty {
            const LOW: i32 = <$ty>::MIN as i32;
            const HIGH: i32 = <$ty>::MAX as i32;
            #[inline(always)]
            fn of(v: i32) -> Self {
                v as $ty
            }
        })*
    };
}
quantised!(u8, i8, u16, i16);

/// The nearest integer, the even one of two; numbers that no zero point brings into range may be any other such.
#[inline(always)]
fn nearest(v: f32) -> i32 {
    // Adding 1.5 * 2^23 leaves no bits for a fraction: the lowest bits are the integer.
    const SHIFT: f32 = 12_582_912.0;
    const LIMIT: f32 = 1_048_576.0;
    // What is no number becomes the lowest.
    let above = if v > -LIMIT { v } else { -LIMIT };
    let within = if above < LIMIT { above } else { LIMIT };
    let shifted = within + SHIFT;
    (shifted.to_bits().cast_signed()).wrapping_sub(SHIFT.to_bits().cast_signed())
}

/// A quotient, rounded, shifted by a zero point, and kept in range.
#[inline(always)]
pub(super) fn saturated<T: Quantised>(quotient: f32, zero: i32) -> T {
    T::of((nearest(quotient).saturating_add(zero)).clamp(T::LOW, T::HIGH))
}

/// Numbers that have the same scale.
pub(super) fn quantised_row<T: Quantised>(x: &[f32], scale: f32, zero: i32, out: &mut [T]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = saturated(x / scale, zero);
    }
}

/// `saturate(round(x / scale) + zero)`.
pub(super) fn quantize(
    x: &Tensor,
    scale: &Tensor,
    zero: Option<&Tensor>,
    along: Along,
    to: Option<Type>,
    precision: Option<Type>,
) -> Result<Tensor> {
    count(&x.shape)?;
    let ty = to.or(zero.map(Tensor::ty)).unwrap_or(Type::U8);
    let precision = precision.unwrap_or(scale.ty());
    let zeros = zeros(scale, zero, ty)?;
    if !scale.ty().is_float() || [x.ty(), scale.ty(), precision].contains(&Type::F64) {
        return fault(format!(
            "{} with scales of {} are not supported",
            x.ty().name(),
            scale.ty().name()
        ));
    }
    let runs = Scales::new(&x.shape, scale, along)?;
    let numbers: Cow<'_, [f32]> = match &x.data {
        Data::I32(v) => v.iter().map(|&v| v as f32).collect(),
        _ => x.floats()?,
    };
    let by = scale.floats()?;
    // A quotient of 16 bits is rounded to them before it is rounded to an integer.
    let coarse = |v: f32| match precision {
        Type::F16 => f16::from_f32(v).to_f32(),
        Type::BF16 => bf16::from_f32(v).to_f32(),
        _ => v,
    };
    let plain = precision == Type::F32;
    fn fill<T: Quantised>(
        (x, by, zeros): (&[f32], &[f32], Option<&[i64]>),
        runs: &Scales,
        coarse: Option<&dyn Fn(f32) -> f32>,
    ) -> Vec<T> {
        let mut out = vec![T::of(0); x.len()];
        let zero = |at: usize| zeros.map_or(0, |zeros| zeros[at] as i32);
        runs.each(|at, len, first, next| {
            let (x, out) = (&x[at..at + len], &mut out[at..at + len]);
            if let (false, None) = (next, coarse) {
                return quantised_row(x, by[first], zero(first), out);
            }
            for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
                let scale = first + if next { i } else { 0 };
                let quotient = match coarse {
                    Some(coarse) => coarse(coarse(x) / coarse(by[scale])),
                    None => x / by[scale],
                };
                *out = saturated(quotient, zero(scale));
            }
        });
        out
    }
    let of = (&numbers[..], &by[..], zeros.as_deref());
    let coarse: Option<&dyn Fn(f32) -> f32> = if plain { None } else { Some(&coarse) };
    let data = match ty {
        Type::U8 => Data::U8(fill(of, &runs, coarse)),
        Type::I8 => Data::I8(fill(of, &runs, coarse)),
        Type::U16 => Data::U16(fill(of, &runs, coarse)),
        Type::I16 => Data::I16(fill(of, &runs, coarse)),
        other => {
            return fault(format!("to quantise to {} is not supported", other.name()));
        }
    };
    Tensor::new(x.shape.clone(), data)
}
