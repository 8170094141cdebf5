//! Transposes move towards the output until something takes them in, or they meet their inverse.

use std::sync::Arc;

use tract_onnx::prelude::Tensor;
use tract_onnx::tract_core::internal::*;

use super::super::graph::{Graph, Id, NodeKind};
use crate::engine::op::{Op, Right};

/// A product names its axes, so it can read an operand as it was before a transpose.
pub(super) fn absorb_transposes(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let Some(Op::MatMul(op)) = graph.get(id) else {
        return false;
    };
    let Right::Dynamic(right) = &op.right else {
        return false;
    };
    let before = |letters: &str, of: Id| {
        let Some(Op::Transpose(perm)) = graph.get(of) else {
            return None;
        };
        let mut own = vec![' '; perm.len()];
        perm.iter()
            .zip(letters.chars())
            .for_each(|(&p, letter)| own[p] = letter);
        Some((own.into_iter().collect::<String>(), graph.nodes[of].of[0]))
    };
    let mut op = op.clone();
    let mut of = graph.nodes[id].of.clone();
    if let Some((left, from)) = before(&op.left, of[0]) {
        (op.left, of[0]) = (left, from);
    } else if let Some((letters, from)) = before(right, of[1]) {
        (op.right, of[1]) = (Right::Dynamic(letters), from);
    } else {
        return false;
    }
    graph.set(id, Op::MatMul(op), of);
    true
}

/// An operator on elements can come before the transpose of what it works on.
pub(super) fn sink_transposes(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    match graph.get(id) {
        Some(Op::Unary(_) | Op::Activate(_) | Op::Cast(_) | Op::Binary(_)) => {}
        _ => return false,
    }
    let rank = graph.nodes[id].shape.len();
    let of = graph.nodes[id].of.clone();
    let perm_of = |id: Id| match graph.get(id) {
        Some(Op::Transpose(perm)) => Some(perm.clone()),
        _ => None,
    };
    let Some(perm) = of.iter().find_map(|&id| perm_of(id)) else {
        return false;
    };
    if perm.len() != rank {
        return false;
    }
    // All operands must be movable: transposed the same way, or weights.
    let mut sources = Vec::new();
    for &operand in &of {
        if perm_of(operand).as_ref() == Some(&perm) && uses[operand] == 1 {
            sources.push(Some(graph.nodes[operand].of[0]));
        } else if graph.tensor(operand).is_some() {
            sources.push(None);
        } else {
            return false;
        }
    }
    let mut moved = Vec::new();
    for (source, &operand) in sources.into_iter().zip(&of) {
        let moved_one = match source {
            Some(source) => Some(source),
            None => moved_weight(graph, operand, &perm, rank),
        };
        let Some(moved_one) = moved_one else {
            return false;
        };
        moved.push(moved_one);
    }
    let mut shape = vec![1.to_dim(); rank];
    perm.iter()
        .enumerate()
        .for_each(|(i, &p)| shape[p] = graph.nodes[id].shape[i].clone());
    let node = graph.nodes[id].clone();
    let inner = graph.add(node.what, moved, shape, node.kind);
    graph.set(id, Op::Transpose(perm), vec![inner]);
    true
}

/// A weight as it must be before the transpose that it then goes through.
fn moved_weight(graph: &mut Graph, id: Id, perm: &[usize], rank: usize) -> Option<Id> {
    let tensor = graph.tensor(id)?.clone();
    if tensor.len() == 1 {
        return Some(id);
    }
    let mut tensor = Tensor::clone(&tensor);
    while tensor.rank() < rank {
        tensor.insert_axis(0).ok()?;
    }
    let mut inverse = vec![0; rank];
    perm.iter().enumerate().for_each(|(i, &p)| inverse[p] = i);
    let moved = tensor.permute_axes(&inverse).ok()?;
    Some(graph.constant(Arc::new(moved)))
}

/// A reduction over the axes as they were before a transpose.
pub(super) fn through_reduce(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    let Some(Op::Reduce { kind, axes }) = graph.get(id).cloned() else {
        return false;
    };
    let of = graph.nodes[id].of[0];
    let Some(Op::Transpose(perm)) = graph.get(of).cloned() else {
        return false;
    };
    if uses[of] != 1 {
        return false;
    }
    let moved: Vec<usize> = axes.iter().map(|&axis| perm[axis]).collect();
    let source = graph.nodes[of].of[0];
    let mut shape = graph.nodes[source].shape.clone();
    moved.iter().for_each(|&axis| shape[axis] = 1.to_dim());
    let node_kind = graph.nodes[id].kind;
    let inner = graph.add(
        NodeKind::Op(Op::Reduce { kind, axes: moved }),
        vec![source],
        shape,
        node_kind,
    );
    graph.set(id, Op::Transpose(perm), vec![inner]);
    true
}
