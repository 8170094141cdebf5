//! What a classifier of trees makes of its scores.
//!
//! The standard leaves open what two classes with one score mean. This is what exporters rely on: the score is that of the second
//! class; it is a probability where no weight is negative, and otherwise the second class has it when it is positive.

use std::sync::Arc;

use super::scores::{Labels, Transform, largest, logistic};
use crate::fault::{Result, fault};
use crate::op::Value;
use crate::tensor::Tensor;

pub(super) struct Classes {
    labels: Labels,
    transform: Transform,
    base: Vec<f64>,
    /// Whether there are two classes and all leaves vote for the first, which stands for both.
    single: bool,
    /// Whether no vote is negative.
    positive: bool,
}

pub(super) struct Out {
    best: Vec<usize>,
    scores: Vec<f32>,
}

impl Out {
    pub(super) fn new(rows: usize, classes: usize) -> Out {
        Out {
            best: Vec::with_capacity(rows),
            scores: Vec::with_capacity(rows * classes),
        }
    }
}

impl Classes {
    pub(super) fn new(
        labels: Labels,
        transform: Transform,
        base: Vec<f64>,
        votes: &[(usize, f64)],
    ) -> Result<Classes> {
        let n = labels.len();
        let only = |class: usize| n == 2 && votes.iter().all(|(target, _)| *target == class);
        let single = only(0);
        if !single && only(1) {
            return fault("two classes of which all leaves vote for the second are not supported");
        }
        if single && !matches!(transform, Transform::None | Transform::Logistic) {
            return fault("its post_transform is not supported where two classes have one score");
        }
        if !base.is_empty() && base.len() != if single { 1 } else { n } {
            return fault(format!("{} base values are not of {n} classes", base.len()));
        }
        Ok(Classes {
            labels,
            transform,
            base,
            single,
            positive: votes.iter().all(|(_, weight)| *weight >= 0.0),
        })
    }

    pub(super) fn finish(&self, scores: &mut [f64], voted: &[bool], out: &mut Out) {
        for (score, base) in scores.iter_mut().zip(&self.base) {
            *score += base;
        }
        // Labels go by what is given as scores: a tie of trees is one whatever their weights are rounded to.
        for score in &mut *scores {
            *score = f64::from(*score as f32);
        }
        if self.single {
            let score = scores[0];
            let (pair, least) = match self.transform {
                Transform::Logistic => ([logistic(-score), logistic(score)], 0.0),
                _ if self.positive => ([1.0 - score, score], 0.5),
                _ => ([-score, score], 0.0),
            };
            out.best.push(usize::from(score > least));
            out.scores.extend(pair.map(|s| s as f32));
            return;
        }
        // A class that no leaf voted for is not chosen, even where all scores are negative.
        let counts = |at: usize| voted[at] || !self.base.is_empty();
        let mut best = None;
        for at in (0..scores.len()).filter(|&at| counts(at)) {
            if best.is_none_or(|best: usize| scores[at] > scores[best]) {
                best = Some(at);
            }
        }
        out.best.push(best.unwrap_or_else(|| largest(scores)));
        self.transform.apply(scores);
        out.scores.extend(scores.iter().map(|&s| s as f32));
    }

    pub(super) fn results(&self, out: Out) -> Vec<Value> {
        let shape = vec![out.best.len(), self.labels.len()];
        let scores = Tensor::f32(shape, out.scores);
        vec![Arc::new(self.labels.pick(&out.best)), Arc::new(scores)]
    }
}
