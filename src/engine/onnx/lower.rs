//! tract's decluttered model to our graph: operator by operator, without cleverness; that comes in `simplify`.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::{
    Gather, GatherNd, MultiBroadcastTo, Pad, PadMode, Range, Slice, Topk, TypedConcat,
};
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::cnn::{Conv, MaxPool, SumPool};
use tract_onnx::tract_core::ops::downsample::Downsample;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::nn::{Reduce, Reducer, RmsNorm, Softmax, SoftmaxKind};

use super::graph::{Graph, Id, Lowered, NodeKind, Symbols, Unsupported, kind_of, unsupported};
use super::windows;
use crate::engine::kernels::{Activation, Binary, Unary};
use crate::engine::op::{Comparison, Epilogue, Kind, MatMul, Op, Reduction, Right};

/// One model on its way.
pub(super) struct Lowering<'a> {
    model: &'a TypedModel,
    pub graph: Graph,
    pub symbols: Symbols,
    done: HashMap<OutletId, Id>,
}

/// Lowers all that the model's first output needs.
pub(super) fn lower(model: &TypedModel) -> Lowered<(Graph, Symbols)> {
    let mut lowering = Lowering {
        model,
        graph: Graph::default(),
        symbols: Symbols::default(),
        done: HashMap::new(),
    };
    for (at, input) in model.inputs.iter().enumerate() {
        let fact = lowering.fact(*input)?;
        fact.shape.iter().for_each(|dim| lowering.symbols.add(dim));
        let kind = kind_of(fact.datum_type);
        let id = lowering.graph.add(
            NodeKind::Input(at),
            Vec::new(),
            fact.shape.to_tvec().to_vec(),
            kind,
        );
        lowering.done.insert(*input, id);
    }
    let order = model.eval_order().map_err(|e| Unsupported(e.to_string()))?;
    for id in order {
        if model.inputs.iter().any(|input| input.node == id) {
            continue;
        }
        lowering.node(model.node(id))?;
    }
    let output = model
        .outputs
        .first()
        .ok_or(Unsupported("it has no output".into()))?;
    lowering.graph.output = lowering.of(*output)?;
    Ok((lowering.graph, lowering.symbols))
}

impl Lowering<'_> {
    fn fact(&self, outlet: OutletId) -> Lowered<TypedFact> {
        let fact = self.model.outlet_fact(outlet);
        fact.cloned().map_err(|e| Unsupported(e.to_string()))
    }

    fn of(&self, outlet: OutletId) -> Lowered<Id> {
        let id = self.done.get(&outlet).copied();
        id.ok_or_else(|| Unsupported(format!("{outlet:?} was not lowered")))
    }

    fn node(&mut self, node: &TypedNode) -> Lowered<()> {
        let outlet = OutletId::new(node.id, 0);
        let fact = node.outputs.first().map(|o| o.fact.clone());
        let fact = fact.ok_or(Unsupported("a node has no output".into()))?;
        let id = match fact.konst.clone().filter(|_| node.inputs.is_empty()) {
            Some(tensor) => self.constant(&tensor)?,
            None => {
                let of = node
                    .inputs
                    .iter()
                    .map(|&i| self.of(i))
                    .collect::<Lowered<Vec<_>>>()?;
                self.operator(node, &fact, &of)?
            }
        };
        self.done.insert(outlet, id);
        Ok(())
    }

    /// A weight. Dimensions become integers, or expressions.
    fn constant(&mut self, tensor: &Arc<Tensor>) -> Lowered<Id> {
        if tensor.datum_type() != TDim::datum_type() {
            let plain = matches!(
                tensor.datum_type(),
                DatumType::F32 | DatumType::I64 | DatumType::I8
            );
            if plain {
                return Ok(self.graph.constant(Arc::clone(tensor)));
            }
            let to = match kind_of(tensor.datum_type()) {
                Kind::F32 => DatumType::F32,
                _ => DatumType::I64,
            };
            let cast = tensor
                .cast_to_dt(to)
                .map_err(|e| Unsupported(e.to_string()))?;
            return Ok(self.graph.constant(Arc::new(cast.into_owned())));
        }
        let view = tensor.to_plain_array_view::<TDim>();
        let dims: Vec<TDim> = view
            .map_err(|e| Unsupported(e.to_string()))?
            .iter()
            .cloned()
            .collect();
        let numbers: Option<Vec<i64>> = dims.iter().map(|d| d.to_i64().ok()).collect();
        if let Some(numbers) = numbers {
            let tensor = Tensor::from_shape(tensor.shape(), &numbers);
            let tensor = tensor.map_err(|e| Unsupported(e.to_string()))?;
            return Ok(self.graph.constant(Arc::new(tensor)));
        }
        let [dim] = &dims[..] else {
            return unsupported("a list of lengths");
        };
        let dim = self
            .symbols
            .dim(dim)
            .ok_or(Unsupported(format!("the length {dim}")))?;
        let id = self.graph.op(Op::Length(dim), &[], Vec::new(), Kind::I64);
        let shape = tensor.shape().iter().map(|&d| d.to_dim()).collect();
        Ok(self.graph.reshape(id, shape))
    }

    fn operator(&mut self, node: &TypedNode, fact: &TypedFact, of: &[Id]) -> Lowered<Id> {
        let shape = fact.shape.to_tvec().to_vec();
        let kind = kind_of(fact.datum_type);
        if let Some(axis) = node.op_as::<AxisOp>() {
            return Ok(match axis {
                AxisOp::Move(from, to) => {
                    let mut perm: Vec<usize> = (0..shape.len()).collect();
                    let moved = perm.remove(*from);
                    perm.insert(*to, moved);
                    self.graph.transpose(of[0], perm)
                }
                _ => self.graph.reshape(of[0], shape),
            });
        }
        if let Some(einsum) = node.op_as::<EinSum>() {
            return self.einsum(einsum, of, shape);
        }
        if let Some(conv) = node.op_as::<Conv>() {
            return windows::conv(&mut self.graph, conv, of, &shape);
        }
        if let Some(pool) = node.op_as::<MaxPool>() {
            return windows::pool(
                &mut self.graph,
                &pool.pool_spec,
                false,
                false,
                of[0],
                &shape,
            );
        }
        if let Some(pool) = node.op_as::<SumPool>() {
            if !pool.normalize {
                return unsupported("a pool that sums");
            }
            return windows::pool(
                &mut self.graph,
                &pool.pool_spec,
                true,
                pool.count_include_pad,
                of[0],
                &shape,
            );
        }
        if let Some(gather) = node.op_as::<GatherNd>() {
            return self.gather_nd(node, gather, of, shape);
        }
        if let Some(every) = node.op_as::<Downsample>() {
            return self.every(every, of[0], shape);
        }
        let op = self.plain(node, of)?;
        // Shapes of operators that broadcast are said by the operands: tract's may be larger than what is computed.
        let shape = match op {
            Op::Binary(_) | Op::Compare(_) | Op::Select => self.broadcast(of)?,
            _ => shape,
        };
        let mut of = of.to_vec();
        if let Op::TopK { .. } = op {
            // How many is a part of the operator.
            of.truncate(1);
        }
        if let Op::RmsNorm { .. } = op {
            let len = shape.last().and_then(|d| d.to_usize().ok());
            let ones = len.and_then(|len| self.graph.floats(&[len], &vec![1.0; len]));
            of.push(ones.ok_or(Unsupported("a normalisation of an unknown length".into()))?);
        }
        Ok(self.graph.op(op, &of, shape, kind))
    }

    /// Every so many elements along an axis, as a pick of those.
    fn every(&mut self, every: &Downsample, of: Id, shape: Vec<TDim>) -> Lowered<Id> {
        let along = self.graph.nodes[of].shape[every.axis].to_i64();
        let (Ok(along), Ok(step)) = (along, usize::try_from(every.stride)) else {
            return unsupported("every so many of an unknown number");
        };
        let places: Vec<i64> = (every.modulo as i64..along).step_by(step.max(1)).collect();
        let places = Tensor::from_shape(&[places.len()], &places);
        let places = places.map_err(|e| Unsupported(e.to_string()))?;
        let places = self.graph.constant(Arc::new(places));
        let kind = self.graph.nodes[of].kind;
        let op = Op::Gather { axis: every.axis };
        Ok(self.graph.op(op, &[of, places], shape, kind))
    }

    fn broadcast(&self, of: &[Id]) -> Lowered<Vec<TDim>> {
        let shapes: Vec<&Vec<TDim>> = of.iter().map(|&id| &self.graph.nodes[id].shape).collect();
        let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
        let mut joined = vec![1.to_dim(); rank];
        for shape in shapes {
            for (to, dim) in joined.iter_mut().rev().zip(shape.iter().rev()) {
                if to.is_one() {
                    *to = dim.clone();
                } else if !dim.is_one() && dim != to {
                    return unsupported(format!("{dim} broadcast to {to}"));
                }
            }
        }
        Ok(joined)
    }

    /// The operators that have one of ours each.
    fn plain(&self, node: &TypedNode, of: &[Id]) -> Lowered<Op> {
        let dim = |dim: &TDim| {
            self.symbols
                .dim(dim)
                .ok_or(Unsupported(format!("the length {dim}")))
        };
        if let Some(cast) = node.op_as::<Cast>() {
            return Ok(Op::Cast(kind_of(cast.to)));
        }
        if let Some(gather) = node.op_as::<Gather>() {
            return Ok(Op::Gather { axis: gather.axis });
        }
        if let Some(slice) = node.op_as::<Slice>() {
            return Ok(Op::Slice {
                axis: slice.axis,
                start: dim(&slice.start)?,
                end: dim(&slice.end)?,
            });
        }
        if let Some(concat) = node.op_as::<TypedConcat>() {
            return Ok(Op::Concat { axis: concat.axis });
        }
        if let Some(broadcast) = node.op_as::<MultiBroadcastTo>() {
            let dims = broadcast.shape.iter().map(dim);
            return Ok(Op::Broadcast(dims.collect::<Lowered<_>>()?));
        }
        if node.op_is::<Range>() {
            return self.range(node);
        }
        if let Some(pad) = node.op_as::<Pad>() {
            let PadMode::Constant(value) = &pad.mode else {
                return unsupported("a padding that is no constant");
            };
            let value = value
                .cast_to_scalar::<f32>()
                .map_err(|e| Unsupported(e.to_string()))?;
            return Ok(Op::Pad {
                pads: pad.pads.clone(),
                value,
            });
        }
        if let Some(topk) = node.op_as::<Topk>() {
            let rank = self.graph.nodes[of[0]].shape.len();
            let k = of.get(1).and_then(|&k| self.graph.tensor(k));
            let k = k
                .and_then(|k| k.cast_to_scalar::<i64>().ok())
                .and_then(|k| usize::try_from(k).ok());
            let only_values = node.outputs.get(1).is_none_or(|o| o.successors.is_empty());
            let (Some(k), true, true) = (k, topk.axis + 1 == rank, only_values) else {
                return unsupported(
                    "a TopK of an unknown number, over another axis, or with its places",
                );
            };
            return Ok(Op::TopK {
                k,
                smallest: !topk.largest,
            });
        }
        if let Some(softmax) = node.op_as::<Softmax>() {
            let (&[axis], None) = (&softmax.axes[..], softmax.quant_output_dt) else {
                return unsupported("a softmax over several axes");
            };
            return Ok(Op::Softmax {
                axis,
                log: matches!(softmax.kind, SoftmaxKind::LogSoftmax),
            });
        }
        if let Some(norm) = node.op_as::<RmsNorm>() {
            let eps = norm
                .eps
                .cast_to_scalar::<f32>()
                .map_err(|e| Unsupported(e.to_string()))?;
            if norm.axis + 1 != self.graph.nodes[of[0]].shape.len() {
                return unsupported("a normalisation over another axis");
            }
            return Ok(Op::RmsNorm { eps });
        }
        if let Some(reduce) = node.op_as::<Reduce>() {
            let kind = match reduce.reducer {
                Reducer::Sum => Reduction::Sum,
                Reducer::MeanOfSquares => Reduction::MeanOfSquares,
                Reducer::Max => Reduction::Max,
                Reducer::Min => Reduction::Min,
                Reducer::Prod => Reduction::Product,
                Reducer::ArgMax(false) => Reduction::ArgMax,
                Reducer::ArgMin(false) => Reduction::ArgMin,
                _ => return unsupported(format!("the operator {}", node.op.name())),
            };
            return Ok(Op::Reduce {
                kind,
                axes: reduce.axes.to_vec(),
            });
        }
        let name = node.op.name();
        let floats = kind_of(self.fact(node.inputs[0])?.datum_type) == Kind::F32;
        named(&name, floats).ok_or_else(|| Unsupported(format!("the operator {name}")))
    }

    fn range(&self, node: &TypedNode) -> Lowered<Op> {
        let konst = |at: usize| -> Option<TDim> {
            let konst = self.fact(*node.inputs.get(at)?).ok()?.konst?;
            let dims = konst.cast_to::<TDim>().ok()?;
            dims.to_plain_array_view::<TDim>().ok()?.first().cloned()
        };
        let (Some(start), Some(step)) = (konst(0), konst(2)) else {
            return unsupported("a range from an unknown number");
        };
        if start != 0.to_dim() || !step.is_one() {
            return unsupported("a range that does not count from 0");
        }
        let Some(len) = konst(1) else {
            return unsupported("a range to an unknown number");
        };
        let len = self
            .symbols
            .dim(&len)
            .ok_or(Unsupported(format!("the length {len}")))?;
        Ok(Op::Range { len })
    }

    /// Picking by coordinates that run along whole axes, as exporters write a mask for every query, only moves axes.
    fn gather_nd(
        &mut self,
        node: &TypedNode,
        gather: &GatherNd,
        of: &[Id],
        shape: Vec<TDim>,
    ) -> Lowered<Id> {
        let odd = || Unsupported("a GatherND that is more than a broadcast".into());
        let concat = self.model.node(node.inputs[1].node);
        let rank = self.graph.nodes[of[0]].shape.len();
        let parts = concat.op_as::<TypedConcat>().ok_or_else(odd)?;
        let index_rank = shape.len() + 1;
        if gather.batch_dims != 0 || parts.axis + 1 != index_rank || concat.inputs.len() != rank {
            return Err(odd());
        }
        // Which axis of the result each axis of the operand becomes.
        let mut becomes = Vec::new();
        for (axis, part) in concat.inputs.iter().enumerate() {
            let fact = self.fact(*part)?;
            let along = along_axis(&fact).ok_or_else(odd)?;
            if fact.shape[along] != self.graph.nodes[of[0]].shape[axis] {
                return Err(odd());
            }
            becomes.push(along);
        }
        if !becomes.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(odd());
        }
        let mut dims = vec![1.to_dim(); shape.len()];
        for (axis, &to) in becomes.iter().enumerate() {
            dims[to] = self.graph.nodes[of[0]].shape[axis].clone();
        }
        Ok(self.graph.reshape(of[0], dims))
    }

    fn einsum(&mut self, einsum: &EinSum, of: &[Id], shape: Vec<TDim>) -> Lowered<Id> {
        let (inputs, outputs) = einsum.axes.to_strs();
        let ([a, b], [result], None) = (&inputs[..], &outputs[..], einsum.q_params) else {
            return unsupported("a product of another number of operands");
        };
        if einsum.operating_dt != f32::datum_type() || !format!("{a}{b}{result}").is_ascii() {
            return unsupported("a product that is not of floats");
        }
        // Axes of length 1 that only one operand has, or that only one has at its full length, are dropped there.
        let (a, left) = self.without_ones(a, b, result, of[0], of[1]);
        let (b, right) = self.without_ones(b, &a, result, of[1], left);
        let mut letters = String::new();
        let mut inner = Vec::new();
        for (letter, dim) in result.chars().zip(&shape) {
            if a.contains(letter) || b.contains(letter) {
                letters.push(letter);
                inner.push(dim.clone());
            } else if !dim.is_one() {
                return unsupported("a product that repeats an axis");
            }
        }
        for letter in a.chars().chain(b.chars()) {
            let both = a.contains(letter) && b.contains(letter);
            if !letters.contains(letter) && !both {
                return unsupported("a product that sums over one operand's axis");
            }
        }
        let op = MatMul {
            left: a,
            right: Right::Dynamic(b),
            result: letters,
            scale: 1.0,
            epilogue: Epilogue::default(),
        };
        let id = self
            .graph
            .op(Op::MatMul(op), &[left, right], inner, Kind::F32);
        Ok(self.graph.reshape(id, shape))
    }

    fn without_ones(
        &mut self,
        own: &str,
        other: &str,
        result: &str,
        of: Id,
        other_id: Id,
    ) -> (String, Id) {
        let shape = self.graph.nodes[of].shape.clone();
        let others = self.graph.nodes[other_id].shape.clone();
        let (mut letters, mut dims) = (String::new(), Vec::new());
        for (letter, dim) in own.chars().zip(shape) {
            let there = other
                .chars()
                .position(|l| l == letter)
                .and_then(|at| others.get(at));
            let stray = there.is_none() && !result.contains(letter);
            let repeated = there.is_some_and(|d| !d.is_one());
            if dim.is_one() && (stray || repeated) {
                continue;
            }
            letters.push(letter);
            dims.push(dim);
        }
        let id = self.graph.reshape(of, dims);
        (letters, id)
    }
}

/// The axis along which an array of numbers counts, and along all others is the same.
fn along_axis(fact: &TypedFact) -> Option<usize> {
    let text = fact.uniform_tdim.as_ref()?.to_string();
    text.strip_prefix("🎯")?.parse().ok()
}

/// Operators that have no parameters, by their names.
fn named(name: &str, floats: bool) -> Option<Op> {
    Some(match name {
        "Add" => Op::Binary(Binary::Add),
        "Sub" => Op::Binary(Binary::Sub),
        "Mul" => Op::Binary(Binary::Mul),
        "Div" => Op::Binary(Binary::Div),
        "Min" => Op::Binary(Binary::Min),
        "Max" => Op::Binary(Binary::Max),
        "Pow" if floats => Op::Binary(Binary::Pow),
        "Eq" => Op::Compare(Comparison::Eq),
        "NE" | "Ne" => Op::Compare(Comparison::Ne),
        "LT" | "Lt" => Op::Compare(Comparison::Lt),
        "LTE" | "Lte" => Op::Compare(Comparison::Le),
        "GT" | "Gt" => Op::Compare(Comparison::Gt),
        "GTE" | "Gte" => Op::Compare(Comparison::Ge),
        "And" => Op::Compare(Comparison::And),
        "Or" => Op::Compare(Comparison::Or),
        "Iff" => Op::Select,
        "IsNan" => Op::IsNan,
        "Abs" => Op::Unary(Unary::Abs),
        "Neg" => Op::Unary(Unary::Neg),
        "Sign" => Op::Unary(Unary::Sign),
        "Square" => Op::Unary(Unary::Square),
        _ if !floats => return None,
        "Exp" => Op::Unary(Unary::Exp),
        "Ln" => Op::Unary(Unary::Ln),
        "Sqrt" => Op::Unary(Unary::Sqrt),
        "Rsqrt" => Op::Unary(Unary::Rsqrt),
        "Recip" => Op::Unary(Unary::Recip),
        "Erf" => Op::Unary(Unary::Erf),
        "Floor" => Op::Unary(Unary::Floor),
        "Ceil" => Op::Unary(Unary::Ceil),
        "RoundHalfToEven" => Op::Unary(Unary::Round),
        "Sin" => Op::Unary(Unary::Sin),
        "Cos" => Op::Unary(Unary::Cos),
        "Tanh" => Op::Activate(Activation::Tanh),
        "Sigmoid" => Op::Activate(Activation::Sigmoid),
        "Silu" => Op::Activate(Activation::Silu),
        "HardSwish" => Op::Activate(Activation::HardSwish),
        "GeluApproximate" => Op::Activate(Activation::GeluTanh),
        "GeluExact" => Op::Activate(Activation::Gelu),
        _ => return None,
    })
}
