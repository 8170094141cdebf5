//! What audited replies of a remote say about asking it.

use super::capital::Capital;
use super::{Drift, FALSE_ALARM_RATE, MonitorKind};

/// The chance that audits ever say of a remote that is worth asking that it is not.
pub const UNWORTHY_DELTA: f64 = 0.05;

/// Claims are numbered by so many bits. A larger number might come back as another after it was stored as a decimal fraction.
pub const CLAIM_BITS: u32 = 48;

/// The stakes on "the profile is wrong": either way, since nobody knows which.
const EITHER_WAY: [f64; 6] = [-0.6, -0.25, -0.1, 0.1, 0.25, 0.6];

/// The stakes on "it is not worth asking".
const ONE_WAY: [f64; 6] = [0.05, 0.1, 0.2, 0.35, 0.55, 0.8];

/// How many times the evidence that ends asking is held at most. What is over that is given away, so that a remote that has
/// become better is soon asked again, however long it was worse. With less, chance alone would often bring the evidence below
/// what ends asking.
const MOST_TIMES: f64 = 100.0;

/// What the replies of one remote model are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteClaim {
    /// Its profile: the replies are right as often as that expects. An alarm stays.
    Profile,
    /// The worth of asking: on the same inputs, they are right more often than the best local answers, by at least that. Not
    /// an alarm that stays: it holds for as long as the evidence is there.
    Worth,
}

impl RemoteClaim {
    /// The kind of the monitor.
    pub fn kind(self) -> MonitorKind {
        match self {
            RemoteClaim::Profile => MonitorKind::Remote,
            RemoteClaim::Worth => MonitorKind::RemoteWorth,
        }
    }

    fn delta(self) -> f64 {
        match self {
            RemoteClaim::Profile => FALSE_ALARM_RATE,
            RemoteClaim::Worth => UNWORTHY_DELTA,
        }
    }
}

/// Tests one claim about a remote by its audited replies (Waudby-Smith and Ramdas 2024, as [`ErrorMonitor`]). All replies
/// have the same chance to be audited, so none is weighted.
///
/// [`ErrorMonitor`]: super::ErrorMonitor
#[derive(Debug, Clone)]
pub struct RemoteMonitor {
    /// A number that stands for the remote model and the profile or the worth, of [`CLAIM_BITS`].
    id: u64,
    claim: RemoteClaim,
    capital: Capital<6>,
}

impl RemoteMonitor {
    /// A monitor of one claim.
    pub fn new(id: u64, claim: RemoteClaim) -> Self {
        RemoteMonitor {
            id,
            claim,
            capital: Capital::new(),
        }
    }

    /// What it is a monitor of.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What the replies are held against.
    pub fn claim(&self) -> RemoteClaim {
        self.claim
    }

    /// Takes in one audited reply. `claimed` is the accuracy that the profile expects of it, or the worth; `local` says
    /// whether the best local answer is right.
    ///
    /// A stake does not depend on the input, so claims about means are tested: the profile's bins may each be off, as long as
    /// they are right on the whole.
    pub fn observe(&mut self, claimed: f64, right: bool, local: bool) {
        let claimed = claimed.clamp(0.0, 1.0);
        let [right, local] = [right, local].map(|yes| if yes { 1.0 } else { 0.0 });
        // Where the claim holds, the first is 0 in expectation, and the second at most 0.
        let (surprise, stakes) = match self.claim {
            RemoteClaim::Profile => (right - claimed, EITHER_WAY),
            RemoteClaim::Worth => (claimed - (right - local), ONE_WAY),
        };
        self.capital
            .bet(stakes.map(|stake| 1.0 + stake * surprise), 0.0);
        if self.claim == RemoteClaim::Worth {
            self.capital.hold(MOST_TIMES / UNWORTHY_DELTA);
        }
    }

    /// Whatever it knows by now, an alarm that `before` had raised stays.
    pub fn stay_alarmed(&mut self, before: &Self) {
        self.capital.stay_at_least(&before.capital);
    }

    /// Whether the claim is refuted.
    pub fn alarmed(&self) -> bool {
        let evidence = match self.claim {
            RemoteClaim::Profile => self.capital.peak(),
            RemoteClaim::Worth => self.capital.evidence(),
        };
        evidence >= 1.0 / self.claim.delta()
    }

    /// All that it knows, as numbers.
    pub fn state(&self) -> Vec<f64> {
        let mut state = self.capital.state();
        let profile = self.claim == RemoteClaim::Profile;
        state.extend([self.id as f64, f64::from(u8::from(profile))]);
        state
    }

    /// The same again; nothing where these numbers are no such monitor's.
    pub fn resumed(state: &[f64]) -> Option<Self> {
        let (capital, &[id, profile]) = state.split_last_chunk()?;
        let claim = match profile {
            1.0 => RemoteClaim::Profile,
            0.0 => RemoteClaim::Worth,
            _ => return None,
        };
        let sound = (0.0..2.0_f64.powi(CLAIM_BITS as i32)).contains(&id) && id.fract() == 0.0;
        let capital = Capital::resumed(capital).filter(|_| sound)?;
        Some(RemoteMonitor {
            id: id as u64,
            claim,
            capital,
        })
    }

    /// How it stands, for `task`.
    pub fn status(&self, task: &str) -> Drift {
        Drift {
            task: task.to_owned(),
            watched: self.claim.kind(),
            evidence: self.capital.evidence(),
            alarm_at: 1.0 / self.claim.delta(),
            false_alarm_rate: self.claim.delta(),
            observed: self.capital.observed(),
            risk: None,
            alarmed: self.alarmed(),
        }
    }
}

#[cfg(test)]
mod tests;
