//! Losses. They are computed in 64 bits, as models that run seldom ask for them.

use std::sync::Arc;

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, Value, op};
use crate::tensor::{Numbers, Tensor, Type};

#[derive(Clone, Copy, PartialEq)]
enum Reduction {
    None,
    Sum,
    Mean,
}

struct Loss {
    reduction: Reduction,
    /// Samples of this class do not count.
    ignored: Option<i64>,
}

fn loss(decl: &Decl<'_>) -> Result<Loss> {
    decl.operands(2, 3)?;
    let reduction = match decl.text_or("reduction", "mean")?.as_str() {
        "none" => Reduction::None,
        "sum" => Reduction::Sum,
        "mean" => Reduction::Mean,
        other => return fault(format!("its attribute reduction {other} is not supported")),
    };
    Ok(Loss {
        reduction,
        ignored: decl.int("ignore_index")?,
    })
}

pub(super) fn negative_log_likelihood(decl: &Decl<'_>) -> Result<Option<Op>> {
    let loss = loss(decl)?;
    op(move |x, context| {
        let scores = x.get(0)?;
        context.spend(scores.len() as u64)?;
        let logs = wide(scores)?;
        Ok(vec![loss.of(scores, &logs, x.get(1)?, x.opt(2))?])
    })
}

pub(super) fn softmax_cross_entropy(decl: &Decl<'_>) -> Result<Option<Op>> {
    let loss = loss(decl)?;
    op(move |x, context| {
        let scores = x.get(0)?;
        context.spend(8 * scores.len() as u64)?;
        let mut logs = wide(scores)?;
        log_softmax(&mut logs, scores)?;
        let loss = loss.of(scores, &logs, x.get(1)?, x.opt(2))?;
        let logs = narrowed(scores.shape.clone(), logs, scores.ty())?;
        Ok(vec![loss, logs])
    })
}

fn wide(x: &Tensor) -> Result<Vec<f64>> {
    match x.numbers()? {
        Numbers::F32(v) => Ok(v.iter().map(|&v| f64::from(v)).collect()),
        Numbers::F64(v) => Ok(v.into_owned()),
        _ => fault(format!("an operand is of {}, not of floats", x.ty().name())),
    }
}

fn narrowed(shape: Vec<usize>, v: Vec<f64>, ty: Type) -> Result<Value> {
    Ok(Arc::new(Tensor::new(
        shape,
        Numbers::F64(v.into()).narrow(ty),
    )?))
}

/// Along the classes, which are the second axis.
fn log_softmax(logs: &mut [f64], scores: &Tensor) -> Result<()> {
    if scores.rank() < 2 {
        return fault("its scores have no axis of classes");
    }
    let (batch, classes, inner) = scores.around(1);
    for row in 0..batch * inner {
        let start = row / inner * classes * inner + row % inner;
        let places = (0..classes).map(|class| start + class * inner);
        let top = places
            .clone()
            .fold(f64::NEG_INFINITY, |top, at| top.max(logs[at]));
        let sum: f64 = places.clone().map(|at| (logs[at] - top).exp()).sum();
        places.for_each(|at| logs[at] = (logs[at] - top) - sum.ln());
    }
    Ok(())
}

impl Loss {
    fn of(
        &self,
        scores: &Tensor,
        logs: &[f64],
        target: &Tensor,
        weight: Option<&Tensor>,
    ) -> Result<Value> {
        if scores.rank() < 2 {
            return fault("its scores have no axis of classes");
        }
        let (_, classes, inner) = scores.around(1);
        let mut shape = scores.shape.clone();
        shape.remove(1);
        if target.shape != shape {
            return fault(format!(
                "targets of the shape {:?} are not those of scores of the shape {:?}",
                target.shape, scores.shape
            ));
        }
        let weight = weight.map(wide).transpose()?;
        if weight
            .as_ref()
            .is_some_and(|weight| weight.len() != classes)
        {
            return fault(format!("its weights are not those of {classes} classes"));
        }
        let mut losses = Vec::with_capacity(target.len());
        let mut total = 0.0;
        for (at, &class) in target.ints()?.iter().enumerate() {
            if Some(class) == self.ignored {
                losses.push(0.0);
                continue;
            }
            let Some(class) = usize::try_from(class).ok().filter(|&c| c < classes) else {
                return fault(format!("there is no class {class} among {classes}"));
            };
            let by = weight.as_ref().map_or(1.0, |weight| weight[class]);
            total += by;
            losses.push(-logs[(at / inner * classes + class) * inner + at % inner] * by);
        }
        let sum: f64 = losses.iter().sum();
        match self.reduction {
            Reduction::None => narrowed(shape, losses, scores.ty()),
            Reduction::Sum => narrowed(Vec::new(), vec![sum], scores.ty()),
            Reduction::Mean => narrowed(Vec::new(), vec![sum / total], scores.ty()),
        }
    }
}
