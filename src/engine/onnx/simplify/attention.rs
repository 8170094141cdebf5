//! Attention, from the two products and the softmax between them.

use tract_onnx::prelude::TDim;
use tract_onnx::tract_core::internal::*;

use super::super::graph::{Graph, Id, floats};
use crate::engine::kernels::Binary;
use crate::engine::op::{Attention, Epilogue, MatMul, Op, Right};

/// Scores that are masked with finite numbers never become NaN, so exporters' guard against that does nothing.
pub(super) fn guard(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let Some(Op::Select) = graph.get(id) else {
        return false;
    };
    let &[nan, filled, softmax] = &graph.nodes[id].of[..] else {
        return false;
    };
    let guards = matches!(graph.get(nan), Some(Op::IsNan)) && graph.nodes[nan].of == [softmax];
    let zero = graph.scalar(filled) == Some(0.0);
    if !guards || !zero || !matches!(graph.get(softmax), Some(Op::Softmax { .. })) {
        return false;
    }
    let scores = graph.nodes[softmax].of[0];
    let masks: Vec<Id> = graph
        .either(scores, Binary::Add)
        .into_iter()
        .map(|(_, mask)| mask)
        .collect();
    let finite = |&mask: &Id| {
        let Some(Op::Select) = graph.get(mask) else {
            return false;
        };
        graph.nodes[mask].of[1..].iter().all(|&of| {
            graph
                .tensor(of)
                .and_then(|t| floats(t))
                .is_some_and(|v| v.iter().all(|v| v.is_finite()))
        })
    };
    if !masks.iter().any(finite) {
        return false;
    }
    graph.become_node(id, softmax);
    true
}

pub(super) fn attention(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    let Some((op, of, perm)) = parts(graph, id, uses) else {
        return false;
    };
    // Ours gives [batch, query, head, feature].
    let shape = &graph.nodes[id].shape;
    let mut inner = vec![1.to_dim(); 4];
    perm.iter()
        .zip(shape)
        .for_each(|(&p, d): (_, &TDim)| inner[p] = d.clone());
    let kind = graph.nodes[id].kind;
    let fused = graph.op(Op::Attention(op), &of, inner, kind);
    let back = graph.transpose(fused, perm);
    graph.become_node(id, back);
    true
}

fn plain(op: &MatMul) -> Option<&str> {
    match &op.right {
        Right::Dynamic(right) if op.epilogue == Epilogue::default() => Some(right),
        _ => None,
    }
}

fn parts(graph: &Graph, id: Id, uses: &[u32]) -> Option<(Attention, Vec<Id>, Vec<usize>)> {
    let Op::MatMul(outer) = graph.get(id)? else {
        return None;
    };
    let (weights, value) = (graph.nodes[id].of[0], graph.nodes[id].of[1]);
    let Op::Softmax {
        axis: 3,
        log: false,
    } = *graph.get(weights)?
    else {
        return None;
    };
    let mut scores = graph.nodes[weights].of[0];
    let mut mask = None;
    if let Some((product, addend)) = graph
        .either(scores, Binary::Add)
        .into_iter()
        .find(|&(product, _)| matches!(graph.get(product), Some(Op::MatMul(_))))
    {
        if uses[scores] != 1 {
            return None;
        }
        mask = Some(addend);
        scores = product;
    }
    let Op::MatMul(inner) = graph.get(scores)? else {
        return None;
    };
    if uses[weights] != 1 || uses[scores] != 1 || outer.scale != 1.0 {
        return None;
    }
    let (k_letters, v_letters) = (plain(inner)?, plain(outer)?);
    let s: Vec<char> = inner.result.chars().collect();
    let w: Vec<char> = outer.left.chars().collect();
    if s.len() != 4 || w.len() != 4 || outer.result.len() != 4 {
        return None;
    }
    // The scores are [batch, head, query, key], by the roles their axes have in the products.
    let in_q = |l: char| inner.left.contains(l);
    let in_k = |l: char| k_letters.contains(l);
    let roles = in_q(s[0])
        && in_k(s[0])
        && in_q(s[1])
        && in_k(s[1])
        && in_q(s[2])
        && !in_k(s[2])
        && !in_q(s[3])
        && in_k(s[3]);
    let feature = inner.left.chars().find(|&l| !inner.result.contains(l))?;
    let value_feature = outer.result.chars().find(|&l| !outer.left.contains(l))?;
    let place = |letters: &str, wanted: [char; 4]| -> Option<[usize; 4]> {
        let mut places = [0; 4];
        for (to, letter) in places.iter_mut().zip(wanted) {
            *to = letters.chars().position(|l| l == letter)?;
        }
        (letters.len() == 4).then_some(places)
    };
    let q = place(&inner.left, [s[0], s[2], s[1], feature])?;
    let k = place(k_letters, [s[0], s[3], s[1], feature])?;
    let v = place(v_letters, [w[0], w[3], w[1], value_feature])?;
    if !roles || outer.result.contains(w[3]) {
        return None;
    }
    let mut of = graph.nodes[scores].of.clone();
    of.push(value);
    if let Some(mask) = mask {
        let shape = &graph.nodes[mask].shape;
        let whole = &graph.nodes[weights].shape;
        let by_key = shape.len() == 4
            && (shape[0] == whole[0] || shape[0].is_one())
            && shape[1].is_one()
            && shape[2].is_one()
            && shape[3] == whole[3];
        if !by_key {
            return None;
        }
        of.push(mask);
    }
    let order = [w[0], w[2], w[1], value_feature];
    let perm = outer
        .result
        .chars()
        .map(|l| order.iter().position(|&o| o == l))
        .collect::<Option<Vec<_>>>()?;
    let op = Attention {
        q,
        k,
        v,
        together: false,
        scale: inner.scale,
        mask: mask.is_some(),
    };
    Some((op, of, perm))
}

/// Where `q`, `k` and `v` are products of the same array, one product makes all three.
pub(super) fn together(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    joined(graph, id, uses).is_some()
}

fn joined(graph: &mut Graph, id: Id, uses: &[u32]) -> Option<()> {
    let Op::Attention(op) = graph.get(id)?.clone() else {
        return None;
    };
    let of = graph.nodes[id].of.clone();
    let plain = [op.q, op.k, op.v] == [[0, 1, 2, 3]; 3];
    if op.together || !plain {
        return None;
    }
    let (mut source, mut first) = (None, None);
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for &part in &of[..3] {
        let Op::Reshape(_) = graph.get(part)? else {
            return None;
        };
        let product = graph.nodes[part].of[0];
        let Op::MatMul(matmul) = graph.get(product)?.clone() else {
            return None;
        };
        let operands = &graph.nodes[product].of;
        let bias = matmul.epilogue.bias;
        let right = match &matmul.right {
            Right::Dynamic(right) => right.clone(),
            _ => return None,
        };
        let only = Epilogue {
            bias,
            ..Epilogue::default()
        };
        let (left, result) = (matmul.left.as_str(), matmul.result.as_str());
        let letters = left.len() == 3
            && result.len() == 3
            && right.len() == 2
            && left[..2] == result[..2]
            && left[2..] == right[..1]
            && result[2..] == right[1..];
        let same = source.is_none_or(|source| source == operands[0]);
        if matmul.epilogue != only || !letters || !same || uses[part] != 1 || uses[product] != 1 {
            return None;
        }
        source = Some(operands[0]);
        let tensor = graph.tensor(operands[1])?;
        let &[k, n] = tensor.shape() else {
            return None;
        };
        let values: Vec<f32> = floats(tensor)?.iter().map(|v| v * matmul.scale).collect();
        let bias = match bias {
            true => floats(graph.tensor(operands[2])?)?.to_vec(),
            false => vec![0.0; n],
        };
        weights.push((k, n, values));
        biases.extend(bias);
        first.get_or_insert(matmul);
    }
    let (k, n, _) = weights[0];
    let shape = graph.nodes[of[0]].shape.clone();
    let alike = weights.iter().all(|w| (w.0, w.1) == (k, n))
        && of[1..3]
            .iter()
            .all(|&part| graph.nodes[part].shape == shape);
    if !alike || shape.len() != 4 {
        return None;
    }
    let mut together = Vec::with_capacity(3 * k * n);
    for row in 0..k {
        weights
            .iter()
            .for_each(|(_, _, values)| together.extend(&values[row * n..][..n]));
    }
    let weight = graph.floats(&[k, 3 * n], &together)?;
    let bias = graph.floats(&[3 * n], &biases)?;
    let mut matmul = first?;
    matmul.scale = 1.0;
    matmul.epilogue.bias = true;
    let wide = vec![shape[0].clone(), shape[1].clone(), (3 * n).to_dim()];
    let kind = graph.nodes[id].kind;
    let product = graph.op(Op::MatMul(matmul), &[source?, weight, bias], wide, kind);
    let mut parts = shape;
    parts.insert(2, 3.to_dim());
    let parts = graph.reshape(product, parts);
    let mut operands = vec![parts];
    operands.extend(&of[3..]);
    graph.set(
        id,
        Op::Attention(Attention {
            together: true,
            ..op
        }),
        operands,
    );
    Some(())
}
