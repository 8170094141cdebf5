//! What operators are made of, and what they are given.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::build::Inside;
use crate::fault::{Fault, Result, fault};
use crate::graph::Graph;
use crate::proto::{AttributeProto, NodeProto};
use crate::tensor::{Tensor, Type};
use crate::weights;

/// A tensor that several may read.
pub type Value = Arc<Tensor>;

/// An operator that is ready to run.
pub(crate) type Op = Box<dyn Fn(&mut Inputs, &mut Context) -> Result<Vec<Value>> + Send + Sync>;

/// What an operator is given when it runs.
#[derive(Debug)]
pub(crate) struct Inputs(pub(crate) Vec<Option<Value>>);

impl Inputs {
    /// How many places for operands there are, empty ones included.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// An operand that must be there.
    pub(crate) fn get(&self, at: usize) -> Result<&Tensor> {
        self.opt(at)
            .ok_or_else(|| format!("its operand {at} is missing").into())
    }

    /// An operand that may be left out.
    pub(crate) fn opt(&self, at: usize) -> Option<&Tensor> {
        self.0.get(at)?.as_deref()
    }

    /// An operand that is handed on as it is.
    pub(crate) fn value(&self, at: usize) -> Result<Value> {
        self.0
            .get(at)
            .cloned()
            .flatten()
            .ok_or_else(|| format!("its operand {at} is missing").into())
    }

    /// An operand to overwrite: its own buffer where nobody else reads it any more, a copy otherwise.
    pub(crate) fn take(&mut self, at: usize) -> Result<Tensor> {
        let value = self.0.get_mut(at).and_then(Option::take);
        value
            .map(Arc::unwrap_or_clone)
            .ok_or_else(|| format!("its operand {at} is missing").into())
    }

    /// All operands, none of which may be missing.
    pub(crate) fn all(&self) -> Result<Vec<&Tensor>> {
        (0..self.len()).map(|at| self.get(at)).collect()
    }
}

/// Told of each node that ran: its operator and name, and its results.
pub type Observer = Box<dyn FnMut(&str, &[Value])>;

/// What is counted while a model runs, so that a hostile one ends.
pub(crate) struct Context {
    /// Multiply-adds and elements written that are left.
    work: u64,
    /// Bytes that may be held beside those that are.
    bytes: u64,
    /// Who watches, if anybody.
    observer: Option<Observer>,
}

impl Context {
    /// With so much work, and so many bytes at once.
    pub(crate) fn new(work: u64, bytes: u64) -> Context {
        Context {
            work,
            bytes,
            observer: None,
        }
    }

    /// The same, with somebody who watches.
    pub(crate) fn watched(self, observer: Observer) -> Context {
        Context {
            observer: Some(observer),
            ..self
        }
    }

    /// A node ran.
    pub(crate) fn ran(&mut self, label: &str, results: &[Value]) {
        if let Some(observer) = &mut self.observer {
            observer(label, results);
        }
    }

    /// Takes so many multiply-adds, or as many elements written, from what may be spent.
    pub(crate) fn spend(&mut self, work: u64) -> Result<()> {
        match self.work.checked_sub(work) {
            Some(left) => {
                self.work = left;
                Ok(())
            }
            None => fault("it would take more work than a model may"),
        }
    }

    /// A value is held.
    pub(crate) fn hold(&mut self, value: &Tensor) -> Result<()> {
        match self.bytes.checked_sub(value.bytes()) {
            Some(left) => {
                self.bytes = left;
                Ok(())
            }
            None => fault("it would take more memory than a model may"),
        }
    }

    /// It is not held any more.
    pub(crate) fn release(&mut self, value: &Tensor) {
        self.bytes = self.bytes.saturating_add(value.bytes());
    }
}

/// The one result of an operator.
pub(crate) fn one(tensor: Tensor) -> Result<Vec<Value>> {
    Ok(vec![Arc::new(tensor)])
}

/// An operator of a closure.
pub(crate) fn op(
    run: impl Fn(&mut Inputs, &mut Context) -> Result<Vec<Value>> + Send + Sync + 'static,
) -> Result<Option<Op>> {
    Ok(Some(Box::new(run)))
}

/// A node as its operator is made of it: its attributes, and what is known of its operands.
///
/// Attributes that nobody asked for are refused afterwards, and so are operands beyond those that [`Decl::operands`] was told
/// of: what the operator does not honour must not go unseen.
pub(crate) struct Decl<'a> {
    pub(crate) proto: &'a NodeProto,
    /// The version of the operator's domain.
    pub(crate) version: i64,
    /// The operands that are known already.
    constants: Vec<Option<Value>>,
    /// Whether somebody reads each result.
    wanted: Vec<bool>,
    /// What graphs inside are made with.
    inside: Inside<'a>,
    asked: RefCell<Vec<&'a str>>,
    absorbed: RefCell<Vec<usize>>,
    most: Cell<Option<usize>>,
}

impl<'a> Decl<'a> {
    pub(crate) fn new(
        proto: &'a NodeProto,
        version: i64,
        constants: Vec<Option<Value>>,
        wanted: Vec<bool>,
        inside: Inside<'a>,
    ) -> Decl<'a> {
        Decl {
            proto,
            version,
            constants,
            wanted,
            inside,
            asked: RefCell::default(),
            absorbed: RefCell::default(),
            most: Cell::new(None),
        }
    }

    /// Says how many operands the operator takes, missing ones included.
    pub(crate) fn operands(&self, least: usize, most: usize) -> Result<()> {
        self.most.set(Some(most));
        let given = self.given();
        if given < least || given > most {
            let takes = if least == most {
                format!("{least}")
            } else {
                format!("{least} to {most}")
            };
            return fault(format!("it has {given} operands, and takes {takes}"));
        }
        Ok(())
    }

    /// How many operands it has, without empty ones at the end.
    pub(crate) fn given(&self) -> usize {
        self.proto
            .input
            .iter()
            .rposition(|name| !name.is_empty())
            .map_or(0, |last| last + 1)
    }

    /// Whether it has this operand.
    pub(crate) fn has(&self, at: usize) -> bool {
        self.proto
            .input
            .get(at)
            .is_some_and(|name| !name.is_empty())
    }

    /// How many results it has places for.
    pub(crate) fn results(&self) -> usize {
        self.proto.output.len()
    }

    /// Whether somebody reads a result.
    pub(crate) fn wants(&self, at: usize) -> bool {
        self.wanted.get(at).copied().unwrap_or(false)
    }

    /// An operand that is known when the model is read.
    pub(crate) fn constant(&self, at: usize) -> Option<Value> {
        self.constants.get(at).cloned().flatten()
    }

    /// The same, for an operator that keeps it in a form of its own and does not ask for it again: when it runs, the operand is
    /// missing.
    pub(crate) fn absorb(&self, at: usize) -> Option<Value> {
        let constant = self.constant(at)?;
        self.absorbed.borrow_mut().push(at);
        Some(constant)
    }

    pub(crate) fn absorbed(&self) -> Vec<usize> {
        self.absorbed.take()
    }

    /// What was given and not asked for.
    pub(crate) fn ignored(&self) -> Result<()> {
        let asked = self.asked.borrow();
        if let Some(other) = self
            .proto
            .attribute
            .iter()
            .find(|a| !asked.contains(&a.name.as_str()))
        {
            return fault(format!("its attribute {} is not supported", other.name));
        }
        match self.most.get() {
            Some(_) => Ok(()),
            None => fault("nobody said how many operands it takes"),
        }
    }

    fn attribute(&self, name: &str, kind: i32) -> Result<Option<&'a AttributeProto>> {
        let Some(found) = self.proto.attribute.iter().find(|a| a.name == name) else {
            return Ok(None);
        };
        self.asked.borrow_mut().push(&found.name);
        // Files older than IR version 4 may leave the type out.
        if found.r#type != kind && found.r#type != 0 {
            return fault(format!(
                "its attribute {name} is of another type than the operator's"
            ));
        }
        Ok(Some(found))
    }

    /// An attribute that means nothing to the result, whatever it is.
    pub(crate) fn unused(&self, name: &str) {
        if let Some(found) = self.proto.attribute.iter().find(|a| a.name == name) {
            self.asked.borrow_mut().push(&found.name);
        }
    }

    /// Whether it is there, without asking for it.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.proto.attribute.iter().any(|a| a.name == name)
    }

    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>> {
        Ok(self.attribute(name, 2)?.map(|a| a.i))
    }

    pub(crate) fn int_or(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    pub(crate) fn must_int(&self, name: &str) -> Result<i64> {
        self.int(name)?.ok_or_else(|| missing(name))
    }

    /// An integer that is 0 or 1.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.int_or(name, 0)? {
            0 => Ok(false),
            1 => Ok(true),
            other => fault(format!("its attribute {name} is {other}, and is 0 or 1")),
        }
    }

    pub(crate) fn float(&self, name: &str) -> Result<Option<f32>> {
        Ok(self.attribute(name, 1)?.map(|a| a.f))
    }

    pub(crate) fn float_or(&self, name: &str, default: f32) -> Result<f32> {
        Ok(self.float(name)?.unwrap_or(default))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        let found = self.attribute(name, 3)?;
        found
            .map(|a| {
                String::from_utf8(a.s.to_vec())
                    .map_err(|_| format!("its attribute {name} is not text").into())
            })
            .transpose()
    }

    pub(crate) fn text_or(&self, name: &str, default: &str) -> Result<String> {
        Ok(self.text(name)?.unwrap_or_else(|| default.to_owned()))
    }

    pub(crate) fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        Ok(self.attribute(name, 7)?.map(|a| a.ints.clone()))
    }

    pub(crate) fn floats(&self, name: &str) -> Result<Option<Vec<f32>>> {
        Ok(self.attribute(name, 6)?.map(|a| a.floats.clone()))
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let found = self.attribute(name, 8)?;
        Ok(found.map(|a| {
            a.strings
                .iter()
                .map(|s| String::from_utf8_lossy(s).into_owned())
                .collect()
        }))
    }

    pub(crate) fn tensor(&self, name: &str) -> Result<Option<Tensor>> {
        match self.attribute(name, 4)?.map(|a| a.t.as_ref()) {
            None => Ok(None),
            Some(Some(t)) => weights::tensor(t).map(Some),
            Some(None) => fault(format!("its attribute {name} holds no tensor")),
        }
    }

    pub(crate) fn sparse_tensor(&self, name: &str) -> Result<Option<Tensor>> {
        match self.attribute(name, 11)?.map(|a| a.sparse_tensor.as_ref()) {
            None => Ok(None),
            Some(Some(t)) => weights::sparse(t).map(Some),
            Some(None) => fault(format!("its attribute {name} holds no tensor")),
        }
    }

    /// A graph inside: what it reads from around it becomes operands after the node's own.
    pub(crate) fn graph(&self, name: &str) -> Result<Inner> {
        let proto = self.attribute(name, 5)?.and_then(|a| a.g.as_ref());
        let proto = proto.ok_or_else(|| missing(name))?;
        let own = self.proto.input.len();
        Ok(Inner {
            graph: self.inside.graph(proto)?,
            captured: own..own + self.inside.captures(),
        })
    }

    /// The element type that an attribute names by its number, as `Cast` does.
    pub(crate) fn ty(&self, name: &str) -> Result<Option<Type>> {
        match self.int(name)? {
            // 4-bit integers are held as bytes, which have another range: nobody may make them at run time.
            Some(21 | 22) => fault("4-bit integers that a model computes are not supported"),
            Some(code) => i32::try_from(code).map_or_else(
                |_| fault("a type that is none"),
                |c| Type::of_code(c).map(Some),
            ),
            None => Ok(None),
        }
    }
}

fn missing(name: &str) -> Fault {
    format!("its attribute {name} is missing").into()
}

/// A graph inside of a node.
pub(crate) struct Inner {
    pub(crate) graph: Graph,
    /// Where its captured values stand among the node's operands: a run from here, as many as [`Graph::captures`].
    pub(crate) captured: std::ops::Range<usize>,
}

impl Inner {
    /// Runs it on its own inputs, with what it reads from around it.
    pub(crate) fn run(
        &self,
        own: Vec<Value>,
        all: &Inputs,
        context: &mut Context,
    ) -> Result<Vec<Value>> {
        let captured = all.0[self.captured.clone()].iter().cloned();
        let captured: Option<Vec<Value>> = captured.collect();
        let captured = captured.ok_or("a value from around it is missing")?;
        self.graph.run(own, captured, context)
    }
}
