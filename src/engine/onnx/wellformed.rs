//! What tract takes for granted of an ONNX graph, and a file from outside may not keep.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, ModelProto};
use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::bail;

/// Checks that there is a graph and that every value it uses is one it defines.
pub(super) fn check(model: &ModelProto) -> TractResult<()> {
    match &model.graph {
        Some(graph) => check_graph(graph, &HashSet::new()),
        None => bail!("there is no graph in it"),
    }
}

fn check_graph<'a>(graph: &'a GraphProto, outer: &HashSet<&'a str>) -> TractResult<()> {
    let mut defined = outer.clone();
    defined.extend(graph.initializer.iter().map(|tensor| tensor.name.as_str()));
    defined.extend(
        graph
            .sparse_initializer
            .iter()
            .filter_map(|sparse| sparse.values.as_ref())
            .map(|values| values.name.as_str()),
    );
    defined.extend(graph.input.iter().map(|input| input.name.as_str()));
    defined.extend(
        graph
            .node
            .iter()
            .flat_map(|node| node.output.iter().map(String::as_str)),
    );
    let used = graph
        .node
        .iter()
        .flat_map(|node| node.input.iter().map(String::as_str));
    // An empty name stands for an optional input that is left out.
    let mut used = used
        .filter(|name| !name.is_empty())
        .chain(graph.output.iter().map(|o| o.name.as_str()));
    if let Some(name) = used.find(|name| !defined.contains(name)) {
        bail!(
            "the value \"{}\" is used and defined nowhere",
            name.escape_debug()
        );
    }
    for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
        for inner in attribute.g.iter().chain(&attribute.graphs) {
            check_graph(inner, &defined)?;
        }
    }
    Ok(())
}
