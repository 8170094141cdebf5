//! Precision of boxes and errors of characters.

use serde::Deserialize;

use super::json;
use crate::detect::{Detection, Rect};
use crate::score::{Scene, Truth, average_precision, character_error_rate, edits};

fn rect(x0: f32, y0: f32, x1: f32, y1: f32) -> Rect {
    Rect { x0, y0, x1, y1 }
}

fn one(label: usize, score: f32, rect: Rect) -> Detection {
    Detection { label, score, rect }
}

#[derive(Deserialize)]
struct Said {
    scenes: Vec<SaidScene>,
    at50: f64,
    #[serde(rename = "at50To95")]
    at50_to_95: f64,
}

#[derive(Deserialize)]
struct SaidScene {
    truths: Vec<(usize, f32, f32, f32, f32)>,
    found: Vec<(usize, f32, f32, f32, f32, f32)>,
}

#[test]
fn precision_is_pycocotools() {
    let said: Said = json("precision.json");
    let scenes: Vec<Scene> = said
        .scenes
        .iter()
        .map(|scene| Scene {
            truths: scene
                .truths
                .iter()
                .map(|t| Truth {
                    label: t.0,
                    rect: rect(t.1, t.2, t.3, t.4),
                })
                .collect(),
            found: scene
                .found
                .iter()
                .map(|d| one(d.0, d.1, rect(d.2, d.3, d.4, d.5)))
                .collect(),
        })
        .collect();
    let ours = average_precision(&scenes).unwrap();
    assert!(
        (ours.at_50 - said.at50).abs() < 1e-9,
        "{} {}",
        ours.at_50,
        said.at50
    );
    assert!(
        (ours.at_50_to_95 - said.at50_to_95).abs() < 1e-9,
        "{} {}",
        ours.at_50_to_95,
        said.at50_to_95
    );
}

#[test]
fn precision_has_known_values() {
    let truth = Truth {
        label: 3,
        rect: rect(0.0, 0.0, 10.0, 10.0),
    };
    let scene = |found| Scene {
        truths: vec![truth],
        found,
    };
    assert_eq!(average_precision(&[]), None);
    let none = average_precision(&[scene(vec![])]).unwrap();
    assert_eq!((none.at_50, none.at_50_to_95), (0.0, 0.0));
    let all = average_precision(&[scene(vec![one(3, 0.4, truth.rect)])]).unwrap();
    assert_eq!((all.at_50, all.at_50_to_95), (1.0, 1.0));
    // Overlaps by 0.7, so it is right for five of the ten.
    let near = average_precision(&[scene(vec![one(3, 0.4, rect(0.0, 0.0, 10.0, 7.2))])]).unwrap();
    assert_eq!((near.at_50, near.at_50_to_95), (1.0, 0.5));
    // A wrong one first: the precision is half at every recall.
    let late = vec![
        one(3, 0.9, rect(50.0, 0.0, 60.0, 10.0)),
        one(3, 0.4, truth.rect),
    ];
    assert_eq!(average_precision(&[scene(late)]).unwrap().at_50, 0.5);
    // The second of two boxes is wrong, but nothing is missed by then.
    let twice = vec![one(3, 0.9, truth.rect), one(3, 0.4, truth.rect)];
    assert_eq!(average_precision(&[scene(twice)]).unwrap().at_50, 1.0);
}

#[test]
fn errors_of_characters_are_counted() {
    assert_eq!(edits("kitten", "sitting"), 3);
    assert_eq!(edits("", "abc"), 3);
    assert_eq!(edits("abc", ""), 3);
    assert_eq!(edits("größe", "grösse"), 2);
    assert_eq!(
        character_error_rate([("ab", "abcd"), ("xy", "xy")]),
        2.0 / 6.0
    );
    assert_eq!(character_error_rate([("", "")]), 0.0);
    assert_eq!(character_error_rate([("abc", "")]), 3.0);
}
