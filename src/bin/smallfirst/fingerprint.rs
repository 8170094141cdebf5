//! Names what could change an answer of a task: its models and its rules.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use smallfirst::bundle::Bundle;

/// Names the models and rules of a task: whatever could change an answer changes it. What was prepared counts as
/// the file it was prepared from: that, prepared on the spot, is what was measured. With smaller weights it counts as itself.
pub fn fingerprint(bundle: &Bundle, task: &str) -> Result<String> {
    let entry = bundle.task(task)?;
    let manifest = bundle.manifest();
    let source = |path: &str| {
        let entry = manifest.files.get(path);
        let same = entry.filter(|entry| entry.weights.is_none());
        let before = same.and_then(|entry| entry.prepared_from.as_ref());
        let name = match before {
            Some(_) if path.ends_with(".sfm") => with_extension(path, "onnx"),
            _ => path.to_owned(),
        };
        let sha256 = before.or(entry.map(|entry| &entry.sha256));
        (name, sha256.cloned().unwrap_or_default())
    };
    let heads = entry.tiers.iter().filter_map(|name| {
        let mut head = manifest.heads.get(name)?.clone();
        head.file = source(&head.file).0;
        if let Some(addend) = &mut head.addend {
            addend.file = source(&addend.file).0;
        }
        if let Some(file) = head.ood.as_mut().and_then(|ood| ood.file.as_mut()) {
            *file = source(file).0;
        }
        Some(head)
    });
    let heads: Vec<_> = heads.collect();
    let files: BTreeMap<String, String> = entry
        .tiers
        .iter()
        .flat_map(|name| bundle.files_of_head(name))
        .map(source)
        .collect();
    let of = (
        &entry.labels,
        &entry.limits,
        &entry.tiers,
        &entry.guarantee,
        heads,
        files,
    );
    let mut named = serde_json::to_vec(&of)?;
    let models = entry.tiers.iter().filter_map(|name| {
        let mut model = manifest.models.get(name)?.clone();
        model.file = source(&model.file).0;
        Some(model)
    });
    for model in models {
        named.extend(serde_json::to_vec(&model)?);
    }
    Ok(hex(&Sha256::digest(named))[..16].to_owned())
}

/// A path of the bundle with another extension.
pub fn with_extension(path: &str, extension: &str) -> String {
    let path = Path::new(path).with_extension(extension);
    path.to_string_lossy().into_owned()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the evaluation in a bundle is of the models and rules it ships.
pub fn is_current(bundle: &Bundle, task: &str, evaluation: &[u8]) -> Result<bool> {
    #[derive(Deserialize)]
    struct Stated {
        fingerprint: String,
    }
    let stated: Stated = serde_json::from_slice(evaluation)?;
    let guarantee = bundle.task(task)?.guarantee.as_ref();
    let final_rows = guarantee.and_then(|guarantee| guarantee.final_rows.as_ref());
    Ok(match final_rows {
        Some(rows) => stated.fingerprint == rows.evaluated,
        None => stated.fingerprint == fingerprint(bundle, task)?,
    })
}
