//! Operators of the domain `com.microsoft`, which onnxruntime's tools write.

mod attention;
mod integer;
mod linear;
mod nbits;
mod norm;
mod pool;
mod product;
mod simple;
#[cfg(test)]
pub(super) mod tests;

use crate::fault::{Result, fault};
use crate::op::{Decl, Op};
use crate::tensor::{Numbers, Tensor, Type};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    const FAMILIES: &[super::Family] = &[
        attention::make,
        integer::make,
        linear::make,
        nbits::make,
        norm::make,
        pool::make,
        product::make,
        simple::make,
    ];
    for family in FAMILIES {
        if let Some(op) = family(name, decl)? {
            return Ok(Some(op));
        }
    }
    Ok(None)
}

/// Floats computed in 32 bits, in the type that they have in the model.
fn narrow(shape: Vec<usize>, v: Vec<f32>, ty: Type) -> Result<Tensor> {
    Tensor::new(shape, Numbers::F32(v.into()).narrow(ty))
}

/// Refuses what is computed in 32 bits only.
fn not_double(of: &[&Tensor]) -> Result<()> {
    match of.iter().any(|t| t.ty() == Type::F64) {
        true => fault("float64 is not supported"),
        false => Ok(()),
    }
}

/// Refuses an attribute with another value than this.
fn only(decl: &Decl<'_>, name: &str, value: i64) -> Result<()> {
    match decl.int_or(name, value)? {
        same if same == value => Ok(()),
        other => fault(format!("its attribute {name} = {other} is not supported")),
    }
}

/// An attribute that is a length, at least 1.
fn length(decl: &Decl<'_>, name: &str) -> Result<usize> {
    let given = decl.must_int(name)?;
    match usize::try_from(given) {
        Ok(n) if (1..=crate::tensor::MAX_ELEMENTS).contains(&n) => Ok(n),
        _ => fault(format!("its attribute {name} is {given}")),
    }
}

/// Refuses results that nobody computes here.
fn no_results(decl: &Decl<'_>, from: usize) -> Result<()> {
    match (from..decl.results()).find(|&at| decl.wants(at)) {
        Some(at) => fault(format!("its result {at} is not supported")),
        None => Ok(()),
    }
}
