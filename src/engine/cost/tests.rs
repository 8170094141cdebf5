use serde_json::{Value, json};

use super::*;
use crate::engine::{Array, Model};
use crate::error::{Code, Error};

/// A prepared file of these parts, whose weights are all 0.
fn file(inputs: Value, weights: &[(Vec<usize>, usize)], steps: &[Value], symbols: u32) -> Vec<u8> {
    let mut at = 0;
    let weights: Vec<Value> = weights
        .iter()
        .map(|(shape, len)| {
            let weight = json!({ "kind": "F32", "shape": shape, "at": at });
            at += (len * 4).next_multiple_of(64);
            weight
        })
        .collect();
    let header = json!({
        "symbols": symbols,
        "inputs": inputs,
        "weights": weights,
        "steps": steps,
        "output": steps.len(),
    });
    let mut header = header.to_string().into_bytes();
    header.resize((header.len() + 8).next_multiple_of(64) - 8, b' ');
    let mut file = b"SFM\x01".to_vec();
    file.extend((header.len() as u32).to_le_bytes());
    file.extend(header);
    file.resize(file.len() + at, 0);
    file
}

/// One row of floats or more, of a width.
fn rows(width: u32) -> Value {
    json!([{ "name": "x", "element": "F32", "dims": [{ "s": 0 }, { "n": width }] }])
}

fn product(of: usize) -> Value {
    let op = json!({ "MatMul": {
        "left": "mk", "right": { "Packed": { "k": 256, "n": [256] } }, "result": "m",
        "then": { "bias": false, "residual": false, "activation": "None" },
    }});
    json!({ "op": op, "of": [of, -1] })
}

fn refused(file: Vec<u8>, shape: &[usize]) -> Error {
    let zeros = vec![0.0; shape.iter().product()];
    let model = Model::open("huge.sfm", file).unwrap();
    let mut steps = 0;
    let result = model.infer_observed(vec![Array::f32(shape.to_vec(), zeros)], &mut |_| steps += 1);
    assert_eq!(steps, 0, "a step was run");
    result.unwrap_err()
}

#[test]
fn a_program_of_many_huge_products_is_not_begun() {
    let steps: Vec<Value> = (0..20_000).map(product).collect();
    let weights = [(vec![65536], 65536)];
    let hostile = || file(rows(256), &weights, &steps, 1);
    // For few rows it is slow, and may run.
    assert!(Model::open("huge.sfm", hostile()).is_ok());
    let error = refused(hostile(), &[1024, 256]);
    assert_eq!(error.code(), Code::ModelInvalid);
    let message = error.to_string();
    for word in [
        "huge.sfm",
        "multiply-adds",
        &MAX_WORK.to_string(),
        "maxTokens",
    ] {
        assert!(message.contains(word), "{message}");
    }
    // With lengths of its own it is not even loaded.
    let fixed = json!([{ "name": "x", "element": "F32", "dims": [{ "n": 1024 }, { "n": 256 }] }]);
    let error = Model::open("huge.sfm", file(fixed, &weights, &steps, 0)).unwrap_err();
    assert_eq!(error.code(), Code::ModelInvalid);
}

#[test]
fn values_that_are_all_held_at_once_are_too_much_memory() {
    let mut steps: Vec<Value> = (0..140)
        .map(|_| json!({ "op": "IsNan", "of": [0] }))
        .collect();
    let all: Vec<usize> = (1..=140).collect();
    steps.push(json!({ "op": { "Concat": { "axis": 1 } }, "of": all }));
    let error = refused(file(rows(1024), &[], &steps, 1), &[1024, 1024]);
    assert!(
        error.to_string().contains(&MAX_BYTES.to_string()),
        "{error}"
    );
}

#[test]
fn arrays_without_elements_and_with_endless_axes_are_counted() {
    let slice = json!({ "op": { "Slice": { "axis": 1, "start": { "n": 0 }, "end": { "n": 0 } } }, "of": [0] });
    let dims = json!([{ "n": 1u64 << 40 }, { "n": 0 }]);
    let reshape = json!({ "op": { "Reshape": dims }, "of": [1] });
    let add = json!({ "op": { "Binary": "Add" }, "of": [2, 2] });
    let error = refused_or_unfit(file(rows(4), &[], &[slice, reshape, add], 1));
    assert!(error.to_string().contains("too large"), "{error}");
    // And those with very many axes.
    let dims: Vec<Value> = (0..1000).map(|_| json!({ "n": 1 })).collect();
    let reshape = json!({ "op": { "Reshape": dims }, "of": [0] });
    let error = refused(file(rows(1), &[], &[reshape], 1), &[1, 1]);
    assert!(error.to_string().contains("too many axes"), "{error}");
}

fn refused_or_unfit(file: Vec<u8>) -> Error {
    match Model::open("endless.sfm", file) {
        Err(error) => error,
        Ok(model) => model
            .infer(vec![Array::f32(vec![1, 4], vec![0.0; 4])])
            .unwrap_err(),
    }
}

#[test]
fn a_step_that_does_not_fit_is_found_before_those_before_it_are_run() {
    let mut steps: Vec<Value> = (0..3).map(product).collect();
    steps.push(json!({ "op": { "Transpose": [0, 5] }, "of": [3] }));
    let error = refused(
        file(rows(256), &[(vec![65536], 65536)], &steps, 1),
        &[2, 256],
    );
    assert_eq!(error.code(), Code::ModelOutput);
    assert!(error.to_string().contains("step 3"), "{error}");
}

#[test]
fn a_second_run_of_other_lengths_is_judged_by_these() {
    let steps: Vec<Value> = (0..20_000).map(product).collect();
    let model = Model::open(
        "m",
        file(rows(256), &[(vec![65536], 65536)], &steps[..20], 1),
    )
    .unwrap();
    let run = |rows: usize| model.infer(vec![Array::f32(vec![rows, 256], vec![0.0; rows * 256])]);
    assert_eq!(run(1).unwrap().shape, [1, 256]);
    assert_eq!(run(3).unwrap().shape, [3, 256]);
    assert!(run(1 << 19).is_err());
    assert_eq!(run(3).unwrap().shape, [3, 256]);
}
