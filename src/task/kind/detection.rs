//! Objects in an image (object detection): where each is, what it is, and how sure the model is of that.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smallfirst_image::detect::{Detection, Grid, Scores, grid, listed, queries, rows};
use smallfirst_image::{Geometry, ImageProcessor, Pixels};

use super::edges::{self, BoundingBox, Edges};
use super::forward::{Values, misshapen, named};
use super::schema::object_of;
use super::sees::{Sees, unfit};
use crate::error::{Code, Error, Result};
use crate::task::{Label, json_of, label_lines, unknown_label};

/// From which score on a box is given, where nobody says.
const THRESHOLD: f64 = 0.5;

/// Boxes below this are of nothing: they do not count as left out.
const NOTHING: f64 = 0.05;

/// How a detector's outputs are boxes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Boxes {
    /// `logits` and `pred_boxes` of a set of queries: DETR and its kin.
    Queries(Scores),
    /// `boxes` by their edges, `labels` and `scores`, one for each.
    Listed {
        /// Whether edges are in parts of the tensor's lengths; otherwise they are in its pixels.
        #[serde(default)]
        parts: bool,
    },
    /// One output of rows: a box's edges, its score and the number of its label.
    Rows {
        /// As in `listed`.
        #[serde(default)]
        parts: bool,
    },
    /// One output with a box for each cell of a grid: raw exports of the YOLO kind.
    Grid(Grid),
}

impl Boxes {
    /// Holds it against what can be.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> std::result::Result<(), String> {
        match self {
            Boxes::Grid(grid) if !(0.0..=1.0).contains(&grid.iou) => {
                Err(format!("iou is {}, it must be 0 to 1", grid.iou))
            }
            _ => Ok(()),
        }
    }

    /// The boxes of a score above this one, the surest first.
    fn read(
        &self,
        values: &[Values],
        labels: usize,
        geometry: &Geometry,
        threshold: f32,
        model: &dyn Sees,
    ) -> Result<Vec<Detection>> {
        let output = |names: &[&str]| exactly(model, values, names);
        let counted = |values: &Values, given: Option<&usize>, beside: usize| {
            let wanted = labels + beside;
            match given == Some(&wanted) {
                true => Ok(()),
                false => {
                    let wanted = format!("{wanted} numbers each, for {labels} labels,");
                    Err(misshapen(model.name(), values, &wanted))
                }
            }
        };
        let found = match self {
            Boxes::Queries(scores) => {
                let logits = output(&["logits"])?;
                let boxes = output(&["pred_boxes"])?;
                // Of a softmax, the last is of nothing.
                let beside = usize::from(*scores == Scores::Softmax);
                counted(logits, logits.shape.last(), beside)?;
                let logits = (&logits.numbers[..], &logits.shape[..]);
                queries(logits, &boxes.numbers, *scores, geometry, threshold)
            }
            Boxes::Listed { parts } => {
                let boxes = output(&["boxes", "pred_boxes"])?;
                let scores = output(&["scores"])?;
                let ids = output(&["labels", "classes"])?;
                let ids: Vec<i64> = ids.numbers.iter().map(|&id| id as i64).collect();
                let (boxes, scores) = (&boxes.numbers, &scores.numbers);
                listed(boxes, &ids, scores, *parts, geometry, threshold)
            }
            Boxes::Rows { parts } => {
                let six = named(model.name(), values, &["output0", "output"])?;
                let six = (&six.numbers[..], &six.shape[..]);
                rows(six, *parts, geometry, threshold)
            }
            Boxes::Grid(layout) => {
                let cells = named(model.name(), values, &["output0", "output"])?;
                let numbers = match layout.axes {
                    smallfirst_image::detect::Axes::CellsFirst => cells.shape.last(),
                    smallfirst_image::detect::Axes::NumbersFirst => cells.shape.get(1),
                };
                counted(cells, numbers, 4 + usize::from(layout.objectness))?;
                let cells = (&cells.numbers[..], &cells.shape[..]);
                grid(cells, layout, geometry, threshold)
            }
        };
        let found = found.map_err(|why| unfit(model, why))?;
        match found.iter().find(|one| one.label >= labels) {
            None => Ok(found),
            Some(odd) => Err(Error::new(
                Code::ModelOutput,
                format!(
                    "{} gave the label {}, and there are {labels}",
                    model.name(),
                    odd.label
                ),
            )),
        }
    }
}

/// The output of one of these names, also where there is only one output.
fn exactly<'v>(model: &dyn Sees, values: &'v [Values], names: &[&str]) -> Result<&'v Values> {
    let found = named(model.name(), values, names)?;
    match names.contains(&found.name.as_str()) {
        true => Ok(found),
        false => Err(Error::new(
            Code::ModelOutput,
            format!("{} gives no {}", model.name(), names.join(" or ")),
        )),
    }
}

/// An object in an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct FoundObject {
    /// What it is.
    pub label: String,
    /// How likely it is that, 0 to 1; `null` where a remote answered.
    pub score: Option<f64>,
    /// Where it is.
    #[serde(rename = "box")]
    pub bounds: BoundingBox,
}

/// The objects in an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ObjectsOutput {
    /// They, the surest first; none where nothing is found.
    pub objects: Vec<FoundObject>,
    /// How wide the image is, in pixels.
    pub width: u32,
    /// How high it is.
    pub height: u32,
}

/// What is asked for.
pub(super) struct Asked {
    pub(super) threshold: Option<f64>,
    pub(super) top: Option<usize>,
}

pub(super) fn perform(
    pixels: &Pixels,
    labels: &[Label],
    asked: &Asked,
    (processor, boxes): (&ImageProcessor, &Boxes),
    model: &mut dyn Sees,
) -> Result<(ObjectsOutput, f64)> {
    let input = processor.process(pixels)?;
    let geometry = input.geometry;
    let values = model.run(input)?;
    let threshold = asked.threshold.unwrap_or(THRESHOLD);
    let least = threshold.min(NOTHING) as f32;
    let all = boxes.read(&values, labels.len(), &geometry, least, model)?;
    let (found, left): (Vec<Detection>, Vec<Detection>) = all
        .into_iter()
        .partition(|one| f64::from(one.score) > threshold);
    let objects = found.into_iter().filter_map(|one| {
        Some(FoundObject {
            label: labels.get(one.label)?.id.clone(),
            score: Some(f64::from(one.score)),
            bounds: BoundingBox::within(one.rect, pixels)?,
        })
    });
    let objects: Vec<FoundObject> = objects.take(asked.top.unwrap_or(usize::MAX)).collect();
    // Each box is given or left out: the least sure of these decisions.
    let given = objects.iter().filter_map(|one| one.score);
    let confidence = given
        .chain(left.iter().map(|one| 1.0 - f64::from(one.score)))
        .fold(1.0, f64::min);
    let output = ObjectsOutput {
        objects,
        width: pixels.width(),
        height: pixels.height(),
    };
    Ok((output, confidence))
}

/// What a remote is told of the shape of its answer.
pub(super) fn rules(labels: &[Label]) -> String {
    let shape = format!(
        "Answer with JSON only: {{\"objects\": [{{\"label\": …, \"box\": {{\"xmin\": …, \"ymin\": …, \"xmax\": …, \"ymax\": …}}}}]}}, with every object \
         that is to be seen, the surest first, or none. {} The labels are exactly these:",
        edges::RULE
    );
    label_lines(&shape, labels)
}

/// The JSON schema of a remote's answer.
pub(super) fn schema(labels: &[Label]) -> Value {
    let ids: Vec<&str> = labels.iter().map(|label| label.id.as_str()).collect();
    let object = object_of(&[
        ("label", json!({ "type": "string", "enum": ids })),
        ("box", edges::schema()),
    ]);
    object_of(&[("objects", json!({ "type": "array", "items": object }))])
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    objects: Vec<Named>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    label: String,
    #[serde(rename = "box")]
    edges: Edges,
}

/// Reads a remote's answer: labels of the task, and boxes within the image.
pub(super) fn read(
    reply: &str,
    pixels: &Pixels,
    labels: &[Label],
    top: Option<usize>,
) -> Result<ObjectsOutput> {
    let reply: Reply = json_of(reply)?;
    let (width, height) = (pixels.width(), pixels.height());
    let object = |named: Named| {
        if !labels.iter().any(|label| label.id == named.label) {
            return Err(unknown_label(&named.label));
        }
        Ok(FoundObject {
            label: named.label,
            score: None,
            bounds: named.edges.within(width, height)?,
        })
    };
    let objects: Result<Vec<FoundObject>> = reply.objects.into_iter().map(object).collect();
    let mut objects = objects?;
    objects.truncate(top.unwrap_or(usize::MAX));
    Ok(ObjectsOutput {
        objects,
        width,
        height,
    })
}
