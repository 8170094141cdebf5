//! One number for all elements along some axes; softmax and its relatives.

mod fold;
mod loss;
mod softmax;

use std::ops::{Add, Div, Mul, Sub};

use crate::fault::Result;
use crate::op::{Decl, Op};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    if let Some(op) = fold::make(name, decl)? {
        return Ok(Some(op));
    }
    match name {
        "Softmax" | "LogSoftmax" | "Hardmax" => softmax::make(name, decl),
        "LpNormalization" => softmax::lp_normalization(decl),
        "NegativeLogLikelihoodLoss" => loss::negative_log_likelihood(decl),
        "SoftmaxCrossEntropyLoss" => loss::softmax_cross_entropy(decl),
        _ => Ok(None),
    }
}

/// Floats that are computed in.
trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    const LOWEST: Self;
    const HIGHEST: Self;
    fn of(n: usize) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn is_infinite(self) -> bool;
}

macro_rules! real {
    ($($ty:ident),*) => {
        $(impl Real for $ty {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = $ty::NEG_INFINITY;
            const HIGHEST: Self = $ty::INFINITY;
            fn of(n: usize) -> Self {
                n as $ty
            }
            #[inline]
            fn abs(self) -> Self {
                self.abs()
            }
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            fn exp(self) -> Self {
                self.exp()
            }
            fn ln(self) -> Self {
                self.ln()
            }
            fn is_infinite(self) -> bool {
                self.is_infinite()
            }
        })*
    };
}

real!(f32, f64);

/// The larger; what is no number if one is none.
#[inline]
#[allow(clippy::eq_op, reason = "what does not equal itself is no number")]
fn larger<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if a > b || a != a { a } else { b }
}

/// The smaller; what is no number if one is none.
#[inline]
#[allow(clippy::eq_op, reason = "what does not equal itself is no number")]
fn smaller<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if a < b || a != a { a } else { b }
}
