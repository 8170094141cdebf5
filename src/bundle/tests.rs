use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// A small manifest that is valid; the tests break it one way at a time.
fn sample() -> Value {
    let file = |bytes: u64| json!({"bytes": bytes, "sha256": "0".repeat(64), "license": "MIT"});
    let limits = json!({"minBytes": 1, "maxBytes": 1000, "maxTokens": 10});
    json!({
        "format": "smallfirst-bundle", "version": 1, "name": "sample", "revision": "1",
        "files": {
            "t/tokenizer.json": file(1), "t/encoder.onnx": file(10), "spam/head.onnx": file(100),
            "spam/ood.onnx": file(100_000),
            "lang/head.onnx": file(1000), "lang/ngrams.json": file(10000), "lang/README.md": file(7),
        },
        "tokenizers": {"bert": {"kind": "hf-tokenizer", "file": "t/tokenizer.json"}},
        "encoders": {"static": {
            "file": "t/encoder.onnx", "features": {"kind": "tokens", "tokenizer": "bert"}, "dimension": 4,
        }},
        "heads": {
            "spam": {"file": "spam/head.onnx", "encoder": "static", "output": "logits",
                     "temperature": 1.5, "ood": {"method": "knn", "file": "spam/ood.onnx", "cut": 0.4}},
            "lang": {"file": "lang/head.onnx", "features": {"kind": "ngrams", "file": "lang/ngrams.json"},
                     "output": "logits", "temperature": 1.0, "threshold": null},
        },
        "tasks": {
            "language": {"kind": "classify", "input": "text", "title": "Language", "instruction": "Tell it.",
                "labels": [{"id": "eng", "title": "English"}, {"id": "deu"}], "limits": limits,
                "tiers": ["lang"], "card": "lang/README.md"},
            "spam": {"kind": "classify", "input": "text", "title": "Spam", "instruction": "Is it spam?",
                "labels": [{"id": "spam"}, {"id": "ham"}],
                "limits": {"minBytes": 1, "maxBytes": 1000,
                           "languages": {"allow": ["eng"], "task": "language"}},
                "tiers": ["spam"],
                "guarantee": {"delta": 0.05, "defaultRisk": 0.05, "rows": 500, "certificates": [
                    {"risk": 0.01, "thresholds": null},
                    {"risk": 0.05, "thresholds": [0.9], "n": 100, "errors": 1, "bound": 0.047},
                    {"risk": 0.2, "thresholds": [0.6], "n": 300, "errors": 30, "bound": 0.14}],
                    "reference": {"edges": [0.5, 0.9], "counts": [10, 20, 30]}}},
        },
    })
}

fn parse(manifest: &Value) -> Result<Bundle> {
    Bundle::parse(manifest.to_string().as_bytes())
}

#[test]
fn the_sample_is_valid_and_tells_what_it_can_do() {
    let bundle = parse(&sample()).unwrap();
    let tasks = bundle.tasks(|name| name == "spam");
    assert_eq!(tasks.len(), 2);
    let spam = tasks.iter().find(|t| t.id == "spam").unwrap();
    assert_eq!(
        spam.tiers[0].bytes, 100_111,
        "head, encoder, tokenizer and OOD model"
    );
    assert!(spam.tiers[0].loaded);
    let language = tasks.iter().find(|t| t.id == "language").unwrap();
    assert_eq!(language.tiers[0].bytes, 11000, "head and vocabulary");
    assert!(!language.tiers[0].loaded);
    let unknown = bundle.task("nope").unwrap_err();
    assert_eq!(unknown.code(), Code::UnknownTask);
    assert!(unknown.to_string().contains("language, spam"), "{unknown}");
}

#[test]
fn a_risk_takes_the_largest_certificate_that_is_not_above_it() {
    let bundle = parse(&sample()).unwrap();
    let spam = bundle.task("spam").unwrap();
    for (asked, certified, value) in [
        (None, Some(0.05), Some(0.9)),
        (Some(0.05), Some(0.05), Some(0.9)),
        // Not representable exactly, and still the same risk.
        (Some(0.15 / 3.0), Some(0.05), Some(0.9)),
        (Some(0.1), Some(0.05), Some(0.9)),
        (Some(0.2), Some(0.2), Some(0.6)),
        (Some(0.9), Some(0.2), Some(0.6)),
        (Some(0.01), None, None),
        (Some(0.001), None, None),
    ] {
        let found = bundle.thresholds(spam, asked.map(AskedRisk::absolute));
        assert_eq!(found.certified.map(|c| c.risk), certified, "{asked:?}");
        assert_eq!(found.values, [value], "{asked:?}");
        assert_eq!(found.asked, asked.or(Some(0.05)).map(AskedRisk::absolute));
    }
    // A stated threshold is for calls that ask for no risk.
    let mut manifest = sample();
    manifest["heads"]["lang"]["threshold"] = json!(0.7);
    let bundle = parse(&manifest).unwrap();
    let language = bundle.task("language").unwrap();
    assert_eq!(bundle.thresholds(language, None).values, [Some(0.7)]);
    assert_eq!(
        bundle
            .thresholds(language, Some(AskedRisk::absolute(0.5)))
            .values,
        [None]
    );
    assert_eq!(bundle.thresholds(language, None).certified, None);
}

#[test]
fn an_excess_takes_a_certificate_against_the_remote() {
    let mut manifest = sample();
    manifest["tasks"]["spam"]["guarantee"]["againstRemote"] = json!({
        "model": "large-1",
        "labelErrors": 0.05,
        "certificates": [
            { "excess": 0.01, "thresholds": null },
            { "excess": 0.02, "thresholds": [0.8], "n": 90, "errors": 4, "remoteErrors": 5, "pValue": 0.03 },
        ],
    });
    let bundle = parse(&manifest).unwrap();
    let spam = bundle.task("spam").unwrap();
    for (excess, value) in [(0.01, None), (0.02, Some(0.8)), (0.5, Some(0.8))] {
        let found = bundle.thresholds(spam, Some(AskedRisk::against_remote(excess)));
        assert_eq!(found.values, [value], "{excess}");
        let promise = found.certified.map(|c| (c.kind, c.risk));
        assert_eq!(promise, value.map(|_| (GuaranteeKind::AgainstRemote, 0.02)));
    }
    // An absolute risk is not served by it, nor the other way round.
    let found = bundle.thresholds(spam, Some(AskedRisk::absolute(0.01)));
    assert_eq!(found.values, [None]);
    let tasks = bundle.tasks(|_| false);
    let info = tasks.iter().find(|t| t.id == "spam").unwrap();
    let against = info.against_remote.as_ref().unwrap();
    assert_eq!(
        (against.model.as_str(), against.risks.len()),
        ("large-1", 2)
    );
    assert!(!against.risks[0].certified && against.risks[1].certified);
    for (path, wrong) in [
        ("/model", json!("")),
        ("/labelErrors", json!(1.0)),
        ("/certificates/1/excess", json!(0.005)),
        ("/certificates/1/thresholds", json!([0.8, 0.8])),
        ("/certificates/1/thresholds", json!([1.5])),
        ("/certificates/1/remoteErrors", json!(91)),
        ("/certificates/1/n", json!(1_000_000)),
    ] {
        let mut manifest = manifest.clone();
        let against = &mut manifest["tasks"]["spam"]["guarantee"]["againstRemote"];
        *against.pointer_mut(path).unwrap() = wrong;
        assert_eq!(
            parse(&manifest).unwrap_err().code(),
            Code::BundleInvalid,
            "{path}"
        );
    }
    // A guarantee without it knows no such promise.
    let bundle = parse(&sample()).unwrap();
    let spam = bundle.task("spam").unwrap();
    let found = bundle.thresholds(spam, Some(AskedRisk::against_remote(0.5)));
    assert_eq!((found.values, found.certified), (vec![None], None));
}

#[test]
fn what_is_not_a_manifest_is_told_apart() {
    let cases: [(&[u8], Code); 6] = [
        (b"", Code::NotABundle),
        (b"<!doctype html><title>404</title>", Code::NotABundle),
        (b"[1, 2]", Code::NotABundle),
        (b"{}", Code::NotABundle),
        (
            br#"{"format": "smallfirst-bundle", "version": 2}"#,
            Code::BundleVersion,
        ),
        (
            br#"{"format": "smallfirst-bundle", "version": 1}"#,
            Code::BundleInvalid,
        ),
    ];
    for (json, code) in cases {
        let error = Bundle::parse(json).unwrap_err();
        assert_eq!(error.code(), code, "{}", String::from_utf8_lossy(json));
    }
}

#[test]
fn each_broken_rule_is_refused_and_named() {
    // (where, what to put there, a word the message must hold)
    let cases = [
        ("/files/spam~1head.onnx/sha256", json!("ABC"), "sha256"),
        ("/files/spam~1head.onnx/bytes", json!(0), "bytes"),
        ("/files/spam~1head.onnx/bytes", json!(1_u64 << 40), "bytes"),
        ("/files/spam~1head.onnx/license", json!(""), "licence"),
        ("/files/spam~1head.onnx/extra", json!(1), "extra"),
        (
            "/tokenizers/bert/file",
            json!("nowhere.json"),
            "nowhere.json",
        ),
        (
            "/tokenizers/bert/kind",
            json!("sentencepiece"),
            "sentencepiece",
        ),
        (
            "/encoders/static/file",
            json!("nowhere.onnx"),
            "nowhere.onnx",
        ),
        ("/encoders/static/dimension", json!(0), "dimension"),
        ("/encoders/static/features/tokenizer", json!("gone"), "gone"),
        ("/heads/spam/file", json!("nowhere.onnx"), "nowhere.onnx"),
        ("/heads/spam/encoder", json!("gone"), "gone"),
        (
            "/heads/spam/features",
            json!({"kind": "ngrams", "file": "lang/ngrams.json"}),
            "either",
        ),
        ("/heads/spam/encoder", json!(null), "either"),
        ("/heads/spam/temperature", json!(0.0), "temperature"),
        ("/heads/spam/temperature", json!(-1.0), "temperature"),
        ("/heads/lang/threshold", json!(1.5), "threshold"),
        ("/heads/spam/ood/file", Value::Null, "ood"),
        ("/heads/spam/ood/file", json!("nowhere"), "does not list"),
        ("/heads/spam/ood/method", json!("energy"), "ood"),
        ("/tasks/spam/guarantee/delta", json!(0), "delta"),
        (
            "/tasks/spam/guarantee/defaultRisk",
            json!(1),
            "between 0 and 1",
        ),
        (
            "/tasks/spam/guarantee/certificates/0/risk",
            json!(0.3),
            "rising",
        ),
        (
            "/tasks/spam/guarantee/certificates/1/errors",
            json!(101),
            "counts that agree",
        ),
        (
            "/tasks/spam/guarantee/certificates/1/n",
            json!(501),
            "counts that agree",
        ),
        (
            "/tasks/spam/guarantee/certificates/1/thresholds",
            json!([0.9, 0.9]),
            "one threshold",
        ),
        ("/tasks/spam/guarantee/uses", json!(0), "at least once"),
        (
            "/tasks/spam/guarantee/designEffects",
            json!({"risk": 0.05, "slices": -0.1}),
            "not negative",
        ),
        (
            "/tasks/spam/guarantee/designEffects",
            json!({"risk": 0.01, "slices": 1.0}),
            "certified risk",
        ),
        (
            "/tasks/spam/guarantee/designEffects",
            json!({"risk": 0.05, "slice": 1.0}),
            "unknown field",
        ),
        (
            "/tasks/spam/guarantee/reference/edges",
            json!([0.9, 0.5]),
            "reference",
        ),
        (
            "/tasks/spam/guarantee/reference/counts",
            json!([1, 2]),
            "reference",
        ),
        (
            "/heads/lang/features/file",
            json!("nowhere.json"),
            "nowhere.json",
        ),
        ("/tasks/spam/labels", json!([{"id": "spam"}]), "two labels"),
        (
            "/tasks/spam/labels",
            json!([{"id": "a"}, {"id": "a"}]),
            "distinct",
        ),
        ("/tasks/spam/limits/maxBytes", json!(0), "maxBytes"),
        (
            "/tasks/spam/limits/languages/task",
            json!("spam"),
            "languages",
        ),
        (
            "/tasks/spam/limits/languages/allow",
            json!(["xyz"]),
            "languages",
        ),
        ("/tasks/spam/tiers", json!([]), "tiers"),
        ("/tasks/spam/tiers", json!(["gone"]), "gone"),
        ("/tasks/language/input", json!("bytes"), "bytes"),
        ("/tasks/language/card", json!("nowhere.md"), "nowhere.md"),
        ("/tasks", json!({}), "no tasks"),
    ];
    for (pointer, value, word) in cases {
        let mut manifest = sample();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        manifest.pointer_mut(parent).unwrap()[key] = value.clone();
        let error = parse(&manifest).expect_err(&format!("{pointer} = {value}"));
        assert_eq!(error.code(), Code::BundleInvalid, "{pointer}: {error}");
        assert!(
            error.to_string().contains(word),
            "{pointer} = {value}: {error}"
        );
    }
}

#[test]
fn a_guarantee_without_uses_and_design_effects_is_read_and_written_as_it_is() {
    let guarantee = |manifest: &Value| {
        let bundle = parse(manifest).unwrap();
        bundle.task("spam").unwrap().guarantee.clone().unwrap()
    };
    let old = guarantee(&sample());
    assert_eq!((old.uses, old.design_effects), (None, None));
    // A fingerprint is of what is written: absent fields must stay absent.
    let written = serde_json::to_string(&old).unwrap();
    assert!(
        !written.contains("uses") && !written.contains("designEffects"),
        "{written}"
    );
    let mut manifest = sample();
    manifest["tasks"]["spam"]["guarantee"]["uses"] = json!(2);
    manifest["tasks"]["spam"]["guarantee"]["designEffects"] =
        json!({"risk": 0.05, "nearCopies": 1.25});
    let new = guarantee(&manifest);
    let effects = DesignEffects {
        risk: 0.05,
        slices: None,
        near_copies: Some(1.25),
    };
    assert_eq!((new.uses, new.design_effects), (Some(2), Some(effects)));
}

#[test]
fn byte_windows_are_bounded() {
    let windows = |begin: u32, block: u32| {
        let mut manifest = sample();
        manifest["heads"]["lang"]["features"] = json!({"kind": "byte-windows",
            "beginBytes": begin, "endBytes": 1, "blockBytes": block, "padding": 256});
        manifest["tasks"]["language"]["input"] = json!("bytes");
        manifest["tasks"]["spam"]["limits"]["languages"] = json!(null);
        parse(&manifest)
    };
    assert!(windows(1024, 4096).is_ok());
    assert!(windows(0, 4096).is_err());
    assert!(windows(4097, 4096).is_err());
    assert!(windows(1, u32::MAX).is_err());
}

#[test]
fn a_prompt_has_so_many_places() {
    let prompt = |places: usize| {
        let mut manifest = sample();
        manifest["tasks"]["write"] = json!({"kind": "generate", "input": "text", "title": "W", "instruction": "Write.",
            "limits": {"minBytes": 1, "maxBytes": 1000},
            "prompt": {"system": "{{tone}}", "user": "{{input}}".repeat(places - 1)}});
        parse(&manifest)
    };
    assert!(prompt(64).is_ok());
    let error = prompt(65).unwrap_err().to_string();
    assert!(error.contains("65 places"), "{error}");
}

/// Each of very many languages is looked up among as many labels: one by one that would take minutes.
#[test]
fn many_languages_are_looked_up_among_many_labels() {
    let labels: Vec<Value> = (0..200_000)
        .map(|i| json!({"id": format!("l{i}")}))
        .collect();
    let mut manifest = sample();
    let languages = labels.iter().rev().map(|label| label["id"].clone());
    manifest["tasks"]["spam"]["limits"]["languages"]["allow"] = languages.collect();
    manifest["tasks"]["language"]["labels"] = labels.into();
    assert!(Bundle::parse(manifest.to_string().as_bytes()).is_ok());
    manifest["tasks"]["spam"]["limits"]["languages"]["allow"][100] = "l200000".into();
    let error = Bundle::parse(manifest.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("labels of it"), "{error}");
}

#[test]
fn no_path_leaves_the_bundle() {
    for path in [
        "../x",
        "/x",
        "a//b",
        "a/./b",
        "a/../b",
        "a\\b",
        "http://h/x",
        "a?b",
        "a#b",
        "ä",
        "",
    ] {
        let mut manifest = sample();
        manifest["files"][path] = json!({"bytes": 1, "sha256": "0".repeat(64), "license": "MIT"});
        let error = parse(&manifest).expect_err(path);
        assert!(
            error.to_string().contains("inside the bundle"),
            "{path}: {error}"
        );
    }
}

#[test]
fn size_and_hash_are_checked() {
    let entry = FileEntry {
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
        license: "MIT".into(),
        prepared_from: None,
        weights: None,
    };
    verify("f", &entry, b"abc").unwrap();
    assert_eq!(
        verify("f", &entry, b"ab").unwrap_err().code(),
        Code::FileSize
    );
    assert_eq!(
        verify("f", &entry, b"abd").unwrap_err().code(),
        Code::HashMismatch
    );
    let found = verify::sha256(b"abc");
    verify::verify_manifest(&found, &entry.sha256.to_uppercase()).unwrap();
    let error = verify::verify_manifest(&verify::sha256(b"abd"), &entry.sha256).unwrap_err();
    assert_eq!(error.code(), Code::HashMismatch);
}

/// The committed JSON Schema is what the types say. `UPDATE=1 cargo test` rewrites it.
#[test]
fn the_committed_json_schema_is_fresh() {
    let schema = schemars::schema_for!(Manifest);
    let fresh = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    crate::fresh::check("src/bundle/manifest.schema.json", &fresh);
}

/// tests/fixtures/task-files.json says which files the first tier of each task needs; the page's own rule is held against it, too.
#[test]
fn the_committed_files_of_tasks_are_fresh() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/manifest.json");
    let models: Value = serde_json::from_slice(&std::fs::read(models).unwrap()).unwrap();
    let cases = [
        (json!("models/manifest.json"), models),
        (sample(), sample()),
        (sight::tests::sample(), sight::tests::sample()),
    ];
    let cases = cases.map(|(said, manifest)| {
        let bundle = parse(&manifest).unwrap();
        let tasks = bundle.manifest().tasks.iter();
        let files = tasks.map(|(name, task)| {
            (
                name.clone(),
                json!(bundle.files_of_task(task, Tiers::First)),
            )
        });
        json!({"manifest": said, "files": files.collect::<serde_json::Map<_, _>>()})
    });
    let [models, sample, sight] = &cases;
    assert_eq!(
        models["files"]["summarise"],
        json!(["static-text/encoder.sfm", "static-text/tokenizer.json"])
    );
    assert_eq!(
        sample["files"]["spam"],
        json!([
            "lang/head.onnx",
            "lang/ngrams.json",
            "spam/head.onnx",
            "spam/ood.onnx",
            "t/encoder.onnx",
            "t/tokenizer.json"
        ])
    );
    assert_eq!(sight["files"]["ocr"], json!(["f.onnx", "r.onnx", "r.txt"]));
    let fresh = serde_json::to_string_pretty(&cases).unwrap() + "\n";
    crate::fresh::check("tests/fixtures/task-files.json", &fresh);
}
