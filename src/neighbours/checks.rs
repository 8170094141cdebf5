//! The checks of answers by example: each was held against what the remote said, and too many that differ end the trust.
//!
//! They are kept with the examples, in the same entry of the same transaction. So they belong to one question, they go on
//! from page to page and from tab to tab, for tasks of the caller's own as well, and they are forgotten with the examples.

use serde::{Deserialize, Serialize};

use super::looks::MOST_RISKS;
use crate::monitor::{Drift, ErrorMonitor, MonitorKind};

/// The monitors of a question's checks, one a risk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Vec<f64>>", into = "Vec<Vec<f64>>")]
pub struct Checks(Vec<ErrorMonitor>);

impl Checks {
    /// Takes in whether an answer at a risk is the remote's. True when this raised the alarm.
    pub fn take(&mut self, risk: f64, correct: bool) -> bool {
        let at = self.0.iter().position(|monitor| monitor.risk() == risk);
        let at = at.unwrap_or(self.0.len());
        if at == self.0.len() && at < MOST_RISKS {
            self.0.push(ErrorMonitor::new(risk));
        }
        let Some(monitor) = self.0.get_mut(at) else {
            return false;
        };
        let before = monitor.alarmed();
        monitor.observe(correct, 1.0);
        monitor.alarmed() && !before
    }

    /// How they stand, for `task`.
    pub fn status(&self, task: &str) -> impl Iterator<Item = Drift> {
        self.0.iter().map(move |monitor| Drift {
            watched: MonitorKind::Examples,
            ..monitor.status(task)
        })
    }
}

impl PartialEq for Checks {
    fn eq(&self, other: &Self) -> bool {
        let states = |checks: &Checks| Vec::<Vec<f64>>::from(checks.clone());
        states(self) == states(other)
    }
}

/// What cannot be a monitor's state is left out.
impl From<Vec<Vec<f64>>> for Checks {
    fn from(states: Vec<Vec<f64>>) -> Self {
        let monitors = states.iter().map(|state| ErrorMonitor::resumed(state));
        Checks(monitors.flatten().take(MOST_RISKS).collect())
    }
}

impl From<Checks> for Vec<Vec<f64>> {
    fn from(checks: Checks) -> Self {
        checks.0.iter().map(ErrorMonitor::state).collect()
    }
}
