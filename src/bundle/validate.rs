//! The rules of the format that types alone cannot state.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Correctness, Features, FileEntry, Head, Manifest, OodMethod, Tagger, TaskEntry};
#[cfg(feature = "onnx")]
use super::{TaskModel, sight};
use crate::error::{Code, Error, Result};
#[cfg(feature = "onnx")]
use crate::task::kind::losses;
use crate::task::{InputKind, Pooling, TaskKind};

/// The most bytes one file of a bundle may have. A model this large has no place in a page, and a
/// manifest must not be able to ask for an allocation that cannot succeed.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The widest feature tensor and vector a manifest may ask for.
const MAX_WIDTH: u32 = 1 << 16;

/// The most buckets that n-grams may be hashed to.
const MAX_BUCKETS: u32 = 1 << 22;
/// The newest version of the cues of hashed tokens.
const CUES: u32 = 1;

/// The most places of a prompt that something is put into: the input may be long, and goes into each that asks for it.
const MAX_PLACES: usize = 64;

/// The most sentences that a summary may be made of.
const MAX_SENTENCES: u32 = 100;

/// The largest block that byte windows may look at.
const MAX_BLOCK: u32 = 1 << 20;

pub(super) fn validate(manifest: &Manifest) -> Result<()> {
    for (path, entry) in &manifest.files {
        file(path, entry)?;
    }
    for (name, tokenizer) in &manifest.tokenizers {
        listed(manifest, &format!("tokenizer \"{name}\""), &tokenizer.file)?;
    }
    for (name, encoder) in &manifest.encoders {
        let what = format!("encoder \"{name}\"");
        listed(manifest, &what, &encoder.file)?;
        features(manifest, &what, &encoder.features)?;
        in_range(&what, "dimension", encoder.dimension, MAX_WIDTH)?;
        if encoder.max_tokens == Some(0) {
            return Err(invalid(format!("{what}: maxTokens must be at least 1")));
        }
        if !matches!(encoder.pooling, None | Some(Pooling::Mean | Pooling::First)) {
            return Err(invalid(format!(
                "{what}: pooling must be \"mean\" or \"first\""
            )));
        }
    }
    if let Some(tagger) = &manifest.tagger {
        self::tagger(manifest, tagger)?;
    }
    for (name, head) in &manifest.heads {
        self::head(manifest, &format!("head \"{name}\""), head)?;
    }
    #[cfg(feature = "onnx")]
    for (name, model) in &manifest.models {
        self::model(manifest, name, model)?;
    }
    if manifest.tasks.is_empty() {
        return Err(invalid("the manifest has no tasks"));
    }
    let mut languages = Languages::default();
    for (id, task) in &manifest.tasks {
        self::task(manifest, id, task, &mut languages)?;
    }
    Ok(())
}

/// The labels of the tasks that tell languages, by task. Many tasks may name the same one.
type Languages<'a> = BTreeMap<&'a str, HashSet<&'a str>>;

/// Checks a path inside a bundle. It is joined to the bundle's address and used as a cache key: anything that could leave
/// the folder or mean something to a URL parser is refused.
///
/// # Errors
/// [`Code::BundleInvalid`].
pub fn check_path(path: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    let inside = path.chars().all(plain)
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if !inside {
        return Err(invalid(format!(
            "the path \"{}\" must stay inside the bundle and use only letters, digits, '.', '-', '_' and '/'",
            crate::error::excerpt(path, 80)
        )));
    }
    Ok(())
}

fn file(path: &str, entry: &FileEntry) -> Result<()> {
    check_path(path)?;
    if entry.bytes == 0 || entry.bytes > MAX_FILE_BYTES {
        return Err(invalid(format!(
            "{path}: {} bytes is outside 1 to {MAX_FILE_BYTES}",
            entry.bytes
        )));
    }
    let digest = entry.sha256.len() == 64
        && entry
            .sha256
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !digest {
        return Err(invalid(format!(
            "{path}: sha256 must be 64 lower-case hexadecimal digits"
        )));
    }
    if entry.license.is_empty() {
        return Err(invalid(format!("{path}: the licence is missing")));
    }
    Ok(())
}

fn head(manifest: &Manifest, what: &str, head: &Head) -> Result<()> {
    listed(manifest, what, &head.file)?;
    match (&head.encoder, &head.features) {
        (Some(encoder), None) => {
            if !manifest.encoders.contains_key(encoder) {
                return Err(invalid(format!(
                    "{what} names the encoder \"{encoder}\", which does not exist"
                )));
            }
        }
        (None, Some(own)) => features(manifest, what, own)?,
        _ => {
            return Err(invalid(format!(
                "{what} needs either an encoder or features, not both"
            )));
        }
    }
    if !(head.temperature.is_finite() && head.temperature > 0.0) {
        return Err(invalid(format!("{what}: temperature must be above 0")));
    }
    if head.threshold.is_some_and(|t| !(0.0..=1.0).contains(&t)) {
        return Err(invalid(format!(
            "{what}: threshold must be between 0 and 1"
        )));
    }
    if let Some(correctness) = &head.correctness {
        self::correctness(what, correctness)?;
    }
    if let Some(addend) = &head.addend {
        listed(manifest, what, &addend.file)?;
        features(manifest, what, &addend.features)?;
    }
    if let Some(ood) = &head.ood {
        let needs_file = matches!(ood.method, OodMethod::Mahalanobis | OodMethod::Knn);
        if !ood.cut.is_finite() || needs_file != ood.file.is_some() {
            return Err(invalid(format!(
                "{what}: ood needs a finite cut, and a file for exactly the methods that read the encoder's vector"
            )));
        }
        if let Some(file) = &ood.file {
            listed(manifest, what, file)?;
            if head.encoder.is_none() {
                return Err(invalid(format!(
                    "{what}: ood reads an encoder's vector, and the head has no encoder"
                )));
            }
        }
    }
    Ok(())
}

fn correctness(what: &str, head: &Correctness) -> Result<()> {
    if head.version != 1 {
        return Err(Error::new(
            Code::BundleVersion,
            format!(
                "{what}: its correctness head has version {}, and this version of smallfirst reads version 1; update smallfirst",
                head.version
            ),
        ));
    }
    if !head.numbers().all(f64::is_finite) {
        return Err(invalid(format!(
            "{what}: its correctness head has a number that is none"
        )));
    }
    Ok(())
}

fn features(manifest: &Manifest, what: &str, features: &Features) -> Result<()> {
    match features {
        Features::Tokens { tokenizer, .. } | Features::HashedTokens { tokenizer, .. } => {
            if let Features::HashedTokens { buckets, cues, .. } = features {
                in_range(what, "buckets", *buckets, MAX_BUCKETS)?;
                if *cues > CUES {
                    return Err(Error::new(
                        Code::BundleVersion,
                        format!(
                            "{what}: its cues have version {cues}, and this version of smallfirst reads up to version {CUES}; update smallfirst"
                        ),
                    ));
                }
            }
            if !manifest.tokenizers.contains_key(tokenizer) {
                return Err(invalid(format!(
                    "{what} names the tokenizer \"{tokenizer}\", which does not exist"
                )));
            }
        }
        Features::Ngrams { file } | Features::HashedCharacters { file } => {
            listed(manifest, what, file)?;
        }
        #[cfg(feature = "onnx")]
        Features::Image { processor } => {
            image(processor).map_err(|why| invalid(format!("{what}: {why}")))?;
        }
        #[cfg(feature = "onnx")]
        Features::Sound { processor } => {
            sound(processor).map_err(|why| invalid(format!("{what}: {why}")))?;
        }
        #[cfg(feature = "onnx")]
        Features::Table { columns } => {
            table(columns).map_err(|why| invalid(format!("{what}: {why}")))?;
        }
        // This build does not run such models, and says so when one is asked.
        #[cfg(not(feature = "onnx"))]
        Features::Image { .. } | Features::Sound { .. } | Features::Table { .. } => {}
        &Features::ByteWindows {
            begin_bytes,
            end_bytes,
            block_bytes,
            ..
        } => {
            in_range(what, "blockBytes", block_bytes, MAX_BLOCK)?;
            in_range(what, "beginBytes", begin_bytes, block_bytes.min(MAX_WIDTH))?;
            in_range(what, "endBytes", end_bytes, block_bytes.min(MAX_WIDTH))?;
        }
    }
    Ok(())
}

/// How an image becomes a tensor.
///
/// # Errors
/// What is wrong, in words.
#[cfg(feature = "onnx")]
pub(crate) fn image(
    processor: &serde_json::Value,
) -> std::result::Result<smallfirst_image::ImageProcessor, String> {
    use serde::Deserialize;
    let processor = smallfirst_image::ImageProcessor::deserialize(processor);
    let processor = processor.map_err(|why| format!("processor: {why}"))?;
    match processor.check() {
        Ok(()) => Ok(processor),
        Err(why) => Err(format!("processor: {why}")),
    }
}

/// How a sound becomes a tensor.
///
/// # Errors
/// What is wrong, in words.
#[cfg(feature = "onnx")]
pub(crate) fn sound(
    processor: &serde_json::Value,
) -> std::result::Result<(smallfirst_sound::SoundProcessor, smallfirst_sound::Prepared), String> {
    use serde::Deserialize;
    let processor = smallfirst_sound::SoundProcessor::deserialize(processor);
    let processor = processor.map_err(|why| format!("processor: {why}"))?;
    match processor.prepare() {
        Ok(prepared) => Ok((processor, prepared)),
        Err(why) => Err(format!("processor: {why}")),
    }
}

#[cfg(feature = "onnx")]
fn table(columns: &[super::Column]) -> std::result::Result<(), String> {
    if columns.is_empty() || columns.len() > MAX_WIDTH as usize {
        return Err(format!(
            "a model of tables reads 1 to {MAX_WIDTH} columns, and there are {}",
            columns.len()
        ));
    }
    let mut names = HashSet::new();
    for column in columns {
        column.check()?;
        if !names.insert(column.name.as_str()) {
            let name = crate::error::excerpt(&column.name, 60);
            return Err(format!("the column \"{name}\" is there twice"));
        }
    }
    Ok(())
}

/// The fewest tokens that a tagger must read at once: names at the end of one part are read again in the next.
const LEAST_TAGGED: u32 = 32;

fn tagger(manifest: &Manifest, tagger: &Tagger) -> Result<()> {
    let what = "the tagger";
    listed(manifest, what, &tagger.file)?;
    if !manifest.tokenizers.contains_key(&tagger.tokenizer) {
        return Err(invalid(format!(
            "{what} names the tokenizer \"{}\", which does not exist",
            tagger.tokenizer
        )));
    }
    if !(LEAST_TAGGED..=MAX_WIDTH).contains(&tagger.max_tokens) {
        return Err(invalid(format!(
            "{what}: maxTokens must be {LEAST_TAGGED} to {MAX_WIDTH}"
        )));
    }
    let kind = |label: &str| {
        label
            .split_once('-')
            .map_or(label.to_owned(), |l| l.1.to_owned())
    };
    if !tagger
        .labels
        .iter()
        .any(|label| kind(label) == tagger.person)
    {
        return Err(invalid(format!(
            "{what} has no label for \"{}\"",
            tagger.person
        )));
    }
    Ok(())
}

fn task<'a>(
    manifest: &'a Manifest,
    id: &str,
    task: &TaskEntry,
    languages: &mut Languages<'a>,
) -> Result<()> {
    let what = format!("task \"{id}\"");
    if task.limits.max_bytes == 0 || task.limits.min_bytes > task.limits.max_bytes {
        return Err(invalid(format!(
            "{what}: minBytes and maxBytes leave no room"
        )));
    }
    for path in task.card.iter().chain(&task.evaluation) {
        listed(manifest, &what, path)?;
    }
    match task.kind {
        TaskKind::Classify => classification(manifest, id, &what, task, languages),
        TaskKind::Generate => generation(manifest, &what, task),
        #[cfg(feature = "onnx")]
        _ => of_a_model(manifest, &what, task),
        // This build has no such models, and says so when one is asked.
        #[cfg(not(feature = "onnx"))]
        _ => Ok(()),
    }
}

#[cfg(feature = "onnx")]
fn model(manifest: &Manifest, name: &str, model: &TaskModel) -> Result<()> {
    let what = format!("model \"{name}\"");
    listed(manifest, &what, &model.file)?;
    features(manifest, &what, &model.features)?;
    let reads = matches!(
        model.features,
        Features::Tokens { .. }
            | Features::Image { .. }
            | Features::Sound { .. }
            | Features::Table { .. }
    );
    if !reads {
        return Err(invalid(format!(
            "{what} must read tokens, images, sounds or tables"
        )));
    }
    let listed = |path: &str| manifest.files.contains_key(path);
    sight::check_model(model, listed).map_err(|why| invalid(format!("{what}: {why}")))?;
    if model.max_tokens == Some(0) {
        return Err(invalid(format!("{what}: maxTokens must be at least 1")));
    }
    if model.platt.is_some_and(|platt| !platt.is_sound()) {
        return Err(invalid(format!(
            "{what}: platt needs a slope above 0 and a finite intercept"
        )));
    }
    // A tier's name says which of the two it is.
    match manifest.heads.contains_key(name) {
        true => Err(invalid(format!("{what} has the name of a head"))),
        false => Ok(()),
    }
}

/// The rules of tasks whose kind has models.
#[cfg(feature = "onnx")]
fn of_a_model(manifest: &Manifest, what: &str, task: &TaskEntry) -> Result<()> {
    let of_others =
        task.prompt.is_some() || task.extract.is_some() || task.limits.languages.is_some();
    if of_others {
        return Err(invalid(format!(
            "{what} is of the kind {}, which has no prompt, extract or languages",
            task.kind.as_str()
        )));
    }
    let (input, least) = match task.kind {
        TaskKind::QuestionAnswering => (&[InputKind::Pair][..], 0),
        TaskKind::MultiLabel => (&[InputKind::Text, InputKind::Pair, InputKind::Sound][..], 1),
        TaskKind::VoiceActivityDetection => (&[InputKind::Sound][..], 0),
        TaskKind::Regression => (&[InputKind::Table][..], 0),
        TaskKind::TokenClassification | TaskKind::ZeroShotClassification => {
            (&[InputKind::Text][..], 2)
        }
        TaskKind::FeatureExtraction => (&[InputKind::Text, InputKind::Image][..], 0),
        TaskKind::ObjectDetection => (&[InputKind::Image][..], 1),
        TaskKind::Ocr => (&[InputKind::Image][..], 0),
        _ => (&[InputKind::Text][..], 0),
    };
    if !input.contains(&task.input) {
        return Err(invalid(format!(
            "{what} is of the kind {}, which does not read {}",
            task.kind.as_str(),
            task.input.as_str()
        )));
    }
    let distinct: BTreeSet<&str> = task.labels.iter().map(|l| l.id.as_str()).collect();
    if task.labels.len() < least || (least == 0 && !task.labels.is_empty()) {
        return Err(invalid(format!(
            "{what} is of the kind {}, and has {} labels",
            task.kind.as_str(),
            task.labels.len()
        )));
    }
    // Detectors have numbers that nothing is behind, all of one name.
    if distinct.len() != task.labels.len() && task.kind != TaskKind::ObjectDetection {
        return Err(invalid(format!("{what}: labels must be distinct")));
    }
    if task.tiers.is_empty() {
        return Err(invalid(format!("{what} has no tiers")));
    }
    if let Some(guarantee) = &task.guarantee {
        guarantee.check(what, task.tiers.len())?;
        let graded = guarantee
            .loss
            .is_some_and(|loss| losses(task.kind).contains(&loss));
        if !graded || guarantee.against_remote.is_some() {
            return Err(invalid(format!(
                "{what} is of the kind {}, whose guarantee names one of its losses, and is not held against a remote",
                task.kind.as_str()
            )));
        }
    }
    for tier in &task.tiers {
        let Some(model) = manifest.models.get(tier) else {
            return Err(invalid(format!(
                "{what} names the model \"{tier}\", which does not exist"
            )));
        };
        // Two texts become tokens as one does.
        let read = match task.input {
            InputKind::Pair => InputKind::Text,
            input => input,
        };
        if model.features.input() != read {
            return Err(invalid(format!(
                "{what} reads {}, its model \"{tier}\" does not",
                task.input.as_str()
            )));
        }
    }
    sight::check_task(task, &manifest.models).map_err(|why| invalid(format!("{what}: {why}")))
}

fn generation(manifest: &Manifest, what: &str, task: &TaskEntry) -> Result<()> {
    let of_a_classifier = !task.labels.is_empty()
        || !task.tiers.is_empty()
        || task.guarantee.is_some()
        || task.limits.languages.is_some();
    if of_a_classifier || task.input != InputKind::Text {
        return Err(invalid(format!(
            "{what} writes text: it reads text, and has no labels, tiers, guarantee or languages"
        )));
    }
    if !task
        .prompt
        .as_ref()
        .is_some_and(|p| p.user.contains("{{input}}"))
    {
        return Err(invalid(format!(
            "{what} needs a prompt whose user part has {{{{input}}}} in it"
        )));
    }
    let places = task.prompt.iter().flat_map(|p| [&p.system, &p.user]);
    let places: usize = places.map(|part| part.matches("{{").count()).sum();
    if places > MAX_PLACES {
        return Err(invalid(format!(
            "{what}: its prompt has {places} places in double braces, and the most is {MAX_PLACES}"
        )));
    }
    if let Some(extract) = &task.extract {
        in_range(what, "sentences", extract.sentences, MAX_SENTENCES)?;
        let encoder = manifest.encoders.get(&extract.encoder);
        if encoder.is_none_or(|e| e.features.input() != InputKind::Text) {
            return Err(invalid(format!(
                "{what} extracts with the encoder \"{}\", which does not exist or reads no text",
                extract.encoder
            )));
        }
    }
    Ok(())
}

fn classification<'a>(
    manifest: &'a Manifest,
    id: &str,
    what: &str,
    task: &TaskEntry,
    languages: &mut Languages<'a>,
) -> Result<()> {
    if task.prompt.is_some() || task.extract.is_some() {
        return Err(invalid(format!(
            "{what} chooses a label and has no use for a prompt or extract"
        )));
    }
    if task.labels.len() < 2 {
        return Err(invalid(format!("{what} needs at least two labels")));
    }
    let distinct: BTreeSet<&str> = task.labels.iter().map(|l| l.id.as_str()).collect();
    if distinct.len() != task.labels.len() || distinct.contains("") {
        return Err(invalid(format!(
            "{what}: labels must be distinct and not empty"
        )));
    }
    if let Some(limit) = &task.limits.languages {
        let teller = manifest.tasks.get_key_value(&limit.task);
        let sound = teller.is_some_and(|(name, t)| {
            let known = || t.labels.iter().map(|label| label.id.as_str()).collect();
            let known = languages.entry(name).or_insert_with(known);
            limit.task != id
                && t.input == task.input
                && t.kind == TaskKind::Classify
                && t.limits.languages.is_none()
                && limit.allow.iter().all(|l| known.contains(l.as_str()))
        });
        if !sound {
            return Err(invalid(format!(
                "{what}: limits.languages must name another text task of the bundle and labels of it"
            )));
        }
    }
    if task.tiers.is_empty() {
        return Err(invalid(format!("{what} has no tiers")));
    }
    for name in &task.tiers {
        let Some(head) = manifest.heads.get(name) else {
            return Err(invalid(format!(
                "{what} names the head \"{name}\", which does not exist"
            )));
        };
        let terms = head
            .correctness
            .as_ref()
            .map_or(0, |head| head.labels.len());
        if terms != 0 && terms != task.labels.len() {
            return Err(invalid(format!(
                "{what} has {} labels, and the correctness head of \"{name}\" has terms for {terms}",
                task.labels.len()
            )));
        }
        let read = match &head.encoder {
            Some(encoder) => manifest.encoders.get(encoder).map(|e| e.features.input()),
            None => head.features.as_ref().map(Features::input),
        };
        let addend = head.addend.as_ref().map(|a| a.features.input());
        if read != Some(task.input) || addend.is_some_and(|kind| kind != task.input) {
            return Err(invalid(format!(
                "{what} reads {}, its head \"{name}\" does not",
                task.input.as_str()
            )));
        }
    }
    if let Some(given) = &task.guarantee {
        given.check(what, task.tiers.len())?;
    }
    Ok(())
}

fn listed(manifest: &Manifest, what: &str, path: &str) -> Result<()> {
    if manifest.files.contains_key(path) {
        return Ok(());
    }
    Err(invalid(format!(
        "{what} names the file \"{path}\", which \"files\" does not list"
    )))
}

fn in_range(what: &str, field: &str, value: u32, most: u32) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(invalid(format!(
        "{what}: {field} is {value}, it must be 1 to {most}"
    )))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::BundleInvalid, message)
}
