//! Fixed-sequence testing: hypotheses in an order that was fixed before the data were looked at, each tested at the whole of
//! `delta`, until the first that cannot be rejected. The chance of rejecting any true one is at most `delta` (family-wise error
//! control; Angelopoulos et al. 2021, "Learn then Test", section 3.2).

/// The last hypothesis that is rejected. `p_value` is asked in the order of the sequence, and no more after the first that
/// stands.
pub(crate) fn last_rejected<T>(
    sequence: impl IntoIterator<Item = T>,
    delta: f64,
    p_value: impl Fn(&T) -> f64,
) -> Option<T> {
    sequence
        .into_iter()
        .take_while(|hypothesis| p_value(hypothesis) <= delta)
        .last()
}

/// How many rows the first hypothesis is to leave, of `all`: three times the `least` that could support it without an error,
/// so that there is room for one. Where there are not so many, half of what there is, but no less than the least.
pub(crate) fn first_rows(least: f64, all: f64) -> f64 {
    (3.0 * least).min(least.max(all / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_ends_at_the_first_that_stands() {
        let of = |p_values: &[f64]| {
            let sequence = p_values.iter().copied().enumerate();
            last_rejected(sequence, 0.05, |(_, p)| *p).map(|(at, _)| at)
        };
        assert_eq!(of(&[0.01, 0.05, 0.051, 0.0]), Some(1));
        assert_eq!(of(&[0.2, 0.0]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[0.0, 0.0]), Some(1));
    }

    #[test]
    fn the_first_hypothesis_has_rows_to_speak_for_it() {
        assert_eq!(first_rows(50.0, 1000.0), 150.0);
        assert_eq!(first_rows(50.0, 200.0), 100.0);
        assert_eq!(first_rows(50.0, 60.0), 50.0);
    }
}
