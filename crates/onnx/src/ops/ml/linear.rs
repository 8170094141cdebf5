//! Linear models.

use std::sync::Arc;

use super::scores::{Labels, Transform, largest, logistic};
use super::{Rows, dot, widened};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Tensor, count};

/// A matrix with a row for each target.
struct Linear {
    targets: usize,
    features: usize,
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
}

impl Linear {
    fn of(decl: &Decl<'_>, targets: Option<usize>) -> Result<Linear> {
        let coefficients = widened(decl.floats("coefficients")?.unwrap_or_default());
        let mut intercepts = widened(decl.floats("intercepts")?.unwrap_or_default());
        let targets = targets.unwrap_or(intercepts.len());
        if intercepts.is_empty() {
            intercepts = vec![0.0; targets.min(coefficients.len())];
        }
        if targets == 0
            || intercepts.len() != targets
            || !coefficients.len().is_multiple_of(targets)
        {
            return fault(format!(
                "{} coefficients and {} intercepts are not of {targets} targets",
                coefficients.len(),
                intercepts.len()
            ));
        }
        Ok(Linear {
            targets,
            features: coefficients.len() / targets,
            coefficients,
            intercepts,
        })
    }

    /// The scores of each row.
    fn run(&self, x: &Rows<'_>, context: &mut Context) -> Result<Vec<f64>> {
        if x.features != self.features {
            return fault(format!(
                "it takes {} features, and {} are given",
                self.features, x.features
            ));
        }
        let all = count(&[x.count, self.targets])?;
        context.spend(all as u64 * self.features as u64)?;
        let mut out = Vec::with_capacity(all);
        for at in 0..x.count {
            let row = x.row(at);
            for (target, intercept) in self.intercepts.iter().enumerate() {
                let own = &self.coefficients[target * self.features..][..self.features];
                out.push(dot(row, own) + intercept);
            }
        }
        Ok(out)
    }
}

pub(super) fn regressor(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let Ok(targets) = usize::try_from(decl.int_or("targets", 1)?) else {
        return fault("its attribute targets is not a length");
    };
    let transform = Transform::of(decl)?.for_targets(targets)?;
    let model = Linear::of(decl, Some(targets))?;
    op(move |x, context| {
        let x = Rows::of(x.get(0)?)?;
        let mut scores = model.run(&x, context)?;
        for row in scores.chunks_exact_mut(targets) {
            transform.apply(row);
        }
        let scores = scores.into_iter().map(|s| s as f32).collect();
        one(Tensor::f32(vec![x.count, targets], scores))
    })
}

pub(super) fn classifier(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    // How the model was fitted; its scores are computed alike.
    decl.unused("multi_class");
    let labels = Labels::of(decl, "classlabels_ints", "classlabels_strings")?;
    let transform = Transform::of(decl)?;
    let given = decl.floats("intercepts")?.filter(|v| !v.is_empty());
    let model = Linear::of(
        decl,
        if given.is_some() {
            None
        } else {
            Some(labels.len())
        },
    )?;
    let single = model.targets == 1 && labels.len() == 2;
    if !single && model.targets != labels.len() {
        return fault(format!(
            "its {} targets are not one for each of {} labels",
            model.targets,
            labels.len()
        ));
    }
    if single && !matches!(transform, Transform::None | Transform::Logistic) {
        return fault("its post_transform is not supported where two classes have one score");
    }
    op(move |x, context| {
        let x = Rows::of(x.get(0)?)?;
        let mut scores = model.run(&x, context)?;
        let (mut best, mut out) = (Vec::with_capacity(x.count), Vec::new());
        for row in scores.chunks_exact_mut(model.targets) {
            if single {
                let score = row[0];
                best.push(usize::from(score > 0.0));
                out.extend(match transform {
                    Transform::Logistic => [logistic(-score) as f32, logistic(score) as f32],
                    _ => [(1.0 - score) as f32, score as f32],
                });
            } else {
                best.push(largest(row));
                transform.apply(row);
                out.extend(row.iter().map(|&s| s as f32));
            }
        }
        let scores = Tensor::f32(vec![x.count, labels.len()], out);
        Ok(vec![Arc::new(labels.pick(&best)), Arc::new(scores)])
    })
}
