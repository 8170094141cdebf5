//! ONNX files: read by tract, and prepared where all their operators have a form here.

mod agreement;
mod check;
mod emit;
mod graph;
mod honoured;
mod lower;
pub(super) mod nodes;
mod quantised;
mod rewrite;
#[cfg(feature = "cli")]
pub mod scores;
mod simplify;
mod smaller;
mod types;
mod wellformed;
mod windows;
#[cfg(feature = "cli")]
pub mod writer;

#[cfg(test)]
mod tests;

use std::io::Cursor;
use std::sync::Arc;

#[cfg(test)]
pub(super) use tract_onnx::pb;
use tract_onnx::pb::{ModelProto, tensor_shape_proto, type_proto};
use tract_onnx::prelude::*;

use super::array::{Array, Data};
use super::inputs::Role;
use super::program::InputSpec;
use super::tensor::{Element, Shape};
use crate::bundle::SmallWeights;
use crate::error::{Code, Error, Result, excerpt};
pub use agreement::Agreement;
pub use check::{PreparedFile, Trial, prepare};
use emit::Form;
use graph::Symbols;

/// An ONNX file that was read and typed.
pub struct Source {
    name: String,
    model: TypedModel,
    inputs: Vec<InputSpec>,
    /// Whether its products are of int8.
    quantised: bool,
}

/// A model that tract runs, to compare with.
pub struct TractModel {
    inputs: Vec<InputSpec>,
    plan: Arc<TypedRunnableModel>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TractModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TractModel").finish_non_exhaustive()
    }
}

impl Source {
    /// Reads an ONNX file (opset 7 to 28; all weights inside). With `row`, its main input is one row of that type and
    /// shape; otherwise the inputs are as the file declares them.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when it is no ONNX model, or one that tract cannot read.
    pub fn read(name: &str, onnx: &[u8], row: Option<(Element, Shape)>) -> Result<Source> {
        match Source::typed(name, onnx, row, false) {
            // Some graphs make sense to tract only for a known batch.
            Err(_) if row.is_none() => Source::typed(name, onnx, row, true),
            read => read,
        }
    }

    fn typed(name: &str, onnx: &[u8], row: Option<(Element, Shape)>, one: bool) -> Result<Source> {
        // Shapes recorded in the file are hints of the exporter; quantised exports get them wrong,
        // and the true ones follow from the input.
        let framework = tract_onnx::onnx().with_ignore_value_info(true);
        let mut proto = framework
            .proto_model_for_read(&mut Cursor::new(onnx))
            .map_err(|e| invalid(name, "read", &e))?;
        wellformed::check(&proto).map_err(|e| invalid(name, "read", &e))?;
        rewrite::rewrite(&mut proto);
        honoured::check(&proto).map_err(|refusal| {
            Error::new(
                Code::ModelInvalid,
                format!("{name} cannot be run: {refusal}"),
            )
        })?;
        if let Some(file) = crate::engine::graph::beside(name, onnx)?.first() {
            return Err(Error::new(
                Code::ModelInvalid,
                format!(
                    "{name} has weights in {file}, a file beside it, which was not read with it"
                ),
            ));
        }
        if let Some(graph) = &mut proto.graph {
            types::cast_inputs(graph).map_err(|e| invalid(name, "read", &e))?;
        }
        let quantised = quantised::plain(&mut proto);
        let declared = declared(&proto);
        let mut model = framework
            .model_for_proto_model(&proto)
            .map_err(|e| invalid(name, "read", &e))?;
        drop(proto);
        if model.outputs.is_empty() {
            return Err(Error::new(
                Code::ModelInvalid,
                format!("{name} has no output; a model of a bundle has one"),
            ));
        }
        let count = model.inputs.len();
        let mut inputs = Vec::new();
        for at in 0..count {
            let node = model.inputs[at].node;
            let called = model.node(node).name.clone();
            let own = declared.iter().find(|d| d.0 == called);
            let (element, dims) = match (row, own) {
                (Some((element, shape)), _) => {
                    let element = if count > 1 && Role::of(&called) != Role::Main {
                        Element::I64
                    } else {
                        element
                    };
                    (
                        element,
                        vec![
                            Length::Known(1),
                            match shape {
                                Shape::Row(n) => Length::Known(n),
                                Shape::AnyRow => Length::Named("N".into()),
                                // `prepare` is told no row then.
                                Shape::Planes | Shape::Axes(_) => Length::Named("N".into()),
                            },
                        ],
                    )
                }
                (None, Some((_, element, dims))) => (*element, dims.clone()),
                (None, None) => {
                    return Err(Error::new(
                        Code::ModelInvalid,
                        format!(
                            "{name} does not say what its input {called} is; export it again with the inputs' types"
                        ),
                    ));
                }
            };
            let shape: TVec<TDim> = dims
                .iter()
                .enumerate()
                .map(|(axis, d)| match d {
                    Length::Known(n) => n.to_dim(),
                    Length::Named(_) if one && axis == 0 => 1.to_dim(),
                    Length::Named(symbol) => model.symbols.sym(symbol).to_dim(),
                })
                .collect();
            let datum = match element {
                Element::F32 => f32::datum_type(),
                Element::I32 => i32::datum_type(),
                Element::I64 => i64::datum_type(),
            };
            model
                .set_input_fact(at, datum.fact(&shape).into())
                .map_err(|e| invalid(name, "typed", &e))?;
            inputs.push((called, element, shape));
        }
        let first = model.outputs[0];
        model
            .select_output_outlets(&[first])
            .map_err(|e| invalid(name, "typed", &e))?;
        let model = model
            .into_typed()
            .and_then(TypedModel::into_decluttered)
            .map_err(|e| invalid(name, "typed", &e))?;
        let mut symbols = Symbols::default();
        inputs
            .iter()
            .flat_map(|(_, _, shape)| shape)
            .for_each(|dim| symbols.add(dim));
        let inputs = inputs.into_iter().map(|(name, element, shape)| InputSpec {
            name,
            element,
            dims: symbols.dims(&shape).unwrap_or_default(),
        });
        Ok(Source {
            name: name.to_owned(),
            inputs: inputs.collect(),
            model,
            quantised,
        })
    }

    /// Its inputs, in order.
    pub fn inputs(&self) -> &[InputSpec] {
        &self.inputs
    }

    /// The bytes of its prepared file, with smaller weights where that is asked for. Weights of large products that were
    /// int8 stay so, unless 4 bits are asked for. Nobody has run it yet: see [`prepare`].
    ///
    /// # Errors
    /// Why it has no prepared form.
    pub fn write(&self, small: Option<SmallWeights>) -> std::result::Result<Vec<u8>, String> {
        let (mut graph, symbols) = lower::lower(&self.model).map_err(|why| why.0)?;
        simplify::simplify(&mut graph);
        let form = Form {
            int8: match small {
                Some(SmallWeights::Int8) => true,
                Some(SmallWeights::Q4) => false,
                _ => self.quantised,
            },
            small,
        };
        emit::emit(&graph, &symbols, self.inputs.clone(), form).map_err(|why| why.0)
    }

    /// Leaves it to tract, with all of tract's own optimisations.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when tract cannot run it.
    pub fn into_tract(self) -> Result<TractModel> {
        let plan = self
            .model
            .into_optimized()
            .and_then(TypedModel::into_runnable)
            .map_err(|e| invalid(&self.name, "optimised", &e))?;
        Ok(TractModel {
            inputs: self.inputs,
            plan,
        })
    }
}

impl TractModel {
    /// Its inputs, in order.
    pub fn inputs(&self) -> &[InputSpec] {
        &self.inputs
    }

    /// Runs it on one array for each input.
    ///
    /// # Errors
    /// What tract says.
    pub fn run(&self, inputs: Vec<Array>) -> TractResult<Array> {
        let mut tensors = TVec::new();
        for (array, given) in inputs.into_iter().zip(&self.inputs) {
            let tensor = match array.data {
                Data::F32(v) => Tensor::from_shape(&array.shape, &v)?,
                Data::I64(v) => Tensor::from_shape(&array.shape, &v)?,
            };
            let tensor = match given.element {
                Element::I32 => tensor.cast_to::<i32>()?.into_owned(),
                _ => tensor,
            };
            tensors.push(tensor.into());
        }
        let outputs = self.plan.run(tensors)?;
        let first = outputs
            .first()
            .ok_or_else(|| TractError::msg("nothing came out"))?;
        let values = first.cast_to::<f32>()?;
        let values = values
            .to_plain_array_view::<f32>()?
            .iter()
            .copied()
            .collect();
        Ok(Array::f32(first.shape().to_vec(), values))
    }
}

fn invalid(name: &str, step: &str, e: &TractError) -> Error {
    Error::new(
        Code::ModelInvalid,
        format!(
            "{name} could not be {step}: {}; export it again as ONNX with operators tract supports",
            excerpt(&format!("{e:#}"), 300)
        ),
    )
}

/// A length that a file declares.
#[derive(Debug, Clone)]
enum Length {
    Known(usize),
    Named(String),
}

/// The inputs that a file declares, without those that are weights. A length without a name is named by its axis, so that
/// a model's inputs of the same form share it.
fn declared(proto: &ModelProto) -> Vec<(String, Element, Vec<Length>)> {
    use tensor_shape_proto::dimension::Value;
    let Some(graph) = &proto.graph else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for input in &graph.input {
        let Some(type_proto::Value::TensorType(tensor)) =
            input.r#type.as_ref().and_then(|t| t.value.as_ref())
        else {
            continue;
        };
        let element = match tensor.elem_type {
            1 => Element::F32,
            6 => Element::I32,
            7 => Element::I64,
            _ => continue,
        };
        let dims = tensor.shape.iter().flat_map(|s| &s.dim).enumerate();
        let dims = dims.map(|(axis, dim)| match &dim.value {
            Some(Value::DimValue(n)) if *n > 0 => Length::Known(*n as usize),
            Some(Value::DimParam(name)) if !name.is_empty() => Length::Named(symbol(name)),
            _ => Length::Named(format!("axis{axis}")),
        });
        found.push((input.name.clone(), element, dims.collect()));
    }
    found
}

/// A name that tract takes for a symbol.
fn symbol(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("d{plain}")
}
