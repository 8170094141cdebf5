//! What a calibration certified, as the manifest has it, and the rules that its numbers keep.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::design_effects::DesignEffects;
use crate::error::{Code, Error, Result};
use crate::task::Loss;

/// The most borders that a reference histogram may have.
const MAX_EDGES: usize = 1024;

/// What calibration certified for a task. See `calibrate` for the procedure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guarantee {
    /// The chance, over calibration samples, that a certificate does not hold; for each by itself.
    pub delta: f64,
    /// What the risks are means of; absent where answers are right or wrong, and risks are error rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// The options that the answers were made with that were calibrated, as calls have them; a call with other ones carries no
    /// promise. Absent where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, serde_json::Value>,
    /// The risk that counts when a call asks for none.
    pub default_risk: f64,
    /// Calibration rows, out-of-scope ones included.
    pub rows: u64,
    /// How many of them are out of scope, so that any local answer is wrong.
    #[serde(default)]
    pub out_of_scope: u64,
    /// The largest share of out-of-scope inputs that the certificates hold for; absent where they are for as many as there were
    /// among the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_scope_share: Option<f64>,
    /// Whether every certificate holds for each named slice by itself.
    #[serde(default)]
    pub per_slice: bool,
    /// One for each risk that was tried, in rising order.
    pub certificates: Vec<Certificate>,
    /// The test rows that joined the calibration rows after their report was written; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_rows: Option<FinalRows>,
    /// How often these calibration rows had certified for this task in the folder where it was calibrated, this time included;
    /// absent where it was not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// How much the errors of the default risk's certificate cluster; absent where it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design_effects: Option<DesignEffects>,
    /// The first tier's confidences on the calibration rows, which live ones are held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// What is certified against a remote, where its answers to the calibration rows are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_remote: Option<AgainstRemote>,
}

/// Test rows that joined the calibration rows: the evaluation is of the thresholds before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinalRows {
    /// How many of the calibration rows they are.
    pub rows: u64,
    /// The fingerprint of the evaluation, which is of the same models and rules with the certificates that the other rows gave.
    pub evaluated: String,
}

/// What calibration certified against one remote: how many more of the local answers are wrong than the remote's would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgainstRemote {
    /// The remote's model. The certificates say nothing of another one.
    pub model: String,
    /// The largest share of the calibration rows whose labels may be wrong, at random, without the certificates failing.
    pub label_errors: f64,
    /// One for each excess that was tried, in rising order.
    pub certificates: Vec<ExcessCertificate>,
}

/// The thresholds at one excess, with their evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExcessCertificate {
    /// The most that the error rate of local answers may exceed the remote's on the same inputs.
    pub excess: f64,
    /// One confidence a tier, in the tiers' order; `null` when none could be certified.
    pub thresholds: Option<Vec<f64>>,
    /// Calibration rows answered locally at these thresholds.
    #[serde(default)]
    pub n: u64,
    /// How many of them are wrong.
    #[serde(default)]
    pub errors: u64,
    /// How many of them the remote has wrong.
    #[serde(default)]
    pub remote_errors: u64,
    /// The chance of such errors if the excess were truly larger.
    #[serde(default)]
    pub p_value: Option<f64>,
}

/// The thresholds at one risk, with their evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// The error rate allowed among locally answered inputs.
    pub risk: f64,
    /// One confidence a tier, in the tiers' order; `null` when none could be certified.
    pub thresholds: Option<Vec<f64>>,
    /// Calibration rows answered locally at these thresholds.
    #[serde(default)]
    pub n: u64,
    /// How many of them are wrong; of graded answers, how many are not wholly right.
    #[serde(default)]
    pub errors: u64,
    /// The mean of their losses, where answers are graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_loss: Option<f64>,
    /// The chance of such losses if their true mean were larger than the risk, where answers are graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// The exact (Clopper-Pearson) upper bound of the error rate at confidence 1 - delta.
    #[serde(default)]
    pub bound: Option<f64>,
    /// The same counts by tier, in the tiers' order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Counts>,
    /// The same counts by slice.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, Counts>,
}

/// How many rows were answered locally, and how many of them wrongly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Answered locally.
    pub n: u64,
    /// Of these, wrong.
    pub errors: u64,
}

/// A histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    /// The bins' inner borders, rising; a value belongs above every border it is not below.
    pub edges: Vec<f64>,
    /// Rows in each bin: one more than there are borders.
    pub counts: Vec<u64>,
}

fn share(x: f64) -> bool {
    x > 0.0 && x < 1.0
}

fn are_thresholds(thresholds: Option<&[f64]>, tiers: usize) -> bool {
    thresholds.is_none_or(|t| t.len() == tiers && t.iter().all(|t| (0.0..=1.0).contains(t)))
}

fn invalid(message: String) -> Error {
    Error::new(Code::BundleInvalid, message)
}

impl Guarantee {
    pub(super) fn check(&self, what: &str, tiers: usize) -> Result<()> {
        let rising = self
            .certificates
            .windows(2)
            .all(|pair| pair[0].risk < pair[1].risk);
        if !share(self.delta) || !share(self.default_risk) || !rising {
            return Err(invalid(format!(
                "{what}: the guarantee's delta and risks must be between 0 and 1, and the certificates in rising order"
            )));
        }
        for certificate in &self.certificates {
            let sound = share(certificate.risk)
                && certificate.errors <= certificate.n
                && certificate.n <= self.rows
                && certificate
                    .mean_loss
                    .iter()
                    .chain(&certificate.p_value)
                    .all(|x| (0.0..=1.0).contains(x))
                && are_thresholds(certificate.thresholds.as_deref(), tiers);
            if !sound {
                return Err(invalid(format!(
                    "{what}: the certificate at risk {} needs one threshold between 0 and 1 for each of {tiers} tiers, and counts that agree",
                    certificate.risk
                )));
            }
        }
        let certified = self
            .certificates
            .iter()
            .filter(|certificate| certificate.thresholds.is_some());
        let effects = self.design_effects.as_ref();
        if self.uses == Some(0)
            || effects.is_some_and(|of| !of.are_sound(certified.map(|c| c.risk)))
        {
            return Err(invalid(format!(
                "{what}: the calibration rows were used at least once, and design effects are of a certified risk and not negative"
            )));
        }
        if let Some(reference) = &self.reference {
            let sound = reference.counts.len() == reference.edges.len() + 1
                && reference.edges.len() <= MAX_EDGES
                && reference.edges.windows(2).all(|pair| pair[0] < pair[1])
                && reference.counts.iter().all(|&n| n <= self.rows);
            if !sound {
                return Err(invalid(format!(
                    "{what}: the reference needs rising edges and one count more than edges"
                )));
            }
        }
        if self
            .final_rows
            .as_ref()
            .is_some_and(|of| of.rows > self.rows)
        {
            return Err(invalid(format!(
                "{what}: the final rows are some of the calibration rows, and so no more than these"
            )));
        }
        if let Some(against) = &self.against_remote {
            against.check(what, tiers, self.rows)?;
        }
        Ok(())
    }
}

impl AgainstRemote {
    fn check(&self, what: &str, tiers: usize, rows: u64) -> Result<()> {
        let certificates = &self.certificates;
        let rising = certificates
            .windows(2)
            .all(|pair| pair[0].excess < pair[1].excess);
        if self.model.is_empty() || !(0.0..1.0).contains(&self.label_errors) || !rising {
            return Err(invalid(format!(
                "{what}: what is certified against a remote needs the remote's model, a share of label errors from 0 to 1, and certificates in rising order"
            )));
        }
        for certificate in certificates {
            let sound = share(certificate.excess)
                && certificate.errors.max(certificate.remote_errors) <= certificate.n
                && certificate.n <= rows
                && are_thresholds(certificate.thresholds.as_deref(), tiers);
            if !sound {
                return Err(invalid(format!(
                    "{what}: the certificate at excess {} needs one threshold between 0 and 1 for each of {tiers} tiers, and counts that agree",
                    certificate.excess
                )));
            }
        }
        Ok(())
    }
}
