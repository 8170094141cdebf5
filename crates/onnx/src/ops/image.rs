//! Operators of images: resizing, sampling grids, regions.

mod grid;
mod regions;
mod resize;
mod taps;

use crate::fault::{Result, fault};
use crate::op::{Decl, Op};
use crate::tensor::{Numbers, Tensor, Type};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Resize" => resize::resize(decl),
        "Upsample" => resize::upsample(decl),
        "GridSample" => grid::grid_sample(decl),
        "AffineGrid" => grid::affine_grid(decl),
        "RoiAlign" => regions::roi_align(decl),
        "MaxRoiPool" => regions::max_roi_pool(decl),
        "NonMaxSuppression" => regions::non_max_suppression(decl),
        _ => Ok(None),
    }
}

/// A batch of images: how many, their channels, and their sides.
fn images(x: &Tensor) -> Result<[usize; 4]> {
    match x.shape[..] {
        [n, c, h, w] => Ok([n, c, h, w]),
        _ => fault(format!(
            "it takes a batch of images, and was given the shape {:?}",
            x.shape
        )),
    }
}

/// A cubic convolution kernel with the coefficient `a`, at a distance.
fn cubic(a: f64, x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// Computed floats in the type of an image: integers are rounded to the nearest, and kept within their range.
fn rounded(v: Numbers<'_>, ty: Type) -> Result<Tensor> {
    let len = match &v {
        Numbers::F32(v) => v.len(),
        Numbers::F64(v) => v.len(),
        Numbers::I64(v) => v.len(),
        Numbers::U64(v) => v.len(),
    };
    if ty.is_float() {
        return Tensor::new(vec![len], v.narrow(ty));
    }
    let wide: Vec<f64> = match v {
        Numbers::F32(v) => v.iter().map(|&v| f64::from(v)).collect(),
        Numbers::F64(v) => v.into_owned(),
        Numbers::I64(_) | Numbers::U64(_) => return fault("integers were not computed"),
    };
    let (low, high) = match ty {
        Type::U8 => (0, u8::MAX.into()),
        Type::I8 => (i8::MIN.into(), i8::MAX.into()),
        Type::U16 => (0, u16::MAX.into()),
        Type::I16 => (i16::MIN.into(), i16::MAX.into()),
        Type::U32 => (0, u32::MAX.into()),
        Type::I32 => (i32::MIN.into(), i32::MAX.into()),
        Type::I64 => (i64::MIN, i64::MAX),
        other => return fault(format!("it does not interpolate {}", other.name())),
    };
    let whole = wide
        .iter()
        .map(|v| (v.round_ties_even() as i64).clamp(low, high));
    let whole: Vec<i64> = whole.collect();
    Tensor::new(vec![len], Numbers::I64(whole.into()).narrow(ty))
}
