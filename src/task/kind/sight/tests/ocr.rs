//! Text.

use smallfirst_image::ocr::Dictionary;

use super::*;
use crate::task::kind::{OcrOutput, Reading};

/// An image of 128 x 96, and places of text in its map, which has the image's size.
fn map(places: &[[usize; 4]]) -> Values {
    let mut numbers = vec![0.01; 128 * 96];
    for &[left, top, right, bottom] in places {
        for y in top..bottom {
            numbers[y * 128 + left..y * 128 + right].fill(0.9);
        }
    }
    values("maps", &[1, 1, 96, 128], &numbers)
}

/// Steps of the letters a, b and a space, each of this probability.
fn steps(text: &str, probability: f32) -> Vec<Values> {
    let mut numbers = Vec::new();
    for letter in text.chars() {
        let class = match letter {
            'a' => 1,
            'b' => 2,
            ' ' => 3,
            _ => 0,
        };
        let mut step = [0.0; 4];
        step[class] = probability;
        // Blanks between, so that a letter may come twice.
        numbers.extend(step.into_iter().chain([1.0, 0.0, 0.0, 0.0]));
    }
    let count = numbers.len() / 4;
    vec![values("softmax", &[1, count, 4], &numbers)]
}

fn read(
    pixels: &Pixels,
    maps: Values,
    lines: Vec<Vec<Values>>,
    options: &KindOptions,
) -> Result<(OcrOutput, f64)> {
    let reading = Reading {
        dictionary: Dictionary::of_lines("a\nb"),
        height: 48,
    };
    let mut reads = Painted::giving(lines);
    let sight = Sight::Text {
        detector: &Detector::default(),
        finds: &mut Painted::giving(vec![vec![maps]]),
        reading: &reading,
        reads: &mut reads,
    };
    let made = see(pixels, &[], options, sight)?;
    assert!(
        reads.seen.iter().all(|shape| shape[2] == 48),
        "{:?}",
        reads.seen
    );
    match made {
        Made {
            output: KindOutput::Read(output),
            confidence: Some(confidence),
        } => Ok((output, confidence)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lines_are_read_in_their_order() {
    // The second row has two parts.
    let places = [[70, 50, 110, 60], [10, 12, 90, 24], [10, 51, 50, 61]];
    let lines = vec![steps("ab", 0.9), steps("a", 0.8), steps("ba", 0.6)];
    let plain = KindOptions::default();
    let (output, confidence) = read(&white(128, 96), map(&places), lines, &plain).unwrap();
    assert_eq!(output.text, "ab\na ba");
    let texts: Vec<&str> = output.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["ab", "a", "ba"]);
    let left: Vec<bool> = output.lines.iter().map(|l| l.bounds.xmin < 20.0).collect();
    assert_eq!(left, [true, true, false]);
    for line in &output.lines {
        let corners = line.quad.as_flattened();
        assert!(
            corners.iter().all(|x| (0.0..=128.0).contains(x)),
            "{line:?}"
        );
        assert!(line.bounds.ymin < line.bounds.ymax && line.bounds.ymax <= 96.0);
    }
    // The geometric mean over five letters.
    let mean = (0.9f64.powi(2) * 0.8 * 0.6f64.powi(2)).powf(0.2);
    assert!((confidence - mean).abs() < 1e-6, "{confidence} {mean}");
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let places = [[10, 12, 90, 24], [10, 50, 90, 62]];
    let lines = || vec![steps("ab", 0.4), steps("a", 0.9)];
    let image = white(128, 96);
    let plain = KindOptions::default();
    let (output, _) = read(&image, map(&places), lines(), &plain).unwrap();
    assert_eq!((output.text.as_str(), output.lines.len()), ("a", 1));
    let lower = KindOptions {
        threshold: Some(0.3),
        ..plain.clone()
    };
    let (output, _) = read(&image, map(&places), lines(), &lower).unwrap();
    assert_eq!(output.text, "ab\na");
    let blank = vec![steps("  ", 0.9), steps("", 0.9)];
    let (output, _) = read(&image, map(&places), blank, &plain).unwrap();
    assert!(output.lines.is_empty() && output.text.is_empty());
}

#[test]
fn an_image_without_text_has_none_and_is_no_error() {
    let plain = KindOptions::default();
    let (output, confidence) = read(&white(128, 96), map(&[]), vec![vec![]], &plain).unwrap();
    assert!(output.text.is_empty() && output.lines.is_empty());
    assert!((confidence - 0.99).abs() < 1e-6, "{confidence}");
    // One pixel is read in a frame of its own.
    let small = values("maps", &[1, 1, 64, 32], &[0.0; 64 * 32]);
    let (output, confidence) = read(&white(1, 1), small, vec![vec![]], &plain).unwrap();
    assert_eq!((output.width, output.height), (1, 1));
    assert!(output.lines.is_empty() && confidence == 1.0);
}

#[test]
fn models_that_belong_to_something_else_are_refused_by_their_names() {
    let plain = KindOptions::default();
    let image = white(128, 96);
    let flat = values("logits", &[1, 2], &[0.0; 2]);
    let places = [[10, 12, 90, 24]];
    let other = vec![vec![values("softmax", &[1, 2, 7], &[0.1; 14])]];
    for (map, lines, part) in [
        (flat, vec![vec![]], "[1, 2]"),
        (map(&places), other, "2 characters"),
        (map(&places), vec![vec![]], "gives"),
    ] {
        let error = read(&image, map, lines, &plain).unwrap_err();
        assert_eq!(error.code(), Code::ModelOutput, "{error}");
        let said = error.to_string();
        assert!(
            said.contains("painted.onnx") && said.contains(part),
            "{said}"
        );
    }
    let top = KindOptions {
        top_k: Some(1),
        ..plain
    };
    let error = read(&image, map(&places), vec![vec![]], &top).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
}
