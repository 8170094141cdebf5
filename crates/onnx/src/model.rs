//! Models.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::build;
use crate::fault::{Result, fault};
use crate::graph::Graph;
use crate::op::{Context, Observer};
use crate::proto::{GraphProto, ModelProto, ValueInfoProto};
use crate::tensor::{Tensor, Type, count};

/// What a run may take: multiply-adds and elements written, in all.
const MAX_WORK: u64 = 1 << 39;

/// The bytes of values that a run may hold at once.
pub(crate) const MAX_BYTES: u64 = 2 << 30;

/// A length of an input or output, as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Length {
    /// A number.
    Known(usize),
    /// Any, by this name.
    Named(String),
    /// Any.
    Any,
}

/// An input or output, as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its element type; `None` where the file does not say.
    pub ty: Option<Type>,
    /// Its lengths; `None` where the file does not say.
    pub shape: Option<Vec<Length>>,
}

/// A model that is ready to run.
pub struct Model {
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    metadata: Vec<(String, String)>,
    graph: Graph,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads an ONNX file whose weights are all inside.
    ///
    /// # Errors
    /// When it is none, or asks for something that is not supported: with the node and what it asked for.
    pub fn read(file: impl Into<Bytes>) -> Result<Model> {
        Model::of(&ModelProto::decode(file.into())?)
    }

    /// Makes a model of a message.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn of(proto: &ModelProto) -> Result<Model> {
        let graph = build::model(proto)?;
        let main = proto.graph.as_ref();
        let weights = main
            .iter()
            .flat_map(|g| &g.initializer)
            .map(|t| t.name.as_str());
        let weights: std::collections::HashSet<&str> = weights.collect();
        let inputs = main
            .iter()
            .flat_map(|g| &g.input)
            .filter(|input| !weights.contains(input.name.as_str()));
        Ok(Model {
            inputs: inputs.map(port).collect::<Result<_>>()?,
            outputs: main
                .iter()
                .flat_map(|g| {
                    g.output.iter().map(|info| match zipped(g, &info.name) {
                        true => Ok(Port {
                            name: info.name.clone(),
                            ty: Some(Type::F32),
                            shape: None,
                        }),
                        false => port(info),
                    })
                })
                .collect::<Result<_>>()?,
            metadata: proto
                .metadata_props
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.clone()))
                .collect(),
            graph,
        })
    }

    /// How many nodes run.
    #[cfg(test)]
    pub(crate) fn steps(&self) -> usize {
        self.graph.nodes.len()
    }

    /// The inputs, in the order in which [`Model::run`] takes them.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs, in the order in which [`Model::run`] gives them.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// What the file says about itself under a name, the first time that it says so.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        let found = self.metadata.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Runs the model on one tensor for each input and gives one for each output.
    ///
    /// # Errors
    /// When the tensors are not what it takes, or a node cannot take what it is given: with the node's name.
    pub fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        self.within(inputs, Context::new(MAX_WORK, MAX_BYTES))
    }

    /// The same, telling of each node that ran, in graphs inside of nodes too: before the node that they are in.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub fn observed(&self, inputs: Vec<Tensor>, observer: Observer) -> Result<Vec<Tensor>> {
        let context = Context::new(MAX_WORK, MAX_BYTES);
        self.within(inputs, context.watched(observer))
    }

    /// The same, with less to spend.
    pub(crate) fn within(&self, inputs: Vec<Tensor>, mut context: Context) -> Result<Vec<Tensor>> {
        if inputs.len() != self.inputs.len() {
            return fault(format!(
                "it takes {} inputs, and {} were given",
                self.inputs.len(),
                inputs.len()
            ));
        }
        for (port, given) in self.inputs.iter().zip(&inputs) {
            port.check(given)?;
        }
        let inputs = inputs.into_iter().map(Arc::new).collect();
        let outputs = self.graph.run(inputs, Vec::new(), &mut context)?;
        Ok(outputs.into_iter().map(Arc::unwrap_or_clone).collect())
    }
}

impl Port {
    fn check(&self, given: &Tensor) -> Result<()> {
        if count(&given.shape)? != given.len() {
            return fault(format!(
                "the input {} has {} elements, which are not of the shape {:?}",
                self.name,
                given.len(),
                given.shape
            ));
        }
        if let Some(ty) = self.ty.filter(|ty| *ty != given.ty()) {
            return fault(format!(
                "the input {} is of {}, and {} were given",
                self.name,
                ty.name(),
                given.ty().name()
            ));
        }
        if let Some(shape) = &self.shape {
            let fits = |(length, &given): (&Length, &usize)| !matches!(length, Length::Known(n) if *n != given);
            if shape.len() != given.shape.len() || !shape.iter().zip(&given.shape).all(fits) {
                let told: Vec<String> = shape.iter().map(Length::told).collect();
                return fault(format!(
                    "the input {} has the shape [{}], and {:?} was given",
                    self.name,
                    told.join(", "),
                    given.shape
                ));
            }
        }
        Ok(())
    }
}

impl Length {
    fn told(&self) -> String {
        match self {
            Length::Known(n) => n.to_string(),
            Length::Named(name) => name.clone(),
            Length::Any => "any".into(),
        }
    }
}

/// Whether a value is declared as a sequence of maps because `ZipMap` made it: here it is the probabilities themselves.
fn zipped(graph: &GraphProto, name: &str) -> bool {
    let mut nodes = graph.node.iter().filter(|n| n.op_type == "ZipMap");
    nodes.any(|n| n.domain == "ai.onnx.ml" && n.output.iter().any(|output| output == name))
}

fn port(info: &ValueInfoProto) -> Result<Port> {
    let mut port = Port {
        name: info.name.clone(),
        ty: None,
        shape: None,
    };
    let Some(ty) = &info.r#type else {
        return Ok(port);
    };
    let Some(tensor) = &ty.tensor_type else {
        return fault(format!(
            "{} is a sequence, a map or optional, and only tensors are supported",
            info.name
        ));
    };
    if tensor.elem_type != 0 {
        port.ty = Some(Type::of_code(tensor.elem_type).map_err(|why| why.within(&info.name))?);
    }
    port.shape = tensor.shape.as_ref().map(|shape| {
        let length = |d: &crate::proto::DimensionProto| match (d.dim_value, &d.dim_param) {
            (Some(n), _) => usize::try_from(n).map_or(Length::Any, Length::Known),
            (None, Some(name)) if !name.is_empty() => Length::Named(name.clone()),
            _ => Length::Any,
        };
        shape.dim.iter().map(length).collect()
    });
    Ok(port)
}
