//! A prepared file beside the model that it was made of: what does not load, does not run or gives other numbers is none.

use super::Source;
use super::agreement::{Agreement, Apart, compare};
use crate::bundle::SmallWeights;
use crate::engine::array::Array;
use crate::engine::dim::Dim;
use crate::engine::graph::GraphModel;
use crate::engine::op::Op;
use crate::engine::program::{InputSpec, Program};
use crate::engine::run::Runner;
use crate::engine::tensor::{Element, Shape};
use crate::error::Result;

/// How far apart the outputs may be, as a part of their size (both as Euclidean lengths).
const FLOATS: f64 = 1e-3;

/// The same, where weights and inputs of products are rounded to int8.
const INT8: f64 = 0.15;

/// The same, where weights are halves.
const HALVES: f64 = 0.01;

/// The same, where weights have 4 bits. Outputs that have nothing to do with each other are apart by 1 or more, zeros by 1.
const FOUR_BITS: f64 = 0.5;

/// The lengths that unknown ones are given: two that are short, and two that images need.
const LENGTHS: [[usize; 2]; 2] = [[3, 8], [64, 96]];

/// A prepared file, and what it was seen to give.
pub struct PreparedFile {
    /// The file.
    pub bytes: Vec<u8>,
    /// How long it is with whole weights.
    pub whole: usize,
    /// What the model takes.
    pub inputs: Vec<InputSpec>,
    /// What was run.
    pub trials: Vec<Trial>,
    /// How far apart its outputs may be from another's.
    most: f64,
}

/// One run of a model and of its prepared file.
pub struct Trial {
    /// What both were given: numbers that are made up.
    pub given: Vec<Array>,
    /// What the prepared file gave.
    pub found: Array,
    /// What the model gave.
    expected: Array,
}

impl std::fmt::Debug for PreparedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedFile")
            .field("bytes", &self.bytes.len())
            .field("whole", &self.whole)
            .finish_non_exhaustive()
    }
}

impl PreparedFile {
    /// Whether it has smaller weights. A model may have none that are worth it.
    pub fn is_smaller(&self) -> bool {
        self.bytes.len() != self.whole
    }

    /// How far apart its outputs may be from another's, as a part of their size.
    pub fn tolerance(&self) -> f64 {
        self.most
    }

    /// How well it agrees with the model, over all that was run; nothing where the model took nothing that was made up.
    pub fn agreement(&self) -> Option<Agreement> {
        Agreement::of(self.trials.iter().map(|t| (&t.found, &t.expected)))
    }

    /// Holds what another library made of a trial's inputs against what the prepared file made of them.
    ///
    /// # Errors
    /// Where they are too far apart: at which place, and both numbers there.
    pub fn hold_against(&self, trial: usize, other: &Array) -> std::result::Result<(), String> {
        match self.trials.get(trial) {
            Some(trial) => within(&trial.found, other, self.most),
            None => Ok(()),
        }
    }
}

/// A model's prepared file, which gives what the model gives on inputs that are made up here, at two lengths; with smaller
/// weights, nearly that.
///
/// # Errors
/// [`Code::ModelInvalid`](crate::error::Code::ModelInvalid) when it is no model, and inside why it has no prepared form.
pub fn prepare(
    name: &str,
    onnx: &[u8],
    row: Option<(Element, Shape)>,
    weights: Option<SmallWeights>,
) -> Result<std::result::Result<PreparedFile, String>> {
    let whole = GraphModel::read(name, onnx.to_vec());
    let source = match (Source::read(name, onnx, row), &whole) {
        (Ok(source), _) => source,
        // It runs as it is.
        (Err(why), Ok(_)) => return Ok(Err(why.to_string())),
        // Of the two reasons the one of who would run it.
        (Err(_), Err(_)) => return whole.map(|_| Err(String::new())),
    };
    let file = match source.write(None) {
        Ok(file) => file,
        Err(why) => return whole.map(|_| Err(why)),
    };
    let small = weights.map(|weights| source.write(Some(weights)));
    let exact = if source.quantised { INT8 } else { FLOATS };
    let inputs = source.inputs.clone();
    // Where our own reader lacks an operator, tract is whom to believe.
    let other: Box<dyn Fn(Vec<Array>) -> Option<Array>> = match whole {
        Ok(model) => Box::new(move |given| model.run("", given).ok()),
        Err(_) => {
            let model = source.into_tract()?;
            Box::new(move |given| model.run(given).ok())
        }
    };
    // With its weights whole first: then what smaller ones change is their rounding, and no other mistake.
    let checked = beside(&inputs, file, &*other, exact);
    let (Some(weights), Ok(whole), Some(small)) = (weights, &checked, small) else {
        return Ok(checked);
    };
    let whole = whole.whole;
    let most = match weights {
        SmallWeights::F16 => HALVES,
        SmallWeights::Int8 => INT8,
        SmallWeights::Q4 => FOUR_BITS,
    };
    let small = small.and_then(|file| beside(&inputs, file, &*other, most.max(exact)));
    Ok(small.map(|file| PreparedFile { whole, ..file }))
}

/// Runs a file and the model that it was made of.
fn beside(
    inputs: &[InputSpec],
    bytes: Vec<u8>,
    other: &dyn Fn(Vec<Array>) -> Option<Array>,
    most: f64,
) -> std::result::Result<PreparedFile, String> {
    let runner = Runner::load(bytes.clone());
    let runner = runner.map_err(|why| format!("its prepared file could not be read: {why}"))?;
    let mut file = PreparedFile {
        whole: bytes.len(),
        bytes,
        inputs: inputs.to_vec(),
        trials: Vec::new(),
        most,
    };
    for lengths in LENGTHS {
        for length in lengths {
            let made = |(at, input)| made_up(input, length, rows(runner.program(), at));
            let given: Vec<Array> = inputs.iter().enumerate().map(made).collect();
            // What the model itself cannot take says nothing.
            let Some(expected) = other(given.clone()) else {
                continue;
            };
            let found = runner.run(given.clone());
            let found = found.map_err(|why| format!("its prepared form fails: {why:?}"))?;
            within(&found, &expected, most)
                .map_err(|why| format!("its prepared form gives other numbers, {why}"))?;
            file.trials.push(Trial {
                given,
                found,
                expected,
            });
        }
        if !file.trials.is_empty() {
            break;
        }
    }
    Ok(file)
}

fn within(found: &Array, expected: &Array, most: f64) -> std::result::Result<(), String> {
    let Apart {
        share,
        place,
        numbers,
    } = compare(found, expected)?;
    if share <= most {
        return Ok(());
    }
    let [found, expected] = numbers;
    Err(format!(
        "apart by {share:.1e} of their size, and at most {most:.1e} is allowed: at {place:?} {found} instead of {expected}"
    ))
}

/// How many rows the table has of which an input's numbers are the rows, where there is one.
fn rows(program: &Program, input: usize) -> Option<usize> {
    let picks = program.steps.iter().filter(|step| {
        let at = step
            .of
            .get(1)
            .and_then(|&value| usize::try_from(value).ok());
        matches!(step.op, Op::Gather { axis: 0 } | Op::Rows { .. }) && at == Some(input)
    });
    let tables = picks.filter_map(|step| {
        let at = step.of[0].checked_neg()?.checked_sub(1)?;
        let table = program.weights.get(usize::try_from(at).ok()?)?;
        table.shape.first().copied()
    });
    tables.min()
}

/// Numbers for an input: floats between -1 and 1; rows from all over a table; other integers are 0 or 1 (masks).
fn made_up(input: &InputSpec, length: usize, rows: Option<usize>) -> Array {
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
            let row = |at: usize| match rows {
                Some(rows) => (at as i64 + 1) * 7919 % rows.max(1) as i64,
                None => i64::from(at % 3 != 2),
            };
            Array::i64(shape, (0..len).map(row).collect())
        }
    }
}
