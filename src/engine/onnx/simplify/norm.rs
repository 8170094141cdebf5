//! Layer normalisation, from the parts it is exported in.

use tract_onnx::tract_core::internal::*;

use super::super::graph::{Graph, Id, floats, near};
use crate::engine::kernels::Binary;
use crate::engine::op::{Op, Reduction};

/// `rms_norm(x - mean(x)) * gamma + beta`, which is how tract leaves it.
pub(super) fn layer_norm(graph: &mut Graph, id: Id, uses: &[u32]) -> bool {
    let Some((x, gamma, beta, eps)) = parts(graph, id, uses) else {
        return false;
    };
    graph.set(
        id,
        Op::LayerNorm {
            eps,
            residual: false,
        },
        vec![x, gamma, beta],
    );
    true
}

fn parts(graph: &mut Graph, id: Id, uses: &[u32]) -> Option<(Id, Id, Id, f32)> {
    for (scaled, beta) in graph.either(id, Binary::Add) {
        for (norm, gamma) in graph.either(scaled, Binary::Mul) {
            let Some(&Op::RmsNorm { eps }) = graph.get(norm) else {
                continue;
            };
            let ones = graph
                .tensor(graph.nodes[norm].of[1])
                .and_then(|t| floats(t))?;
            if uses[scaled] != 1 || uses[norm] != 1 || ones.iter().any(|&v| v != 1.0) {
                return None;
            }
            let centred = graph.nodes[norm].of[0];
            let (x, mean) = graph.pair(centred, Binary::Sub)?;
            let cols = graph.nodes[x].shape.last()?.to_usize().ok()?;
            if !is_mean(graph, mean, x, cols) {
                return None;
            }
            let gamma = row(graph, gamma, cols)?;
            let beta = row(graph, beta, cols)?;
            return Some((x, gamma, beta, eps));
        }
    }
    None
}

fn is_mean(graph: &Graph, mean: Id, x: Id, cols: usize) -> bool {
    let Some((sum, by)) = graph.with_scalar(mean, Binary::Mul) else {
        return false;
    };
    let last = graph.nodes[x].shape.len() - 1;
    let sums = matches!(graph.get(sum), Some(Op::Reduce { kind: Reduction::Sum, axes }) if axes[..] == [last]);
    sums && graph.nodes[sum].of == [x] && near(by, 1.0 / cols as f32)
}

/// A weight that is one row, as just that row.
fn row(graph: &mut Graph, id: Id, cols: usize) -> Option<Id> {
    let values = floats(graph.tensor(id)?)?.to_vec();
    match &values[..] {
        [one] => graph.floats(&[cols], &vec![*one; cols]),
        many if many.len() == cols && graph.nodes[id].shape.last()?.to_usize().ok()? == cols => {
            graph.floats(&[cols], many)
        }
        _ => None,
    }
}
