//! Products of integers that become floats at once, in onnxruntime's operator for that: what its quantiser writes is a
//! `DynamicQuantizeLinear`, a `MatMulInteger`, a `Cast`, and a product with both scales.

use super::{Match, Nodes, plain};
use crate::proto::NodeProto;

const DOMAIN: &str = "com.microsoft";
const NAME: &str = "MatMulIntegerToFloat";

/// A product of integers that is widened and scaled.
pub(super) fn scaled(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.node(at, "Mul")?;
    let [a, b] = &last.input[..] else { return None };
    let (cast_at, cast, scales) = [(a, b), (b, a)].into_iter().find_map(|(cast, scales)| {
        let (at, cast) = nodes.maker(cast, "Cast", 1)?;
        Some((at, cast, scales))
    })?;
    let to = cast.attribute.iter().find(|a| a.name == "to")?;
    let (product_at, product) = nodes.maker(cast.input.first()?, "MatMulInteger", 1)?;
    let (scale_at, scale) = nodes.maker(scales, "Mul", 1)?;
    // The left operand's zero point and scale are those that it was quantised with just now.
    let [left, right, zero, right_zero @ ..] = &product.input[..] else {
        return None;
    };
    let quantise = nodes.items[*nodes.made.get(left.as_str())?].node.as_ref();
    let quantised = quantise.op_type == "DynamicQuantizeLinear"
        && quantise.output.first() == Some(left)
        && quantise.output.get(2) == Some(zero);
    let own = quantise.output.get(1)?;
    let [a, b] = &scale.input[..] else {
        return None;
    };
    let (_, right_scale) = [(a, b), (b, a)].into_iter().find(|(a, _)| *a == own)?;
    let weight = nodes.weights.get(right.as_str())?;
    let scale_weight = nodes.weights.get(right_scale.as_str())?;
    let columns = |dims: &[i64]| matches!(dims, [] | [1]) || dims == &weight.dims[1..];
    let fits = to.i == 1
        && quantised
        && weight.dims.len() == 2
        && scale_weight.data_type == 1
        && columns(&scale_weight.dims)
        && right_zero.iter().all(|zero| {
            zero.is_empty()
                || nodes
                    .weights
                    .get(zero.as_str())
                    .is_some_and(|zero| columns(&zero.dims))
        });
    let mut input = vec![
        left.clone(),
        right.clone(),
        own.clone(),
        right_scale.clone(),
        zero.clone(),
    ];
    input.extend(right_zero.iter().cloned());
    let node = NodeProto {
        domain: DOMAIN.into(),
        ..plain(NAME, input, &last.output[0], &last.name)
    };
    fits.then(|| Match {
        at,
        gone: vec![cast_at, product_at, scale_at],
        nodes: vec![(node, Some(1))],
    })
}

/// The same, with an addend for each column.
pub(super) fn biased(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.node(at, "Add")?;
    let [a, b] = &last.input[..] else { return None };
    let (product_at, bias) = [(a, b), (b, a)].into_iter().find_map(|(product, bias)| {
        let at = *nodes.made.get(product.as_str())?;
        let read = nodes.read.get(product.as_str()) == Some(&1);
        let node = nodes.items[at].node.as_ref();
        let fits = node.op_type == NAME && node.domain == DOMAIN && node.input.len() < 7;
        (read && fits).then_some((at, bias))
    })?;
    let mut node = nodes.items[product_at].node.as_ref().clone();
    let columns = *nodes.weights.get(node.input[1].as_str())?.dims.get(1)?;
    let addends = nodes.weights.get(bias.as_str())?;
    if addends.data_type != 1 || addends.dims != [columns] {
        return None;
    }
    node.input.resize(6, String::new());
    node.input.push(bias.clone());
    node.output = vec![last.output[0].clone()];
    Some(Match {
        at,
        gone: vec![product_at],
        nodes: vec![(node, Some(1))],
    })
}
