//! A prepared file beside the model that it was made of: what does not load, does not run or gives other numbers is none.

use super::Source;
use crate::engine::array::{Array, Data};
use crate::engine::dim::Dim;
use crate::engine::graph::GraphModel;
use crate::engine::program::InputSpec;
use crate::engine::run::Runner;
use crate::engine::tensor::{Element, Shape};
use crate::error::Result;

/// How far apart the outputs may be, as a part of their size (both as Euclidean lengths).
const FLOATS: f64 = 1e-3;

/// The same, where weights and inputs of products are rounded to int8.
const INT8: f64 = 0.15;

/// The lengths that unknown ones are given: two that are short, and two that images need.
const LENGTHS: [[usize; 2]; 2] = [[3, 8], [64, 96]];

/// The bytes of a model's prepared file, which gives what the model gives on inputs that are made up here, at two lengths.
///
/// # Errors
/// [`Code::ModelInvalid`](crate::error::Code::ModelInvalid) when it is no model, and inside why it has no prepared form.
pub fn prepare(
    name: &str,
    onnx: &[u8],
    row: Option<(Element, Shape)>,
    int8: bool,
) -> Result<std::result::Result<Vec<u8>, String>> {
    let whole = GraphModel::read(name, onnx.to_vec());
    let source = match (Source::read(name, onnx, row), &whole) {
        (Ok(source), _) => source,
        // It runs as it is.
        (Err(why), Ok(_)) => return Ok(Err(why.to_string())),
        // Of the two reasons the one of who would run it.
        (Err(_), Err(_)) => return whole.map(|_| Err(String::new())),
    };
    let file = match source.write(int8) {
        Ok(file) => file,
        Err(why) => return whole.map(|_| Err(why)),
    };
    let most = if int8 || source.quantised {
        INT8
    } else {
        FLOATS
    };
    let inputs = source.inputs.clone();
    // Where our own reader lacks an operator, tract is whom to believe.
    let other: Box<dyn Fn(Vec<Array>) -> Option<Array>> = match whole {
        Ok(model) => Box::new(move |given| model.run("", given).ok()),
        Err(_) => {
            let model = source.into_tract()?;
            Box::new(move |given| model.run(given).ok())
        }
    };
    let runner = match Runner::load(file.clone()) {
        Ok(runner) => runner,
        Err(why) => return Ok(Err(format!("its prepared file could not be read: {why}"))),
    };
    Ok(agrees(&runner, &inputs, &*other, most).map(|()| file))
}

fn agrees(
    runner: &Runner,
    inputs: &[InputSpec],
    other: &dyn Fn(Vec<Array>) -> Option<Array>,
    most: f64,
) -> std::result::Result<(), String> {
    for lengths in LENGTHS {
        let mut compared = false;
        for length in lengths {
            let given: Vec<Array> = inputs.iter().map(|input| made_up(input, length)).collect();
            // What the model itself cannot take says nothing.
            let Some(expected) = other(given.clone()) else {
                continue;
            };
            let found = runner.run(given);
            let found = found.map_err(|why| format!("its prepared form fails: {why:?}"))?;
            let apart = distance(&found, &expected)?;
            if apart > most {
                return Err(format!(
                    "its prepared form gives other numbers, apart by {apart:.1e} of their size"
                ));
            }
            compared = true;
        }
        if compared {
            return Ok(());
        }
    }
    Ok(())
}

/// Numbers for an input: floats between -1 and 1, integers that are 0 or 1 (rows of every table, masks).
fn made_up(input: &InputSpec, length: usize) -> Array {
    let shape: Vec<usize> = input
        .dims
        .iter()
        .map(|dim| match dim {
            Dim::Number(n) => usize::try_from(*n).unwrap_or(1),
            _ => length,
        })
        .collect();
    let len = shape.iter().product();
    match input.element {
        Element::F32 => {
            let wave = |at: usize| ((at as f32 + 1.0) * 0.618).sin();
            Array::f32(shape, (0..len).map(wave).collect())
        }
        Element::I32 | Element::I64 => {
            Array::i64(shape, (0..len).map(|at| i64::from(at % 3 != 2)).collect())
        }
    }
}

fn distance(found: &Array, expected: &Array) -> std::result::Result<f64, String> {
    if found.shape != expected.shape {
        return Err(format!(
            "its prepared form gives the shape {:?} instead of {:?}",
            found.shape, expected.shape
        ));
    }
    let (found, expected) = (floats(found), floats(expected));
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let size = norm(&mut expected.iter().copied().filter(|v| v.is_finite()));
    // Infinities and numbers that are none count where only one side has them.
    let mut apart = found.iter().zip(&expected).map(|(f, e)| match f - e {
        _ if f == e || (f.is_nan() && e.is_nan()) => 0.0,
        d if d.is_finite() => d,
        _ => f64::INFINITY,
    });
    Ok(norm(&mut apart) / size.max(1e-6))
}

fn floats(array: &Array) -> Vec<f64> {
    match &array.data {
        Data::F32(v) => v.iter().map(|&v| f64::from(v)).collect(),
        Data::I64(v) => v.iter().map(|&v| v as f64).collect(),
    }
}
