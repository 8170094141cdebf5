//! What follows a convolution, in it: fixed factors and addends of its channels in its weights and bias, and its activation.

use super::{ACTIVATION, BOUNDS, Match, Nodes, plain};
use crate::proto::{AttributeProto, NodeProto, TensorProto};
use crate::tensor::{Data, Tensor};

/// A convolution whose weights are known, before another node.
struct Before<'n> {
    at: usize,
    node: &'n NodeProto,
    /// As the file has them.
    weight: &'n TensorProto,
    /// The result's channels.
    made: usize,
    spatial: usize,
}

impl<'n> Before<'n> {
    fn of(nodes: &Nodes<'n, '_>, name: &str) -> Option<Before<'n>> {
        let (at, node) = ["Conv", "ConvTranspose"]
            .iter()
            .find_map(|op| nodes.maker(name, op, 1))?;
        if node.attribute.iter().any(|a| a.name == ACTIVATION) {
            return None;
        }
        let weight: &TensorProto = nodes.weights.get(node.input.get(1)?.as_str())?;
        let group = node.attribute.iter().find(|a| a.name == "group");
        let made = match node.op_type.as_str() {
            "Conv" => *weight.dims.first()?,
            _ => weight.dims.get(1)?.checked_mul(group.map_or(1, |a| a.i))?,
        };
        Some(Before {
            at,
            node,
            weight,
            made: usize::try_from(made).ok().filter(|&made| made > 0)?,
            spatial: weight.dims.len().checked_sub(2).filter(|&n| n > 0)?,
        })
    }

    /// A constant as one number for each channel, where its shape is such that it adds no axis to the result.
    fn per_channel(&self, nodes: &Nodes<'_, '_>, name: &str) -> Option<Vec<f32>> {
        let dims = &nodes.weights.get(name)?.dims;
        let one = dims.iter().all(|&d| d == 1) && dims.len() <= self.spatial + 2;
        let (before, channels) = match dims.len().checked_sub(self.spatial) {
            Some(1) => (1, dims[0]),
            Some(2) => (dims[0], dims[1]),
            _ if one => (1, 1),
            _ => return None,
        };
        let flat = dims.iter().rev().take(self.spatial).all(|&d| d == 1);
        if !one && (before != 1 || channels != self.made as i64 || !flat) {
            return None;
        }
        let values = nodes.weight(name)?.f32s().ok()?.to_vec();
        Some(match values[..] {
            [value] => vec![value; self.made],
            _ => values,
        })
    }

    /// The weights, with the channels' factors in them.
    fn scaled(&self, nodes: &Nodes<'_, '_>, factors: &[f32]) -> Option<Tensor> {
        let mut weight = nodes.weight(&self.node.input[1])?;
        let first = *weight.shape.first()?;
        let Data::F32(values) = &mut weight.data else {
            return None;
        };
        let each = (values.len() / first.max(1)).max(1);
        if self.node.op_type == "Conv" {
            for (values, factor) in values.chunks_exact_mut(each).zip(factors) {
                values.iter_mut().for_each(|v| *v *= factor);
            }
            return Some(weight);
        }
        // Of each of the image's channels, those of the result that it makes.
        let made = weight.shape[1];
        let taps = (each / made.max(1)).max(1);
        let groups = self.made / made.max(1);
        for (i, values) in values.chunks_exact_mut(each).enumerate() {
            let factors = &factors[i * groups / first * made..][..made];
            for (values, factor) in values.chunks_exact_mut(taps).zip(factors) {
                values.iter_mut().for_each(|v| *v *= factor);
            }
        }
        Some(weight)
    }
}

/// Batch normalisation by fixed numbers, or a number that each channel is added to, or multiplied by.
pub(super) fn affine(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.items[at].node.as_ref();
    nodes.node(at, &last.op_type)?;
    let (conv, factors, shifts) = match last.op_type.as_str() {
        "BatchNormalization" => batch_norm(nodes, last)?,
        "Add" | "Sub" | "Mul" | "Div" => {
            let [a, b] = &last.input[..] else { return None };
            let (conv, by) = match Before::of(nodes, a) {
                Some(conv) => (conv, b),
                // The others are not the same the other way round.
                None if matches!(last.op_type.as_str(), "Add" | "Mul") => {
                    (Before::of(nodes, b)?, a)
                }
                None => return None,
            };
            let by = conv.per_channel(nodes, by)?;
            match last.op_type.as_str() {
                "Add" => (conv, None, Some(by)),
                "Sub" => (conv, None, Some(by.iter().map(|x| -x).collect())),
                "Mul" => (conv, Some(by), None),
                _ => (conv, Some(by.iter().map(|x| 1.0 / x).collect()), None),
            }
        }
        _ => return None,
    };
    if conv.weight.data_type != 1 {
        return None;
    }
    let bias = match conv.node.input.get(2).filter(|name| !name.is_empty()) {
        Some(name) => Some(nodes.weight(name)?.f32s().ok()?.to_vec()),
        None => None,
    };
    if bias.as_ref().is_some_and(|bias| bias.len() != conv.made) {
        return None;
    }
    let output = &last.output[0];
    let [weight_name, bias_name] = ["weights", "bias"].map(|of| format!("{of} of {output}"));
    let mut node = conv.node.clone();
    node.output = vec![output.clone()];
    let mut made = Vec::new();
    if let Some(factors) = &factors {
        made.push((constant(&weight_name, &conv.scaled(nodes, factors)?), None));
        node.input[1] = weight_name;
    }
    if bias.is_some() || shifts.is_some() {
        let moved = (0..conv.made).map(|c| {
            let own = bias.as_ref().map_or(0.0, |bias| bias[c]);
            let factor = factors.as_ref().map_or(1.0, |factors| factors[c]);
            own * factor + shifts.as_ref().map_or(0.0, |shifts| shifts[c])
        });
        let moved = Tensor::f32(vec![conv.made], moved.collect());
        made.push((constant(&bias_name, &moved), None));
        node.input.truncate(2);
        node.input.push(bias_name);
    }
    made.push((node, None));
    Some(Match {
        at,
        gone: vec![conv.at],
        nodes: made,
    })
}

type Affine<'n> = (Before<'n>, Option<Vec<f32>>, Option<Vec<f32>>);

/// A batch normalisation as factors and addends.
fn batch_norm<'n>(nodes: &Nodes<'n, '_>, last: &NodeProto) -> Option<Affine<'n>> {
    let attribute = |name: &str| last.attribute.iter().find(|a| a.name == name);
    if attribute("training_mode").is_some_and(|a| a.i != 0)
        || attribute("spatial").is_some_and(|a| a.i != 1)
    {
        return None;
    }
    let conv = Before::of(nodes, last.input.first()?)?;
    let floats = |name: Option<&String>| nodes.weight(name?)?.f32s().ok().map(<[f32]>::to_vec);
    let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|at| floats(last.input.get(at)));
    let (scale, shift, mean, variance) = (scale?, shift?, mean?, variance?);
    let epsilon = attribute("epsilon").map_or(1e-5, |a| a.f);
    let all = [&scale, &shift, &mean, &variance];
    if all.iter().any(|v| v.len() != conv.made) {
        return None;
    }
    let factors = scale.iter().zip(&variance);
    let factors: Vec<f32> = factors.map(|(s, v)| s / (v + epsilon).sqrt()).collect();
    let moved = (0..conv.made).map(|c| shift[c] - mean[c] * factors[c]);
    let moved = moved.collect();
    Some((conv, Some(factors), Some(moved)))
}

/// A constant of floats.
fn constant(name: &str, tensor: &Tensor) -> NodeProto {
    let bytes = tensor.f32s().unwrap_or_default().iter();
    let bytes: Vec<u8> = bytes.flat_map(|v| v.to_le_bytes()).collect();
    let mut node = plain("Constant", Vec::new(), name, name);
    node.attribute.push(AttributeProto {
        name: "value".into(),
        r#type: 4,
        t: Some(TensorProto {
            dims: tensor.shape.iter().map(|&d| d as i64).collect(),
            data_type: 1,
            raw_data: bytes.into(),
            ..TensorProto::default()
        }),
        ..AttributeProto::default()
    });
    node
}

/// The activation after a convolution.
pub(super) fn activation(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.items[at].node.as_ref();
    let bare = last.attribute.is_empty();
    let bounds = match last.op_type.as_str() {
        "Relu" | "HardSwish" | "Sigmoid" | "Tanh" | "Swish" | "Gelu"
            if bare && last.input.len() == 1 =>
        {
            Vec::new()
        }
        "Clip" => nodes.bounds(at)?,
        _ => return None,
    };
    nodes.node(at, &last.op_type)?;
    let (conv_at, conv) = nodes.maker(last.input.first()?, "Conv", 1)?;
    // Of other types the kernels have none.
    let float = conv
        .input
        .get(1)
        .and_then(|name| nodes.weights.get(name.as_str()));
    if conv.attribute.iter().any(|a| a.name == ACTIVATION) || float.is_none_or(|t| t.data_type != 1)
    {
        return None;
    }
    let mut node = conv.clone();
    node.output = vec![last.output[0].clone()];
    node.attribute.push(AttributeProto {
        name: ACTIVATION.into(),
        r#type: 3,
        s: last.op_type.clone().into_bytes().into(),
        ..AttributeProto::default()
    });
    if !bounds.is_empty() {
        node.attribute.push(AttributeProto {
            name: BOUNDS.into(),
            r#type: 6,
            floats: bounds,
            ..AttributeProto::default()
        });
    }
    Some(Match {
        at,
        gone: vec![conv_at],
        nodes: vec![(node, None)],
    })
}
