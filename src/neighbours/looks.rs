//! When examples are tested, which of them vote until the next test, and how the chance of a wrong certificate is split.
//!
//! A look tests the vote of a fixed set of examples, and until the next look only these vote. A ruling is what a look finds
//! for one risk. What it finds follows from the look's examples and from its share of [`DELTA`] alone. Both are stored beside
//! the examples, so every tab and every page load comes to the same ruling, and none of them spends a share twice.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::examples::Examples;
use super::leave_one_out::ThresholdEstimate;
use crate::task::risk;

/// The probability, over all looks, risks and page loads of a task, of certifying any threshold that is too low.
const DELTA: f64 = 0.05;

/// How many examples the first look waits for.
const FIRST: u64 = 100;

/// How many risks of a task are tested. Each has a share of [`DELTA`], and those of later ones are small.
pub(super) const MOST_RISKS: usize = 8;

/// How many examples of a look may be lost. They are listed, so there are to be few.
const MOST_MISSING: usize = 64;

/// Of the procedure. What another one found is not read: it is a statement about another vote, or at another share.
const VERSION: u32 = 1;

/// How many bytes of the digest of a look's examples are kept.
const DIGEST_BYTES: usize = 16;

/// The share of a whole that the one at a place gets, from 0. They add up to the whole.
fn share(place: f64) -> f64 {
    1.0 / ((place + 1.0) * (place + 2.0))
}

/// Whether two risks are one. Numbers may differ in their last digit after they were stored as text.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12
}

/// The place of a risk in the order in which they were first asked for.
pub fn place(risks: &[f64], risk: f64) -> Option<usize> {
    risks.iter().position(|&known| same(known, risk))
}

/// Gives a risk the next place, where it has none and there is one left.
pub fn claim_place(risks: &mut Vec<f64>, risk: f64) {
    if risks.len() < MOST_RISKS && place(risks, risk).is_none() {
        risks.push(risk);
    }
}

/// Whether a risk has a place, or may have one.
pub fn has_place(risks: &[f64], risk: f64) -> bool {
    risks.len() < MOST_RISKS || place(risks, risk).is_some()
}

/// Whether these may be the risks of a task.
pub fn are_risks(risks: &[f64]) -> bool {
    risks.len() <= MOST_RISKS && risks.iter().all(|&r| is_risk(r))
}

fn is_risk(value: f64) -> bool {
    risk::check("risk", Some(value)).is_ok()
}

/// A test of the examples that there were at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    version: u32,
    /// How many looks came before it.
    number: u32,
    /// Its examples are those with the numbers from this one,
    pub from: u64,
    /// up to, and without, this one.
    pub upto: u64,
    /// Which of them could be read when the first risk was tested; nothing before.
    pub voters: Option<Voters>,
    /// What was found, one a risk.
    rulings: Vec<ThresholdEstimate>,
}

/// The examples of a look that vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Voters {
    /// Those of the look that do not: they could not be read, or were not written yet.
    missing: Vec<u64>,
    /// A digest of all others.
    digest: String,
}

impl Voters {
    /// Those that could be read of a look; nothing where too many are lost.
    pub fn of(look: &Look, examples: &Examples) -> Option<Self> {
        let mut numbers = examples.iter().map(|example| example.number).peekable();
        let missing = (look.from..look.upto).filter(|&n| numbers.next_if_eq(&n).is_none());
        let missing: Vec<u64> = missing.take(MOST_MISSING + 1).collect();
        (missing.len() <= MOST_MISSING).then(|| Voters {
            missing,
            digest: digest(examples),
        })
    }

    /// Whether an example votes, if it is one of the look.
    pub fn include(&self, number: u64) -> bool {
        !self.missing.contains(&number)
    }

    /// Whether these are they, all of them and none altered.
    pub fn are(&self, examples: &Examples) -> bool {
        self.digest == digest(examples)
    }
}

/// All that the vote depends on.
fn digest(examples: &Examples) -> String {
    let mut hash = Sha256::new();
    for example in examples.iter() {
        hash.update(example.number.to_le_bytes());
        hash.update((example.label.len() as u64).to_le_bytes());
        hash.update(&example.label);
        hash.update((example.vector.len() as u64).to_le_bytes());
        let bytes: Vec<u8> = example.vector.iter().map(|v| v.cast_unsigned()).collect();
        hash.update(bytes);
    }
    let digest = hash.finalize();
    let digits = digest.iter().take(DIGEST_BYTES);
    digits.map(|byte| format!("{byte:02x}")).collect()
}

impl Look {
    /// The look that is due when `total` examples have come, of which the newest `most` may vote; nothing before the first.
    /// There is one at 100 examples, and one whenever they have doubled since the latest, or `most` have come since.
    ///
    /// So at most `most` wait for the next look. Twice as many as may vote are stored, and none that votes is let go meanwhile.
    pub fn due(latest: Option<&Look>, total: u64, most: u64) -> Option<Look> {
        let most = most.max(1);
        let (mut number, mut upto) = latest.map_or((0, FIRST), |look| (look.number, look.upto));
        while upto < most && 2 * upto <= total {
            upto *= 2;
            number = number.saturating_add(1);
        }
        if upto >= most {
            let more = total.saturating_sub(upto) / most;
            upto += more * most;
            number = number.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        }
        (upto <= total).then(|| Look {
            version: VERSION,
            number,
            from: upto.saturating_sub(most),
            upto,
            voters: None,
            rulings: Vec::new(),
        })
    }

    /// Whether both are of the same examples, as far as those are known.
    pub fn is(&self, other: &Look) -> bool {
        let voters = self.voters.as_ref().zip(other.voters.as_ref());
        (self.number, self.upto) == (other.number, other.upto) && voters.is_none_or(|(a, b)| a == b)
    }

    /// The share of [`DELTA`] of this look and of the risk at a place.
    pub fn delta(&self, place: usize) -> f64 {
        DELTA * share(f64::from(self.number)) * share(place as f64)
    }

    /// What was found for a risk; nothing where that was not tested.
    pub fn ruling(&self, risk: f64) -> Option<ThresholdEstimate> {
        let found = self.rulings.iter().find(|r| same(r.risk, risk));
        found.copied()
    }

    /// Keeps what was found for a risk. The first to come is kept.
    pub fn keep(&mut self, ruling: ThresholdEstimate) {
        if self.ruling(ruling.risk).is_none() && self.rulings.len() < MOST_RISKS {
            self.rulings.push(ruling);
        }
    }

    /// Whether it is one that may have been kept when `total` examples had come.
    pub fn is_sound(&self, total: u64) -> bool {
        let length = self.upto.saturating_sub(self.from);
        let voters = self.voters.as_ref().is_none_or(|voters| {
            voters.missing.len() <= MOST_MISSING && voters.digest.len() == 2 * DIGEST_BYTES
        });
        let ruling = |r: &ThresholdEstimate| {
            is_risk(r.risk)
                && r.threshold.is_none_or(|least| (0.0..=1.0).contains(&least))
                && r.wrong <= r.n
                && r.n <= length
                && (0.0..=1.0).contains(&r.bound)
        };
        self.version == VERSION
            && self.from < self.upto
            && (FIRST..=total).contains(&self.upto)
            && voters
            && self.rulings.len() <= MOST_RISKS
            && self.rulings.iter().all(ruling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(total: u64, most: u64) -> Option<(u32, u64, u64)> {
        Look::due(None, total, most).map(|look| (look.number, look.from, look.upto))
    }

    #[test]
    fn looks_come_when_the_examples_have_doubled_or_as_many_as_may_vote_are_new() {
        for (total, found) in [
            (99, None),
            (100, Some((0, 0, 100))),
            (199, Some((0, 0, 100))),
            (200, Some((1, 0, 200))),
            (1600, Some((4, 0, 1600))),
            (3199, Some((4, 0, 1600))),
            (3200, Some((5, 1200, 3200))),
            (5199, Some((5, 1200, 3200))),
            (5200, Some((6, 3200, 5200))),
            (9300, Some((8, 7200, 9200))),
        ] {
            assert_eq!(due(total, 2000), found, "{total}");
        }
        assert_eq!(due(1 << 53, 1).map(|look| look.2), Some(1 << 53));
        // Step by step they are the same, and at most as many as may vote ever wait.
        for most in [100, 150, 2000] {
            let mut look: Option<Look> = None;
            for total in 0..9000 {
                let next = Look::due(look.as_ref(), total, most);
                assert_eq!(next, Look::due(None, total, most));
                look = next;
                assert!(look.as_ref().is_none_or(|l| total - l.upto < most));
            }
        }
    }

    #[test]
    fn the_shares_of_all_looks_and_risks_add_up() {
        let look = |number| Look {
            number,
            ..Look::due(None, 100, 100).unwrap()
        };
        let of_look = |number| {
            (0..MOST_RISKS)
                .map(|at| look(number).delta(at))
                .sum::<f64>()
        };
        let spent: f64 = (0..10_000).map(of_look).sum();
        assert!(spent <= DELTA && spent > 0.85 * DELTA, "{spent}");
    }

    #[test]
    fn risks_keep_the_places_in_which_they_were_first_asked_for() {
        let mut risks = Vec::new();
        for risk in [0.05, 0.01, 0.05] {
            claim_place(&mut risks, risk);
        }
        assert_eq!(risks, [0.05, 0.01]);
        for more in 2..=MOST_RISKS {
            claim_place(&mut risks, 0.1 + 0.01 * more as f64);
        }
        assert_eq!(place(&risks, 0.01 + 1e-17), Some(1));
        assert_eq!((risks.len(), place(&risks, 0.18)), (MOST_RISKS, None));
        assert!(!has_place(&risks, 0.18) && has_place(&risks, 0.01));
        assert!(are_risks(&risks));
        assert!(!are_risks(&[0.0]) && !are_risks(&[f64::NAN]) && !are_risks(&[0.1; 9]));
    }
}
