//! What becomes of scores: transforms after a model, and the labels that they choose.

use crate::fault::{Result, fault};
use crate::op::Decl;
use crate::tensor::{Data, Tensor};

/// What is done with the scores of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    None,
    Softmax,
    Logistic,
    SoftmaxZero,
    Probit,
}

impl Transform {
    pub(super) fn of(decl: &Decl<'_>) -> Result<Transform> {
        Ok(match &*decl.text_or("post_transform", "NONE")? {
            "NONE" => Transform::None,
            "SOFTMAX" => Transform::Softmax,
            "LOGISTIC" => Transform::Logistic,
            "SOFTMAX_ZERO" => Transform::SoftmaxZero,
            "PROBIT" => Transform::Probit,
            other => return fault(format!("its post_transform {other} is not supported")),
        })
    }

    /// The same by its number, as `TreeEnsemble` has it.
    pub(super) fn of_code(code: i64) -> Result<Transform> {
        Ok(match code {
            0 => Transform::None,
            1 => Transform::Softmax,
            2 => Transform::Logistic,
            3 => Transform::SoftmaxZero,
            4 => Transform::Probit,
            other => return fault(format!("its post_transform {other} is not supported")),
        })
    }

    /// Refuses transforms of one target that the standard has and runtimes leave out: nobody knows which of them a file means.
    pub(super) fn for_targets(self, targets: usize) -> Result<Transform> {
        match self {
            Transform::Softmax | Transform::SoftmaxZero | Transform::Logistic if targets == 1 => {
                fault("its post_transform is not supported where there is one target")
            }
            _ => Ok(self),
        }
    }

    pub(super) fn apply(self, scores: &mut [f64]) {
        match self {
            Transform::None => {}
            Transform::Logistic => scores.iter_mut().for_each(|s| *s = logistic(*s)),
            Transform::Probit => scores.iter_mut().for_each(|s| *s = probit(*s)),
            Transform::Softmax => {
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                scores.iter_mut().for_each(|s| *s = (*s - most).exp());
                let sum: f64 = scores.iter().sum();
                scores.iter_mut().for_each(|s| *s /= sum);
            }
            Transform::SoftmaxZero => {
                // Scores of zero stay zero: nobody voted for those classes.
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let mut sum = 0.0;
                for s in &mut *scores {
                    if s.abs() > 1e-7 {
                        *s = (*s - most).exp();
                        sum += *s;
                    } else {
                        *s *= (-most).exp();
                    }
                }
                scores.iter_mut().for_each(|s| *s /= sum);
            }
        }
    }
}

/// Without a loss of digits where it is near zero.
pub(super) fn logistic(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x < 0.0 {
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + e)
    }
}

/// Winitzki's approximation, which runtimes share.
fn probit(p: f64) -> f64 {
    const A: f64 = 0.147;
    let x = 2.0 * p - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let half = 2.0 / (std::f64::consts::PI * A) + 0.5 * log;
    let root = ((half * half - log / A).sqrt() - half).sqrt();
    std::f64::consts::SQRT_2 * if x < 0.0 { -root } else { root }
}

/// The classes of a classifier.
pub(super) enum Labels {
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

impl Labels {
    /// At least two of them.
    pub(super) fn of(decl: &Decl<'_>, ints: &str, texts: &str) -> Result<Labels> {
        let numbers = decl.ints(ints)?.unwrap_or_default();
        let names = decl.texts(texts)?.unwrap_or_default();
        let labels = match (numbers.is_empty(), names.is_empty()) {
            (false, true) => Labels::Ints(numbers),
            (true, false) => Labels::Texts(names),
            (false, false) => return fault("it has labels of two types"),
            (true, true) => return fault("it has no labels"),
        };
        match labels.len() {
            1 => fault("a classifier of one class is not supported"),
            _ => Ok(labels),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Labels::Ints(v) => v.len(),
            Labels::Texts(v) => v.len(),
        }
    }

    /// The labels of rows, by their places.
    pub(super) fn pick(&self, rows: &[usize]) -> Tensor {
        Tensor {
            shape: vec![rows.len()],
            data: match self {
                Labels::Ints(v) => Data::I64(rows.iter().map(|&at| v[at]).collect()),
                Labels::Texts(v) => Data::Text(rows.iter().map(|&at| v[at].clone()).collect()),
            },
        }
    }
}

/// The place of the largest, the first of them where several are.
pub(super) fn largest<T: PartialOrd + Copy>(scores: &[T]) -> usize {
    let mut best = 0;
    for (at, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = at;
        }
    }
    best
}
