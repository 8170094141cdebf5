use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorTypeProto,
    TypeProto, ValueInfoProto,
};
use crate::tensor::{Data, Tensor};
use crate::{Fault, Model};

fn attribute(name: &str, kind: i32) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: kind,
        ..AttributeProto::default()
    }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        ints: ints.to_vec(),
        ..attribute(name, 7)
    }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto {
        floats: floats.to_vec(),
        ..attribute(name, 6)
    }
}

fn texts(name: &str, texts: &[&str]) -> AttributeProto {
    AttributeProto {
        strings: texts.iter().map(|t| t.as_bytes().to_vec().into()).collect(),
        ..attribute(name, 8)
    }
}

fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto {
        s: text.as_bytes().to_vec().into(),
        ..attribute(name, 3)
    }
}

/// Runs a model of one node on floats.
fn run(
    op: &str,
    results: usize,
    attributes: Vec<AttributeProto>,
    x: Tensor,
) -> Result<Vec<Tensor>, Fault> {
    let names: Vec<String> = (0..results).map(|at| format!("y{at}")).collect();
    let value = |name: &str, elem_type: i32| ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type,
                ..TensorTypeProto::default()
            }),
            ..TypeProto::default()
        }),
    };
    let model = ModelProto {
        opset_import: vec![OperatorSetIdProto {
            domain: "ai.onnx.ml".into(),
            version: 3,
        }],
        graph: Some(GraphProto {
            node: vec![NodeProto {
                op_type: op.into(),
                domain: "ai.onnx.ml".into(),
                input: vec!["x".into()],
                output: names.clone(),
                attribute: attributes,
                ..NodeProto::default()
            }],
            input: vec![value("x", 1)],
            output: names.iter().map(|name| value(name, 0)).collect(),
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    };
    Model::of(&model)?.run(vec![x])
}

/// One tree of a node and two leaves. Its classifier votes with these weights, for these classes.
fn tree(
    next: [i64; 2],
    classes: &[i64],
    weights: &[f32],
    more: Vec<AttributeProto>,
) -> Vec<AttributeProto> {
    let mut all = vec![
        ints("nodes_treeids", &[0, 0, 0]),
        ints("nodes_nodeids", &[0, 1, 2]),
        ints("nodes_featureids", &[0, 0, 0]),
        floats("nodes_values", &[0.5, 0.0, 0.0]),
        texts("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF"]),
        ints("nodes_truenodeids", &[next[0], 0, 0]),
        ints("nodes_falsenodeids", &[next[1], 0, 0]),
        ints("nodes_missing_value_tracks_true", &[1, 0, 0]),
        ints("class_treeids", &vec![0; classes.len()]),
        ints(
            "class_nodeids",
            &(1..=classes.len() as i64).collect::<Vec<_>>(),
        ),
        ints("class_ids", classes),
        floats("class_weights", weights),
        ints("classlabels_int64s", &[7, 8]),
    ];
    all.extend(more);
    all
}

fn rows(values: &[f32]) -> Tensor {
    Tensor::f32(vec![values.len(), 1], values.to_vec())
}

#[test]
fn two_classes_with_one_score() {
    let x = || rows(&[0.0, 1.0, f32::NAN]);
    let run = |weights: &[f32], more| {
        run(
            "TreeEnsembleClassifier",
            2,
            tree([1, 2], &[0, 0], weights, more),
            x(),
        )
    };
    // Probabilities.
    let given = run(&[0.25, 0.75], vec![]).unwrap();
    assert_eq!(given[0].data, Data::I64(vec![7, 8, 7]));
    assert_eq!(
        given[1].data,
        Data::F32(vec![0.75, 0.25, 0.25, 0.75, 0.75, 0.25])
    );
    // Scores of any sign.
    let given = run(&[-2.0, 3.0], vec![]).unwrap();
    assert_eq!(given[0].data, Data::I64(vec![7, 8, 7]));
    assert_eq!(
        given[1].data,
        Data::F32(vec![2.0, -2.0, -3.0, 3.0, 2.0, -2.0])
    );
    // The logistic function is honoured although no weight is negative.
    let given = run(&[0.0, 3.0], vec![text("post_transform", "LOGISTIC")]).unwrap();
    assert_eq!(given[0].data, Data::I64(vec![7, 8, 7]));
    assert_eq!(given[1].f32s().unwrap()[0], 0.5);
    assert!(run(&[0.0, 3.0], vec![text("post_transform", "SOFTMAX")]).is_err());
}

#[test]
fn trees_that_lead_nowhere_are_refused() {
    for next in [[0, 2], [1, 9], [1, -1]] {
        let attributes = tree(next, &[0, 0], &[0.25, 0.75], vec![]);
        assert!(run("TreeEnsembleClassifier", 2, attributes, rows(&[0.0])).is_err());
    }
    let attributes = tree([1, 2], &[0, 5], &[0.25, 0.75], vec![]);
    assert!(run("TreeEnsembleClassifier", 2, attributes, rows(&[0.0])).is_err());
    // No feature is there for the trees to look at.
    let attributes = tree([1, 2], &[0, 0], &[0.25, 0.75], vec![]);
    let none = Tensor::f32(vec![3, 0], vec![]);
    assert!(run("TreeEnsembleClassifier", 2, attributes, none).is_err());
}

#[test]
fn maps_are_refused_or_handed_on() {
    let given = run(
        "DictVectorizer",
        1,
        vec![texts("string_vocabulary", &["a"])],
        rows(&[1.0]),
    );
    assert!(given.unwrap_err().0.contains("reads a map"));
    let scores = Tensor::f32(vec![1, 2], vec![0.25, 0.75]);
    let labels = || vec![texts("classlabels_strings", &["a", "b"])];
    assert_eq!(
        run("ZipMap", 1, labels(), scores.clone()).unwrap(),
        [scores]
    );
    assert!(run("ZipMap", 1, labels(), rows(&[1.0])).is_err());
}

#[test]
fn attributes_that_do_not_fit_each_other_are_refused() {
    let refused =
        |op: &str, attributes| assert!(run(op, 1, attributes, rows(&[1.0])).is_err(), "{op}");
    refused(
        "Scaler",
        vec![floats("scale", &[1.0]), floats("offset", &[1.0, 2.0])],
    );
    refused("Imputer", vec![floats("imputed_value_floats", &[])]);
    refused(
        "FeatureVectorizer",
        vec![ints("inputdimensions", &[i64::MAX])],
    );
    refused("FeatureVectorizer", vec![ints("inputdimensions", &[-1])]);
    refused(
        "LabelEncoder",
        vec![
            floats("keys_floats", &[1.0]),
            ints("values_int64s", &[1, 2]),
        ],
    );
    refused(
        "LinearRegressor",
        vec![floats("coefficients", &[1.0]), ints("no", &[])],
    );
    refused("LinearRegressor", vec![floats("coefficients", &[])]);
    refused(
        "SVMRegressor",
        vec![floats("coefficients", &[1.0]), floats("rho", &[])],
    );
    refused("OneHotEncoder", vec![]);
    refused(
        "SVMClassifier",
        vec![
            ints("vectors_per_class", &[i64::MAX, i64::MAX]),
            ints("classlabels_ints", &[0, 1]),
            floats("coefficients", &[1.0]),
            floats("rho", &[0.0]),
        ],
    );
}
