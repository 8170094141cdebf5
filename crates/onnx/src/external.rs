//! Weights that lie in files beside the model, as exporters write those of large ones
//! (ONNX, "External Data", `docs/ExternalData.md`; `onnx.proto`, `TensorProto.external_data`).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;

use crate::fault::{Fault, Result};
use crate::proto::{GraphProto, ModelProto, TensorProto};

/// What every entry of external data has as a key.
const LOCATION: &[u8; 8] = b"location";

/// Whether the key occurs, by Horspool's search: models are large, and only every eighth byte of one is looked at.
fn mentions_location(onnx: &[u8]) -> bool {
    let last = LOCATION.len() - 1;
    let mut at = last;
    while let Some(&byte) = onnx.get(at) {
        if byte == LOCATION[last] && onnx[..=at].ends_with(LOCATION) {
            return true;
        }
        let before = &LOCATION[..last];
        at += before
            .iter()
            .rev()
            .position(|&other| other == byte)
            .map_or(LOCATION.len(), |back| back + 1);
    }
    false
}

/// The files beside a model that it has weights in, as it names them; none for most.
///
/// # Errors
/// When one would lie elsewhere than beside the model or below.
pub fn files(onnx: &[u8]) -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    if !mentions_location(onnx) {
        return Ok(files);
    }
    // What is no model is told by whoever reads it.
    let Ok(mut model) = ModelProto::decode(onnx) else {
        return Ok(files);
    };
    for tensor in tensors_mut(&mut model) {
        if is_external(tensor) {
            files.insert(Place::of(tensor)?.file);
        }
    }
    Ok(files)
}

/// The model with all weights inside; `files` are those that [`files`] names.
///
/// # Errors
/// When a weight is not where the model says.
pub fn inline(onnx: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut model = ModelProto::decode(onnx)?;
    for tensor in tensors_mut(&mut model) {
        if !is_external(tensor) {
            continue;
        }
        let place = Place::of(tensor)?;
        let bytes = files.get(&place.file).ok_or_else(|| {
            Fault(format!(
                "the weights are in {}, which is not there",
                place.file
            ))
        })?;
        let end = match place.length {
            Some(length) => place.offset.checked_add(length),
            None => Some(bytes.len()),
        };
        let range = end.and_then(|end| bytes.get(place.offset..end));
        let range = range.ok_or_else(|| {
            Fault(format!(
                "the weight \"{}\" would lie beyond the end of {}, which has {} bytes; the files do not belong together",
                excerpt(&tensor.name, 60),
                place.file,
                bytes.len()
            ))
        })?;
        tensor.raw_data = Bytes::copy_from_slice(range);
        tensor.external_data.clear();
        tensor.data_location = 0;
    }
    Ok(model.encode_to_vec())
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == 1
}

/// Where a weight lies.
struct Place {
    file: String,
    offset: usize,
    length: Option<usize>,
}

impl Place {
    fn of(tensor: &TensorProto) -> Result<Self> {
        let value = |key: &str| {
            let entry = tensor.external_data.iter().find(|entry| entry.key == key);
            entry.map(|entry| entry.value.as_str())
        };
        let number = |key: &str| match value(key) {
            None => Ok(None),
            Some(number) => number.parse().map(Some).map_err(|_| {
                Fault(format!(
                    "the {key} of \"{}\" is \"{}\"",
                    excerpt(&tensor.name, 60),
                    excerpt(number, 40)
                ))
            }),
        };
        let file = value("location").unwrap_or_default();
        let inside = !file.is_empty()
            && !file.contains(['\\', ':', '\0'])
            && file.split('/').all(|part| !part.is_empty() && part != "..");
        if !inside {
            return Err(Fault(format!(
                "it would read weights from \"{}\", which is not beside it",
                excerpt(file, 80)
            )));
        }
        Ok(Place {
            file: file
                .split('/')
                .filter(|part| *part != ".")
                .collect::<Vec<_>>()
                .join("/"),
            offset: number("offset")?.unwrap_or(0),
            length: number("length")?,
        })
    }
}

/// The beginning of what a file says.
fn excerpt(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// All weights and constants of a model, those of the graphs inside of nodes too.
fn tensors_mut(model: &mut ModelProto) -> Vec<&mut TensorProto> {
    let mut found = Vec::new();
    let mut graphs: Vec<&mut GraphProto> = model.graph.iter_mut().collect();
    while let Some(graph) = graphs.pop() {
        found.extend(&mut graph.initializer);
        for sparse in &mut graph.sparse_initializer {
            found.extend(sparse.values.iter_mut().chain(&mut sparse.indices));
        }
        for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
            found.extend(attribute.t.iter_mut().chain(&mut attribute.tensors));
            graphs.extend(attribute.g.iter_mut().chain(&mut attribute.graphs));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_wherever_it_is() {
        for before in 0..40 {
            for filler in [b'x', b'l', b'o', b'n'] {
                let mut bytes = vec![filler; before];
                bytes.extend_from_slice(b"locatiolocation");
                assert!(mentions_location(&bytes), "{before}");
                bytes.pop();
                assert!(!mentions_location(&bytes), "{before}");
            }
        }
    }
}
