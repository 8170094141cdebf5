//! Folders of models of images.

use serde_json::json;

use super::*;
use crate::bundle::folder::{Descriptions, asked, bundle, manifest, weights};
use crate::bundle::{Features, Manifest};
use crate::task::InputKind;

fn folder(config: Value, processor: Option<Value>) -> Descriptions {
    let processor = processor.map(|processor| ("preprocessor_config.json".to_owned(), processor));
    [("config.json".to_owned(), config)]
        .into_iter()
        .chain(processor)
        .collect()
}

fn made(descriptions: &Descriptions, task: Option<&str>) -> Result<Manifest> {
    let asked = asked(descriptions, task)?;
    let stated = weights(descriptions)?;
    let path = stated.as_deref().unwrap_or("onnx/model.onnx");
    let manifest = manifest("x", descriptions, path, asked)?;
    bundle(&manifest)?;
    Ok(manifest)
}

fn vit() -> Value {
    json!({ "image_processor_type": "ViTImageProcessor" })
}

#[test]
fn a_detectors_class_tells_how_its_outputs_are_boxes() {
    let labels = json!({ "0": "N/A", "1": "cat", "2": "N/A" });
    for (class, processor, boxes) in [
        ("DetrForObjectDetection", "DetrFeatureExtractor", "softmax"),
        ("YolosForObjectDetection", "YolosImageProcessor", "softmax"),
        (
            "RTDetrForObjectDetection",
            "RTDetrImageProcessor",
            "sigmoid",
        ),
        (
            "ConditionalDetrForObjectDetection",
            "ConditionalDetrImageProcessor",
            "sigmoid",
        ),
    ] {
        let config = json!({ "architectures": [class], "id2label": labels });
        let processor = json!({ "image_processor_type": processor });
        let manifest = made(&folder(config, Some(processor)), None).unwrap();
        let task = &manifest.tasks["object-detection"];
        assert_eq!(
            (task.kind, task.input),
            (TaskKind::ObjectDetection, InputKind::Image)
        );
        assert_eq!(task.labels.len(), 3);
        let model = &manifest.models["object-detection"];
        assert_eq!(model.boxes, Some(json!({ "queries": boxes })), "{class}");
        assert!(manifest.tokenizers.is_empty());
    }
    let config = json!({ "architectures": ["OwlViTForObjectDetection"], "id2label": labels });
    let fault = made(&folder(config, Some(vit())), None).unwrap_err();
    assert_eq!(fault.code(), Code::ModelInvalid);
    assert!(fault.to_string().contains("OwlViT"), "{fault}");
}

#[test]
fn a_model_without_a_head_is_of_images_where_the_folder_has_their_processor() {
    let config = || json!({ "architectures": ["Dinov2Model"] });
    let of_images = folder(config(), Some(vit()));
    let manifest = made(&of_images, None).unwrap();
    let task = &manifest.tasks["image-feature-extraction"];
    assert_eq!(
        (task.kind, task.input),
        (TaskKind::FeatureExtraction, InputKind::Image)
    );
    assert!(matches!(
        manifest.models["image-feature-extraction"].features,
        Features::Image { .. }
    ));
    let both = {
        let mut both = of_images.clone();
        both.insert("tokenizer_config.json".to_owned(), json!({}));
        both
    };
    assert!(
        made(&both, None)
            .unwrap()
            .tasks
            .contains_key("feature-extraction")
    );
    assert!(made(&both, Some("image-feature-extraction")).is_ok());
    let of_sound = json!({ "feature_extractor_type": "Wav2Vec2FeatureExtractor" });
    let of_sound = folder(config(), Some(of_sound));
    assert_ne!(
        asked(&of_sound, None).unwrap().task,
        "image-feature-extraction"
    );
    let fault = made(&folder(config(), None), Some("image-feature-extraction")).unwrap_err();
    assert!(
        fault.to_string().contains("preprocessor_config.json"),
        "{fault}"
    );
}

#[test]
fn two_models_of_text_are_named_by_the_configuration() {
    let config = |ocr: Value| folder(json!({ "model_type": "pp-ocr", "ocr": ocr }), None);
    let said = json!({
        "detector": "det.onnx", "unclip": 1.5, "recogniser": { "file": "rec.onnx", "dictionary": "keys.txt" }
    });
    for task in [None, Some("ocr"), Some("image-to-text")] {
        let manifest = made(&config(said.clone()), task).unwrap();
        let task = &manifest.tasks["image-to-text"];
        assert_eq!((task.kind, task.input), (TaskKind::Ocr, InputKind::Image));
        let model = &manifest.models["image-to-text"];
        assert_eq!(model.file, "det.onnx");
        assert_eq!(model.ocr.as_ref().unwrap().unclip, 1.5);
        let files: Vec<&str> = manifest.files.keys().map(String::as_str).collect();
        assert_eq!(files, ["det.onnx", "keys.txt", "rec.onnx"]);
    }
    let recogniser = json!({ "file": "rec.onnx" });
    for (ocr, part) in [
        (json!("det.onnx"), "is missing"),
        (json!({ "recogniser": recogniser }), "names no detector"),
        (json!({ "detector": "det.onnx" }), "recogniser"),
        (
            json!({ "detector": "../det.onnx", "recogniser": recogniser }),
            "../det.onnx",
        ),
        (
            json!({ "detector": "det.onnx", "recogniser": { "file": "/rec.onnx" } }),
            "/rec.onnx",
        ),
        (
            json!({ "detector": "det.onnx", "recogniser": recogniser, "mood": 1 }),
            "mood",
        ),
    ] {
        let fault = made(&config(ocr), None).unwrap_err();
        assert_eq!(fault.code(), Code::ModelInvalid, "{fault}");
        assert!(fault.to_string().contains(part), "{fault}");
    }
    let none = folder(json!({ "model_type": "pp-ocr" }), None);
    let fault = made(&none, Some("ocr")).unwrap_err();
    assert!(fault.to_string().contains("detector.onnx"), "{fault}");
}
