//! Which input of a bundle's model is given what.

use super::dim::Dim;
use super::program::InputSpec;
use super::tensor::{Element, Shape};
use crate::error::{Code, Error, Result};

/// What an input of the graph is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The caller's tensor.
    Main,
    /// Ones of its length: every token is real.
    Mask,
    /// Zeros of its length: every token is of the first segment.
    Types,
}

impl Role {
    /// By the names that exporters of transformer encoders give their inputs.
    pub(super) fn of(name: &str) -> Role {
        if name.contains("mask") {
            Role::Mask
        } else if name.contains("type") {
            Role::Types
        } else {
            Role::Main
        }
    }
}

/// What each input of a bundle's model is given.
pub(super) fn roles(
    name: &str,
    given: &[InputSpec],
    element: Element,
    shape: Shape,
) -> Result<Vec<Role>> {
    let roles: Vec<Role> = match given {
        [_] => vec![Role::Main],
        many => many.iter().map(|input| Role::of(&input.name)).collect(),
    };
    let one_main = roles.iter().filter(|r| **r == Role::Main).count() == 1;
    let companions = roles.len() == 1 || (element == Element::I64 && shape == Shape::AnyRow);
    if one_main && companions {
        return Ok(roles);
    }
    Err(Error::new(
        Code::ModelInvalid,
        format!(
            "{name} has {} inputs; a model of a bundle has one (token encoders also a mask and types)",
            given.len()
        ),
    ))
}

/// Whether an input takes a row.
pub(super) fn takes(input: &InputSpec, element: Element, shape: Shape) -> bool {
    let kind = (input.element == Element::F32) == (element == Element::F32);
    #[cfg(feature = "onnx")]
    if shape == Shape::Planes {
        return kind && input.dims.len() == 4;
    }
    #[cfg(feature = "onnx")]
    if let Shape::Axes(axes) = shape {
        return kind && input.dims.len() == axes;
    }
    let [batch, len] = &input.dims[..] else {
        return false;
    };
    let fits = match (shape, len) {
        (_, Dim::Symbol(_)) => true,
        (Shape::Row(n), Dim::Number(len)) => n as i64 == *len,
        _ => false,
    };
    kind && fits && matches!(batch, Dim::Number(1) | Dim::Symbol(_))
}
