//! Encoders and tokenizers of another bundle: finding them, and copying them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use smallfirst::bundle::Features;
use smallfirst::runtime::Runtime;

use crate::draft::BundleDraft;
use crate::folder::Folder;

/// The encoder that is meant, or nothing for `none`.
pub fn find_encoder(base: &Runtime<Folder>, wanted: &str) -> Result<Option<String>> {
    if wanted == "none" {
        return Ok(None);
    }
    let encoders = &base.bundle().manifest().encoders;
    if encoders.contains_key(wanted) {
        return Ok(Some(wanted.to_owned()));
    }
    match encoders
        .keys()
        .filter(|e| e.starts_with(wanted))
        .collect::<Vec<_>>()[..]
    {
        [only] => Ok(Some(only.clone())),
        _ => bail!(
            "--encoder {wanted}: the bundle of --encoders-from has {}, or say none",
            encoders.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The tokenizer that n-grams are made of: the encoder's, or that of the bundle's usual one.
pub fn tokenizer_of(base: &Runtime<Folder>, encoder: Option<&str>) -> Result<String> {
    let manifest = base.bundle().manifest();
    let features = encoder
        .and_then(|e| manifest.encoders.get(e))
        .map(|e| &e.features);
    let usual = base.bundle().usual_encoder().map(|(_, e)| &e.features);
    match (features, usual) {
        (Some(Features::Tokens { tokenizer, .. }), _)
        | (None, Some(Features::Tokens { tokenizer, .. })) => return Ok(tokenizer.clone()),
        (Some(_), _) => bail!("the encoder does not read text"),
        _ => {}
    }
    manifest
        .tokenizers
        .keys()
        .next()
        .cloned()
        .context("the bundle of --encoders-from has no tokenizer")
}

pub fn copy_encoder(
    draft: &mut BundleDraft,
    base: &Runtime<Folder>,
    from: &Path,
    name: &str,
) -> Result<()> {
    let manifest = base.bundle().manifest();
    let encoder = manifest.encoders.get(name).context("the encoder is gone")?;
    let card = Path::new(&encoder.file).with_file_name("README.md");
    let mut paths = vec![encoder.file.clone()];
    let card = card.to_string_lossy().into_owned();
    if manifest.files.contains_key(&card) {
        paths.push(card);
    }
    if !same_folder(&draft.folder(), from) {
        for path in paths {
            let entry = manifest.files.get(&path).context("a file is not listed")?;
            draft.copy(from, &path, entry)?;
        }
    }
    draft
        .manifest
        .encoders
        .insert(name.to_owned(), encoder.clone());
    Ok(())
}

pub fn copy_tokenizer(
    draft: &mut BundleDraft,
    base: &Runtime<Folder>,
    from: &Path,
    name: &str,
) -> Result<()> {
    let manifest = base.bundle().manifest();
    let tokenizer = manifest
        .tokenizers
        .get(name)
        .context("the tokenizer is gone")?;
    if !same_folder(&draft.folder(), from) {
        let entry = manifest
            .files
            .get(&tokenizer.file)
            .context("a file is not listed")?;
        draft.copy(from, &tokenizer.file, entry)?;
    }
    draft
        .manifest
        .tokenizers
        .insert(name.to_owned(), tokenizer.clone());
    Ok(())
}

fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
