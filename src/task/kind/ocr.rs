//! Text in an image (optical character recognition): its lines in the order in which they are read, and where each is.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smallfirst_image::Pixels;
use smallfirst_image::detect::Rect;
use smallfirst_image::ocr::{Detector, Dictionary, TextBox, line_input, reading_rows};

use super::edges::{self, BoundingBox, Edges};
use super::forward::{Values, named};
use super::schema::object_of;
use super::sees::{Sees, unfit};
use crate::error::{Code, Error, Result};
use crate::task::json_of;

/// From which score on a line is given, where nobody says: as RapidOCR has it.
const THRESHOLD: f64 = 0.5;

/// How lines of text are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The characters that the model can read.
    pub dictionary: Dictionary,
    /// The height of its input.
    pub height: u32,
}

/// A line of text, or the part of one between wide gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TextLine {
    /// What it says.
    pub text: String,
    /// The mean of its letters' probabilities, 0 to 1; `null` where a remote answered.
    pub score: Option<f64>,
    /// The upright rectangle around it.
    #[serde(rename = "box")]
    pub bounds: BoundingBox,
    /// Its corners, x and y, from where its text begins above, clockwise.
    pub quad: [[f64; 2]; 4],
}

/// The text in an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OcrOutput {
    /// All of it: what is side by side with a space between, and a row below another on a line of its own.
    pub text: String,
    /// Its lines, in the order in which they are read; none where there is no text.
    pub lines: Vec<TextLine>,
    /// How wide the image is, in pixels.
    pub width: u32,
    /// How high it is.
    pub height: u32,
}

pub(super) fn perform(
    pixels: &Pixels,
    threshold: Option<f64>,
    (detector, finds): (&Detector, &mut dyn Sees),
    (reading, reads): (&Reading, &mut dyn Sees),
) -> Result<(OcrOutput, f64)> {
    let threshold = threshold.unwrap_or(THRESHOLD);
    let input = detector.prepare(pixels)?;
    let geometry = input.geometry;
    let values = finds.run(input)?;
    let map = named(finds.name(), &values, &["maps", "fetch_name_0"])?;
    let boxes = detector.boxes((&map.numbers, &map.shape), &geometry);
    let boxes = boxes.map_err(|why| unfit(finds, why))?;
    let mut lines = Vec::new();
    let mut text = String::new();
    // The letters that were read, and the logarithm of their probabilities, line by line.
    let (mut letters, mut logarithms) = (0usize, 0.0f64);
    for row in reading_rows(&boxes) {
        // Whether a line of the same row stands before, and goes on to the right.
        let mut goes_on = false;
        for at in row {
            let Some(line) = line_in(pixels, &boxes[at], reading, reads)? else {
                continue;
            };
            let score = line.score.unwrap_or_default();
            if score < threshold {
                continue;
            }
            let level = is_level(&line.bounds);
            if !text.is_empty() {
                text.push(if goes_on && level { ' ' } else { '\n' });
            }
            goes_on = level;
            text.push_str(&line.text);
            let count = line.text.chars().count();
            letters += count;
            logarithms += count as f64 * score.max(f64::MIN_POSITIVE).ln();
            lines.push(line);
        }
    }
    let confidence = match letters {
        0 => 1.0 - surest(map),
        // The geometric mean over all letters.
        letters => (logarithms / letters as f64).exp(),
    };
    let output = OcrOutput {
        text,
        lines,
        width: pixels.width(),
        height: pixels.height(),
    };
    Ok((output, confidence))
}

/// Whether a line is written from left to right, and not downwards: as what is cut out is turned.
fn is_level(bounds: &BoundingBox) -> bool {
    bounds.ymax - bounds.ymin < 1.5 * (bounds.xmax - bounds.xmin)
}

/// How likely the likeliest place of a map is one of text.
fn surest(map: &Values) -> f64 {
    let most = map.numbers.iter().copied().fold(0.0f32, f32::max);
    f64::from(most).clamp(0.0, 1.0)
}

/// What is in a box; nothing where nothing could be read.
fn line_in(
    pixels: &Pixels,
    found: &TextBox,
    reading: &Reading,
    reads: &mut dyn Sees,
) -> Result<Option<TextLine>> {
    let input = line_input(&found.cut(pixels)?, reading.height)?;
    let values = reads.run(input)?;
    let steps = named(reads.name(), &values, &["fetch_name_0", "output"])?;
    let line = reading.dictionary.read((&steps.numbers, &steps.shape));
    let line = line.map_err(|why| unfit(reads, why))?;
    let ends = |axis: usize| {
        let places = found.corners.iter().map(|corner| corner[axis]);
        places.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        })
    };
    let ((x0, x1), (y0, y1)) = (ends(0), ends(1));
    let bounds = BoundingBox::within(Rect { x0, y0, x1, y1 }, pixels);
    Ok(match bounds {
        Some(bounds) if !line.text.trim().is_empty() => Some(TextLine {
            text: line.text,
            score: Some(f64::from(line.confidence).clamp(0.0, 1.0)),
            bounds,
            quad: found.corners.map(|corner| corner.map(f64::from)),
        }),
        _ => None,
    })
}

/// What a remote is told of the shape of its answer.
pub(super) fn rules() -> String {
    format!(
        "Answer with JSON only: {{\"lines\": [{{\"text\": …, \"box\": {{\"xmin\": …, \"ymin\": …, \"xmax\": …, \"ymax\": …}}}}]}}, with every line of \
         text in the image, letter by letter, in the order in which they are read, or none. {}",
        edges::RULE
    )
}

/// The JSON schema of a remote's answer.
pub(super) fn schema() -> Value {
    let line = object_of(&[
        ("text", json!({ "type": "string" })),
        ("box", edges::schema()),
    ]);
    object_of(&[("lines", json!({ "type": "array", "items": line }))])
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    lines: Vec<Named>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    text: String,
    #[serde(rename = "box")]
    edges: Edges,
}

/// Reads a remote's answer: lines that say something, each within the image and on a line of its own.
pub(super) fn read(reply: &str, pixels: &Pixels) -> Result<OcrOutput> {
    let reply: Reply = json_of(reply)?;
    let (width, height) = (pixels.width(), pixels.height());
    let line = |named: Named| {
        if named.text.trim().is_empty() {
            let why = "the remote named a line of text without a letter";
            return Err(Error::new(Code::RemoteBadResponse, why));
        }
        let bounds = named.edges.within(width, height)?;
        let BoundingBox {
            xmin,
            ymin,
            xmax,
            ymax,
        } = bounds;
        Ok(TextLine {
            text: named.text,
            score: None,
            bounds,
            quad: [[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax]],
        })
    };
    let lines: Result<Vec<TextLine>> = reply.lines.into_iter().map(line).collect();
    let lines = lines?;
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    Ok(OcrOutput {
        text: texts.join("\n"),
        lines,
        width,
        height,
    })
}
