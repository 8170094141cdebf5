//! The capital of several bettors who start one after the other.

/// After how many observations the next bettor starts.
const PERIOD: u64 = 250;

/// The most bettors. Later changes are then found more slowly, but still.
const MOST: usize = 400;

/// A mixture of test martingales. Bettor `k` keeps its share `1 / (k (k + 1))` of the capital unbet
/// until observation `(k - 1) * PERIOD`, so that a change after a long calm finds a bettor who has
/// not yet lost in vain. A bettor splits its capital among `K` strategies.
#[derive(Debug, Clone)]
pub(super) struct Capital<const K: usize> {
    bettors: Vec<[f64; K]>,
    observed: u64,
    peak: f64,
}

impl<const K: usize> Capital<K> {
    pub(super) fn new() -> Self {
        Capital {
            bettors: Vec::new(),
            observed: 0,
            peak: 1.0,
        }
    }

    /// Multiplies strategy `i` of every bettor by `factors[i]`, and moves the share `jump` of its
    /// capital evenly among the strategies beforehand. The factors' expectation under the null must
    /// be at most 1.
    pub(super) fn bet(&mut self, factors: [f64; K], jump: f64) {
        if self.observed.is_multiple_of(PERIOD) && self.bettors.len() < MOST {
            self.bettors.push([1.0 / K as f64; K]);
        }
        self.observed += 1;
        for bettor in &mut self.bettors {
            let even = jump * bettor.iter().sum::<f64>() / K as f64;
            for (capital, factor) in bettor.iter_mut().zip(factors) {
                // The bound keeps the capital finite; an alarm has long been raised.
                *capital = (((1.0 - jump) * *capital + even) * factor).min(1e100);
            }
        }
        self.peak = self.peak.max(self.evidence());
    }

    /// The capital now.
    pub(super) fn evidence(&self) -> f64 {
        let share = |k: usize| 1.0 / ((k * (k + 1)) as f64);
        let bet: f64 = (1..)
            .zip(&self.bettors)
            .map(|(k, bettor)| share(k) * bettor.iter().sum::<f64>())
            .sum();
        // The shares of all who have not started: 1 - (1 - 1/(m+1)).
        bet + 1.0 / (self.bettors.len() as f64 + 1.0)
    }

    /// Gives away what is over `most`. A capital that cannot be expected to grow cannot be expected to by giving away.
    pub(super) fn hold(&mut self, most: f64) {
        let times = self.evidence() / most;
        if times > 1.0 {
            let all = self.bettors.iter_mut().flatten();
            all.for_each(|capital| *capital /= times);
        }
    }

    /// The most it ever was; what an alarm goes by.
    pub(super) fn peak(&self) -> f64 {
        self.peak
    }

    pub(super) fn observed(&self) -> u64 {
        self.observed
    }

    /// Does not forget how high `before` was.
    pub(super) fn stay_at_least(&mut self, before: &Self) {
        self.peak = self.peak.max(before.peak);
    }

    /// All that it knows, as numbers: how many observations there were, the peak, and each bettor's strategies.
    pub(super) fn state(&self) -> Vec<f64> {
        let head = [self.observed as f64, self.peak];
        let bettors = self.bettors.iter().flatten().copied();
        head.into_iter().chain(bettors).collect()
    }

    /// The same again; nothing where these numbers are no capital's.
    pub(super) fn resumed(state: &[f64]) -> Option<Self> {
        let (&[observed, peak], bettors) = state.split_first_chunk()?;
        let (bettors, rest) = bettors.as_chunks::<K>();
        let sound = observed >= 0.0
            && observed.fract() == 0.0
            && peak >= 1.0
            && state.iter().all(|n| (0.0..=f64::MAX).contains(n))
            && rest.is_empty()
            && bettors.len() as u64 == (observed as u64).div_ceil(PERIOD).min(MOST as u64);
        sound.then(|| Capital {
            bettors: bettors.to_vec(),
            observed: observed as u64,
            peak,
        })
    }
}
