//! Control flow: `If`, `Loop`, `Scan`; and constants.

use std::sync::Arc;

use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inner, Inputs, Op, Value, op};
use crate::tensor::{Data, Tensor, axis, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Constant" => constant(decl),
        "Identity" => {
            decl.operands(1, 1)?;
            op(|x, _| Ok(vec![x.value(0)?]))
        }
        // Without the seeds and masks of training, which `ratio` and `training_mode` would ask for.
        "Dropout" => dropout(decl),
        "If" => {
            decl.operands(1, 1)?;
            let (then, other) = (decl.graph("then_branch")?, decl.graph("else_branch")?);
            op(move |x, context| {
                let when = truth(x.get(0)?)?;
                let branch = if when { &then } else { &other };
                branch.run(Vec::new(), x, context)
            })
        }
        "Loop" => loops(decl),
        "Scan" => scan(decl),
        _ => Ok(None),
    }
}

fn constant(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(0, 0)?;
    let given = if let Some(t) = decl.tensor("value")? {
        t
    } else if let Some(t) = decl.sparse_tensor("sparse_value")? {
        t
    } else if let Some(v) = decl.float("value_float")? {
        Tensor::f32(Vec::new(), vec![v])
    } else if let Some(v) = decl.int("value_int")? {
        Tensor::i64(Vec::new(), vec![v])
    } else if let Some(v) = decl.text("value_string")? {
        Tensor::new(Vec::new(), Data::Text(vec![v]))?
    } else if let Some(v) = decl.floats("value_floats")? {
        Tensor::f32(vec![v.len()], v)
    } else if let Some(v) = decl.ints("value_ints")? {
        Tensor::i64(vec![v.len()], v)
    } else if let Some(v) = decl.texts("value_strings")? {
        Tensor::new(vec![v.len()], Data::Text(v))?
    } else {
        return fault("it says no value");
    };
    let given = Arc::new(given);
    op(move |_, _| Ok(vec![given.clone()]))
}

fn dropout(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 3)?;
    decl.unused("ratio");
    decl.unused("seed");
    let training = decl.has(2);
    op(move |x, _| {
        if training && x.get(2)?.truths()?.first() == Some(&true) {
            return fault(
                "it drops numbers at random, as in training; export the model for inference",
            );
        }
        let value = x.value(0)?;
        let mask = Tensor::bools(value.shape.clone(), vec![true; value.len()]);
        Ok(vec![value, Arc::new(mask)])
    })
}

fn truth(x: &Tensor) -> Result<bool> {
    match x.truths()? {
        [one] => Ok(*one),
        _ => fault(format!(
            "a condition has the shape {:?}, and is one truth value",
            x.shape
        )),
    }
}

/// What loops collect: tensors of one shape, one for each round, along a new axis.
struct Stack {
    parts: Vec<Value>,
}

impl Stack {
    fn push(&mut self, part: Value) -> Result<()> {
        if let Some(first) = self.parts.first()
            && (first.shape != part.shape || first.ty() != part.ty())
        {
            return fault(format!(
                "its rounds give shapes {:?} and {:?}, which cannot be put together",
                first.shape, part.shape
            ));
        }
        self.parts.push(part);
        Ok(())
    }

    /// With the new axis at `at`; where nothing was collected, an empty tensor.
    fn whole(self, at: i64, reverse: bool) -> Result<Value> {
        let mut parts = self.parts;
        if reverse {
            parts.reverse();
        }
        let Some(first) = parts.first() else {
            return Ok(Arc::new(Tensor::f32(vec![0], Vec::new())));
        };
        let at = axis(at, first.rank() + 1)?;
        let mut shape = first.shape.clone();
        shape.insert(at, parts.len());
        let len = count(&shape)?;
        let (outer, inner): (usize, usize) = (
            shape[..at].iter().product(),
            shape[at + 1..].iter().product(),
        );
        let mut data = Data::zeros(first.ty(), len);
        for (round, part) in parts.iter().enumerate() {
            for row in 0..outer {
                data.paste(
                    (row * parts.len() + round) * inner,
                    &part.data,
                    row * inner,
                    inner,
                );
            }
        }
        Ok(Arc::new(Tensor::new(shape, data)?))
    }
}

fn loops(decl: &Decl<'_>) -> Result<Option<Op>> {
    let given = decl.proto.input.len();
    decl.operands(2.min(given), usize::MAX)?;
    let body = decl.graph("body")?;
    let carried = given.saturating_sub(2);
    let collected = (body.graph.outputs.len()).checked_sub(1 + carried);
    let Some(collected) = collected.filter(|_| body.graph.inputs == carried + 2) else {
        return fault("its body takes or gives another number of values than it carries");
    };
    op(move |x: &mut Inputs, context: &mut Context| {
        let rounds = x
            .opt(0)
            .map(Tensor::scalar_int)
            .transpose()?
            .unwrap_or(i64::MAX);
        let mut going = x.opt(1).map(truth).transpose()?.unwrap_or(true);
        let mut state: Vec<Value> = (0..carried)
            .map(|at| x.value(2 + at))
            .collect::<Result<_>>()?;
        let mut stacks: Vec<Stack> = (0..collected)
            .map(|_| Stack { parts: Vec::new() })
            .collect();
        let mut round = 0;
        while going && round < rounds {
            let mut own: Vec<Value> = vec![
                Arc::new(Tensor::i64(Vec::new(), vec![round])),
                Arc::new(Tensor::bools(Vec::new(), vec![going])),
            ];
            own.append(&mut state);
            context.spend(1)?;
            let mut results = body.run(own, x, context)?.into_iter();
            going = truth(&*results.next().ok_or("its body gives no condition")?)?;
            state = results.by_ref().take(carried).collect();
            for (stack, part) in stacks.iter_mut().zip(results) {
                stack.push(part)?;
            }
            round += 1;
        }
        state
            .into_iter()
            .map(Ok)
            .chain(stacks.into_iter().map(|stack| stack.whole(0, false)))
            .collect()
    })
}

/// A slice of a tensor along an axis, without the axis.
fn slice(x: &Tensor, along: usize, at: usize) -> Result<Tensor> {
    let (outer, length, inner) = x.around(along);
    let starts = (0..outer).map(|row| (row * length + at) * inner);
    let mut shape = x.shape.clone();
    shape.remove(along);
    Tensor::new(shape, x.data.runs(inner, starts))
}

fn scan(decl: &Decl<'_>) -> Result<Option<Op>> {
    let given = decl.proto.input.len();
    decl.operands(1.min(given), usize::MAX)?;
    if decl.version < 9 {
        return fault(
            "it is of version 8, which scans batches; convert the model to version 9 or newer",
        );
    }
    let body: Inner = decl.graph("body")?;
    let scanned = usize::try_from(decl.must_int("num_scan_inputs")?).unwrap_or(usize::MAX);
    let Some(carried) = given
        .checked_sub(scanned)
        .filter(|_| scanned > 0 && body.graph.inputs == given)
    else {
        return fault("its body takes another number of values than it is given");
    };
    let Some(collected) = body.graph.outputs.len().checked_sub(carried) else {
        return fault("its body gives too few values");
    };
    let listed = |name: &str, len: usize| -> Result<Vec<i64>> {
        match decl.ints(name)? {
            None => Ok(vec![0; len]),
            Some(list) if list.len() == len => Ok(list),
            Some(_) => fault(format!(
                "its attribute {name} has another number of values than it scans"
            )),
        }
    };
    let input_axes = listed("scan_input_axes", scanned)?;
    let input_directions = listed("scan_input_directions", scanned)?;
    let output_axes = listed("scan_output_axes", collected)?;
    let output_directions = listed("scan_output_directions", collected)?;
    op(move |x, context| {
        let mut state: Vec<Value> = (0..carried).map(|at| x.value(at)).collect::<Result<_>>()?;
        let sequences: Vec<Value> = (carried..given)
            .map(|at| x.value(at))
            .collect::<Result<_>>()?;
        let axes: Vec<usize> = sequences
            .iter()
            .zip(&input_axes)
            .map(|(s, &a)| axis(a, s.rank()))
            .collect::<Result<_>>()?;
        let lengths: Vec<usize> = sequences
            .iter()
            .zip(&axes)
            .map(|(s, &a)| s.shape[a])
            .collect();
        let rounds = lengths[0];
        if lengths.iter().any(|&length| length != rounds) {
            return fault(format!(
                "it scans sequences of different lengths, {lengths:?}"
            ));
        }
        let mut stacks: Vec<Stack> = (0..collected)
            .map(|_| Stack { parts: Vec::new() })
            .collect();
        for round in 0..rounds {
            context.spend(1)?;
            let mut own = std::mem::take(&mut state);
            for ((sequence, &along), &direction) in
                sequences.iter().zip(&axes).zip(&input_directions)
            {
                let at = if direction == 0 {
                    round
                } else {
                    rounds - 1 - round
                };
                own.push(Arc::new(slice(sequence, along, at)?));
            }
            let mut results = body.run(own, x, context)?.into_iter();
            state = results.by_ref().take(carried).collect();
            for (stack, part) in stacks.iter_mut().zip(results) {
                stack.push(part)?;
            }
        }
        let ends = stacks.into_iter().zip(&output_axes).zip(&output_directions);
        let stacked = ends.map(|((stack, &at), &direction)| stack.whole(at, direction != 0));
        state.into_iter().map(Ok).chain(stacked).collect()
    })
}
