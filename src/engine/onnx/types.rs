//! The types of a model's inputs: pages and bundles give 32-bit floats and integers, so that other numbers are cast.

use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, attribute_proto, tensor_proto::DataType, type_proto,
};
use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::bail;

use super::nodes::rename_reads;

/// What an input of a type is given as; nothing for one that is no number.
fn given_as(of: DataType) -> Option<DataType> {
    Some(match of {
        DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16 => {
            DataType::Float
        }
        DataType::Int64 | DataType::Uint64 | DataType::Uint32 => DataType::Int64,
        DataType::Int32
        | DataType::Int16
        | DataType::Uint16
        | DataType::Int8
        | DataType::Uint8
        | DataType::Bool => DataType::Int32,
        _ => return None,
    })
}

/// Casts the inputs that are of other types than are given.
///
/// # Errors
/// The name and type of an input that is no number.
pub(super) fn cast_inputs(graph: &mut GraphProto) -> TractResult<()> {
    let weights: Vec<String> = graph
        .initializer
        .iter()
        .map(|tensor| tensor.name.clone())
        .collect();
    let mut casts = Vec::new();
    for input in graph
        .input
        .iter_mut()
        .filter(|input| !weights.contains(&input.name))
    {
        let Some(type_proto::Value::TensorType(tensor)) =
            input.r#type.as_mut().and_then(|t| t.value.as_mut())
        else {
            continue;
        };
        let of = DataType::try_from(tensor.elem_type).unwrap_or(DataType::Undefined);
        if of == DataType::Undefined {
            continue;
        }
        let Some(given) = given_as(of) else {
            bail!(
                "its input \"{}\" is of type {of:?}; pages give numbers",
                input.name.escape_debug()
            );
        };
        if given != of {
            tensor.elem_type = given as i32;
            casts.push((input.name.clone(), of));
        }
    }
    for (name, to) in casts {
        let cast = format!("{name}/as{to:?}");
        rename_reads(graph, &name, &cast);
        graph.node.insert(
            0,
            NodeProto {
                op_type: "Cast".into(),
                name: cast.clone(),
                input: vec![name],
                output: vec![cast],
                attribute: vec![AttributeProto {
                    name: "to".into(),
                    r#type: attribute_proto::AttributeType::Int as i32,
                    i: to as i64,
                    ..AttributeProto::default()
                }],
                ..NodeProto::default()
            },
        );
    }
    Ok(())
}
