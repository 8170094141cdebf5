//! Manifests of tasks that read images, broken one way at a time.

use serde_json::{Value, json};

use crate::bundle::{Bundle, Ocr, Recogniser};
use crate::error::{Code, Result};

/// A manifest of three tasks that read images.
pub(in crate::bundle) fn sample() -> Value {
    let file = || json!({ "bytes": 1, "sha256": "0".repeat(64), "license": "MIT" });
    let task = |kind: &str, labels: Value| {
        json!({
            "kind": kind, "input": "image", "title": "T", "instruction": "Do it.", "labels": labels,
            "limits": { "minBytes": 1, "maxBytes": 1000 }, "tiers": [kind]
        })
    };
    let features = || json!({ "kind": "image", "processor": { "scale": 0.5 } });
    json!({
        "format": "smallfirst-bundle", "version": 1, "name": "sample", "revision": "1",
        "files": { "d.onnx": file(), "f.onnx": file(), "r.onnx": file(), "r.txt": file() },
        "models": {
            "object-detection": { "file": "d.onnx", "features": features(), "boxes": { "queries": "softmax" } },
            "feature-extraction": { "file": "f.onnx", "features": features() },
            "ocr": {
                "file": "f.onnx", "features": features(),
                "ocr": { "recogniser": { "file": "r.onnx", "dictionary": "r.txt" } }
            },
        },
        "tasks": {
            // Numbers that nothing is behind have the same name in models of COCO.
            "object-detection": task("object-detection", json!([{ "id": "N/A" }, { "id": "cat" }, { "id": "N/A" }])),
            "feature-extraction": task("feature-extraction", json!([])),
            "ocr": task("ocr", json!([])),
        },
    })
}

fn parse(manifest: &Value) -> Result<Bundle> {
    Bundle::parse(manifest.to_string().as_bytes())
}

#[test]
fn the_sample_is_valid_and_names_all_of_its_files() {
    let bundle = parse(&sample()).unwrap();
    let files: Vec<&str> = bundle.files_of_head("ocr").into_iter().collect();
    assert_eq!(files, ["f.onnx", "r.onnx", "r.txt"]);
    let usual = Ocr::new(Recogniser::new("r.onnx", Some("r.txt".into())));
    assert_eq!(bundle.manifest().models["ocr"].ocr.as_ref(), Some(&usual));
    let written = serde_json::to_value(bundle.manifest()).unwrap();
    assert_eq!(parse(&written).unwrap().manifest(), bundle.manifest());
}

#[test]
fn each_rule_is_told_by_its_field() {
    let recogniser = json!({ "file": "r.onnx" });
    let ocr = |field: &str, value: Value| json!({ "recogniser": recogniser, field: value });
    let grid =
        |iou: f64| json!({ "grid": { "axes": "cellsFirst", "corners": "edges", "iou": iou } });
    for (at, value, part) in [
        (
            "/models/object-detection/boxes",
            json!({ "queries": "cosine" }),
            "boxes: ",
        ),
        (
            "/models/object-detection/boxes",
            grid(1.5),
            "boxes: iou is 1.5",
        ),
        ("/models/object-detection/boxes", Value::Null, "needs boxes"),
        ("/models/ocr/ocr", Value::Null, "needs ocr"),
        ("/models/ocr/ocr", json!({}), "recogniser"),
        (
            "/models/ocr/ocr",
            ocr("threshold", json!(1.0)),
            "ocr.threshold is 1",
        ),
        (
            "/models/ocr/ocr",
            ocr("boxThreshold", json!(-0.5)),
            "ocr.boxThreshold is -0.5",
        ),
        (
            "/models/ocr/ocr",
            ocr("unclip", json!(1e9)),
            "ocr.unclip is",
        ),
        ("/models/ocr/ocr", ocr("most", json!(0)), "ocr.most is 0"),
        (
            "/models/ocr/ocr",
            ocr("most", json!(1_000_000)),
            "ocr.most is 1000000",
        ),
        ("/models/ocr/ocr", ocr("mood", json!(1)), "mood"),
        (
            "/models/ocr/ocr/recogniser",
            json!({ "file": "x.onnx" }),
            "\"x.onnx\"",
        ),
        (
            "/models/ocr/ocr/recogniser",
            json!({ "file": "r.onnx", "dictionary": "x.txt" }),
            "\"x.txt\"",
        ),
        (
            "/models/ocr/ocr/recogniser",
            json!({ "file": "r.onnx", "height": 4000 }),
            "ocr.recogniser.height is 4000",
        ),
        (
            "/models/ocr/features",
            json!({ "kind": "byte-windows", "beginBytes": 1, "endBytes": 1, "blockBytes": 1, "padding": 0 }),
            "must read tokens, images",
        ),
        (
            "/models/ocr/features/processor",
            json!({ "scale": 1.0, "std": [0.0] }),
            "processor",
        ),
        ("/tasks/object-detection/labels", json!([]), "has 0 labels"),
        ("/tasks/ocr/labels", json!([{ "id": "a" }]), "has 1 labels"),
        ("/tasks/ocr/input", json!("text"), "does not read text"),
        ("/tasks/feature-extraction/input", json!("text"), "does not"),
        (
            "/tasks/feature-extraction/tiers",
            json!(["ocr"]),
            "for the kind ocr alone",
        ),
        (
            "/tasks/feature-extraction/tiers",
            json!(["object-detection"]),
            "for object-detection alone",
        ),
        ("/tasks/ocr/tiers", json!([]), "has no tiers"),
        ("/tasks/ocr/tiers", json!(["other"]), "\"other\""),
    ] {
        let mut manifest = sample();
        *manifest.pointer_mut(at).unwrap() = value;
        let error = parse(&manifest).unwrap_err();
        assert_eq!(error.code(), Code::BundleInvalid, "{at}: {error}");
        assert!(error.to_string().contains(part), "{at}: {error}");
    }
    for (field, value) in [
        ("mask", json!("[MASK]")),
        ("maxTokens", json!(5)),
        ("boxes", json!({ "queries": "softmax" })),
    ] {
        let mut manifest = sample();
        manifest["models"]["ocr"][field] = value;
        let error = parse(&manifest).unwrap_err();
        assert!(error.to_string().contains(field), "{field}: {error}");
    }
}
