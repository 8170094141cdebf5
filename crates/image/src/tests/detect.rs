//! Boxes: decoding and suppression.

use crate::detect::{
    Axes, Corners, Detection, Grid, Rect, Scores, grid, listed, queries, rows, suppress,
};
use crate::processor::{Geometry, Size};

fn rect(x0: f32, y0: f32, x1: f32, y1: f32) -> Rect {
    Rect { x0, y0, x1, y1 }
}

fn one(label: usize, score: f32, rect: Rect) -> Detection {
    Detection { label, score, rect }
}

/// An image of 200 x 100, resized to half of that.
fn halved() -> Geometry {
    Geometry {
        original: Size {
            height: 100,
            width: 200,
        },
        input: Size {
            height: 50,
            width: 100,
        },
        scale: [0.5, 0.5],
        offset: [0.0, 0.0],
    }
}

#[test]
fn overlaps_have_known_values() {
    let a = rect(0.0, 0.0, 2.0, 2.0);
    assert_eq!(a.iou(&a), 1.0);
    assert_eq!(a.iou(&rect(1.0, 0.0, 3.0, 2.0)), 1.0 / 3.0);
    assert_eq!(a.iou(&rect(2.0, 0.0, 3.0, 2.0)), 0.0);
    assert_eq!(a.iou(&rect(3.0, 3.0, 1.0, 1.0)), 0.0);
    assert_eq!(rect(1.0, 1.0, 1.0, 1.0).iou(&rect(1.0, 1.0, 1.0, 1.0)), 0.0);
    assert_eq!(
        rect(-5.0, 2.0, 9.0, 4.0).clipped(8, 3),
        rect(0.0, 2.0, 8.0, 3.0)
    );
}

#[test]
fn of_queries_the_best_label_is_taken_or_nothing() {
    let boxes = [0.5, 0.5, 0.5, 0.5, 0.25, 0.5, 0.1, 0.2];
    let logits = [0.0f32, 2.0, 0.0, 1.0, 0.0, 5.0];
    let found = queries(
        (&logits, &[1, 2, 3]),
        &boxes,
        Scores::Softmax,
        &halved(),
        0.5,
    )
    .unwrap();
    let sure = 2f32.exp() / (2f32.exp() + 2.0);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].label, found[0].rect),
        (1, rect(50.0, 25.0, 150.0, 75.0))
    );
    assert!((found[0].score - sure).abs() < 1e-6);
    queries(
        (&logits, &[1, 2, 3]),
        &boxes[..4],
        Scores::Softmax,
        &halved(),
        0.5,
    )
    .unwrap_err();
    queries(
        (&logits, &[2, 1, 3]),
        &boxes,
        Scores::Softmax,
        &halved(),
        0.5,
    )
    .unwrap_err();
    queries(
        (&[], &[1, usize::MAX, 8]),
        &boxes,
        Scores::Softmax,
        &halved(),
        0.5,
    )
    .unwrap_err();
}

#[test]
fn with_sigmoids_a_query_may_have_several_labels() {
    let boxes = [0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5];
    let logits = [3.0f32, 1.0, -4.0, 2.0];
    let found = queries(
        (&logits, &[1, 2, 2]),
        &boxes,
        Scores::Sigmoid,
        &halved(),
        0.1,
    )
    .unwrap();
    // There are no more than queries.
    let told: Vec<(usize, f32)> = found.iter().map(|d| (d.label, d.rect.x0)).collect();
    assert_eq!(told, [(0, 0.0), (1, 50.0)]);
    assert!((found[0].score - 1.0 / (1.0 + (-3f32).exp())).abs() < 1e-6);
}

#[test]
fn lists_and_rows_are_filled_up_with_nothing() {
    let boxes = [
        10.0, 10.0, 20.0, 20.0, 0.0, 0.0, 0.0, 0.0, 30.0, 5.0, 40.0, 15.0,
    ];
    let found = listed(&boxes, &[4, -1, 2], &[0.6, 0.9, 0.8], false, &halved(), 0.5).unwrap();
    let expected = [
        one(2, 0.8, rect(60.0, 10.0, 80.0, 30.0)),
        one(4, 0.6, rect(20.0, 20.0, 40.0, 40.0)),
    ];
    assert_eq!(found, expected);
    let six = [
        10.0, 10.0, 20.0, 20.0, 0.6, 4.0, 30.0, 5.0, 40.0, 15.0, 0.8, 2.0,
    ];
    assert_eq!(
        rows((&six, &[1, 2, 6]), false, &halved(), 0.5).unwrap(),
        expected
    );
    rows((&six, &[1, 2, 5]), false, &halved(), 0.5).unwrap_err();
    listed(&boxes, &[4, 2], &[0.6, 0.9, 0.8], false, &halved(), 0.5).unwrap_err();
}

#[test]
fn of_boxes_that_overlap_the_best_of_a_label_stays() {
    let kept = suppress(
        &[
            one(0, 0.7, rect(1.0, 0.0, 11.0, 10.0)),
            one(0, 0.9, rect(0.0, 0.0, 10.0, 10.0)),
            one(1, 0.8, rect(0.0, 0.0, 10.0, 10.0)),
            // Overlaps only with the one that goes.
            one(0, 0.6, rect(4.0, 0.0, 14.0, 10.0)),
        ],
        0.5,
    );
    let told: Vec<(usize, f32)> = kept.iter().map(|d| (d.label, d.score)).collect();
    assert_eq!(told, [(0, 0.9), (1, 0.8), (0, 0.6)]);
}

#[test]
fn grids_are_read_along_either_axis() {
    let layout = |axes, objectness, corners| Grid {
        axes,
        corners,
        parts: false,
        objectness,
        logits: false,
        iou: 0.5,
    };
    // Two cells of one object, one of another and one of nothing.
    let cells = [
        [25.0f32, 25.0, 10.0, 10.0, 0.9, 0.1],
        [26.0, 25.0, 10.0, 10.0, 0.8, 0.2],
        [75.0, 25.0, 20.0, 10.0, 0.0, 0.7],
        [50.0, 25.0, 20.0, 10.0, 0.1, 0.2],
    ];
    let first: Vec<f32> = cells.concat();
    let second: Vec<f32> = (0..6)
        .flat_map(|n| cells.iter().map(move |cell| cell[n]))
        .collect();
    let expected = [
        one(0, 0.9, rect(40.0, 40.0, 60.0, 60.0)),
        one(1, 0.7, rect(130.0, 40.0, 170.0, 60.0)),
    ];
    let read =
        |values: &[f32], shape: &[usize], layout| grid((values, shape), &layout, &halved(), 0.3);
    assert_eq!(
        read(
            &first,
            &[1, 4, 6],
            layout(Axes::CellsFirst, false, Corners::Middle)
        )
        .unwrap(),
        expected
    );
    assert_eq!(
        read(
            &second,
            &[1, 6, 4],
            layout(Axes::NumbersFirst, false, Corners::Middle)
        )
        .unwrap(),
        expected
    );
    // With the fifth number as what there is at all, there is one label.
    let found = read(
        &first,
        &[1, 4, 6],
        layout(Axes::CellsFirst, true, Corners::Edges),
    )
    .unwrap();
    assert!(found.is_empty());
    read(
        &first,
        &[1, 6, 5],
        layout(Axes::CellsFirst, false, Corners::Middle),
    )
    .unwrap_err();
    read(
        &first,
        &[1, 6, 4],
        layout(Axes::CellsFirst, false, Corners::Middle),
    )
    .unwrap_err();
}
