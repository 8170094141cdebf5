//! What a model would take that tract runs, as far as its shapes are known: tract says what each operator computes, the
//! shapes say what it holds. A scan's body counts as often as it is run. What has a length that only a run tells counts
//! nothing.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::Cost as Kind;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::scan::{Scan, iteration_count};
use tract_onnx::tract_core::tract_data::TooEarly;

use crate::engine::cost::{Cost, MOVE};

/// What the operators of a model take, in their order.
pub(super) struct Terms(Vec<Term>);

/// One operator.
struct Term {
    /// The shapes of its results, and the bytes of their elements.
    results: Vec<(TVec<TDim>, u64)>,
    /// Multiply-adds.
    work: Vec<TDim>,
    /// How often each loop around it is run.
    times: Vec<TDim>,
    /// The operators whose results nobody needs after it.
    dead: Vec<usize>,
}

impl Terms {
    /// Of a model that was not optimised yet: that knows more shapes.
    pub(super) fn of(model: &TypedModel) -> TractResult<Terms> {
        let mut terms = Vec::new();
        collect(model, &[], &mut terms)?;
        Ok(Terms(terms))
    }

    /// What they take together, where the symbols have these values.
    pub(super) fn cost(&self, symbols: &SymbolValues) -> Cost {
        let mut cost = Cost::default();
        let mut held = 0u64;
        let sizes: Vec<(u64, u64)> = self.0.iter().map(|term| term.size(symbols)).collect();
        for (at, term) in self.0.iter().enumerate() {
            let (elements, bytes) = sizes[at];
            let computed = term.work.iter().map(|dim| value(dim, symbols).unwrap_or(0));
            let once = computed.fold(elements.saturating_mul(MOVE), u64::saturating_add);
            let times = term.times.iter().filter_map(|dim| value(dim, symbols));
            let work = times.fold(once, u64::saturating_mul);
            cost.work = cost.work.saturating_add(work);
            cost.bytes = cost.bytes.max(held.saturating_add(bytes));
            // What a loop's body makes is gone with it.
            if term.times.is_empty() {
                held = held.saturating_add(bytes);
            }
            for &dead in &term.dead {
                held = held.saturating_sub(sizes[dead].1);
            }
        }
        cost
    }
}

impl Term {
    /// Elements and bytes of its results.
    fn size(&self, symbols: &SymbolValues) -> (u64, u64) {
        let mut size = (0u64, 0u64);
        for (shape, bytes) in &self.results {
            let mut dims = shape.iter().map(|dim| value(dim, symbols));
            let volume = dims.try_fold(1u64, |n, len| Some(n.saturating_mul(len?)));
            let volume = volume.unwrap_or(0);
            size.0 = size.0.saturating_add(volume);
            size.1 = size.1.saturating_add(volume.saturating_mul(*bytes));
        }
        size
    }
}

/// A length; the largest number where it overflows, nothing where a run has to tell it.
fn value(dim: &TDim, symbols: &SymbolValues) -> Option<u64> {
    match dim.eval_to_i64(symbols) {
        Ok(value) => Some(u64::try_from(value).unwrap_or(0)),
        Err(e) if e.downcast_ref::<TooEarly>().is_some() => None,
        Err(_) => Some(u64::MAX),
    }
}

fn collect(model: &TypedModel, times: &[TDim], terms: &mut Vec<Term>) -> TractResult<()> {
    let order = model.eval_order()?;
    let first = terms.len();
    // The term of each node, and the last term that needs it.
    let mut place = vec![None; model.nodes.len()];
    let mut last = vec![None; model.nodes.len()];
    for id in order {
        let node = model.node(id);
        for input in &node.inputs {
            last[input.node] = Some(terms.len());
        }
        place[id] = Some(terms.len());
        let facts = model.node_input_facts(id)?;
        // What is constant is in memory already.
        let constant = node.op_is::<Const>();
        let results = node.outputs.iter().filter(|_| !constant).map(|output| {
            let bytes = output.fact.datum_type.size_of() as u64;
            (output.fact.shape.dims().iter().cloned().collect(), bytes)
        });
        let computed = node.op.cost(&facts)?.into_iter();
        let computed = computed.filter(|(kind, _)| matches!(kind, Kind::FMA(_) | Kind::Div(_)));
        terms.push(Term {
            results: results.collect(),
            work: computed.map(|(_, dim)| dim).collect(),
            times: times.to_vec(),
            dead: Vec::new(),
        });
        if let Some(scan) = node.op_as::<Scan>() {
            let mut times = times.to_vec();
            times.push(iteration_count(&scan.input_mapping, &facts).unwrap_or_else(|| 1.to_dim()));
            collect(&scan.body, &times, terms)?;
        }
    }
    if times.is_empty() {
        for output in &model.outputs {
            last[output.node] = None;
        }
        for (place, last) in place.into_iter().zip(last) {
            if let (Some(place), Some(last)) = (place, last)
                && place >= first
            {
                terms[last].dead.push(place);
            }
        }
    }
    Ok(())
}
