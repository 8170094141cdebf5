//! Tasks that read images, with models of a few nodes in files.

use prost::Message;
use smallfirst_onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};

use super::*;
use crate::runtime::KindCall;
use crate::task::Pixels;
use crate::task::kind::{KindOptions, KindOutput, Vectors};

/// An input or output of floats (1) or whole numbers (7); -1 is any length.
fn port(name: &str, ty: i32, shape: &[i64]) -> ValueInfoProto {
    let dim = |&length: &i64| DimensionProto {
        dim_value: Some(length).filter(|length| *length > 0),
        ..DimensionProto::default()
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: ty,
                shape: Some(TensorShapeProto {
                    dim: shape.iter().map(dim).collect(),
                }),
            }),
            ..TypeProto::default()
        }),
    }
}

/// A model that gives constants, and the means of its image's channels as `pooler_output`.
fn painted(inputs: Vec<ValueInfoProto>, constants: &[(&str, &[i64], Vec<f32>)]) -> ModelProto {
    let mut graph = GraphProto {
        name: "painted".into(),
        ..GraphProto::default()
    };
    for (name, shape, numbers) in constants {
        graph.initializer.push(TensorProto {
            name: format!("{name}-weights"),
            data_type: 1,
            dims: shape.to_vec(),
            float_data: numbers.clone(),
            ..TensorProto::default()
        });
        graph.node.push(NodeProto {
            op_type: "Identity".into(),
            input: vec![format!("{name}-weights")],
            output: vec![(*name).into()],
            ..NodeProto::default()
        });
        graph.output.push(port(name, 1, shape));
    }
    if constants.is_empty() {
        graph.node.push(NodeProto {
            op_type: "ReduceMean".into(),
            input: vec!["pixel_values".into()],
            output: vec!["pooler_output".into()],
            attribute: vec![AttributeProto {
                name: "axes".into(),
                r#type: 7,
                ints: vec![2, 3],
                ..AttributeProto::default()
            }],
            ..NodeProto::default()
        });
        graph.output.push(port("pooler_output", 1, &[1, 3, 1, 1]));
    }
    graph.input = inputs;
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            version: 13,
            ..OperatorSetIdProto::default()
        }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

fn pixels() -> ValueInfoProto {
    port("pixel_values", 1, &[1, 3, -1, -1])
}

/// A detector of one cat, with the mask that DETR's exports have.
fn detector() -> ModelProto {
    let mask = port("pixel_mask", 7, &[1, 64, 64]);
    painted(
        vec![pixels(), mask],
        &[
            ("logits", &[1, 1, 2], vec![4.0, 0.0]),
            ("pred_boxes", &[1, 1, 4], vec![0.5, 0.5, 0.5, 0.5]),
        ],
    )
}

/// A map of 64 x 64 with one line, and what is read in it.
fn finds() -> ModelProto {
    let mut map = vec![0.0; 64 * 64];
    (20..32).for_each(|y| map[y * 64 + 10..y * 64 + 54].fill(0.9));
    painted(
        vec![port("x", 1, &[-1, 3, -1, -1])],
        &[("maps", &[1, 1, 64, 64], map)],
    )
}

fn reads(metadata: bool) -> ModelProto {
    let steps = vec![0.0, 0.9, 0.1, 0.0, 0.9, 0.0, 0.1, 0.0, 0.0, 0.1, 0.9, 0.0];
    let mut model = painted(
        vec![port("x", 1, &[-1, 3, 48, -1])],
        &[("softmax", &[1, 3, 4], steps)],
    );
    if metadata {
        model.metadata_props.push(StringStringEntryProto {
            key: "character".into(),
            value: "H\ni".into(),
        });
    }
    model
}

/// A bundle of three tasks over these models.
fn runtime(models: [(&str, ModelProto); 4], dictionary: Option<&[u8]>) -> Runtime<Folder> {
    let (bundle, source) = bundle(models, dictionary);
    Runtime::new(bundle, source, Mode::OnlyLocal, RemoteOptions::default()).unwrap()
}

fn bundle(models: [(&str, ModelProto); 4], dictionary: Option<&[u8]>) -> (Bundle, Folder) {
    let mut files: BTreeMap<String, Vec<u8>> = models
        .into_iter()
        .map(|(path, model)| (path.to_owned(), model.encode_to_vec()))
        .collect();
    let mut recogniser = json!({ "file": "reads.onnx" });
    if let Some(dictionary) = dictionary {
        files.insert("keys.txt".to_owned(), dictionary.to_vec());
        recogniser["dictionary"] = json!("keys.txt");
    }
    let entries: BTreeMap<&String, Value> = files
        .iter()
        .map(|(path, bytes)| {
            let hash: String = Sha256::digest(bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            (
                path,
                json!({ "bytes": bytes.len(), "sha256": hash, "license": "MIT" }),
            )
        })
        .collect();
    let features = json!({ "kind": "image", "processor": { "scale": 0.003_921_568_627_450_98 } });
    let task = |kind: &str, labels: Value| {
        json!({
            "kind": kind, "input": "image", "title": "T", "instruction": "Do it.", "labels": labels,
            "limits": { "minBytes": 1, "maxBytes": 40_000_000 }, "tiers": [kind]
        })
    };
    let manifest = json!({
        "format": "smallfirst-bundle", "version": 1, "name": "sample", "revision": "1", "files": entries,
        "models": {
            "object-detection": { "file": "finds-objects.onnx", "features": features, "boxes": { "queries": "softmax" } },
            "feature-extraction": { "file": "vectors.onnx", "features": features },
            "ocr": { "file": "finds.onnx", "features": features, "ocr": { "recogniser": recogniser } },
        },
        "tasks": {
            "object-detection": task("object-detection", json!([{ "id": "cat" }])),
            "feature-extraction": task("feature-extraction", json!([])),
            "ocr": task("ocr", json!([])),
        },
    });
    let bundle = Bundle::parse(manifest.to_string().as_bytes()).unwrap();
    let source = Folder {
        files,
        reads: RefCell::default(),
    };
    (bundle, source)
}

fn usual() -> Runtime<Folder> {
    usual_with(Mode::OnlyLocal, RemoteOptions::default())
}

fn usual_with(mode: Mode, remote: RemoteOptions) -> Runtime<Folder> {
    let vectors = painted(vec![pixels()], &[]);
    let models = [
        ("finds-objects.onnx", detector()),
        ("vectors.onnx", vectors),
        ("finds.onnx", finds()),
        ("reads.onnx", reads(true)),
    ];
    let (bundle, source) = bundle(models, None);
    Runtime::new(bundle, source, mode, remote).unwrap()
}

/// Half red, half green.
fn image(width: u32, height: u32) -> Pixels {
    let color = |at: u32| match at % width < width / 2 {
        true => [255, 0, 0, 255],
        false => [0, 255, 0, 255],
    };
    let rgba = (0..width * height).flat_map(color).collect();
    Pixels::new(width, height, rgba).unwrap()
}

fn asked(
    runtime: &Runtime<Folder>,
    task: &str,
    input: Input<'_>,
    options: KindOptions,
) -> Result<Answer<KindOutput>> {
    let remote = Remote::failing();
    let call = KindCall {
        risk: None,
        task,
        input,
        mode: None,
        dry: false,
        options,
    };
    remote.0.block_on(runtime.perform(&call, &remote.0))
}

#[test]
fn images_are_answered_by_their_models() {
    let runtime = usual();
    let image = image(64, 64);
    let plain = KindOptions::default;
    let answer = asked(&runtime, "object-detection", Input::Image(&image), plain()).unwrap();
    assert_eq!(
        (answer.reason, answer.calibrated),
        (Reason::LocalOnly, false)
    );
    assert!(
        answer
            .confidence
            .is_some_and(|sure| (sure - 0.982).abs() < 1e-3)
    );
    let KindOutput::Objects(objects) = answer.output else {
        panic!("{:?}", answer.output)
    };
    assert_eq!(objects.objects[0].label, "cat");
    assert_eq!(objects.objects[0].bounds.xmax, 48.0);
    let pool = KindOptions {
        pool: Some(true),
        ..plain()
    };
    let answer = asked(&runtime, "feature-extraction", Input::Image(&image), pool).unwrap();
    assert_eq!(answer.confidence, None);
    let KindOutput::Vectors(vectors) = answer.output else {
        panic!("{:?}", answer.output)
    };
    assert_eq!(
        (vectors.data, vectors.dims),
        (Vectors::F32(vec![0.5, 0.5, 0.0]), vec![1, 3])
    );
    let answer = asked(&runtime, "ocr", Input::Image(&image), plain()).unwrap();
    let json = serde_json::to_value(&answer.output).unwrap();
    assert_eq!(json["text"], "Hi");
    assert_eq!(json["lines"][0]["quad"][0].as_array().unwrap().len(), 2);
    assert_eq!(
        serde_json::from_value::<KindOutput>(json).unwrap(),
        answer.output
    );
    assert!(runtime.tasks().iter().all(|task| task.tiers[0].loaded));
}

#[test]
fn preloading_reads_both_models_and_the_characters() {
    let vectors = painted(vec![pixels()], &[]);
    let models = [
        ("finds-objects.onnx", detector()),
        ("vectors.onnx", vectors),
        ("finds.onnx", finds()),
        ("reads.onnx", reads(false)),
    ];
    let runtime = runtime(models, Some("o\nk\n".as_bytes()));
    let tasks = ["ocr".to_owned()];
    let preload = runtime.preload(Some(&tasks), Tiers::First, || async { Ok(()) });
    Remote::failing().0.block_on(preload).unwrap();
    let mut read = runtime.source().reads.borrow().clone();
    read.sort();
    assert_eq!(read, ["finds.onnx", "keys.txt", "reads.onnx"]);
    let image = image(64, 64);
    let answer = asked(
        &runtime,
        "ocr",
        Input::Image(&image),
        KindOptions::default(),
    )
    .unwrap();
    let json = serde_json::to_value(&answer.output).unwrap();
    assert_eq!(json["text"], "ok");
}

#[test]
fn inputs_that_are_no_images_or_too_large_are_refused() {
    let runtime = usual();
    for input in [Input::Text("a"), Input::Bytes(b"a")] {
        let error = asked(&runtime, "ocr", input, KindOptions::default()).unwrap_err();
        assert_eq!(error.code(), Code::InputKind, "{error}");
    }
    let long = image(9000, 2000);
    let error = asked(&runtime, "ocr", Input::Image(&long), KindOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::InputTooLong, "{error}");
    let dot = image(1, 1);
    let answer = asked(
        &runtime,
        "object-detection",
        Input::Image(&dot),
        KindOptions::default(),
    );
    let KindOutput::Objects(objects) = answer.unwrap().output else {
        panic!()
    };
    assert_eq!((objects.width, objects.height), (1, 1));
}

#[test]
fn models_that_are_for_something_else_are_refused_by_their_files() {
    let good = || {
        [
            ("finds-objects.onnx", detector()),
            ("vectors.onnx", painted(vec![pixels()], &[])),
            ("finds.onnx", finds()),
            ("reads.onnx", reads(true)),
        ]
    };
    let with = |at: usize, model: ModelProto, dictionary: Option<&[u8]>| {
        let mut models = good();
        models[at].1 = model;
        runtime(models, dictionary)
    };
    let ids = port("input_ids", 7, &[1, -1]);
    let text = painted(
        vec![ids, port("attention_mask", 7, &[1, -1])],
        &[("y", &[1], vec![0.0])],
    );
    let mask = painted(
        vec![port("pixel_mask", 7, &[1, 1 << 30, 4]), pixels()],
        &[("y", &[1], vec![0.0])],
    );
    let two = painted(
        vec![pixels(), port("images", 1, &[1, 3, 2, 2])],
        &[("logits", &[1], vec![0.0])],
    );
    let small = painted(vec![port("pixel_values", 1, &[1, 1, 8, 8])], &[]);
    let endless = painted(
        vec![pixels()],
        &[
            ("logits", &[1, 1, 2], vec![f32::NAN, 0.0]),
            ("pred_boxes", &[1, 1, 4], vec![0.5; 4]),
        ],
    );
    for (runtime, task, code, parts) in [
        (
            with(0, text, None),
            "object-detection",
            Code::ModelInvalid,
            ["finds-objects.onnx", "input_ids"],
        ),
        (
            with(0, mask, None),
            "object-detection",
            Code::ModelOutput,
            ["finds-objects.onnx", "pixel_mask"],
        ),
        (
            with(0, two, None),
            "object-detection",
            Code::ModelOutput,
            ["finds-objects.onnx", "two inputs"],
        ),
        (
            with(0, endless, None),
            "object-detection",
            Code::ModelOutput,
            ["finds-objects.onnx", "NaN"],
        ),
        (
            with(1, small, None),
            "feature-extraction",
            Code::ModelOutput,
            ["vectors.onnx", ""],
        ),
        (
            with(2, detector(), None),
            "ocr",
            Code::ModelOutput,
            ["finds.onnx", "maps"],
        ),
        (
            with(3, reads(false), None),
            "ocr",
            Code::ModelInvalid,
            ["reads.onnx", "dictionary"],
        ),
        (
            with(3, reads(true), Some(b"\xff")),
            "ocr",
            Code::ModelInvalid,
            ["keys.txt", "UTF-8"],
        ),
        (
            with(3, reads(true), Some(b"a\nb\nc\nd")),
            "ocr",
            Code::ModelOutput,
            ["reads.onnx", "4 characters"],
        ),
    ] {
        let image = image(64, 64);
        let error =
            asked(&runtime, task, Input::Image(&image), KindOptions::default()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        let said = error.to_string();
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
}

mod remote;
