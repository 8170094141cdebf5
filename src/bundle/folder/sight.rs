//! What a folder says of models of images beside their processors: how a detector's outputs are boxes, and which two models find
//! and read text.

use serde::Deserialize;
use serde_json::{Value, json};
use smallfirst_image::ocr::Detector;

use super::config::Config;
use super::tasks::Asked;
use crate::bundle::check_path;
use crate::bundle::sight::Ocr;
use crate::error::{Code, Error, Result, excerpt};
use crate::task::TaskKind;

/// What a task of images has in a manifest.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) boxes: Option<Value>,
    pub(super) ocr: Option<Ocr>,
}

pub(super) fn parts(config: &Config, asked: Asked) -> Result<Parts> {
    Ok(match asked.kind {
        TaskKind::ObjectDetection => Parts {
            boxes: Some(boxes(config.class())?),
            ..Parts::default()
        },
        TaskKind::Ocr => Parts {
            ocr: Some(said(config)?.1),
            ..Parts::default()
        },
        _ => Parts::default(),
    })
}

/// How a class's outputs are boxes. One query of these is of one object, or of nothing; of the others each label has a probability
/// of its own.
const SOFTMAX: [&str; 3] = ["Detr", "TableTransformer", "Yolos"];
const SIGMOID: [&str; 6] = [
    "ConditionalDetr",
    "DFine",
    "DabDetr",
    "DeformableDetr",
    "RTDetr",
    "RTDetrV2",
];

fn boxes(class: Option<&str>) -> Result<Value> {
    let family = class.and_then(|class| class.strip_suffix("ForObjectDetection"));
    let is = |families: &[&str]| family.is_some_and(|family| families.contains(&family));
    let scores = match (is(&SOFTMAX), is(&SIGMOID)) {
        (true, _) => "softmax",
        (_, true) => "sigmoid",
        _ => {
            let all: Vec<&str> = SOFTMAX.iter().chain(&SIGMOID).copied().collect();
            return Err(Error::new(
                Code::ModelInvalid,
                format!(
                    "config.json names the class {}, and boxes are read of {} (…ForObjectDetection); write a manifest, which says \
                     under boxes how its outputs are to be read",
                    excerpt(class.unwrap_or("of none"), 60),
                    all.join(", ")
                ),
            ));
        }
    };
    Ok(json!({ "queries": scores }))
}

/// What finds lines of text, and how they are found and read.
fn said(config: &Config) -> Result<(String, Ocr)> {
    let wrong = |why: &str| Error::new(Code::ModelInvalid, format!("config.json: ocr {why}"));
    let Some(Value::Object(said)) = config.ocr() else {
        return Err(wrong(
            "is missing, which names the two models: {\"detector\": \"detector.onnx\", \"recogniser\": {\"file\": \"recogniser.onnx\"}}",
        ));
    };
    let mut said = said.clone();
    let Some(Value::String(detector)) = said.remove("detector") else {
        return Err(wrong(
            "names no detector: the path of the model that finds lines of text",
        ));
    };
    let ocr = Ocr::deserialize(Value::Object(said));
    let ocr =
        ocr.map_err(|why| wrong(&format!("is not read: {}", excerpt(&why.to_string(), 200))))?;
    for path in ocr.files().chain([detector.as_str()]) {
        check_path(path).map_err(|why| wrong(&why.to_string()))?;
    }
    Ok((detector, ocr))
}

/// The path of the model, where the folder itself says so.
pub(super) fn weights(config: &Config) -> Result<Option<String>> {
    match config.ocr() {
        None => Ok(None),
        Some(_) => said(config).map(|(detector, _)| Some(detector)),
    }
}

/// How an image becomes the tensor of a task's model, as a manifest has it.
pub(super) fn processor(config: &Config, asked: Asked) -> Result<Value> {
    if asked.kind != TaskKind::Ocr || config.has_processor() {
        return config.image_processor();
    }
    usual_detector()
}

/// How an image becomes the tensor of PP-OCR's detectors.
///
/// # Errors
/// Never, as long as a processor can be written.
pub fn usual_detector() -> Result<Value> {
    serde_json::to_value(Detector::default().processor).map_err(|why| {
        Error::new(
            Code::Internal,
            format!("a processor was not written: {why}"),
        )
    })
}

#[cfg(test)]
mod tests;
