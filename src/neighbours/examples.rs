//! What the remote answered before, and what it suggests for a new input: a weighted vote of the nearest examples
//! (Dudani 1976, "The distance-weighted k-nearest-neighbor rule"), with a vote for doubt, so that neighbours far away do not
//! decide alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many neighbours vote.
const NEIGHBOURS: usize = 5;

/// How fast a neighbour's weight falls with its distance: `exp(SHARPNESS * (cosine - 1))`, so a repeat weighs 1 and
/// something at a cosine of 0.85 weighs 0.05.
const SHARPNESS: f64 = 20.0;

/// The weight of doubt: a lone neighbour must come this near to count as much as nothing at all.
const DOUBT: f64 = 0.05;

/// One input that a remote answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Its place in the order in which examples came, from 0.
    pub number: u64,
    /// The encoder's vector, see [`quantise`].
    pub vector: Vec<i8>,
    /// The identifier of the label that the remote gave.
    pub label: String,
    /// The input itself, where inputs are kept.
    #[serde(default)]
    pub input: Option<String>,
    /// When, in milliseconds since 1970.
    pub at: f64,
}

/// A vector's direction in one byte a value, the largest at 127; nothing where there is no direction. Whole numbers make
/// similarities the same on every machine.
pub fn quantise(vector: &[f32]) -> Option<Vec<i8>> {
    let largest = vector.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    if !(largest > 0.0 && largest.is_finite()) {
        return None;
    }
    let scaled = vector.iter().map(|v| (v / largest * 127.0).round() as i8);
    Some(scaled.collect())
}

/// What the nearest examples suggest.
#[derive(Debug, Clone, PartialEq)]
pub struct Vote {
    /// The label with the most weight.
    pub label: String,
    /// Its share of all weight, doubt's included: 0 to 1, and no probability.
    pub score: f64,
    /// The cosine of the nearest example.
    pub nearest: f64,
    /// How many of the neighbours say so.
    pub agreeing: u32,
}

/// A neighbour: how similar, and its place among the examples, of which the later is the newer.
type Neighbour = (f64, usize);

#[derive(Debug)]
struct Held {
    example: Example,
    norm: f64,
}

impl Held {
    fn cosine(&self, vector: &[i8], norm: f64) -> f64 {
        let products = self.example.vector.iter().zip(vector);
        let dot: i32 = products.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
        f64::from(dot) / (self.norm * norm)
    }
}

/// Examples of one task that vote together. None comes or goes while they do: a threshold holds for the vote that it was tested
/// on, and for no other.
#[derive(Debug, Default)]
pub struct Examples(Vec<Held>);

impl FromIterator<Example> for Examples {
    fn from_iter<T: IntoIterator<Item = Example>>(examples: T) -> Self {
        let mut held: Vec<Held> = examples
            .into_iter()
            .map(|example| Held {
                norm: norm(&example.vector),
                example,
            })
            .collect();
        held.sort_by_key(|held| held.example.number);
        held.dedup_by_key(|held| held.example.number);
        Examples(held)
    }
}

impl Examples {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Example> {
        self.0.iter().map(|held| &held.example)
    }

    /// What they suggest for a new input.
    pub fn vote(&self, vector: &[i8]) -> Option<Vote> {
        let norm = norm(vector);
        let mut near = Vec::with_capacity(NEIGHBOURS + 1);
        for (at, held) in self.0.iter().enumerate() {
            insert_near(&mut near, (held.cosine(vector, norm), at));
        }
        self.count(&near)
    }

    /// What the others suggest for each: the score, and whether the label is the remote's.
    pub fn leave_one_out(&self) -> Vec<(f64, bool)> {
        let mut answers = Vec::with_capacity(self.0.len());
        // What is near to each of those seen so far: a pair is compared once.
        let mut all: Vec<Vec<Neighbour>> = Vec::with_capacity(self.0.len());
        for (at, held) in self.0.iter().enumerate() {
            let mut near = Vec::with_capacity(NEIGHBOURS + 1);
            for (other, (earlier, others)) in self.0.iter().zip(&mut all).enumerate() {
                let cosine = earlier.cosine(&held.example.vector, held.norm);
                insert_near(others, (cosine, at));
                insert_near(&mut near, (cosine, other));
            }
            all.push(near);
        }
        for (held, near) in self.0.iter().zip(&all) {
            if let Some(vote) = self.count(near) {
                answers.push((vote.score, vote.label == held.example.label));
            }
        }
        answers
    }

    fn count(&self, near: &[Neighbour]) -> Option<Vote> {
        let mut weights: BTreeMap<&str, (f64, u32)> = BTreeMap::new();
        let mut total = DOUBT;
        for (cosine, at) in near {
            let weight = (SHARPNESS * (cosine - 1.0)).exp();
            let held = self.0.get(*at)?;
            let entry = weights.entry(&held.example.label).or_default();
            *entry = (entry.0 + weight, entry.1 + 1);
            total += weight;
        }
        let best = weights.iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
        Some(Vote {
            label: (*best.0).to_owned(),
            score: best.1.0 / total,
            nearest: near.first()?.0,
            agreeing: best.1.1,
        })
    }
}

fn norm(vector: &[i8]) -> f64 {
    let squares: i32 = vector.iter().map(|&v| i32::from(v) * i32::from(v)).sum();
    f64::from(squares.max(1)).sqrt()
}

/// Keeps the best few, of equals the newer.
fn insert_near(near: &mut Vec<Neighbour>, new: Neighbour) {
    let better = |old: &Neighbour| old.0.total_cmp(&new.0).then(old.1.cmp(&new.1)).is_gt();
    let at = near.partition_point(better);
    if at < NEIGHBOURS {
        near.insert(at, new);
        near.truncate(NEIGHBOURS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn example(number: u64, vector: &[f32], label: &str) -> Example {
        Example {
            number,
            vector: quantise(vector).unwrap(),
            label: label.into(),
            input: None,
            at: 0.0,
        }
    }

    fn random(random: &mut Random) -> Vec<f32> {
        (0..8).map(|_| random.uniform() as f32 - 0.5).collect()
    }

    #[test]
    fn near_examples_decide_and_far_ones_leave_doubt() {
        let two = [example(0, &[1.0, 0.0], "a"), example(1, &[0.0, 1.0], "b")];
        let examples = Examples::from_iter(two);
        let repeat = examples.vote(&quantise(&[2.0, 0.02]).unwrap()).unwrap();
        assert_eq!((repeat.label.as_str(), repeat.agreeing), ("a", 1));
        assert!(repeat.score > 0.9 && repeat.nearest > 0.99, "{repeat:?}");
        let between = examples.vote(&quantise(&[1.0, 0.9]).unwrap()).unwrap();
        assert!(between.score < 0.5, "{between:?}");
        assert_eq!(Examples::default().vote(&[1, 2]), None);
    }

    #[test]
    fn what_has_no_direction_has_no_vector() {
        assert_eq!(quantise(&[0.0, 0.0]), None);
        assert_eq!(quantise(&[f32::NAN]), None);
        assert_eq!(quantise(&[f32::INFINITY, 1.0]), None);
        assert_eq!(quantise(&[-0.5, 0.25]), Some(vec![-127, 64]));
    }

    #[test]
    fn each_is_answered_as_by_all_the_others() {
        let mut chance = Random::new(7);
        let all: Vec<Example> = (0..120)
            .map(|number| {
                let label = ["a", "b"][(chance.next() % 2) as usize];
                example(number, &random(&mut chance), label)
            })
            .collect();
        let of_others = all.iter().map(|one| {
            let others = all.iter().filter(|e| e.number != one.number).cloned();
            let vote = Examples::from_iter(others).vote(&one.vector).unwrap();
            (vote.score, vote.label == one.label)
        });
        let of_others: Vec<_> = of_others.collect();
        // In whatever order they were read, and whoever comes a second time is one all the same.
        let read = all.iter().rev().chain(&all).cloned();
        assert_eq!(Examples::from_iter(read).leave_one_out(), of_others);
    }
}
