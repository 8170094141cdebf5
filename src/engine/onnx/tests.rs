//! Prepared programs against tract itself: the same ONNX graph, the same inputs, odd shapes.

use proptest::prelude::*;
use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto, tensor_proto::DataType,
    tensor_shape_proto, type_proto,
};

use super::*;
use crate::engine::Model;

mod smaller;

/// A graph that is being written.
#[derive(Default)]
struct Graph {
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    inputs: Vec<ValueInfoProto>,
    seed: u32,
}

impl Graph {
    fn input(&mut self, name: &str, element: DataType, dims: &[Option<usize>]) -> String {
        use tensor_shape_proto::{Dimension, dimension::Value};
        let dim = dims.iter().enumerate().map(|(i, d)| Dimension {
            value: Some(d.map_or(Value::DimParam(format!("s{i}")), |n| {
                Value::DimValue(n as i64)
            })),
            ..Dimension::default()
        });
        self.inputs.push(ValueInfoProto {
            name: name.into(),
            r#type: Some(TypeProto {
                value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                    elem_type: element as i32,
                    shape: Some(TensorShapeProto { dim: dim.collect() }),
                })),
                ..TypeProto::default()
            }),
            ..ValueInfoProto::default()
        });
        name.into()
    }

    /// A weight with numbers around zero.
    fn weight(&mut self, dims: &[usize]) -> String {
        self.seed += 1;
        let values = numbers(dims.iter().product(), self.seed);
        self.constant(dims, &values.iter().map(|v| v * 0.5).collect::<Vec<_>>())
    }

    fn constant(&mut self, dims: &[usize], values: &[f32]) -> String {
        let name = format!("w{}", self.weights.len());
        self.weights.push(TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: DataType::Float as i32,
            float_data: values.to_vec(),
            ..TensorProto::default()
        });
        name
    }

    fn longs(&mut self, values: &[i64]) -> String {
        let name = format!("w{}", self.weights.len());
        self.weights.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
        name
    }

    fn node(&mut self, op: &str, of: &[&str], attributes: &[(&str, &[i64])]) -> String {
        let name = format!("n{}", self.nodes.len());
        // One number is an integer where the operator wants one.
        let single = ["axis", "group", "keepdims", "to", "auto_pad"];
        let attribute = attributes.iter().map(|(name, values)| AttributeProto {
            name: (*name).into(),
            r#type: if single.contains(name) {
                attribute_proto::AttributeType::Int as i32
            } else {
                attribute_proto::AttributeType::Ints as i32
            },
            i: values.first().copied().unwrap_or(0),
            ints: if single.contains(name) {
                Vec::new()
            } else {
                values.to_vec()
            },
            ..AttributeProto::default()
        });
        self.nodes.push(NodeProto {
            op_type: op.into(),
            name: name.clone(),
            input: of.iter().map(|&i| i.into()).collect(),
            output: vec![name.clone()],
            attribute: attribute.collect(),
            ..NodeProto::default()
        });
        name
    }

    fn finish(self, output: &str) -> Vec<u8> {
        ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: 13,
            }],
            graph: Some(GraphProto {
                node: self.nodes,
                initializer: self.weights,
                input: self.inputs,
                output: vec![ValueInfoProto {
                    name: output.into(),
                    ..ValueInfoProto::default()
                }],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        }
        .encode_to_vec()
    }
}

/// Numbers between -1 and 1 that repeat only after a long time.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn floats(shape: &[usize], seed: u32) -> Array {
    Array::f32(shape.to_vec(), numbers(shape.iter().product(), seed))
}

/// Runs a graph both ways. It must have a prepared form.
fn both(onnx: &[u8], inputs: &[Array], int8: bool) -> (Array, Array) {
    let weights = int8.then_some(SmallWeights::Int8);
    let file = prepare("t", onnx, None, weights).unwrap().unwrap();
    let model = Model::open("t", file.bytes).unwrap();
    assert!(model.is_prepared());
    let ours = model.infer(inputs.to_vec()).unwrap();
    // And again, with buffers that were used.
    assert_eq!(model.infer(inputs.to_vec()).unwrap(), ours);
    let tract = Source::read("t", onnx, None).unwrap().into_tract().unwrap();
    (ours, tract.run(inputs.to_vec()).unwrap())
}

fn close(onnx: &[u8], inputs: &[Array], tolerance: f32) {
    let (ours, theirs) = both(onnx, inputs, false);
    assert_eq!(ours.shape, theirs.shape);
    let (Data::F32(a), Data::F32(b)) = (&ours.data, &theirs.data) else {
        panic!("floats were wanted");
    };
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * (1.0 + b.abs()),
            "{at}: {a} and {b}"
        );
    }
}

/// `x * (0.5 * (1 + erf(x / sqrt 2)))`, as PyTorch's exporter writes it.
fn gelu(graph: &mut Graph, x: &str) -> String {
    let [root, one, half] = [std::f32::consts::SQRT_2, 1.0, 0.5].map(|v| graph.constant(&[], &[v]));
    let scaled = graph.node("Div", &[x, &root], &[]);
    let erf = graph.node("Erf", &[&scaled], &[]);
    let sum = graph.node("Add", &[&erf, &one], &[]);
    let product = graph.node("Mul", &[x, &sum], &[]);
    graph.node("Mul", &[&product, &half], &[])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Dense layers with bias, activation and residual.
    #[test]
    fn products(batch in 1usize..3, m in 1usize..20, k in 1usize..70, n in 1usize..40, which in 0usize..5) {
        let mut graph = Graph::default();
        let x = graph.input("x", DataType::Float, &[None, None, Some(k)]);
        let (w, b) = (graph.weight(&[k, n]), graph.weight(&[n]));
        let y = graph.node("MatMul", &[&x, &w], &[]);
        let y = graph.node("Add", &[&b, &y], &[]);
        let y = match which {
            0 => graph.node("Relu", &[&y], &[]),
            1 => gelu(&mut graph, &y),
            2 => graph.node("Tanh", &[&y], &[]),
            3 => {
                let v = graph.weight(&[n, n]);
                let z = graph.node("MatMul", &[&y, &v], &[]);
                graph.node("Add", &[&z, &y], &[])
            }
            _ => {
                let s = graph.constant(&[1], &[0.25]);
                let y = graph.node("Mul", &[&y, &s], &[]);
                graph.node("Softmax", &[&y], &[("axis", &[-1])])
            }
        };
        close(&graph.finish(&y), &[floats(&[batch, m, k], 7)], 2e-5);
    }

    /// Layer normalisation in its parts, after a sum.
    #[test]
    fn layer_norms(m in 1usize..9, k in 2usize..50) {
        let mut graph = Graph::default();
        let x = graph.input("x", DataType::Float, &[None, None, Some(k)]);
        let (gamma, beta) = (graph.weight(&[k]), graph.weight(&[k]));
        let two = graph.constant(&[], &[2.0]);
        let eps = graph.constant(&[], &[1e-5]);
        let mean = graph.node("ReduceMean", &[&x], &[("axes", &[-1]), ("keepdims", &[1])]);
        let centred = graph.node("Sub", &[&x, &mean], &[]);
        let squares = graph.node("Pow", &[&centred, &two], &[]);
        let variance = graph.node("ReduceMean", &[&squares], &[("axes", &[-1]), ("keepdims", &[1])]);
        let sum = graph.node("Add", &[&variance, &eps], &[]);
        let root = graph.node("Sqrt", &[&sum], &[]);
        let y = graph.node("Div", &[&centred, &root], &[]);
        let y = graph.node("Mul", &[&y, &gamma], &[]);
        let y = graph.node("Add", &[&y, &beta], &[]);
        close(&graph.finish(&y), &[floats(&[2, m, k], 3)], 1e-4);
    }

    /// Attention over heads with a mask, from one array.
    #[test]
    fn attentions(batch in 1usize..3, tokens in 1usize..14, heads in 1usize..4, dim in 1usize..12, masked in any::<bool>()) {
        let width = heads * dim;
        let mut graph = Graph::default();
        let x = graph.input("x", DataType::Float, &[None, None, Some(width)]);
        let mask = graph.input("mask", DataType::Float, &[None, None]);
        let shape = graph.longs(&[0, 0, heads as i64, dim as i64]);
        let parts: Vec<String> = (0..3).map(|i| {
            let (w, b) = (graph.weight(&[width, width]), graph.weight(&[width]));
            let y = graph.node("MatMul", &[&x, &w], &[]);
            let y = graph.node("Add", &[&y, &b], &[]);
            let y = graph.node("Reshape", &[&y, &shape], &[]);
            graph.node("Transpose", &[&y], &[("perm", if i == 1 { &[0, 2, 3, 1] } else { &[0, 2, 1, 3] })])
        }).collect();
        let scale = graph.constant(&[], &[(dim as f32).sqrt()]);
        let scores = graph.node("MatMul", &[&parts[0], &parts[1]], &[]);
        let mut scores = graph.node("Div", &[&scores, &scale], &[]);
        let axes = graph.longs(&[1, 2]);
        let wide = graph.node("Unsqueeze", &[&mask, &axes], &[]);
        if masked {
            let (one, low) = (graph.constant(&[], &[1.0]), graph.constant(&[], &[-1e4]));
            let off = graph.node("Sub", &[&one, &wide], &[]);
            let off = graph.node("Mul", &[&off, &low], &[]);
            scores = graph.node("Add", &[&scores, &off], &[]);
        }
        let weights = graph.node("Softmax", &[&scores], &[("axis", &[3])]);
        let y = graph.node("MatMul", &[&weights, &parts[2]], &[]);
        let y = graph.node("Transpose", &[&y], &[("perm", &[0, 2, 1, 3])]);
        let back = graph.longs(&[0, 0, width as i64]);
        let y = graph.node("Reshape", &[&y, &back], &[]);
        let mut mask = vec![1.0; batch * tokens];
        // The first token of each text is there.
        mask.iter_mut().enumerate().for_each(|(i, m)| if i % tokens > 2 && i % 3 == 0 { *m = 0.0 });
        let given = [floats(&[batch, tokens, width], 11), Array::f32(vec![batch, tokens], mask)];
        let onnx = graph.finish(&y);
        if masked {
            close(&onnx, &given, 2e-5);
        } else {
            // The mask is not needed then, and no input of what remains.
            let model = Source::read("t", &onnx, None).unwrap();
            prop_assert!(model.into_tract().is_ok());
        }
    }

    /// Convolutions: dense, depthwise, with strides and paddings, batch normalisation folded, clamped; and pools.
    #[test]
    fn images(side in 5usize..12, channels in 1usize..6, outputs in 1usize..10, kernel in 1usize..4, stride in 1usize..3, pad in 0usize..2, depthwise in any::<bool>()) {
        let mut graph = Graph::default();
        let x = graph.input("x", DataType::Float, &[Some(1), Some(channels), Some(side), Some(side + 1)]);
        let (k, s, p) = (kernel as i64, stride as i64, pad as i64);
        let outputs = if depthwise { channels } else { outputs };
        let w = graph.weight(&[outputs, if depthwise { 1 } else { channels }, kernel, kernel]);
        let b = graph.weight(&[outputs]);
        let group = if depthwise { channels as i64 } else { 1 };
        let y = graph.node("Conv", &[&x, &w, &b], &[("kernel_shape", &[k, k]), ("strides", &[s, s]), ("pads", &[p, p, p, p]), ("group", &[group])]);
        let factor = graph.weight(&[outputs, 1, 1]);
        let y = graph.node("Mul", &[&y, &factor], &[]);
        let (low, high) = (graph.constant(&[], &[0.0]), graph.constant(&[], &[6.0]));
        let y = graph.node("Clip", &[&y, &low, &high], &[]);
        let v = graph.weight(&[4, outputs, 1, 1]);
        let y = graph.node("Conv", &[&y, &v], &[("kernel_shape", &[1, 1])]);
        let y = graph.node("GlobalAveragePool", &[&y], &[]);
        let flat = graph.longs(&[1, 4]);
        let y = graph.node("Reshape", &[&y, &flat], &[]);
        close(&graph.finish(&y), &[floats(&[1, channels, side, side + 1], 5)], 2e-5);
    }

    /// A convolution, or a product with every pixel, and one of its result by channels, which are done together.
    #[test]
    fn pairs(
        batch in 1usize..3, side in 6usize..30, channels in 1usize..5, outputs in 1usize..20, first in 1usize..4,
        kernel in 1usize..4, stride in 1usize..4, dilation in 1usize..3, pads in prop::array::uniform4(0usize..4),
    ) {
        let mut graph = Graph::default();
        let x = graph.input("x", DataType::Float, &[Some(batch), Some(channels), Some(side), Some(side + 1)]);
        let (w, b) = (graph.weight(&[outputs, channels, first, first]), graph.weight(&[outputs]));
        let f = first as i64;
        let y = graph.node("Conv", &[&x, &w, &b], &[("kernel_shape", &[f, f])]);
        let y = graph.node("Relu", &[&y], &[]);
        let w = graph.weight(&[outputs, 1, kernel, kernel]);
        let (k, s, d, o) = (kernel as i64, stride as i64, dilation as i64, outputs as i64);
        let pads = pads.map(|pad| pad as i64);
        let attributes: [(&str, &[i64]); 5] =
            [("kernel_shape", &[k, k]), ("strides", &[s, s]), ("dilations", &[d, d]), ("pads", &pads), ("group", &[o])];
        let y = graph.node("Conv", &[&y, &w], &attributes);
        let y = graph.node("Relu", &[&y], &[]);
        close(&graph.finish(&y), &[floats(&[batch, channels, side, side + 1], 5)], 2e-5);
    }

    /// Elementwise operators with broadcasting, slices and concatenations.
    #[test]
    fn shapes(a in 1usize..5, b in 1usize..6, c in 1usize..9) {
        let mut graph = Graph::default();
        let x = graph.input("x", DataType::Float, &[Some(a), Some(b), Some(c)]);
        let row = graph.weight(&[c]);
        let column = graph.weight(&[b, 1]);
        let y = graph.node("Add", &[&x, &row], &[]);
        let y = graph.node("Mul", &[&y, &column], &[]);
        let z = graph.node("Transpose", &[&y], &[("perm", &[2, 0, 1])]);
        let z = graph.node("Exp", &[&z], &[]);
        let z = graph.node("Transpose", &[&z], &[("perm", &[1, 2, 0])]);
        let y = graph.node("Concat", &[&y, &z, &x], &[("axis", &[1])]);
        let (from, to, axes) = (graph.longs(&[1]), graph.longs(&[3 * b as i64]), graph.longs(&[1]));
        let y = graph.node("Slice", &[&y, &from, &to, &axes], &[]);
        let y = graph.node("ReduceMax", &[&y], &[("axes", &[0, 2]), ("keepdims", &[0])]);
        close(&graph.finish(&y), &[floats(&[a, b, c], 9)], 2e-5);
    }

    /// int8 weights stay close to what they stand for.
    #[test]
    fn int8_weights(m in 1usize..20, k in 64usize..200, n in 64usize..100) {
        let mut graph = Graph::default();
        let x = graph.input("x", DataType::Float, &[None, Some(k)]);
        let w = graph.weight(&[k, n]);
        let y = graph.node("MatMul", &[&x, &w], &[]);
        let (ours, theirs) = both(&graph.finish(&y), &[floats(&[m, k], 7)], true);
        let (Data::F32(a), Data::F32(b)) = (&ours.data, &theirs.data) else { panic!() };
        let error: f32 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f32 = b.iter().map(|b| b * b).sum();
        prop_assert!(error <= 4e-4 * size, "{}", error / size);
    }
}

#[test]
fn a_one_hot_product_is_a_pick_of_rows() {
    let mut graph = Graph::default();
    let x = graph.input("x", DataType::Int64, &[Some(1), None]);
    let axes = graph.longs(&[2]);
    let wide = graph.node("Unsqueeze", &[&x, &axes], &[]);
    let all = graph.longs(&[0, 1, 2, 3, 4]);
    let equal = graph.node("Equal", &[&wide, &all], &[]);
    let hot = graph.node("Cast", &[&equal], &[("to", &[DataType::Float as i64])]);
    let table = graph.weight(&[5, 3]);
    let y = graph.node("MatMul", &[&hot, &table], &[]);
    // Numbers that are no row give zeros.
    let given = Array::i64(vec![1, 6], vec![4, 0, 5, -1, 2, 1000]);
    close(&graph.finish(&y), &[given], 0.0);
}

#[test]
fn what_has_no_prepared_form_runs_as_it_is_and_says_why() {
    let mut graph = Graph::default();
    let x = graph.input("x", DataType::Float, &[Some(1), Some(4)]);
    let y = graph.node("Atan", &[&x], &[]);
    let onnx = graph.finish(&y);
    let why = prepare("t", &onnx, None, None).unwrap().unwrap_err();
    assert!(why.contains("Atan"), "{why}");
    let model = Model::open("t", onnx).unwrap();
    assert!(!model.is_prepared());
    let Data::F32(y) = model.infer(vec![floats(&[1, 4], 1)]).unwrap().data else {
        panic!("floats were wanted");
    };
    assert_eq!(y.len(), 4);
}

/// A small prepared file with most kinds of steps.
fn prepared() -> Vec<u8> {
    let mut graph = Graph::default();
    let x = graph.input("x", DataType::Float, &[None, Some(8)]);
    let (w, b) = (graph.weight(&[8, 8]), graph.weight(&[8]));
    let y = graph.node("MatMul", &[&x, &w], &[]);
    let y = graph.node("Add", &[&y, &b], &[]);
    let y = graph.node("Softmax", &[&y], &[("axis", &[1])]);
    let z = graph.node("Transpose", &[&y], &[("perm", &[1, 0])]);
    let y = graph.node("MatMul", &[&y, &z], &[]);
    let y = graph.node("ReduceSum", &[&y], &[("keepdims", &[0])]);
    file(&graph.finish(&y))
}

/// One with convolutions.
fn prepared_image() -> Vec<u8> {
    let mut graph = Graph::default();
    let x = graph.input("x", DataType::Float, &[None, Some(2), Some(6), Some(6)]);
    let (w, b) = (graph.weight(&[8, 2, 1, 1]), graph.weight(&[8]));
    let y = graph.node("Conv", &[&x, &w, &b], &[("kernel_shape", &[1, 1])]);
    let w = graph.weight(&[8, 1, 3, 3]);
    let attributes: [(&str, &[i64]); 3] = [
        ("kernel_shape", &[3, 3]),
        ("pads", &[1, 1, 1, 1]),
        ("group", &[8]),
    ];
    let y = graph.node("Conv", &[&y, &w], &attributes);
    let w = graph.weight(&[3, 8, 3, 3]);
    let y = graph.node("Conv", &[&y, &w], &[("kernel_shape", &[3, 3])]);
    let y = graph.node("MaxPool", &[&y], &[("kernel_shape", &[2, 2])]);
    file(&graph.finish(&y))
}

fn file(onnx: &[u8]) -> Vec<u8> {
    prepare("t", onnx, None, None).unwrap().unwrap().bytes
}

/// What `load` and a run make of a damaged file: an answer or an error, never a panic (`guarded` would hide one, so the
/// engine is asked without it).
fn survives(file: Vec<u8>, row: &[usize]) {
    let Ok(runner) = crate::engine::run::Runner::load(file) else {
        return;
    };
    for rows in [1, 3] {
        let _ = runner.run(vec![floats(&[&[rows], row].concat(), 1)]);
    }
}

#[test]
fn a_damaged_prepared_file_is_an_error_never_a_panic() {
    damage(&prepared(), &[8]);
    damage(&prepared_image(), &[2, 6, 6]);
}

/// Damages a file in many ways; the model takes any number of such rows.
fn damage(whole: &[u8], row: &[usize]) {
    let survives = |file| survives(file, row);
    for cut in 0..whole.len() {
        survives(whole[..cut].to_vec());
    }
    let header = u32::from_le_bytes([whole[4], whole[5], whole[6], whole[7]]) as usize + 8;
    for at in 0..header {
        for other in [b'0', b'1', b'9', b'-', b'x', b']', 0xff] {
            let mut file = whole.to_vec();
            file[at] = other;
            survives(file);
        }
    }
    // Every number of the header by others.
    let text = String::from_utf8(whole[8..header].to_vec()).unwrap();
    let digits: Vec<usize> = text
        .char_indices()
        .filter(|(_, c)| c.is_ascii_digit())
        .map(|(i, _)| i)
        .collect();
    for &at in &digits {
        for number in ["0", "7", "65", "4000000000", "99999999999999999999"] {
            let changed = format!("{}{number}{}", &text[..at], &text[at + 1..]);
            let mut file = whole[..4].to_vec();
            file.extend((changed.len() as u32).to_le_bytes());
            file.extend(changed.as_bytes());
            file.extend(&whole[header..]);
            survives(file);
        }
    }
}

/// `y = x W`, with W in a file beside the model.
#[test]
fn weights_beside_a_model_are_read_with_it() {
    use tract_onnx::pb::{StringStringEntryProto, tensor_proto::DataLocation};
    let mut graph = Graph::default();
    let x = graph.input("x", DataType::Float, &[Some(1), Some(3)]);
    let w = graph.constant(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let y = graph.node("MatMul", &[&x, &w], &[]);
    let onnx = graph.finish(&y);
    let run = |file: Vec<u8>| {
        let model = Model::open("m.onnx", file).unwrap();
        let given = Array::f32(vec![1, 3], vec![1.0, 10.0, 100.0]);
        match model.infer(vec![given]).unwrap().data {
            Data::F32(values) => values,
            Data::I64(_) => panic!("integers"),
        }
    };
    assert_eq!(run(onnx.clone()), [531.0, 642.0]);
    let outside = |location: &str, offset: usize| {
        let mut model = ModelProto::decode(&*onnx).unwrap();
        let tensor = &mut model.graph.as_mut().unwrap().initializer[0];
        tensor.float_data.clear();
        tensor.raw_data.clear();
        tensor.data_location = Some(DataLocation::External as i32);
        let entry = |key: &str, value: String| StringStringEntryProto {
            key: key.into(),
            value,
        };
        tensor.external_data = vec![
            entry("location", location.into()),
            entry("offset", offset.to_string()),
            entry("length", "24".into()),
        ];
        model.encode_to_vec()
    };
    let weights: Vec<u8> = [9.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    let file = outside("m.onnx.data", 4);
    assert!(Model::beside("m.onnx", &onnx).unwrap().is_empty());
    let names = Model::beside("m.onnx", &file).unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["m.onnx.data"]);
    let beside = |bytes: &[u8]| [("m.onnx.data".to_owned(), bytes.to_vec())].into();
    let whole = Model::whole("m.onnx", &file, &beside(&weights)).unwrap();
    assert_eq!(run(whole), [531.0, 642.0]);
    // Without them it is refused by name, and so is what is too short, or elsewhere.
    let error = Model::open("m.onnx", file.clone()).unwrap_err();
    assert!(error.to_string().contains("m.onnx.data"), "{error}");
    let error = Model::whole("m.onnx", &file, &beside(&weights[..27])).unwrap_err();
    assert!(error.to_string().contains("beyond the end"), "{error}");
    let error = Model::whole("m.onnx", &file, &Default::default()).unwrap_err();
    assert!(error.to_string().contains("m.onnx.data"), "{error}");
    for elsewhere in ["../m.data", "/etc/passwd", "a/../../b", "C:\\x", "", "a//b"] {
        let error = Model::beside("m.onnx", &outside(elsewhere, 0)).unwrap_err();
        assert_eq!(error.code(), Code::ModelInvalid, "{elsewhere}");
    }
}

/// Whoever exports from doubles or halves still gets numbers.
#[test]
fn inputs_and_outputs_of_other_number_types_are_cast() {
    for element in [DataType::Double, DataType::Float16] {
        let mut graph = Graph::default();
        let x = graph.input("x", element, &[Some(1), Some(3)]);
        let doubled = graph.node("Add", &[&x, &x], &[]);
        let y = graph.node("Relu", &[&doubled], &[]);
        let onnx = graph.finish(&y);
        for model in [
            Model::open("m", onnx.clone()).unwrap(),
            Model::load("m", onnx.clone(), Element::F32, Shape::Row(3)).unwrap(),
        ] {
            let given = Array::f32(vec![1, 3], vec![1.5, -2.0, 3.0]);
            let Data::F32(values) = model.infer(vec![given]).unwrap().data else {
                panic!("integers");
            };
            assert_eq!(values, [3.0, 0.0, 6.0], "{element:?}");
        }
    }
    let mut graph = Graph::default();
    let x = graph.input("words", DataType::String, &[Some(1)]);
    let y = graph.node("Identity", &[&x], &[]);
    let error = Model::open("m", graph.finish(&y)).unwrap_err();
    assert!(
        error.to_string().contains("strings as \"words\""),
        "{error}"
    );
}

/// What only the body of a branch reads is needed, too.
#[test]
fn what_a_branch_reads_of_its_surroundings_is_kept() {
    let inner = |value: &str, out: &str| GraphProto {
        name: out.into(),
        node: vec![NodeProto {
            op_type: "Neg".into(),
            name: out.into(),
            input: vec![value.into()],
            output: vec![out.into()],
            ..NodeProto::default()
        }],
        output: vec![ValueInfoProto {
            name: out.into(),
            ..ValueInfoProto::default()
        }],
        ..GraphProto::default()
    };
    let node = |op: &str, inputs: &[&str], outputs: &[&str], attribute| NodeProto {
        op_type: op.into(),
        name: outputs[0].into(),
        input: inputs.iter().map(|i| (*i).into()).collect(),
        output: outputs.iter().map(|o| (*o).into()).collect(),
        attribute,
        ..NodeProto::default()
    };
    let branch = |name: &str, graph| AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::Graph as i32,
        g: Some(graph),
        ..AttributeProto::default()
    };
    let mut graph = GraphProto {
        node: vec![
            node("Abs", &["x"], &["outer"], vec![]),
            node("Exp", &["x"], &["unused"], vec![]),
            node(
                "If",
                &["c"],
                &["y"],
                vec![
                    branch("then_branch", inner("outer", "a")),
                    branch("else_branch", inner("w", "b")),
                ],
            ),
        ],
        initializer: ["w", "v"]
            .map(|name| TensorProto {
                name: name.into(),
                ..TensorProto::default()
            })
            .to_vec(),
        output: vec![ValueInfoProto {
            name: "y".into(),
            ..ValueInfoProto::default()
        }],
        ..GraphProto::default()
    };
    nodes::prune(&mut graph, true);
    let remaining: Vec<&str> = graph.node.iter().map(|n| n.op_type.as_str()).collect();
    assert_eq!(remaining, ["Abs", "If"]);
    assert_eq!(graph.initializer.len(), 1);
    assert_eq!(graph.initializer[0].name, "w");
}

/// Runs a graph as tract does.
fn by_tract(onnx: &[u8], input: Array) -> Vec<f32> {
    let model = Source::read("t", onnx, None).unwrap().into_tract().unwrap();
    match model.run(vec![input]).unwrap().data {
        Data::F32(values) => values,
        other => panic!("floats were wanted, not {other:?}"),
    }
}

fn attribute(name: &str, kind: attribute_proto::AttributeType) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: kind as i32,
        ..AttributeProto::default()
    }
}

#[test]
fn celu_and_swish_take_their_alpha() {
    let x: Vec<f32> = vec![-3.0, -0.5, 0.0, 0.25, 4.0];
    let celu = |x: f32, a: f32| x.max(0.0) + (a * ((x / a).exp() - 1.0)).min(0.0);
    let swish = |x: f32, a: f32| x / (1.0 + (-a * x).exp());
    for alpha in [1.0, 0.5, 2.0] {
        for (operator, expected) in [
            ("Celu", &celu as &dyn Fn(f32, f32) -> f32),
            ("Swish", &swish),
        ] {
            let mut graph = Graph::default();
            let input = graph.input("x", DataType::Float, &[Some(5)]);
            let y = graph.node(operator, &[&input], &[]);
            let node = graph.nodes.last_mut().unwrap();
            node.attribute.push(AttributeProto {
                f: alpha,
                ..attribute("alpha", attribute_proto::AttributeType::Float)
            });
            let found = by_tract(&graph.finish(&y), Array::f32(vec![5], x.clone()));
            for (x, found) in x.iter().zip(found) {
                let expected = expected(*x, alpha);
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{operator} {alpha}: {found} {expected}"
                );
            }
        }
    }
}

/// A recurrent operator in reverse is the same one forward over the turned sequence, turned back.
#[test]
fn a_sequence_is_read_in_reverse() {
    const STEPS: usize = 6;
    for (operator, gates) in [("LSTM", 4), ("GRU", 3), ("RNN", 1)] {
        let run = |direction: &str, input: Vec<f32>| {
            let mut graph = Graph::default();
            let x = graph.input("x", DataType::Float, &[Some(STEPS), Some(1), Some(3)]);
            let (w, r) = (
                graph.weight(&[1, gates * 2, 3]),
                graph.weight(&[1, gates * 2, 2]),
            );
            let y = graph.node(operator, &[&x, &w, &r], &[]);
            let node = graph.nodes.last_mut().unwrap();
            node.attribute.push(AttributeProto {
                s: direction.into(),
                ..attribute("direction", attribute_proto::AttributeType::String)
            });
            node.attribute.push(AttributeProto {
                i: 2,
                ..attribute("hidden_size", attribute_proto::AttributeType::Int)
            });
            by_tract(&graph.finish(&y), Array::f32(vec![STEPS, 1, 3], input))
        };
        let turned = |values: &[f32]| -> Vec<f32> {
            let steps = values.chunks(values.len() / STEPS).rev();
            steps.flatten().copied().collect()
        };
        let x = numbers(STEPS * 3, 9);
        let (reverse, forward) = (run("reverse", x.clone()), run("forward", x.clone()));
        assert_eq!(reverse.len(), STEPS * 2);
        assert_ne!(reverse, forward);
        assert_eq!(reverse, turned(&run("forward", turned(&x))), "{operator}");
    }
}
