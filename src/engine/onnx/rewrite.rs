//! Operators that tract would get wrong, written with others that it gets right.

use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, attribute_proto::AttributeType,
};

/// Rewrites what it knows, in graphs inside of nodes, too.
pub(super) fn rewrite(model: &mut ModelProto) {
    let mut sets = model.opset_import.iter();
    let own = sets.find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
    // Before, Slice had no steps.
    let turns = own.is_some_and(|set| set.version >= 10);
    if let Some(graph) = &mut model.graph {
        rewrite_graph(graph, turns);
    }
}

fn rewrite_graph(graph: &mut GraphProto, turns: bool) {
    let nodes = std::mem::take(&mut graph.node);
    for mut node in nodes {
        for attribute in &mut node.attribute {
            let inner = attribute.g.iter_mut().chain(&mut attribute.graphs);
            inner.for_each(|graph| rewrite_graph(graph, turns));
        }
        graph.node.extend(rewritten(node, turns));
    }
}

fn rewritten(node: NodeProto, turns: bool) -> Vec<NodeProto> {
    if !matches!(node.domain.as_str(), "" | "ai.onnx") || node.output.is_empty() {
        return vec![node];
    }
    let find = |name: &str| node.attribute.iter().find(|a| a.name == name);
    let alpha = find("alpha").map_or(1.0, |a| a.f);
    match node.op_type.as_str() {
        "Celu" if alpha != 1.0 && node.input.len() == 1 => celu(&node, alpha),
        "Swish" if alpha != 1.0 && node.input.len() == 1 => swish(&node, alpha),
        "GRU" | "LSTM" | "RNN" if turns && find("direction").is_some_and(|a| a.s == b"reverse") => {
            reverse(node)
        }
        _ => vec![node],
    }
}

/// Nodes that stand for one, with names made of its own.
struct Parts {
    of: String,
    nodes: Vec<NodeProto>,
}

impl Parts {
    fn new(node: &NodeProto) -> Self {
        let named = node.output.iter().find(|output| !output.is_empty());
        Parts {
            of: named.cloned().unwrap_or_default(),
            nodes: Vec::new(),
        }
    }

    fn add(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = format!("{}_smallfirst{}", self.of, self.nodes.len());
        self.nodes.push(NodeProto {
            op_type: operator.into(),
            name: name.clone(),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            attribute: attributes,
            ..NodeProto::default()
        });
        name
    }

    fn float(&mut self, value: f32) -> String {
        let attribute = AttributeProto {
            name: "value_float".into(),
            r#type: AttributeType::Float as i32,
            f: value,
            ..AttributeProto::default()
        };
        self.add("Constant", &[], vec![attribute])
    }

    fn whole(&mut self, value: i64) -> String {
        let attribute = AttributeProto {
            name: "value_ints".into(),
            r#type: AttributeType::Ints as i32,
            ints: vec![value],
            ..AttributeProto::default()
        };
        self.add("Constant", &[], vec![attribute])
    }

    /// The last node gives the output that the one it stands for gave.
    fn end(mut self, node: &NodeProto) -> Vec<NodeProto> {
        if let Some(last) = self.nodes.last_mut() {
            last.output = node.output[..1].to_vec();
        }
        self.nodes
    }

    /// The value from its end to its beginning.
    fn turned(&mut self, value: &str, axis: i64) -> String {
        let [start, end, axis, step] = [-1, i64::MIN + 1, axis, -1].map(|v| self.whole(v));
        self.add("Slice", &[value, &start, &end, &axis, &step], Vec::new())
    }
}

/// `max(0, x) + min(0, alpha (exp(x / alpha) - 1))`, which is alpha times the ELU of `x / alpha`.
fn celu(node: &NodeProto, alpha: f32) -> Vec<NodeProto> {
    let mut parts = Parts::new(node);
    let alpha = parts.float(alpha);
    let scaled = parts.add("Div", &[&node.input[0], &alpha], Vec::new());
    let elu = parts.add("Elu", &[&scaled], Vec::new());
    parts.add("Mul", &[&elu, &alpha], Vec::new());
    parts.end(node)
}

/// `x sigmoid(alpha x)`.
fn swish(node: &NodeProto, alpha: f32) -> Vec<NodeProto> {
    let mut parts = Parts::new(node);
    let alpha = parts.float(alpha);
    let scaled = parts.add("Mul", &[&node.input[0], &alpha], Vec::new());
    let gate = parts.add("Sigmoid", &[&scaled], Vec::new());
    parts.add("Mul", &[&node.input[0], &gate], Vec::new());
    parts.end(node)
}

/// Forward over the turned sequence, whose output is turned back; the last states are the same.
fn reverse(mut node: NodeProto) -> Vec<NodeProto> {
    let layout = node.attribute.iter().find(|a| a.name == "layout");
    let time = layout.map_or(0, |layout| layout.i);
    node.attribute.retain(|a| a.name != "direction");
    let mut parts = Parts::new(&node);
    if let Some(input) = node.input.first_mut() {
        *input = parts.turned(input, time);
    }
    let output = node.output[0].clone();
    if output.is_empty() {
        parts.nodes.push(node);
        return parts.nodes;
    }
    let forward = format!("{output}_smallfirst_forward");
    node.output[0].clone_from(&forward);
    parts.nodes.push(node);
    parts.turned(&forward, time);
    if let Some(last) = parts.nodes.last_mut() {
        last.output = vec![output];
    }
    parts.nodes
}
