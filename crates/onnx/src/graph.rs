//! A graph that is ready to run.

use crate::fault::{Fault, Result, fault};
use crate::op::{Context, Inputs, Op, Value};

/// A place for a value while the graph runs.
pub(crate) type Slot = usize;

/// An operand of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    /// Left out.
    None,
    /// A value, and whether nobody reads it afterwards.
    Slot(Slot, bool),
    /// A constant.
    Constant(usize),
}

/// An operator with its operands and results.
pub(crate) struct Node {
    /// How it is called in errors.
    pub label: String,
    pub op: Op,
    pub of: Vec<Operand>,
    /// Where its results go; `None` where nobody reads one.
    pub to: Vec<Option<Slot>>,
}

/// Nodes in order. The first slots are the inputs, then what is captured from around it.
#[derive(Default)]
pub(crate) struct Graph {
    pub inputs: usize,
    pub captures: usize,
    pub slots: usize,
    pub constants: Vec<Value>,
    pub nodes: Vec<Node>,
    pub outputs: Vec<Operand>,
}

impl Graph {
    /// Runs it.
    pub(crate) fn run(
        &self,
        inputs: Vec<Value>,
        captured: Vec<Value>,
        context: &mut Context,
    ) -> Result<Vec<Value>> {
        if inputs.len() != self.inputs || captured.len() != self.captures {
            return fault(format!(
                "it takes {} inputs, and {} were given",
                self.inputs,
                inputs.len()
            ));
        }
        let mut slots: Vec<Option<Value>> = inputs.into_iter().chain(captured).map(Some).collect();
        for value in slots.iter().flatten() {
            context.hold(value)?;
        }
        slots.resize(self.slots, None);
        for node in &self.nodes {
            let of = node
                .of
                .iter()
                .map(|&operand| self.operand(operand, &mut slots, context))
                .collect();
            let results =
                (node.op)(&mut Inputs(of), context).map_err(|why| why.within(&node.label))?;
            context.ran(&node.label, &results);
            let written: usize = results.iter().map(|result| result.len()).sum();
            context
                .spend(1 + written as u64)
                .map_err(|why| why.within(&node.label))?;
            let mut results = results.into_iter();
            for to in &node.to {
                let result = results.next();
                if let Some(slot) = to {
                    let held = result.ok_or_else(|| Fault::from("it gave too few results"));
                    let held = held.and_then(|value| context.hold(&value).map(|()| value));
                    slots[*slot] = Some(held.map_err(|why| why.within(&node.label))?);
                }
            }
        }
        let outputs = self
            .outputs
            .iter()
            .map(|&output| self.operand(output, &mut slots, context));
        outputs
            .map(|output| output.ok_or_else(|| "an output was not computed".into()))
            .collect()
    }

    fn operand(
        &self,
        operand: Operand,
        slots: &mut [Option<Value>],
        context: &mut Context,
    ) -> Option<Value> {
        match operand {
            Operand::None => None,
            Operand::Slot(slot, true) => {
                let last = slots[slot].take();
                last.iter().for_each(|value| context.release(value));
                last
            }
            Operand::Slot(slot, false) => slots[slot].clone(),
            Operand::Constant(at) => Some(self.constants[at].clone()),
        }
    }
}
