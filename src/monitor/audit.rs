//! How likely an answer is to be drawn, so that somebody finds out whether it is right.

/// The share of the surest answers that are drawn, where nobody says.
pub const AUDIT_SHARE: f64 = 0.1;

/// The least share: with fewer audits, an alarm would come too late to be of use.
pub const LEAST_AUDIT_SHARE: f64 = 0.01;

/// How many times as often as the surest answers the least sure ones are drawn: most errors are among them.
const LEAST_SURE_TIMES: f64 = 8.0;

/// The chance with which a guaranteed answer is drawn: `share` for one that is quite sure, up to eight times that for one
/// that just meets its threshold, and at most 1. Never less than `share`, which [`ErrorMonitor::observe`] relies on.
///
/// [`ErrorMonitor::observe`]: super::ErrorMonitor::observe
pub fn audit_chance(share: f64, confidence: f64, threshold: f64) -> f64 {
    let room = 1.0 - threshold;
    let unsure = match room > 0.0 {
        true => ((1.0 - confidence) / room).clamp(0.0, 1.0),
        false => 0.0,
    };
    (share * (1.0 + (LEAST_SURE_TIMES - 1.0) * unsure))
        .max(share)
        .min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::{ErrorMonitor, FALSE_ALARM_RATE};
    use crate::testing::Random;

    const THRESHOLD: f64 = 0.8;

    #[test]
    fn the_least_sure_are_drawn_eight_times_as_often() {
        for (share, confidence, chance) in [
            (0.1, 1.0, 0.1),
            (0.1, 0.9, 0.45),
            (0.1, 0.8, 0.8),
            (0.1, 0.5, 0.8),
            (0.5, 0.8, 1.0),
            (1.0, 1.0, 1.0),
        ] {
            let drawn = audit_chance(share, confidence, THRESHOLD);
            assert!(
                (drawn - chance).abs() < 1e-12,
                "{share} {confidence} {drawn}"
            );
        }
        // Where every answer has to be quite sure, all are.
        assert_eq!(audit_chance(0.1, 1.0, 1.0), 0.1);
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            assert!((0.1..=1.0).contains(&audit_chance(0.1, 0.9, odd)), "{odd}");
            assert!((0.1..=1.0).contains(&audit_chance(0.1, odd, 0.8)), "{odd}");
        }
    }

    /// Answers whose error is `error` on the whole: sure ones are seldom wrong, the least sure quarter makes most errors.
    fn answer(random: &mut Random, error: f64) -> (f64, bool) {
        let confidence = THRESHOLD + (1.0 - THRESHOLD) * random.uniform();
        let unsure = (1.0 - confidence) / (1.0 - THRESHOLD);
        // The mean of 3 u^2 over u in [0, 1] is 1.
        (confidence, random.uniform() < error * 3.0 * unsure * unsure)
    }

    /// In how many of `runs` the alarm is raised within so many answers, and how many were audited in all.
    fn alarms(runs: usize, answers: usize, share: f64, error: f64, seed: u64) -> (usize, usize) {
        let mut random = Random::new(seed);
        let mut audits = 0;
        let alarmed = (0..runs).filter(|_| {
            let mut monitor = ErrorMonitor::new(0.05);
            for _ in 0..answers {
                let (confidence, wrong) = answer(&mut random, error);
                let chance = audit_chance(share, confidence, THRESHOLD);
                if random.uniform() < chance {
                    audits += 1;
                    monitor.observe(!wrong, share / chance);
                }
            }
            monitor.alarmed()
        });
        (alarmed.count(), audits)
    }

    #[test]
    fn least_sure_answers_are_audited_more_often_and_an_error_at_the_limit_seldom_alarms() {
        let runs = 1000;
        let rate = FALSE_ALARM_RATE;
        let most = runs as f64 * rate + 3.0 * (runs as f64 * rate * (1.0 - rate)).sqrt();
        for (seed, share) in [(1, 0.1), (2, 0.3), (3, 1.0)] {
            let (found, audits) = alarms(runs, 3000, share, 0.05, seed);
            println!(
                "share {share}: {found} false alarms in {runs} runs, {} audits each",
                audits / runs
            );
            assert!((found as f64) <= most, "{found} at a share of {share}");
        }
    }

    #[test]
    fn twice_the_promised_error_is_found() {
        for (seed, share, answers) in [(4, 0.1, 10_000), (5, 0.3, 5000), (6, 1.0, 2000)] {
            let (found, audits) = alarms(100, answers, share, 0.1, seed);
            println!(
                "share {share}: found in {found} of 100 runs of {answers} answers, {} audits each",
                audits / 100
            );
            assert!(found >= 95, "{found} at a share of {share}");
        }
    }
}
