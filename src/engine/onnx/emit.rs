//! The graph written as a program: steps in order, weights as the kernels read them.

use std::collections::HashMap;

use tract_onnx::prelude::*;

use super::graph::{Graph, Id, NodeKind, Symbols, floats};
use super::graph::{Lowered, Unsupported, unsupported};
use super::smaller::{self, Stored};
use crate::bundle::SmallWeights;
use crate::engine::kernels::{self, Matrix};
use crate::engine::op::{Conv, MatMul, Op, Right};
use crate::engine::program::{InputSpec, Program, Step, WeightKind};

/// From how many rows and columns on a weight is worth int8: below, its rounding costs more than it saves.
const INT8_FROM: usize = 64;

struct Emitter<'a> {
    graph: &'a Graph,
    symbols: &'a Symbols,
    form: Form,
    program: Program,
    blob: Vec<u8>,
    /// The operand that stands for each node.
    done: Vec<Option<i32>>,
    /// The operands that stand for each table that was made smaller.
    tables: HashMap<Id, Vec<i32>>,
}

/// How weights are stored.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// Those of large products as int8, for kernels that multiply such.
    pub int8: bool,
    /// The others, where they are to be smaller.
    pub small: Option<SmallWeights>,
}

/// The file of a graph.
pub(super) fn emit(
    graph: &Graph,
    symbols: &Symbols,
    inputs: Vec<InputSpec>,
    form: Form,
) -> Lowered<Vec<u8>> {
    let mut emitter = Emitter {
        graph,
        symbols,
        form,
        program: Program {
            symbols: symbols.len(),
            inputs,
            ..Program::default()
        },
        blob: Vec::new(),
        done: vec![None; graph.nodes.len()],
        tables: HashMap::new(),
    };
    let output = emitter.node(graph.output)?;
    let Ok(output) = u32::try_from(output) else {
        return unsupported("a model that computes nothing");
    };
    emitter.program.output = output;
    Ok(emitter.program.to_file(&emitter.blob))
}

impl Emitter<'_> {
    /// Writes what a node needs, then the node. Not recursive: graphs are deep.
    fn node(&mut self, id: Id) -> Lowered<i32> {
        let mut open = vec![(id, false)];
        while let Some((id, ready)) = open.pop() {
            if self.done[id].is_some() {
                continue;
            }
            let node = &self.graph.nodes[id];
            if ready {
                self.done[id] = Some(self.write(id)?);
                continue;
            }
            match &node.what {
                NodeKind::Input(at) => self.done[id] = Some(*at as i32),
                // Written where they are used, for that says how.
                NodeKind::Const(_) => {}
                NodeKind::Op(_) => {
                    open.push((id, true));
                    open.extend(node.of.iter().rev().map(|&of| (of, false)));
                }
            }
        }
        match self.done[id] {
            Some(done) => Ok(done),
            None => self.plain(id),
        }
    }

    fn write(&mut self, id: Id) -> Lowered<i32> {
        let node = &self.graph.nodes[id];
        let NodeKind::Op(op) = &node.what else {
            return unsupported("a weight that is computed");
        };
        let mut of = Vec::new();
        let op = match op {
            Op::Reshape(_) => {
                of.push(self.operand(node.of[0])?);
                let dims = self.symbols.dims(&node.shape);
                Op::Reshape(dims.ok_or(Unsupported("a length of an unknown kind".into()))?)
            }
            Op::MatMul(matmul) => Op::MatMul(self.product(matmul, &node.of, &mut of)?),
            Op::Conv(conv) => {
                of.push(self.operand(node.of[0])?);
                of.push(self.convolution(conv, node.of[1])?);
                for &rest in &node.of[2..] {
                    of.push(self.operand(rest)?);
                }
                op.clone()
            }
            Op::Gather { axis: 0 } | Op::Rows { .. } => self.picked(op, &node.of, &mut of)?,
            op => {
                for &operand in &node.of {
                    of.push(self.operand(operand)?);
                }
                op.clone()
            }
        };
        self.program.steps.push(Step { op, of });
        Ok((self.program.inputs.len() + self.program.steps.len() - 1) as i32)
    }

    fn operand(&mut self, id: Id) -> Lowered<i32> {
        match self.done[id] {
            Some(done) => Ok(done),
            None => self.plain(id),
        }
    }

    /// A weight as it is.
    fn plain(&mut self, id: Id) -> Lowered<i32> {
        let Some(tensor) = self.graph.tensor(id) else {
            return unsupported("an operand that was not written");
        };
        let kind = match tensor.datum_type() {
            DatumType::F32 => WeightKind::F32,
            DatumType::I64 => WeightKind::I64,
            DatumType::I8 => WeightKind::I8,
            other => return unsupported(format!("a weight of {other:?}")),
        };
        let bytes = tensor.as_bytes().iter().copied();
        let weight = self
            .program
            .add_weight(&mut self.blob, kind, tensor.shape().to_vec(), bytes);
        self.done[id] = Some(weight);
        Ok(weight)
    }

    fn floats(&mut self, shape: Vec<usize>, values: &[f32]) -> i32 {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes());
        self.program
            .add_weight(&mut self.blob, WeightKind::F32, shape, bytes)
    }

    fn product(&mut self, op: &MatMul, nodes: &[Id], of: &mut Vec<i32>) -> Lowered<MatMul> {
        of.push(self.operand(nodes[0])?);
        let Right::Dynamic(letters) = &op.right else {
            return unsupported("a weight that is packed already");
        };
        let weight = self
            .graph
            .tensor(nodes[1])
            .filter(|_| packable(op, letters));
        let mut packed = None;
        if let Some(weight) = weight.cloned() {
            let values =
                floats(&weight).ok_or(Unsupported("a product that is not of floats".into()))?;
            packed = Some(self.pack(op, letters, weight.shape(), values, of)?);
        }
        let mut op = op.clone();
        match packed {
            None => of.push(self.operand(nodes[1])?),
            Some((right, result)) => {
                op.right = right;
                op.result = result;
            }
        }
        for &rest in &nodes[2..] {
            of.push(self.operand(rest)?);
        }
        Ok(op)
    }

    /// A weight in panels, and the letters of the result that are not its own.
    fn pack(
        &mut self,
        op: &MatMul,
        letters: &str,
        shape: &[usize],
        values: &[f32],
        of: &mut Vec<i32>,
    ) -> Lowered<(Right, String)> {
        let length = |letter: char| letters.find(letter).map_or(1, |at| shape[at]);
        let summed: Vec<char> = op
            .left
            .chars()
            .filter(|&l| !op.result.contains(l))
            .collect();
        let own: Vec<char> = op
            .result
            .chars()
            .filter(|&l| !op.left.contains(l))
            .collect();
        let k: usize = summed.iter().map(|&l| length(l)).product();
        let n: Vec<usize> = own.iter().map(|&l| length(l)).collect();
        let columns: usize = n.iter().product();
        // In the order [summed, own].
        let steps = crate::engine::array::strides(shape);
        let order: Vec<(usize, usize)> = summed
            .iter()
            .chain(&own)
            .map(|&l| (length(l), letters.find(l).map_or(0, |at| steps[at])))
            .collect();
        let mut plain = Vec::with_capacity(values.len());
        for at in 0..values.len() {
            let (mut rest, mut place) = (at, 0);
            for &(length, step) in order.iter().rev() {
                place += rest % length * step;
                rest /= length;
            }
            plain.push(values[place]);
        }
        let matrix = Matrix {
            data: &plain,
            row_stride: columns,
            col_stride: 1,
        };
        let result: String = op.result.chars().filter(|&l| op.left.contains(l)).collect();
        if self.form.int8 && k.min(columns) >= INT8_FROM {
            let mut packed = vec![0; kernels::packed_len_i8(k, columns)];
            let (mut scales, mut sums) = (vec![0.0; columns], vec![0; columns]);
            kernels::quantise_weights(k, columns, &matrix, &mut packed, &mut scales, &mut sums);
            let bytes = packed.iter().map(|&v| v.cast_unsigned());
            of.push(self.program.add_weight(
                &mut self.blob,
                WeightKind::I8,
                vec![packed.len()],
                bytes,
            ));
            let scales = self.floats(vec![columns], &scales);
            of.push(scales);
            let bytes = sums.iter().flat_map(|v| v.to_le_bytes());
            of.push(
                self.program
                    .add_weight(&mut self.blob, WeightKind::I32, vec![columns], bytes),
            );
            return Ok((Right::Int8 { k, n }, result));
        }
        of.push(self.panels(k, columns, &matrix)?);
        Ok((Right::Packed { k, n }, result))
    }

    /// A matrix in panels, of floats once it is loaded.
    fn panels(&mut self, k: usize, columns: usize, matrix: &Matrix<'_>) -> Lowered<i32> {
        let mut packed = vec![0.0; kernels::packed_len(k, columns)];
        kernels::pack_b(k, columns, matrix, &mut packed);
        let shape = vec![packed.len()];
        let stored = match self.form.small {
            Some(small) => smaller::panels(small, &packed)?,
            None => None,
        };
        Ok(match stored {
            Some(Stored { kind, bytes, .. }) => {
                self.program.add_weight(&mut self.blob, kind, shape, bytes)
            }
            None => self.floats(shape, &packed),
        })
    }

    /// Rows of a table, which may be made smaller.
    fn picked(&mut self, op: &Op, nodes: &[Id], of: &mut Vec<i32>) -> Lowered<Op> {
        let table = self.table(nodes[0])?;
        match &table {
            Some(table) => of.push(table[0]),
            None => of.push(self.operand(nodes[0])?),
        }
        for &rest in &nodes[1..] {
            of.push(self.operand(rest)?);
        }
        let Some(table) = table else {
            return Ok(op.clone());
        };
        of.extend(&table[1..]);
        Ok(Op::Rows {
            scaled: of.len() > 2,
        })
    }

    /// The operands of a table that is made smaller: itself, and where it has them its rows' scales.
    fn table(&mut self, id: Id) -> Lowered<Option<Vec<i32>>> {
        let (Some(small), Some(tensor)) = (self.form.small, self.graph.tensor(id)) else {
            return Ok(None);
        };
        if let Some(table) = self.tables.get(&id) {
            return Ok(Some(table.clone()));
        }
        let (&[_, columns], shape) = (tensor.shape(), tensor.shape().to_vec()) else {
            return Ok(None);
        };
        let stored = if let Some(numbers) = floats(tensor) {
            smaller::table(small, numbers, columns)?
        } else if tensor.datum_type() == DatumType::I8 && small == SmallWeights::Q4 {
            // As bytes already; only integers of 4 bits are smaller. Its scales are operands already.
            let bytes = tensor.as_bytes().iter();
            let numbers: Vec<f32> = bytes.map(|b| f32::from(b.cast_signed())).collect();
            smaller::table(small, &numbers, columns)?
        } else {
            None
        };
        let Some(Stored {
            kind,
            bytes,
            scales,
        }) = stored
        else {
            return Ok(None);
        };
        let table = self.program.add_weight(&mut self.blob, kind, shape, bytes);
        let scales = scales.map(|scales| self.floats(vec![scales.len()], &scales));
        let table: Vec<i32> = std::iter::once(table).chain(scales).collect();
        self.tables.insert(id, table.clone());
        Ok(Some(table))
    }

    fn convolution(&mut self, conv: &Conv, weights: Id) -> Lowered<i32> {
        let tensor = self.graph.tensor(weights).cloned();
        let tensor = tensor.ok_or(Unsupported(
            "a convolution whose weights are computed".into(),
        ))?;
        let values =
            floats(&tensor).ok_or(Unsupported("a convolution that is not of floats".into()))?;
        if conv.depthwise {
            return Ok(self.floats(tensor.shape().to_vec(), values));
        }
        let k = values.len() / conv.outputs.max(1);
        let matrix = Matrix {
            data: values,
            row_stride: conv.outputs,
            col_stride: 1,
        };
        self.panels(k, conv.outputs, &matrix)
    }
}

/// Whether a weight on the right can be packed: no axis in common with both, its own axes last in the result.
fn packable(op: &MatMul, letters: &str) -> bool {
    let retained = op.result.chars().filter(|&l| op.left.contains(l)).count();
    let own_last = op
        .result
        .chars()
        .skip(retained)
        .all(|l| !op.left.contains(l) && letters.contains(l));
    let no_batch = letters
        .chars()
        .all(|l| !(op.left.contains(l) && op.result.contains(l)));
    own_last && no_batch && !op.result.is_empty()
}
