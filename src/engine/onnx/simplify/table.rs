//! Tables: one-hot products are picks of rows, and int8 tables stay int8.

use std::sync::Arc;

use tract_onnx::prelude::{DatumType, Tensor};

use super::super::graph::{Graph, Id, floats};
use crate::engine::kernels::Binary;
use crate::engine::op::{Comparison, Kind, Op, Right};

/// `float(x == [0, 1, 2, ...]) W`: the row of `W` that `x` says, or zeros where it says none.
pub(super) fn one_hot(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    let Some(Op::MatMul(op)) = graph.get(id).cloned() else {
        return false;
    };
    let of = graph.nodes[id].of.clone();
    let Some(numbers) = one_hot_of(graph, of[0], uses) else {
        return false;
    };
    let Some(table) = graph.tensor(of[1]).cloned() else {
        return false;
    };
    let summed = op.left.chars().last().filter(|&l| !op.result.contains(l));
    let plain = matches!(&op.right, Right::Dynamic(right)
        if right.len() == 2 && right.chars().next() == summed && right.ends_with(op.result.chars().last().unwrap_or(' ')));
    let order = op.left[..op.left.len() - 1] == op.result[..op.result.len().saturating_sub(1)];
    if !plain || !order || of.len() != 2 || op.scale != 1.0 {
        return false;
    }
    let (&[rows, columns], Some(values)) = (table.shape(), floats(&table)) else {
        return false;
    };
    // A row of zeros before and after, for the numbers that are no row.
    let mut wide = vec![0.0; columns];
    wide.extend(values);
    wide.extend(vec![0.0; columns]);
    let Some(wide) = graph.floats(&[rows + 2, columns], &wide) else {
        return false;
    };
    let shape = graph.nodes[numbers].shape.clone();
    let mut at = numbers;
    for (binary, number) in [
        (Binary::Max, -1),
        (Binary::Min, rows as i64),
        (Binary::Add, 1),
    ] {
        let number = Tensor::from_shape(&vec![1; shape.len()], &[number]);
        let Ok(number) = number else {
            return false;
        };
        let number = graph.constant(Arc::new(number));
        at = graph.op(Op::Binary(binary), &[at, number], shape.clone(), Kind::I64);
    }
    graph.set(id, Op::Gather { axis: 0 }, vec![wide, at]);
    true
}

/// The numbers that a node holds as one-hot rows: `cast(x[..., 1] == [0, 1, 2, ...])`.
fn one_hot_of(graph: &mut Graph, id: Id, uses: &[u32]) -> Option<Id> {
    let Some(Op::Cast(Kind::F32)) = graph.get(id) else {
        return None;
    };
    let equal = graph.nodes[id].of[0];
    let Some(Op::Compare(Comparison::Eq)) = graph.get(equal) else {
        return None;
    };
    if uses[id] != 1 || uses[equal] != 1 {
        return None;
    }
    let &[numbers, counted] = &graph.nodes[equal].of[..] else {
        return None;
    };
    let tensor = graph.tensor(counted)?;
    let row: Vec<i64> = tensor
        .to_plain_array_view::<i64>()
        .ok()?
        .iter()
        .copied()
        .collect();
    let counts = row.iter().enumerate().all(|(i, &v)| v == i as i64);
    let last = tensor.shape().last() == Some(&row.len());
    let mut shape = graph.nodes[numbers].shape.clone();
    if !counts || !last || !shape.pop()?.is_one() {
        return None;
    }
    Some(graph.reshape(numbers, shape))
}

fn is_int8(graph: &Graph, id: Id) -> bool {
    graph
        .tensor(id)
        .is_some_and(|t| t.datum_type() == DatumType::I8 && t.rank() == 2)
}

/// Rows of an int8 table as floats: a gather and then a cast, or a cast, a factor a row and then a gather.
pub(super) fn int8_rows(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    match graph.get(id) {
        Some(Op::Cast(Kind::F32)) => {
            let gather = graph.nodes[id].of[0];
            let Some(Op::Gather { axis: 0 }) = graph.get(gather) else {
                return false;
            };
            let of = graph.nodes[gather].of.clone();
            if !is_int8(graph, of[0]) || uses[gather] != 1 {
                return false;
            }
            graph.set(id, Op::Rows { scaled: false }, of);
            true
        }
        Some(Op::Gather { axis: 0 }) => {
            let (table, at) = (graph.nodes[id].of[0], graph.nodes[id].of[1]);
            for (cast, factor) in graph.either(table, Binary::Mul) {
                let int8 = matches!(graph.get(cast), Some(Op::Cast(Kind::F32)))
                    && is_int8(graph, graph.nodes[cast].of[0]);
                let Some(scales) = int8
                    .then(|| row_factors(graph, factor, graph.nodes[cast].of[0]))
                    .flatten()
                else {
                    continue;
                };
                let table = graph.nodes[cast].of[0];
                graph.set(id, Op::Rows { scaled: true }, vec![table, at, scales]);
                return true;
            }
            false
        }
        _ => false,
    }
}

/// A factor for each row of a table, as a list.
fn row_factors(graph: &mut Graph, factor: Id, table: Id) -> Option<Id> {
    let rows = *graph.tensor(table)?.shape().first()?;
    let tensor = graph.tensor(factor)?;
    let values = floats(tensor)?.to_vec();
    match (&values[..], tensor.shape()) {
        ([one], _) => graph.floats(&[rows], &vec![*one; rows]),
        (many, &[r, 1]) if r == rows => graph.floats(&[rows], many),
        _ => None,
    }
}

/// Rows and, by the same numbers, a factor for each.
pub(super) fn row_scales(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    for (rows, factors) in graph.either(id, Binary::Mul) {
        let (Some(Op::Rows { scaled: false }), Some(Op::Gather { axis: 0 })) =
            (graph.get(rows), graph.get(factors))
        else {
            continue;
        };
        let (table, at) = (graph.nodes[rows].of[0], graph.nodes[rows].of[1]);
        let (list, by) = (graph.nodes[factors].of[0], graph.nodes[factors].of[1]);
        if at != by || uses[rows] != 1 {
            continue;
        }
        let Some(scales) = row_factors(graph, list, table) else {
            continue;
        };
        graph.set(id, Op::Rows { scaled: true }, vec![table, at, scales]);
        return true;
    }
    false
}
