//! Logits to probabilities.

/// The softmax of some logits, in f64.
pub(super) fn softmax(logits: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = logits.into_iter().collect();
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Of nothing but impossible ones, none is likelier.
    let most = if most.is_finite() { most } else { 0.0 };
    values.iter_mut().for_each(|v| *v = (*v - most).exp());
    let sum: f64 = values.iter().sum();
    if sum > 0.0 {
        values.iter_mut().for_each(|v| *v /= sum);
    }
    values
}

/// The logistic function.
pub(super) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The numbers of the largest `most` values, largest first. Equal ones keep their order.
pub(super) fn largest(values: &[f64], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let by_value = |&a: &usize, &b: &usize| values[b].total_cmp(&values[a]).then(a.cmp(&b));
    if most < order.len() && most > 0 {
        order.select_nth_unstable_by(most - 1, by_value);
        order.truncate(most);
    }
    order.sort_by(by_value);
    order.truncate(most);
    order
}

/// The F1 of `both` among `given` ones and those that are `there`; 1 where there is nothing and nothing was given.
pub(super) fn f1(both: usize, given: usize, there: usize) -> f64 {
    match given + there {
        0 => 1.0,
        all => 2.0 * both as f64 / all as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_impossible_ones_are_none() {
        let some = softmax([1.0, 2.0, f64::NEG_INFINITY]);
        assert!((some.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((some[1] / some[0] - 1f64.exp()).abs() < 1e-12);
        assert_eq!(some[2], 0.0);
        assert!(softmax([1000.0, 0.0])[0] > 0.999);
        assert_eq!(softmax([f64::NEG_INFINITY; 2]), [0.0, 0.0]);
        assert!((sigmoid(0.0) - 0.5).abs() < 1e-12 && sigmoid(-800.0) >= 0.0);
    }

    #[test]
    fn the_largest_come_first_and_equal_ones_keep_their_order() {
        let values = [0.1, 0.5, 0.5, 0.9];
        assert_eq!(largest(&values, 2), [3, 1]);
        assert_eq!(largest(&values, 9), [3, 1, 2, 0]);
        assert!(largest(&values, 0).is_empty() && largest(&[], 3).is_empty());
    }
}
