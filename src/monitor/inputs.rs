//! The conformal test martingale over confidences.

use super::capital::Capital;
use super::{Drift, FALSE_ALARM_RATE, MonitorKind};
use crate::bundle::Reference;

/// The bets: each strategy multiplies by `1 + epsilon (p - 1/2)`. With the jumps between them this
/// is the Simple Jumper (Vovk, Petej, Nouretdinov et al. 2021, "Retrain or not retrain").
const EPSILONS: [f64; 5] = [-1.9, -0.9, 0.0, 0.9, 1.9];

/// The share of a bettor's capital that is spread anew before each bet.
const JUMP: f64 = 0.01;

/// Watches whether confidences still come as they did on the calibration data.
#[derive(Debug, Clone)]
pub struct InputMonitor {
    edges: Vec<f64>,
    /// Calibration rows and live inputs in each bin. Live ones are added, because against a frozen
    /// small sample even unchanged inputs look different in the long run.
    counts: Vec<u64>,
    total: u64,
    capital: Capital<5>,
}

impl InputMonitor {
    /// A monitor that starts from the calibration rows.
    pub fn new(reference: &Reference) -> Self {
        InputMonitor {
            edges: reference.edges.clone(),
            counts: reference.counts.clone(),
            total: reference.counts.iter().sum(),
            capital: Capital::new(),
        }
    }

    /// Takes in one input's confidence. `uniform` is a fresh random number in `[0, 1)`; it breaks
    /// ties, which makes the p-value exactly uniform while the null holds.
    pub fn observe(&mut self, confidence: f64, uniform: f64) {
        let bin = self.edges.partition_point(|&edge| edge <= confidence);
        let below: u64 = self.counts.iter().take(bin).sum();
        if let Some(count) = self.counts.get_mut(bin) {
            *count += 1;
        }
        self.total += 1;
        let equal = self.counts.get(bin).copied().unwrap_or(1);
        let p = (below as f64 + uniform * equal as f64) / self.total as f64;
        self.capital
            .bet(EPSILONS.map(|epsilon| 1.0 + epsilon * (p - 0.5)), JUMP);
    }

    /// Whatever it knows by now, an alarm that `before` had raised stays.
    pub fn stay_alarmed(&mut self, before: &Self) {
        self.capital.stay_at_least(&before.capital);
    }

    /// All that it knows beside its reference, as numbers: what each bin counts, then what was bet.
    pub fn state(&self) -> Vec<f64> {
        let counts = self.counts.iter().map(|&count| count as f64);
        counts.chain(self.capital.state()).collect()
    }

    /// The same again; nothing where these numbers are not those of a monitor that started from this reference.
    pub fn resumed(reference: &Reference, state: &[f64]) -> Option<Self> {
        let (counts, capital) = state.split_at_checked(reference.counts.len())?;
        let capital = Capital::resumed(capital)?;
        let counts: Vec<u64> = counts.iter().map(|&count| count as u64).collect();
        let seen = counts.iter().zip(&reference.counts);
        let seen = seen.map(|(now, before)| now.checked_sub(*before));
        let seen = seen.sum::<Option<u64>>()?;
        (seen == capital.observed()).then(|| InputMonitor {
            edges: reference.edges.clone(),
            total: counts.iter().sum(),
            counts,
            capital,
        })
    }

    /// Whether the alarm was raised.
    pub fn alarmed(&self) -> bool {
        self.capital.peak() >= 1.0 / FALSE_ALARM_RATE
    }

    /// How it stands, for `task`.
    pub fn status(&self, task: &str) -> Drift {
        Drift {
            task: task.to_owned(),
            watched: MonitorKind::Inputs,
            evidence: self.capital.evidence(),
            alarm_at: 1.0 / FALSE_ALARM_RATE,
            false_alarm_rate: FALSE_ALARM_RATE,
            observed: self.capital.observed(),
            risk: None,
            alarmed: self.alarmed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// A confidence: the larger of some uniform numbers, so mostly high.
    fn confidence(random: &mut Random, tries: usize) -> f64 {
        (0..tries).map(|_| random.uniform()).fold(0.0, f64::max)
    }

    fn monitor(random: &mut Random) -> InputMonitor {
        let edges: Vec<f64> = (1..32).map(|i| f64::from(i) / 32.0).collect();
        let mut counts = vec![0; 32];
        for _ in 0..500 {
            let value = confidence(random, 3);
            counts[edges.partition_point(|&edge| edge <= value)] += 1;
        }
        InputMonitor::new(&Reference { edges, counts })
    }

    #[test]
    fn unchanged_inputs_seldom_raise_the_alarm() {
        let runs = 1000;
        let mut random = Random::new(1);
        let alarms = (0..runs)
            .filter(|_| {
                let mut monitor = monitor(&mut random);
                for _ in 0..1500 {
                    let value = confidence(&mut random, 3);
                    monitor.observe(value, random.uniform());
                }
                monitor.alarmed()
            })
            .count();
        // At most the stated rate, within three standard errors of the simulation.
        let rate = FALSE_ALARM_RATE;
        let most = runs as f64 * rate + 3.0 * (runs as f64 * rate * (1.0 - rate)).sqrt();
        assert!(
            (alarms as f64) <= most,
            "{alarms} false alarms in {runs} runs"
        );
    }

    #[test]
    fn changed_inputs_raise_it_early_and_after_a_long_calm() {
        let mut random = Random::new(2);
        for calm in [0, 3000] {
            let found = (0..50)
                .filter(|_| {
                    let mut monitor = monitor(&mut random);
                    for _ in 0..calm {
                        let value = confidence(&mut random, 3);
                        monitor.observe(value, random.uniform());
                    }
                    let before = monitor.alarmed();
                    for _ in 0..400 {
                        let value = confidence(&mut random, 1);
                        monitor.observe(value, random.uniform());
                    }
                    !before && monitor.alarmed()
                })
                .count();
            assert!(found >= 45, "{found} of 50 after a calm of {calm}");
        }
    }

    #[test]
    fn a_change_for_the_better_is_a_change_too() {
        let mut random = Random::new(3);
        let mut monitor = monitor(&mut random);
        for _ in 0..600 {
            let value = confidence(&mut random, 12);
            monitor.observe(value, random.uniform());
        }
        assert!(monitor.alarmed());
        let status = monitor.status("t");
        assert_eq!((status.observed, status.alarmed), (600, true));
    }
}
