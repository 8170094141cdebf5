//! Reshapes and transposes among themselves.

use tract_onnx::prelude::TDim;

use super::super::graph::{Graph, Id};
use crate::engine::op::Op;

/// A reshape of a reshape, or to the shape that is there.
pub(super) fn merge_reshapes(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let Some(Op::Reshape(_)) = graph.get(id) else {
        return false;
    };
    let of = graph.nodes[id].of[0];
    if graph.nodes[of].shape == graph.nodes[id].shape {
        graph.become_node(id, of);
        return true;
    }
    if let Some(Op::Reshape(_)) = graph.get(of) {
        graph.nodes[id].of = graph.nodes[of].of.clone();
        return true;
    }
    false
}

pub(super) fn merge_transposes(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let Some(Op::Transpose(outer)) = graph.get(id) else {
        return false;
    };
    let of = graph.nodes[id].of[0];
    if outer.iter().enumerate().all(|(i, &p)| i == p) {
        graph.become_node(id, of);
        return true;
    }
    let Some(Op::Transpose(inner)) = graph.get(of) else {
        return false;
    };
    let perm: Vec<usize> = outer.iter().map(|&p| inner[p]).collect();
    let of = graph.nodes[of].of.clone();
    graph.set(id, Op::Transpose(perm), of);
    true
}

/// A transpose that only moves axes of length 1 moves no element.
pub(super) fn transpose_of_ones(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let Some(Op::Transpose(perm)) = graph.get(id) else {
        return false;
    };
    let shape = &graph.nodes[graph.nodes[id].of[0]].shape;
    let moved: Vec<usize> = perm
        .iter()
        .copied()
        .filter(|&p| !shape[p].is_one())
        .collect();
    if !moved.windows(2).all(|pair| pair[0] < pair[1]) {
        return false;
    }
    let of = graph.nodes[id].of.clone();
    graph.set(id, Op::Reshape(Vec::new()), of);
    true
}

/// Two leading axes put together, the others moved, the two taken apart: a transpose.
pub(super) fn reshape_around_transpose(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let Some(Op::Reshape(_)) = graph.get(id) else {
        return false;
    };
    let moved = graph.nodes[id].of[0];
    let Some(Op::Transpose(perm)) = graph.get(moved) else {
        return false;
    };
    let joined = graph.nodes[moved].of[0];
    let Some(Op::Reshape(_)) = graph.get(joined) else {
        return false;
    };
    let from = graph.nodes[joined].of[0];
    let (before, after) = (&graph.nodes[from].shape, &graph.nodes[id].shape);
    let inner = &graph.nodes[joined].shape;
    let apart = |outer: &[TDim], inner: &[TDim]| {
        outer.len() == inner.len() + 1 && outer.len() > 2 && outer[2..] == inner[1..]
    };
    let same = apart(before, inner)
        && apart(after, &graph.nodes[moved].shape)
        && before[..2] == after[..2]
        && perm.first() == Some(&0);
    if !same {
        return false;
    }
    let mut wider = vec![0, 1];
    wider.extend(perm[1..].iter().map(|p| p + 1));
    graph.set(id, Op::Transpose(wider), vec![from]);
    true
}
