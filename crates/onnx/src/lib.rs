//! ONNX files, read and run as they come.
//!
//! A file becomes a graph of operators that are ready to run ([`Model::read`]). Lengths are not needed for that: each operator
//! takes its operands as they are when it runs ([`Model::run`]). What is known when the file is read is computed then, and
//! weights are laid out as the kernels read them.
//!
//! What a file asks for is honoured or refused: operators, domains, versions, attributes and operands that are not known stop the
//! reading with the name of the node.

mod broadcast;
mod build;
pub mod external;
mod fault;
mod functions;
mod fuse;
mod graph;
mod items;
mod model;
mod op;
mod ops;
pub mod proto;
mod tensor;
mod weights;

pub use fault::{Fault, Result};
pub use model::{Length, Model, Port};
pub use op::{Observer, Value};
pub use tensor::{Data, MAX_ELEMENTS, Numbers, Tensor, Type, count};
pub use weights::tensor as tensor_of;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
