//! The operators, by family. Each family's `make` gives the operator of a node, or `None` when it has none of this name.

mod attention;
mod control;
mod conv;
mod elementwise;
mod image;
mod index;
mod layout;
mod microsoft;
mod ml;
mod norm;
mod pool;
mod product;
mod quantise;
mod recurrent;
mod reduce;
mod signal;
mod text;

use crate::fault::Result;
use crate::op::{Decl, Op};
pub(crate) use product::EIGHT_BITS;

/// A family of operators.
type Family = fn(&str, &Decl<'_>) -> Result<Option<Op>>;

/// ONNX's own operators.
const ONNX: &[Family] = &[
    attention::make,
    control::make,
    conv::make,
    elementwise::make,
    image::make,
    index::make,
    layout::make,
    norm::make,
    pool::make,
    product::make,
    quantise::make,
    recurrent::make,
    reduce::make,
    signal::make,
    text::make,
];

/// Operators of onnxruntime's that it takes without a domain, too.
const WITHOUT_DOMAIN: [&str; 1] = ["SimplifiedLayerNormalization"];

/// Makes the operator of a node.
pub(crate) fn make(domain: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    let families: &[Family] = match domain {
        "" if WITHOUT_DOMAIN.contains(&&*decl.proto.op_type) => &[microsoft::make],
        "" => ONNX,
        "ai.onnx.ml" => &[ml::make],
        "com.microsoft" => &[microsoft::make, text::microsoft, conv::microsoft],
        _ => &[],
    };
    for family in families {
        if let Some(op) = family(&decl.proto.op_type, decl)? {
            return Ok(Some(op));
        }
    }
    Ok(None)
}

/// Whether an operator gives something else each time.
pub(crate) fn is_random(op: &str) -> bool {
    op.starts_with("Random") || matches!(op, "Bernoulli" | "Multinomial")
}
