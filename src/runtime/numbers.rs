//! Numbers into a model and out of it, and what is said where they are not what they should be.

use crate::engine::Session;
use crate::engine::tensors::{Numbers, Tensor, Type};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::kind::Values;

/// Floats in the type that an input has.
pub(super) fn floats(shape: Vec<usize>, numbers: Vec<f32>, ty: Type) -> Tensor {
    let data = Numbers::F32(numbers.into()).narrow(ty);
    Tensor { shape, data }
}

/// The outputs of a run that are of floats. Every number is finite.
pub(super) fn values(name: &str, session: &Session, outputs: Vec<Tensor>) -> Result<Vec<Values>> {
    let named = session.outputs().iter().zip(outputs);
    named
        .filter(|(_, tensor)| tensor.ty().is_float())
        .map(|(port, tensor)| {
            let numbers = tensor.floats().map_err(|why| failed(name, &why.0))?;
            if let Some(at) = numbers.iter().position(|v| !v.is_finite()) {
                let why = format!("value {at} of {} is {}", port.name, numbers[at]);
                return Err(failed(name, &why));
            }
            Ok(Values {
                name: port.name.clone(),
                numbers: numbers.into_owned(),
                shape: tensor.shape,
            })
        })
        .collect()
}

pub(super) fn failed(name: &str, why: &str) -> Error {
    let why = excerpt(why, 300);
    Error::new(Code::ModelOutput, format!("{name}: {why}"))
}

/// That a model is not what its task needs.
pub(super) fn unfit(name: &str, why: &str) -> Error {
    let why = excerpt(why, 300);
    Error::new(Code::ModelInvalid, format!("{name} {why}"))
}
