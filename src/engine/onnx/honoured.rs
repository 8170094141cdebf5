//! What the reader honours of an ONNX file. All else is refused by name, since tract takes no notice of attributes that it does
//! not know, of domains, and of an operator's newer meaning, and would answer with wrong numbers.

use std::fmt;

use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto};

use super::nodes::graphs;
use crate::error::excerpt;

/// One operator a line; the file says how.
const OPERATORS: &str = include_str!("operators.txt");

/// The domains, with the versions of their operator sets whose operators were checked.
const DOMAINS: [(&str, std::ops::RangeInclusive<i64>); 3] = [
    ("", 7..=28),
    ("ai.onnx.ml", 1..=5),
    ("com.microsoft", 1..=1),
];

/// The activations that recurrent operators are run with, in each direction.
const ACTIVATIONS: [(&str, &[&str]); 3] = [
    ("GRU", &["Sigmoid", "Tanh"]),
    ("LSTM", &["Sigmoid", "Tanh", "Tanh"]),
    ("RNN", &["Tanh"]),
];

/// What is not honoured, where, and what to do.
#[derive(Debug)]
pub(super) struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks every node, those of graphs inside of nodes, too.
pub(super) fn check(model: &ModelProto) -> Result<(), Refusal> {
    let mut opset = None;
    for OperatorSetIdProto { domain, version } in &model.opset_import {
        let domain = plain(domain);
        let known = DOMAINS.iter().find(|(name, _)| *name == domain);
        // What is imported and not used does no harm.
        let Some((_, versions)) = known else { continue };
        if domain.is_empty() {
            opset = Some(*version);
        }
        if !versions.contains(version) {
            return Err(Refusal(format!(
                "it uses version {version} of the operator set {}, and the engine knows {} to {}; convert it with onnx.version_converter",
                named(domain),
                versions.start(),
                versions.end()
            )));
        }
    }
    if let Some(function) = model.functions.first() {
        return Err(Refusal(format!(
            "it defines a function of its own, {}; inline it with onnx.inliner",
            excerpt(function.name(), 60)
        )));
    }
    let opset = opset.unwrap_or(*DOMAINS[0].1.end());
    match &model.graph {
        Some(graph) => check_graph(graph, opset),
        None => Ok(()),
    }
}

/// `ai.onnx` is another name of the domain without one.
fn plain(domain: &str) -> &str {
    match domain {
        "ai.onnx" => "",
        domain => domain,
    }
}

fn named(domain: &str) -> &str {
    match domain {
        "" => "ai.onnx",
        domain => domain,
    }
}

fn check_graph(graph: &GraphProto, opset: i64) -> Result<(), Refusal> {
    for node in &graph.node {
        check_node(node, graph, opset).map_err(|why| {
            let name = match (node.name.as_str(), node.output.first()) {
                ("", Some(output)) => format!("the node that gives \"{}\"", excerpt(output, 60)),
                ("", None) => "a node".into(),
                (name, _) => format!("the node \"{}\"", excerpt(name, 60)),
            };
            Refusal(format!("{name} is not supported: {why}"))
        })?;
        for inner in graphs(node) {
            check_graph(inner, opset)?;
        }
    }
    Ok(())
}

/// A line of the table.
struct Honoured {
    /// From which opset on the operator does something else.
    until: Option<i64>,
    attributes: &'static str,
}

fn honoured(domain: &str, operator: &str) -> Option<Honoured> {
    let domain = if domain.is_empty() { "-" } else { domain };
    OPERATORS.lines().find_map(|line| {
        let rest = line.strip_prefix(domain)?.strip_prefix(' ')?;
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if name != operator {
            return None;
        }
        let (until, attributes) = match rest.strip_prefix('<') {
            None => (None, rest),
            Some(rest) => {
                let (until, attributes) = rest.split_once(' ').unwrap_or((rest, ""));
                (until.parse().ok(), attributes)
            }
        };
        Some(Honoured { until, attributes })
    })
}

fn check_node(node: &NodeProto, graph: &GraphProto, opset: i64) -> Result<(), Refusal> {
    let (operator, domain) = (node.op_type.as_str(), plain(&node.domain));
    let Some(honoured) = honoured(domain, operator) else {
        // Of the operators without a domain, tract itself says which ones it does not have.
        let foreign = !domain.is_empty() || tract_has(operator);
        return match foreign {
            true => Err(Refusal(format!(
                "the engine has no operator {} of the domain {}",
                excerpt(operator, 60),
                excerpt(named(domain), 60)
            ))),
            false => Ok(()),
        };
    };
    if let Some(until) = honoured.until.filter(|&until| opset >= until) {
        return Err(Refusal(format!(
            "{operator} means something else from opset {until} on; export the model with opset {}",
            until - 1
        )));
    }
    for attribute in &node.attribute {
        check_attribute(operator, attribute, honoured.attributes)?;
    }
    match operator {
        "GRU" | "LSTM" | "RNN" => check_recurrent(node),
        "Dropout" if node.input.get(2).is_some_and(|mode| !mode.is_empty()) => Err(Refusal(
            "Dropout with an input that turns training on; export the model for inference".into(),
        )),
        "TreeEnsembleClassifier" => check_trees(node, graph),
        _ => Ok(()),
    }
}

fn tract_has(operator: &str) -> bool {
    tract_onnx::onnx().op_register.0.contains_key(operator)
}

fn check_attribute(
    operator: &str,
    attribute: &AttributeProto,
    honoured: &str,
) -> Result<(), Refusal> {
    let name = attribute.name.as_str();
    let rule = honoured.split_whitespace().find_map(|rule| {
        let rest = rule.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with(['=', '*'])).then_some(rest)
    });
    match rule.map(|rule| rule.strip_prefix('=')) {
        Some(None) => Ok(()),
        Some(Some(only)) if is(attribute, only) => Ok(()),
        Some(Some(only)) => Err(Refusal(format!(
            "{operator} with another {name} than {only}; export the model without it"
        ))),
        None => Err(Refusal(format!(
            "{operator} with the attribute {}, which the engine would take no notice of; export the model without it",
            excerpt(name, 60)
        ))),
    }
}

/// Whether an attribute has the value that the table names.
fn is(attribute: &AttributeProto, value: &str) -> bool {
    use tract_onnx::pb::attribute_proto::AttributeType;
    match AttributeType::try_from(attribute.r#type) {
        Ok(AttributeType::Int) => value.parse() == Ok(attribute.i),
        Ok(AttributeType::Float) => value.parse() == Ok(attribute.f),
        Ok(AttributeType::String) => attribute.s == value.as_bytes(),
        _ => false,
    }
}

/// Recurrent operators are run forward, or in both directions, and with their own activations.
fn check_recurrent(node: &NodeProto) -> Result<(), Refusal> {
    let operator = node.op_type.as_str();
    let find = |name: &str| node.attribute.iter().find(|a| a.name == name);
    let direction = find("direction").map_or("forward", |a| str::from_utf8(&a.s).unwrap_or(""));
    let directions = match direction {
        "forward" => 1,
        "bidirectional" => 2,
        other => {
            return Err(Refusal(format!(
                "{operator} with the direction {}",
                excerpt(other, 60)
            )));
        }
    };
    let own = ACTIVATIONS.iter().find(|(name, _)| *name == operator);
    let own = own.map_or(&[][..], |(_, own)| own);
    let given: Vec<&[u8]> = find("activations")
        .map_or_else(Vec::new, |a| a.strings.iter().map(AsRef::as_ref).collect());
    let expected = own.iter().cycle().take(own.len() * directions);
    let same = given.len() == own.len() * directions
        && expected
            .zip(&given)
            .all(|(own, given)| own.as_bytes().eq_ignore_ascii_case(given));
    match given.is_empty() || same {
        true => Ok(()),
        false => Err(Refusal(format!(
            "{operator} with other activations than {}",
            own.join(", ")
        ))),
    }
}

/// Of trees that score one class alone, tract finds the probabilities of both, but always names the first label.
fn check_trees(node: &NodeProto, graph: &GraphProto) -> Result<(), Refusal> {
    let ids = node.attribute.iter().find(|a| a.name == "class_ids");
    let ids = ids.map_or(&[][..], |a| &a.ints);
    let one = ids.windows(2).all(|pair| pair[0] == pair[1]);
    let Some(label) = node.output.first().filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    let mut read = graph.output.iter().any(|output| output.name == *label);
    for other in &graph.node {
        super::nodes::reads(other, &mut |name| read |= name == label);
    }
    match one && read {
        true => Err(Refusal(
            "the label of a tree ensemble of two classes; take its probabilities, its second output".into(),
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
