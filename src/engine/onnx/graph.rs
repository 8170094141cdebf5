//! A model between ONNX and a prepared program: nodes with one result each, weights still plain.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::prelude::{DatumType, Symbol, TDim, Tensor};

use crate::engine::dim::Dim;
use crate::engine::op::{Kind, Op};

/// A node's number.
pub(super) type Id = usize;

/// Why a model has no prepared form; it can still run on tract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsupported(pub String);

pub(super) type Lowered<T> = Result<T, Unsupported>;

pub(super) fn unsupported<T>(why: impl Into<String>) -> Lowered<T> {
    Err(Unsupported(why.into()))
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum NodeKind {
    /// An input of the model, by its number.
    Input(usize),
    /// A weight.
    Const(Arc<Tensor>),
    /// An operator. Products have [`Right::Dynamic`](crate::engine::op::Right) also for weights, and convolutions take weights
    /// `[kernel height, kernel width, channels, outputs]`, until the program is written.
    Op(Op),
}

/// A node and what is known of its result.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub what: NodeKind,
    pub of: Vec<Id>,
    pub shape: Vec<TDim>,
    pub kind: Kind,
}

/// The nodes. A node may come after those that use it.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    pub output: Id,
}

impl Graph {
    pub(super) fn add(&mut self, what: NodeKind, of: Vec<Id>, shape: Vec<TDim>, kind: Kind) -> Id {
        self.nodes.push(Node {
            what,
            of,
            shape,
            kind,
        });
        self.nodes.len() - 1
    }

    /// An operator on one operand.
    pub(super) fn op(&mut self, op: Op, of: &[Id], shape: Vec<TDim>, kind: Kind) -> Id {
        self.add(NodeKind::Op(op), of.to_vec(), shape, kind)
    }

    /// A weight. Integers of all widths count as [`Kind::I64`], int8 ones too.
    pub(super) fn constant(&mut self, tensor: Arc<Tensor>) -> Id {
        let shape = tensor
            .shape()
            .iter()
            .map(|&d| TDim::Val(d as i64))
            .collect();
        let kind = kind_of(tensor.datum_type());
        self.add(NodeKind::Const(tensor), Vec::new(), shape, kind)
    }

    pub(super) fn floats(&mut self, shape: &[usize], values: &[f32]) -> Option<Id> {
        let tensor = Tensor::from_shape(shape, values).ok()?;
        Some(self.constant(Arc::new(tensor)))
    }

    /// The operand in another shape, or itself where it has that shape.
    pub(super) fn reshape(&mut self, of: Id, shape: Vec<TDim>) -> Id {
        if self.nodes[of].shape == shape {
            return of;
        }
        let kind = self.nodes[of].kind;
        // What the dimensions are is written when the symbols have numbers.
        self.add(NodeKind::Op(Op::Reshape(Vec::new())), vec![of], shape, kind)
    }

    pub(super) fn transpose(&mut self, of: Id, perm: Vec<usize>) -> Id {
        if perm.iter().enumerate().all(|(i, &p)| i == p) {
            return of;
        }
        let shape = perm
            .iter()
            .map(|&p| self.nodes[of].shape[p].clone())
            .collect();
        let kind = self.nodes[of].kind;
        self.op(Op::Transpose(perm), &[of], shape, kind)
    }

    pub(super) fn get(&self, id: Id) -> Option<&Op> {
        match &self.nodes[id].what {
            NodeKind::Op(op) => Some(op),
            _ => None,
        }
    }

    pub(super) fn tensor(&self, id: Id) -> Option<&Arc<Tensor>> {
        match &self.nodes[id].what {
            NodeKind::Const(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// A weight that is one float, whatever its number of axes.
    pub(super) fn scalar(&self, id: Id) -> Option<f32> {
        let tensor = self.tensor(id)?;
        let values = floats(tensor)?;
        (values.len() == 1).then(|| values[0])
    }

    /// How many times each node is used.
    pub(super) fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.nodes.len()];
        let mut reached = vec![false; self.nodes.len()];
        let mut open = vec![self.output];
        uses[self.output] += 1;
        reached[self.output] = true;
        while let Some(id) = open.pop() {
            for &of in &self.nodes[id].of {
                uses[of] += 1;
                if !reached[of] {
                    reached[of] = true;
                    open.push(of);
                }
            }
        }
        uses
    }
}

pub(super) fn kind_of(datum: DatumType) -> Kind {
    match datum {
        DatumType::F32 | DatumType::F16 | DatumType::F64 => Kind::F32,
        DatumType::Bool => Kind::Bool,
        _ => Kind::I64,
    }
}

/// The values of a float tensor.
pub(super) fn floats(tensor: &Tensor) -> Option<&[f32]> {
    (tensor.datum_type() == DatumType::F32)
        .then(|| tensor.to_plain_array_view::<f32>().ok()?.to_slice())?
}

/// The symbols' numbers.
#[derive(Debug, Default)]
pub(super) struct Symbols(HashMap<Symbol, u32>);

impl Symbols {
    pub(super) fn len(&self) -> u32 {
        self.0.len() as u32
    }

    pub(super) fn add(&mut self, dim: &TDim) {
        if let TDim::Sym(symbol) = dim {
            let next = self.len();
            self.0.entry(symbol.clone()).or_insert(next);
        }
    }

    /// The expression, or nothing where it is of a kind that programs do not have.
    pub(super) fn dim(&self, of: &TDim) -> Option<Dim> {
        let parts = |parts: &[TDim]| {
            parts
                .iter()
                .map(|d| self.dim(d))
                .collect::<Option<Vec<_>>>()
        };
        Some(match of {
            TDim::Val(n) => Dim::Number(*n),
            TDim::Sym(symbol) => Dim::Symbol(*self.0.get(symbol)?),
            TDim::Add(of) => Dim::Sum(parts(of)?),
            TDim::Mul(of) => Dim::Product(parts(of)?),
            TDim::MulInt(by, of) => Dim::Product(vec![Dim::Number(*by), self.dim(of)?]),
            TDim::Div(of, by) => Dim::Quotient(Box::new(self.dim(of)?), *by),
            TDim::Broadcast(of) | TDim::Max(of) => Dim::Most(parts(of)?),
            TDim::Min(of) => Dim::Least(parts(of)?),
            _ => return None,
        })
    }

    pub(super) fn dims(&self, of: &[TDim]) -> Option<Vec<Dim>> {
        of.iter().map(|d| self.dim(d)).collect()
    }
}

/// Whether two numbers are the same but for rounding.
pub(super) fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 * b.abs()
}
