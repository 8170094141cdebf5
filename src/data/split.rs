//! Dealing rows out to splits.

use std::collections::BTreeMap;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

use super::shuffle::shuffle;

/// Which of `shares` each row goes to, by index. Rows of one group stay together; within that, every
/// label is spread as the shares say. The same seed gives the same split.
pub fn split(groups: &[usize], labels: &[Option<String>], shares: &[f64], seed: u64) -> Vec<usize> {
    let total: f64 = shares.iter().sum();
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(row);
    }
    let mut order: Vec<&Vec<usize>> = members.values().collect();
    let mut random = Pcg32::seed_from_u64(seed);
    shuffle(&mut order, &mut random);
    // Large groups first: what is dealt last evens the shares out.
    order.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let mut of_label: BTreeMap<&Option<String>, f64> = BTreeMap::new();
    labels
        .iter()
        .for_each(|label| *of_label.entry(label).or_default() += 1.0);
    let mut given: BTreeMap<(&Option<String>, usize), f64> = BTreeMap::new();
    let mut parts = vec![0; groups.len()];
    for rows in order {
        let label = &labels[rows[0]];
        let missing = |part: usize| {
            let wanted = of_label.get(label).copied().unwrap_or(0.0) * shares[part] / total;
            let has = given.get(&(label, part)).copied().unwrap_or(0.0);
            (wanted - has) / wanted.max(1e-9)
        };
        let part = match rows.len() {
            // A single row goes where its label is missed the most. Which one that is was drawn with the order.
            1 => (0..shares.len())
                .max_by(|&a, &b| missing(a).total_cmp(&missing(b)).then(b.cmp(&a)))
                .unwrap_or(0),
            // Where copies go is drawn. By what is missed, the largest group would go to the same part for every seed, and that part would
            // never be without it.
            _ => {
                let wanted = |part: usize| missing(part).max(0.0) * shares[part];
                let wanted: Vec<f64> = (0..shares.len()).map(wanted).collect();
                let uniform = random.next_u64() as f64 / 2.0_f64.powi(64);
                drawn(&wanted, uniform)
                    .or_else(|| drawn(shares, uniform))
                    .unwrap_or(0)
            }
        };
        for &row in rows {
            parts[row] = part;
            *given.entry((&labels[row], part)).or_default() += 1.0;
        }
    }
    parts
}

/// The place that a number from 0 to 1 falls on where places are as wide as their weights; nothing where all weigh nothing.
fn drawn(weights: &[f64], uniform: f64) -> Option<usize> {
    let mut left = uniform * weights.iter().sum::<f64>();
    let mut last = None;
    for (at, &weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
        last = Some(at);
        if left < weight {
            break;
        }
        left -= weight;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_group_goes_to_each_part_as_often_as_its_share_says() {
        let labels: Vec<Option<String>> = vec![Some("a".to_owned()); 300];
        // 20 copies, 5 copies, and rows by themselves.
        let groups: Vec<usize> = (0..300)
            .map(|i| match i {
                0..20 => 0,
                20..25 => 20,
                _ => i,
            })
            .collect();
        let mut given = [0.0; 3];
        for seed in 0..300 {
            let parts = split(&groups, &labels, &[50.0, 20.0, 30.0], seed);
            given[parts[0]] += 1.0 / 300.0;
            // The single rows even it out.
            for (part, share) in [(0, 150), (1, 60), (2, 90)] {
                let rows = parts.iter().filter(|&&p| p == part).count();
                assert!(rows.abs_diff(share) <= 1, "{rows} rows, {share} wanted");
            }
        }
        // Three standard errors.
        for (share, expected) in given.into_iter().zip([0.5, 0.2, 0.3_f64]) {
            let error = (expected * (1.0 - expected) / 300.0).sqrt();
            assert!((share - expected).abs() <= 3.0 * error, "{given:?}");
        }
    }

    #[test]
    fn a_place_is_drawn_by_its_weight() {
        for (uniform, place) in [(0.0, 1), (0.24, 1), (0.26, 3), (1.0, 3)] {
            assert_eq!(drawn(&[0.0, 1.0, 0.0, 3.0, 0.0], uniform), Some(place));
        }
        assert_eq!(drawn(&[0.0, 0.0], 0.5), None);
        assert_eq!(drawn(&[], 0.5), None);
    }

    #[test]
    fn shares_are_kept_label_by_label_and_groups_stay_together() {
        let labels: Vec<Option<String>> = (0..1000)
            .map(|i| Some(if i % 10 == 0 { "rare" } else { "common" }.to_owned()))
            .collect();
        // Rows 500 to 599 are copies of each other.
        let groups: Vec<usize> = (0..1000)
            .map(|i| if (500..600).contains(&i) { 500 } else { i })
            .collect();
        let parts = split(&groups, &labels, &[2.0, 1.0, 1.0], 7);
        assert!(parts[500..600].iter().all(|&part| part == parts[500]));
        for label in ["rare", "common"] {
            let of = |part| {
                (0..1000)
                    .filter(|&i| labels[i].as_deref() == Some(label) && parts[i] == part)
                    .count()
            };
            let n = of(0) + of(1) + of(2);
            assert!(
                (of(0) as f64 / n as f64 - 0.5).abs() < 0.03,
                "{label}: {}",
                of(0)
            );
        }
        assert_eq!(parts, split(&groups, &labels, &[0.5, 0.25, 0.25], 7));
        assert_ne!(parts, split(&groups, &labels, &[2.0, 1.0, 1.0], 8));
    }

    #[test]
    fn few_rows_and_no_labels_are_dealt_out_too() {
        assert!(split(&[], &[], &[1.0], 0).is_empty());
        let parts = split(&[0, 0], &[None, None], &[1.0, 1.0], 0);
        assert!(parts[0] == parts[1] && parts[0] < 2, "{parts:?}");
    }
}
