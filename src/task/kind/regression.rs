//! Numbers of a row (regression): what the model gives, without any scale of how sure it is.

use serde::{Deserialize, Serialize};

use super::forward::named;
use super::runs::{Runs, row};
use crate::error::Result;
use crate::task::Input;

/// What exporters call the output of a regression.
const NAMES: [&str; 4] = ["variable", "predictions", "output", "logits"];

/// The numbers of an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RegressionOutput {
    /// The first one, which mostly is the only one.
    pub value: f64,
    /// All, in the model's order.
    pub values: Vec<f64>,
}

pub(super) fn perform(input: Input<'_>, model: &mut dyn Runs) -> Result<RegressionOutput> {
    let values = model.run(input)?;
    let found = named(model.name(), &values, &NAMES)?;
    let numbers = row(model.name(), found, "[1, numbers]")?;
    let values: Vec<f64> = numbers.iter().map(|&v| f64::from(v)).collect();
    Ok(RegressionOutput {
        value: values[0],
        values,
    })
}
