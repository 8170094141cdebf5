//! How much errors cluster. Certificates take rows as independent; rows of one source, author or language are often wrong
//! together.

use std::collections::HashMap;
use std::hash::Hash;

/// The design effect of clusters on an error rate: the variance of the rate with errors that cluster, divided by that of as many
/// independent rows (Kish 1965; here the linearised variance of a ratio, with one degree of freedom lost). About 1 where errors
/// do not cluster. Nothing where there is one cluster only, or where all rows are right or all are wrong.
pub fn design_effect<C: Eq + Hash>(rows: impl Iterator<Item = (C, bool)> + Clone) -> Option<f64> {
    let (mut all, mut wrong) = (0.0, 0.0);
    for (_, right) in rows.clone() {
        all += 1.0;
        wrong += f64::from(u8::from(!right));
    }
    let rate = wrong / all;
    let mut residuals: HashMap<C, f64> = HashMap::new();
    for (cluster, right) in rows {
        *residuals.entry(cluster).or_default() += f64::from(u8::from(!right)) - rate;
    }
    let clusters = residuals.len() as f64;
    if clusters < 2.0 || wrong == 0.0 || wrong == all {
        return None;
    }
    let squares: f64 = residuals.values().map(|sum| sum * sum).sum();
    Some(squares * clusters / (clusters - 1.0) / (all * rate * (1.0 - rate)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// Rows in clusters of 50, with an error rate of 5 % on average; in some worlds each cluster has a rate of its own.
    fn drawn(own_rates: bool) -> Vec<(usize, bool)> {
        let mut random = Random::new(5);
        let mut rows = Vec::new();
        for cluster in 0..400 {
            let rate = match own_rates {
                true if random.uniform() < 0.25 => 0.2,
                true => 0.0,
                false => 0.05,
            };
            rows.extend((0..50).map(|_| (cluster, random.uniform() >= rate)));
        }
        rows
    }

    #[test]
    fn errors_that_cluster_are_told_from_those_that_do_not() {
        let independent = design_effect(drawn(false).into_iter()).unwrap();
        assert!((0.8..1.25).contains(&independent), "{independent}");
        // 1 + (50 - 1) rho, with rho = Var(rate) / (p (1 - p)) = 0.0075 / 0.0475.
        let clustered = design_effect(drawn(true).into_iter()).unwrap();
        assert!((7.0..11.0).contains(&clustered), "{clustered}");
    }

    #[test]
    fn rows_that_say_nothing_have_no_design_effect() {
        let of = |rows: &[(u8, bool)]| design_effect(rows.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0, true), (0, false)]), None);
        assert_eq!(of(&[(0, true), (1, true)]), None);
        assert_eq!(of(&[(0, false), (1, false)]), None);
        assert_eq!(of(&[(0, true), (1, false)]), Some(2.0));
    }
}
