//! The rules of what models of images have in a manifest.

use std::collections::BTreeMap;
use std::result;

use serde::Deserialize;
use serde_json::Value;
use smallfirst_image::ImageProcessor;
use smallfirst_image::ocr::Detector;

use super::Ocr;
use crate::bundle::manifest::{Features, TaskEntry, TaskModel};
use crate::task::kind::Boxes;
use crate::task::{InputKind, TaskKind};

/// The most regions that may be looked at: each that holds text is read by itself.
const MOST_REGIONS: u32 = 3000;

/// The lowest and the highest line that a model may read.
const HEIGHTS: std::ops::RangeInclusive<u32> = 8..=256;

/// How a detector's outputs are boxes.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn boxes(value: &Value) -> result::Result<Boxes, String> {
    let boxes = Boxes::deserialize(value).map_err(|why| format!("boxes: {why}"))?;
    boxes.check().map_err(|why| format!("boxes: {why}"))?;
    Ok(boxes)
}

/// What finds lines of text.
pub(crate) fn detector(ocr: &Ocr, processor: ImageProcessor) -> Detector {
    Detector {
        processor,
        threshold: ocr.threshold,
        box_threshold: ocr.box_threshold,
        unclip: ocr.unclip,
        most: ocr.most as usize,
    }
}

/// The rules of what a model has for images. `listed` tells whether the manifest has a file.
///
/// # Errors
/// Which field is wrong, and what it must be.
pub(in crate::bundle) fn check_model(
    model: &TaskModel,
    listed: impl Fn(&str) -> bool,
) -> result::Result<(), String> {
    let of_images = model.features.input() == InputKind::Image;
    if !of_images && (model.boxes.is_some() || model.ocr.is_some()) {
        return Err("boxes and ocr are for models that read images".into());
    }
    if of_images && (model.mask.is_some() || model.max_tokens.is_some()) {
        return Err("mask and maxTokens are for models that read texts".into());
    }
    if let Some(value) = &model.boxes {
        boxes(value)?;
    }
    let Some(ocr) = &model.ocr else {
        return Ok(());
    };
    if model.boxes.is_some() {
        return Err("boxes are of objects, and ocr is of text; a model has one of them".into());
    }
    for path in ocr.files() {
        if !listed(path) {
            return Err(format!(
                "ocr.recogniser names the file \"{path}\", which \"files\" does not list"
            ));
        }
    }
    for (field, value) in [
        ("threshold", ocr.threshold),
        ("boxThreshold", ocr.box_threshold),
    ] {
        if !(0.0..1.0).contains(&value) {
            return Err(format!("ocr.{field} is {value}, it must be 0 to below 1"));
        }
    }
    if !(0.0..=10.0).contains(&ocr.unclip) {
        return Err(format!("ocr.unclip is {}, it must be 0 to 10", ocr.unclip));
    }
    if !(1..=MOST_REGIONS).contains(&ocr.most) {
        return Err(format!(
            "ocr.most is {}, it must be 1 to {MOST_REGIONS}",
            ocr.most
        ));
    }
    let height = ocr.recogniser.height;
    match HEIGHTS.contains(&height) {
        true => Ok(()),
        false => Err(format!(
            "ocr.recogniser.height is {height}, it must be {} to {}",
            HEIGHTS.start(),
            HEIGHTS.end()
        )),
    }
}

/// That a task's models are for what it reads and gives.
///
/// # Errors
/// Which model is not, and what it lacks.
pub(in crate::bundle) fn check_task(
    task: &TaskEntry,
    models: &BTreeMap<String, TaskModel>,
) -> result::Result<(), String> {
    for name in &task.tiers {
        let Some(model) = models.get(name) else {
            continue;
        };
        let wrong = |why: &str| Err(format!("its model \"{name}\" {why}"));
        let of_images = matches!(model.features, Features::Image { .. });
        if of_images != (task.input == InputKind::Image) {
            return wrong("reads something else");
        }
        if (task.kind == TaskKind::ObjectDetection) != model.boxes.is_some() {
            return wrong(
                "needs boxes, which say how its outputs are boxes, for object-detection alone",
            );
        }
        if (task.kind == TaskKind::Ocr) != model.ocr.is_some() {
            return wrong(
                "needs ocr, which names the model that reads a line, for the kind ocr alone",
            );
        }
    }
    Ok(())
}
