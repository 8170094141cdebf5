//! Looking into ONNX files from elsewhere, and cutting them down to the one output a head gives.

use std::collections::{BTreeMap, HashSet};

use prost::Message;
use tract_onnx::pb::{
    GraphProto, ModelProto, ValueInfoProto, tensor_proto, tensor_shape_proto, type_proto,
};

use super::nodes::prune;
use crate::error::{Code, Error, Result};

/// What an ONNX file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its inputs.
    pub inputs: Vec<Value>,
    /// Its outputs.
    pub outputs: Vec<Value>,
    /// Operators the engine does not have, and how often each is used.
    pub unsupported: BTreeMap<String, usize>,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Whether it is a tensor of 32-bit floats.
    pub is_float: bool,
    /// Its dimensions, where it is a tensor; nothing for one that is not fixed.
    pub dims: Vec<Option<i64>>,
    /// The operator that makes it; empty for an input.
    pub made_by: String,
}

/// A file cut down to one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The ONNX file.
    pub onnx: Vec<u8>,
    /// The output that was kept.
    pub output: Value,
}

/// Reads what a file is.
///
/// # Errors
/// [`Code::ModelInvalid`] when it is no ONNX file.
pub fn contents(name: &str, onnx: &[u8]) -> Result<Contents> {
    let graph = decode(name, onnx)?.graph.unwrap_or_default();
    let weights: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let known = tract_onnx::onnx().op_register;
    let mut unsupported = BTreeMap::new();
    for node in &graph.node {
        if !known.0.contains_key(&node.op_type) {
            *unsupported.entry(node.op_type.clone()).or_default() += 1;
        }
    }
    let inputs = graph
        .input
        .iter()
        .filter(|v| !weights.contains(v.name.as_str()));
    Ok(Contents {
        inputs: inputs.map(|v| value(&graph, v)).collect(),
        outputs: graph.output.iter().map(|v| value(&graph, v)).collect(),
        unsupported,
    })
}

/// Keeps one output and what it needs: the one called `wanted`, or the one that looks like scores
/// (of a `ZipMap`, which scikit-learn's exporter puts last, the scores it was given).
///
/// # Errors
/// [`Code::ModelInvalid`] when no output can be taken, with those there are.
pub fn keep_scores(name: &str, onnx: &[u8], wanted: Option<&str>) -> Result<Cut> {
    cut(name, onnx, wanted, |graph| {
        plain_scalers(graph);
        number_labels(graph);
    })
}

/// The same of a model that runs as it is: but for what is cut off, its nodes stay what they are.
///
/// # Errors
/// As [`keep_scores`].
pub fn keep_scores_alone(name: &str, onnx: &[u8], wanted: Option<&str>) -> Result<Cut> {
    cut(name, onnx, wanted, |_| {})
}

/// The labels that a classifier in the file has, where there is one that names them.
///
/// # Errors
/// As [`contents`].
pub fn labels(name: &str, onnx: &[u8]) -> Result<Option<Vec<String>>> {
    let graph = decode(name, onnx)?.graph.unwrap_or_default();
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let mut labels = attributes.filter_map(|attribute| match attribute.name.as_str() {
        "classlabels_strings" if !attribute.strings.is_empty() => {
            let labels = attribute.strings.iter();
            Some(
                labels
                    .map(|label| String::from_utf8_lossy(label).into_owned())
                    .collect(),
            )
        }
        "classlabels_ints" | "classlabels_int64s" if !attribute.ints.is_empty() => {
            Some(attribute.ints.iter().map(ToString::to_string).collect())
        }
        _ => None,
    });
    // Of several classifiers the last one is the whole.
    Ok(labels.next_back())
}

fn cut(
    name: &str,
    onnx: &[u8],
    wanted: Option<&str>,
    rewrite: impl FnOnce(&mut GraphProto),
) -> Result<Cut> {
    let mut model = decode(name, onnx)?;
    let mut graph = model.graph.take().unwrap_or_default();
    let outputs: Vec<Value> = graph.output.iter().map(|v| value(&graph, v)).collect();
    let is_map = |v: &&Value| v.made_by == "ZipMap";
    let named = |word: &'static str| move |v: &&Value| v.is_float && v.name.contains(word);
    let chosen = match wanted {
        Some(wanted) => outputs.iter().find(|v| v.name == wanted),
        None => outputs
            .iter()
            .find(is_map)
            .or_else(|| outputs.iter().find(named("prob")))
            .or_else(|| outputs.iter().find(named("logit")))
            .or_else(|| outputs.iter().find(|v| v.is_float)),
    };
    let Some(chosen) = chosen.cloned() else {
        let names: Vec<&str> = outputs.iter().map(|v| v.name.as_str()).collect();
        return Err(Error::new(
            Code::ModelInvalid,
            format!(
                "{name} has no output that looks like scores; name one of: {}",
                names.join(", ")
            ),
        ));
    };
    let mut output = chosen.clone();
    if chosen.made_by == "ZipMap" {
        let made = |node: &&tract_onnx::pb::NodeProto| node.output.contains(&chosen.name);
        let scores = graph
            .node
            .iter()
            .find(made)
            .and_then(|node| node.input.first());
        output.name = scores.cloned().unwrap_or_default();
        output.made_by = maker(&graph, &output.name);
        output.is_float = true;
    }
    rewrite(&mut graph);
    graph.output.retain(|v| v.name == output.name);
    if graph.output.is_empty() {
        graph.output.push(ValueInfoProto {
            name: output.name.clone(),
            ..ValueInfoProto::default()
        });
    }
    prune(&mut graph, true);
    graph.value_info.clear();
    model.graph = Some(graph);
    Ok(Cut {
        onnx: model.encode_to_vec(),
        output,
    })
}

/// Writes scikit-learn's `Scaler`, which the engine does not have, as the subtraction and the
/// multiplication that it is.
fn plain_scalers(graph: &mut GraphProto) {
    let mut nodes = Vec::new();
    for node in std::mem::take(&mut graph.node) {
        if node.op_type != "Scaler" {
            nodes.push(node);
            continue;
        }
        let floats = |name: &str| {
            let mut found = node.attribute.iter().filter(|a| a.name == name);
            found.next().map(|a| a.floats.clone()).unwrap_or_default()
        };
        let output = node.output.first().cloned().unwrap_or_default();
        let centred = format!("{output}_centred");
        for (op, values, from, to) in [
            (
                "Sub",
                floats("offset"),
                node.input.first().cloned(),
                centred.clone(),
            ),
            ("Mul", floats("scale"), Some(centred), output),
        ] {
            let name = format!("{to}_by");
            nodes.push(tract_onnx::pb::NodeProto {
                op_type: op.into(),
                name: to.clone(),
                input: vec![from.unwrap_or_default(), name.clone()],
                output: vec![to],
                ..Default::default()
            });
            graph.initializer.push(tract_onnx::pb::TensorProto {
                name,
                dims: vec![1, values.len() as i64],
                data_type: tensor_proto::DataType::Float as i32,
                float_data: values,
                ..Default::default()
            });
        }
    }
    graph.node = nodes;
}

/// Gives classifiers numbers for their labels, which are only wanted in order; the engine cannot carry
/// text through its optimiser.
fn number_labels(graph: &mut GraphProto) {
    use tract_onnx::pb::attribute_proto::AttributeType;
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        if attribute.name == "classlabels_strings" && !attribute.strings.is_empty() {
            attribute.name = "classlabels_ints".into();
            attribute.ints = (0..attribute.strings.len() as i64).collect();
            attribute.strings.clear();
            attribute.r#type = AttributeType::Ints as i32;
        }
    }
}

fn decode(name: &str, onnx: &[u8]) -> Result<ModelProto> {
    let model = ModelProto::decode(onnx).ok().filter(|m| m.graph.is_some());
    model.ok_or_else(|| {
        Error::new(
            Code::ModelInvalid,
            format!("{name} is not an ONNX file; export the model as ONNX first"),
        )
    })
}

fn maker(graph: &GraphProto, value: &str) -> String {
    let makes = |node: &&tract_onnx::pb::NodeProto| node.output.iter().any(|o| o == value);
    graph
        .node
        .iter()
        .find(makes)
        .map(|node| node.op_type.clone())
        .unwrap_or_default()
}

fn value(graph: &GraphProto, declared: &ValueInfoProto) -> Value {
    let of_type = declared.r#type.as_ref().and_then(|t| t.value.as_ref());
    let (is_float, dims) = match of_type {
        Some(type_proto::Value::TensorType(tensor)) => {
            let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
            let fixed = |d: &tensor_shape_proto::Dimension| match d.value {
                Some(tensor_shape_proto::dimension::Value::DimValue(n)) if n > 0 => Some(n),
                _ => None,
            };
            let float = tensor_proto::DataType::Float as i32;
            (tensor.elem_type == float, dims.map(fixed).collect())
        }
        _ => (false, Vec::new()),
    };
    Value {
        name: declared.name.clone(),
        is_float,
        dims,
        made_by: maker(graph, &declared.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::onnx::writer;

    #[test]
    fn a_file_says_what_it_is() {
        let onnx = writer::linear(&[1.0, 2.0, 3.0, 4.0], &[0.0, 0.0]);
        let found = contents("a.onnx", &onnx).unwrap();
        assert_eq!(found.inputs.len(), 1);
        assert_eq!(found.inputs[0].dims, [Some(1), Some(2)]);
        assert!(found.outputs[0].is_float && found.outputs[0].made_by == "Add");
        assert!(found.unsupported.is_empty());
        for bad in [&b""[..], b"<html>", b"\x08\x07"] {
            assert_eq!(contents("a", bad).unwrap_err().code(), Code::ModelInvalid);
        }
    }

    #[test]
    fn scores_are_found_behind_a_zip_map_and_unknown_operators_are_named() {
        // As scikit-learn's exporter leaves it: labels, and a list of maps.
        let onnx = writer::linear(&[1.0, 2.0, 3.0, 4.0], &[0.0, 0.0]);
        let mut model = ModelProto::decode(&onnx[..]).unwrap();
        let graph = model.graph.as_mut().unwrap();
        let scores = graph.output[0].name.clone();
        for (op, input, output) in [
            ("ZipMap", scores.as_str(), "maps"),
            ("Mystery", "x", "other"),
        ] {
            graph.node.push(tract_onnx::pb::NodeProto {
                op_type: op.into(),
                input: vec![input.into()],
                output: vec![output.into()],
                ..Default::default()
            });
        }
        graph.output = ["other", "maps"]
            .map(|name| ValueInfoProto {
                name: name.into(),
                ..Default::default()
            })
            .to_vec();
        let bytes = model.encode_to_vec();
        let unsupported = contents("a", &bytes).unwrap().unsupported;
        assert_eq!(
            unsupported.keys().collect::<Vec<_>>(),
            ["Mystery", "ZipMap"]
        );
        let cut = keep_scores("a", &bytes, None).unwrap();
        assert_eq!(cut.output.name, scores);
        assert!(contents("a", &cut.onnx).unwrap().unsupported.is_empty());
        assert!(keep_scores("a", &bytes, Some("nothing")).is_err());
        let other = keep_scores("a", &bytes, Some("other")).unwrap();
        assert_eq!(contents("a", &other.onnx).unwrap().unsupported.len(), 1);
    }
}
