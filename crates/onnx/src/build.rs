//! A graph as a file holds it made into one that runs: names become slots, functions their bodies, and what depends on nothing is
//! computed at once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::fault::{Result, fault};
use crate::functions::{Functions, expand};
use crate::fuse::fuse;
use crate::graph::{Graph, Node, Operand, Slot};
use crate::items::{
    Item, MAX_DEPTH, Versions, captured, label, needed, plain, reads, sorted, versions,
};
use crate::model::MAX_BYTES;
use crate::op::{Context, Decl, Inputs, Op, Value};
use crate::ops;
use crate::proto::{GraphProto, ModelProto, NodeProto};
use crate::tensor::Tensor;
use crate::weights;

/// Constants of more elements than this are not computed when the model is read: an `Expand` could make a small file large.
const MAX_FOLDED: usize = 1 << 24;

/// What may be spent on computing constants.
const FOLDING: u64 = 1 << 30;

/// Before this version of ONNX's own operators, some had attributes that they lost then, for which a file that gives one is refused;
/// and some did something else without any.
const BROADCASTS: i64 = 7;

/// These: a slope a channel, and what trains where nothing else is said.
const CHANGED: [&str; 3] = ["PRelu", "BatchNormalization", "Dropout"];

/// What all graphs of a model have in common.
pub(crate) struct Model<'a> {
    functions: Functions<'a>,
    /// The names of 4-bit integers, which are held as bytes: only operators that take them as such may read them.
    nibbles: RefCell<HashSet<String>>,
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
        &model.functions,
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
