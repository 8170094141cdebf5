//! How well scores tell two classes apart, over all thresholds.

/// A receiver operating characteristic.
#[derive(Debug, Clone, PartialEq)]
pub struct Roc {
    /// The area below the curve: the probability that a positive scores above a negative, ties counting half.
    pub auc: f64,
    /// `(threshold, false positives, true positives)`, as shares, for every score that occurs, from the highest on.
    pub points: Vec<(f32, f64, f64)>,
}

/// The characteristic of scores, each with whether it is of a positive. None without positives or without negatives, or when a
/// score is no number.
pub fn roc(scored: &[(f32, bool)]) -> Option<Roc> {
    let positives = scored.iter().filter(|(_, positive)| *positive).count();
    let negatives = scored.len() - positives;
    if positives == 0 || negatives == 0 || scored.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    let mut sorted = scored.to_vec();
    sorted.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (mut right, mut wrong, mut auc) = (0.0, 0.0, 0.0);
    let mut points = Vec::new();
    for same in sorted.chunk_by(|(a, _), (b, _)| a == b) {
        let hits = same.iter().filter(|(_, positive)| *positive).count();
        let hit = hits as f64 / positives as f64;
        let missed = (same.len() - hits) as f64 / negatives as f64;
        auc += missed * (right + hit / 2.0);
        (right, wrong) = (right + hit, wrong + missed);
        points.push((same[0].0, wrong, right));
    }
    Some(Roc { auc, points })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_areas() {
        // Hanley and McNeil count pairs: of these 2 x 2, three are in order, and in the second one of them is a tie.
        let roc_of = |scored: &[(f32, bool)]| roc(scored).unwrap();
        let one = roc_of(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]);
        assert_eq!(one.auc, 0.75);
        assert_eq!(
            one.points,
            [
                (0.8, 0.0, 0.5),
                (0.4, 0.5, 0.5),
                (0.35, 0.5, 1.0),
                (0.1, 1.0, 1.0)
            ]
        );
        let tied = roc_of(&[(0.1, false), (0.4, false), (0.4, true), (0.8, true)]);
        assert_eq!(tied.auc, 0.875);
        assert_eq!(roc_of(&[(0.5, true), (0.5, false)]).auc, 0.5);
        assert_eq!(roc_of(&[(0.0, true), (1.0, false)]).auc, 0.0);
    }

    #[test]
    fn one_class_alone_has_none() {
        assert_eq!(roc(&[]), None);
        assert_eq!(roc(&[(0.5, true)]), None);
        assert_eq!(roc(&[(f32::NAN, true), (0.0, false)]), None);
    }
}
