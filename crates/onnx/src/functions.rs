//! Functions, which are operators that a model defines: their bodies in the place of the nodes that call them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use crate::fault::{Result, fault};
use crate::items::{Item, MAX_DEPTH, Versions, label, plain, versions as versions_of};
use crate::proto::{AttributeProto, FunctionProto, NodeProto};

/// A model's functions by their domain, name and overload.
pub(crate) type Functions<'a> = HashMap<(&'a str, &'a str, &'a str), &'a FunctionProto>;

/// The most nodes, so that functions that call functions end.
const MAX_NODES: usize = 1 << 20;

/// Puts the bodies of functions in the place of the nodes that call them.
pub(crate) fn expand<'a>(
    functions: &Functions<'_>,
    versions: &Rc<Versions>,
    nodes: impl Iterator<Item = Cow<'a, NodeProto>>,
    items: &mut Vec<Item<'a>>,
    depth: usize,
) -> Result<()> {
    if depth > MAX_DEPTH {
        return fault("its functions call each other too deeply");
    }
    for node in nodes {
        let Some(function) = functions.get(&(
            plain(&node.domain),
            node.op_type.as_str(),
            node.overload.as_str(),
        )) else {
            if items.len() >= MAX_NODES {
                return fault(format!("it has more than {MAX_NODES} nodes"));
            }
            items.push(Item {
                node,
                versions: versions.clone(),
            });
            continue;
        };
        let own = versions_of(
            function
                .opset_import
                .iter()
                .map(|set| (set.domain.as_str(), set.version)),
        )?;
        let body = called(function, &node, items.len()).map_err(|why| why.within(&label(&node)))?;
        expand(
            functions,
            &Rc::new(own),
            body.into_iter().map(Cow::Owned),
            items,
            depth + 1,
        )?;
    }
    Ok(())
}

/// A function's body as this node calls it: with the node's names, names of its own for what is inside, and the node's attributes.
fn called(function: &FunctionProto, node: &NodeProto, number: usize) -> Result<Vec<NodeProto>> {
    let known = |name: &String| {
        function.attribute.contains(name)
            || function.attribute_proto.iter().any(|a| a.name == *name)
    };
    if let Some(other) = node.attribute.iter().find(|a| !known(&a.name)) {
        return fault(format!(
            "its attribute {} is not one of the function's",
            other.name
        ));
    }
    if node.input.len() > function.input.len() || node.output.len() > function.output.len() {
        return fault("it has more operands or results than the function");
    }
    let mut names: HashMap<&str, String> = HashMap::new();
    for (at, inner) in function.input.iter().enumerate() {
        names.insert(inner, node.input.get(at).cloned().unwrap_or_default());
    }
    for (at, inner) in function.output.iter().enumerate() {
        match node.output.get(at).filter(|name| !name.is_empty()) {
            Some(outer) => names.insert(inner, outer.clone()),
            None => None,
        };
    }
    let rename = |name: &mut String| {
        if let Some(outer) = names.get(name.as_str()) {
            outer.clone_into(name);
        } else if !name.is_empty() {
            *name = format!("{name} of {} {number}", function.name);
        }
    };
    // An input that is handed on as an output has two names.
    let mut body: Vec<NodeProto> = function.node.clone();
    for inner in &mut body {
        renamed(inner, &rename);
        given(inner, node, function);
    }
    for (at, inner) in function.input.iter().enumerate() {
        if let Some(out) = function.output.iter().position(|name| name == inner) {
            let (Some(from), Some(to)) = (node.input.get(at), node.output.get(out)) else {
                continue;
            };
            body.push(NodeProto {
                op_type: "Identity".into(),
                input: vec![from.clone()],
                output: vec![to.clone()],
                ..NodeProto::default()
            });
        }
    }
    Ok(body)
}

fn renamed(node: &mut NodeProto, rename: &dyn Fn(&mut String)) {
    node.input.iter_mut().for_each(rename);
    node.output.iter_mut().for_each(rename);
    for attribute in &mut node.attribute {
        for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            graph.input.iter_mut().for_each(|v| rename(&mut v.name));
            graph.output.iter_mut().for_each(|v| rename(&mut v.name));
            graph
                .initializer
                .iter_mut()
                .for_each(|v| rename(&mut v.name));
            for sparse in &mut graph.sparse_initializer {
                sparse.values.iter_mut().for_each(|v| rename(&mut v.name));
            }
            graph.node.iter_mut().for_each(|n| renamed(n, rename));
        }
    }
}

/// Puts the caller's attributes where a function's body refers to them.
fn given(inner: &mut NodeProto, node: &NodeProto, function: &FunctionProto) {
    let value = |name: &str| {
        let mut all = node.attribute.iter().chain(&function.attribute_proto);
        all.find(|a| a.name == name)
    };
    let attributes = std::mem::take(&mut inner.attribute);
    let resolve = |a: AttributeProto| {
        if a.ref_attr_name.is_empty() {
            return Some(a);
        }
        // One that nobody gives has the operator's own default.
        let found = value(&a.ref_attr_name)?;
        Some(AttributeProto {
            name: a.name,
            ..found.clone()
        })
    };
    inner.attribute = attributes.into_iter().filter_map(resolve).collect();
    for attribute in &mut inner.attribute {
        for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            graph.node.iter_mut().for_each(|n| given(n, node, function));
        }
    }
}
