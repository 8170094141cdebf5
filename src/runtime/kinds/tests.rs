//! Tasks of spans, labels and answers along their path, with a real (small) model and a remote that is prepared.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::bundle::Bundle;
use crate::engine::testing::rows;
use crate::remote::{RemoteOptions, TransportError};
use crate::task::kind::Aggregation;
use crate::task::{GuaranteeKind, Loss};
use crate::testing::{Folder, Script, World};

/// "Ann" is surely a name, "Bo" perhaps, "x" none.
const WORDS: [&str; 6] = ["[UNK]", "Ann", "Bo", "x", "wrote", "."];

fn files() -> BTreeMap<String, Vec<u8>> {
    let vocab: BTreeMap<&str, usize> = WORDS.iter().copied().zip(0..).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab}
    });
    let outside = vec![9.0, 0.0];
    let table = [
        outside.clone(),
        vec![0.0, 9.0],
        vec![0.0, 0.5],
        outside.clone(),
        outside.clone(),
        outside,
    ];
    BTreeMap::from([
        (
            "tokenizer.json".to_owned(),
            tokenizer.to_string().into_bytes(),
        ),
        ("model.onnx".to_owned(), rows(&table)),
    ])
}

fn manifest(files: &BTreeMap<String, Vec<u8>>, guarantee: Value) -> Value {
    let entry = |bytes: &Vec<u8>| {
        let hash = Sha256::digest(bytes);
        let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
        json!({"bytes": bytes.len(), "sha256": hash, "license": "MIT"})
    };
    let entries: BTreeMap<&String, Value> = files
        .iter()
        .map(|(path, bytes)| (path, entry(bytes)))
        .collect();
    let model = json!({"file": "model.onnx", "features": {"kind": "tokens", "tokenizer": "words"}});
    let limits = json!({"minBytes": 1, "maxBytes": 100});
    json!({
        "format": "smallfirst-bundle", "version": 1, "name": "test", "revision": "1", "files": entries,
        "tokenizers": {"words": {"kind": "hf-tokenizer", "file": "tokenizer.json"}},
        "models": {"tags": model},
        "tasks": {
            "names": {"kind": "token-classification", "input": "text", "title": "Names", "instruction": "Find the names.",
                      "labels": [{"id": "O"}, {"id": "PER"}], "limits": limits, "tiers": ["tags"], "guarantee": guarantee},
            "vectors": {"kind": "feature-extraction", "input": "text", "title": "Vectors", "instruction": "Make vectors.",
                        "limits": limits, "tiers": ["tags"]},
        },
    })
}

/// At most 10 % of an answer's F1 is lost where the confidence is at least 0.9.
fn guarantee() -> Value {
    json!({"loss": "f1", "delta": 0.05, "defaultRisk": 0.1, "rows": 500, "certificates": [
        {"risk": 0.01, "thresholds": null},
        {"risk": 0.1, "thresholds": [0.9], "n": 300, "errors": 20, "meanLoss": 0.05, "pValue": 0.01}]})
}

fn runtime(manifest: &Value, files: BTreeMap<String, Vec<u8>>, mode: Mode) -> Runtime<Folder> {
    redacting(manifest, files, mode, json!({})).unwrap()
}

fn redacting(
    manifest: &Value,
    files: BTreeMap<String, Vec<u8>>,
    mode: Mode,
    redact: Value,
) -> Result<Runtime<Folder>> {
    let bundle = Bundle::parse(manifest.to_string().as_bytes()).unwrap();
    let remote: RemoteOptions = serde_json::from_value(json!({
        "endpoints": [{"provider": "openai", "baseUrl": "https://llm.example/v1", "model": "big"}],
        "policy": {"maxRetries": 0}, "privacy": {"redact": redact},
    }))
    .unwrap();
    Runtime::new(bundle, Folder(files), mode, remote)
}

fn usual(mode: Mode) -> Runtime<Folder> {
    let files = files();
    runtime(&manifest(&files, guarantee()), files, mode)
}

fn saying(content: &Value) -> World {
    let body = json!({"choices": [{"message": {"content": content.to_string()}, "finish_reason": "stop"}]});
    World::new(1, move |_, _| Script::reply(200, &*body.to_string()))
}

fn silent() -> World {
    World::new(1, |_, _| {
        Script::broken(TransportError::Unreachable("refused".into()))
    })
}

fn call<'a>(task: &'a str, text: &'a str) -> KindCall<'a> {
    KindCall {
        task,
        input: Input::Text(text),
        mode: None,
        risk: None,
        dry: false,
        options: KindOptions::default(),
    }
}

fn entities(answer: &Answer<KindOutput>) -> Vec<(&str, u32, u32)> {
    match &answer.output {
        KindOutput::Tokens(output) => {
            let entities = output.entities.iter();
            entities
                .map(|e| (e.text.as_str(), e.start, e.end))
                .collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certified_answer_stays_here_and_says_what_is_promised() {
    let world = silent();
    let runtime = usual(Mode::PreferLocal);
    let answer = world.block_on(runtime.perform(&call("names", "Ann wrote x"), &world));
    let answer = answer.unwrap();
    assert_eq!(entities(&answer), [("Ann", 0, 3)]);
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Local, Reason::Confident)
    );
    assert!(answer.calibrated && answer.guaranteed && !answer.degraded);
    let promise = answer.guarantee.unwrap();
    assert_eq!((promise.kind, promise.risk), (GuaranteeKind::Absolute, 0.1));
    assert_eq!(promise.loss, Some(Loss::F1));
    assert!(
        answer.explanation.contains("the mean of 1 - F1"),
        "{}",
        answer.explanation
    );
    assert!(world.requests.borrow().is_empty());
    // A tighter promise than there is a certificate for is none.
    let tight = KindCall {
        risk: Some(0.01),
        mode: Some(Mode::OnlyLocal),
        ..call("names", "Ann wrote x")
    };
    let answer = world.block_on(runtime.perform(&tight, &world)).unwrap();
    assert_eq!(
        (answer.reason, answer.guaranteed),
        (Reason::Uncertified, false)
    );
    assert!(answer.degraded);
    // Tokens by themselves are other answers than those that were calibrated.
    let mut other = call("names", "Ann wrote x");
    other.options.aggregation = Some(Aggregation::None);
    other.mode = Some(Mode::OnlyLocal);
    let answer = world.block_on(runtime.perform(&other, &world)).unwrap();
    assert!(!answer.guaranteed && !answer.calibrated);
}

#[test]
fn a_call_without_options_is_made_with_those_that_were_calibrated() {
    let world = silent();
    let mut guarantee = guarantee();
    guarantee["options"] = json!({"aggregation": "none"});
    let files = files();
    let runtime = runtime(&manifest(&files, guarantee), files, Mode::OnlyLocal);
    let labels = |call: &KindCall<'_>| {
        let answer = world.block_on(runtime.perform(call, &world)).unwrap();
        let labels = match &answer.output {
            KindOutput::Tokens(output) => output.entities.iter().map(|e| e.label.clone()),
            other => panic!("{other:?}"),
        };
        (labels.collect::<Vec<_>>(), answer.guaranteed)
    };
    // Two tokens, and one name.
    let text = "Ann Ann wrote";
    let (calibrated, guaranteed) = labels(&call("names", text));
    assert_eq!((calibrated.len(), guaranteed), (2, true));
    let with = |options| KindCall {
        options,
        ..call("names", text)
    };
    let named = |aggregation| KindOptions {
        aggregation: Some(aggregation),
        ..KindOptions::default()
    };
    assert_eq!(
        labels(&with(named(Aggregation::None))),
        (calibrated.clone(), true)
    );
    // The usual ones are others here.
    let (simple, guaranteed) = labels(&with(named(Aggregation::Simple)));
    assert_ne!(simple, calibrated);
    assert!(!guaranteed);
}

#[test]
fn what_is_not_sure_enough_is_asked_of_a_remote_that_gives_the_same_output() {
    let runtime = usual(Mode::PreferLocal);
    let world = saying(&json!({"entities": [{"label": "PER", "text": "Bo"}]}));
    let answer = world.block_on(runtime.perform(&call("names", "x Bo wrote"), &world));
    let answer = answer.unwrap();
    assert_eq!(entities(&answer), [("Bo", 2, 4)]);
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::LowConfidence)
    );
    assert!(!answer.guaranteed && !answer.calibrated);
    assert_eq!(answer.attempts.len(), 2);
    let sent = world.requests.borrow()[0].body().to_owned();
    for part in [
        "Find the names.",
        "x Bo wrote",
        "json_schema",
        "entities",
        "PER",
    ] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
    assert!(!sent.contains("\"O\""), "{sent}");
}

#[test]
fn without_a_remote_the_best_there_is_says_so() {
    let world = silent();
    let runtime = usual(Mode::PreferLocal);
    let answer = world.block_on(runtime.perform(&call("names", "x Bo wrote"), &world));
    let answer = answer.unwrap();
    assert_eq!(entities(&answer), [("Bo", 2, 4)]);
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Local, Reason::LowConfidence)
    );
    assert!(answer.degraded && !answer.guaranteed);
    assert_eq!(answer.attempts.len(), 2);
}

#[test]
fn a_made_up_entity_is_asked_for_again_and_then_refused() {
    let runtime = usual(Mode::OnlyRemote);
    let world = saying(&json!({"entities": [{"label": "PER", "text": "Carl"}]}));
    let error = world.block_on(runtime.perform(&call("names", "x Bo wrote"), &world));
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::RemoteBadResponse);
    assert!(
        error.to_string().contains("does not stand in the text"),
        "{error}"
    );
    // Once asked, once asked to mend it.
    assert_eq!(world.requests.borrow().len(), 2);
}

#[test]
fn personal_data_is_taken_out_on_the_way_and_found_on_the_way_back() {
    let runtime = usual(Mode::OnlyRemote);
    let text = "Bo wrote to ann@example.com .";
    // The remote copies the placeholder that it was shown.
    let world = World::new(1, |request, _| {
        let body: Value = serde_json::from_str(request.body()).unwrap();
        let shown = body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        let shown = shown.as_str().unwrap();
        let placeholder = shown
            .trim_start_matches("Bo wrote to ")
            .trim_end_matches(" .");
        let content = json!({"entities": [{"label": "PER", "text": placeholder}]});
        let body = json!({"choices": [{"message": {"content": content.to_string()}, "finish_reason": "stop"}]});
        Script::reply(200, &*body.to_string())
    });
    let answer = world.block_on(runtime.perform(&call("names", text), &world));
    let answer = answer.unwrap();
    assert_eq!(entities(&answer), [("ann@example.com", 12, 27)]);
    let sent = world.requests.borrow()[0].body().to_owned();
    assert!(!sent.contains("ann@example.com"), "{sent}");
    assert_eq!(answer.sent.len(), 1);
}

#[test]
fn what_only_this_device_gives_is_asked_of_nobody() {
    let world = saying(&json!({}));
    let runtime = usual(Mode::PreferRemote);
    let answer = world.block_on(runtime.perform(&call("vectors", "Ann"), &world));
    assert_eq!(answer.unwrap().reason, Reason::LocalOnly);
    let only = KindCall {
        mode: Some(Mode::OnlyRemote),
        ..call("vectors", "Ann")
    };
    let error = world.block_on(runtime.perform(&only, &world)).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
    assert!(world.requests.borrow().is_empty());
}

#[test]
fn what_a_task_does_not_read_is_refused_before_anybody_is_asked() {
    let world = saying(&json!({"entities": []}));
    let pair = Input::Pair {
        text: "Ann",
        second: "Bo",
    };
    for input in [Input::Bytes(b"Ann"), pair] {
        let odd = KindCall {
            input,
            mode: Some(Mode::PreferRemote),
            ..call("names", "Ann")
        };
        let error = world.block_on(usual(Mode::PreferLocal).perform(&odd, &world));
        assert_eq!(error.unwrap_err().code(), Code::InputKind);
    }
    assert!(world.requests.borrow().is_empty());
}

#[test]
fn where_the_model_is_missing_the_remote_answers_or_both_are_told() {
    let mut all = files();
    let manifest = manifest(&all, guarantee());
    all.remove("model.onnx");
    let world = saying(&json!({"entities": []}));
    let runtime_of = |mode| runtime(&manifest, all.clone(), mode);
    let answer = world.block_on(runtime_of(Mode::PreferLocal).perform(&call("names", "x"), &world));
    let answer = answer.unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::ModelUnavailable)
    );
    let world = silent();
    let error = world.block_on(runtime_of(Mode::PreferLocal).perform(&call("names", "x"), &world));
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::FileMissing);
    assert_eq!(error.attempts().len(), 2);
    // Too long for the task: nobody here, the remote all the same.
    let long = "x ".repeat(80);
    let world = saying(&json!({"entities": []}));
    let runtime = usual(Mode::PreferLocal);
    let answer = world
        .block_on(runtime.perform(&call("names", &long), &world))
        .unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::InputTooLong)
    );
}

#[test]
fn a_guarantee_of_another_kind_is_refused() {
    let files = files();
    for (change, why) in [
        (json!({"loss": null}), "names one of its losses"),
        (
            json!({"loss": "f1", "certificates": [{"risk": 0.1, "thresholds": [0.9, 0.8]}]}),
            "one threshold",
        ),
        (
            json!({"certificates": [{"risk": 0.1, "thresholds": [0.9], "meanLoss": 2.0}]}),
            "counts that agree",
        ),
    ] {
        let mut guarantee = guarantee();
        guarantee
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let manifest = manifest(&files, guarantee);
        let error = Bundle::parse(manifest.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let mut manifest = manifest(&files, guarantee());
    manifest["models"]["tags"]["platt"] = json!({"slope": 0.0, "intercept": 1.0});
    let error = Bundle::parse(manifest.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("slope above 0"), "{error}");
}

mod redaction;
