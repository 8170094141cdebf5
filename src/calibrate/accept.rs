//! The accept rule: which tier's answer is given here. Certificates, evaluations and live calls all use this one.

/// What the rule looks at.
pub trait Decides {
    /// The calibrated confidence.
    fn confidence(&self) -> f64;

    /// Whether the input is enough like the training data.
    fn in_distribution(&self) -> bool;
}

/// Whether an answer is accepted: the input is in distribution, and the confidence reaches the threshold.
pub fn accepts(confidence: f64, in_distribution: bool, threshold: f64) -> bool {
    in_distribution && confidence >= threshold
}

/// The first tier whose answer is accepted at `thresholds` (one a tier), with what it says; nothing when all escalate.
/// A tier that does not take the input says nothing.
pub fn first_accepted<'a, T: Decides>(
    tiers: &'a [Option<T>],
    thresholds: &[f64],
) -> Option<(usize, &'a T)> {
    let said = tiers.iter().zip(thresholds).enumerate();
    said.filter_map(|(tier, (says, &threshold))| Some((tier, says.as_ref()?, threshold)))
        .find(|(_, says, threshold)| accepts(says.confidence(), says.in_distribution(), *threshold))
        .map(|(tier, says, _)| (tier, says))
}

/// The most confident of some tiers, the first of several: what a degraded answer is made of.
pub fn most_confident<'a, T: Decides>(
    tiers: impl IntoIterator<Item = (usize, &'a T)>,
) -> Option<(usize, &'a T)> {
    tiers.into_iter().reduce(|best, next| {
        if next.1.confidence() > best.1.confidence() {
            next
        } else {
            best
        }
    })
}
