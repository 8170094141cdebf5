//! The e-process over audited answers.

use super::capital::Capital;
use super::{Drift, FALSE_ALARM_RATE, MonitorKind};

/// The shares of its capital that each strategy puts on "wrong". The best share at a true error
/// rate `q` is `(q - risk) / (1 - risk)`.
const STAKES: [f64; 4] = [0.01, 0.04, 0.12, 0.35];

/// Watches whether at most the share `risk` of the audited answers is wrong.
#[derive(Debug, Clone)]
pub struct ErrorMonitor {
    risk: f64,
    capital: Capital<4>,
}

impl ErrorMonitor {
    /// A monitor for one promised error rate, above 0 and below 1.
    pub fn new(risk: f64) -> Self {
        ErrorMonitor {
            risk,
            capital: Capital::new(),
        }
    }

    /// The promised error rate.
    pub fn risk(&self) -> f64 {
        self.risk
    }

    /// Takes in one audited answer. `weight`, above 0 and at most 1, is the smallest chance with which any answer is drawn
    /// to be audited, divided by the chance with which this one was; 1 where all have the same.
    ///
    /// Why the weight: the stake on an answer that was drawn with the chance `p` is `stake * least / p`, so that over the
    /// draw the bet on every answer is `stake * least`, however sure it is. If at most the share `risk` of all answers is
    /// wrong, the capital cannot be expected to grow, although unsure answers are drawn more often than sure ones. Nobody
    /// but the runtime may draw, and it draws before anybody knows the outcome.
    pub fn observe(&mut self, correct: bool, weight: f64) {
        let wrong = if correct { 0.0 } else { 1.0 };
        let weight = weight.clamp(0.0, 1.0);
        let factor = |stake: f64| 1.0 + stake * weight / self.risk * (wrong - self.risk);
        self.capital.bet(STAKES.map(factor), 0.0);
    }

    /// Whatever it knows by now, an alarm that `before` had raised stays.
    pub fn stay_alarmed(&mut self, before: &Self) {
        self.capital.stay_at_least(&before.capital);
    }

    /// All that it knows, as numbers.
    pub fn state(&self) -> Vec<f64> {
        let mut state = self.capital.state();
        state.push(self.risk);
        state
    }

    /// The same again; nothing where these numbers are no such monitor's.
    pub fn resumed(state: &[f64]) -> Option<Self> {
        let (&risk, capital) = state.split_last()?;
        let capital = Capital::resumed(capital)?;
        (risk > 0.0 && risk < 1.0).then_some(ErrorMonitor { risk, capital })
    }

    /// Whether the alarm was raised.
    pub fn alarmed(&self) -> bool {
        self.capital.peak() >= 1.0 / FALSE_ALARM_RATE
    }

    /// How it stands, for `task`.
    pub fn status(&self, task: &str) -> Drift {
        Drift {
            task: task.to_owned(),
            watched: MonitorKind::Errors,
            evidence: self.capital.evidence(),
            alarm_at: 1.0 / FALSE_ALARM_RATE,
            false_alarm_rate: FALSE_ALARM_RATE,
            observed: self.capital.observed(),
            risk: Some(self.risk),
            alarmed: self.alarmed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn alarms(runs: usize, answers: usize, risk: f64, error: f64, seed: u64) -> usize {
        let mut random = Random::new(seed);
        (0..runs)
            .filter(|_| {
                let mut monitor = ErrorMonitor::new(risk);
                for _ in 0..answers {
                    monitor.observe(random.uniform() >= error, 1.0);
                }
                monitor.alarmed()
            })
            .count()
    }

    #[test]
    fn a_kept_promise_seldom_raises_the_alarm_even_at_its_edge() {
        for (seed, risk) in [(1, 0.01), (2, 0.05), (3, 0.2)] {
            let runs = 1000;
            let found = alarms(runs, 1500, risk, risk, seed);
            let rate = FALSE_ALARM_RATE;
            let most = runs as f64 * rate + 3.0 * (runs as f64 * rate * (1.0 - rate)).sqrt();
            assert!(
                (found as f64) <= most,
                "{found} false alarms at risk {risk}"
            );
        }
    }

    #[test]
    fn a_broken_promise_raises_it() {
        assert!(alarms(100, 500, 0.05, 0.15, 4) >= 95);
        assert!(alarms(100, 1000, 0.01, 0.05, 5) >= 95);
    }
}
