//! The default bundle, as it is committed.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use smallfirst::bundle::{Bundle, verify};
use smallfirst::task::TaskKind;

fn models() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models"))
}

fn bundle() -> Bundle {
    Bundle::parse(&fs::read(models().join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn every_file_is_what_the_manifest_says() {
    for (path, entry) in &bundle().manifest().files {
        let bytes = fs::read(models().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        verify(path, entry, &bytes).unwrap();
    }
}

/// Further tiers are fetched only when the first is not sure enough.
#[test]
fn the_first_tiers_stay_under_twelve_megabytes_and_each_further_one_too() {
    let bundle = bundle();
    let size = |files: BTreeSet<&str>| -> u64 {
        let listed = &bundle.manifest().files;
        files.into_iter().map(|file| listed[file].bytes).sum()
    };
    let of_tiers = |tiers: &[String]| -> BTreeSet<&str> {
        tiers
            .iter()
            .flat_map(|tier| bundle.files_of_head(tier))
            .collect()
    };
    let tasks = bundle.manifest().tasks.values();
    let further = tasks.clone().flat_map(|task| task.tiers.iter().skip(1));
    for tier in further {
        let bytes = size(bundle.files_of_head(tier));
        assert!(bytes < 12_000_000, "{tier}: {bytes} bytes");
    }
    let first = tasks.flat_map(|task| of_tiers(&task.tiers[..task.tiers.len().min(1)]));
    let bytes = size(first.collect());
    assert!(bytes < 12_000_000, "{bytes} bytes");
}

/// What reads the inputs of tasks without an encoder of their own is not one that was tuned for a single task.
#[test]
fn the_usual_encoder_is_the_one_that_first_tiers_share() {
    let bundle = bundle();
    assert_eq!(bundle.usual_encoder().unwrap().0, "static-text");
}

#[test]
fn every_model_has_a_card_and_a_licence() {
    let bundle = bundle();
    let tasks = bundle.manifest().tasks.iter();
    for (id, task) in tasks.filter(|(_, task)| task.kind == TaskKind::Classify) {
        let card = task
            .card
            .as_ref()
            .unwrap_or_else(|| panic!("{id} has no card"));
        let card = models().join(card);
        let text = fs::read_to_string(&card).unwrap();
        assert!(
            text.starts_with("---\n") && text.contains("license:"),
            "{id}'s card has no metadata"
        );
        assert!(
            card.with_file_name("LICENSE").is_file(),
            "{id} has no licence text"
        );
    }
}

#[test]
fn it_has_the_four_tasks_with_their_labels() {
    let bundle = bundle();
    let labels = |task: &str| bundle.task(task).unwrap().labels.len();
    assert_eq!(
        ["language", "file-type", "spam", "sentiment"].map(labels),
        [75, 214, 2, 3]
    );
    let writes = |task: &str| bundle.task(task).unwrap().prompt.is_some();
    assert!(
        ["summarise", "rewrite", "answer"]
            .iter()
            .all(|task| writes(task))
    );
}

#[test]
fn the_larger_bundle_has_the_default_one_as_it_is() {
    let read = |path: &Path| fs::read(path).unwrap();
    let larger = Bundle::parse(&read(&models().join("more/manifest.json"))).unwrap();
    let default = bundle();
    let (default, more) = (default.manifest(), larger.manifest());
    let anew = "`cargo xtask models --more` makes it anew";
    for (name, task) in &default.tasks {
        assert_eq!(more.tasks.get(name), Some(task), "{name}: {anew}");
    }
    for (path, entry) in &default.files {
        assert_eq!(more.files.get(path), Some(entry), "{path}: {anew}");
    }
    assert!(more.tasks.len() > default.tasks.len());
    // What is committed of it is what it says; models are fetched.
    for (path, entry) in &more.files {
        if default.files.contains_key(path) {
            continue;
        }
        match fs::read(models().join("more").join(path)) {
            Ok(bytes) => verify(path, entry, &bytes).unwrap(),
            Err(_) => assert!(
                path.ends_with(".onnx") || path.ends_with("tokenizer.json"),
                "{path} is neither committed nor fetched"
            ),
        }
    }
}
