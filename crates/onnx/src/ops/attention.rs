//! Attention, and rotary embeddings.

mod heads;
mod linear;
mod onnx;
mod rotary;

use crate::fault::Result;
use crate::op::{Decl, Op};

pub(super) use heads::{Heads, Task, Wanted, attend, joined};
pub(super) use rotary::{Angles, Laid, laid, rotate};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Attention" => onnx::attention(decl),
        "LinearAttention" => linear::attention(decl),
        "RotaryEmbedding" => rotary::embedding(decl),
        _ => Ok(None),
    }
}
