//! Dealing rows out to splits.

use std::collections::BTreeMap;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

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
    for i in (1..order.len()).rev() {
        order.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
    }
    // Large groups first: what is dealt last evens the shares out.
    order.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let mut of_label: BTreeMap<&Option<String>, f64> = BTreeMap::new();
    labels
        .iter()
        .for_each(|label| *of_label.entry(label).or_default() += 1.0);
    let mut given: BTreeMap<(&Option<String>, usize), f64> = BTreeMap::new();
    let mut parts = vec![0; groups.len()];
    for rows in order {
        // A group goes where its first row's label is missed the most.
        let label = &labels[rows[0]];
        let missing = |part: usize| {
            let wanted = of_label.get(label).copied().unwrap_or(0.0) * shares[part] / total;
            let has = given.get(&(label, part)).copied().unwrap_or(0.0);
            (wanted - has) / wanted.max(1e-9)
        };
        let part = (0..shares.len())
            .max_by(|&a, &b| missing(a).total_cmp(&missing(b)).then(b.cmp(&a)))
            .unwrap_or(0);
        for &row in rows {
            parts[row] = part;
            *given.entry((&labels[row], part)).or_default() += 1.0;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(split(&[0, 0], &[None, None], &[1.0, 1.0], 0), [0, 0]);
    }
}
