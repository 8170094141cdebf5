//! Attributes that ONNX's vectors do not have, against what onnxruntime 1.32 gives.

use super::super::microsoft::tests::{Is, near, of, run, wave, waves};
use crate::tensor::{Data, Tensor};

fn halved(shape: &[usize]) -> Option<Tensor> {
    let v = wave(shape).iter().map(|v| v / 2.0).collect();
    Some(Tensor::f32(shape.to_vec(), v))
}

#[test]
fn an_lstm_with_all_its_operands() {
    let tripled = wave(&[1, 2, 2]).iter().map(|v| v * 3.0).collect();
    let operands = [
        waves(&[2, 2, 2]),
        waves(&[1, 8, 2]),
        halved(&[1, 8, 2]),
        waves(&[1, 16]),
        of(&[2], Data::I32(vec![2, 1])),
        waves(&[1, 2, 2]),
        Some(Tensor::f32(vec![1, 2, 2], tripled)),
        waves(&[1, 6]),
    ];
    let attributes = [
        ("hidden_size", Is::Int(2)),
        ("direction", Is::Text("reverse")),
        ("clip", Is::Float(0.5)),
        ("input_forget", Is::Int(1)),
    ];
    // With weights that come as the others do, and with such that are known.
    for fixed in [8, 1] {
        let y = run(("", "LSTM", 3), &attributes, &operands, fixed).unwrap();
        let all = [
            0.0754, 0.148749, 0.265702, 0.506334, -0.126396, -0.068891, 0.0, 0.0,
        ];
        near(&y[0], &all);
        near(&y[1], &all[..4]);
        near(&y[2], &[0.150716, 0.24368, 0.874735, 1.137116]);
    }
}

#[test]
fn a_gru_with_other_functions() {
    let operands = [
        waves(&[2, 1, 2]),
        waves(&[1, 6, 2]),
        halved(&[1, 6, 2]),
        waves(&[1, 12]),
    ];
    let attributes = |alphas: Vec<f32>| {
        [
            ("hidden_size", Is::Int(2)),
            ("linear_before_reset", Is::Int(1)),
            ("activations", Is::Texts(vec!["HardSigmoid", "LeakyRelu"])),
            ("activation_alpha", Is::Floats(alphas)),
            ("activation_beta", Is::Floats(vec![0.4])),
        ]
    };
    let y = run(("", "GRU", 2), &attributes(vec![0.3, 0.1]), &operands, 4).unwrap();
    near(&y[0], &[-0.139047, -0.045635, -0.070812, -0.091319]);
    let y = run(
        ("", "GRU", 2),
        &attributes(vec![0.3, 0.1, 0.2]),
        &operands,
        4,
    );
    assert!(y.is_err(), "more numbers than functions");
}

#[test]
fn sequences_longer_than_the_steps_are_refused() {
    for len in [-1, 3, i32::MAX] {
        let operands = [
            waves(&[2, 1, 2]),
            waves(&[1, 2, 2]),
            waves(&[1, 2, 2]),
            None,
            of(&[1], Data::I32(vec![len])),
        ];
        let y = run(("", "RNN", 2), &[("hidden_size", Is::Int(2))], &operands, 5);
        assert!(y.is_err(), "{len}");
    }
}
