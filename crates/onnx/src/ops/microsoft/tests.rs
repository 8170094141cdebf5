//! Operators by themselves, against what onnxruntime 1.32 gives.

use bytes::Bytes;

use crate::Model;
use crate::fault::Result;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    ValueInfoProto,
};
use crate::tensor::{Data, Tensor};

/// An attribute's value.
pub(in crate::ops) enum Is {
    Int(i64),
    Float(f32),
    Floats(Vec<f32>),
    Text(&'static str),
    Texts(Vec<&'static str>),
}

fn attribute((name, value): &(&str, Is)) -> AttributeProto {
    let mut a = AttributeProto {
        name: (*name).to_owned(),
        ..AttributeProto::default()
    };
    match value {
        Is::Int(i) => (a.r#type, a.i) = (2, *i),
        Is::Float(f) => (a.r#type, a.f) = (1, *f),
        Is::Floats(v) => (a.r#type, a.floats) = (6, v.clone()),
        Is::Text(s) => (a.r#type, a.s) = (3, Bytes::from_static(s.as_bytes())),
        Is::Texts(v) => {
            a.r#type = 8;
            a.strings = v.iter().map(|s| Bytes::from_static(s.as_bytes())).collect();
        }
    }
    a
}

fn weight(name: &str, t: &Tensor) -> TensorProto {
    let (data_type, raw): (i32, Vec<u8>) = match &t.data {
        Data::F32(v) => (1, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Data::U8(v) => (2, v.clone()),
        Data::I8(v) => (3, v.iter().map(|v| v.cast_unsigned()).collect()),
        Data::I32(v) => (6, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
        other => panic!("weights of {}", other.ty().name()),
    };
    TensorProto {
        dims: t.shape.iter().map(|&d| d as i64).collect(),
        data_type,
        name: name.to_owned(),
        raw_data: raw.into(),
        ..TensorProto::default()
    }
}

/// Runs one operator, whose operands from the `fixed`th on are weights.
pub(in crate::ops) fn run(
    (domain, op, results): (&str, &str, usize),
    attributes: &[(&str, Is)],
    operands: &[Option<Tensor>],
    fixed: usize,
) -> Result<Vec<Tensor>> {
    let name = |at: usize| format!("x{at}");
    let port = |name: String| ValueInfoProto { name, r#type: None };
    let given = |at: &usize| operands[*at].is_some();
    let all = 0..operands.len();
    let node = NodeProto {
        input: all
            .clone()
            .map(|at| if given(&at) { name(at) } else { String::new() })
            .collect(),
        output: (0..results).map(|at| format!("y{at}")).collect(),
        op_type: op.to_owned(),
        domain: domain.to_owned(),
        attribute: attributes.iter().map(attribute).collect(),
        ..NodeProto::default()
    };
    let fixed = fixed.min(operands.len());
    let graph = GraphProto {
        output: node.output.iter().cloned().map(port).collect(),
        node: vec![node],
        input: (0..fixed).filter(given).map(name).map(port).collect(),
        initializer: (fixed..operands.len())
            .filter_map(|at| Some(weight(&name(at), operands[at].as_ref()?)))
            .collect(),
        ..GraphProto::default()
    };
    let version = |domain: &str, version: i64| OperatorSetIdProto {
        domain: domain.to_owned(),
        version,
    };
    let model = Model::of(&ModelProto {
        ir_version: 10,
        opset_import: vec![version("", 21), version("com.microsoft", 1)],
        graph: Some(graph),
        ..ModelProto::default()
    })?;
    model.run(operands[..fixed].iter().flatten().cloned().collect())
}

/// Numbers that are easily made elsewhere.
pub(in crate::ops) fn wave(shape: &[usize]) -> Vec<f32> {
    (0..shape.iter().product::<usize>())
        .map(|i| ((i * 37 + 5) % 17) as f32 / 8.0 - 1.0)
        .collect()
}

pub(in crate::ops) fn waves(shape: &[usize]) -> Option<Tensor> {
    Some(Tensor::f32(shape.to_vec(), wave(shape)))
}

pub(in crate::ops) fn of(shape: &[usize], data: Data) -> Option<Tensor> {
    Some(Tensor::new(shape.to_vec(), data).unwrap())
}

fn number(v: f32) -> Option<Tensor> {
    of(&[], Data::F32(vec![v]))
}

fn byte(v: u8) -> Option<Tensor> {
    of(&[], Data::U8(vec![v]))
}

/// Compares the first numbers.
pub(in crate::ops) fn near(given: &Tensor, expected: &[f32]) {
    let v = given.f32s().unwrap();
    for (at, (v, e)) in v.iter().zip(expected).enumerate() {
        assert!((v - e).abs() < 2e-5, "{v} instead of {e} at {at}");
    }
}

const MS: &str = "com.microsoft";

#[test]
fn a_key_padding_mask_hides_keys() {
    let double = wave(&[1, 3, 4]).iter().map(|v| 2.0 * v).collect();
    let operands = [
        waves(&[1, 2, 4]),
        Some(Tensor::f32(vec![1, 3, 4], double)),
        waves(&[1, 3, 4]),
        waves(&[12]),
        of(&[1, 3], Data::I32(vec![1, 0, 1])),
    ];
    let attributes = [("num_heads", Is::Int(2))];
    let y = run((MS, "MultiHeadAttention", 1), &attributes, &operands, 3).unwrap();
    let expected = [
        0.372901, 1.1229, -0.522985, 0.227014, 0.192934, 0.942934, -0.682275, 0.067725,
    ];
    near(&y[0], &expected);
}

fn grouped(last: i32) -> Result<Vec<Tensor>> {
    let mut turned = wave(&[16]);
    turned.reverse();
    let half = wave(&[32]).iter().map(|v| v / 2.0).collect();
    let mut sin = Vec::new();
    wave(&[4, 8])
        .chunks(8)
        .rev()
        .for_each(|row| sin.extend_from_slice(row));
    let operands = [
        waves(&[1, 1, 32]),
        waves(&[1, 1, 16]),
        Some(Tensor::f32(vec![1, 1, 16], turned)),
        waves(&[1, 1, 2, 16]),
        Some(Tensor::f32(vec![1, 1, 2, 16], half)),
        of(&[1], Data::I32(vec![last])),
        of(&[], Data::I32(vec![3])),
        waves(&[4, 8]),
        Some(Tensor::f32(vec![4, 8], sin)),
    ];
    let attributes = [
        ("num_heads", Is::Int(2)),
        ("kv_num_heads", Is::Int(1)),
        ("do_rotary", Is::Int(1)),
        ("local_window_size", Is::Int(2)),
    ];
    run((MS, "GroupQueryAttention", 3), &attributes, &operands, 9)
}

#[test]
fn grouped_queries_see_a_window_of_turned_keys() {
    let y = grouped(2).unwrap();
    let expected = [
        0.704955, 0.450655, 0.196355, -0.057944, -0.312244, -0.794533, 0.620188, 0.365889,
    ];
    near(&y[0], &expected);
    assert_eq!(y[1].shape, [1, 1, 3, 16]);
    near(&y[1], &wave(&[32]));
}

#[test]
fn numbers_of_keys_that_are_not_there_are_refused() {
    for last in [-1, 3, i32::MAX, i32::MIN] {
        assert!(grouped(last).is_err(), "{last}");
    }
}

#[test]
fn integers_are_multiplied_and_added() {
    let operands = [
        of(&[2, 3], Data::U8(vec![1, 2, 250, 4, 5, 6])),
        number(0.5),
        byte(3),
        of(&[3, 2], Data::I8(vec![-1, 2, 3, -4, 5, 6])),
        number(0.25),
        of(&[], Data::I8(vec![1])),
        None,
        number(2.3),
        byte(100),
    ];
    for fixed in [3, 9] {
        let y = run((MS, "QGemm", 1), &[], &operands, fixed).unwrap();
        assert_eq!(y[0].data, Data::U8(vec![154, 167, 101, 100]));
    }
    let operands = [
        of(&[1, 3], Data::U8(vec![0, 100, 255])),
        number(0.1),
        byte(7),
        of(&[2, 1], Data::U8(vec![3, 200])),
        number(0.2),
        byte(0),
        number(0.33),
        byte(5),
    ];
    let y = run((MS, "QLinearAdd", 1), &[], &operands, 8).unwrap();
    assert_eq!(y[0].data, Data::U8(vec![5, 35, 82, 124, 154, 201]));
}

#[test]
fn weights_of_four_bits_give_the_same_in_both_forms() {
    // So many that they stay integers, and so few that they do not.
    for (n, k, block) in [(301, 1000usize, 32), (70, 100, 16)] {
        let blocks = k.div_ceil(block);
        let bytes = |len: usize| -> Vec<u8> { (0..len).map(|i| (i * 73 % 251) as u8).collect() };
        let weights = bytes(n * blocks * block / 2);
        let zeros = bytes(n * blocks.div_ceil(2));
        let scales: Vec<f32> = wave(&[n * blocks]).iter().map(|v| v / 50.0).collect();
        let a = wave(&[5, k]);
        let mut expected = vec![0.0f64; 5 * n];
        for (at, e) in expected.iter_mut().enumerate() {
            let (row, col) = (at / n, at % n);
            for i in 0..k {
                let byte = weights[(col * blocks * block + i) / 2];
                let q = byte >> (i % 2 * 4) & 15;
                let part = i / block;
                let zero = zeros[col * blocks.div_ceil(2) + part / 2] >> (part % 2 * 4) & 15;
                let w = (f32::from(q) - f32::from(zero)) * scales[col * blocks + part];
                *e += f64::from(a[row * k + i]) * f64::from(w);
            }
        }
        let attributes = [
            ("N", Is::Int(n as i64)),
            ("K", Is::Int(k as i64)),
            ("bits", Is::Int(4)),
            ("block_size", Is::Int(block as i64)),
        ];
        for rows in [1, 5] {
            let operands = [
                of(&[rows, k], Data::F32(a[..rows * k].to_vec())),
                of(&[n, blocks, block / 2], Data::U8(weights.clone())),
                of(&[n, blocks], Data::F32(scales.clone())),
                of(&[n, blocks.div_ceil(2)], Data::U8(zeros.clone())),
            ];
            let y = run((MS, "MatMulNBits", 1), &attributes, &operands, 1).unwrap();
            for (v, e) in y[0].f32s().unwrap().iter().zip(&expected) {
                assert!((f64::from(*v) - e).abs() < 1e-3, "{v} instead of {e}");
            }
        }
    }
}

#[test]
fn weights_of_another_length_are_refused() {
    let attributes = [
        ("N", Is::Int(1 << 20)),
        ("K", Is::Int(1 << 20)),
        ("block_size", Is::Int(32)),
    ];
    let operands = [waves(&[1, 8]), of(&[1], Data::U8(vec![0])), waves(&[1])];
    assert!(run((MS, "MatMulNBits", 1), &attributes, &operands, 1).is_err());
}
