//! L-BFGS for a loss of linear scores.
//!
//! argmin's needs a product with the rows for every point that its line search looks at, copies all parameters several times
//! an iteration, and knows one scale for all of them. Here the scores of a direction are computed once, and a step along it
//! costs a pass over the scores; directions are scaled parameter by parameter. With many classes most of the time goes into
//! what is remembered, so a direction is made of products between the vectors that are kept, which one pass over all of them
//! gives, and a second pass adds them up. Sums are made in blocks whose number does not depend on the cores, so that no bit of
//! the result does.

use super::threads::*;

/// How many steps are remembered.
const MEMORY: usize = 4;

/// How many parameters a thread takes at a time: of all vectors together no more than fits a core's cache.
const BLOCK: usize = 4 << 10;

/// How many products are added before they become a part of a larger sum.
const SHORT: usize = 512;

/// The most points that are looked at along a direction.
const TRIES: usize = 12;

/// How many iterations in a row must gain too little before it ends. What one promises to gain tells nothing: a first step along
/// what most rows have scales the way after it down, however much the rest has to give.
const IDLE: u32 = 3;

/// A step is taken where the slope has come down to this share of what it was.
const FLAT: f64 = 0.5;

/// What is minimised: a loss of scores, which are linear in the parameters, plus a penalty on these.
pub(super) trait Problem {
    /// The scores of a point, or of a direction.
    fn scores(&self, of: &[f32]) -> Vec<f32>;

    /// The loss at `scores + step * along`, and its slope along; leaves its slopes by score in `slopes`.
    fn loss(&self, scores: &[f32], along: &[f32], step: f32, slopes: &mut [f32]) -> (f64, f64);

    /// The loss's slopes by parameter, of those by score.
    fn gradient(&self, slopes: &[f32], into: &mut [f32]);

    /// How many parameters, from the first, have a penalty, and how much the square of each counts, in halves.
    fn penalty(&self) -> (usize, f32);

    /// About the inverse of the curvature along each parameter at these slopes.
    fn scale(&self, slopes: &[f32]) -> Vec<f32>;
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// What an iteration must gain, as a share of the loss.
    pub(super) gain: f64,
    /// The most iterations.
    pub(super) iterations: u64,
}

/// Where it ended.
pub(super) struct Found {
    pub(super) at: Vec<f32>,
    /// Whether nothing was left to be gained.
    pub(super) converged: bool,
}

/// Minimises from a point; `told` hears of every iteration.
pub(super) fn minimise(
    problem: &impl Problem,
    at: Vec<f32>,
    stop: Stop,
    told: impl Fn(u64),
) -> Found {
    let mut scores = problem.scores(&at);
    let mut slopes = vec![0.0; scores.len()];
    let nowhere = vec![0.0; scores.len()];
    let (loss, _) = problem.loss(&scores, &nowhere, 0.0, &mut slopes);
    drop(nowhere);
    let mut path = Path::new(at, problem.penalty(), problem.scale(&slopes));
    problem.gradient(&slopes, &mut path.gradient);
    let mut penalty = path.begin();
    let mut cost = loss + penalty;
    let mut idle = 0;
    for iteration in 0..stop.iterations {
        told(iteration);
        let mut way = path.direction();
        if way.slope >= 0.0 && path.forget() {
            // Rounding has turned what is remembered around.
            way = path.direction();
        }
        let ahead = problem.scores(&path.along);
        let penalised = |step: f64| penalty + step * way.linear + step * step * way.square / 2.0;
        let mut look = |step: f64| {
            let (loss, slope) = problem.loss(&scores, &ahead, step as f32, &mut slopes);
            let slope = slope + way.linear + step * way.square;
            (loss + penalised(step), slope)
        };
        let Some((step, reached)) = search(way.slope, cost, &mut look) else {
            if path.forget() {
                continue;
            }
            // Straight down there is nothing to be found but rounding.
            return Found {
                at: path.at,
                converged: true,
            };
        };
        idle = match cost - reached <= stop.gain * cost {
            true => idle + 1,
            false => 0,
        };
        (cost, penalty) = (reached, penalised(step));
        scores
            .par_iter_mut()
            .zip(&ahead)
            .with_min_len(BLOCK)
            .for_each(|(score, ahead)| *score += step as f32 * ahead);
        path.leave();
        problem.gradient(&slopes, &mut path.gradient);
        path.step(step as f32);
        if idle == IDLE {
            return Found {
                at: path.at,
                converged: true,
            };
        }
    }
    Found {
        at: path.at,
        converged: false,
    }
}

/// The point, and what is remembered of the way to it.
struct Path {
    at: Vec<f32>,
    penalty: (usize, f32),
    scale: Vec<f32>,
    gradient: Vec<f32>,
    /// The gradient before the step that is being taken.
    before: Vec<f32>,
    along: Vec<f32>,
    /// The steps that were taken, and how the gradient changed with each.
    steps: Vec<(Vec<f32>, Vec<f32>)>,
    products: Products,
}

/// Products of what is remembered, scaled where both are changes or gradients.
#[derive(Default)]
struct Products {
    /// A step with a change: a row a step.
    step_change: Vec<Vec<f64>>,
    /// A change with a change.
    changes: Vec<Vec<f64>>,
    /// A step with the gradient.
    step_gradient: Vec<f64>,
    /// A change with the gradient.
    change_gradient: Vec<f64>,
    /// The gradient with itself.
    gradient: f64,
    /// The direction with each change.
    along_change: Vec<f64>,
}

/// A direction.
struct Way {
    /// The slope of the cost along it.
    slope: f64,
    /// The penalty after a step is `linear * step + square / 2 * step^2` more.
    linear: f64,
    square: f64,
}

impl Path {
    fn new(at: Vec<f32>, penalty: (usize, f32), scale: Vec<f32>) -> Self {
        let n = at.len();
        Path {
            at,
            penalty,
            scale,
            gradient: vec![0.0; n],
            before: vec![0.0; n],
            along: vec![0.0; n],
            steps: Vec::new(),
            products: Products::default(),
        }
    }

    /// Makes the loss's gradient the cost's, and gives the penalty.
    fn begin(&mut self) -> f64 {
        let (scale, penalty) = (&self.scale, self.penalty);
        let sums = sums(
            self.gradient
                .par_chunks_mut(BLOCK)
                .zip(self.at.par_chunks(BLOCK))
                .enumerate()
                .map(|(block, (gradient, at))| {
                    let (with, l2) = penalised(penalty, block, at.len());
                    add(&mut gradient[..with], l2, at);
                    let mut scaled = [0.0; BLOCK];
                    let scaled = times(&mut scaled, of(scale, block), gradient);
                    let squares = dot(&at[..with], &at[..with]);
                    vec![f64::from(l2) * squares, dot(gradient, scaled)]
                })
                .collect(),
        );
        self.products.gradient = sums[1];
        sums[0] / 2.0
    }

    /// Leaves the way down in `along`: two passes over what is remembered, with the scale between them, done with the
    /// products alone.
    fn direction(&mut self) -> Way {
        let (scaling, of_steps, of_changes, slope) = self.products.direction();
        let (at, gradient, steps) = (&self.at, &self.gradient, &self.steps);
        let (scale, penalty) = (&self.scale, self.penalty);
        let sums = sums(
            self.along
                .par_chunks_mut(BLOCK)
                .enumerate()
                .map(|(block, along)| {
                    along.copy_from_slice(of(gradient, block));
                    for ((_, change), by) in steps.iter().zip(&of_changes) {
                        add(along, *by, of(change, block));
                    }
                    for (along, scale) in along.iter_mut().zip(of(scale, block)) {
                        *along *= scaling * scale;
                    }
                    for ((step, _), by) in steps.iter().zip(&of_steps) {
                        add(along, *by, of(step, block));
                    }
                    let (with, l2) = penalised(penalty, block, along.len());
                    let along = &along[..with];
                    [of(at, block), along]
                        .map(|with| f64::from(l2) * dot(along, with))
                        .to_vec()
                })
                .collect(),
        );
        Way {
            slope,
            linear: sums[0],
            square: sums[1],
        }
    }

    /// Forgets the steps, and says whether there were any.
    fn forget(&mut self) -> bool {
        let some = !self.steps.is_empty();
        self.steps.clear();
        self.products = Products {
            gradient: self.products.gradient,
            ..Products::default()
        };
        some
    }

    /// Keeps the gradient of the point that is left.
    fn leave(&mut self) {
        std::mem::swap(&mut self.gradient, &mut self.before);
    }

    /// Takes the step, of which the loss's gradient is known, and remembers it.
    fn step(&mut self, step: f32) {
        if self.steps.len() == MEMORY {
            // Its room is for the next one.
            let (first, second) = self.steps.remove(0);
            self.products.forget();
            self.remember(step, first, second);
        } else {
            let n = self.at.len();
            self.remember(step, vec![0.0; n], vec![0.0; n]);
        }
    }

    fn remember(&mut self, step: f32, room: Vec<f32>, other: Vec<f32>) {
        let taken = std::mem::replace(&mut self.along, room);
        let change = std::mem::replace(&mut self.before, other);
        self.steps.push((taken, change));
        let Some(((taken, change), known)) = self.steps.split_last_mut() else {
            return;
        };
        let (scale, penalty) = (&self.scale, self.penalty);
        let sums = sums(
            taken
                .par_chunks_mut(BLOCK)
                .zip(change.par_chunks_mut(BLOCK))
                .zip(self.at.par_chunks_mut(BLOCK))
                .zip(self.gradient.par_chunks_mut(BLOCK))
                .enumerate()
                .map(|(block, (((taken, change), at), gradient))| {
                    for (taken, at) in taken.iter_mut().zip(at.iter_mut()) {
                        *taken *= step;
                        *at += *taken;
                    }
                    let (with, l2) = penalised(penalty, block, at.len());
                    add(&mut gradient[..with], l2, at);
                    for (change, now) in change.iter_mut().zip(gradient.iter()) {
                        *change = now - *change;
                    }
                    let (mut of_gradient, mut of_change) = ([0.0; BLOCK], [0.0; BLOCK]);
                    let of_gradient = times(&mut of_gradient, of(scale, block), gradient);
                    let of_change = times(&mut of_change, of(scale, block), change);
                    let mut found = vec![dot(gradient, of_gradient)];
                    let known = known
                        .iter()
                        .map(|(step, change)| (of(step, block), of(change, block)));
                    for (step, old) in known {
                        found.extend([dot(step, gradient), dot(old, of_gradient)]);
                    }
                    found.extend([
                        dot(taken, gradient),
                        dot(change, of_gradient),
                        dot(taken, change),
                        dot(change, of_change),
                    ]);
                    found
                })
                .collect(),
        );
        if !self.products.learn(f64::from(step), &sums) {
            // Rounding has left no curvature.
            self.steps.pop();
        }
    }
}

impl Products {
    fn forget(&mut self) {
        for rows in [&mut self.step_change, &mut self.changes] {
            rows.remove(0);
            rows.iter_mut().for_each(|row| {
                row.remove(0);
            });
        }
        let products = [
            &mut self.step_gradient,
            &mut self.change_gradient,
            &mut self.along_change,
        ];
        for products in products {
            products.remove(0);
        }
    }

    /// Takes in the products with a new step, and says whether it is one to remember. What the products before it tell is
    /// not asked for again: a product with its change is the difference of two with gradients.
    fn learn(&mut self, step: f64, sums: &[f64]) -> bool {
        let n = self.step_change.len();
        let (known, new) = sums[1..].split_at(2 * n);
        let (known, _) = known.as_chunks::<2>();
        let [step_gradient, change_gradient, curvature, change] = new[..] else {
            return false;
        };
        self.gradient = sums[0];
        let after = |at: usize| known.iter().map(|k| k[at]).collect::<Vec<f64>>();
        let before = (
            std::mem::replace(&mut self.step_gradient, after(0)),
            std::mem::replace(&mut self.change_gradient, after(1)),
        );
        if !(curvature > 0.0 && change > 0.0) {
            return false;
        }
        let less = |after: &[f64], before: &[f64]| -> Vec<f64> {
            after.iter().zip(before).map(|(a, b)| a - b).collect()
        };
        let steps = less(&self.step_gradient, &before.0);
        let changes = less(&self.change_gradient, &before.1);
        for (row, product) in self.step_change.iter_mut().zip(steps) {
            row.push(product);
        }
        let row = self.along_change.iter().map(|product| step * product);
        self.step_change.push(row.chain([curvature]).collect());
        for (row, product) in self.changes.iter_mut().zip(&changes) {
            row.push(*product);
        }
        self.changes
            .push(changes.into_iter().chain([change]).collect());
        self.step_gradient.push(step_gradient);
        self.change_gradient.push(change_gradient);
        true
    }

    /// How much of the scaled gradient, of each step, and of each scaled change is in the direction, and the slope along it:
    /// the two loops of L-BFGS (Nocedal and Wright, algorithm 7.4) on products.
    fn direction(&mut self) -> (f32, Vec<f32>, Vec<f32>, f64) {
        let n = self.step_change.len();
        let weight = |i: usize| 1.0 / self.step_change[i][i];
        let mut shares = vec![0.0; n];
        for i in (0..n).rev() {
            let later = (i + 1..n).map(|j| shares[j] * self.step_change[i][j]);
            shares[i] = weight(i) * (self.step_gradient[i] - later.sum::<f64>());
        }
        // How much too large the scale was for the last step.
        let times = n.checked_sub(1).map_or(1.0, |last| {
            self.step_change[last][last] / self.changes[last][last]
        });
        let mut of_steps: Vec<f64> = Vec::with_capacity(n);
        for i in 0..n {
            let changes = (0..n).map(|j| shares[j] * self.changes[i][j]);
            let scaled = times * (self.change_gradient[i] - changes.sum::<f64>());
            let steps = (0..i).map(|j| of_steps[j] * self.step_change[j][i]);
            let back = weight(i) * (scaled + steps.sum::<f64>());
            of_steps.push(shares[i] - back);
        }
        let by_changes: f64 = (0..n).map(|i| shares[i] * self.change_gradient[i]).sum();
        let by_steps: f64 = (0..n).map(|i| of_steps[i] * self.step_gradient[i]).sum();
        let slope = -(times * (self.gradient - by_changes) + by_steps);
        self.along_change = (0..n)
            .map(|i| {
                let changes = (0..n).map(|j| shares[j] * self.changes[i][j]);
                let steps = (0..n).map(|j| of_steps[j] * self.step_change[j][i]);
                let scaled = times * (self.change_gradient[i] - changes.sum::<f64>());
                -(scaled + steps.sum::<f64>())
            })
            .collect();
        (
            -times as f32,
            of_steps.iter().map(|by| -by as f32).collect(),
            shares.iter().map(|by| -by as f32).collect(),
            slope,
        )
    }
}

/// A step along a convex cost to where its slope is much flatter, and the cost there. The last point that was looked at is
/// the one that is taken. Nothing where no point is lower.
fn search(slope: f64, cost: f64, look: &mut impl FnMut(f64) -> (f64, f64)) -> Option<(f64, f64)> {
    // Between these, with their slopes, the lowest point is.
    let mut low = (0.0, slope);
    let mut high: Option<(f64, f64)> = None;
    let mut step = 1.0;
    // How often in a row the point was too far.
    let mut far = 0;
    for _ in 0..TRIES {
        let (reached, now) = look(step);
        let lower = reached <= cost;
        if lower && now.abs() <= FLAT * slope.abs() {
            return Some((step, reached));
        }
        if now < 0.0 && lower {
            (low, far) = ((step, now), 0);
        } else {
            high = Some((step, now.max(0.0)));
            far += 1;
        }
        step = match high {
            None => 2.0 * step,
            // Where a line through both slopes is zero, but not too near to either. Far away slopes are the same everywhere:
            // of where they turn, such a line tells nothing.
            Some(high) => {
                let width = high.0 - low.0;
                let zero = low.0 - low.1 * width / (high.1 - low.1);
                let most = if far < 2 { 0.9 } else { 0.1 };
                zero.clamp(low.0 + 0.1 * width, low.0 + most * width)
            }
        };
    }
    let (reached, _) = look(step);
    (reached < cost).then_some((step, reached))
}

/// How many parameters of a block have a penalty, and which.
fn penalised(penalty: (usize, f32), block: usize, len: usize) -> (usize, f32) {
    let (parameters, l2) = penalty;
    (parameters.saturating_sub(block * BLOCK).min(len), l2)
}

/// A block's numbers, each times another.
fn times<'o>(out: &'o mut [f32; BLOCK], a: &[f32], b: &[f32]) -> &'o [f32] {
    let out = &mut out[..a.len()];
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a * b;
    }
    out
}

/// A block of a vector.
fn of(vector: &[f32], block: usize) -> &[f32] {
    &vector[block * BLOCK..vector.len().min((block + 1) * BLOCK)]
}

/// The sums of the blocks' numbers, added in their order.
fn sums(blocks: Vec<Vec<f64>>) -> Vec<f64> {
    let mut blocks = blocks.into_iter();
    let mut sums = blocks.next().unwrap_or_default();
    for block in blocks {
        sums.iter_mut()
            .zip(block)
            .for_each(|(sum, part)| *sum += part);
    }
    sums
}

fn add(to: &mut [f32], times: f32, of: &[f32]) {
    to.iter_mut().zip(of).for_each(|(to, of)| *to += times * of);
}

/// The product of two blocks: sixteen sums at a time, as a processor adds them, of so few numbers that f32 does.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let part = |(a, b): (&[f32], &[f32])| {
        let mut parts = [0.0f32; 16];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
        for (a, b) in a.iter().zip(b) {
            for ((part, a), b) in parts.iter_mut().zip(a).zip(b) {
                *part += a * b;
            }
        }
        for ((part, a), b) in parts.iter_mut().zip(a_rest).zip(b_rest) {
            *part += a * b;
        }
        parts.iter().map(|part| f64::from(*part)).sum::<f64>()
    };
    a.chunks(SHORT).zip(b.chunks(SHORT)).map(part).sum()
}
