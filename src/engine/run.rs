//! Running a prepared program: step by step, with buffers that are used again.

use std::borrow::Cow;
use std::sync::Mutex;

use super::array::{Array, Data, Elements, Fault, View, count};
use super::buffer_pool::BufferPool;
use super::cost::{self, Cost, Refusal};
use super::dim::Dim;
use super::eval;
use super::op::{Conv, Op};
use super::operand::Operand;
#[cfg(feature = "prepare")]
use super::program::Program;
use super::program::{InputSpec, Prepared, Step};
use super::tensor::Element;

/// What is kept between runs.
#[derive(Default)]
struct Workspace {
    buffers: BufferPool,
    /// The symbols' lengths in the last run, whose cost was within bounds.
    checked: Option<Vec<usize>>,
}

/// A program that is ready, with its buffers.
pub(crate) struct Runner {
    prepared: Prepared,
    workspace: Mutex<Workspace>,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Failure {
    /// With what was given, or what came out.
    Inputs(Fault),
    /// In a step.
    Step(usize, Fault),
    /// It was not begun.
    TooMuch(Cost),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Step(at, fault) => Failure::Step(at, fault),
            Refusal::TooMuch(cost) => Failure::TooMuch(cost),
        }
    }
}

impl Runner {
    pub(crate) fn load(file: Vec<u8>) -> Result<Runner, String> {
        Ok(Runner {
            prepared: Prepared::load(file)?,
            workspace: Mutex::default(),
        })
    }

    /// What it takes for the shortest inputs, where that is too much already.
    pub(crate) fn least(&self) -> Option<Cost> {
        let shortest = vec![1; self.prepared.program.symbols as usize];
        match cost::check(&self.prepared, &shortest) {
            Err(Refusal::TooMuch(cost)) => Some(cost),
            // What does not fit may be made for longer ones.
            _ => None,
        }
    }

    pub(crate) fn inputs(&self) -> &[InputSpec] {
        &self.prepared.program.inputs
    }

    /// What it runs.
    #[cfg(feature = "prepare")]
    pub(crate) fn program(&self) -> &Program {
        &self.prepared.program
    }

    /// Runs it on one array for each input.
    pub(crate) fn run(&self, given: Vec<Array>) -> Result<Array, Failure> {
        self.observed(given, |_, _| {})
    }

    /// The same. `after` is called for each step that is done; for a fused pair once, with the first step and `true`.
    pub(crate) fn observed(
        &self,
        given: Vec<Array>,
        after: impl FnMut(&Op, bool),
    ) -> Result<Array, Failure> {
        // Two runs at once, which only native callers can do, get a workspace each.
        match self.workspace.try_lock() {
            Ok(mut workspace) => self.with(given, &mut workspace, after),
            Err(_) => self.with(given, &mut Workspace::default(), after),
        }
    }

    fn with(
        &self,
        given: Vec<Array>,
        workspace: &mut Workspace,
        mut after: impl FnMut(&Op, bool),
    ) -> Result<Array, Failure> {
        let program = &self.prepared.program;
        let mut symbols = vec![0; program.symbols as usize];
        bind(&program.inputs, &given, &mut symbols).map_err(Failure::Inputs)?;
        if workspace.checked.as_ref() != Some(&symbols) {
            cost::check(&self.prepared, &symbols)?;
            workspace.checked = Some(symbols.clone());
        }
        let buffers = &mut workspace.buffers;
        #[cfg(test)]
        let expected = cost::check(&self.prepared, &symbols)?;
        let mut values: Vec<Option<Array>> = given.into_iter().map(Some).collect();
        values.resize(program.inputs.len() + program.steps.len(), None);
        let mut at = 0;
        while at < program.steps.len() {
            let pair = self.prepared.pairs[at].as_ref();
            let result = match pair {
                Some(wide) => self.pair(at, wide, &values, buffers),
                None => self.step(at, &mut values, &symbols, buffers),
            };
            let done = at..at + 1 + usize::from(pair.is_some());
            let result = result.map_err(|fault| Failure::Step(at, fault))?;
            after(&program.steps[at].op, pair.is_some());
            at = done.end;
            #[cfg(test)]
            assert_eq!(
                result.shape,
                expected[program.inputs.len() + at - 1].shape,
                "{:?}",
                program.steps[at - 1].op
            );
            values[program.inputs.len() + at - 1] = Some(result);
            for &dead in self.prepared.last[done].iter().flatten() {
                if let Some(array) = values[dead as usize].take() {
                    buffers.give(array.data);
                }
            }
        }
        values[program.output as usize]
            .take()
            .ok_or(Failure::Inputs("nothing came out"))
    }

    fn step(
        &self,
        at: usize,
        values: &mut [Option<Array>],
        symbols: &[usize],
        buffers: &mut BufferPool,
    ) -> Result<Array, Fault> {
        let step = &self.prepared.program.steps[at];
        let first = step.of.first().copied();
        let owned = first.and_then(|of| {
            let value = usize::try_from(of).ok()?;
            let dies = self.prepared.last[at].contains(&(value as u32));
            let once = step.of.iter().filter(|&&other| other == of).count() == 1;
            (dies && once && eval::in_place(&step.op)).then(|| values[value].take())?
        });
        let view = |of| self.view(of, values);
        let first = match (owned, first) {
            (Some(array), _) => Operand::Owned(array),
            (None, Some(of)) => Operand::Borrowed(view(of)?),
            (None, None) => Operand::Borrowed(View {
                shape: Cow::Borrowed(&[]),
                data: Elements::I64(&[]),
            }),
        };
        eval::eval(&step.op, first, &self.rest(step, values)?, symbols, buffers)
    }

    /// A step, which is this convolution, and the one after it.
    fn pair(
        &self,
        at: usize,
        wide: &Conv,
        values: &[Option<Array>],
        buffers: &mut BufferPool,
    ) -> Result<Array, Fault> {
        let [first, second] = [at, at + 1].map(|at| &self.prepared.program.steps[at]);
        let Op::Conv(deep) = &second.op else {
            return Err("a pair of other steps");
        };
        let x = first.of.first().ok_or("an operand is missing")?;
        let (rest, after) = (self.rest(first, values)?, self.rest(second, values)?);
        eval::pair(
            [wide, deep],
            &self.view(*x, values)?,
            [&rest, &after],
            buffers,
        )
    }

    /// The operands after the first.
    fn rest<'a>(
        &'a self,
        step: &Step,
        values: &'a [Option<Array>],
    ) -> Result<Vec<View<'a>>, Fault> {
        let rest = step.of.iter().skip(1);
        rest.map(|&of| self.view(of, values)).collect()
    }

    fn view<'a>(&'a self, of: i32, values: &'a [Option<Array>]) -> Result<View<'a>, Fault> {
        match usize::try_from(of) {
            Ok(value) => {
                let array = values.get(value).and_then(Option::as_ref);
                array.map(Array::view).ok_or("an operand is missing")
            }
            Err(_) => self.prepared.weight(of.unsigned_abs() as usize - 1),
        }
    }
}

/// Holds the inputs against what the program takes, and learns the symbols' lengths.
fn bind(inputs: &[InputSpec], given: &[Array], symbols: &mut [usize]) -> Result<(), Fault> {
    if inputs.len() != given.len() {
        return Err("it takes another number of inputs");
    }
    let mut known = vec![false; symbols.len()];
    for (input, array) in inputs.iter().zip(given) {
        let kind = match &array.data {
            Data::F32(_) => input.element == Element::F32,
            Data::I64(_) => input.element != Element::F32,
        };
        if !kind {
            return Err("an input has another element type");
        }
        if input.dims.len() != array.shape.len() || count(&array.shape)? != array.len() {
            return Err("an input has another number of axes");
        }
        for (dim, &length) in input.dims.iter().zip(&array.shape) {
            let wanted = match dim {
                Dim::Symbol(s) if !known[*s as usize] => {
                    known[*s as usize] = true;
                    symbols[*s as usize] = length;
                    length
                }
                dim => dim.length(symbols)?,
            };
            if wanted != length || length == 0 {
                return Err("an input has another length along an axis");
            }
        }
    }
    Ok(())
}
