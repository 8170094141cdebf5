//! A confidence of what a model states, by Platt scaling (Platt 1999): the logistic function of a line through the logit of the
//! stated probability. It keeps the order of the answers.

use serde::{Deserialize, Serialize};

/// The line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Platt {
    /// Its slope; above 0, so that a surer answer stays the surer one.
    pub slope: f64,
    /// Its value at a stated probability of one half.
    pub intercept: f64,
}

/// How near to 0 and 1 a stated probability is believed.
const EDGE: f64 = 1e-9;

pub(crate) fn logit(probability: f64) -> f64 {
    let p = probability.clamp(EDGE, 1.0 - EDGE);
    (p / (1.0 - p)).ln()
}

impl Platt {
    /// Whether it can be used at all.
    #[cfg(feature = "onnx")]
    pub(super) fn is_sound(&self) -> bool {
        self.slope > 0.0 && self.slope.is_finite() && self.intercept.is_finite()
    }

    /// The confidence for a stated probability.
    pub fn confidence(&self, stated: f64) -> f64 {
        1.0 / (1.0 + (-(self.slope * logit(stated) + self.intercept)).exp())
    }
}
