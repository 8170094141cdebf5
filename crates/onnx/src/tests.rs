//! What a run may take, and what a file must say.

use prost::Message;

use crate::op::Context;
use crate::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto};
use crate::testing::{node, value};
use crate::{Model, Tensor};

fn model(version: i64, nodes: Vec<NodeProto>) -> Vec<u8> {
    let graph = GraphProto {
        input: vec![value("x")],
        output: vec![value("y")],
        node: nodes,
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version,
        }],
        graph: Some(graph),
        ..ModelProto::default()
    }
    .encode_to_vec()
}

#[test]
fn a_run_may_spend_so_much_and_hold_so_much() {
    let squares = ["a", "b", "c", "y"];
    let before = ["x", "a", "b", "c"];
    let nodes = squares.iter().zip(before);
    let nodes = nodes.map(|(to, from)| node("MatMul", &[from, from], to));
    let model = Model::read(model(13, nodes.collect())).unwrap();
    let square = || vec![Tensor::f32(vec![8, 8], vec![0.0; 64])];
    let enough = 4 * (512 + 64 + 1);
    assert!(
        model
            .within(square(), Context::new(enough, 1 << 20))
            .is_ok()
    );
    let error = model
        .within(square(), Context::new(enough - 1, 1 << 20))
        .unwrap_err();
    assert_eq!(
        error.0,
        "MatMul `y`: it would take more work than a model may"
    );
    let error = model
        .within(square(), Context::new(enough, 255))
        .unwrap_err();
    assert!(error.0.contains("more memory"), "{error}");
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let refused = |nodes| Model::read(model(13, nodes)).unwrap_err().0;
    assert_eq!(
        refused(vec![node("Wobble", &["x"], "y")]),
        "Wobble `y`: the operator Wobble is not supported"
    );
    assert_eq!(
        refused(vec![node("Abs", &["x", "x"], "y")]),
        "Abs `y`: it has 2 operands, and takes 1"
    );
    assert_eq!(
        refused(vec![node("Abs", &["z"], "y")]),
        "Abs `y`: z is read before anything computes it"
    );
    let mut odd = node("Abs", &["x"], "y");
    odd.domain = "elsewhere".into();
    assert_eq!(
        refused(vec![odd]),
        "Abs `y`: the file does not say which version of the operators elsewhere it asks for"
    );
    let mut odd = node("Elu", &["x"], "y");
    odd.attribute.push(crate::proto::AttributeProto {
        name: "beta".into(),
        r#type: 1,
        ..Default::default()
    });
    assert_eq!(
        refused(vec![odd]),
        "Elu `y`: its attribute beta is not supported"
    );
    for (version, op, why) in [
        (
            6,
            "Dropout",
            "Dropout `y`: of version 6 it is not supported",
        ),
        (29, "Abs", "it asks for version 29 of the operators ai.onnx"),
    ] {
        let refusal = Model::read(model(version, vec![node(op, &["x"], "y")])).unwrap_err();
        assert!(refusal.0.starts_with(why), "{refusal}");
    }
}

#[test]
fn nodes_may_stand_in_any_order_unless_they_wait_for_each_other() {
    let nodes = vec![node("Neg", &["a"], "y"), node("Abs", &["x"], "a")];
    let sorted = Model::read(model(13, nodes)).unwrap();
    let given = sorted
        .run(vec![Tensor::f32(vec![2], vec![-1.0, 2.0])])
        .unwrap();
    assert_eq!(given, [Tensor::f32(vec![2], vec![-1.0, -2.0])]);
    let circle = vec![node("Neg", &["a"], "y"), node("Add", &["x", "y"], "a")];
    let why = Model::read(model(13, circle)).unwrap_err();
    assert!(
        why.0.contains("is read before anything computes it"),
        "{why}"
    );
}
