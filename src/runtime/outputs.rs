//! What a run gives, as a kind of task reads it.

use crate::engine::tensors::{Port, Tensor};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::kind::Values;

/// The values of a model's outputs. Every one of their numbers is finite.
pub(super) fn values(model: &str, ports: &[Port], outputs: Vec<Tensor>) -> Result<Vec<Values>> {
    let failed = |why: &str| {
        let why = format!("{model}: {}", excerpt(why, 300));
        Error::new(Code::ModelOutput, why)
    };
    let named = ports.iter().zip(outputs);
    named
        .map(|(port, tensor)| {
            let numbers = tensor.floats().map_err(|why| failed(&why.0))?;
            if let Some(at) = numbers.iter().position(|v| !v.is_finite()) {
                let why = format!("value {at} of {} is {}", port.name, numbers[at]);
                return Err(failed(&why));
            }
            Ok(Values {
                name: port.name.clone(),
                shape: tensor.shape.clone(),
                numbers: numbers.into_owned(),
            })
        })
        .collect()
}
