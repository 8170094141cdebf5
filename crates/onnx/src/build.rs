//! A graph as a file holds it made into one that runs: names become slots, functions their bodies, and what depends on nothing is
//! computed at once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::fault::{Fault, Result, fault};
use crate::fuse::fuse;
use crate::graph::{Graph, Node, Operand, Slot};
use crate::model::MAX_BYTES;
use crate::op::{Context, Decl, Inputs, Op, Value};
use crate::ops;
use crate::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};
use crate::tensor::Tensor;
use crate::weights;

/// How deep graphs and functions may be within each other.
const MAX_DEPTH: usize = 24;

/// The most nodes, so that functions that call functions end.
const MAX_NODES: usize = 1 << 20;

/// Constants of more elements than this are not computed when the model is read: an `Expand` could make a small file large.
const MAX_FOLDED: usize = 1 << 24;

/// What may be spent on computing constants.
const FOLDING: u64 = 1 << 30;

/// The newest version of each domain whose operators are known.
const NEWEST: [(&str, i64); 4] = [
    ("", 28),
    ("ai.onnx.ml", 5),
    ("com.microsoft", 1),
    ("ai.onnx.contrib", 1),
];

/// Before this version of ONNX's own operators, some had attributes that they lost then, for which a file that gives one is refused;
/// and some did something else without any.
const BROADCASTS: i64 = 7;

/// These: a slope a channel, and what trains where nothing else is said.
const CHANGED: [&str; 3] = ["PRelu", "BatchNormalization", "Dropout"];

/// The versions of domains.
pub(crate) type Versions = HashMap<String, i64>;

/// What all graphs of a model have in common.
pub(crate) struct Model<'a> {
    functions: HashMap<(&'a str, &'a str, &'a str), &'a FunctionProto>,
    /// The names of 4-bit integers, which are held as bytes: only operators that take them as such may read them.
    nibbles: RefCell<HashSet<String>>,
}

/// A node, perhaps out of a function's body, and the versions it was written for.
pub(crate) struct Item<'a> {
    pub node: Cow<'a, NodeProto>,
    pub versions: Rc<Versions>,
}

/// What graphs inside of a node are made with.
#[derive(Clone, Copy)]
pub(crate) struct Inside<'a> {
    model: &'a Model<'a>,
    versions: &'a Rc<Versions>,
    captures: &'a [(String, Option<Value>)],
    depth: usize,
}

impl Inside<'_> {
    pub(crate) fn graph(&self, proto: &GraphProto) -> Result<Graph> {
        graph(
            self.model,
            self.versions,
            proto,
            self.captures,
            self.depth + 1,
        )
    }

    pub(crate) fn captures(&self) -> usize {
        self.captures.len()
    }
}

/// The graph of a model.
pub(crate) fn model(proto: &ModelProto) -> Result<Graph> {
    let Some(main) = &proto.graph else {
        return fault("it has no graph");
    };
    let versions = versions(
        proto
            .opset_import
            .iter()
            .map(|set| (set.domain.as_str(), set.version)),
    )?;
    let named = proto.functions.iter();
    let functions = named
        .map(|f| ((plain(&f.domain), f.name.as_str(), f.overload.as_str()), f))
        .collect();
    let model = Model {
        functions,
        nibbles: RefCell::default(),
    };
    graph(&model, &Rc::new(versions), main, &[], 0)
}

fn is_nibble(ty: i32) -> bool {
    matches!(ty, 21 | 22)
}

/// Follows 4-bit integers through a node that moves them. One that makes new ones is refused: held as bytes they would have
/// another range.
fn nibbles(model: &Model<'_>, node: &NodeProto) -> Result<()> {
    let mut known = model.nibbles.borrow_mut();
    let is = |at: usize| node.input.get(at).is_some_and(|name| known.contains(name));
    let constant = || {
        let tensors = node.attribute.iter().filter_map(|a| a.t.as_ref());
        tensors.map(|t| t.data_type).any(is_nibble)
    };
    let more = match node.op_type.as_str() {
        "DequantizeLinear" | "GatherBlockQuantized" | "MatMulNBits" | "Cast" | "Shape" | "Size" => {
            false
        }
        "Constant" => constant(),
        "Identity" | "Reshape" | "Transpose" | "Squeeze" | "Unsqueeze" | "Flatten" | "Slice"
        | "Gather" | "Concat" | "Expand" => is(0),
        // They are held as bytes, which have another range.
        _ if (0..node.input.len()).any(is) => {
            return fault("4-bit integers that a model computes with are not supported");
        }
        _ => false,
    };
    if more {
        known.extend(node.output.iter().cloned());
    }
    Ok(())
}

/// `ai.onnx` is another name of the domain without one.
fn plain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

fn versions<'a>(imports: impl Iterator<Item = (&'a str, i64)>) -> Result<Versions> {
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

/// What a name stands for while a graph is made.
#[derive(Clone)]
enum Known {
    Slot(Slot),
    Constant(usize),
}

fn graph(
    model: &Model<'_>,
    versions: &Rc<Versions>,
    proto: &GraphProto,
    captures: &[(String, Option<Value>)],
    depth: usize,
) -> Result<Graph> {
    if depth > MAX_DEPTH {
        return fault("its graphs are within each other too deeply");
    }
    let mut maker = Maker {
        graph: Graph::default(),
        names: HashMap::new(),
        read: HashMap::new(),
        kept: HashSet::new(),
        budget: Context::new(FOLDING, MAX_BYTES),
    };
    let weights: HashSet<&str> = proto.initializer.iter().map(|t| t.name.as_str()).collect();
    let tensors = proto.initializer.iter().map(|t| (&t.name, t.data_type));
    let ports = proto.input.iter().filter_map(|input| {
        let tensor = input.r#type.as_ref()?.tensor_type.as_ref()?;
        Some((&input.name, tensor.elem_type))
    });
    model.nibbles.borrow_mut().extend(
        tensors
            .chain(ports)
            .filter(|(_, ty)| is_nibble(*ty))
            .map(|(name, _)| name.clone()),
    );
    // Inputs with a weight of their name are that weight (IR version 3 asked for it).
    let inputs = proto
        .input
        .iter()
        .filter(|input| !weights.contains(input.name.as_str()));
    for input in inputs {
        maker.slot(&input.name)?;
    }
    maker.graph.inputs = maker.graph.slots;
    // Another graph of the same node may capture what this one computes itself.
    let own: HashSet<&str> = weights
        .into_iter()
        .chain(
            proto
                .node
                .iter()
                .flat_map(|n| &n.output)
                .map(String::as_str),
        )
        .collect();
    for (name, constant) in captures {
        let slot = maker.graph.slots;
        maker.graph.slots += 1;
        match constant {
            _ if own.contains(name.as_str()) || maker.names.contains_key(name) => {}
            Some(value) => maker.constant(name, value.clone())?,
            None => maker.name(name, Known::Slot(slot))?,
        }
    }
    maker.graph.captures = captures.len();
    let mut items = Vec::new();
    expand(
        model,
        versions,
        proto.node.iter().map(Cow::Borrowed),
        &mut items,
        0,
    )?;
    let items = fuse(needed(sorted(items), proto), proto);
    for item in &items {
        reads(&item.node, &mut |name| {
            *maker.read.entry(name.to_owned()).or_default() += 1
        });
    }
    for output in &proto.output {
        *maker.read.entry(output.name.clone()).or_default() += 1;
    }
    for weight in &proto.initializer {
        if maker.read.contains_key(&weight.name) {
            let value = weights::tensor(weight)
                .map_err(|why| why.within(&format!("the weight {}", weight.name)))?;
            maker.constant(&weight.name, Arc::new(value))?;
        }
    }
    for weight in &proto.sparse_initializer {
        let name = weight.values.as_ref().map_or("", |values| &values.name);
        let value =
            weights::sparse(weight).map_err(|why| why.within(&format!("the weight {name}")))?;
        maker.constant(name, Arc::new(value))?;
    }
    for item in &items {
        maker
            .node(model, item, depth)
            .map_err(|why| why.within(&label(&item.node)))?;
    }
    for output in &proto.output {
        let operand = maker.operand(&output.name)?;
        maker.graph.outputs.push(operand);
    }
    let mut graph = maker.graph;
    last_reads(&mut graph);
    sweep(&mut graph);
    Ok(graph)
}

/// How a node is called in errors.
fn label(node: &NodeProto) -> String {
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

/// Puts the bodies of functions in the place of the nodes that call them.
fn expand<'a>(
    model: &Model<'_>,
    versions: &Rc<Versions>,
    nodes: impl Iterator<Item = Cow<'a, NodeProto>>,
    items: &mut Vec<Item<'a>>,
    depth: usize,
) -> Result<()> {
    if depth > MAX_DEPTH {
        return fault("its functions call each other too deeply");
    }
    for node in nodes {
        let Some(function) = model.functions.get(&(
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
        let own = self::versions(
            function
                .opset_import
                .iter()
                .map(|set| (set.domain.as_str(), set.version)),
        )?;
        let body = called(function, &node, items.len()).map_err(|why| why.within(&label(&node)))?;
        expand(
            model,
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

/// Each node after those whose results it reads. Files that are not in this order are none by the specification, and there are some.
/// Nodes that wait for each other stay as they are, and are refused when they are made.
fn sorted(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
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
fn needed<'a>(items: Vec<Item<'a>>, proto: &GraphProto) -> Vec<Item<'a>> {
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
fn captured(node: &NodeProto) -> Vec<String> {
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

struct Maker {
    graph: Graph,
    names: HashMap<String, Known>,
    /// How many are still to read each name.
    read: HashMap<String, usize>,
    /// The constants that nodes read when they run.
    kept: HashSet<usize>,
    budget: Context,
}

impl Maker {
    fn slot(&mut self, name: &str) -> Result<Slot> {
        let slot = self.graph.slots;
        self.graph.slots += 1;
        self.name(name, Known::Slot(slot))?;
        Ok(slot)
    }

    fn constant(&mut self, name: &str, value: Value) -> Result<()> {
        self.graph.constants.push(value);
        self.name(name, Known::Constant(self.graph.constants.len() - 1))
    }

    fn name(&mut self, name: &str, known: Known) -> Result<()> {
        match self.names.insert(name.to_owned(), known) {
            Some(_) => fault(format!("two values have the name {name}")),
            None => Ok(()),
        }
    }

    fn operand(&self, name: &str) -> Result<Operand> {
        if name.is_empty() {
            return Ok(Operand::None);
        }
        match self.names.get(name) {
            Some(Known::Slot(slot)) => Ok(Operand::Slot(*slot, false)),
            Some(Known::Constant(at)) => Ok(Operand::Constant(*at)),
            None => fault(format!("{name} is read before anything computes it")),
        }
    }

    fn known(&self, operand: Operand) -> Option<Value> {
        match operand {
            Operand::Constant(at) => Some(self.graph.constants[at].clone()),
            _ => None,
        }
    }

    fn node(&mut self, model: &Model<'_>, item: &Item<'_>, depth: usize) -> Result<()> {
        let node = item.node.as_ref();
        let domain = plain(&node.domain);
        let Some(&version) = item.versions.get(domain) else {
            return fault(format!(
                "the file does not say which version of the operators {} it asks for",
                node.domain
            ));
        };
        if domain.is_empty() && version < BROADCASTS && CHANGED.contains(&&*node.op_type) {
            return fault(format!(
                "of version {version} it is not supported; convert the model to version {BROADCASTS} or newer"
            ));
        }
        nibbles(model, node)?;
        let captured = captured(node);
        let mut of = Vec::new();
        for name in node.input.iter().chain(&captured) {
            of.push(self.operand(name)?);
        }
        let constants: Vec<Option<Value>> = of.iter().map(|&operand| self.known(operand)).collect();
        let captures: Vec<(String, Option<Value>)> = captured
            .iter()
            .cloned()
            .zip(constants[node.input.len()..].iter().cloned())
            .collect();
        let wanted: Vec<bool> = node
            .output
            .iter()
            .map(|name| self.read.contains_key(name))
            .collect();
        let foldable = constants
            .iter()
            .zip(&of)
            .all(|(c, o)| c.is_some() || *o == Operand::None);
        let inside = Inside {
            model,
            versions: &item.versions,
            captures: &captures,
            depth,
        };
        let decl = Decl::new(node, version, constants.clone(), wanted.clone(), inside);
        let Some(op) = ops::make(domain, &decl)? else {
            let domain = if domain.is_empty() {
                String::new()
            } else {
                format!(" of {domain}")
            };
            return fault(format!(
                "the operator {}{domain} is not supported",
                node.op_type
            ));
        };
        decl.ignored()?;
        let absorbed = decl.absorbed();
        if foldable && !ops::is_random(&node.op_type) {
            let kept: Vec<Option<Value>> = constants
                .iter()
                .enumerate()
                .map(|(at, c)| c.clone().filter(|_| !absorbed.contains(&at)))
                .collect();
            if self.fold(&op, kept, node, &wanted)? {
                self.let_go(node, &captured);
                return Ok(());
            }
        }
        for at in absorbed {
            of[at] = Operand::None;
        }
        self.kept
            .extend(of.iter().filter_map(|operand| match operand {
                Operand::Constant(at) => Some(*at),
                _ => None,
            }));
        self.let_go(node, &captured);
        let mut to = Vec::new();
        for (name, wanted) in node.output.iter().zip(&wanted) {
            to.push(if *wanted {
                Some(self.slot(name)?)
            } else {
                None
            });
        }
        self.graph.nodes.push(Node {
            label: label(node),
            op,
            of,
            to,
        });
        Ok(())
    }

    /// Frees the constants that a node was the last to read and that no node keeps: what large weights were computed of.
    fn let_go(&mut self, node: &NodeProto, captured: &[String]) {
        for name in node.input.iter().chain(captured) {
            let Some(readers) = self.read.get_mut(name) else {
                continue;
            };
            *readers = readers.saturating_sub(1);
            if *readers == 0
                && let Some(Known::Constant(at)) = self.names.get(name)
                && !self.kept.contains(at)
            {
                self.graph.constants[*at] = Arc::new(Tensor::f32(vec![0], Vec::new()));
            }
        }
    }

    /// Computes a node whose operands are all known. What fails now fails again when the model runs, if it ever comes to that.
    fn fold(
        &mut self,
        op: &Op,
        of: Vec<Option<Value>>,
        node: &NodeProto,
        wanted: &[bool],
    ) -> Result<bool> {
        let Ok(results) = op(&mut Inputs(of), &mut self.budget) else {
            return Ok(false);
        };
        let all: usize = results.iter().map(|result| result.len()).sum();
        if all > MAX_FOLDED || self.budget.spend(all as u64).is_err() {
            return Ok(false);
        }
        if results.len() < wanted.iter().rposition(|w| *w).map_or(0, |last| last + 1) {
            return fault("it gave too few results");
        }
        for ((name, wanted), result) in node.output.iter().zip(wanted).zip(results) {
            if *wanted {
                self.constant(name, result)?;
            }
        }
        Ok(true)
    }
}

/// Marks the last reader of each value, which may take it.
fn last_reads(graph: &mut Graph) {
    let mut seen = HashSet::new();
    let operands = graph
        .nodes
        .iter_mut()
        .map(|node| &mut node.of)
        .chain([&mut graph.outputs]);
    for operands in operands.collect::<Vec<_>>().into_iter().rev() {
        for operand in operands.iter_mut().rev() {
            if let Operand::Slot(slot, last) = operand {
                *last = seen.insert(*slot);
            }
        }
    }
}

/// Leaves out constants that nobody reads any more.
fn sweep(graph: &mut Graph) {
    let mut places: HashMap<usize, usize> = HashMap::new();
    let operands = graph
        .nodes
        .iter_mut()
        .flat_map(|node| &mut node.of)
        .chain(&mut graph.outputs);
    for operand in operands {
        if let Operand::Constant(at) = operand {
            let next = places.len();
            *at = *places.entry(*at).or_insert(next);
        }
    }
    let mut kept: Vec<(usize, Value)> = places
        .iter()
        .map(|(&from, &to)| (to, graph.constants[from].clone()))
        .collect();
    kept.sort_by_key(|(to, _)| *to);
    graph.constants = kept.into_iter().map(|(_, value)| value).collect();
}

/// So that errors of the maker read as the engine's.
impl From<prost::DecodeError> for Fault {
    fn from(why: prost::DecodeError) -> Self {
        Fault(format!("it is no ONNX file, or a damaged one: {why}"))
    }
}
