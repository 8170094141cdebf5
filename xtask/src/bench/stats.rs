//! Medians, spreads and how figures are written.

/// What many measurements of one thing come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub p10: f64,
    pub p90: f64,
    pub best: f64,
    pub worst: f64,
}

/// Nothing when nothing was measured.
pub fn summary(values: &[f64]) -> Option<Summary> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(Summary {
        median: quantile(&sorted, 0.5)?,
        p10: quantile(&sorted, 0.1)?,
        p90: quantile(&sorted, 0.9)?,
        best: *sorted.first()?,
        worst: *sorted.last()?,
    })
}

/// By linear interpolation between the two nearest.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let place = q * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    Some(low + (high - low) * place.fract())
}

/// With three digits that count.
pub fn digits(value: f64) -> String {
    let decimals = if value == 0.0 {
        0
    } else {
        (2 - value.abs().log10().floor() as i32).max(0)
    };
    format!("{value:.*}", decimals as usize)
}

/// `12.3 (11.9–13.0)`: the median, and where four fifths of the measurements lie.
pub fn spread(of: Summary) -> String {
    format!(
        "{} ({}–{})",
        digits(of.median),
        digits(of.p10),
        digits(of.p90)
    )
}

pub fn ratio(value: f64) -> String {
    format!("{value:.2}×")
}

pub fn megabytes(bytes: f64) -> String {
    format!("{} MB", digits(bytes / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_tenths() {
        let of = summary(&[4.0, 1.0, 3.0, 2.0]).expect("there are values");
        assert_eq!((of.median, of.best, of.worst), (2.5, 1.0, 4.0));
        assert!((of.p10 - 1.3).abs() < 1e-9 && (of.p90 - 3.7).abs() < 1e-9);
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.012_34, "0.0123"),
            (1.0, "1.00"),
            (99.96, "100.0"),
            (12_345.6, "12346"),
        ] {
            assert_eq!(digits(value), text);
        }
    }
}
