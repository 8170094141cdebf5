//! Support vector machines, in the forms of libsvm (vectors and kernels) and of liblinear (one row of coefficients for a class).

use std::sync::Arc;

use super::scores::{Labels, Transform, largest, logistic};
use super::{Rows, dot, widened};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Tensor, count};

#[derive(Debug, Clone, Copy)]
enum Kernel {
    Linear,
    Poly,
    Rbf,
    Sigmoid,
}

/// Vectors, and how a row is compared with them.
struct Vectors {
    kernel: Kernel,
    gamma: f64,
    coef0: f64,
    degree: f64,
    count: usize,
    features: usize,
    values: Vec<f64>,
}

impl Vectors {
    fn of(decl: &Decl<'_>, count: usize, values: Vec<f64>) -> Result<Vectors> {
        let kernel = match &*decl.text_or("kernel_type", "LINEAR")? {
            "LINEAR" => Kernel::Linear,
            "POLY" => Kernel::Poly,
            "RBF" => Kernel::Rbf,
            "SIGMOID" => Kernel::Sigmoid,
            other => return fault(format!("its kernel_type {other} is not supported")),
        };
        let (gamma, coef0, degree) = match decl.floats("kernel_params")?.unwrap_or_default()[..] {
            [] => (0.0, 0.0, 0.0),
            [gamma, coef0, degree] => (gamma.into(), coef0.into(), degree.into()),
            _ => return fault("its kernel_params are not three"),
        };
        if count == 0 || values.is_empty() || !values.len().is_multiple_of(count) {
            return fault(format!("{} numbers are not {count} vectors", values.len()));
        }
        Ok(Vectors {
            kernel,
            gamma,
            coef0,
            degree,
            count,
            features: values.len() / count,
            values,
        })
    }

    fn check(&self, x: &Rows<'_>, context: &mut Context) -> Result<()> {
        if x.features != self.features {
            return fault(format!(
                "it takes {} features, and {} are given",
                self.features, x.features
            ));
        }
        count(&[x.count, self.count])?;
        context.spend((x.count as u64).saturating_mul(self.values.len() as u64))
    }

    /// The row compared with each vector.
    fn run(&self, row: &[f64]) -> Vec<f64> {
        let compared = |vector: &[f64]| match self.kernel {
            Kernel::Linear => dot(row, vector),
            Kernel::Poly => (self.gamma * dot(row, vector) + self.coef0).powf(self.degree),
            Kernel::Sigmoid => (self.gamma * dot(row, vector) + self.coef0).tanh(),
            Kernel::Rbf => {
                let far: f64 = row.iter().zip(vector).map(|(a, b)| (a - b) * (a - b)).sum();
                (-self.gamma * far).exp()
            }
        };
        self.values
            .chunks_exact(self.features)
            .map(compared)
            .collect()
    }
}

pub(super) fn regressor(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    if Transform::of(decl)? != Transform::None {
        return fault("its attribute post_transform is not supported");
    }
    let one_class = decl.flag("one_class")?;
    let supports = decl.int_or("n_supports", 0)?;
    let coefficients = widened(decl.floats("coefficients")?.unwrap_or_default());
    let vectors = widened(decl.floats("support_vectors")?.unwrap_or_default());
    let Some(&rho) = widened(decl.floats("rho")?.unwrap_or_default()).first() else {
        return fault("its attribute rho is missing");
    };
    let (vectors, coefficients) = if supports > 0 {
        let supports = usize::try_from(supports).map_err(|_| "its n_supports is not a length")?;
        if coefficients.len() != supports {
            return fault("its coefficients are not one for each vector");
        }
        (Vectors::of(decl, supports, vectors)?, coefficients)
    } else {
        // The coefficients are of the features themselves.
        let mut own = Vectors::of(decl, 1, coefficients)?;
        own.kernel = Kernel::Linear;
        (own, vec![1.0])
    };
    op(move |x, context| {
        let x = Rows::of(x.get(0)?)?;
        vectors.check(&x, context)?;
        let scores = (0..x.count).map(|at| {
            let score = dot(&vectors.run(x.row(at)), &coefficients) + rho;
            match one_class {
                true if score > 0.0 => 1.0,
                true => -1.0,
                false => score as f32,
            }
        });
        one(Tensor::f32(vec![x.count, 1], scores.collect()))
    })
}

/// Probabilities out of a score, for each pair of classes.
struct Pairs {
    a: Vec<f64>,
    b: Vec<f64>,
}

/// A classifier of libsvm: it compares each class with each other.
struct Machine {
    classes: usize,
    /// Where the vectors of each class begin, and where those of the last one end.
    starts: Vec<usize>,
    vectors: Vectors,
    coefficients: Vec<f64>,
    rho: Vec<f64>,
    pairs: Option<Pairs>,
}

impl Machine {
    /// The score of each pair of classes, and how many pairs each class wins.
    fn scores(&self, row: &[f64]) -> (Vec<f64>, Vec<usize>) {
        let near = self.vectors.run(row);
        let (mut scores, mut wins) = (Vec::new(), vec![0; self.classes]);
        let part = |line: usize, class: usize| {
            let own = self.starts[class]..self.starts[class + 1];
            let line = &self.coefficients[line * near.len()..][..near.len()];
            dot(&line[own.clone()], &near[own])
        };
        for i in 0..self.classes {
            for j in i + 1..self.classes {
                let score = part(j - 1, i) + part(i, j) + self.rho[scores.len()];
                scores.push(score);
                wins[if score > 0.0 { i } else { j }] += 1;
            }
        }
        (scores, wins)
    }
}

impl Pairs {
    /// The probability of each class, of the scores of their pairs: the second method of Wu, Lin and Weng (2004), iterated as
    /// libsvm does.
    fn couple(&self, classes: usize, scores: &[f64]) -> Vec<f64> {
        let k = classes;
        let mut r = vec![0.0; k * k];
        let mut pair = 0;
        for i in 0..k {
            for j in i + 1..k {
                let p = logistic(-(scores[pair] * self.a[pair] + self.b[pair]));
                let p = p.clamp(1e-7, 1.0 - 1e-7);
                (r[i * k + j], r[j * k + i]) = (p, 1.0 - p);
                pair += 1;
            }
        }
        let mut q = vec![0.0; k * k];
        for i in 0..k {
            for j in (0..k).filter(|&j| j != i) {
                q[i * k + i] += r[j * k + i] * r[j * k + i];
                q[i * k + j] = -r[j * k + i] * r[i * k + j];
            }
        }
        let mut p = vec![1.0 / k as f64; k];
        for _ in 0..k.max(100) {
            let mut qp: Vec<f64> = q.chunks_exact(k).map(|line| dot(line, &p)).collect();
            let mut pqp = dot(&p, &qp);
            if qp.iter().all(|v| (v - pqp).abs() < 0.005 / k as f64) {
                break;
            }
            for i in 0..k {
                let line = &q[i * k..][..k];
                let step = (pqp - qp[i]) / line[i];
                let shrink = 1.0 + step;
                p[i] += step;
                pqp = (pqp + step * (step * line[i] + 2.0 * qp[i])) / (shrink * shrink);
                for j in 0..k {
                    qp[j] = (qp[j] + step * line[j]) / shrink;
                    p[j] /= shrink;
                }
            }
        }
        p
    }
}

pub(super) fn classifier(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let labels = Labels::of(decl, "classlabels_ints", "classlabels_strings")?;
    let classes = labels.len();
    let transform = Transform::of(decl)?;
    let per_class = decl.ints("vectors_per_class")?.unwrap_or_default();
    let coefficients = widened(decl.floats("coefficients")?.unwrap_or_default());
    let rho = widened(decl.floats("rho")?.unwrap_or_default());
    let a = widened(decl.floats("prob_a")?.unwrap_or_default());
    let b = widened(decl.floats("prob_b")?.unwrap_or_default());
    let vectors = widened(decl.floats("support_vectors")?.unwrap_or_default());
    let positive = coefficients.iter().all(|&c| c >= 0.0);
    let mut starts = vec![0usize];
    for &own in &per_class {
        let end = usize::try_from(own)
            .ok()
            .and_then(|n| n.checked_add(starts[starts.len() - 1]));
        starts.push(end.ok_or("its vectors_per_class are not lengths")?);
    }
    let supports = starts[starts.len() - 1];
    if supports == 0 {
        return liblinear(decl, labels, transform, coefficients, &rho, positive);
    }
    let pairs = classes * (classes - 1) / 2;
    let machine = Machine {
        classes,
        starts,
        vectors: Vectors::of(decl, supports, vectors)?,
        pairs: (!a.is_empty()).then_some(Pairs { a, b }),
        coefficients,
        rho,
    };
    let paired = |p: &Pairs| p.a.len() == pairs && p.b.len() == pairs;
    if per_class.len() != classes
        || Some(machine.coefficients.len()) != (classes - 1).checked_mul(supports)
        || machine.rho.len() != pairs
        || !machine.pairs.as_ref().is_none_or(paired)
    {
        return fault("its attributes are not of one number of classes and vectors");
    }
    let single = pairs == 1 && machine.pairs.is_none();
    if single && transform != Transform::None {
        return fault("its post_transform is not supported where two classes have one score");
    }
    op(move |x, context| {
        let x = Rows::of(x.get(0)?)?;
        machine.vectors.check(&x, context)?;
        let columns = match &machine.pairs {
            None if pairs > 1 => pairs,
            _ => classes,
        };
        let shape = vec![x.count, columns];
        let mut out: Vec<f32> = Vec::with_capacity(count(&shape)?);
        // Probabilities are found in at most so many rounds, and mostly in a few.
        context.spend((x.count as u64).saturating_mul(4 * (classes * classes) as u64))?;
        let mut best = Vec::with_capacity(x.count);
        for at in 0..x.count {
            let (mut scores, wins) = machine.scores(x.row(at));
            best.push(largest(&wins));
            if let Some(pairs) = &machine.pairs {
                scores = pairs.couple(classes, &scores);
            } else if single {
                scores = vec![-scores[0], scores[0]];
            }
            transform.apply(&mut scores);
            out.extend(scores.iter().map(|&s| s as f32));
        }
        Ok(vec![
            Arc::new(labels.pick(&best)),
            Arc::new(Tensor::f32(shape, out)),
        ])
    })
}

/// A row of coefficients for each class, and one intercept for all.
fn liblinear(
    decl: &Decl<'_>,
    labels: Labels,
    transform: Transform,
    coefficients: Vec<f64>,
    rho: &[f64],
    positive: bool,
) -> Result<Option<Op>> {
    let classes = labels.len();
    let mut rows = Vectors::of(decl, classes, coefficients)?;
    rows.kernel = Kernel::Linear;
    let Some(&rho) = rho.first() else {
        return fault("its attribute rho is missing");
    };
    op(move |x, context| {
        let x = Rows::of(x.get(0)?)?;
        rows.check(&x, context)?;
        let (mut best, mut out) = (Vec::new(), Vec::new());
        for at in 0..x.count {
            let mut scores: Vec<f64> = rows.run(x.row(at)).iter().map(|s| s + rho).collect();
            let first = largest(&scores);
            // Of two classes, the second is chosen by its sign, as runtimes do.
            let second = match positive {
                true => scores[first] >= 0.5,
                false => scores[first] > 0.0,
            };
            best.push(if classes == 2 && second { 1 } else { first });
            transform.apply(&mut scores);
            out.extend(scores.iter().map(|&s| s as f32));
        }
        let scores = Tensor::f32(vec![x.count, classes], out);
        Ok(vec![Arc::new(labels.pick(&best)), Arc::new(scores)])
    })
}
