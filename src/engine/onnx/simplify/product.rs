//! What goes into products and convolutions: factors, biases, residuals, activations.

use tract_onnx::tract_core::internal::*;

use super::super::graph::{Graph, Id, floats, near};
use crate::engine::kernels::{Activation, Binary, Unary};
use crate::engine::op::{Epilogue, MatMul, Op, Right};

/// What follows a product or a convolution.
fn epilogue(op: &Op) -> Option<&Epilogue> {
    match op {
        Op::MatMul(op) => Some(&op.epilogue),
        Op::Conv(op) => Some(&op.epilogue),
        _ => None,
    }
}

fn epilogue_mut(op: &mut Op) -> Option<&mut Epilogue> {
    match op {
        Op::MatMul(op) => Some(&mut op.epilogue),
        Op::Conv(op) => Some(&mut op.epilogue),
        _ => None,
    }
}

/// A weight on the left changes places with a value on the right, and the weight's own axes come last in the result.
pub(super) fn weight_last(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let Some(Op::MatMul(op)) = graph.get(id).cloned() else {
        return false;
    };
    let Right::Dynamic(right) = &op.right else {
        return false;
    };
    let of = graph.nodes[id].of.clone();
    if of.len() != 2 || op.epilogue != Epilogue::default() {
        return false;
    }
    let weight = |at: usize| graph.tensor(of[at]).is_some();
    if weight(0) && !weight(1) {
        let swapped = MatMul {
            left: right.clone(),
            right: Right::Dynamic(op.left.clone()),
            ..op.clone()
        };
        graph.set(id, Op::MatMul(swapped), vec![of[1], of[0]]);
        return true;
    }
    if !weight(1) {
        return false;
    }
    let retained = op.left.chars().filter(|&l| op.result.contains(l));
    let own = op.result.chars().filter(|&l| !op.left.contains(l));
    let result: String = retained.chain(own).collect();
    if result == op.result {
        return false;
    }
    // The transpose back: axis i of the old result is an axis of the new one.
    let perm: Vec<usize> = op.result.chars().filter_map(|l| result.find(l)).collect();
    let shape = &graph.nodes[id].shape;
    let mut inner = vec![1.to_dim(); shape.len()];
    perm.iter()
        .zip(shape)
        .for_each(|(&p, d)| inner[p] = d.clone());
    let kind = graph.nodes[id].kind;
    let product = Op::MatMul(MatMul {
        result,
        ..op.clone()
    });
    let product = graph.op(product, &of, inner, kind);
    graph.set(id, Op::Transpose(perm), vec![product]);
    true
}

/// A number that multiplies an operand multiplies the product.
pub(super) fn scale_operand(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let Some(Op::MatMul(op)) = graph.get(id) else {
        return false;
    };
    for at in 0..2 {
        let of = graph.nodes[id].of[at];
        if let Some((inner, by)) = graph.with_scalar(of, Binary::Mul) {
            // A number with more axes than the operand would make the result larger.
            if graph.nodes[inner].shape != graph.nodes[of].shape {
                continue;
            }
            let mut op = op.clone();
            op.scale *= by;
            let mut operands = graph.nodes[id].of.clone();
            operands[at] = inner;
            graph.set(id, Op::MatMul(op), operands);
            return true;
        }
    }
    false
}

/// The factor of each of the result's last places that a weight holds: one for all, or one each.
fn columns(graph: &Graph, id: Id, weight: Id, count: usize) -> Option<Vec<f32>> {
    let tensor = graph.tensor(weight)?;
    let values = floats(tensor)?;
    if values.len() == 1 {
        return Some(vec![values[0]; count]);
    }
    // Its lengths end as the result's do, and are 1 before.
    let shape = &graph.nodes[id].shape;
    let own = tensor.shape();
    if values.len() != count || own.len() > shape.len() {
        return None;
    }
    let tail = own.iter().rev().zip(shape.iter().rev());
    let mut left = count;
    for (&length, dim) in tail {
        if left == 1 {
            break;
        }
        if dim.to_usize().ok()? != length {
            return None;
        }
        left /= length.max(1);
    }
    (left == 1).then(|| values.to_vec())
}

/// How many places the last axes have that a weight brings.
fn width(graph: &Graph, id: Id) -> Option<usize> {
    let node = &graph.nodes[id];
    match graph.get(id)? {
        Op::Conv(conv) => Some(conv.outputs),
        Op::MatMul(op) => {
            let Right::Dynamic(right) = &op.right else {
                return None;
            };
            graph.tensor(node.of[1])?;
            let own = op
                .result
                .chars()
                .rev()
                .take_while(|&l| !op.left.contains(l) && right.contains(l));
            let own = own.count();
            node.shape[node.shape.len() - own..]
                .iter()
                .map(|d| d.to_usize().ok())
                .product()
        }
        _ => None,
    }
}

/// A factor after a product or convolution goes into the weights.
pub(super) fn scale_result(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    for (product, factor) in graph.either(id, Binary::Mul) {
        let Some(mut op) = graph.get(product).cloned() else {
            continue;
        };
        let plain = epilogue(&op).is_some_and(|t| !t.residual && t.activation == Activation::None);
        if !plain || uses[product] != 1 || graph.nodes[product].shape != graph.nodes[id].shape {
            continue;
        }
        let mut of = graph.nodes[product].of.clone();
        if let (Op::MatMul(matmul), 2, Some(number)) = (&mut op, of.len(), graph.scalar(factor)) {
            matmul.scale *= number;
            graph.set(id, op, of);
            return true;
        }
        let Some(factors) = width(graph, product).and_then(|n| columns(graph, product, factor, n))
        else {
            continue;
        };
        let last = match &op {
            Op::Conv(_) => true,
            Op::MatMul(op) => matches!(&op.right, Right::Dynamic(right)
                if right.chars().last() == op.result.chars().last()
                    && right.chars().filter(|&l| op.result.contains(l)).count() == 1),
            _ => false,
        };
        let scaled = |graph: &mut Graph, weight: Id| {
            let tensor = graph.tensor(weight)?.clone();
            let shape = tensor.shape().to_vec();
            let each = factors.iter().cycle();
            let values: Vec<f32> = floats(&tensor)?
                .iter()
                .zip(each)
                .map(|(v, f)| v * f)
                .collect();
            graph.floats(&shape, &values)
        };
        if !last {
            continue;
        }
        let Some(weight) = scaled(graph, of[1]) else {
            continue;
        };
        of[1] = weight;
        if epilogue(&op).is_some_and(|t| t.bias) {
            let Some(bias) = scaled(graph, of[2]) else {
                continue;
            };
            of[2] = bias;
        }
        graph.set(id, op, of);
        return true;
    }
    false
}

/// A row that is added to each row.
pub(super) fn bias(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    let add = graph
        .either(id, Binary::Add)
        .into_iter()
        .map(|(a, b)| (a, b, 1.0));
    let sub = graph.pair(id, Binary::Sub).map(|(a, b)| (a, b, -1.0));
    for (product, row, sign) in add.chain(sub).collect::<Vec<_>>() {
        let Some(mut op) = graph.get(product).cloned() else {
            continue;
        };
        let plain = epilogue(&op).is_some_and(|t| !t.residual && t.activation == Activation::None);
        if !plain || uses[product] != 1 || graph.nodes[product].shape != graph.nodes[id].shape {
            continue;
        }
        let Some(mut values) = width(graph, product).and_then(|n| columns(graph, product, row, n))
        else {
            continue;
        };
        values.iter_mut().for_each(|v| *v *= sign);
        let mut of = graph.nodes[product].of.clone();
        if epilogue(&op).is_some_and(|t| t.bias) {
            let Some(there) = graph.tensor(of[2]).and_then(|t| floats(t)) else {
                continue;
            };
            values.iter_mut().zip(there).for_each(|(v, t)| *v += t);
            of.truncate(2);
        }
        let Some(row) = graph.floats(&[values.len()], &values) else {
            continue;
        };
        of.push(row);
        if let Some(epilogue) = epilogue_mut(&mut op) {
            epilogue.bias = true;
        }
        graph.set(id, op, of);
        return true;
    }
    false
}

/// Something of the result's shape that is added.
pub(super) fn residual(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    for (product, other) in graph.either(id, Binary::Add) {
        let Some(mut op) = graph.get(product).cloned() else {
            continue;
        };
        let fits = epilogue(&op).is_some_and(|t| !t.residual && t.activation == Activation::None)
            && !matches!(&op, Op::Conv(conv) if conv.depthwise)
            && uses[product] == 1
            && width(graph, product).is_some()
            && graph.tensor(other).is_none()
            && graph.nodes[product].shape == graph.nodes[id].shape
            && graph.nodes[other].shape == graph.nodes[id].shape
            && !depends(graph, other, product);
        if !fits {
            continue;
        }
        let mut of = graph.nodes[product].of.clone();
        of.push(other);
        if let Some(epilogue) = epilogue_mut(&mut op) {
            epilogue.residual = true;
        }
        graph.set(id, op, of);
        return true;
    }
    false
}

/// Whether a node needs another one's result.
fn depends(graph: &Graph, id: Id, on: Id) -> bool {
    let mut seen = vec![false; graph.nodes.len()];
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        if id == on {
            return true;
        }
        if !std::mem::replace(&mut seen[id], true) {
            open.extend(&graph.nodes[id].of);
        }
    }
    false
}

pub(super) fn activation_after(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    let Some(&Op::Activate(activation)) = graph.get(id) else {
        return false;
    };
    let of = graph.nodes[id].of[0];
    let Some(mut op) = graph.get(of).cloned() else {
        return false;
    };
    let operands = graph.nodes[of].of.clone();
    match epilogue_mut(&mut op) {
        Some(epilogue) if uses[of] == 1 => match joined(epilogue.activation, activation) {
            Some(joined) => epilogue.activation = joined,
            None => return false,
        },
        _ => return false,
    }
    graph.set(id, op, operands);
    true
}

/// One activation for two, the second after the first.
fn joined(first: Activation, second: Activation) -> Option<Activation> {
    let bounds = |activation| match activation {
        Activation::Relu => Some((0.0, f32::MAX)),
        Activation::Clamp(low, high) => Some((low, high)),
        _ => None,
    };
    if first == Activation::None {
        return Some(second);
    }
    let ((l, h), (low, high)) = (bounds(first)?, bounds(second)?);
    Some(clamp(l.max(low).min(high), h.min(high).max(low)))
}

fn clamp(low: f32, high: f32) -> Activation {
    if low == 0.0 && high == f32::MAX {
        Activation::Relu
    } else {
        Activation::Clamp(low, high)
    }
}

/// Clamps to numbers.
pub(super) fn activations(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    let (of, low, high) = if let Some((of, low)) = graph.with_scalar(id, Binary::Max) {
        (of, low, f32::MAX)
    } else if let Some((of, high)) = graph.with_scalar(id, Binary::Min) {
        (of, f32::MIN, high)
    } else {
        return false;
    };
    if graph.nodes[of].shape != graph.nodes[id].shape || low.is_nan() || high.is_nan() {
        return false;
    }
    let low = low.max(f32::MIN);
    let high = high.min(f32::MAX);
    let (source, activation) = match graph.get(of) {
        Some(&Op::Activate(first)) if uses[of] == 1 => match joined(first, clamp(low, high)) {
            Some(joined) => (graph.nodes[of].of[0], joined),
            None => (of, clamp(low, high)),
        },
        _ => (of, clamp(low, high)),
    };
    graph.set(id, Op::Activate(activation), vec![source]);
    true
}

/// `x * (0.5 * (1 + erf(x / sqrt 2)))` in all orders.
pub(super) fn gelu(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let found = halves(graph, id).into_iter().find_map(|(x, sum)| {
        let (erf, one) = graph.with_scalar(sum, Binary::Add)?;
        let Some(Op::Unary(Unary::Erf)) = graph.get(erf) else {
            return None;
        };
        let (inner, by) = graph.with_scalar(graph.nodes[erf].of[0], Binary::Mul)?;
        (inner == x && near(one, 1.0) && near(by, std::f32::consts::FRAC_1_SQRT_2)).then_some(x)
    });
    let Some(x) = found else {
        return false;
    };
    graph.set(id, Op::Activate(Activation::Gelu), vec![x]);
    true
}

/// `x * (0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x³))))` in all orders.
pub(super) fn gelu_tanh(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    let found = halves(graph, id).into_iter().find_map(|(x, sum)| {
        let (tanh, one) = graph.with_scalar(sum, Binary::Add)?;
        let Some(Op::Activate(Activation::Tanh)) = graph.get(tanh) else {
            return None;
        };
        let (inner, by) = graph.with_scalar(graph.nodes[tanh].of[0], Binary::Mul)?;
        let cubic = graph
            .either(inner, Binary::Add)
            .into_iter()
            .find(|&(a, _)| a == x)?
            .1;
        let (power, factor) = cube(graph, cubic, x)?;
        let right = near(one, 1.0) && near(by, 0.797_884_6) && near(factor, 0.044_715);
        (right && power == 3).then_some(x)
    });
    let Some(x) = found else {
        return false;
    };
    graph.set(id, Op::Activate(Activation::GeluTanh), vec![x]);
    true
}

/// A product of `x`s and numbers: how many `x`s, and the numbers' product.
fn cube(graph: &Graph, id: Id, x: Id) -> Option<(u32, f32)> {
    if id == x {
        return Some((1, 1.0));
    }
    if let Some(number) = graph.scalar(id) {
        return Some((0, number));
    }
    if let Some(Op::Unary(Unary::Square)) = graph.get(id) {
        let (power, number) = cube(graph, graph.nodes[id].of[0], x)?;
        return Some((2 * power, number * number));
    }
    let (a, b) = graph.pair(id, Binary::Mul)?;
    let (a, b) = (cube(graph, a, x)?, cube(graph, b, x)?);
    Some((a.0 + b.0, a.1 * b.1))
}

/// The ways to read a node as `0.5 * x * sum`, as pairs `(x, sum)`.
fn halves(graph: &Graph, id: Id) -> Vec<(Id, Id)> {
    let mut found = Vec::new();
    for (a, b) in graph.either(id, Binary::Mul) {
        // a * (0.5 * b'), and (0.5 * a') * b
        if let Some((inner, half)) = graph.with_scalar(b, Binary::Mul)
            && half == 0.5
        {
            found.extend([(a, inner), (inner, a)]);
        }
    }
    if let Some((inner, half)) = graph.with_scalar(id, Binary::Mul)
        && half == 0.5
    {
        found.extend(graph.either(inner, Binary::Mul));
    }
    found
}

/// `x * sigmoid(x)`.
pub(super) fn silu(graph: &mut Graph, id: Id, _: &[u32]) -> bool {
    for (x, gate) in graph.either(id, Binary::Mul) {
        if let Some(Op::Activate(Activation::Sigmoid)) = graph.get(gate)
            && graph.nodes[gate].of == [x]
        {
            graph.set(id, Op::Activate(Activation::Silu), vec![x]);
            return true;
        }
    }
    false
}
