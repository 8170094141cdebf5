//! What may be promised of local answers: how many of them are wrong, or how many more than the remote would have wrong.

use serde::{Deserialize, Serialize};

use super::{Loss, risk};
use crate::error::{Code, Error, Result};

/// What an error rate is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum GuaranteeKind {
    /// Nothing: at most the share `risk` of the local answers is wrong.
    Absolute,
    /// The remote's answers to the same inputs: the share of wrong local answers is at most `risk` above the remote's.
    AgainstRemote,
}

/// The promise that an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct AnswerGuarantee {
    /// What the error rate is held against.
    pub kind: GuaranteeKind,
    /// The error rate, the excess over the remote's, or the mean loss, that the certificate bounds. It may be smaller than what was
    /// asked for.
    pub risk: f64,
    /// The loss whose mean is bounded; absent where answers are right or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub loss: Option<Loss>,
    /// The chance, over calibration samples, that the certificate does not hold.
    pub delta: f64,
    /// The largest share of out-of-scope inputs it holds for; `null` where it is for as many as the calibration rows had.
    pub out_of_scope_share: Option<f64>,
}

/// The promise that a call asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AskedRisk {
    /// What the error rate is held against.
    pub kind: GuaranteeKind,
    /// The most that it may be.
    pub risk: f64,
}

impl AskedRisk {
    /// At most this share of the local answers may be wrong.
    pub fn absolute(risk: f64) -> Self {
        AskedRisk {
            kind: GuaranteeKind::Absolute,
            risk,
        }
    }

    /// At most this share more of the local answers may be wrong than of the remote's.
    pub fn against_remote(excess: f64) -> Self {
        AskedRisk {
            kind: GuaranteeKind::AgainstRemote,
            risk: excess,
        }
    }

    /// What options ask for; nothing where they are silent.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] where both are given, or one is not above 0 and below 1.
    pub(crate) fn of(risk: Option<f64>, excess: Option<f64>) -> Result<Option<Self>> {
        risk::check("risk", risk)?;
        risk::check("excessRisk", excess)?;
        match (risk, excess) {
            (Some(_), Some(_)) => Err(Error::new(
                Code::InvalidOption,
                "risk and excessRisk are two promises; ask for one of them",
            )),
            (Some(risk), None) => Ok(Some(AskedRisk::absolute(risk))),
            (None, Some(excess)) => Ok(Some(AskedRisk::against_remote(excess))),
            (None, None) => Ok(None),
        }
    }

    /// The share of wrong answers that is allowed, where that is what was asked for.
    pub fn as_absolute(self) -> Option<f64> {
        (self.kind == GuaranteeKind::Absolute).then_some(self.risk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_asks_for_one_promise() {
        assert_eq!(AskedRisk::of(None, None).unwrap(), None);
        let asked = AskedRisk::of(Some(0.05), None).unwrap().unwrap();
        assert_eq!(asked.as_absolute(), Some(0.05));
        let asked = AskedRisk::of(None, Some(0.02)).unwrap().unwrap();
        assert_eq!((asked.as_absolute(), asked.risk), (None, 0.02));
        for (risk, excess, named) in [
            (Some(0.05), Some(0.02), "one of them"),
            (Some(0.0), None, "risk must be"),
            (None, Some(1.0), "excessRisk must be"),
            (None, Some(f64::NAN), "excessRisk must be"),
        ] {
            let error = AskedRisk::of(risk, excess).unwrap_err();
            assert_eq!(error.code(), Code::InvalidOption);
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
