//! Weights that lie in files beside the model, as exporters write those of large ones
//! (ONNX, "External Data", `docs/ExternalData.md`; `onnx.proto`, `TensorProto.external_data`).

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataLocation};

use super::nodes::tensors_mut;
use crate::error::{Code, Error, Result, excerpt};

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

/// The files beside the model `name` that it has weights in, as it names them; none for most.
///
/// # Errors
/// [`Code::ModelInvalid`] when one would lie elsewhere than beside the model or below.
pub fn files(name: &str, onnx: &[u8]) -> Result<BTreeSet<String>> {
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
            files.insert(Place::of(name, tensor)?.file);
        }
    }
    Ok(files)
}

/// The model with all weights inside; `files` are those that [`files`] names.
///
/// # Errors
/// [`Code::ModelInvalid`] when a weight is not where the model says.
pub fn inline(name: &str, onnx: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut model = ModelProto::decode(onnx).map_err(|e| invalid(name, &e.to_string()))?;
    for tensor in tensors_mut(&mut model) {
        if !is_external(tensor) {
            continue;
        }
        let place = Place::of(name, tensor)?;
        let bytes = files.get(&place.file).ok_or_else(|| {
            invalid(
                name,
                &format!("the weights are in {}, which is not there", place.file),
            )
        })?;
        let end = match place.length {
            Some(length) => place.offset.checked_add(length),
            None => Some(bytes.len()),
        };
        let range = end.and_then(|end| bytes.get(place.offset..end));
        let range = range.ok_or_else(|| {
            let why = format!(
                "the weight \"{}\" would lie beyond the end of {}, which has {} bytes; the files do not belong together",
                excerpt(&tensor.name, 60),
                place.file,
                bytes.len()
            );
            invalid(name, &why)
        })?;
        tensor.raw_data = range.to_vec();
        tensor.external_data.clear();
        tensor.data_location = None;
    }
    Ok(model.encode_to_vec())
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32)
}

/// Where a weight lies.
struct Place {
    file: String,
    offset: usize,
    length: Option<usize>,
}

impl Place {
    fn of(name: &str, tensor: &TensorProto) -> Result<Self> {
        let value = |key: &str| {
            let entry = tensor.external_data.iter().find(|entry| entry.key == key);
            entry.map(|entry| entry.value.as_str())
        };
        let number = |key: &str| match value(key) {
            None => Ok(None),
            Some(number) => number.parse().map(Some).map_err(|_| {
                let why = format!(
                    "the {key} of \"{}\" is \"{}\"",
                    excerpt(&tensor.name, 60),
                    excerpt(number, 40)
                );
                invalid(name, &why)
            }),
        };
        let file = value("location").unwrap_or_default();
        let inside = !file.is_empty()
            && !file.contains(['\\', ':', '\0'])
            && file.split('/').all(|part| !part.is_empty() && part != "..");
        if !inside {
            let why = format!(
                "it would read weights from \"{}\", which is not beside it",
                excerpt(file, 80)
            );
            return Err(invalid(name, &why));
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

fn invalid(name: &str, why: &str) -> Error {
    Error::new(
        Code::ModelInvalid,
        format!("{name} could not be read: {why}"),
    )
}

/// A model apart from its weights, and the file `file` beside it that they are in.
#[cfg(test)]
pub(crate) fn apart(onnx: &[u8], file: &str) -> (Vec<u8>, Vec<u8>) {
    use tract_onnx::pb::StringStringEntryProto;
    let mut model = ModelProto::decode(onnx).unwrap();
    let mut weights = Vec::new();
    for tensor in tensors_mut(&mut model) {
        let floats = std::mem::take(&mut tensor.float_data);
        let mut bytes = std::mem::take(&mut tensor.raw_data);
        bytes.extend(floats.into_iter().flat_map(f32::to_le_bytes));
        let entries = [
            ("location", file.to_owned()),
            ("offset", weights.len().to_string()),
            ("length", bytes.len().to_string()),
        ];
        tensor.external_data = entries
            .map(|(key, value)| StringStringEntryProto {
                key: key.into(),
                value,
            })
            .to_vec();
        tensor.data_location = Some(DataLocation::External as i32);
        weights.extend(bytes);
    }
    (model.encode_to_vec(), weights)
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
