//! The operand that a step may overwrite.

use super::array::{Array, Data, Elements, Fault, View};
use super::buffer_pool::BufferPool;

/// The first operand of a step. A value that no later step reads is owned, so that its buffer can take the result.
pub(crate) enum Operand<'a> {
    Owned(Array),
    Borrowed(View<'a>),
}

impl Operand<'_> {
    pub(crate) fn view(&self) -> View<'_> {
        match self {
            Operand::Owned(array) => array.view(),
            Operand::Borrowed(view) => view.clone(),
        }
    }

    /// An array of its own.
    pub(crate) fn take(self, buffers: &mut BufferPool) -> Result<Array, Fault> {
        match self {
            Operand::Owned(array) => Ok(array),
            Operand::Borrowed(view) => Ok(Array {
                shape: view.shape.to_vec(),
                data: match view.data {
                    Elements::F32(from) => {
                        let mut to = buffers.floats(from.len());
                        to.copy_from_slice(from);
                        Data::F32(to)
                    }
                    Elements::I64(from) => Data::I64(from.to_vec()),
                    Elements::I8(_) | Elements::I32(_) | Elements::Narrow(..) => {
                        return Err("an operand is packed");
                    }
                },
            }),
        }
    }
}
