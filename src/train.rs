//! Training a head: multinomial logistic regression on an encoder's vectors, on hashed n-grams, or
//! on both. Pure.
//!
//! The loss is the mean weighted cross-entropy plus `l2 / 2` times the squared weights (not the
//! biases), minimised by L-BFGS. `linfa-logistic` has no class weights and no sparse features, and
//! `solver` says what argmin lacks, which is why both are here; decompositions and threads are libraries', products the engine's.

mod columns;
mod cross_fit;
mod fit;
mod linear;
mod matrix;
mod objective;
mod solver;
mod threads;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng;

use crate::calibrate::most_probable;
use crate::data::shuffle;
use crate::error::{Code, Error, Result};
pub use cross_fit::{FOLDS, out_of_fold};
pub use fit::{Fitted, TaskFit, fit_task};
pub use linear::{Linear, Samples};
use objective::Objective;
use solver::Stop;

/// What a fit may leave to be gained, as a share of the loss: to choose a penalty, and in the end.
const CHOOSING: f64 = 1e-4;
const FINAL: f64 = 1e-6;

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The penalties to choose from.
    pub l2: Vec<f64>,
    /// The share of the rows that the choice is made on.
    pub validation: f64,
    /// Whether classes weigh the same however many rows they have: a row of class `c` weighs
    /// `rows / (classes * rows of c)`, as scikit-learn's `class_weight="balanced"`.
    pub balanced: bool,
    /// Decides which rows are for validation.
    pub seed: u64,
    /// The most iterations of one fit.
    pub max_iterations: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            l2: vec![1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4],
            validation: 0.2,
            balanced: false,
            seed: 0,
            max_iterations: 200,
        }
    }
}

/// One penalty's result on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// The penalty.
    pub l2: f64,
    /// The mean negative log-likelihood.
    pub log_loss: f64,
    /// The share that was right.
    pub accuracy: f64,
}

/// What training gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The head, trained on all rows with the best penalty.
    pub model: Linear,
    /// That penalty.
    pub l2: f64,
    /// Every penalty that was tried, strongest first.
    pub tried: Vec<Tried>,
    /// Whether the last fit converged before its iterations ran out.
    pub converged: bool,
}

/// Where training is: fit `fit` of at most `fits`, and its iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The fit, from 0.
    pub fit: usize,
    /// The most fits there will be.
    pub fits: usize,
    /// The iteration of the fit.
    pub iteration: u64,
}

/// Trains. Rows of one group (`groups` has one number a row) are all for validation or all not, so
/// that copies cannot vouch for each other. The same input and seed give the same bits on any number
/// of cores.
///
/// # Errors
/// [`Code::InvalidData`] when the rows cannot be learnt from, [`Code::InvalidOption`] for options
/// that make no sense.
pub fn train(
    samples: &Samples,
    groups: &[usize],
    options: &Options,
    progress: impl Fn(Progress),
) -> Result<Trained> {
    check(samples, groups, options)?;
    let held_out = held_out(groups, options);
    let (validation, training): (Vec<usize>, Vec<usize>) =
        (0..samples.labels.len()).partition(|&row| held_out[row]);
    let mut penalties = options.l2.clone();
    penalties.sort_by(|a, b| b.total_cmp(a));
    let fits = penalties.len() + 1;
    let fit = |objective: &Objective, l2, start, gain, fit| {
        let stop = Stop {
            gain,
            iterations: options.max_iterations,
        };
        solver::minimise(&objective.with_l2(l2), start, stop, |iteration| {
            progress(Progress {
                fit,
                fits,
                iteration,
            });
        })
    };
    let mut tried: Vec<Tried> = Vec::new();
    let mut best: Option<(Tried, Linear)> = None;
    if penalties.len() > 1 {
        let objective = Objective::new(samples, &training, options.balanced);
        // Each fit begins where the one with the next stronger penalty ended.
        let mut start = objective.start();
        let mut worse = 0;
        for (at, &l2) in penalties.iter().enumerate() {
            start = fit(&objective, l2, start, CHOOSING, at).at;
            let model = objective.unscaled(&start);
            let (log_loss, accuracy) = judge(&model, samples, &validation);
            let this = Tried {
                l2,
                log_loss,
                accuracy,
            };
            tried.push(this);
            if best
                .as_ref()
                .is_none_or(|(best, _)| log_loss < best.log_loss)
            {
                (best, worse) = (Some((this, model)), 0);
            } else {
                worse += 1;
                // Weaker penalties only overfit further.
                if worse == 2 {
                    break;
                }
            }
        }
    }
    let l2 = best.as_ref().map_or(penalties[0], |(best, _)| best.l2);
    let all: Vec<usize> = (0..samples.labels.len()).collect();
    let objective = Objective::new(samples, &all, options.balanced);
    // Of other rows, but near.
    let start = match best {
        Some((_, model)) => objective.scaled(&model),
        None => objective.start(),
    };
    let found = fit(&objective, l2, start, FINAL, fits - 1);
    Ok(Trained {
        model: objective.unscaled(&found.at),
        l2,
        tried,
        converged: found.converged,
    })
}

fn check(samples: &Samples, groups: &[usize], options: &Options) -> Result<()> {
    let rows = samples.labels.len();
    let data = |message: String| Err(Error::new(Code::InvalidData, message));
    if samples.dense.len() != rows * samples.width
        || groups.len() != rows
        || (samples.buckets > 0 && samples.sparse.len() != rows)
    {
        return data("the features and the labels are not of the same rows".into());
    }
    if let Some(at) = samples.dense.iter().position(|v| !v.is_finite()) {
        return data(format!(
            "row {} has a feature that is not finite",
            at / samples.width + 1
        ));
    }
    let first = samples.labels.first();
    if samples.labels.iter().all(|label| Some(label) == first) {
        return data("there must be rows of at least two labels".into());
    }
    let known = |&label: &u32| (label as usize) < samples.classes;
    let buckets = samples.sparse.iter().flatten();
    if !samples.labels.iter().all(known) || buckets.clone().any(|&b| b as usize >= samples.buckets)
    {
        return data("a label or bucket is out of range".into());
    }
    if options.l2.is_empty()
        || options.l2.iter().any(|l2| !(l2.is_finite() && *l2 > 0.0))
        || !(0.01..=0.9).contains(&options.validation)
    {
        return Err(Error::new(
            Code::InvalidOption,
            "the penalties must be above 0, and the validation share between 0.01 and 0.9",
        ));
    }
    Ok(())
}

/// Which rows are for validation: whole groups, in an order that the seed decides.
fn held_out(groups: &[usize], options: &Options) -> Vec<bool> {
    let count = groups.iter().max().map_or(0, |most| most + 1);
    let mut order: Vec<usize> = (0..count).collect();
    let mut random = Pcg32::seed_from_u64(options.seed);
    shuffle(&mut order, &mut random);
    let mut sizes = vec![0; count];
    groups.iter().for_each(|&group| sizes[group] += 1);
    let wanted = (options.validation * groups.len() as f64).round() as usize;
    let mut chosen = vec![false; count];
    let mut taken = 0;
    for group in order {
        if taken + sizes[group] <= wanted {
            chosen[group] = true;
            taken += sizes[group];
        }
    }
    groups.iter().map(|&group| chosen[group]).collect()
}

/// Mean log loss and accuracy on some rows.
fn judge(model: &Linear, samples: &Samples, rows: &[usize]) -> (f64, f64) {
    let (mut loss, mut right) = (0.0, 0);
    for &row in rows {
        let dense = &samples.dense[row * samples.width..(row + 1) * samples.width];
        let sparse = samples.sparse.get(row).map_or(&[][..], Vec::as_slice);
        let logits: Vec<f64> = model
            .logits(dense, sparse)
            .into_iter()
            .map(f64::from)
            .collect();
        let label = samples.labels[row] as usize;
        loss += -crate::calibrate::energy(&logits, 1.0) - logits[label];
        right += usize::from(most_probable(&logits) == label);
    }
    let n = rows.len().max(1) as f64;
    (loss / n, right as f64 / n)
}

#[cfg(test)]
mod tests;
