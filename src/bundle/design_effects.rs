//! How much the errors behind a certificate cluster: part of the manifest's guarantee.

use serde::{Deserialize, Serialize};

/// The design effects of one certificate's errors on the calibration rows: by how much they vary more than those of as many
/// independent rows, 1 where errors do not cluster. A certificate takes rows as independent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesignEffects {
    /// The risk of the certificate.
    pub risk: f64,
    /// Of the named slices; absent where the rows have no slices, or their answers say nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<f64>,
    /// Of the groups of near-copies; absent where the answers say nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_copies: Option<f64>,
}

impl DesignEffects {
    /// Whether they are numbers that design effects can be, of one of these certified risks.
    pub(super) fn are_sound(&self, certified: impl IntoIterator<Item = f64>) -> bool {
        let mut effects = [self.slices, self.near_copies].into_iter().flatten();
        certified.into_iter().any(|risk| risk == self.risk)
            && effects.all(|effect| effect.is_finite() && effect >= 0.0)
    }
}
