//! What a remote was measured to be worth: how often it is right, by task and by how confident the local models are. Made by
//! `smallfirst evaluate --remote ... --profile`, read where a call decides whether to ask.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};
use crate::monitor::CLAIM_BITS;

/// The version of the format.
pub const PROFILE_VERSION: u32 = 1;

/// The most bins of a task.
pub const MAX_BINS: usize = 100;

/// How good one remote model is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteProfile {
    /// The version of the format: 1.
    pub version: u32,
    /// The remote's model. An endpoint that asks another one cannot have this profile.
    pub model: String,
    /// The tasks that were measured.
    pub tasks: BTreeMap<String, TaskProfile>,
}

/// How good a remote model is at one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskProfile {
    /// Names the local models whose confidence the bins are of. With others, the profile says nothing of the task.
    pub models: String,
    /// When it was measured, in milliseconds since 1970.
    pub measured: f64,
    /// How many labelled rows the remote was asked.
    #[cfg_attr(test, ts(type = "number"))]
    pub rows: u64,
    /// How many of them it had right. A reply that is none of the labels, or none at all, is wrong.
    #[cfg_attr(test, ts(type = "number"))]
    pub right: u64,
    /// The rows by local confidence, in rising order.
    pub bins: Vec<ProfileBin>,
    /// How many rows of the mean accuracy each bin is mixed with (the strength of the beta prior): many where bins differ no more than chance
    /// makes them.
    pub prior_rows: f64,
    /// How long a reply took, in milliseconds: the median.
    pub milliseconds: f64,
    /// Tokens of request and reply, on average.
    pub tokens: f64,
}

/// Rows with a local confidence from `from` up to the next bin's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileBin {
    /// The smallest confidence. The first bin has all below it, too.
    pub from: f64,
    /// How many rows.
    #[cfg_attr(test, ts(type = "number"))]
    pub rows: u64,
    /// How many of them the remote had right.
    #[cfg_attr(test, ts(type = "number"))]
    pub right: u64,
    /// How many of them the best local answer had right.
    #[cfg_attr(test, ts(type = "number"))]
    pub local_right: u64,
}

/// A number of [`CLAIM_BITS`] for what is said of a remote `model`: audits are counted under it. With another profile, or another
/// worth of asking, it is another claim.
fn claim(model: &str, about: u8, number: f64) -> u64 {
    let mut hash = Sha256::new();
    hash.update([about]);
    hash.update(number.to_le_bytes());
    hash.update(model);
    let digest = hash.finalize();
    let bytes = digest.iter().take(8);
    bytes.fold(0, |all, byte| all << 8 | u64::from(*byte)) >> (64 - CLAIM_BITS)
}

/// The claim that a remote is right more often than the best local answers, by at least `worth`.
pub fn worth_claim(model: &str, worth: f64) -> u64 {
    claim(model, 1, worth)
}

impl RemoteProfile {
    /// Checks a profile for an endpoint that asks `model`.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub(super) fn validate(&self, model: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::new(Code::InvalidOption, format!("remote: {what}")));
        if self.version != PROFILE_VERSION {
            return wrong(format!(
                "its profile has version {}, and this version of smallfirst reads version {PROFILE_VERSION}; record it again with `smallfirst evaluate --remote ... --profile`",
                self.version
            ));
        }
        if self.model != model {
            return wrong(format!(
                "its profile was recorded with the model \"{}\", and this endpoint asks \"{model}\"; record one of that model with `smallfirst evaluate --remote ... --profile`, or leave profile out",
                self.model
            ));
        }
        match self.tasks.iter().find(|(_, task)| !task.is_sound()) {
            Some((id, _)) => wrong(format!(
                "its profile of the task \"{id}\" needs bins in rising order from 0 to 1 whose rows add up to those of the task, and no more right answers than rows"
            )),
            None => Ok(()),
        }
    }
}

impl TaskProfile {
    /// How likely the remote is right where the best local answer has this confidence. The accuracy of the bin is shrunk to
    /// that of all (the posterior mean of a beta-binomial model), since a bin of few rows says little.
    pub fn accuracy(&self, confidence: f64) -> f64 {
        let mean = self.right as f64 / self.rows.max(1) as f64;
        let at = self.bins.partition_point(|bin| bin.from <= confidence);
        let Some(bin) = self.bins.get(at.saturating_sub(1)) else {
            return mean;
        };
        (bin.right as f64 + self.prior_rows * mean) / (bin.rows as f64 + self.prior_rows)
    }

    /// The claim that `model` is right as often as this expects. A profile that is measured anew is another claim.
    pub fn claim(&self, model: &str) -> u64 {
        claim(model, 0, self.measured)
    }

    fn is_sound(&self) -> bool {
        let sum = |of: fn(&ProfileBin) -> u64| {
            let mut counts = self.bins.iter().map(of);
            counts.try_fold(0_u64, u64::checked_add)
        };
        let rising = self.bins.windows(2).all(|pair| match pair {
            [a, b] => a.from < b.from,
            _ => true,
        });
        let each = self.bins.iter().all(|bin| {
            (0.0..=1.0).contains(&bin.from)
                && bin.rows > 0
                && bin.right.max(bin.local_right) <= bin.rows
        });
        let numbers = [
            self.measured,
            self.prior_rows,
            self.milliseconds,
            self.tokens,
        ];
        rising
            && each
            && (1..=MAX_BINS).contains(&self.bins.len())
            && sum(|bin| bin.rows) == Some(self.rows)
            && sum(|bin| bin.right) == Some(self.right)
            && numbers.iter().all(|n| n.is_finite() && *n >= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(from: f64, rows: u64, right: u64) -> ProfileBin {
        ProfileBin {
            from,
            rows,
            right,
            local_right: 0,
        }
    }

    fn profile() -> RemoteProfile {
        let task = TaskProfile {
            models: "abc".into(),
            measured: 0.0,
            rows: 200,
            right: 120,
            bins: vec![bin(0.3, 100, 80), bin(0.6, 100, 40)],
            prior_rows: 20.0,
            milliseconds: 800.0,
            tokens: 120.0,
        };
        RemoteProfile {
            version: PROFILE_VERSION,
            model: "large-1".into(),
            tasks: BTreeMap::from([("mood".into(), task)]),
        }
    }

    #[test]
    fn a_bins_accuracy_is_shrunk_to_the_mean() {
        let profile = profile();
        let task = &profile.tasks["mood"];
        for (confidence, expected) in [
            // Below the first bin counts as the first bin.
            (0.1, 92.0 / 120.0),
            (0.3, 92.0 / 120.0),
            (0.599, 92.0 / 120.0),
            (0.6, 52.0 / 120.0),
            (1.0, 52.0 / 120.0),
        ] {
            assert!((task.accuracy(confidence) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_profile_of_another_model_is_refused() {
        assert!(profile().validate("large-1").is_ok());
        let told = profile().validate("large-2").unwrap_err();
        assert_eq!(told.code(), Code::InvalidOption);
        let told = told.to_string();
        assert!(
            told.contains("large-1") && told.contains("large-2"),
            "{told}"
        );
    }

    #[test]
    fn numbers_that_do_not_agree_are_refused() {
        let refused = |change: &dyn Fn(&mut TaskProfile)| {
            let mut profile = profile();
            change(profile.tasks.get_mut("mood").unwrap());
            let told = profile.validate("large-1").unwrap_err().to_string();
            assert!(told.contains("mood"), "{told}");
        };
        refused(&|task| task.rows = 199);
        refused(&|task| task.right = 121);
        refused(&|task| task.bins.clear());
        refused(&|task| task.bins.reverse());
        refused(&|task| task.bins[0].from = f64::NAN);
        refused(&|task| task.bins[0].local_right = 101);
        refused(&|task| task.bins[0].rows = u64::MAX);
        refused(&|task| task.prior_rows = f64::INFINITY);
        refused(&|task| task.tokens = -1.0);
        let mut other = profile();
        other.version = 2;
        let told = other.validate("large-1").unwrap_err().to_string();
        assert!(told.contains("version 2"), "{told}");
    }
}
