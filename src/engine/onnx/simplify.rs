//! Rewriting a graph into fewer, larger operators. Each rule replaces one node in place by something equal.
//!
//! Rules are tried on every node until none fits any more, each as often as there are nodes at most, so that a mistake
//! in a rule cannot go on for ever.

mod attention;
mod layout;
mod norm;
mod product;
mod shape;
mod table;

use super::graph::{Graph, Id, NodeKind};
use crate::engine::kernels::Binary;
use crate::engine::op::Op;

/// Replaces the node where it fits and says whether it did. `uses` counts how often each node is used.
type Rule = fn(&mut Graph, Id, &[u32]) -> bool;

const RULES: &[Rule] = &[
    shape::merge_reshapes,
    shape::reshape_around_transpose,
    shape::merge_transposes,
    shape::transpose_of_ones,
    table::one_hot,
    table::int8_rows,
    table::row_scales,
    norm::layer_norm,
    product::activations,
    product::gelu,
    product::gelu_tanh,
    product::silu,
    product::weight_last,
    product::scale_operand,
    product::scale_result,
    product::bias,
    attention::guard,
    attention::attention,
    attention::together,
    product::residual,
    product::activation_after,
    layout::absorb_transposes,
    layout::sink_transposes,
    layout::through_reduce,
];

pub(super) fn simplify(graph: &mut Graph) {
    let most = 64 + 8 * graph.nodes.len();
    for _ in 0..most {
        if !once(graph) {
            return;
        }
    }
}

/// Tries all rules on all nodes that are used; true when one fitted.
fn once(graph: &mut Graph) -> bool {
    let mut changed = false;
    let mut uses = graph.uses();
    for id in 0..graph.nodes.len() {
        for rule in RULES {
            if uses[id] > 0 && rule(graph, id, &uses) {
                changed = true;
                uses = graph.uses();
            }
        }
    }
    changed
}

impl Graph {
    /// Makes a node another node: its users get that one's result.
    fn become_node(&mut self, id: Id, other: Id) {
        if self.output == id {
            self.output = other;
        }
        for node in &mut self.nodes {
            for of in &mut node.of {
                if *of == id {
                    *of = other;
                }
            }
        }
    }

    fn set(&mut self, id: Id, op: Op, of: Vec<Id>) {
        let node = &mut self.nodes[id];
        node.what = NodeKind::Op(op);
        node.of = of;
    }

    /// The operands of a node that is this operator on pairs.
    fn pair(&self, id: Id, op: Binary) -> Option<(Id, Id)> {
        match (self.get(id)?, &self.nodes[id].of[..]) {
            (Op::Binary(found), &[a, b]) if *found == op => Some((a, b)),
            _ => None,
        }
    }

    /// The operand of a node that is this operator on pairs, and the number that is the other operand. For operators
    /// whose operands can change places.
    fn with_scalar(&self, id: Id, op: Binary) -> Option<(Id, f32)> {
        let (a, b) = self.pair(id, op)?;
        match (self.scalar(a), self.scalar(b)) {
            (None, Some(number)) => Some((a, number)),
            (Some(number), None) => Some((b, number)),
            _ => None,
        }
    }

    /// The two operands in both orders.
    fn either(&self, id: Id, op: Binary) -> Vec<(Id, Id)> {
        self.pair(id, op)
            .map_or_else(Vec::new, |(a, b)| vec![(a, b), (b, a)])
    }
}
