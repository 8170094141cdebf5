//! How a model runs.
//!
//! A model is *prepared* before it is shipped: read from ONNX by tract, rewritten into few operators that the kernels
//! have, its weights laid out as the kernels read them. Loading a prepared file parses a short header; its weights are
//! used where they lie. With the feature `onnx` any ONNX file can be loaded too: `smallfirst_onnx` runs it as it is, node by
//! node. With the feature `prepare` it is prepared on the spot where that is possible.
//!
//! | file | what it is |
//! | --- | --- |
//! | `kernels` | the arithmetic: packed products, int8, attention, normalisations, windows |
//! | `op`, `dim`, `program` | operators, lengths, and the prepared file |
//! | `cost` | what a program would take, before it is run |
//! | `run`, `eval`, `array` | running it, with buffers that are used again |
//! | `graph` | ONNX files that run as they are |
//! | `session` | a model by itself: any inputs, all outputs |
//! | `onnx` | tract: reading ONNX, rewriting, writing prepared files. The only part that names tract |
//!
//! The models of a bundle have one input, whose type and shape are known from the manifest before they are loaded, and
//! one output of `f32`. Encoders of token ids may have the two companions that BERT exports have, an attention mask
//! and token types; for one unpadded text these are all ones and all zeros.

mod array;
mod buffer_pool;
mod cost;
mod dim;
mod eval;
mod failure;
#[cfg(feature = "onnx")]
mod graph;
mod inputs;
#[cfg(feature = "training")]
mod linear;
#[cfg(feature = "prepare")]
pub mod onnx;
mod op;
mod operand;
mod program;
mod run;
#[cfg(feature = "onnx")]
mod session;
mod tensor;

use std::fmt;

pub use array::{Array, Data};
pub use dim::Dim;
#[cfg(feature = "training")]
pub use linear::linear;
pub use program::{InputSpec, MAGIC};
#[cfg(feature = "onnx")]
pub use session::Session;
pub use smallfirst_kernels as kernels;
#[cfg(feature = "onnx")]
pub use smallfirst_onnx as tensors;
pub use tensor::{Element, Shape, Tensor};

use crate::error::{Code, Error, Result};
use failure::{failed, guarded, too_much, unusable};
use inputs::{Role, roles, takes};
use run::Runner;

/// A model that is ready to run.
pub struct Model {
    name: String,
    engine: Engine,
    /// For a model of a bundle: what its input is.
    row: Option<Row>,
}

/// What runs it.
enum Engine {
    Prepared(Box<Runner>),
    #[cfg(feature = "onnx")]
    Graph(Box<graph::GraphModel>),
}

/// The one input of a bundle's model.
struct Row {
    element: Element,
    shape: Shape,
    inputs: Vec<Role>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads a model that takes one row of `element` and `shape`: a prepared file, or with the feature `onnx` an ONNX
    /// file (opset 7 to 28; weights inside the file, see [`Model::whole`]). `name` is used in errors only.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when it is neither, or one that cannot run here.
    pub fn load(name: &str, file: Vec<u8>, element: Element, shape: Shape) -> Result<Self> {
        guarded(name, Code::ModelInvalid, || {
            let engine = Engine::load(name, file, Some((element, shape)))?;
            let given = engine.inputs();
            let inputs = roles(name, given, element, shape)?;
            for (input, role) in given.iter().zip(&inputs) {
                let wanted = if *role == Role::Main {
                    element
                } else {
                    Element::I64
                };
                if !takes(input, wanted, shape) {
                    return Err(Error::new(
                        Code::ModelInvalid,
                        format!(
                            "{name} takes {:?} of other lengths than {wanted:?} {shape:?}; it belongs to another task",
                            input.element
                        ),
                    ));
                }
            }
            Ok(Model {
                name: name.to_owned(),
                engine,
                row: Some(Row {
                    element,
                    shape,
                    inputs,
                }),
            })
        })
    }

    /// The files beside a model that it has weights in, as it names them: those of a large ONNX model. They go into
    /// [`Model::whole`].
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when one would not lie beside the model.
    #[cfg(feature = "onnx")]
    pub fn beside(name: &str, file: &[u8]) -> Result<std::collections::BTreeSet<String>> {
        match file.starts_with(&MAGIC) {
            true => Ok(std::collections::BTreeSet::new()),
            false => graph::beside(name, file),
        }
    }

    /// The model with the weights that are in files beside it.
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when the files do not belong together.
    #[cfg(feature = "onnx")]
    pub fn whole(
        name: &str,
        file: &[u8],
        beside: &std::collections::BTreeMap<String, Vec<u8>>,
    ) -> Result<Vec<u8>> {
        graph::whole(name, file, beside)
    }

    /// Reads a model of any inputs, for [`Model::infer`].
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn open(name: &str, file: Vec<u8>) -> Result<Self> {
        guarded(name, Code::ModelInvalid, || {
            Ok(Model {
                name: name.to_owned(),
                engine: Engine::load(name, file, None)?,
                row: None,
            })
        })
    }

    /// The inputs, in the order in which [`Model::infer`] takes them.
    pub fn inputs(&self) -> &[InputSpec] {
        self.engine.inputs()
    }

    /// Whether it runs as a prepared program; otherwise node by node, as its file has them.
    pub fn is_prepared(&self) -> bool {
        matches!(self.engine, Engine::Prepared(_))
    }

    /// Runs the model on one array for each input and gives its first output.
    ///
    /// # Errors
    /// [`Code::ModelOutput`] when the arrays are not what it takes, or it fails.
    pub fn infer(&self, inputs: Vec<Array>) -> Result<Array> {
        guarded(&self.name, Code::ModelOutput, || {
            self.engine.run(&self.name, inputs)
        })
    }

    /// As [`Model::infer`]. `after` is called with the kind of each step of a prepared program that is done.
    ///
    /// # Errors
    /// As [`Model::infer`].
    #[cfg(feature = "cli")]
    pub fn infer_observed(&self, inputs: Vec<Array>, after: &mut dyn FnMut(&str)) -> Result<Array> {
        let Engine::Prepared(runner) = &self.engine else {
            return self.infer(inputs);
        };
        let told = |op: &op::Op, pair| {
            after(if pair {
                "convolutions in pairs"
            } else {
                op.kind()
            })
        };
        let result = runner.observed(inputs, told);
        result.map_err(|failure| failed(&self.name, failure))
    }

    /// Runs the model on one row and gives its first output, flattened. Every value is finite.
    ///
    /// # Errors
    /// [`Code::Internal`] when the tensor is not of the shape the model was loaded for,
    /// [`Code::ModelOutput`] when the model fails or gives a value that is not finite.
    pub fn run(&self, input: Tensor) -> Result<Vec<f32>> {
        let Some(row) = self
            .row
            .as_ref()
            .filter(|row| input.element() == row.element && row.shape.holds(input.len()))
        else {
            return Err(Error::new(
                Code::Internal,
                format!(
                    "{} was given {} values of {:?}, which is not what it was loaded for",
                    self.name,
                    input.len(),
                    input.element()
                ),
            ));
        };
        let companion = |value: i64| Array::i64(vec![1, input.len()], vec![value; input.len()]);
        let mut inputs: Vec<Array> = row
            .inputs
            .iter()
            .map(|role| companion(i64::from(*role == Role::Mask)))
            .collect();
        let main = row.inputs.iter().position(|role| *role == Role::Main);
        if let Some(main) = main.and_then(|main| inputs.get_mut(main)) {
            *main = input.into_array();
        }
        let values = match self.infer(inputs)?.data {
            Data::F32(values) => values,
            Data::I64(values) => values.into_iter().map(|v| v as f32).collect(),
        };
        match values.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(unusable(
                &self.name,
                &format!("value {at} of {} is {}", values.len(), values[at]),
            )),
            None => Ok(values),
        }
    }
}

impl Engine {
    fn load(name: &str, file: Vec<u8>, row: Option<(Element, Shape)>) -> Result<Engine> {
        if !file.starts_with(&MAGIC) {
            return Engine::load_onnx(name, file, row);
        }
        let runner = Runner::load(file).map_err(|why| {
            Error::new(
                Code::ModelInvalid,
                format!("{name} could not be read: {why}; prepare the model anew"),
            )
        })?;
        // Whatever the input, it takes no less.
        match runner.least() {
            Some(cost) => Err(too_much(name, cost)),
            None => Ok(Engine::Prepared(Box::new(runner))),
        }
    }

    /// Prepares it where that is possible, and takes it as it is where not.
    #[cfg(feature = "prepare")]
    fn load_onnx(name: &str, file: Vec<u8>, row: Option<(Element, Shape)>) -> Result<Engine> {
        let row = row.filter(|(_, shape)| !matches!(shape, Shape::Planes | Shape::Axes(_)));
        match onnx::prepare(name, &file, row, None)? {
            Ok(file) => Engine::load(name, file.bytes, row),
            Err(_) => graph::GraphModel::read(name, file)
                .map(Box::new)
                .map(Engine::Graph),
        }
    }

    #[cfg(all(feature = "onnx", not(feature = "prepare")))]
    fn load_onnx(name: &str, file: Vec<u8>, _: Option<(Element, Shape)>) -> Result<Engine> {
        graph::GraphModel::read(name, file)
            .map(Box::new)
            .map(Engine::Graph)
    }

    #[cfg(not(feature = "onnx"))]
    fn load_onnx(name: &str, _: Vec<u8>, _: Option<(Element, Shape)>) -> Result<Engine> {
        Err(Error::new(
            Code::ModelInvalid,
            format!(
                "{name} is not a prepared model, and this build runs only those; prepare it (`smallfirst prepare`) \
                 or use the engine for ONNX"
            ),
        ))
    }

    fn inputs(&self) -> &[InputSpec] {
        match self {
            Engine::Prepared(runner) => runner.inputs(),
            #[cfg(feature = "onnx")]
            Engine::Graph(model) => model.inputs(),
        }
    }

    fn run(&self, name: &str, inputs: Vec<Array>) -> Result<Array> {
        match self {
            Engine::Prepared(runner) => runner.run(inputs).map_err(|failure| failed(name, failure)),
            #[cfg(feature = "onnx")]
            Engine::Graph(model) => model.run(name, inputs),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
