//! Tensors beside those of transformers.

use serde::Deserialize;
use serde_json::Value;

use super::{json, photo, tall};
use crate::processor::{Data, ImageProcessor};

#[derive(Deserialize)]
struct Case {
    config: Value,
    source: String,
    shape: Vec<usize>,
    step: usize,
    values: Vec<f32>,
    /// What one of 255 is, normalised.
    unit: f32,
}

#[test]
fn tensors_are_those_of_transformers() {
    let photo = photo();
    let tall = tall(&photo);
    let cases: Vec<Case> = json("processed.json");
    assert_eq!(cases.len(), 46);
    let mut worst = 0.0f32;
    for case in cases {
        let processor = ImageProcessor::of_config(&case.config).unwrap();
        let made = processor
            .process(if case.source == "photo" {
                &photo
            } else {
                &tall
            })
            .unwrap();
        assert_eq!(made.shape, case.shape, "{}", case.config);
        let Data::F32(values) = made.data else {
            panic!("{}", case.config)
        };
        let ours: Vec<f32> = values.iter().step_by(case.step).copied().collect();
        assert_eq!(ours.len(), case.values.len());
        for (i, (a, b)) in ours.iter().zip(&case.values).enumerate() {
            let off = (a - b).abs() / case.unit;
            worst = worst.max(off);
            assert!(off <= 1.0, "{}: value {i} is {a}, not {b}", case.config);
        }
    }
    // Values are written with four digits: beyond that, nothing differs.
    assert!(worst < 0.03, "{worst}");
}
