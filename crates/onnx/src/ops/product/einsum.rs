//! `Einsum`: products of any axes. Operands meet two at a time, each pair as a batch of matrix products.

use std::collections::BTreeMap;

use smallfirst_kernels::Epilogue;

use super::{Number, Shapes, accumulate, multiply, rows, with_scratch};
use crate::broadcast::Rows;
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, Value, one, op};
use crate::tensor::{Numbers, Tensor, count, strides};

/// A subscript: a letter, or an axis that an ellipsis stands for, counted from the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// Subscripts as they are written, where `None` is an ellipsis.
type Term = Vec<Option<char>>;

struct Equation {
    terms: Vec<Term>,
    result: Option<Term>,
}

impl Equation {
    fn parse(text: &str) -> Result<Equation> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (&text[..], None),
        };
        Ok(Equation {
            terms: left.split(',').map(term).collect::<Result<_>>()?,
            result: right.map(term).transpose()?,
        })
    }
}

fn term(text: &str) -> Result<Term> {
    let mut term = Term::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("...") {
            if term.contains(&None) {
                return fault(format!("the term {text} has two ellipses"));
            }
            term.push(None);
            rest = after;
        } else if first.is_ascii_alphabetic() {
            term.push(Some(first));
            rest = &rest[1..];
        } else {
            return fault(format!("the term {text} is not one of letters"));
        }
    }
    Ok(term)
}

/// The axes of a term of so many.
fn labels(term: &Term, rank: usize) -> Result<Vec<Label>> {
    let letters = term.iter().flatten().count();
    let dots = term.contains(&None);
    if rank < letters || (!dots && rank > letters) {
        return fault(format!(
            "its equation does not fit an operand of {rank} axes"
        ));
    }
    let mut labels = Vec::new();
    for part in term {
        match part {
            Some(letter) => labels.push(Label::Letter(*letter)),
            None => labels.extend((0..rank - letters).rev().map(Label::Ellipsis)),
        }
    }
    Ok(labels)
}

pub(super) fn make(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, usize::MAX)?;
    let Some(text) = decl.text("equation")? else {
        return fault("its attribute equation is missing");
    };
    let equation = Equation::parse(&text)?;
    if equation.terms.len() != decl.given() {
        return fault(format!(
            "its equation {text} is of {} operands, and it has {}",
            equation.terms.len(),
            decl.given()
        ));
    }
    op(move |x, context| run(&equation, &x.all()?, context))
}

fn run(equation: &Equation, operands: &[&Tensor], context: &mut Context) -> Result<Vec<Value>> {
    let ty = operands[0].ty();
    if operands.iter().any(|x| x.ty() != ty) {
        return fault("its operands are of different types");
    }
    let mut lengths: BTreeMap<Label, usize> = BTreeMap::new();
    let mut times: BTreeMap<Label, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for (term, x) in equation.terms.iter().zip(operands) {
        let labels = labels(term, x.rank())?;
        for (&label, &length) in labels.iter().zip(&x.shape) {
            let known = lengths.entry(label).or_insert(length);
            match (*known, length) {
                (a, b) if a == b => {}
                (1, b) => *known = b,
                (_, 1) => {}
                (a, b) => return fault(format!("an axis is of the lengths {a} and {b}")),
            }
            *times.entry(label).or_default() += 1;
        }
        all.push(labels);
    }
    let result: Vec<Label> = match &equation.result {
        Some(term) => {
            let dots = lengths.keys().filter(|l| matches!(l, Label::Ellipsis(_)));
            let dots = if term.contains(&None) {
                dots.count()
            } else {
                0
            };
            labels(term, term.iter().flatten().count() + dots)?
        }
        // What an ellipsis stands for, then the letters that occur once.
        None => {
            let dots = lengths.keys().rev();
            let dots = dots.filter(|l| matches!(l, Label::Ellipsis(_))).copied();
            let letters = lengths
                .keys()
                .filter(|l| matches!(l, Label::Letter(_)) && times[l] == 1)
                .copied();
            dots.chain(letters).collect()
        }
    };
    for (at, label) in result.iter().enumerate() {
        if !lengths.contains_key(label) || result[..at].contains(label) {
            return fault("its result has an axis twice, or one that no operand has");
        }
    }
    macro_rules! contract {
        ($($kind:ident),*) => {
            match operands[0].numbers()? {
                $(Numbers::$kind(_) => {
                    let mut parts = Vec::new();
                    for (x, labels) in operands.iter().zip(&all) {
                        let Numbers::$kind(data) = x.numbers()? else {
                            return fault("its operands are of different types");
                        };
                        parts.push(diagonal(&data, &x.shape, labels, &lengths)?);
                    }
                    let (shape, data) = contract(parts, &result, &lengths, context)?;
                    (shape, Numbers::$kind(data.into()))
                })*
            }
        };
    }
    let (shape, numbers) = contract!(F32, F64, I64, U64);
    one(Tensor::new(shape, numbers.narrow(ty))?)
}

/// An operand: its axes, and its elements in their order. Lengths are as in [`Part::lengths`].
struct Part<T> {
    labels: Vec<Label>,
    lengths: Vec<usize>,
    data: Vec<T>,
}

/// Elements by strides, into a new order.
fn arranged<T: Number>(data: &[T], shape: &[usize], steps: Vec<usize>) -> Result<Vec<T>> {
    let mut out = Vec::with_capacity(count(shape)?);
    let rows = Rows::strided(shape, [steps]);
    let [step] = rows.step;
    rows.each(|_, [start]| match step {
        1 => out.extend_from_slice(&data[start..start + rows.len]),
        _ => out.extend((0..rows.len).map(|i| data[start + i * step])),
    });
    Ok(out)
}

/// An operand whose axes all differ: of those that are the same, what lies where their indices are equal.
fn diagonal<T: Number>(
    data: &[T],
    shape: &[usize],
    labels: &[Label],
    lengths: &BTreeMap<Label, usize>,
) -> Result<Part<T>> {
    let own = strides(shape);
    let mut axes: Vec<(Label, usize, usize)> = Vec::new();
    for ((&label, &length), &step) in labels.iter().zip(shape).zip(&own) {
        // One element is repeated.
        let step = if length == 1 { 0 } else { step };
        match axes.iter_mut().find(|(l, ..)| *l == label) {
            Some((_, known, _)) if *known != length => {
                return fault(format!("an axis is of the lengths {known} and {length}"));
            }
            Some((.., steps)) => *steps += step,
            None => axes.push((label, length, step)),
        }
    }
    debug_assert!(axes.iter().all(|(l, n, _)| *n == 1 || *n == lengths[l]));
    let lengths: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
    Ok(Part {
        data: match axes.len() == labels.len() {
            true => data.to_vec(),
            false => arranged(data, &lengths, axes.iter().map(|axis| axis.2).collect())?,
        },
        labels: axes.iter().map(|axis| axis.0).collect(),
        lengths,
    })
}

impl<T: Number> Part<T> {
    fn length(&self, label: Label) -> Option<usize> {
        let at = self.labels.iter().position(|&l| l == label)?;
        Some(self.lengths[at])
    }

    /// The elements with these axes, in this order and of these lengths; of an axis that is as long as 1, one is repeated.
    fn with(&self, labels: &[Label], shape: &[usize]) -> Result<Vec<T>> {
        let own = strides(&self.lengths);
        let steps = labels
            .iter()
            .map(|label| match self.labels.iter().position(|l| l == label) {
                Some(at) if self.lengths[at] != 1 => own[at],
                _ => 0,
            })
            .collect();
        if self.labels == labels && self.lengths == shape {
            return Ok(self.data.clone());
        }
        arranged(&self.data, shape, steps)
    }

    /// Summed along the axes that are not among these.
    fn summed(self, kept: &[Label], context: &mut Context) -> Result<Part<T>> {
        if self.labels.iter().all(|l| kept.contains(l)) {
            return Ok(self);
        }
        let (mut labels, rest): (Vec<Label>, Vec<Label>) =
            self.labels.iter().partition(|l| kept.contains(l));
        let lengths: Vec<usize> = labels.iter().filter_map(|&l| self.length(l)).collect();
        let kept = labels.len();
        labels.extend(rest);
        let shape: Vec<usize> = labels.iter().filter_map(|&l| self.length(l)).collect();
        let each = shape[kept..].iter().product::<usize>();
        context.spend(self.data.len() as u64)?;
        let data = self.with(&labels, &shape)?;
        labels.truncate(kept);
        let data = match each {
            0 => vec![T::ZERO; count(&lengths)?],
            _ => data
                .chunks_exact(each)
                .map(|row| row.iter().fold(T::ZERO, |sum, &x| sum.add(x)))
                .collect(),
        };
        Ok(Part {
            labels,
            lengths,
            data,
        })
    }
}

/// What products of two matrices are made with.
trait Multiply: Number {
    /// `a` of `m` by `k` times `b` of `k` by `n`, into `out`, which is all zeros.
    fn multiply(shape: [usize; 3], a: &[Self], b: &[Self], out: &mut [Self]) {
        let [_, k, n] = shape;
        accumulate(shape, (a, [k, 1]), (b, [n, 1]), out);
    }
}

impl Multiply for f32 {
    fn multiply(shape: [usize; 3], a: &[f32], b: &[f32], out: &mut [f32]) {
        let [_, k, n] = shape;
        with_scratch(|scratch| {
            let (a, b) = (rows(a, k), rows(b, n));
            multiply(shape, &a, &b, out, &Epilogue::default(), scratch);
        });
    }
}
impl Multiply for f64 {}
impl Multiply for i64 {}
impl Multiply for u64 {}

fn contract<T: Multiply>(
    parts: Vec<Part<T>>,
    result: &[Label],
    lengths: &BTreeMap<Label, usize>,
    context: &mut Context,
) -> Result<(Vec<usize>, Vec<T>)> {
    let mut rest = parts.into_iter().collect::<std::collections::VecDeque<_>>();
    let Some(mut joined) = rest.pop_front() else {
        return fault("it has no operands");
    };
    while let Some(next) = rest.pop_front() {
        let later: Vec<Label> = result
            .iter()
            .chain(rest.iter().flat_map(|part| &part.labels))
            .copied()
            .collect();
        joined = pair(joined, next, &later, context)?;
    }
    let joined = joined.summed(result, context)?;
    let shape: Vec<usize> = result.iter().map(|label| lengths[label]).collect();
    count(&shape)?;
    let data = joined.with(result, &shape)?;
    Ok((shape, data))
}

/// The product of two operands, summed along the axes that nobody asks for later.
fn pair<T: Multiply>(
    a: Part<T>,
    b: Part<T>,
    later: &[Label],
    context: &mut Context,
) -> Result<Part<T>> {
    // What only one has and nobody asks for is summed before.
    let kept = |other: &Part<T>| -> Vec<Label> { [later, &other.labels].concat() };
    let (keep_a, keep_b) = (kept(&b), kept(&a));
    let (a, b) = (a.summed(&keep_a, context)?, b.summed(&keep_b, context)?);
    let both = |label: &Label| b.labels.contains(label);
    let (batch, inner): (Vec<Label>, Vec<Label>) = a
        .labels
        .iter()
        .filter(|l| both(l))
        .partition(|l| later.contains(l));
    let only_a: Vec<Label> = a.labels.iter().filter(|l| !both(l)).copied().collect();
    let only_b: Vec<Label> = b
        .labels
        .iter()
        .filter(|l| !a.labels.contains(l))
        .copied()
        .collect();
    let length = |label: &Label| match (a.length(*label), b.length(*label)) {
        // One element is repeated as often as the other operand has some.
        (Some(1), Some(n)) | (Some(n), _) | (None, Some(n)) => n,
        (None, None) => 1,
    };
    let shape = |labels: &[Label]| labels.iter().map(length).collect::<Vec<usize>>();
    let (batches, m) = (count(&shape(&batch))?, count(&shape(&only_a))?);
    let (k, n) = (count(&shape(&inner))?, count(&shape(&only_b))?);
    let order_a = [&batch[..], &only_a, &inner].concat();
    let order_b = [&batch[..], &inner, &only_b].concat();
    let (shape_a, shape_b) = (shape(&order_a), shape(&order_b));
    count(&shape_a)?;
    count(&shape_b)?;
    let labels = [&batch[..], &only_a, &only_b].concat();
    let lengths = shape(&labels);
    let len = count(&lengths)?;
    context.spend((len as u64).saturating_mul(k as u64))?;
    let (x, y) = (a.with(&order_a, &shape_a)?, b.with(&order_b, &shape_b)?);
    let mut data = vec![T::ZERO; len];
    if len > 0 && k > 0 {
        for i in 0..batches {
            T::multiply(
                [m, k, n],
                &x[Shapes::part(i, m * k)],
                &y[Shapes::part(i, k * n)],
                &mut data[Shapes::part(i, m * n)],
            );
        }
    }
    Ok(Part {
        labels,
        lengths,
        data,
    })
}
