//! Elements picked and placed by numbers: gather, scatter, the largest, running sums.

mod gather;
mod order;
mod running;
mod scatter;
mod select;
mod unique;

use crate::fault::Result;
use crate::op::{Decl, Op};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Gather" => gather::gather(decl),
        "GatherElements" => gather::gather_elements(decl),
        "GatherND" => gather::gather_nd(decl),
        "Scatter" | "ScatterElements" => scatter::scatter_elements(decl, name == "Scatter"),
        "ScatterND" => scatter::scatter_nd(decl),
        "TensorScatter" => scatter::tensor_scatter(decl),
        "Compress" => select::compress(decl),
        "NonZero" => select::non_zero(decl),
        "ArgMax" => order::extreme(decl, true),
        "ArgMin" => order::extreme(decl, false),
        "TopK" => order::top_k(decl),
        "Unique" => unique::unique(decl),
        "CumSum" => running::running(decl, false),
        "CumProd" => running::running(decl, true),
        _ => Ok(None),
    }
}
