//! Walks over ONNX graphs that see the graphs inside of nodes, too: the branches of `If`, the bodies of `Loop` and `Scan`.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, NodeProto};

/// The graphs inside of a node.
pub(super) fn graphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute
        .iter()
        .flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// Every name that a node reads, its own inputs and what the graphs inside of it read: that may be a value of their own, or
/// one of the graphs around them.
pub(in crate::engine) fn reads(node: &NodeProto, seen: &mut dyn FnMut(&str)) {
    node.input.iter().for_each(|name| seen(name));
    for graph in graphs(node) {
        graph.node.iter().for_each(|inner| reads(inner, seen));
        // A branch may hand on a value from around it as it is.
        graph.output.iter().for_each(|output| seen(&output.name));
    }
}

/// Leaves out the nodes and weights that no output needs; with `outputs` also the last outputs of nodes that nobody reads,
/// which may be of a type that the engine does not have.
pub(in crate::engine) fn prune(graph: &mut GraphProto, outputs: bool) {
    let mut needed: HashSet<String> = graph
        .output
        .iter()
        .map(|output| output.name.clone())
        .collect();
    let mut remaining = Vec::new();
    for mut node in std::mem::take(&mut graph.node).into_iter().rev() {
        if !node.output.iter().any(|output| needed.contains(output)) {
            continue;
        }
        reads(&node, &mut |name: &str| {
            needed.insert(name.to_owned());
        });
        // How many outputs these have says what they do.
        let counted = matches!(node.op_type.as_str(), "Split" | "If" | "Loop" | "Scan");
        let unread = |node: &NodeProto| {
            node.output
                .last()
                .is_some_and(|output| !needed.contains(output))
        };
        while outputs && !counted && node.output.len() > 1 && unread(&node) {
            node.output.pop();
        }
        remaining.push(node);
    }
    remaining.reverse();
    graph.node = remaining;
    graph
        .initializer
        .retain(|tensor| needed.contains(&tensor.name));
}

/// Renames a value for all who read it, unless a graph inside has a value of its own by that name.
pub(super) fn rename_reads(graph: &mut GraphProto, from: &str, to: &str) {
    for node in &mut graph.node {
        node.input
            .iter_mut()
            .filter(|name| *name == from)
            .for_each(|name| *name = to.to_owned());
        for attribute in &mut node.attribute {
            for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                let own = inner.input.iter().any(|input| input.name == from)
                    || inner.initializer.iter().any(|tensor| tensor.name == from)
                    || inner
                        .node
                        .iter()
                        .any(|node| node.output.iter().any(|output| output == from));
                if !own {
                    rename_reads(inner, from, to);
                }
            }
        }
    }
    for output in graph.output.iter_mut().filter(|output| output.name == from) {
        output.name = to.to_owned();
    }
}
