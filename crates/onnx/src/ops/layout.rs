//! Other shapes and orders of the same elements: reshaping, transposing, cutting, joining, padding.

mod crop;
mod fill;
mod join;
mod pad;
mod pick;
mod shape;
mod slice;
mod transpose;

use crate::fault::{Result, fault};
use crate::op::{Decl, Inputs, Op};
use crate::tensor::axis;

pub(super) use pick::{Places, pick};
pub(super) use transpose::transposed;

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Reshape" => shape::reshape(decl),
        "Flatten" => shape::flatten(decl),
        "Squeeze" => shape::squeeze(decl),
        "Unsqueeze" => shape::unsqueeze(decl),
        "Shape" => shape::shape(decl),
        "Size" => shape::size(decl),
        "Transpose" => transpose::transpose(decl),
        "DepthToSpace" => transpose::depth_to_space(decl),
        "SpaceToDepth" => transpose::space_to_depth(decl),
        "Concat" => join::concat(decl),
        "Split" => join::split(decl),
        "Slice" => slice::slice(decl),
        "Expand" => join::expand(decl),
        "Tile" => join::tile(decl),
        "Pad" => pad::pad(decl),
        "CenterCropPad" => crop::center_crop_pad(decl),
        "ReverseSequence" => crop::reverse_sequence(decl),
        "Trilu" => crop::trilu(decl),
        "EyeLike" => fill::eye_like(decl),
        "Range" => fill::range(decl),
        "ConstantOfShape" => fill::constant_of_shape(decl),
        "OneHot" => fill::one_hot(decl),
        _ => Ok(None),
    }
}

/// Integers that are an attribute in older versions and an operand in newer ones.
pub(super) struct List {
    attribute: Option<Vec<i64>>,
    operand: Option<usize>,
}

impl List {
    /// The attribute before this version, the operand since.
    pub(super) fn before(
        decl: &Decl<'_>,
        version: i64,
        name: &str,
        operand: usize,
    ) -> Result<List> {
        Ok(if decl.version < version {
            List {
                attribute: decl.ints(name)?,
                operand: None,
            }
        } else {
            List {
                attribute: None,
                operand: decl.has(operand).then_some(operand),
            }
        })
    }

    pub(super) fn is_given(&self) -> bool {
        self.attribute.is_some() || self.operand.is_some()
    }

    pub(super) fn get(&self, x: &Inputs) -> Result<Option<Vec<i64>>> {
        match self.operand {
            Some(at) => Ok(Some(x.get(at)?.ints()?.into_owned())),
            None => Ok(self.attribute.clone()),
        }
    }
}

/// Axes as ONNX counts them, of which none may be named twice.
pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut named = vec![false; rank];
    let mut axes = Vec::with_capacity(list.len());
    for &one in list {
        let at = axis(one, rank)?;
        if std::mem::replace(&mut named[at], true) {
            return fault(format!("its axes {list:?} name one twice"));
        }
        axes.push(at);
    }
    Ok(axes)
}
