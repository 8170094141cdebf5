//! How a model runs. The only room that names tract.
//!
//! A model has one input, whose type and shape are known from the manifest before it is loaded,
//! and one output of `f32`. Encoders of token ids may have the two companions that BERT exports
//! have, an attention mask and token types; for one unpadded text these are all ones and all zeros.
//! Loading parses and optimises; running is cheap and repeatable.

#[cfg(feature = "cli")]
pub mod export;
#[cfg(feature = "cli")]
pub mod import;
mod tensor;
mod wellformed;

use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::prelude::*;

pub use tensor::{Element, Shape, Tensor};

use crate::error::{Code, Error, Result, excerpt};

/// A model that is ready to run.
pub struct Model {
    name: String,
    shape: Shape,
    element: Element,
    inputs: Vec<Role>,
    plan: Arc<TypedRunnableModel>,
}

/// What an input of the graph is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The caller's tensor.
    Main,
    /// Ones of its length: every token is real.
    Mask,
    /// Zeros of its length: every token is of the first segment.
    Types,
}

impl Role {
    /// By the names that exporters of transformer encoders give their inputs.
    fn of(name: &str) -> Role {
        if name.contains("mask") {
            Role::Mask
        } else if name.contains("type") {
            Role::Types
        } else {
            Role::Main
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads an ONNX model (opset 7 to 17; weights inside the file) that takes one input of
    /// `element` and `shape`. `name` is used in errors only.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when it is no ONNX model, or one that cannot run here.
    pub fn load(name: &str, onnx: &[u8], element: Element, shape: Shape) -> Result<Self> {
        guarded(name, Code::ModelInvalid, || {
            Model::prepare(name, onnx, element, shape)
        })
    }

    fn prepare(name: &str, onnx: &[u8], element: Element, shape: Shape) -> Result<Self> {
        let invalid = |step: &str, e: TractError| {
            Error::new(
                Code::ModelInvalid,
                format!(
                    "{name} could not be {step}: {}; export it again as ONNX with operators tract supports",
                    excerpt(&format!("{e:#}"), 300)
                ),
            )
        };
        // Shapes recorded in the file are hints of the exporter; quantised exports get them wrong,
        // and the true ones follow from the input.
        let framework = tract_onnx::onnx().with_ignore_value_info(true);
        let proto = framework
            .proto_model_for_read(&mut Cursor::new(onnx))
            .map_err(|e| invalid("read", e))?;
        wellformed::check(&proto).map_err(|e| invalid("read", e))?;
        let mut model = framework
            .model_for_proto_model(&proto)
            .map_err(|e| invalid("read", e))?;
        let roles: Vec<Role> = match model.inputs.len() {
            1 => vec![Role::Main],
            _ => model
                .inputs
                .iter()
                .map(|input| Role::of(&model.node(input.node).name))
                .collect(),
        };
        let one_main = roles.iter().filter(|r| **r == Role::Main).count() == 1;
        let companions = roles.len() == 1 || (element == Element::I64 && shape == Shape::AnyRow);
        if !one_main || !companions || model.outputs.is_empty() {
            return Err(Error::new(
                Code::ModelInvalid,
                format!(
                    "{name} has {} inputs and {} outputs; a model of a bundle has one input (token \
                     encoders also a mask and types) and one output",
                    model.inputs.len(),
                    model.outputs.len()
                ),
            ));
        }
        let fact = tensor::fact(&model.symbols, element, shape);
        for at in 0..roles.len() {
            model
                .set_input_fact(at, fact.clone().into())
                .map_err(|e| invalid("typed", e))?;
        }
        let first = model.outputs[0];
        model
            .select_output_outlets(&[first])
            .map_err(|e| invalid("typed", e))?;
        let plan = model
            .into_optimized()
            .map_err(|e| invalid("optimised", e))?
            .into_runnable()
            .map_err(|e| invalid("planned", e))?;
        Ok(Model {
            name: name.to_owned(),
            shape,
            element,
            inputs: roles,
            plan,
        })
    }

    /// Runs the model on one input and gives its first output, flattened. Every value is finite.
    ///
    /// # Errors
    /// [`Code::Internal`] when the tensor is not of the shape the model was loaded for,
    /// [`Code::ModelOutput`] when the model fails or gives a value that is not finite.
    pub fn run(&self, input: Tensor) -> Result<Vec<f32>> {
        guarded(&self.name, Code::ModelOutput, || self.infer(input))
    }

    fn infer(&self, input: Tensor) -> Result<Vec<f32>> {
        if input.element() != self.element || !self.shape.holds(input.len()) {
            return Err(Error::new(
                Code::Internal,
                format!(
                    "{} takes {:?} {:?}, it was given {} values of {:?}",
                    self.name,
                    self.element,
                    self.shape,
                    input.len(),
                    input.element()
                ),
            ));
        }
        let unusable = |what: String| {
            Error::new(
                Code::ModelOutput,
                format!(
                    "{} gave no usable output: {what}; the model or the bundle is at fault",
                    self.name
                ),
            )
        };
        let len = input.len();
        let mut main = Some(input);
        let mut inputs = TVec::new();
        for role in &self.inputs {
            let tensor = match role {
                Role::Main => main.take(),
                Role::Mask => Some(Tensor::I64(vec![1; len])),
                Role::Types => Some(Tensor::I64(vec![0; len])),
            };
            let tensor = tensor.ok_or_else(|| unusable("it has two main inputs".into()))?;
            let tensor = tensor.into_tract().map_err(|e| unusable(e.to_string()))?;
            inputs.push(tensor.into());
        }
        let outputs = self
            .plan
            .run(inputs)
            .map_err(|e| unusable(excerpt(&format!("{e:#}"), 300)))?;
        let first = outputs
            .first()
            .ok_or_else(|| unusable("nothing came out".into()))?;
        let values = first
            .cast_to::<f32>()
            .map_err(|e| unusable(e.to_string()))?;
        let values = tensor::values(&values).map_err(|e| unusable(e.to_string()))?;
        match values.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(unusable(format!(
                "value {at} of {} is {}",
                values.len(),
                values[at]
            ))),
            None => Ok(values),
        }
    }
}

/// Turns a panic inside tract, which a damaged model can still provoke, into an error. On wasm,
/// where panics cannot be caught, the worker dies and is replaced.
fn guarded<T>(name: &str, code: Code, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::new(
            code,
            format!("{name} broke the engine; the file is damaged, export or upload it again"),
        ))
    })
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
