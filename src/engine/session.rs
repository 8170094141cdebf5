//! A model by itself: any inputs by name, all outputs, and state that is kept from run to run.

use std::collections::HashMap;

use smallfirst_onnx::{self as onnx, Length, Port, Tensor, Type};

use super::array::{Array, Data};
use super::dim::Dim;
use super::failure::{failed, guarded, unusable};
use super::graph;
use super::program::{InputSpec, MAGIC};
use super::run::{Failure, Runner};
use super::tensor::Element;
use crate::error::{Code, Error, Result, excerpt};

/// What runs it.
enum Runs {
    AsItIs(Box<onnx::Model>),
    Prepared(Box<Runner>),
}

/// A model by itself.
pub struct Session {
    name: String,
    runs: Runs,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// Outputs that are the next run's inputs, by the input's number: the output's number, and what it was.
    state: HashMap<usize, (usize, Option<Tensor>)>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Reads an ONNX file whose weights are all inside (see [`super::Model::whole`]), or a prepared file. `name` is used in
    /// errors only.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when it is neither, or asks for what is not supported: with the node's name.
    pub fn load(name: &str, file: Vec<u8>) -> Result<Session> {
        guarded(name, Code::ModelInvalid, || Session::read(name, file))
    }

    fn read(name: &str, file: Vec<u8>) -> Result<Session> {
        let (runs, inputs, outputs) = if file.starts_with(&MAGIC) {
            let runner = Runner::load(file);
            let runner = runner.map_err(|why| graph::invalid(name, "read", &why))?;
            let inputs = runner.inputs().iter().map(port).collect();
            let output = Port {
                name: "output".into(),
                ty: None,
                shape: None,
            };
            (Runs::Prepared(Box::new(runner)), inputs, vec![output])
        } else {
            let model = onnx::Model::read(file);
            let model = model.map_err(|why| graph::invalid(name, "run", &why.0))?;
            let (inputs, outputs) = (model.inputs().to_vec(), model.outputs().to_vec());
            (Runs::AsItIs(Box::new(model)), inputs, outputs)
        };
        Ok(Session {
            name: name.to_owned(),
            runs,
            inputs,
            outputs,
            state: HashMap::new(),
        })
    }

    /// What it takes.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// What it gives. A prepared file does not say what its one output is called.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// What an ONNX file says about itself under a name.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        match &self.runs {
            Runs::AsItIs(model) => model.metadata(name),
            Runs::Prepared(_) => None,
        }
    }

    /// From now on, an output of a run is an input of the next one where that is not given.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when there is no input or output of the name.
    pub fn keep(&mut self, output: &str, input: &str) -> Result<()> {
        let from = self.output(output)?;
        let to = self.inputs.iter().position(|port| port.name == input);
        let to = to.ok_or_else(|| no_such("input", input, &self.inputs))?;
        self.state.insert(to, (from, None));
        Ok(())
    }

    /// Forgets what was kept.
    pub fn reset(&mut self) {
        self.state.values_mut().for_each(|(_, kept)| *kept = None);
    }

    /// The number of an output.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when there is none of the name.
    pub fn output(&self, name: &str) -> Result<usize> {
        let at = self.outputs.iter().position(|port| port.name == name);
        at.ok_or_else(|| no_such("output", name, &self.outputs))
    }

    /// Runs it on one tensor for each input, `None` where the state has it, and gives all outputs.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when an input is missing, [`Code::ModelOutput`] when the tensors are not what the model takes,
    /// or it fails.
    pub fn run(&mut self, given: Vec<Option<Tensor>>) -> Result<Vec<Tensor>> {
        let state = &self.state;
        let whole = given.into_iter().enumerate().map(|(at, tensor)| {
            let kept = || state.get(&at).and_then(|(_, kept)| kept.clone());
            tensor.or_else(kept).ok_or_else(|| {
                let called = self.inputs.get(at).map_or("", |port| &port.name);
                let why = format!("run: the input {} is missing", excerpt(called, 60));
                Error::new(Code::InvalidOption, why)
            })
        });
        let whole: Vec<Tensor> = whole.collect::<Result<_>>()?;
        let outputs = guarded(&self.name, Code::ModelOutput, || match &self.runs {
            Runs::AsItIs(model) => model
                .run(whole)
                .map_err(|why| unusable(&self.name, &excerpt(&why.0, 300))),
            Runs::Prepared(runner) => prepared(&self.name, runner, whole),
        })?;
        for (from, kept) in self.state.values_mut() {
            *kept = outputs.get(*from).cloned();
        }
        Ok(outputs)
    }
}

fn no_such(kind: &str, name: &str, ports: &[Port]) -> Error {
    let there: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    Error::new(
        Code::InvalidOption,
        format!(
            "there is no {kind} \"{}\"; there are {}",
            excerpt(name, 60),
            excerpt(&there.join(", "), 200)
        ),
    )
}

/// An input of a prepared file.
fn port(input: &InputSpec) -> Port {
    let ty = match input.element {
        Element::F32 => Type::F32,
        Element::I32 => Type::I32,
        Element::I64 => Type::I64,
    };
    let length = |dim: &Dim| match dim {
        Dim::Number(n) => usize::try_from(*n).map_or(Length::Any, Length::Known),
        Dim::Symbol(at) => Length::Named(format!("n{at}")),
        _ => Length::Any,
    };
    Port {
        name: input.name.clone(),
        ty: Some(ty),
        shape: Some(input.dims.iter().map(length).collect()),
    }
}

fn prepared(name: &str, runner: &Runner, given: Vec<Tensor>) -> Result<Vec<Tensor>> {
    let inputs = given.into_iter().map(|tensor| {
        let data = match &tensor.data {
            onnx::Data::F32(v) => Data::F32(v.clone()),
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
    });
    let output = runner.run(inputs.collect::<Result<_>>()?);
    let output = output.map_err(|failure: Failure| failed(name, failure))?;
    let data = match output.data {
        Data::F32(v) => onnx::Data::F32(v),
        Data::I64(v) => onnx::Data::I64(v),
    };
    Ok(vec![Tensor {
        shape: output.shape,
        data,
    }])
}
