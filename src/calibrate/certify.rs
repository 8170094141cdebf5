//! Thresholds with a certificate: Learn then Test (Angelopoulos et al. 2021) with fixed-sequence
//! testing and exact binomial p-values.
//!
//! Candidates are laid out on the TUNE rows, strictest first, from the one that TUNE itself supports
//! best. On the CAL rows each is tested in this order against the null hypothesis "more than the share `risk` of what is answered locally is
//! wrong"; the walk ends at the first that cannot be rejected, and the last rejected one is the
//! threshold. Because the order was fixed beforehand, each test may use the whole of `delta`
//! (family-wise error control), so with probability at least `1 - delta` over the CAL sample the
//! true risk is at most `risk`.
//!
//! The tiers of a cascade share one level of the chance of being wrong: among all rules with a given error rate, answering
//! wherever that chance is below one level answers the most. A later tier knows more, so that the earlier ones may have to stay
//! below a part of the level, which TUNE chooses ([`EARLIER`]). What is tested is the answers of the cascade as a whole.
//!
//! *Out of scope*, any answer is wrong, and how many inputs are is not for the rows to say. With a share, the promise holds for
//! every share up to it ([`Certifier::out_of_scope_share`]).
//!
//! *Per slice* the p-value of a candidate is the largest of its slices'. Rejecting all slices' nulls
//! together (an intersection-union test) needs no correction of `delta`.

use std::collections::BTreeMap;

use super::binomial::{p_value, upper_bound};
use super::candidates::{evenly_spaced, first_supported, from_the_best};
use super::decision::Decision;
use super::fixed_sequence::{first_rows, last_rejected};
use crate::bundle::{Certificate, Counts};

/// What part of the last tier's chance of being wrong the earlier ones may have. Without a difference, they keep what a better
/// tier might have found wrong.
const EARLIER: [f64; 4] = [1.0, 0.6, 0.35, 0.2];

/// The share of the rows that a smaller part must answer more, since it asks later tiers more often, which are fetched and slow.
const WORTH: f64 = 0.01;

/// The fewest answered rows that certify `risk` when `errors` of them are wrong.
pub fn smallest_n(errors: u64, risk: f64, delta: f64) -> u64 {
    // P(Bin(n, risk) <= errors) falls in n, so the border can be bisected.
    let (mut low, mut high) = (errors, errors + 1);
    while p_value(high, errors, risk) > delta {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if p_value(middle, errors, risk) > delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// About how many rows would certify `risk`, as the tuning rows have it: the fewest for any threshold at which a fifth of them are
/// answered, if as many of those go wrong. Nothing where even the surest go wrong too often, so that more rows alone do not help.
pub fn rows_needed(tune: &[Decision], risk: f64, delta: f64) -> Option<u64> {
    let mut answers: Vec<(f64, bool)> = tune
        .iter()
        .filter_map(|row| {
            let tier = row.tiers.first()?.as_ref()?;
            tier.in_distribution
                .then_some((tier.confidence, tier.correct && row.in_scope))
        })
        .collect();
    answers.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut errors = 0_u64;
    let mut fewest: Option<u64> = None;
    for (at, (confidence, correct)) in answers.iter().enumerate() {
        errors += u64::from(!correct);
        let answered = at as u64 + 1;
        // Rows of one confidence are answered together.
        let last = answers.get(at + 1).is_none_or(|next| next.0 < *confidence);
        if !last || answered * 5 < tune.len() as u64 {
            continue;
        }
        let rate = errors as f64 / answered as f64;
        if let Some(n) = certifying(rate, risk, delta) {
            let rows = (n as f64 * tune.len() as f64 / answered as f64).ceil() as u64;
            fewest = Some(fewest.map_or(rows, |known| known.min(rows)));
        }
    }
    fewest
}

/// The most errors with which it is tried whether so many certify.
const MOST_ERRORS: u64 = 1 << 20;

/// The fewest answers that certify `risk` where this share of them is wrong, to the next power of two of errors.
fn certifying(rate: f64, risk: f64, delta: f64) -> Option<u64> {
    if rate >= risk {
        return None;
    }
    let mut errors = 0;
    while errors <= MOST_ERRORS {
        let n = smallest_n(errors, risk, delta);
        if rate * n as f64 <= errors as f64 {
            return Some(n);
        }
        errors = (errors * 2).max(1);
    }
    None
}

/// Finds thresholds for the rows of one task.
#[derive(Debug)]
pub struct Certifier<'a> {
    /// The rows that lay out the candidates, and on which every other choice was made.
    pub tune: &'a [Decision],
    /// How many tiers there are.
    pub tiers: usize,
    /// The chance, over calibration samples, that a certificate does not hold.
    pub delta: f64,
    /// Whether every slice must keep the risk by itself.
    pub per_slice: bool,
    /// The largest share of out-of-scope inputs that the promise is to hold for. Without it, the promise is for inputs of
    /// which as many are out of scope as of the rows.
    pub out_of_scope_share: Option<f64>,
}

/// The counts of one candidate.
struct Tally {
    all: Counts,
    /// The rows in scope, answered or not.
    in_scope: Counted,
    /// Those that are out of scope.
    out_of_scope: Counted,
    tiers: Vec<Counts>,
    slices: BTreeMap<String, Counts>,
}

/// How many rows there are, and how many of them are answered.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    rows: u64,
    answered: u64,
    errors: u64,
}

impl Counted {
    fn add(&mut self, answer: Option<bool>) {
        self.rows += 1;
        self.answered += u64::from(answer.is_some());
        self.errors += u64::from(answer == Some(false));
    }
}

impl Certifier<'_> {
    /// The thresholds at one risk, certified on `cal`.
    pub fn certify(&self, cal: &[Decision], risk: f64) -> Certificate {
        let earlier = self.earlier(cal.len(), risk);
        let sequence = self.sequence(cal.len(), risk, earlier).into_iter();
        let tallied = sequence.map(|threshold| {
            let thresholds = self.thresholds(threshold, earlier);
            let tally = self.tally(cal, &thresholds);
            (thresholds, tally)
        });
        let excess = |(_, tally): &(Vec<f64>, Tally)| self.excess(tally, risk);
        match last_rejected(tallied, 0.0, excess) {
            None => Certificate {
                mean_loss: None,
                p_value: None,
                risk,
                thresholds: None,
                n: 0,
                errors: 0,
                bound: None,
                tiers: Vec::new(),
                slices: BTreeMap::new(),
            },
            Some((thresholds, tally)) => Certificate {
                mean_loss: None,
                p_value: None,
                risk,
                thresholds: Some(thresholds),
                n: tally.all.n,
                errors: tally.all.errors,
                bound: Some(self.bound(&tally)),
                tiers: tally.tiers,
                slices: tally.slices,
            },
        }
    }

    /// Each tier's threshold, of the last one's.
    fn thresholds(&self, last: f64, earlier: f64) -> Vec<f64> {
        let mut thresholds = vec![last; self.tiers];
        if earlier < 1.0 {
            let before = self.tiers.saturating_sub(1);
            thresholds[..before].fill(((1.0 - (1.0 - last) * earlier) * 1e6).floor() / 1e6);
        }
        thresholds
    }

    /// The part of the level that the earlier tiers stay below: the largest one with which TUNE answers about the most.
    fn earlier(&self, cal_rows: usize, risk: f64) -> f64 {
        if self.tiers < 2 {
            return 1.0;
        }
        let answered = |earlier: f64| {
            let sequence = self.sequence(cal_rows, risk, earlier).into_iter();
            let tallied =
                sequence.map(|last| self.tally(self.tune, &self.thresholds(last, earlier)));
            let last = last_rejected(tallied, 0.0, |tally: &Tally| self.excess(tally, risk));
            last.map_or(0, |tally| tally.all.n)
        };
        let mut best = (EARLIER[0], answered(EARLIER[0]));
        for &earlier in &EARLIER[1..] {
            let more = answered(earlier);
            if more as f64 > best.1 as f64 + WORTH * self.tune.len() as f64 {
                best = (earlier, more);
            }
        }
        best.0
    }

    /// The last tier's thresholds to be tested, in order. They depend on TUNE and on how many CAL rows there
    /// are, not on what these are.
    fn sequence(&self, cal_rows: usize, risk: f64, earlier: f64) -> Vec<f64> {
        let candidates = self.candidates(cal_rows, risk, earlier);
        from_the_best(&candidates, |threshold| {
            let thresholds = self.thresholds(threshold, earlier);
            self.excess(&self.tally(self.tune, &thresholds), risk)
        })
    }

    /// Thresholds of evenly spaced coverage, strictest first.
    ///
    /// The first one is expected to leave three times the rows that a certificate without errors
    /// needs, in the smallest slice where slices count. Where there are not so many, half of what there is, but no less than
    /// a certificate needs.
    fn candidates(&self, cal_rows: usize, risk: f64, earlier: f64) -> Vec<f64> {
        let scale = cal_rows as f64 / self.tune.len().max(1) as f64;
        let groups = self.levels_by_group(earlier);
        // Expected CAL rows at or above a threshold, in the smallest group.
        let expected = |threshold: f64| {
            groups
                .iter()
                .map(|group| group.len() - group.partition_point(|&c| c < threshold))
                .min()
                .unwrap_or(0) as f64
                * scale
        };
        let mut all: Vec<f64> = groups.concat();
        all.sort_by(f64::total_cmp);
        let Some(&loosest) = all.first() else {
            return Vec::new();
        };
        let least = smallest_n(0, risk, self.delta) as f64;
        let needed = first_rows(least, expected(loosest));
        // The strictest threshold with enough rows; the loosest of all where none has.
        let strictest = all.partition_point(|&c| expected(c) >= needed);
        let strictest = strictest.checked_sub(1);
        let from = strictest.map_or(loosest, |at| all[at]);
        evenly_spaced(&all, from)
    }

    /// For each row of a group the largest threshold of the last tier at which some tier answers it, in rising order.
    fn levels_by_group(&self, earlier: f64) -> Vec<Vec<f64>> {
        let mut groups: BTreeMap<Option<&str>, Vec<f64>> = BTreeMap::new();
        for row in self.tune {
            let levels = row.tiers.iter().enumerate().filter_map(|(at, tier)| {
                let tier = tier.as_ref().filter(|tier| tier.in_distribution)?;
                Some(match at + 1 < self.tiers {
                    true => (1.0 - (1.0 - tier.confidence) / earlier).max(0.0),
                    false => tier.confidence,
                })
            });
            let best = levels.reduce(f64::max);
            let slice = row.slice.as_deref().filter(|_| self.per_slice);
            // A group counts even where nothing of it can be answered.
            let group = groups.entry(slice).or_default();
            group.extend(best);
        }
        if self.per_slice && groups.len() > 1 {
            // Rows without a slice make no promise of their own.
            groups.remove(&None);
        }
        groups
            .into_values()
            .map(|mut group| {
                group.sort_by(f64::total_cmp);
                group
            })
            .collect()
    }

    fn tally(&self, rows: &[Decision], thresholds: &[f64]) -> Tally {
        let mut tally = Tally {
            all: Counts::default(),
            in_scope: Counted::default(),
            out_of_scope: Counted::default(),
            tiers: vec![Counts::default(); self.tiers],
            slices: BTreeMap::new(),
        };
        for row in rows {
            let slice = row.slice.clone();
            // Every slice is listed, also one of which nothing is answered.
            let slice = slice.map(|name| tally.slices.entry(name).or_default());
            let answer = row.answered(thresholds);
            match row.in_scope {
                true => tally.in_scope.add(answer.map(|(_, correct)| correct)),
                false => tally.out_of_scope.add(answer.map(|_| false)),
            }
            let Some((tier, correct)) = answer else {
                continue;
            };
            let counts = [Some(&mut tally.all), tally.tiers.get_mut(tier), slice];
            for counts in counts.into_iter().flatten() {
                counts.n += 1;
                counts.errors += u64::from(!correct);
            }
        }
        tally
    }

    /// How far a candidate is from being rejected: 0 or less where the evidence is enough. Without a share this is the p-value
    /// less `delta`, with one the bound of the error rate less the risk; both test at the level `delta`.
    fn excess(&self, tally: &Tally, risk: f64) -> f64 {
        match self.out_of_scope_share {
            None => self.worst_p(tally, risk) - self.delta,
            Some(_) => self.bound(tally) - risk,
        }
    }

    /// An upper bound of the error rate, at confidence `1 - delta`.
    fn bound(&self, tally: &Tally) -> f64 {
        match self.out_of_scope_share {
            None => upper_bound(tally.all.n, tally.all.errors, self.delta),
            Some(share) => self.shared_bound(tally.in_scope, tally.out_of_scope, share),
        }
    }

    /// The bound where at most `share` of all inputs are out of scope: with `e` the error rate and `a` the coverage in scope, and `c` the coverage out of scope, it is
    /// `((1 - share) a e + share c) / ((1 - share) a + share c)`, which rises in `e`, `c` and `share` and falls in `a`. Each of the
    /// three is bounded by Clopper and Pearson, with `delta` divided among them.
    fn shared_bound(&self, inside: Counted, outside: Counted, share: f64) -> f64 {
        let error = upper_bound(inside.answered, inside.errors, self.delta / 2.0);
        let escalated = upper_bound(inside.rows, inside.rows - inside.answered, self.delta / 4.0);
        let outside = upper_bound(outside.rows, outside.answered, self.delta / 4.0);
        let (answered, strays) = ((1.0 - share) * (1.0 - escalated), share * outside);
        if answered + strays <= 0.0 {
            return 1.0;
        }
        (answered * error + strays) / (answered + strays)
    }

    fn worst_p(&self, tally: &Tally, risk: f64) -> f64 {
        let overall = p_value(tally.all.n, tally.all.errors, risk);
        if !self.per_slice {
            return overall;
        }
        tally
            .slices
            .values()
            .map(|counts| p_value(counts.n, counts.errors, risk))
            .fold(overall, f64::max)
    }
}

/// The risk to recommend: the first of `risks`, from `preferred` upwards, that TUNE itself lets
/// certify; `preferred` when none. CAL is not looked at: taking what it happens to certify would
/// spend `delta` more than once.
pub fn choose_default(certifier: &Certifier, risks: &[f64], preferred: f64) -> f64 {
    let supported = |risk| certifier.certify(certifier.tune, risk).thresholds.is_some();
    first_supported(risks, preferred, supported)
}

#[cfg(test)]
mod tests;
