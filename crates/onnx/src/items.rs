//! Nodes as a file has them: the operator sets that they were written for, the names that they read, and their order.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::fault::{Result, fault};
use crate::proto::{GraphProto, NodeProto};

/// How deep graphs and functions may be within each other.
pub(crate) const MAX_DEPTH: usize = 24;

/// The newest version of each domain whose operators are known.
const NEWEST: [(&str, i64); 4] = [
    ("", 28),
    ("ai.onnx.ml", 5),
    ("com.microsoft", 1),
    ("ai.onnx.contrib", 1),
];

/// The versions of domains.
pub(crate) type Versions = HashMap<String, i64>;

/// A node, perhaps out of a function's body, and the versions it was written for.
pub(crate) struct Item<'a> {
    pub node: Cow<'a, NodeProto>,
    pub versions: Rc<Versions>,
}

/// `ai.onnx` is another name of the domain without one.
pub(crate) fn plain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

pub(crate) fn versions<'a>(imports: impl Iterator<Item = (&'a str, i64)>) -> Result<Versions> {
    let mut versions = Versions::new();
    for (domain, version) in imports {
        let domain = plain(domain);
        if let Some((_, newest)) = NEWEST.iter().find(|(known, _)| *known == domain) {
            let called = if domain.is_empty() { "ai.onnx" } else { domain };
            if version > *newest {
                return fault(format!(
                    "it asks for version {version} of the operators {called}, and the newest that is known is {newest}; export it for an older one"
                ));
            }
        }
        versions.insert(domain.to_owned(), version);
    }
    Ok(versions)
}

/// How a node is called in errors.
pub(crate) fn label(node: &NodeProto) -> String {
    let named = if node.name.is_empty() {
        node.output.iter().find(|o| !o.is_empty())
    } else {
        Some(&node.name)
    };
    match named {
        Some(name) => format!("{} `{name}`", node.op_type),
        None => node.op_type.clone(),
    }
}

/// Each node after those whose results it reads. Files that are not in this order are none by the specification, and there are some.
/// Nodes that wait for each other stay as they are, and are refused when they are made.
pub(crate) fn sorted(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        let named = item.node.output.iter().filter(|name| !name.is_empty());
        makers.extend(named.map(|name| (name.as_str(), at)));
    }
    let before: Vec<Vec<usize>> = items
        .iter()
        .map(|item| {
            let mut found = Vec::new();
            reads(&item.node, &mut |name| {
                found.extend(makers.get(name).copied())
            });
            found
        })
        .collect();
    if before
        .iter()
        .enumerate()
        .all(|(at, of)| of.iter().all(|&of| of < at))
    {
        return items;
    }
    // Not recursive: graphs are deep.
    let mut order = Vec::new();
    let mut begun = vec![false; items.len()];
    for first in 0..items.len() {
        let mut open = vec![(first, false)];
        while let Some((at, ready)) = open.pop() {
            if ready {
                order.push(at);
            } else if !std::mem::replace(&mut begun[at], true) {
                open.push((at, true));
                open.extend(before[at].iter().rev().map(|&of| (of, false)));
            }
        }
    }
    let mut items: Vec<Option<Item<'_>>> = items.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|at| items[at].take())
        .collect()
}

/// Without the nodes that no output needs.
pub(crate) fn needed<'a>(items: Vec<Item<'a>>, proto: &GraphProto) -> Vec<Item<'a>> {
    let mut wanted: HashSet<String> = proto
        .output
        .iter()
        .map(|output| output.name.clone())
        .collect();
    let mut kept = Vec::new();
    for item in items.into_iter().rev() {
        if item.node.output.iter().any(|name| wanted.contains(name)) {
            reads(&item.node, &mut |name| {
                wanted.insert(name.to_owned());
            });
            kept.push(item);
        }
    }
    kept.reverse();
    kept
}

/// Every name that a node reads: its own operands, and what graphs inside of it read from around them.
pub(crate) fn reads(node: &NodeProto, seen: &mut dyn FnMut(&str)) {
    node.input
        .iter()
        .filter(|name| !name.is_empty())
        .for_each(|name| seen(name));
    for name in captured(node) {
        seen(&name);
    }
}

/// The names that graphs inside of a node read from around them, each once.
pub(crate) fn captured(node: &NodeProto) -> Vec<String> {
    let mut free = Vec::new();
    for graph in graphs(node) {
        free_names(graph, &mut free);
    }
    let mut once = HashSet::new();
    free.retain(|name| once.insert(name.clone()));
    free
}

fn graphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute
        .iter()
        .flat_map(|a| a.g.iter().chain(&a.graphs))
}

fn free_names(graph: &GraphProto, free: &mut Vec<String>) {
    let mut own: HashSet<&str> = graph.input.iter().map(|v| v.name.as_str()).collect();
    own.extend(graph.initializer.iter().map(|t| t.name.as_str()));
    own.extend(
        graph
            .sparse_initializer
            .iter()
            .filter_map(|t| Some(t.values.as_ref()?.name.as_str())),
    );
    own.extend(
        graph
            .node
            .iter()
            .flat_map(|n| &n.output)
            .map(String::as_str),
    );
    let mut note = |name: &str| {
        if !name.is_empty() && !own.contains(name) {
            free.push(name.to_owned());
        }
    };
    for node in &graph.node {
        node.input.iter().for_each(|name| note(name));
        let mut inner = Vec::new();
        graphs(node).for_each(|graph| free_names(graph, &mut inner));
        inner.iter().for_each(|name| note(name));
    }
    graph.output.iter().for_each(|output| note(&output.name));
}
