//! What is fused gives what its parts give.

use crate::Model;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
};
use crate::tensor::Tensor;
use crate::testing::{node, value};

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: 7,
        ints: ints.to_vec(),
        ..AttributeProto::default()
    }
}

fn wave(len: usize, phase: f32) -> Vec<f32> {
    (0..len).map(|at| (at as f32 * 0.7 + phase).sin()).collect()
}

fn weight(name: &str, dims: &[i64], values: Vec<f32>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: 1,
        float_data: values,
        ..TensorProto::default()
    }
}

/// The nodes that remain of a model, and what it gives.
fn run(
    nodes: &[NodeProto],
    weights: &[TensorProto],
    outputs: &[&str],
    x: &Tensor,
) -> (usize, Tensor) {
    let graph = GraphProto {
        input: vec![value("x")],
        output: outputs.iter().map(|name| value(name)).collect(),
        node: nodes.to_vec(),
        initializer: weights.to_vec(),
        ..GraphProto::default()
    };
    let model = Model::of(&ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 14,
        }],
        graph: Some(graph),
        ..ModelProto::default()
    });
    let model = model.unwrap();
    let result = model.run(vec![x.clone()]).unwrap().swap_remove(0);
    (model.steps(), result)
}

/// Nodes that are to become `steps`, against themselves apart: an output is never only a part.
fn fuses(nodes: &[NodeProto], weights: &[TensorProto], shape: &[usize], steps: usize) {
    let values = wave(shape.iter().product(), 0.3);
    let x = Tensor::f32(shape.to_vec(), values.iter().map(|v| 5.0 * v).collect());
    let last = nodes.last().unwrap().output[0].clone();
    let (fused, found) = run(nodes, weights, &[&last], &x);
    let all: Vec<&str> = nodes.iter().rev().map(|n| n.output[0].as_str()).collect();
    let (apart, expected) = run(nodes, weights, &all, &x);
    assert_eq!((fused, apart), (steps, nodes.len()));
    assert_eq!(found.shape, expected.shape);
    for (found, expected) in found.f32s().unwrap().iter().zip(expected.f32s().unwrap()) {
        assert!(
            (found - expected).abs() < 2e-5 * (1.0 + expected.abs()),
            "{found} and {expected}"
        );
    }
}

#[test]
fn gelu_in_the_forms_that_exporters_write() {
    let weights = [
        weight("root", &[], vec![std::f32::consts::SQRT_2]),
        weight("one", &[1], vec![1.0]),
        weight("half", &[], vec![0.5]),
    ];
    let erf = [
        node("Div", &["x", "root"], "a"),
        node("Erf", &["a"], "b"),
        node("Add", &["b", "one"], "c"),
    ];
    let late = [
        node("Mul", &["x", "c"], "d"),
        node("Mul", &["d", "half"], "y"),
    ];
    fuses(&[&erf[..], &late].concat(), &weights, &[3, 5], 1);
    let early = [
        node("Mul", &["half", "x"], "d"),
        node("Mul", &["d", "c"], "y"),
    ];
    fuses(&[&erf[..], &early].concat(), &weights, &[3, 5], 1);
    let inner = [
        node("Mul", &["half", "c"], "d"),
        node("Mul", &["x", "d"], "y"),
    ];
    fuses(&[&erf[..], &inner].concat(), &weights, &[3, 5], 1);
    // Of another number it is another function.
    let mut other = weights.clone();
    other[2].float_data = vec![0.6];
    fuses(&[&erf[..], &late].concat(), &other, &[3, 5], 5);
}

#[test]
fn hard_swish_in_the_forms_that_exporters_write() {
    let weights = [
        weight("three", &[], vec![3.0]),
        weight("low", &[], vec![0.0]),
        weight("six", &[1], vec![6.0]),
        weight("sixth", &[], vec![1.0 / 6.0]),
    ];
    let ramp = [
        node("Add", &["x", "three"], "a"),
        node("Clip", &["a", "low", "six"], "c"),
    ];
    for end in [
        [
            node("Mul", &["x", "c"], "d"),
            node("Div", &["d", "six"], "y"),
        ],
        [
            node("Mul", &["c", "x"], "d"),
            node("Mul", &["sixth", "d"], "y"),
        ],
        [
            node("Div", &["c", "six"], "d"),
            node("Mul", &["d", "x"], "y"),
        ],
        [
            node("Mul", &["c", "sixth"], "d"),
            node("Mul", &["x", "d"], "y"),
        ],
    ] {
        fuses(&[&ramp[..], &end].concat(), &weights, &[3, 50], 1);
    }
    let mut gate = node("HardSigmoid", &["x"], "d");
    gate.attribute.push(AttributeProto {
        name: "alpha".into(),
        r#type: 1,
        f: 1.0 / 6.0,
        ..AttributeProto::default()
    });
    fuses(
        &[gate, node("Mul", &["x", "d"], "y")],
        &weights,
        &[3, 50],
        1,
    );
    let other = [
        node("Mul", &["c", "sixth"], "d"),
        node("Mul", &["a", "d"], "y"),
    ];
    fuses(&[&ramp[..], &other].concat(), &weights, &[3, 50], 4);
}

#[test]
fn layer_normalisation_in_parts() {
    let weights = [
        weight("gamma", &[6], wave(6, 1.0)),
        weight("beta", &[6], wave(6, 2.0)),
        weight("eps", &[], vec![1e-5]),
        weight("two", &[], vec![2.0]),
    ];
    let parts = |square: NodeProto, axis: i64| {
        let mut nodes = vec![
            node("ReduceMean", &["x"], "mean"),
            node("Sub", &["x", "mean"], "d"),
            square,
            node("ReduceMean", &["square"], "variance"),
            node("Add", &["variance", "eps"], "e"),
            node("Sqrt", &["e"], "s"),
            node("Div", &["d", "s"], "n"),
            node("Mul", &["n", "gamma"], "m"),
            node("Add", &["m", "beta"], "y"),
        ];
        for at in [0, 3] {
            nodes[at].attribute.push(ints("axes", &[axis]));
        }
        nodes
    };
    fuses(
        &parts(node("Pow", &["d", "two"], "square"), -1),
        &weights,
        &[4, 6],
        1,
    );
    fuses(
        &parts(node("Mul", &["d", "d"], "square"), -1),
        &weights,
        &[4, 6],
        1,
    );
    // Over another axis it is none, and there is nothing to fuse.
    fuses(
        &parts(node("Mul", &["d", "d"], "square"), 0),
        &weights,
        &[4, 6],
        9,
    );
}

#[test]
fn what_follows_a_convolution() {
    let weights = [
        weight("w", &[4, 3, 3, 3], wave(108, 0.1)),
        weight("b", &[4], wave(4, 0.2)),
        weight("scale", &[4], wave(4, 1.2)),
        weight("shift", &[4], wave(4, 2.2)),
        weight("mean", &[4], wave(4, 3.2)),
        weight("variance", &[4], vec![0.5, 1.0, 2.0, 0.1]),
        weight("low", &[], vec![0.0]),
        weight("high", &[], vec![6.0]),
    ];
    let norm = node(
        "BatchNormalization",
        &["c", "scale", "shift", "mean", "variance"],
        "n",
    );
    for conv in [
        node("Conv", &["x", "w", "b"], "c"),
        node("Conv", &["x", "w"], "c"),
    ] {
        for op in ["Relu", "HardSwish", "Sigmoid", "Tanh"] {
            let nodes = [conv.clone(), norm.clone(), node(op, &["n"], "y")];
            fuses(&nodes, &weights, &[2, 3, 7, 8], 1);
        }
        let clip = node("Clip", &["n", "low", "high"], "y");
        fuses(
            &[conv.clone(), norm.clone(), clip],
            &weights,
            &[1, 3, 9, 5],
            1,
        );
        let gate = [node("Sigmoid", &["n"], "g"), node("Mul", &["n", "g"], "y")];
        let nodes = [&[conv, norm.clone()], &gate[..]].concat();
        fuses(&nodes, &weights, &[1, 3, 9, 5], 1);
    }
}

#[test]
fn factors_and_addends_of_channels_are_in_the_convolution_before() {
    let weights = [
        weight("w", &[4, 3, 3, 3], wave(108, 0.1)),
        // Of two groups, four channels in and six out.
        weight("turned", &[4, 3, 2, 2], wave(48, 0.4)),
        weight("b", &[4], wave(4, 0.2)),
        weight("four", &[1, 4, 1, 1], wave(4, 1.2)),
        weight("six", &[6, 1, 1], wave(6, 2.2)),
        weight("all", &[1], vec![0.7]),
        weight("columns", &[6], wave(6, 0.3)),
    ];
    for conv in [
        node("Conv", &["x", "w", "b"], "c"),
        node("Conv", &["x", "w"], "c"),
    ] {
        let nodes = [
            conv.clone(),
            node("Add", &["four", "c"], "d"),
            node("Mul", &["d", "all"], "e"),
            node("Sub", &["e", "four"], "f"),
            node("Div", &["f", "four"], "g"),
            node("Relu", &["g"], "y"),
        ];
        fuses(&nodes, &weights, &[2, 3, 7, 8], 1);
        // As many columns as there are channels are no channels.
        let nodes = [conv, node("Add", &["c", "columns"], "y")];
        fuses(&nodes, &weights, &[1, 3, 9, 8], 2);
    }
    let mut turned = node("ConvTranspose", &["x", "turned"], "c");
    turned.attribute.push(AttributeProto {
        name: "group".into(),
        r#type: 2,
        i: 2,
        ..AttributeProto::default()
    });
    let nodes = [
        turned,
        node("Add", &["c", "six"], "d"),
        node("Mul", &["d", "six"], "y"),
    ];
    fuses(&nodes, &weights, &[2, 4, 5, 6], 1);
}

#[test]
fn what_hands_on_is_left_out() {
    let weights = [weight("w", &[4, 3, 3, 3], wave(108, 0.1))];
    let nodes = [
        node("Conv", &["x", "w"], "c"),
        node("Identity", &["c"], "d"),
        node("Identity", &["d"], "e"),
        node("Relu", &["e"], "y"),
    ];
    fuses(&nodes, &weights, &[1, 3, 7, 8], 1);
}

#[test]
fn gelu_by_a_tangent_and_norms_without_a_mean() {
    let root = (2.0 / std::f32::consts::PI).sqrt();
    let weights = [
        weight("half", &[], vec![0.5]),
        weight("one", &[], vec![1.0]),
        weight("two", &[], vec![2.0]),
        weight("three", &[], vec![3.0]),
        weight("part", &[], vec![0.044_715]),
        weight("root", &[], vec![root]),
        weight("gamma", &[6], wave(6, 1.0)),
        weight("eps", &[], vec![1e-5]),
    ];
    let nodes = [
        node("Mul", &["x", "half"], "h"),
        node("Pow", &["x", "three"], "a"),
        node("Mul", &["a", "part"], "b"),
        node("Add", &["x", "b"], "c"),
        node("Mul", &["c", "root"], "d"),
        node("Tanh", &["d"], "e"),
        node("Add", &["e", "one"], "f"),
        node("Mul", &["h", "f"], "y"),
    ];
    fuses(&nodes, &weights, &[3, 5], 1);
    let mut mean = node("ReduceMean", &["a"], "b");
    mean.attribute.push(ints("axes", &[-1]));
    let start = [
        node("Pow", &["x", "two"], "a"),
        mean,
        node("Add", &["b", "eps"], "c"),
        node("Sqrt", &["c"], "d"),
    ];
    for middle in [
        &[node("Div", &["x", "d"], "f")][..],
        &[
            node("Div", &["one", "d"], "e"),
            node("Mul", &["x", "e"], "f"),
        ],
        &[
            node("Reciprocal", &["d"], "e"),
            node("Mul", &["e", "x"], "f"),
        ],
    ] {
        let last = [node("Mul", &["gamma", "f"], "y")];
        fuses(&[&start, middle, &last].concat(), &weights, &[4, 6], 1);
    }
}

/// Integers of -90 to 90.
fn eight(name: &str, dims: &[i64]) -> TensorProto {
    let len = dims.iter().product::<i64>() as usize;
    TensorProto {
        data_type: 3,
        int32_data: wave(len, 0.5).iter().map(|v| (v * 90.0) as i32).collect(),
        float_data: Vec::new(),
        ..weight(name, dims, Vec::new())
    }
}

fn to_floats(input: &str, output: &str) -> NodeProto {
    let mut cast = node("Cast", &[input], output);
    cast.attribute.push(AttributeProto {
        name: "to".into(),
        r#type: 2,
        i: 1,
        ..AttributeProto::default()
    });
    cast
}

/// What nodes give, and what they give where an output keeps the parts of one of them apart.
fn same(nodes: &[NodeProto], weights: &[TensorProto], x: &Tensor, steps: [usize; 2], kept: &str) {
    let last = nodes.last().unwrap().output[0].clone();
    let (fused, found) = run(nodes, weights, &[&last], x);
    let (apart, expected) = run(nodes, weights, &[&last, kept], x);
    assert_eq!([fused, apart], steps);
    assert_eq!(found.shape, expected.shape);
    for (found, expected) in found.f32s().unwrap().iter().zip(expected.f32s().unwrap()) {
        let near = (found - expected).abs() < 1e-4 * (1.0 + expected.abs());
        assert!(near, "{found} and {expected}");
    }
}

#[test]
fn weights_of_eight_bits_stay_so() {
    let weights = [
        eight("q", &[900, 21]),
        weight("columns", &[1, 21], wave(21, 0.9)),
        weight("one", &[], vec![0.02]),
        weight("rows", &[900, 1], wave(900, 0.9)),
    ];
    let x = Tensor::f32(vec![2, 3, 900], wave(5400, 0.1));
    for scale in ["columns", "one"] {
        let nodes = [
            to_floats("q", "f"),
            node("Mul", &["f", scale], "w"),
            node("MatMul", &["x", "w"], "y"),
        ];
        same(&nodes, &weights, &x, [1, 1], "f");
        let nodes = [
            node("DequantizeLinear", &["q", "one"], "w"),
            node("MatMul", &["x", "w"], "y"),
        ];
        same(&nodes, &weights, &x, [1, 1], "w");
    }
    let places = Tensor::i64(vec![2, 2], vec![0, 899, -3, 17]);
    let nodes = [
        to_floats("q", "f"),
        node("Mul", &["f", "rows"], "w"),
        node("Gather", &["w", "x"], "y"),
    ];
    same(&nodes, &weights, &places, [4, 1], "f");
}

#[test]
fn products_of_integers_that_become_floats() {
    let weights = [
        eight("q", &[12, 7]),
        weight("scale", &[7], wave(7, 0.9)),
        weight("bias", &[7], wave(7, 1.9)),
    ];
    let mut quantise = node("DynamicQuantizeLinear", &["x"], "xq");
    quantise.output.extend(["xs".into(), "xz".into()]);
    let nodes = [
        quantise,
        node("MatMulInteger", &["xq", "q", "xz"], "i"),
        to_floats("i", "f"),
        node("Mul", &["xs", "scale"], "s"),
        node("Mul", &["f", "s"], "m"),
        node("Add", &["bias", "m"], "y"),
    ];
    let x = Tensor::f32(vec![2, 3, 12], wave(72, 0.1));
    same(&nodes, &weights, &x, [2, 6], "f");
}
