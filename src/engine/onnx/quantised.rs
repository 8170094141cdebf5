//! Dynamically quantised models, as onnxruntime's `quantize_dynamic` writes them, back to plain products.
//!
//! `DynamicQuantizeLinear`, `MatMulInteger`, `Cast` and two `Mul` become one `MatMul` with float weights, which are int8
//! again in the prepared file: a scale a column instead of one for all, and inputs quantised row by row, so it is at
//! least as exact. int8 tables that are gathered from stay int8.

use std::collections::HashMap;

use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, attribute_proto,
    tensor_proto::DataType,
};

/// Rewrites what it knows; true when there was a product of integers.
pub(super) fn plain(model: &mut ModelProto) -> bool {
    let Some(graph) = &mut model.graph else {
        return false;
    };
    let found = products(graph);
    tables(graph);
    found
}

/// A product of integers, taken apart.
struct Product {
    /// The float input.
    input: String,
    weight: String,
    zero: Option<String>,
    scale: String,
    /// The node that gives the float result.
    last: usize,
}

fn products(graph: &mut GraphProto) -> bool {
    let mut found = Vec::new();
    {
        let made_by: HashMap<&str, usize> = makers(graph);
        let users = users(graph);
        for node in graph.node.iter().filter(|n| n.op_type == "MatMulInteger") {
            if let Some(product) = product(graph, node, &made_by, &users) {
                found.push(product);
            }
        }
    }
    let mut any = false;
    for product in found {
        let Some(weight) = dequantised(
            graph,
            &product.weight,
            product.zero.as_deref(),
            &product.scale,
        ) else {
            continue;
        };
        any = true;
        let name = weight.name.clone();
        if !graph.initializer.iter().any(|t| t.name == name) {
            graph.initializer.push(weight);
        }
        let node = &mut graph.node[product.last];
        node.op_type = "MatMul".into();
        node.domain.clear();
        node.attribute.clear();
        node.input = vec![product.input, name];
    }
    if any {
        super::nodes::prune(graph, false);
    }
    any
}

fn makers(graph: &GraphProto) -> HashMap<&str, usize> {
    let nodes = graph.node.iter().enumerate();
    nodes
        .flat_map(|(at, node)| node.output.iter().map(move |o| (o.as_str(), at)))
        .collect()
}

fn users(graph: &GraphProto) -> HashMap<&str, Vec<usize>> {
    let mut users: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, node) in graph.node.iter().enumerate() {
        for input in &node.input {
            users.entry(input).or_default().push(at);
        }
    }
    users
}

fn product(
    graph: &GraphProto,
    node: &NodeProto,
    made_by: &HashMap<&str, usize>,
    users: &HashMap<&str, Vec<usize>>,
) -> Option<Product> {
    let only_user = |value: &str| match users.get(value).map(Vec::as_slice) {
        Some(&[one]) => Some(one),
        _ => None,
    };
    let quantise = &graph.node[*made_by.get(node.input.first()?.as_str())?];
    let weight = node.input.get(1)?;
    if quantise.op_type != "DynamicQuantizeLinear"
        || !graph.initializer.iter().any(|t| t.name == *weight)
    {
        return None;
    }
    let cast = only_user(node.output.first()?)?;
    let cast = Some(&graph.node[cast]).filter(|n| n.op_type == "Cast")?;
    let last = only_user(cast.output.first()?)?;
    let scaling = Some(&graph.node[last]).filter(|n| n.op_type == "Mul")?;
    let other = scaling.input.iter().find(|i| **i != cast.output[0])?;
    // The factor is the input's scale times the weight's.
    let scales = Some(&graph.node[*made_by.get(other.as_str())?]).filter(|n| n.op_type == "Mul")?;
    let own = quantise.output.get(1)?;
    let scale = scales.input.iter().find(|i| *i != own)?;
    scales.input.contains(own).then(|| Product {
        input: quantise.input[0].clone(),
        weight: weight.clone(),
        zero: node.input.get(3).filter(|z| !z.is_empty()).cloned(),
        scale: scale.clone(),
        last,
    })
}

/// `(q - zero) * scale`, with one zero and scale for all or one a column.
fn dequantised(
    graph: &GraphProto,
    weight: &str,
    zero: Option<&str>,
    scale: &str,
) -> Option<TensorProto> {
    let find = |name: &str| graph.initializer.iter().find(|t| t.name == name);
    let tensor = find(weight)?;
    let values = ints(tensor)?;
    let columns = usize::try_from(*tensor.dims.last()?).ok()?;
    let zeros = match zero {
        Some(zero) => ints(find(zero)?)?,
        None => vec![0],
    };
    let scales = float_values(find(scale)?)?;
    let per = |list: usize| list == 1 || list == columns;
    if !per(zeros.len()) || !per(scales.len()) || columns == 0 {
        return None;
    }
    let floats = values.iter().enumerate().map(|(at, &q)| {
        let column = at % columns;
        let zero = zeros[if zeros.len() == 1 { 0 } else { column }];
        (q - zero) as f32 * scales[if scales.len() == 1 { 0 } else { column }]
    });
    Some(TensorProto {
        name: format!("{weight}_dequantised"),
        dims: tensor.dims.clone(),
        data_type: DataType::Float as i32,
        raw_data: floats.flat_map(f32::to_le_bytes).collect(),
        ..TensorProto::default()
    })
}

fn ints(tensor: &TensorProto) -> Option<Vec<i32>> {
    let signed = tensor.data_type == DataType::Int8 as i32;
    if !signed && tensor.data_type != DataType::Uint8 as i32 {
        return None;
    }
    if !tensor.raw_data.is_empty() {
        let each = |&b: &u8| {
            if signed {
                i32::from(b.cast_signed())
            } else {
                i32::from(b)
            }
        };
        return Some(tensor.raw_data.iter().map(each).collect());
    }
    Some(tensor.int32_data.clone())
}

fn float_values(tensor: &TensorProto) -> Option<Vec<f32>> {
    if tensor.data_type != DataType::Float as i32 {
        return None;
    }
    if tensor.raw_data.is_empty() {
        return Some(tensor.float_data.clone());
    }
    let words = tensor.raw_data.chunks_exact(4);
    Some(
        words
            .map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]]))
            .collect(),
    )
}

/// `DequantizeLinear` after a pick from an int8 table becomes a cast, a subtraction and a factor.
fn tables(graph: &mut GraphProto) {
    let mut nodes = Vec::new();
    for node in std::mem::take(&mut graph.node) {
        let constant = |at: usize| {
            let name = node.input.get(at).filter(|n| !n.is_empty())?;
            graph.initializer.iter().find(|t| t.name == *name)
        };
        let scale = constant(1).and_then(float_values).filter(|s| s.len() == 1);
        let zero = match node.input.get(2).filter(|n| !n.is_empty()) {
            None => Some(vec![0]),
            Some(_) => constant(2).and_then(ints).filter(|z| z.len() == 1),
        };
        let picked = nodes.iter_mut().find(|n: &&mut NodeProto| {
            n.op_type == "Gather" && n.output.first() == node.input.first()
        });
        let (Some(scale), Some(mut zero), Some(gather), "DequantizeLinear") =
            (scale, zero, picked, node.op_type.as_str())
        else {
            nodes.push(node);
            continue;
        };
        let table = gather.input[0].clone();
        let Some(at) = graph.initializer.iter().position(|t| t.name == table) else {
            nodes.push(node);
            continue;
        };
        if graph.initializer[at].data_type == DataType::Uint8 as i32 {
            // As signed bytes, which the engine has tables of.
            let Some(values) = ints(&graph.initializer[at]) else {
                nodes.push(node);
                continue;
            };
            let tensor = &mut graph.initializer[at];
            tensor.data_type = DataType::Int8 as i32;
            tensor.int32_data.clear();
            tensor.raw_data = values.iter().map(|v| (v - 128) as i8 as u8).collect();
            zero[0] -= 128;
        }
        let result = node.output.first().cloned().unwrap_or_default();
        let cast = format!("{result}_floats");
        nodes.push(NodeProto {
            op_type: "Cast".into(),
            name: cast.clone(),
            input: vec![node.input[0].clone()],
            output: vec![cast.clone()],
            attribute: vec![AttributeProto {
                name: "to".into(),
                i: DataType::Float as i64,
                r#type: attribute_proto::AttributeType::Int as i32,
                ..AttributeProto::default()
            }],
            ..NodeProto::default()
        });
        let mut current = cast;
        let steps = [("Sub", zero[0] as f32, 0.0), ("Mul", scale[0], 1.0)];
        let steps: Vec<_> = steps
            .into_iter()
            .filter(|(op, v, neutral)| *op == "Mul" || v != neutral)
            .collect();
        let last = steps.len() - 1;
        for (i, (op, value, _)) in steps.into_iter().enumerate() {
            let to = if i == last {
                result.clone()
            } else {
                format!("{result}_{op}")
            };
            let constant = format!("{to}_by");
            graph.initializer.push(TensorProto {
                name: constant.clone(),
                data_type: DataType::Float as i32,
                float_data: vec![value],
                ..TensorProto::default()
            });
            nodes.push(NodeProto {
                op_type: op.into(),
                name: format!("{to}_{op}"),
                input: vec![current, constant],
                output: vec![to.clone()],
                ..NodeProto::default()
            });
            current = to;
        }
    }
    graph.node = nodes;
}
