use super::*;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{FunctionProto, ValueInfoProto};

fn node(operator: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        name: "n".into(),
        input: vec!["x".into()],
        output: vec!["y".into()],
        attribute: attributes,
        ..NodeProto::default()
    }
}

fn model(node: NodeProto, domain: &str, version: i64) -> ModelProto {
    let output = ValueInfoProto {
        name: "y".into(),
        ..ValueInfoProto::default()
    };
    ModelProto {
        opset_import: vec![OperatorSetIdProto {
            domain: domain.into(),
            version,
        }],
        graph: Some(GraphProto {
            node: vec![node],
            output: vec![output],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::String as i32,
        s: value.into(),
        ..AttributeProto::default()
    }
}

fn texts(name: &str, values: &[&str]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Strings as i32,
        strings: values.iter().map(|&value| value.into()).collect(),
        ..AttributeProto::default()
    }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Float as i32,
        f: value,
        ..AttributeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

/// What tract would answer with wrong numbers.
#[test]
fn what_is_not_honoured_is_refused_by_name() {
    let both = ["Sigmoid", "Tanh", "Relu", "Sigmoid", "Tanh", "Relu"];
    let cases = [
        (
            "LSTM",
            vec![text("direction", "reverse")],
            14,
            "direction reverse",
        ),
        (
            "GRU",
            vec![text("direction", "reverse")],
            14,
            "direction reverse",
        ),
        (
            "RNN",
            vec![texts("activations", &["Relu"])],
            14,
            "other activations than Tanh",
        ),
        (
            "LSTM",
            vec![
                text("direction", "bidirectional"),
                texts("activations", &both),
            ],
            14,
            "other activations than Sigmoid, Tanh, Tanh",
        ),
        ("GRU", vec![float("clip", 3.0)], 14, "attribute clip"),
        (
            "LSTM",
            vec![int("input_forget", 1)],
            14,
            "another input_forget than 0",
        ),
        (
            "Celu",
            vec![float("alpha", 2.0)],
            12,
            "another alpha than 1",
        ),
        (
            "Swish",
            vec![float("alpha", 0.5)],
            24,
            "another alpha than 1",
        ),
        (
            "SpaceToDepth",
            vec![text("mode", "CRD")],
            28,
            "another mode than DCR",
        ),
        ("GlobalLpPool", vec![], 13, "no operator GlobalLpPool"),
        (
            "BitShift",
            vec![text("direction", "LEFT")],
            28,
            "from opset 28 on",
        ),
        ("Relu", vec![float("leak", 0.1)], 13, "attribute leak"),
        (
            "TreeEnsembleClassifier",
            vec![ints("class_ids", &[0, 0])],
            13,
            "domain ai.onnx",
        ),
    ];
    for (operator, attributes, opset, why) in cases {
        let refused = check(&model(node(operator, attributes), "", opset)).unwrap_err();
        let words = refused.to_string();
        assert!(
            words.contains(why) && words.contains("node \"n\""),
            "{words}"
        );
    }
    let trees = |label: &str| NodeProto {
        domain: "ai.onnx.ml".into(),
        output: vec![label.into(), "p".into()],
        ..node("TreeEnsembleClassifier", vec![ints("class_ids", &[0, 0])])
    };
    let refused = check(&model(trees("y"), "ai.onnx.ml", 3)).unwrap_err();
    assert!(refused.to_string().contains("second output"), "{refused}");
    // Nobody reads the label.
    check(&model(trees("label"), "ai.onnx.ml", 3)).unwrap();
}

#[test]
fn what_is_honoured_passes() {
    let own = ["sigmoid", "Tanh", "Tanh", "Sigmoid", "Tanh", "Tanh"];
    let lstm = vec![
        text("direction", "bidirectional"),
        texts("activations", &own),
    ];
    let cases = [
        ("LSTM", lstm, 14),
        ("Celu", vec![float("alpha", 1.0)], 12),
        (
            "SpaceToDepth",
            vec![text("mode", "DCR"), int("blocksize", 2)],
            28,
        ),
        ("BitShift", vec![text("direction", "LEFT")], 27),
        ("TopK", vec![int("sorted", 0)], 11),
        ("Softmax", vec![int("axis", -1)], 13),
        // Which operators there are not, tract says.
        ("Unique", vec![int("axis", 0)], 13),
    ];
    for (operator, attributes, opset) in cases {
        check(&model(node(operator, attributes), "ai.onnx", opset)).unwrap();
    }
}

#[test]
fn other_operator_sets_domains_and_functions_are_refused() {
    let relu = || node("Relu", vec![]);
    for version in [6, 29] {
        let refused = check(&model(relu(), "", version)).unwrap_err();
        assert!(refused.to_string().contains("7 to 28"), "{refused}");
    }
    let foreign = NodeProto {
        domain: "org.example".into(),
        ..relu()
    };
    let refused = check(&model(foreign, "", 13)).unwrap_err();
    assert!(refused.to_string().contains("org.example"), "{refused}");
    // onnxruntime's Attention is another one than ONNX's.
    let attention = NodeProto {
        domain: "com.microsoft".into(),
        ..node("Attention", vec![])
    };
    assert!(check(&model(attention, "", 13)).is_err());
    let mut with_function = model(relu(), "", 13);
    with_function.functions.push(FunctionProto {
        name: Some("Relu".into()),
        ..FunctionProto::default()
    });
    let refused = check(&with_function).unwrap_err();
    assert!(refused.to_string().contains("function"), "{refused}");
}

/// Operators that tract registers, by their domains: none may be run that the table says nothing of.
#[test]
fn whatever_tract_has_is_in_the_table_or_refused() {
    // Forms that no exporter writes, or that were not checked.
    let refused = [
        "ConstantLike",
        "GatherBlockQuantized",
        "GlobalLpPool",
        "ParametricSoftplus",
        "Rsqrt",
        "ScaledTanh",
    ];
    let listed = |operator: &str| DOMAINS.iter().any(|(d, _)| honoured(d, operator).is_some());
    let known = tract_onnx::onnx().op_register;
    let mut missing: Vec<&String> = known.0.keys().filter(|op| !listed(op)).collect();
    missing.sort();
    assert_eq!(missing, refused);
    let rows = OPERATORS.lines().filter(|line| !line.starts_with('#'));
    for row in rows {
        let operator = row.split(' ').nth(1).unwrap();
        assert!(known.0.contains_key(operator), "tract has no {operator}");
    }
}
