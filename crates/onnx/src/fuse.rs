//! Several nodes made into one, where a kernel does them at once: normalisations and activations that exporters write in parts, and
//! what follows a convolution (`conv`). Weights of 8 bits that stay so
//! (`weights`), and what follows products of integers (`integer`).

mod conv;
mod integer;
mod weights;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::items::{Item, Versions, captured, reads};
use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};
use crate::tensor::Tensor;

/// The attribute of a convolution that says which activation follows it. Clamping has its bounds in a second one.
pub(crate) const ACTIVATION: &str = "followed by";
pub(crate) const BOUNDS: &str = "followed by bounds";

/// Nodes that become one.
struct Match {
    /// Where the result is, last of all.
    at: usize,
    /// The others.
    gone: Vec<usize>,
    /// What comes there, and before it.
    nodes: Vec<(NodeProto, Option<i64>)>,
}

/// The nodes of a graph, with what is known of its names.
struct Nodes<'n, 'a> {
    items: &'n [Item<'a>],
    made: HashMap<&'n str, usize>,
    read: HashMap<String, usize>,
    weights: HashMap<&'n str, &'n TensorProto>,
}

/// The nodes with those fused that can be.
pub(crate) fn fuse<'a>(items: Vec<Item<'a>>, proto: &GraphProto) -> Vec<Item<'a>> {
    let mut items = direct(items, proto);
    // What one makes may be a part of the next.
    for rule in [
        gelu,
        layer_norm,
        rms_norm,
        hard_swish,
        silu,
        conv::affine,
        conv::activation,
        weights::product,
        weights::rows,
        integer::scaled,
        integer::biased,
    ] {
        // What follows a convolution may be followed by more.
        loop {
            let matches = Nodes::of(&items, proto).all(rule);
            if matches.is_empty() {
                break;
            }
            items = applied(items, matches);
        }
    }
    items
}

/// The nodes without those that hand on what they are given: whoever reads the result reads the operand instead. What the graph
/// gives keeps its name, and so does what graphs inside of nodes read.
fn direct<'a>(items: Vec<Item<'a>>, proto: &GraphProto) -> Vec<Item<'a>> {
    let is = |item: &Item<'_>| {
        let node = item.node.as_ref();
        node.op_type == "Identity"
            && matches!(node.domain.as_str(), "" | "ai.onnx")
            && node.attribute.is_empty()
            && node.input.len() == 1
            && node.output.len() == 1
    };
    if !items.iter().any(is) {
        return items;
    }
    let mut kept: HashSet<String> = proto.output.iter().map(|o| o.name.clone()).collect();
    items
        .iter()
        .for_each(|item| kept.extend(captured(&item.node)));
    let mut names: HashMap<String, String> = HashMap::new();
    let mut left = Vec::with_capacity(items.len());
    for mut item in items {
        let renamed = |name: &String| names.get(name).cloned();
        if item.node.input.iter().any(|name| names.contains_key(name)) {
            for name in &mut item.node.to_mut().input {
                if let Some(other) = renamed(name) {
                    *name = other;
                }
            }
        }
        if is(&item) && !kept.contains(&item.node.output[0]) {
            names.insert(item.node.output[0].clone(), item.node.input[0].clone());
        } else {
            left.push(item);
        }
    }
    left
}

fn applied(items: Vec<Item<'_>>, matches: Vec<Match>) -> Vec<Item<'_>> {
    let gone: HashSet<usize> = matches
        .iter()
        .flat_map(|m| m.gone.iter().copied())
        .collect();
    let mut matches: HashMap<usize, Match> = matches.into_iter().map(|m| (m.at, m)).collect();
    let mut kept = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        if let Some(found) = matches.remove(&at) {
            for (node, version) in found.nodes {
                let versions = match version {
                    Some(version) => Rc::new(Versions::from([(node.domain.clone(), version)])),
                    None => item.versions.clone(),
                };
                kept.push(Item {
                    node: Cow::Owned(node),
                    versions,
                });
            }
        } else if !gone.contains(&at) {
            kept.push(item);
        }
    }
    kept
}

impl<'n, 'a> Nodes<'n, 'a> {
    fn of(items: &'n [Item<'a>], proto: &'n GraphProto) -> Self {
        let mut read: HashMap<String, usize> = HashMap::new();
        for item in items {
            reads(&item.node, &mut |name| {
                *read.entry(name.to_owned()).or_default() += 1
            });
        }
        // An output is never only a part.
        for output in &proto.output {
            *read.entry(output.name.clone()).or_default() += 2;
        }
        let mut made = HashMap::new();
        let mut weights: HashMap<&str, &TensorProto> = proto
            .initializer
            .iter()
            .map(|t| (t.name.as_str(), t))
            .collect();
        for (at, item) in items.iter().enumerate() {
            for name in item.node.output.iter().filter(|name| !name.is_empty()) {
                made.insert(name.as_str(), at);
            }
            if item.node.op_type == "Constant"
                && let [attribute] = &item.node.attribute[..]
                && let (Some(value), [output]) = (&attribute.t, &item.node.output[..])
            {
                weights.insert(output, value);
            }
        }
        Nodes {
            items,
            made,
            read,
            weights,
        }
    }

    /// Matches that have no node in common.
    fn all(&self, rule: fn(&Self, usize) -> Option<Match>) -> Vec<Match> {
        let mut taken = HashSet::new();
        let found = (0..self.items.len()).filter_map(|at| rule(self, at));
        found
            .filter(|found| {
                let nodes = || found.gone.iter().chain([&found.at]);
                let free = nodes().all(|at| !taken.contains(at));
                if free {
                    taken.extend(nodes().copied());
                }
                free
            })
            .collect()
    }

    /// The node at a place, where it is an ONNX operator of this name with one result.
    fn node(&self, at: usize, op: &str) -> Option<&'n NodeProto> {
        let node = self.items[at].node.as_ref();
        let own = matches!(node.domain.as_str(), "" | "ai.onnx");
        let one = node.output.iter().skip(1).all(String::is_empty);
        (own && one && node.op_type == op).then_some(node)
    }

    /// The node that makes a value which only so many read.
    fn maker(&self, name: &str, op: &str, readers: usize) -> Option<(usize, &'n NodeProto)> {
        let at = *self.made.get(name)?;
        let node = self.node(at, op)?;
        (node.output[0] == name && self.read.get(name) == Some(&readers)).then_some((at, node))
    }

    fn weight(&self, name: &str) -> Option<Tensor> {
        crate::weights::tensor(self.weights.get(name)?).ok()
    }

    fn scalar(&self, name: &str) -> Option<f32> {
        let tensor = self.weights.get(name)?;
        // Large ones need not be read for that.
        if tensor.dims.iter().any(|&d| d != 1) {
            return None;
        }
        crate::weights::tensor(tensor).ok()?.scalar_float().ok()
    }

    /// The operand of a node of two that is not a given scalar.
    fn beside(&self, node: &'n NodeProto, scalar: f32) -> Option<&'n str> {
        let [a, b] = &node.input[..] else { return None };
        let is = |name: &str| {
            let found = self.scalar(name);
            found.is_some_and(|found| (found - scalar).abs() <= 1e-4 * scalar.abs())
        };
        match (is(a), is(b)) {
            (false, true) => Some(a),
            (true, false) => Some(b),
            _ => None,
        }
    }

    /// The bounds of a `Clip` that has two fixed ones.
    fn bounds(&self, at: usize) -> Option<Vec<f32>> {
        let node = self.items[at].node.as_ref();
        let version = self.items[at].versions.get("").copied().unwrap_or(0);
        if version >= 11 {
            let bound = |at: usize| self.scalar(node.input.get(at)?);
            return Some(vec![bound(1)?, bound(2)?]);
        }
        let bound = |name: &str| Some(node.attribute.iter().find(|a| a.name == name)?.f);
        Some(vec![bound("min")?, bound("max")?])
    }

    /// Whether a mean is of the last axis alone, which it keeps.
    fn of_last_axis(&self, node: &NodeProto) -> bool {
        let attribute = |name: &str| node.attribute.iter().find(|a| a.name == name);
        let known = ["axes", "keepdims", "noop_with_empty_axes"];
        let axes = match (attribute("axes"), node.input.get(1)) {
            (Some(axes), None) => axes.ints.clone(),
            (None, Some(name)) => match self.weight(name).map(|t| t.ints().map(Cow::into_owned)) {
                Some(Ok(axes)) => axes,
                _ => return false,
            },
            _ => return false,
        };
        let other = |a: &AttributeProto| !known.contains(&a.name.as_str());
        axes == [-1]
            && attribute("keepdims").is_none_or(|a| a.i == 1)
            && !node.attribute.iter().any(other)
    }
}

fn plain(op: &str, input: Vec<String>, output: &str, name: &str) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        input,
        output: vec![output.into()],
        name: name.into(),
        ..NodeProto::default()
    }
}

/// `x / 2 (1 + erf(x / √2))`, or its approximation by a hyperbolic tangent, however the three factors are multiplied (Hendrycks and
/// Gimpel 2016).
fn gelu(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.node(at, "Mul")?;
    // What is multiplied by a half, and the nodes of it.
    let halved = |name: &str| -> Option<(&str, usize)> {
        let (at, half) = nodes.maker(name, "Mul", 1)?;
        Some((nodes.beside(half, 0.5)?, at))
    };
    // The nodes of `1 + erf(x / √2)`.
    let erf = |inner: &str, x: &str| -> Option<Vec<usize>> {
        let (erf_at, erf) = nodes.maker(inner, "Erf", 1)?;
        let scaled = erf.input.first()?;
        let (scale_at, inner) = if let Some((at, divided)) = nodes.maker(scaled, "Div", 1) {
            let by = nodes.scalar(divided.input.get(1)?)?;
            let fits = (by - std::f32::consts::SQRT_2).abs() < 1e-4;
            (at, fits.then(|| divided.input[0].as_str())?)
        } else {
            let (at, times) = nodes.maker(scaled, "Mul", 1)?;
            (at, nodes.beside(times, std::f32::consts::FRAC_1_SQRT_2)?)
        };
        (inner == x).then_some(vec![erf_at, scale_at])
    };
    // Those of `1 + tanh(√(2/π) (x + 0.044715 x³))`.
    let tanh = |inner: &str, x: &str| -> Option<Vec<usize>> {
        let (tanh_at, tanh) = nodes.maker(inner, "Tanh", 1)?;
        let (scale_at, scaled) = nodes.maker(tanh.input.first()?, "Mul", 1)?;
        let root = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
        let (sum_at, sum) = nodes.maker(nodes.beside(scaled, root)?, "Add", 1)?;
        let [a, b] = &sum.input[..] else { return None };
        let cube = if a == x { b } else { (b == x).then_some(a)? };
        let (part_at, part) = nodes.maker(cube, "Mul", 1)?;
        let (power_at, power) = nodes.maker(nodes.beside(part, 0.044_715)?, "Pow", 1)?;
        let fits = power.input.first()? == x && nodes.scalar(power.input.get(1)?)? == 3.0;
        fits.then_some(vec![tanh_at, scale_at, sum_at, part_at, power_at])
    };
    // The nodes of the gate, and whether it is the approximate one.
    let gate = |one: &str, x: &str| -> Option<(Vec<usize>, bool)> {
        let (plus_at, plus) = nodes.maker(one, "Add", 1)?;
        let inner = nodes.beside(plus, 1.0)?;
        let (gone, approximate) = match erf(inner, x) {
            Some(gone) => (gone, false),
            None => (tanh(inner, x)?, true),
        };
        Some(([gone, vec![plus_at]].concat(), approximate))
    };
    let both = |node: &'_ NodeProto| -> Option<[(String, String); 2]> {
        let [a, b] = &node.input[..] else { return None };
        Some([(a.clone(), b.clone()), (b.clone(), a.clone())])
    };
    let (x, (mut gone, approximate), half_at) = if let Some(product) = nodes.beside(last, 0.5) {
        let (product_at, product) = nodes.maker(product, "Mul", 1)?;
        both(product)?
            .into_iter()
            .find_map(|(x, one)| Some((x.clone(), gate(&one, &x)?, product_at)))?
    } else {
        both(last)?.into_iter().find_map(|(x, other)| {
            let (inner, half_at) = halved(&other)?;
            match gate(inner, &x) {
                Some(found) => Some((x, found, half_at)),
                None => Some((inner.to_owned(), gate(&x, inner)?, half_at)),
            }
        })?
    };
    gone.push(half_at);
    let mut node = plain("Gelu", vec![x], &last.output[0], &last.name);
    if approximate {
        node.attribute.push(AttributeProto {
            name: "approximate".into(),
            r#type: 3,
            s: "tanh".into(),
            ..AttributeProto::default()
        });
    }
    Some(Match {
        at,
        gone,
        nodes: vec![(node, Some(20))],
    })
}

/// A vector divided by the root of the mean of its squares, and scaled, in seven parts or six (Zhang and Sennrich 2019).
fn rms_norm(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.node(at, "Mul")?;
    let [a, b] = &last.input[..] else { return None };
    let row = |name: &str| nodes.weights.get(name).is_some_and(|t| t.dims.len() == 1);
    let (unit, gamma) = [(a, b), (b, a)].into_iter().find(|(_, gamma)| row(gamma))?;
    let mut gone = Vec::new();
    // `x` over the root, as a quotient or as a product with the inverse.
    let (x, root) = if let Some((at, divided)) = nodes.maker(unit, "Div", 1) {
        gone.push(at);
        (divided.input.first()?, divided.input.get(1)?)
    } else {
        let (at, product) = nodes.maker(unit, "Mul", 1)?;
        let [a, b] = &product.input[..] else {
            return None;
        };
        let (x, (inverse_at, root)) = [(a, b), (b, a)].into_iter().find_map(|(x, inverse)| {
            if let Some((at, divided)) = nodes.maker(inverse, "Div", 1) {
                let one = nodes.scalar(divided.input.first()?)? == 1.0;
                return one.then_some((x, (at, divided.input.get(1)?)));
            }
            let (at, inverse) = nodes.maker(inverse, "Reciprocal", 1)?;
            Some((x, (at, inverse.input.first()?)))
        })?;
        gone.extend([at, inverse_at]);
        (x, root)
    };
    let (root_at, root) = nodes.maker(root, "Sqrt", 1)?;
    let (plus_at, plus) = nodes.maker(root.input.first()?, "Add", 1)?;
    let epsilon = plus.input.iter().find_map(|name| nodes.scalar(name))?;
    let mean = plus
        .input
        .iter()
        .find(|name| nodes.scalar(name).is_none())?;
    let (mean_at, mean) = nodes.maker(mean, "ReduceMean", 1)?;
    let (square_at, square) = nodes.maker(mean.input.first()?, "Pow", 1)?;
    let fits = square.input.first() == Some(x)
        && nodes.scalar(square.input.get(1)?)? == 2.0
        && nodes.of_last_axis(mean)
        && epsilon >= 0.0;
    gone.extend([root_at, plus_at, mean_at, square_at]);
    let mut node = plain(
        "RMSNormalization",
        vec![x.clone(), gamma.clone()],
        &last.output[0],
        &last.name,
    );
    node.attribute.push(AttributeProto {
        name: "epsilon".into(),
        r#type: 1,
        f: epsilon,
        ..AttributeProto::default()
    });
    fits.then_some(Match {
        at,
        gone,
        nodes: vec![(node, Some(23))],
    })
}

/// Layer normalisation over the last axis in nine parts (Ba et al. 2016).
fn layer_norm(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.node(at, "Add")?;
    let [a, b] = &last.input[..] else { return None };
    let row = |name: &str| {
        nodes
            .weights
            .get(name)
            .filter(|t| t.dims.len() == 1)
            .is_some()
    };
    let (scaled, beta) = [(a, b), (b, a)].into_iter().find(|(_, beta)| row(beta))?;
    let (scaled_at, scaled) = nodes.maker(scaled, "Mul", 1)?;
    let [a, b] = &scaled.input[..] else {
        return None;
    };
    let (unit, gamma) = [(a, b), (b, a)].into_iter().find(|(_, gamma)| row(gamma))?;
    let (unit_at, unit) = nodes.maker(unit, "Div", 1)?;
    let (centred, deviation) = (unit.input.first()?, unit.input.get(1)?);
    let (deviation_at, root) = nodes.maker(deviation, "Sqrt", 1)?;
    let (plus_at, plus) = nodes.maker(root.input.first()?, "Add", 1)?;
    let epsilon = plus.input.iter().find_map(|name| nodes.scalar(name))?;
    let variance = plus
        .input
        .iter()
        .find(|name| nodes.scalar(name).is_none())?;
    let (variance_at, variance) = nodes.maker(variance, "ReduceMean", 1)?;
    let square = variance.input.first()?;
    let (square_at, readers) = if let Some((at, power)) = nodes.maker(square, "Pow", 1) {
        let two = nodes.scalar(power.input.get(1)?)? == 2.0;
        (at, (two && power.input[0] == *centred).then_some(2)?)
    } else {
        let (at, product) = nodes.maker(square, "Mul", 1)?;
        (
            at,
            product
                .input
                .iter()
                .all(|name| name == centred)
                .then_some(3)?,
        )
    };
    let (centred_at, difference) = nodes.maker(centred, "Sub", readers)?;
    let (x, mean) = (difference.input.first()?, difference.input.get(1)?);
    let (mean_at, mean) = nodes.maker(mean, "ReduceMean", 1)?;
    let fits = mean.input.first() == Some(x)
        && nodes.of_last_axis(mean)
        && nodes.of_last_axis(variance)
        && epsilon >= 0.0;
    let input = vec![x.clone(), gamma.clone(), beta.clone()];
    let mut node = plain("LayerNormalization", input, &last.output[0], &last.name);
    node.attribute.push(AttributeProto {
        name: "epsilon".into(),
        r#type: 1,
        f: epsilon,
        ..AttributeProto::default()
    });
    let gone = vec![
        scaled_at,
        unit_at,
        deviation_at,
        plus_at,
        variance_at,
        square_at,
        centred_at,
        mean_at,
    ];
    fits.then_some(Match {
        at,
        gone,
        nodes: vec![(node, Some(17))],
    })
}

/// `x min(max(x + 3, 0), 6) / 6` (Howard et al. 2019), as its parts or with a hard sigmoid.
fn hard_swish(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.items[at].node.as_ref();
    nodes.node(at, &last.op_type)?;
    let near =
        |found: Option<f32>, wanted: f32| found.is_some_and(|f| (f - wanted).abs() < 1e-3 * wanted);
    // Whether a value is the ramp of `x` from 0 to 6, and the nodes that make it.
    let ramp = |name: &str, x: &str| -> Option<Vec<usize>> {
        let (clip_at, clip) = nodes.maker(name, "Clip", 1)?;
        let bounds = nodes.bounds(clip_at)?;
        let (plus_at, plus) = nodes.maker(clip.input.first()?, "Add", 1)?;
        let fits = bounds == [0.0, 6.0] && nodes.beside(plus, 3.0)? == x;
        fits.then(|| vec![clip_at, plus_at])
    };
    // The same from 0 to 1.
    let unit = |name: &str, x: &str| -> Option<Vec<usize>> {
        if let Some((at, node)) = nodes.maker(name, "HardSigmoid", 1) {
            let value = |of: &str| node.attribute.iter().find(|a| a.name == of).map(|a| a.f);
            let fits = near(value("alpha"), 1.0 / 6.0) && value("beta").is_none_or(|b| b == 0.5);
            return (fits && node.input.first()? == x).then(|| vec![at]);
        }
        let (at, inner) = if let Some((at, node)) = nodes.maker(name, "Div", 1) {
            (
                at,
                near(nodes.scalar(node.input.get(1)?), 6.0).then(|| node.input[0].as_str())?,
            )
        } else {
            let (at, node) = nodes.maker(name, "Mul", 1)?;
            (at, nodes.beside(node, 1.0 / 6.0)?)
        };
        Some([ramp(inner, x)?, vec![at]].concat())
    };
    let pairs = |node: &'_ NodeProto, part: &dyn Fn(&str, &str) -> Option<Vec<usize>>| {
        let [a, b] = &node.input[..] else { return None };
        [(a, b), (b, a)]
            .into_iter()
            .find_map(|(x, other)| Some((x.clone(), part(other, x)?)))
    };
    let (x, gone) = match last.op_type.as_str() {
        "Div" if near(nodes.scalar(last.input.get(1)?), 6.0) => {
            let (product_at, product) = nodes.maker(&last.input[0], "Mul", 1)?;
            let (x, gone) = pairs(product, &ramp)?;
            (x, [gone, vec![product_at]].concat())
        }
        "Mul" => match nodes.beside(last, 1.0 / 6.0) {
            Some(product) => {
                let (product_at, product) = nodes.maker(product, "Mul", 1)?;
                let (x, gone) = pairs(product, &ramp)?;
                (x, [gone, vec![product_at]].concat())
            }
            None => pairs(last, &unit)?,
        },
        _ => return None,
    };
    let node = plain("HardSwish", vec![x], &last.output[0], &last.name);
    Some(Match {
        at,
        gone,
        nodes: vec![(node, Some(14))],
    })
}

/// `x sigmoid(x)`.
fn silu(nodes: &Nodes<'_, '_>, at: usize) -> Option<Match> {
    let last = nodes.node(at, "Mul")?;
    let [a, b] = &last.input[..] else { return None };
    let (x, gate) = [(a, b), (b, a)].into_iter().find_map(|(x, gate)| {
        let (at, node) = nodes.maker(gate, "Sigmoid", 1)?;
        (node.input.first() == Some(x)).then_some((x, at))
    })?;
    let node = plain("Swish", vec![x.clone()], &last.output[0], &last.name);
    Some(Match {
        at,
        gone: vec![gate],
        nodes: vec![(node, Some(24))],
    })
}

#[cfg(test)]
mod tests;
