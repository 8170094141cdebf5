//! Weights that a file has in 8 bits and widens by nodes of its own: they stay in 8 bits, a fourth of what they would be, until a
//! product or a row of a table needs them.

use super::{Match, Nodes, plain};
use crate::ops::EIGHT_BITS;
use crate::proto::{AttributeProto, NodeProto, TensorProto};

/// 8-bit integers with a sign.
const INT8: i32 = 3;

/// A matrix of 8-bit integers and what multiplies it, by the nodes that do.
struct Widened<'n> {
    gone: Vec<usize>,
    integers: &'n str,
    scales: &'n str,
    /// Of the matrix and of the scales.
    dims: (&'n [i64], &'n [i64]),
}

impl<'n> Widened<'n> {
    fn of(nodes: &Nodes<'n, '_>, name: &str) -> Option<Widened<'n>> {
        let integers = |name: &'n str| -> Option<&'n TensorProto> {
            let weight = *nodes.weights.get(name)?;
            (weight.data_type == INT8 && weight.dims.len() == 2).then_some(weight)
        };
        let scales = |name: &'n str| {
            let weight = *nodes.weights.get(name)?;
            (weight.data_type == 1).then_some(weight)
        };
        if let Some((mul_at, mul)) = nodes.maker(name, "Mul", 1) {
            let [a, b] = &mul.input[..] else { return None };
            let (cast_at, cast) = nodes.maker(a, "Cast", 1)?;
            let to = cast.attribute.iter().find(|a| a.name == "to")?;
            let own = cast.input.first()?;
            return (to.i == 1).then_some(Widened {
                gone: vec![mul_at, cast_at],
                integers: own,
                scales: b,
                dims: (&integers(own)?.dims, &scales(b)?.dims),
            });
        }
        let (at, node) = nodes.maker(name, "DequantizeLinear", 1)?;
        let [own, scale, zero @ ..] = &node.input[..] else {
            return None;
        };
        // With a zero point they would need more than 8 bits.
        let none = |zero: &String| {
            let zero = nodes.weight(zero)?;
            Some(zero.ints().ok()?.iter().all(|&zero| zero == 0))
        };
        let dims = (&integers(own)?.dims[..], &scales(scale)?.dims[..]);
        let axis = node.attribute.iter().find(|a| a.name == "axis");
        let columns = matches!(axis.map_or(1, |a| a.i), 1 | -1);
        let other = |a: &AttributeProto| a.name != "axis";
        let fits = zero.iter().all(|zero| none(zero) == Some(true))
            && !node.attribute.iter().any(other)
            && (columns || dims.1.is_empty());
        fits.then_some(Widened {
            gone: vec![at],
            integers: own,
            scales: scale,
            dims,
        })
    }
}

/// A product with such a matrix, that has one scale or one for each column.
pub(super) fn product(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.node(at, "MatMul")?;
    let [x, w] = &last.input[..] else { return None };
    let found = Widened::of(nodes, w)?;
    let columns = found.dims.0[1];
    let fits = match found.dims.1 {
        [] | [1] | [1, 1] => true,
        &[n] | &[1, n] => n == columns,
        _ => false,
    };
    let input = vec![x.clone(), found.integers.into(), found.scales.into()];
    fits.then(|| Match {
        at,
        gone: found.gone,
        nodes: vec![(plain(EIGHT_BITS, input, &last.output[0], &last.name), None)],
    })
}

/// Rows of such a matrix, that has a scale for each: only those that are asked for are widened.
pub(super) fn rows(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.node(at, "Gather")?;
    let [table, places] = &last.input[..] else {
        return None;
    };
    let first = |a: &AttributeProto| a.name == "axis" && a.i == 0;
    let found = Widened::of(nodes, table)?;
    if !last.attribute.iter().all(first) || found.dims.1 != [found.dims.0[0], 1] {
        return None;
    }
    let output = &last.output[0];
    let [integers, scales, wide] =
        ["integers", "scales", "widened"].map(|of| format!("{of} of {output}"));
    let gather =
        |from: &str, to: &str| plain("Gather", vec![from.into(), places.clone()], to, &last.name);
    let mut cast = plain("Cast", vec![integers.clone()], &wide, &last.name);
    cast.attribute.push(AttributeProto {
        name: "to".into(),
        r#type: 2,
        i: 1,
        ..AttributeProto::default()
    });
    let made: Vec<NodeProto> = vec![
        gather(found.integers, &integers),
        gather(found.scales, &scales),
        cast,
        plain("Mul", vec![wide, scales], output, &last.name),
    ];
    Some(Match {
        at,
        gone: found.gone,
        nodes: made.into_iter().map(|node| (node, None)).collect(),
    })
}
