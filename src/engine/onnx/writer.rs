//! Writing the small ONNX graphs that training makes: opset 13, weights inside the file.

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto,
    ValueInfoProto, attribute_proto, tensor_proto, tensor_shape_proto, type_proto,
};

/// `y = x W + b`: `x` is `f32 [1, inputs]`, `y` is `f32 [1, outputs]`. `weights` is row-major
/// `[inputs, outputs]`; `bias` has one value an output.
pub fn linear(weights: &[f32], bias: &[f32]) -> Vec<u8> {
    let outputs = bias.len();
    let inputs = weights.len() / outputs.max(1);
    let mut graph = Graph::default();
    let w = graph.floats("weights", &[inputs, outputs], weights);
    let b = graph.floats("bias", &[1, outputs], bias);
    let product = graph.node("MatMul", &["x", &w], &[]);
    let y = graph.node("Add", &[&product, &b], &[]);
    graph.finish(Input::Floats(inputs), &y, outputs)
}

/// `y = sum of the rows of a table / sqrt(how many) + b`: `x` is `i64 [1, n]`, row numbers; `y` is
/// `f32 [1, outputs]`; `bias` has one value an output. `table` is row-major `[rows, outputs]` and is stored as int8 with one scale
/// an output.
pub fn rows_sum(table: &[f32], bias: &[f32]) -> Vec<u8> {
    let outputs = bias.len();
    let rows = table.len() / outputs.max(1);
    let (bytes, scale) = quantise(table, outputs);
    let mut graph = Graph::default();
    let table = graph.bytes("table", &[rows, outputs], bytes);
    let scale = graph.floats("scale", &[1, outputs], &scale);
    let picked = graph.node("Gather", &[&table, "x"], &[int("axis", 0)]);
    let picked = graph.node("Cast", &[&picked], &[int("to", FLOAT)]);
    let axis = graph.longs("axis", &[1]);
    let sum = graph.node("ReduceSum", &[&picked, &axis], &[int("keepdims", 0)]);
    let sum = graph.node("Mul", &[&sum, &scale], &[]);
    // The count is the sum of ones, one for each number of the input.
    let one = graph.floats("one", &[], &[1.0]);
    let numbers = graph.node("Cast", &["x"], &[int("to", FLOAT)]);
    let ones = graph.node("Clip", &[&numbers, &one, &one], &[]);
    let count = graph.node("ReduceSum", &[&ones, &axis], &[int("keepdims", 1)]);
    let root = graph.node("Sqrt", &[&count], &[]);
    let mean = graph.node("Div", &[&sum, &root], &[]);
    let bias = graph.floats("bias", &[1, outputs], bias);
    let y = graph.node("Add", &[&mean, &bias], &[]);
    graph.finish(Input::Row, &y, outputs)
}

/// The rows of a table: `x` is `i64 [1, n]`, row numbers; `y` is `f32 [1, n, outputs]`.
#[cfg(test)]
pub(crate) fn rows(table: &[f32], outputs: usize) -> Vec<u8> {
    let mut graph = Graph::default();
    let table = graph.floats("table", &[table.len() / outputs.max(1), outputs], table);
    let y = graph.node("Gather", &[&table, "x"], &[int("axis", 0)]);
    graph.finish(Input::Row, &y, outputs)
}

/// The squared Mahalanobis distance to the nearest of some means, `f32 [1, 1]`, of `x`,
/// `f32 [1, width]`. `whitening` is row-major `[width, width]` with `x whitening` of identity
/// covariance; `means` is row-major `[classes, width]`, already whitened.
pub fn nearest_mean(whitening: &[f32], means: &[f32], width: usize) -> Vec<u8> {
    let classes = means.len() / width.max(1);
    let norms: Vec<f32> = means
        .chunks_exact(width.max(1))
        .map(|mean| mean.iter().map(|v| v * v).sum())
        .collect();
    // Transposed, and with the factor of the mixed term.
    let mixed: Vec<f32> = (0..width)
        .flat_map(|i| (0..classes).map(move |c| -2.0 * means[c * width + i]))
        .collect();
    let mut graph = Graph::default();
    let whitening = graph.floats("whitening", &[width, width], whitening);
    let mixed = graph.floats("means", &[width, classes], &mixed);
    let norms = graph.floats("norms", &[1, classes], &norms);
    let axis = graph.longs("axis", &[1]);
    let z = graph.node("MatMul", &["x", &whitening], &[]);
    let squares = graph.node("Mul", &[&z, &z], &[]);
    let own = graph.node("ReduceSum", &[&squares, &axis], &[int("keepdims", 1)]);
    let mixed = graph.node("MatMul", &[&z, &mixed], &[]);
    let distances = graph.node("Add", &[&mixed, &norms], &[]);
    let distances = graph.node("Add", &[&distances, &own], &[]);
    let attributes = [ints("axes", &[1]), int("keepdims", 1)];
    let y = graph.node("ReduceMin", &[&distances], &attributes);
    graph.finish(Input::Floats(width), &y, 1)
}

/// One minus the cosine to the `k`-th most similar of some vectors, `f32 [1, 1]`, of `x`,
/// `f32 [1, width]`. `vectors` is row-major `[n, width]`, each of length 1; stored as int8.
pub fn nearest_neighbour(vectors: &[f32], width: usize, k: usize) -> Vec<u8> {
    let n = vectors.len() / width.max(1);
    let transposed: Vec<f32> = (0..width)
        .flat_map(|i| (0..n).map(move |v| vectors[v * width + i]))
        .collect();
    let (bytes, scale) = quantise(&transposed, n);
    let mut graph = Graph::default();
    let table = graph.bytes("vectors", &[width, n], bytes);
    let scale = graph.floats("scale", &[1, n], &scale);
    let axis = graph.longs("axis", &[1]);
    let squares = graph.node("Mul", &["x", "x"], &[]);
    let norm = graph.node("ReduceSum", &[&squares, &axis], &[int("keepdims", 1)]);
    let norm = graph.node("Sqrt", &[&norm], &[]);
    let least = graph.floats("least", &[], &[1e-12]);
    let norm = graph.node("Add", &[&norm, &least], &[]);
    let unit = graph.node("Div", &["x", &norm], &[]);
    let table = graph.node("Cast", &[&table], &[int("to", FLOAT)]);
    let cosines = graph.node("MatMul", &[&unit, &table], &[]);
    let cosines = graph.node("Mul", &[&cosines, &scale], &[]);
    let k = graph.longs("k", &[k.clamp(1, n.max(1)) as i64]);
    let attributes = [int("axis", 1), int("largest", 1), int("sorted", 1)];
    let best = graph.node("TopK", &[&cosines, &k], &attributes);
    let last = graph.node(
        "ReduceMin",
        &[&best],
        &[ints("axes", &[1]), int("keepdims", 1)],
    );
    let one = graph.floats("one", &[], &[1.0]);
    let y = graph.node("Sub", &[&one, &last], &[]);
    graph.finish(Input::Floats(width), &y, 1)
}

const FLOAT: i64 = tensor_proto::DataType::Float as i64;

/// The input `x` of a graph.
enum Input {
    /// `f32 [1, n]`.
    Floats(usize),
    /// `i64 [1, any]`.
    Row,
}

#[derive(Default)]
struct Graph {
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
}

impl Graph {
    /// Adds a node and gives the name of its first output.
    fn node(&mut self, op: &str, inputs: &[&str], attributes: &[AttributeProto]) -> String {
        let name = format!("{op}{}", self.nodes.len());
        let mut outputs = vec![name.clone()];
        if op == "TopK" {
            outputs.push(format!("{name}_places"));
        }
        self.nodes.push(NodeProto {
            op_type: op.into(),
            name: name.clone(),
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: outputs,
            attribute: attributes.to_vec(),
            ..NodeProto::default()
        });
        name
    }

    fn tensor(&mut self, tensor: TensorProto) -> String {
        let name = tensor.name.clone();
        // The same constant may be asked for twice.
        if self.tensors.iter().all(|t| t.name != name) {
            self.tensors.push(tensor);
        }
        name
    }

    fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(constant(name, dims, tensor_proto::DataType::Float, raw))
    }

    fn bytes(&mut self, name: &str, dims: &[usize], values: Vec<i8>) -> String {
        let raw = values.into_iter().flat_map(i8::to_le_bytes).collect();
        self.tensor(constant(name, dims, tensor_proto::DataType::Int8, raw))
    }

    fn longs(&mut self, name: &str, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let dims = [values.len()];
        self.tensor(constant(name, &dims, tensor_proto::DataType::Int64, raw))
    }

    fn finish(self, input: Input, output: &str, outputs: usize) -> Vec<u8> {
        let input = match input {
            Input::Floats(n) => value("x", tensor_proto::DataType::Float, Some(n)),
            Input::Row => value("x", tensor_proto::DataType::Int64, None),
        };
        let graph = GraphProto {
            name: "smallfirst".into(),
            node: self.nodes,
            initializer: self.tensors,
            input: vec![input],
            output: vec![value(output, tensor_proto::DataType::Float, Some(outputs))],
            ..GraphProto::default()
        };
        ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: 13,
            }],
            producer_name: "smallfirst".into(),
            graph: Some(graph),
            ..ModelProto::default()
        }
        .encode_to_vec()
    }
}

fn constant(
    name: &str,
    dims: &[usize],
    data_type: tensor_proto::DataType,
    raw: Vec<u8>,
) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.iter().map(|&d| d as i64).collect(),
        data_type: data_type as i32,
        raw_data: raw,
        ..TensorProto::default()
    }
}

/// The declaration of a value `[1, len]`, or `[1, any]`.
pub(in crate::engine) fn value(
    name: &str,
    element: tensor_proto::DataType,
    len: Option<usize>,
) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let known = |n: usize| Value::DimValue(n as i64);
    let dims = [known(1), len.map_or(Value::DimParam("n".into()), known)];
    let dim = dims.map(|value| Dimension {
        value: Some(value),
        ..Dimension::default()
    });
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: element as i32,
                shape: Some(tract_onnx::pb::TensorShapeProto { dim: dim.to_vec() }),
            })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

/// int8 with one scale a column.
fn quantise(values: &[f32], columns: usize) -> (Vec<i8>, Vec<f32>) {
    let mut scale = vec![0.0_f32; columns];
    for row in values.chunks_exact(columns.max(1)) {
        for (scale, value) in scale.iter_mut().zip(row) {
            *scale = scale.max(value.abs() / 127.0);
        }
    }
    for scale in &mut scale {
        *scale = if *scale > 0.0 { *scale } else { 1.0 };
    }
    let bytes = values
        .chunks_exact(columns.max(1))
        .flat_map(|row| row.iter().zip(&scale))
        .map(|(value, scale)| (value / scale).round() as i8)
        .collect();
    (bytes, scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Element, Model, Shape, Tensor};

    fn floats(onnx: &[u8], x: &[f32]) -> Vec<f32> {
        let model = Model::load("t", onnx.to_vec(), Element::F32, Shape::Row(x.len())).unwrap();
        model.run(Tensor::F32(x.to_vec())).unwrap()
    }

    fn close(found: &[f32], expected: &[f32], tolerance: f32) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= tolerance, "{found:?}, not {expected:?}");
        }
    }

    #[test]
    fn linear_is_a_matrix_and_a_bias() {
        let onnx = linear(&[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], &[0.5, 0.0, -0.5]);
        close(&floats(&onnx, &[1.0, 2.0]), &[21.5, 42.0, 62.5], 1e-5);
    }

    #[test]
    fn rows_are_summed_and_divided_by_the_root_of_their_number() {
        let table = [1.0, -1.0, 2.0, 0.0, 127.0, 0.5];
        let onnx = rows_sum(&table, &[0.0, 0.0]);
        let model = Model::load("t", onnx.clone(), Element::I64, Shape::AnyRow).unwrap();
        // The first column's scale is 1, the second's 1/127.
        close(
            &model.run(Tensor::I64(vec![0])).unwrap(),
            &[1.0, -1.0],
            1e-6,
        );
        let root = 2.0_f32.sqrt();
        close(
            &model.run(Tensor::I64(vec![1, 2])).unwrap(),
            &[129.0 / root, 0.5 / root],
            5e-3,
        );
        let root = 3.0_f32.sqrt();
        close(
            &model.run(Tensor::I64(vec![0, 1, 2])).unwrap(),
            &[130.0 / root, -0.5 / root],
            5e-3,
        );
    }

    #[test]
    fn the_nearest_mean_counts() {
        // Whitening halves the first axis.
        let onnx = nearest_mean(&[0.5, 0.0, 0.0, 1.0], &[0.0, 0.0, 2.0, 0.0], 2);
        close(&floats(&onnx, &[0.0, 3.0]), &[9.0], 1e-5);
        close(&floats(&onnx, &[4.0, 1.0]), &[1.0], 1e-5);
        close(&floats(&onnx, &[4.0, 0.0]), &[0.0], 1e-5);
    }

    #[test]
    fn the_kth_neighbour_counts() {
        let half = 0.5_f32.sqrt();
        let vectors = [1.0, 0.0, half, half, 0.0, 1.0];
        for (k, expected) in [(1, 0.0), (2, 1.0 - half), (3, 1.0)] {
            let onnx = nearest_neighbour(&vectors, 2, k);
            close(&floats(&onnx, &[5.0, 0.0]), &[expected], 5e-3);
        }
    }
}
