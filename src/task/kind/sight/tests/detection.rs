//! Objects.

use serde_json::{Value, json};

use super::*;
use crate::task::kind::{BoundingBox, ObjectsOutput};

fn boxes(of: Value) -> Boxes {
    serde_json::from_value(of).unwrap()
}

fn found(
    pixels: &Pixels,
    (of, outputs): (&Boxes, Vec<Values>),
    options: &KindOptions,
) -> Result<(ObjectsOutput, f64)> {
    let sight = Sight::Objects {
        processor: &plain(),
        boxes: of,
        model: &mut Painted::giving(vec![outputs]),
    };
    let made = see(pixels, &labels(&["cat", "dog"]), options, sight)?;
    match made {
        Made {
            output: KindOutput::Objects(output),
            confidence: Some(confidence),
        } => Ok((output, confidence)),
        other => panic!("{other:?}"),
    }
}

/// A logit whose softmax beside two of 0 is this.
fn logit(probability: f32) -> f32 {
    (2.0 * probability / (1.0 - probability)).ln()
}

/// Three queries on an image of 40 x 20: a cat, a dog that is half outside, and most likely nothing.
fn queries() -> Vec<Values> {
    let logits = [
        logit(0.7),
        0.0,
        0.0,
        0.0,
        logit(0.9),
        0.0,
        0.0,
        0.0,
        logit(0.6),
    ];
    let places = [0.25, 0.5, 0.25, 0.5, 1.0, 0.5, 0.5, 1.0, 0.5, 0.5, 0.1, 0.1];
    vec![
        values("logits", &[1, 3, 3], &logits),
        values("pred_boxes", &[1, 3, 4], &places),
    ]
}

#[test]
fn objects_are_given_from_a_threshold_on_within_the_image() {
    let softmax = boxes(json!({ "queries": "softmax" }));
    let image = white(40, 20);
    let plain = KindOptions::default();
    let (output, confidence) = found(&image, (&softmax, queries()), &plain).unwrap();
    let told: Vec<(&str, BoundingBox)> = output
        .objects
        .iter()
        .map(|one| (one.label.as_str(), one.bounds))
        .collect();
    let bounds = |xmin, ymin, xmax, ymax| BoundingBox {
        xmin,
        ymin,
        xmax,
        ymax,
    };
    // The surest first. What is beyond the image is cut off.
    assert_eq!(
        told,
        [
            ("dog", bounds(30.0, 0.0, 40.0, 20.0)),
            ("cat", bounds(5.0, 5.0, 15.0, 15.0))
        ]
    );
    assert_eq!((output.width, output.height), (40, 20));
    // The least sure decision: that there is a cat.
    assert!((confidence - 0.7).abs() < 1e-6, "{confidence}");
    let strict = KindOptions {
        threshold: Some(0.8),
        ..plain.clone()
    };
    let (output, confidence) = found(&image, (&softmax, queries()), &strict).unwrap();
    assert_eq!(output.objects.len(), 1);
    // That there is none.
    assert!((confidence - 0.3).abs() < 1e-6, "{confidence}");
    let one = KindOptions {
        top_k: Some(1),
        ..plain
    };
    let (output, _) = found(&image, (&softmax, queries()), &one).unwrap();
    assert_eq!(output.objects[0].label, "dog");
    assert_eq!(output.objects.len(), 1);
}

#[test]
fn an_image_without_objects_has_none_and_is_no_error() {
    let softmax = boxes(json!({ "queries": "softmax" }));
    let strict = KindOptions {
        threshold: Some(0.95),
        ..KindOptions::default()
    };
    let (output, confidence) = found(&white(1, 1), (&softmax, queries()), &strict).unwrap();
    assert!(output.objects.is_empty());
    assert!((confidence - 0.1).abs() < 1e-6, "{confidence}");
    // A box of no size, or beside the image, is of nothing.
    let outside = vec![
        values("logits", &[1, 1, 3], &[9.0, 0.0, 0.0]),
        values("pred_boxes", &[1, 1, 4], &[1.6, 0.5, 0.2, 0.2]),
    ];
    let (output, _) = found(&white(40, 20), (&softmax, outside), &KindOptions::default()).unwrap();
    assert!(output.objects.is_empty());
}

#[test]
fn each_way_in_which_outputs_are_boxes_is_read() {
    // A dog from 8 to 16 and from 4 to 12, of an image of 32 x 16.
    let s = |p: f32| (p / (1.0 - p)).ln();
    let edges = [8.0, 4.0, 16.0, 12.0];
    let cases = [
        (
            json!({ "queries": "sigmoid" }),
            vec![
                values("pred_boxes", &[1, 1, 4], &[0.375, 0.5, 0.25, 0.5]),
                values("logits", &[1, 1, 2], &[s(0.01), s(0.8)]),
            ],
        ),
        (
            json!({ "listed": { "parts": false } }),
            vec![
                values("labels", &[1], &[1.0]),
                values("boxes", &[1, 4], &edges),
                values("scores", &[1], &[0.8]),
            ],
        ),
        (
            json!({ "rows": { "parts": true } }),
            vec![values("y", &[1, 1, 6], &[0.25, 0.25, 0.5, 0.75, 0.8, 1.0])],
        ),
        (
            json!({ "grid": { "axes": "numbersFirst", "corners": "middle", "iou": 0.5 } }),
            vec![values(
                "output0",
                &[1, 6, 2],
                &[12.0, 13.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 0.1, 0.1, 0.8, 0.7],
            )],
        ),
    ];
    for (of, outputs) in cases {
        let told = of.to_string();
        let (output, _) = found(
            &white(32, 16),
            (&boxes(of), outputs),
            &KindOptions::default(),
        )
        .unwrap();
        let [one] = &output.objects[..] else {
            panic!("{told}: {:?}", output.objects)
        };
        assert_eq!(one.label, "dog", "{told}");
        let score = one.score.unwrap();
        assert!((score - 0.8).abs() < 1e-6, "{told}: {score}");
        let BoundingBox {
            xmin,
            ymin,
            xmax,
            ymax,
        } = one.bounds;
        assert_eq!([xmin, ymin, xmax, ymax], edges.map(f64::from), "{told}");
    }
}

#[test]
fn a_model_of_something_else_is_refused_by_its_name() {
    let softmax = json!({ "queries": "softmax" });
    let rows = json!({ "rows": {} });
    let grid = json!({ "grid": { "axes": "cellsFirst", "corners": "edges", "iou": 0.5 } });
    let places = values("pred_boxes", &[1, 1, 4], &[0.5; 4]);
    let six = |label: f32| values("rows", &[1, 1, 6], &[0.0, 0.0, 1.0, 1.0, 0.9, label]);
    for (of, outputs, part) in [
        (
            &softmax,
            vec![values("logits", &[1, 1, 2], &[0.0; 2]), places.clone()],
            "3 numbers each, for 2 labels",
        ),
        (
            &softmax,
            vec![values("logits", &[1, 1, 3], &[0.0; 3])],
            "gives no pred_boxes",
        ),
        (
            &softmax,
            vec![
                values("logits", &[2, 1, 3], &[0.0; 6]),
                values("pred_boxes", &[2, 1, 4], &[0.0; 8]),
            ],
            "[2, 1, 3]",
        ),
        (
            &softmax,
            vec![values("logits", &[1, 2, 3], &[0.0; 6]), places.clone()],
            "boxes",
        ),
        (&softmax, vec![values("x", &[1], &[0.0]), places], "logits"),
        (&rows, vec![six(2.0)], "the label 2, and there are 2"),
        (
            &rows,
            vec![values("rows", &[1, 5], &[0.9; 5])],
            "six numbers",
        ),
        (
            &grid,
            vec![values("cells", &[1, 1, 9], &[0.9; 9])],
            "6 numbers each",
        ),
    ] {
        let outputs = (&boxes(of.clone()), outputs);
        let error = found(&white(4, 4), outputs, &KindOptions::default()).unwrap_err();
        assert_eq!(error.code(), Code::ModelOutput, "{error}");
        let said = error.to_string();
        assert!(
            said.contains(part) && said.contains("painted.onnx"),
            "{said}"
        );
    }
}

#[test]
fn options_of_other_kinds_and_thresholds_that_are_none_are_refused() {
    let softmax = boxes(json!({ "queries": "softmax" }));
    let refused = |options: KindOptions| {
        let error = found(&white(4, 4), (&softmax, queries()), &options).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
        error.to_string()
    };
    let odd = refused(KindOptions {
        pooling: Some(Pooling::Mean),
        ..KindOptions::default()
    });
    assert!(
        odd.contains("pooling") && odd.contains("threshold"),
        "{odd}"
    );
    for threshold in [1.5, -0.1, f64::NAN] {
        let odd = refused(KindOptions {
            threshold: Some(threshold),
            ..KindOptions::default()
        });
        assert!(odd.contains("0 to 1"), "{odd}");
    }
}
