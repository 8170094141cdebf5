//! A `manifest.json`: parsed, validated, and asked everything that is asked of it before any file is read.

use serde_json::json;
use smallfirst::bundle::{Bundle, FileEntry, Source};
use smallfirst::remote::RemoteOptions;
use smallfirst::route::Mode;
use smallfirst::runtime::{Call, Runtime};
use smallfirst::task::{AskedRisk, Input};
use smallfirst::{Code, Error};

use super::Target;
use super::remote::Sent;

/// A manifest is a bundle, or there is a typed error.
pub const MANIFEST: Target = Target {
    name: "manifest",
    read,
    choice: 0,
    seeds,
    most: 16 << 10,
    words: &[
        "\"format\":\"smallfirst-bundle\"",
        "\"version\":1",
        "\"files\":{",
        "\"tokenizers\":{",
        "\"encoders\":{",
        "\"tagger\":{",
        "\"heads\":{",
        "\"tasks\":{",
        "\"features\":{\"kind\":\"tokens\",\"tokenizer\":\"",
        "\"kind\":\"hashed-tokens\"",
        "\"kind\":\"ngrams\"",
        "\"kind\":\"byte-windows\"",
        "\"labels\":[{\"id\":\"",
        "\"languages\":{\"allow\":[",
        "\"guarantee\":{",
        "\"certificates\":[",
        "\"thresholds\":[",
        "\"slices\":{",
        "\"reference\":{\"edges\":[",
        "\"prompt\":{\"system\":\"",
        "{{input}}",
        "{{x}}",
        "\"extract\":{\"encoder\":\"",
        "\"ood\":{\"method\":\"knn\"",
        "\"tiers\":[\"",
    ],
};

/// There are no files.
struct Nothing;

impl Source for Nothing {
    async fn read(&self, path: &str, _: &FileEntry) -> smallfirst::Result<Vec<u8>> {
        Err(Error::new(Code::FileMissing, path.to_owned()))
    }
}

fn read(json: &[u8]) {
    let Ok(bundle) = Bundle::parse(json) else {
        return;
    };
    assert_eq!(bundle.sha256().len(), 64);
    let manifest = bundle.manifest().clone();
    let again = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    assert_eq!(
        Bundle::parse(&again).expect("it was valid").manifest(),
        &manifest
    );
    let infos = bundle.tasks(|_| false);
    assert_eq!(infos.len(), manifest.tasks.len());
    for info in infos {
        assert!(info.risks.iter().all(|r| r.coverage.is_finite()));
    }
    // A risk asks for thresholds by the certificates; one call goes its whole way. The first tasks speak for the others.
    let remote = RemoteOptions::default();
    let runtime = Runtime::new(bundle, Nothing, Mode::OnlyLocal, remote).expect("no remotes");
    let nobody = Sent::new(b"", 1, None);
    for (id, task) in manifest.tasks.iter().take(2) {
        for risk in [
            None,
            Some(AskedRisk::absolute(0.05)),
            Some(AskedRisk::against_remote(0.02)),
        ] {
            assert_eq!(
                runtime.bundle().thresholds(task, risk).values.len(),
                task.tiers.len()
            );
        }
        for input in [
            Input::Text("Some words to look at."),
            Input::Bytes(b"%PDF-1.7"),
        ] {
            let call = Call::new(id, input);
            let answer = pollster::block_on(runtime.run(&call, &nobody));
            assert!(answer.is_err(), "there is no model and no remote");
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let file = |n: u64| json!({"bytes": n, "sha256": "ab".repeat(32), "license": "MIT"});
    let tokens = json!({"kind": "tokens", "tokenizer": "t"});
    let full = json!({
        "format": "smallfirst-bundle", "version": 1, "name": "b", "revision": "1",
        "files": {"t.json": file(9), "e.sfm": file(9), "h.sfm": file(9), "n.json": file(9), "o.sfm": file(9), "README.md": file(9)},
        "tokenizers": {"t": {"kind": "hf-tokenizer", "file": "t.json"}},
        "encoders": {"e": {"file": "e.sfm", "features": tokens, "dimension": 4, "pooling": "mean", "maxTokens": 8}},
        "tagger": {"file": "o.sfm", "tokenizer": "t", "special": true, "labels": ["O", "B-PER", "I-PER"], "person": "PER", "maxTokens": 64},
        "heads": {
            "h": {"file": "h.sfm", "encoder": "e", "output": "logits", "temperature": 1.5,
                  "addend": {"file": "n.json", "features": {"kind": "hashed-tokens", "tokenizer": "t", "buckets": 64}},
                  "ood": {"method": "knn", "file": "o.sfm", "cut": 0.5}},
            "l": {"file": "h.sfm", "features": {"kind": "ngrams", "file": "n.json"}, "output": "probabilities", "temperature": 1, "threshold": 0.5},
            "w": {"file": "h.sfm", "features": {"kind": "byte-windows", "beginBytes": 4, "endBytes": 4, "blockBytes": 8, "padding": 256},
                  "output": "logits", "temperature": 1}},
        "tasks": {
            "lang": {"kind": "classify", "input": "text", "title": "L", "instruction": "i", "labels": [{"id": "en"}, {"id": "de"}],
                     "limits": {"minBytes": 1, "maxBytes": 1000}, "tiers": ["l"], "card": "README.md"},
            "spam": {"kind": "classify", "input": "text", "title": "S", "instruction": "i", "labels": [{"id": "a", "title": "A"}, {"id": "b"}],
                     "limits": {"minBytes": 1, "maxBytes": 1000, "maxTokens": 64, "languages": {"allow": ["en"], "task": "lang"}}, "tiers": ["h"],
                     "guarantee": {"delta": 0.05, "defaultRisk": 0.05, "rows": 100, "outOfScope": 1, "perSlice": true,
                                   "certificates": [{"risk": 0.01, "thresholds": null},
                                                    {"risk": 0.05, "thresholds": [0.9], "n": 50, "errors": 1, "bound": 0.04,
                                                     "tiers": [{"n": 50, "errors": 1}], "slices": {"x": {"n": 50, "errors": 1}}}],
                                   "reference": {"edges": [0.5], "counts": [50, 50]}}},
            "type": {"kind": "classify", "input": "bytes", "title": "T", "instruction": "i", "labels": [{"id": "a"}, {"id": "b"}],
                     "limits": {"minBytes": 1, "maxBytes": 1000}, "tiers": ["w"]},
            "sum": {"kind": "generate", "input": "text", "title": "G", "instruction": "i", "limits": {"minBytes": 1, "maxBytes": 1000},
                    "prompt": {"system": "In {{tone}}.", "user": "{{input}} {{x}}"}, "extract": {"encoder": "e", "sentences": 3}}}
    });
    let mut all = vec![full.to_string().into_bytes()];
    for task in ["lang", "spam", "type", "sum"] {
        let mut one = full.clone();
        if let Some(tasks) = one["tasks"].as_object_mut() {
            tasks.retain(|id, _| id == task || id == "lang");
        }
        all.push(one.to_string().into_bytes());
    }
    all.push(include_bytes!("../../../models/manifest.json").to_vec());
    all
}
