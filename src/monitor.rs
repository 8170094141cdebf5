//! Whether live inputs still look like the calibration data, and whether the promised error rate
//! still holds. Pure: chance is passed in.
//!
//! Both monitors are test martingales: while their null hypothesis holds, their evidence is a
//! betting capital that starts at 1 and cannot be expected to grow, so that by Ville's inequality
//! it *ever* reaches `1 / rate` with a chance of at most `rate`. An alarm therefore has a stated
//! false-alarm rate over the monitor's whole life, however long that is and however often one looks.
//!
//! - [`InputMonitor`]: a conformal test martingale over the first tier's confidences (Vovk, Gammerman
//!   and Shafer 2022, "Algorithmic Learning in a Random World", part 3). Null: the live inputs and
//!   the calibration data are exchangeable.
//! - [`ErrorMonitor`]: an e-process over audited answers (Waudby-Smith and Ramdas 2024, "Estimating
//!   means of bounded random variables by betting"). Null: at most the promised share is wrong. [`audit_chance`] says how
//!   likely an answer is to be drawn for it.
//! - [`RemoteMonitor`]: the same over audited replies of a remote. Null: they are right as often as its profile expects, or
//!   more often than the best local answers.

mod audit;
mod capital;
mod errors;
mod inputs;
#[cfg(feature = "training")]
mod reference;
mod remote;

use serde::{Deserialize, Serialize};

pub use audit::{AUDIT_SHARE, LEAST_AUDIT_SHARE, audit_chance};
pub use errors::ErrorMonitor;
pub use inputs::InputMonitor;
#[cfg(feature = "training")]
pub use reference::reference;
pub use remote::{CLAIM_BITS, RemoteClaim, RemoteMonitor, UNWORTHY_DELTA};

/// The chance that a monitor ever raises an alarm although nothing has changed.
pub const FALSE_ALARM_RATE: f64 = 0.01;

/// What a monitor watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum MonitorKind {
    /// Whether inputs look like the calibration data. An alarm says that they differ from it, which may be harmless: the
    /// promise does not rest on it.
    Inputs,
    /// Whether audited answers keep the promised error rate. An alarm ends the task's guarantee.
    Errors,
    /// Whether checked answers by example are the remote's, but for the promised share.
    Examples,
    /// Whether audited replies of a remote are right as often as its profile expects. An alarm ends the profile's use.
    Remote,
    /// Whether audited replies of a remote without a profile are right more often than the best local answers. While
    /// `alarmed`, it is not asked where it could be compared. `onDrift` is not told.
    RemoteWorth,
}

/// How a monitor stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The task.
    pub task: String,
    /// What is watched.
    pub watched: MonitorKind,
    /// The evidence that something changed; 1 at the start.
    pub evidence: f64,
    /// The evidence from which there is an alarm: 1 / `falseAlarmRate`.
    pub alarm_at: f64,
    /// The chance of ever raising an alarm although nothing changed.
    pub false_alarm_rate: f64,
    /// How many inputs or audited answers were seen.
    #[cfg_attr(test, ts(type = "number"))]
    pub observed: u64,
    /// The error rate that is watched, for `errors`.
    pub risk: Option<f64>,
    /// Whether the alarm was raised. It stays until the task is calibrated anew; that of `remote-worth` may end before. One of
    /// `errors` ends the task's guarantee, one of `inputs` where `onDrift` is `"stop"`.
    pub alarmed: bool,
}
