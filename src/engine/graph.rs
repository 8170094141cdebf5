//! ONNX files that run as they are, by `smallfirst_onnx`.

use std::collections::{BTreeMap, BTreeSet};

use smallfirst_onnx::{self as onnx, Length, Port, Type};

use super::array::{Array, Data};
use super::dim::Dim;
use super::failure;
use super::program::InputSpec;
use super::tensor::Element;
use crate::error::{Code, Error, Result, excerpt};

/// A model with inputs of numbers, of which the first output is read.
pub(super) struct GraphModel {
    model: onnx::Model,
    inputs: Vec<InputSpec>,
    /// The inputs' types in the file.
    types: Vec<Type>,
}

impl GraphModel {
    pub(super) fn read(name: &str, file: Vec<u8>) -> Result<GraphModel> {
        if let Some(beside) = beside(name, &file)?.first() {
            return Err(Error::new(
                Code::ModelInvalid,
                format!(
                    "{name} has weights in {beside}, a file beside it, which was not read with it"
                ),
            ));
        }
        let model = onnx::Model::read(file).map_err(|why| invalid(name, "run", &why.0))?;
        if model.outputs().is_empty() {
            return Err(Error::new(
                Code::ModelInvalid,
                format!("{name} has no output; a model of a bundle has one"),
            ));
        }
        let mut symbols = Symbols::default();
        let inputs = model
            .inputs()
            .iter()
            .map(|port| spec(name, port, &mut symbols));
        Ok(GraphModel {
            inputs: inputs.collect::<Result<_>>()?,
            types: model
                .inputs()
                .iter()
                .map(|port| port.ty.unwrap_or(Type::F32))
                .collect(),
            model,
        })
    }

    pub(super) fn inputs(&self) -> &[InputSpec] {
        &self.inputs
    }

    pub(super) fn run(&self, name: &str, inputs: Vec<Array>) -> Result<Array> {
        let given = inputs.into_iter().zip(&self.types);
        let given = given.map(|(array, &ty)| tensor(array, ty));
        let outputs = self.model.run(given.collect());
        let outputs = outputs.map_err(|why| unusable(name, &why.0))?;
        let first = outputs.into_iter().next();
        first
            .ok_or_else(|| unusable(name, "nothing came out"))
            .and_then(|first| array(name, first))
    }
}

/// The files beside a model that it has weights in.
pub(super) fn beside(name: &str, file: &[u8]) -> Result<BTreeSet<String>> {
    onnx::external::files(file).map_err(|why| invalid(name, "read", &why.0))
}

/// The model with these files' weights inside.
pub(super) fn whole(
    name: &str,
    file: &[u8],
    beside: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<u8>> {
    onnx::external::inline(file, beside).map_err(|why| invalid(name, "read", &why.0))
}

pub(super) fn invalid(name: &str, step: &str, why: &str) -> Error {
    Error::new(
        Code::ModelInvalid,
        format!("{name} could not be {step}: {}", excerpt(why, 300)),
    )
}

fn unusable(name: &str, what: &str) -> Error {
    failure::unusable(name, &excerpt(what, 300))
}

/// How many lengths are not known. Those of one name may differ: files give the same name to what only happens to be alike.
#[derive(Default)]
struct Symbols(u32);

impl Symbols {
    fn dim(&mut self, length: &Length) -> Dim {
        match length {
            Length::Known(n) => Dim::Number(i64::try_from(*n).unwrap_or(i64::MAX)),
            Length::Named(_) | Length::Any => {
                self.0 += 1;
                Dim::Symbol(self.0 - 1)
            }
        }
    }
}

fn spec(name: &str, port: &Port, symbols: &mut Symbols) -> Result<InputSpec> {
    let element = match port.ty {
        Some(Type::Text) => {
            return Err(Error::new(
                Code::ModelInvalid,
                format!(
                    "{name} takes strings as \"{}\", and a model of a bundle takes numbers",
                    excerpt(&port.name, 60)
                ),
            ));
        }
        Some(Type::I32) => Element::I32,
        Some(ty) if !ty.is_float() => Element::I64,
        _ => Element::F32,
    };
    // Where a file does not say, a row is taken: the models of a bundle have nothing else.
    let any = [Length::Any, Length::Any];
    let dims = port.shape.as_deref().unwrap_or(&any);
    Ok(InputSpec {
        name: port.name.clone(),
        element,
        dims: dims.iter().map(|length| symbols.dim(length)).collect(),
    })
}

/// Numbers of a task in the type that an input has.
fn tensor(array: Array, ty: Type) -> onnx::Tensor {
    let data = match array.data {
        Data::F32(v) => onnx::Numbers::F32(v.into()).narrow(ty),
        Data::I64(v) if ty == Type::Bool => {
            onnx::Data::Bool(v.into_iter().map(|v| v != 0).collect())
        }
        Data::I64(v) => onnx::Numbers::I64(v.into()).narrow(ty),
    };
    onnx::Tensor {
        shape: array.shape,
        data,
    }
}

fn array(name: &str, tensor: onnx::Tensor) -> Result<Array> {
    let data = match &tensor.data {
        onnx::Data::Bool(v) => Data::I64(v.iter().map(|&v| i64::from(v)).collect()),
        _ if tensor.ty().is_float() => match tensor.data {
            onnx::Data::F32(v) => Data::F32(v),
            _ => Data::F32(floats(name, &tensor)?),
        },
        _ => Data::I64(
            tensor
                .ints()
                .map_err(|why| unusable(name, &why.0))?
                .into_owned(),
        ),
    };
    Ok(Array {
        shape: tensor.shape,
        data,
    })
}

fn floats(name: &str, tensor: &onnx::Tensor) -> Result<Vec<f32>> {
    let floats = tensor.floats().map_err(|why| unusable(name, &why.0))?;
    Ok(floats.into_owned())
}
