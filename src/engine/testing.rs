//! Small ONNX models for tests.

use prost::Message;
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto, ValueInfoProto,
    tensor_proto, tensor_shape_proto, type_proto,
};

/// ONNX bytes of `y = x W + b`: `x` is `f32 [1, rows]`, `weights` has one row an input, `y` is
/// `f32 [1, columns]`.
pub(crate) fn linear(weights: &[Vec<f32>], bias: &[f32]) -> Vec<u8> {
    let columns = bias.len();
    let node = |op: &str, inputs: [&str; 2], output: &str| NodeProto {
        op_type: op.into(),
        name: op.into(),
        input: inputs.map(Into::into).to_vec(),
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let constant = |name: &str, dims: &[usize], values: Vec<f32>| TensorProto {
        name: name.into(),
        dims: dims.iter().map(|&d| d as i64).collect(),
        data_type: tensor_proto::DataType::Float as i32,
        float_data: values,
        ..TensorProto::default()
    };
    let graph = GraphProto {
        name: "linear".into(),
        node: vec![
            node("MatMul", ["x", "w"], "xw"),
            node("Add", ["xw", "b"], "y"),
        ],
        initializer: vec![
            constant("w", &[weights.len(), columns], weights.concat()),
            constant("b", &[1, columns], bias.to_vec()),
        ],
        input: vec![row("x", weights.len())],
        output: vec![row("y", columns)],
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 13,
        }],
        graph: Some(graph),
        ..ModelProto::default()
    }
    .encode_to_vec()
}

/// The declaration of a value `f32 [1, len]`.
fn row(name: &str, len: usize) -> ValueInfoProto {
    let dims = [1, len].map(|d| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(d as i64)),
        ..Default::default()
    });
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: tensor_proto::DataType::Float as i32,
                shape: Some(tract_onnx::pb::TensorShapeProto { dim: dims.to_vec() }),
            })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
