//! The path of a call, with real (small) models, a folder of bytes in memory, a prepared host
//! and a clock that the test moves.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::bundle::{FileEntry, Tiers, verify};
use crate::engine::testing::{apart, linear};
use crate::remote::{RemoteOptions, TransportError};
use crate::task::{Answer, Input, Label, Outcome, RanOn, Reason};
use crate::testing::{Script, World};

/// Files in memory, and how often each was read.
struct Folder {
    files: BTreeMap<String, Vec<u8>>,
    reads: RefCell<Vec<String>>,
}

impl Source for Folder {
    async fn read(&self, path: &str, entry: &FileEntry) -> Result<Vec<u8>> {
        self.reads.borrow_mut().push(path.to_owned());
        let bytes = self
            .files
            .get(path)
            .ok_or_else(|| Error::new(Code::FileMissing, format!("{path} does not exist")))?;
        verify(path, entry, bytes)?;
        Ok(bytes.clone())
    }
}

/// The world's network, with a prepared reply.
struct Remote(World);

impl Remote {
    fn scripted(script: Script) -> Self {
        Remote(World::new(1, move |_, _| script.clone()))
    }

    fn with(reply: std::result::Result<(u16, &str), TransportError>) -> Self {
        Remote::scripted(match reply {
            Ok((status, body)) => Script::reply(status, body),
            Err(error) => Script::broken(error),
        })
    }

    /// Answers `label`.
    fn answering(label: &str) -> Self {
        let content = json!({ "label": label }).to_string();
        let body = json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}],
                          "usage": {"prompt_tokens": 7, "completion_tokens": 3}});
        Remote::with(Ok((200, &body.to_string())))
    }

    fn failing() -> Self {
        Remote::with(Err(TransportError::Unreachable("refused".into())))
    }

    fn asked(&self) -> usize {
        self.0.requests.borrow().len()
    }

    /// Runs one call in this world.
    fn call(&self, runtime: &Runtime<Folder>, call: &Call) -> Result<Answer> {
        self.0.block_on(runtime.run(call, &self.0))
    }
}

/// A bundle of two tasks over letter counts. `language` tells "eng" (many a's) from "deu" (many
/// b's); `mood` tells "up" (many x's) from "down" (many y's), has two tiers of which the first asks
/// for more, and covers English only.
fn files() -> BTreeMap<String, Vec<u8>> {
    let ngrams =
        json!({"unigrams": ["a", "b", "x", "y"], "bigrams": [], "trigrams": [], "quadgrams": []});
    let language = linear(
        &[
            vec![40.0, 0.0],
            vec![0.0, 40.0],
            vec![20.0, 0.0],
            vec![20.0, 0.0],
        ],
        &[0.0, 0.0],
    );
    let mood = |gain: f32| {
        linear(
            &[
                vec![0.0, 0.0],
                vec![0.0, 0.0],
                vec![gain, 0.0],
                vec![0.0, gain],
            ],
            &[0.0, 0.0],
        )
    };
    BTreeMap::from([
        ("ngrams.json".to_owned(), ngrams.to_string().into_bytes()),
        ("language.onnx".to_owned(), language),
        ("weak.onnx".to_owned(), mood(2.0)),
        ("strong.onnx".to_owned(), mood(8.0)),
    ])
}

fn manifest(files: &BTreeMap<String, Vec<u8>>) -> Value {
    let entries: BTreeMap<_, _> = files
        .iter()
        .map(|(path, bytes)| {
            let hash: String = Sha256::digest(bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            (
                path,
                json!({"bytes": bytes.len(), "sha256": hash, "license": "MIT"}),
            )
        })
        .collect();
    let head = |file: &str, threshold: f64| {
        json!({"file": file, "features": {"kind": "ngrams", "file": "ngrams.json"},
               "output": "logits", "temperature": 1.0, "threshold": threshold})
    };
    let task = |title: &str, labels: [&str; 2], languages: Value, tiers: &[&str]| {
        json!({"kind": "classify", "input": "text", "title": title, "instruction": format!("Tell the {title}."),
               "labels": labels.map(|id| json!({"id": id, "title": id.to_uppercase()})),
               "limits": {"minBytes": 2, "maxBytes": 40, "languages": languages}, "tiers": tiers})
    };
    json!({
        "format": "smallfirst-bundle", "version": 1, "name": "test", "revision": "1", "files": entries,
        "heads": {"language": head("language.onnx", 0.9), "weak": head("weak.onnx", 0.9),
                  "strong": head("strong.onnx", 0.8)},
        "tasks": {
            "language": task("language", ["eng", "deu"], Value::Null, &["language"]),
            "mood": task("mood", ["up", "down"], json!({"allow": ["eng"], "task": "language"}), &["weak", "strong"]),
        },
    })
}

struct Setup {
    files: BTreeMap<String, Vec<u8>>,
    manifest: Value,
    mode: Mode,
    endpoint: bool,
    privacy: Value,
    profile: Value,
    /// The model of the endpoint, and how many of its answers are kept.
    model: String,
    cached: u32,
}

impl Setup {
    fn new(mode: Mode) -> Self {
        let files = files();
        Setup {
            manifest: manifest(&files),
            files,
            mode,
            endpoint: true,
            privacy: json!({}),
            profile: Value::Null,
            model: "big".into(),
            cached: 0,
        }
    }

    fn runtime(self) -> Runtime<Folder> {
        let bundle = Bundle::parse(self.manifest.to_string().as_bytes()).unwrap();
        let endpoint = json!({"provider": "openai", "baseUrl": "https://llm.example/v1", "model": self.model, "profile": self.profile});
        let remote: RemoteOptions = serde_json::from_value(json!({
            "endpoints": if self.endpoint { vec![endpoint] } else { Vec::new() },
            "policy": {"maxRetries": 0}, "answerCache": {"entries": self.cached},
            "privacy": self.privacy,
        }))
        .unwrap();
        let folder = Folder {
            files: self.files,
            reads: RefCell::default(),
        };
        Runtime::new(bundle, folder, self.mode, remote).unwrap()
    }
}

fn run(runtime: &Runtime<Folder>, task: &str, text: &str, remote: &Remote) -> Result<Answer> {
    remote.call(runtime, &Call::new(task, Input::Text(text)))
}

/// Sure for both moods' tiers / only for the second / for none.
const SURE: &str = "xxxxxxxx";
const MIDDLING: &str = "xxxaaaaaa";
const UNSURE: &str = "xyxyaaaa";
const FOREIGN: &str = "bbbbbbbbbx";

#[test]
fn a_confident_local_answer_never_reaches_the_remote() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    let remote = Remote::answering("down");
    let answer = run(&runtime, "language", "aaaa", &remote).unwrap();
    assert_eq!(answer.output.label, "eng");
    assert_eq!(answer.output.title.as_deref(), Some("ENG"));
    assert_eq!(
        (answer.ran_on, answer.reason, answer.degraded),
        (RanOn::Local, Reason::Confident, false)
    );
    assert!(answer.confidence.unwrap() >= answer.threshold.unwrap());
    assert_eq!(answer.attempts.len(), 1);
    assert_eq!(answer.timing.remote_ms, 0.0);
    let total: f64 = answer.output.scores.iter().map(|s| s.score).sum();
    assert!((total - 1.0).abs() < 1e-9);
    assert_eq!(remote.asked(), 0);
}

/// As exporters write large models; the file is one of the bundle's like all others.
#[test]
fn weights_in_a_file_beside_a_model_are_fetched_with_it() {
    let mut setup = Setup::new(Mode::OnlyLocal);
    let (model, weights) = apart(&setup.files["language.onnx"], "language.onnx.data");
    setup.files.insert("language.onnx".into(), model);
    setup.files.insert("language.onnx.data".into(), weights);
    setup.manifest = manifest(&setup.files);
    let runtime = setup.runtime();
    let answer = run(&runtime, "language", "aaaa", &Remote::failing()).unwrap();
    assert_eq!(answer.output.label, "eng");
    let reads = runtime.source().reads.borrow().clone();
    assert!(
        reads.contains(&"language.onnx.data".to_owned()),
        "{reads:?}"
    );

    let mut setup = Setup::new(Mode::OnlyLocal);
    let (model, _) = apart(&setup.files["language.onnx"], "language.onnx.data");
    setup.files.insert("language.onnx".into(), model);
    setup.manifest = manifest(&setup.files);
    let error = run(&setup.runtime(), "language", "aaaa", &Remote::failing()).unwrap_err();
    assert!(error.to_string().contains("language.onnx.data"), "{error}");
}

#[test]
fn tiers_are_tried_in_order_until_one_is_sure() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    let remote = Remote::answering("down");
    let answer = run(&runtime, "mood", MIDDLING, &remote).unwrap();
    assert_eq!(
        (answer.ran_on, answer.tier.as_str()),
        (RanOn::Local, "strong")
    );
    let outcomes: Vec<_> = answer
        .attempts
        .iter()
        .map(|a| (a.tier.as_str(), a.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [("weak", Outcome::Escalated), ("strong", Outcome::Answered)]
    );
    assert_eq!(remote.asked(), 0);
}

#[test]
fn an_unsure_answer_escalates_and_says_why() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    let remote = Remote::answering("down");
    let answer = run(&runtime, "mood", UNSURE, &remote).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::LowConfidence)
    );
    assert_eq!(
        (answer.output.label.as_str(), answer.tier.as_str()),
        ("down", "big")
    );
    assert_eq!((answer.confidence, answer.degraded), (None, false));
    assert_eq!(answer.usage.unwrap().input_tokens, 7);
    assert_eq!(answer.attempts.len(), 3);
    assert!(
        answer.explanation.contains("below its threshold"),
        "{}",
        answer.explanation
    );
    assert!(answer.timing.remote_ms > 0.0);
    let sent: Value = serde_json::from_str(remote.0.requests.borrow()[0].body()).unwrap();
    assert!(
        sent["messages"][0]["content"]
            .as_str()
            .unwrap()
            .starts_with("Tell the mood.")
    );
}

#[test]
fn when_the_remote_cannot_answer_the_best_local_answer_is_degraded() {
    let offline = Remote::answering("down");
    offline.0.online.set(false);
    let silent = Script {
        after: f64::INFINITY,
        ..Script::reply(200, "")
    };
    let cases = [
        (Remote::failing(), true, "remote_unreachable"),
        (Remote::scripted(silent), true, "remote_timeout"),
        (Remote::with(Ok((500, ""))), true, "remote_status"),
        (
            Remote::with(Ok((200, "<html>"))),
            true,
            "remote_bad_response",
        ),
        (Remote::answering("sideways"), true, "remote_bad_response"),
        (offline, true, "offline"),
        (Remote::answering("down"), false, "remote_not_configured"),
    ];
    for (remote, endpoint, code) in cases {
        let runtime = Setup {
            endpoint,
            ..Setup::new(Mode::PreferLocal)
        }
        .runtime();
        let answer = run(&runtime, "mood", UNSURE, &remote).unwrap();
        assert_eq!(
            (answer.ran_on, answer.reason),
            (RanOn::Local, Reason::LowConfidence),
            "{code}"
        );
        assert!(answer.degraded, "{code}");
        let last = answer.attempts.last().unwrap();
        assert_eq!((last.on, last.code.as_deref()), (RanOn::Remote, Some(code)));
        assert!(
            answer.explanation.contains("best local answer"),
            "{}",
            answer.explanation
        );
        // The next call is not affected.
        assert_eq!(
            run(&runtime, "language", "aaaa", &remote).unwrap().reason,
            Reason::Confident
        );
    }
}

#[test]
fn only_local_sends_nothing_whatever_happens() {
    let runtime = Setup::new(Mode::OnlyLocal).runtime();
    let remote = Remote::answering("down");
    let answer = run(&runtime, "mood", UNSURE, &remote).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason, answer.degraded),
        (RanOn::Local, Reason::LowConfidence, true)
    );
    let answer = run(&runtime, "mood", FOREIGN, &remote).unwrap();
    assert_eq!(
        (answer.reason, answer.degraded),
        (Reason::UnsupportedLanguage, true)
    );
    for (task, text, code) in [
        ("mood", "x", Code::InputTooShort),
        ("mood", "123", Code::InputTooShort),
        ("nope", "xxxx", Code::UnknownTask),
        ("mood", "", Code::EmptyInput),
    ] {
        assert_eq!(
            run(&runtime, task, text, &remote).unwrap_err().code(),
            code,
            "{task} {text:?}"
        );
    }
    let long = "x".repeat(41);
    assert_eq!(
        run(&runtime, "mood", &long, &remote).unwrap_err().code(),
        Code::InputTooLong
    );
    assert_eq!(remote.asked(), 0);
}

#[test]
fn what_local_models_cannot_take_goes_to_the_remote() {
    let long = "x".repeat(41);
    for (task, text, reason) in [
        ("mood", "x", Reason::InputTooShort),
        ("mood", "1234", Reason::InputTooShort),
        ("mood", long.as_str(), Reason::InputTooLong),
        ("mood", FOREIGN, Reason::UnsupportedLanguage),
    ] {
        let runtime = Setup::new(Mode::PreferLocal).runtime();
        let answer = run(&runtime, task, text, &Remote::answering("up")).unwrap();
        assert_eq!(
            (answer.ran_on, answer.reason),
            (RanOn::Remote, reason),
            "{text}"
        );

        // Without a remote the error is about the input, unless a local answer is possible after all.
        let alone = Setup {
            endpoint: false,
            ..Setup::new(Mode::PreferLocal)
        }
        .runtime();
        let result = run(&alone, task, text, &Remote::failing());
        if reason == Reason::UnsupportedLanguage {
            let answer = result.unwrap();
            assert_eq!((answer.degraded, answer.reason), (true, reason));
        } else {
            let error = result.unwrap_err();
            assert!(
                matches!(error.code(), Code::InputTooShort | Code::InputTooLong),
                "{error}"
            );
            assert!(
                error.to_string().contains("no remote is configured"),
                "{error}"
            );
            assert_eq!(error.attempts().last().unwrap().outcome, Outcome::Skipped);
        }
    }
}

#[test]
fn the_remote_may_be_asked_first_or_only() {
    let runtime = Setup::new(Mode::PreferRemote).runtime();
    let answer = run(&runtime, "mood", SURE, &Remote::answering("down")).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::Mode)
    );
    let answer = run(&runtime, "mood", SURE, &Remote::failing()).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason, answer.degraded),
        (RanOn::Local, Reason::RemoteFailed, true)
    );

    let runtime = Setup::new(Mode::OnlyRemote).runtime();
    let answer = run(&runtime, "mood", SURE, &Remote::answering("down")).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::Mode)
    );
    let error = run(&runtime, "mood", SURE, &Remote::failing()).unwrap_err();
    assert_eq!(error.code(), Code::RemoteUnreachable);
    assert_eq!(error.attempts().len(), 1);
    let alone = Setup {
        endpoint: false,
        ..Setup::new(Mode::OnlyRemote)
    }
    .runtime();
    let error = run(&alone, "mood", SURE, &Remote::failing()).unwrap_err();
    assert_eq!(error.code(), Code::RemoteNotConfigured);
}

#[test]
fn a_call_may_have_its_own_mode() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    let remote = Remote::answering("down");
    let call = Call {
        mode: Some(Mode::OnlyRemote),
        ..Call::new("mood", Input::Text(SURE))
    };
    let answer = remote.call(&runtime, &call).unwrap();
    assert_eq!(answer.ran_on, RanOn::Remote);
}

#[test]
fn a_task_of_the_callers_own_is_for_the_remote() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    let remote = Remote::answering("sport");
    let call = Call {
        labels: Some(
            ["sport", "news"]
                .map(|id| Label {
                    id: id.into(),
                    title: None,
                })
                .to_vec(),
        ),
        instruction: Some("Name the topic.".into()),
        ..Call::new("topic", Input::Text("2:1 after extra time"))
    };
    let answer = remote.call(&runtime, &call).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::UnknownTask)
    );
    assert_eq!(answer.output.label, "sport");
    let local = Call {
        mode: Some(Mode::OnlyLocal),
        ..call
    };
    let error = remote.call(&runtime, &local).unwrap_err();
    assert_eq!(error.code(), Code::UnknownTask);
    assert_eq!(remote.asked(), 1);
}

#[test]
fn a_broken_model_is_reported_and_the_others_go_on() {
    let poison = linear(&vec![vec![f32::NAN, 0.0]; 4], &[0.0, 0.0]);
    let breakages: [(&str, Vec<u8>, Code); 3] = [
        ("nan", poison, Code::ModelOutput),
        ("html", b"<!doctype html>".to_vec(), Code::ModelInvalid),
        (
            "three labels",
            linear(&vec![vec![0.0; 3]; 4], &[0.0; 3]),
            Code::ModelOutput,
        ),
    ];
    for (what, bytes, code) in breakages {
        let mut files = files();
        files.insert("weak.onnx".into(), bytes.clone());
        files.insert("strong.onnx".into(), bytes);
        let setup = |mode| Setup {
            manifest: manifest(&files),
            files: files.clone(),
            mode,
            privacy: json!({}),
            profile: Value::Null,
            model: "big".into(),
            cached: 0,
            endpoint: true,
        };
        let local = setup(Mode::OnlyLocal).runtime();
        let error = run(&local, "mood", SURE, &Remote::failing()).expect_err(what);
        assert_eq!(error.code(), code, "{what}");
        assert_eq!(error.attempts().len(), 2, "{what}");
        let alone = error.to_string();
        assert_eq!(
            run(&local, "language", "aaaa", &Remote::failing())
                .unwrap()
                .output
                .label,
            "eng"
        );

        let answer = run(
            &setup(Mode::PreferLocal).runtime(),
            "mood",
            SURE,
            &Remote::answering("up"),
        )
        .unwrap();
        assert_eq!(
            (answer.ran_on, answer.reason),
            (RanOn::Remote, Reason::ModelUnavailable),
            "{what}"
        );

        // Where the remote fails, too, it is told what could not be had, and the side that was asked first says the code.
        let offline = Remote::answering("up");
        offline.0.online.set(false);
        for (mode, remote, first, other) in [
            (
                Mode::PreferLocal,
                Remote::failing(),
                code,
                "could not be reached",
            ),
            (Mode::PreferLocal, offline, code, "the device is offline"),
            (
                Mode::PreferRemote,
                Remote::failing(),
                Code::RemoteUnreachable,
                "could not be reached",
            ),
        ] {
            let error = run(&setup(mode).runtime(), "mood", SURE, &remote).expect_err(what);
            assert_eq!(error.code(), first, "{what}: {error}");
            let words = error.to_string();
            assert!(
                words.contains(&alone) && words.contains(other),
                "{what}: {words}"
            );
        }
    }
}

#[test]
fn a_missing_or_changed_file_is_told_and_tried_again() {
    let mut setup = Setup::new(Mode::OnlyLocal);
    setup.files.remove("weak.onnx");
    setup.files.insert("strong.onnx".into(), vec![0; 10]);
    let runtime = setup.runtime();
    let error = run(&runtime, "mood", SURE, &Remote::failing()).unwrap_err();
    let codes: Vec<_> = error
        .attempts()
        .iter()
        .map(|a| a.code.as_deref().unwrap())
        .collect();
    assert_eq!(codes, ["file_missing", "file_size"]);
    let before = runtime.models_read();
    let _ = run(&runtime, "mood", SURE, &Remote::failing());
    assert!(
        runtime.models_read() > before,
        "a failed load is not remembered"
    );
}

#[test]
fn models_are_loaded_once_and_only_when_needed() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    assert!(
        runtime
            .tasks()
            .iter()
            .all(|t| t.tiers.iter().all(|tier| !tier.loaded))
    );
    assert_eq!(runtime.models_read(), 0);
    let remote = Remote::failing();
    run(&runtime, "language", "aaaa", &remote).unwrap();
    let first = runtime.models_read();
    run(&runtime, "language", "bbbb", &remote).unwrap();
    assert_eq!(runtime.models_read(), first);
    pollster::block_on(runtime.preload(None, Tiers::All, || async { Ok(()) })).unwrap();
    assert!(
        runtime
            .tasks()
            .iter()
            .all(|t| t.tiers.iter().all(|tier| tier.loaded))
    );
    let all = runtime.models_read();
    run(&runtime, "mood", UNSURE, &remote).unwrap();
    assert_eq!(runtime.models_read(), all);
    let error = pollster::block_on(
        runtime.preload(Some(&["nope".into()]), Tiers::All, || async { Ok(()) }),
    )
    .unwrap_err();
    assert_eq!(error.code(), Code::UnknownTask);
}

#[test]
fn of_first_tiers_loaded_ahead_no_further_one_is_read() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    let mood = ["mood".to_owned()];
    pollster::block_on(runtime.preload(Some(&mood), Tiers::First, || async { Ok(()) })).unwrap();
    let tasks = runtime.tasks();
    let mood = tasks.iter().find(|task| task.id == "mood").unwrap();
    let loaded: Vec<bool> = mood.tiers.iter().map(|tier| tier.loaded).collect();
    assert_eq!(loaded, [true, false]);
}

#[test]
fn an_aborted_call_stops() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    let remote = Remote::answering("up");
    remote.0.time.abort_at.set(0.0);
    assert_eq!(
        run(&runtime, "mood", SURE, &remote).unwrap_err().code(),
        Code::Aborted
    );
    assert_eq!(remote.asked(), 0);
    let aborting = Remote::with(Err(TransportError::Aborted));
    assert_eq!(
        run(&runtime, "mood", UNSURE, &aborting).unwrap_err().code(),
        Code::Aborted
    );
}

#[test]
fn the_wrong_kind_of_input_is_refused() {
    let runtime = Setup::new(Mode::PreferLocal).runtime();
    let call = Call::new("mood", Input::Bytes(b"abc"));
    let error = Remote::failing().call(&runtime, &call).unwrap_err();
    assert_eq!(error.code(), Code::InputKind);
}

#[test]
fn an_uncertified_task_always_escalates() {
    let mut setup = Setup::new(Mode::PreferLocal);
    setup.manifest["heads"]["language"]["threshold"] = Value::Null;
    let runtime = setup.runtime();
    let answer = run(&runtime, "language", "aaaa", &Remote::answering("deu")).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::Uncertified)
    );
}

impl Runtime<Folder> {
    fn models_read(&self) -> usize {
        self.models.source().reads.borrow().len()
    }
}

/// The setup with a guarantee for `mood`: 5 % at the thresholds of the heads, 1 % not certified.
fn guaranteed(mode: Mode) -> Setup {
    let mut setup = Setup::new(mode);
    setup.manifest["tasks"]["mood"]["guarantee"] = json!({
        "delta": 0.05, "defaultRisk": 0.05, "rows": 1000, "certificates": [
            {"risk": 0.01, "thresholds": null},
            {"risk": 0.05, "thresholds": [0.9, 0.8], "n": 500, "errors": 10},
            {"risk": 0.2, "thresholds": [0.6, 0.6], "n": 900, "errors": 100}],
        "reference": {"edges": [0.5, 0.7, 0.8, 0.9], "counts": [0, 300, 300, 200, 200]}});
    setup
}

fn ask(runtime: &Runtime<Folder>, text: &str, risk: Option<f64>) -> Result<Answer> {
    let call = Call {
        risk,
        ..Call::new("mood", Input::Text(text))
    };
    let remote = Remote::failing();
    remote.call(runtime, &call)
}

#[test]
fn an_answer_says_what_is_promised() {
    let runtime = guaranteed(Mode::OnlyLocal).runtime();
    let answer = ask(&runtime, SURE, None).unwrap();
    assert_eq!((answer.risk, answer.guaranteed), (Some(0.05), true));
    assert!(
        answer.explanation.contains("at most 5.0 %"),
        "{}",
        answer.explanation
    );
    // More risk, lower thresholds; the same input is trusted at the first tier.
    let answer = ask(&runtime, MIDDLING, Some(0.25)).unwrap();
    assert_eq!(
        (answer.tier.as_str(), answer.threshold),
        ("weak", Some(0.6))
    );
    // Less than what is certified: nothing is trusted, and it says so.
    let answer = ask(&runtime, SURE, Some(0.01)).unwrap();
    assert_eq!(answer.reason, Reason::Uncertified);
    assert!(!answer.guaranteed && answer.degraded);
    assert!(
        answer.explanation.contains("risk of 1.0 %"),
        "{}",
        answer.explanation
    );
    // A degraded answer is not guaranteed, however sure it is.
    let answer = ask(&runtime, UNSURE, None).unwrap();
    assert!(!answer.guaranteed && answer.degraded);
    for wrong in [0.0, 1.0, -0.5, f64::NAN] {
        let error = ask(&runtime, SURE, Some(wrong)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption, "{wrong}");
    }
    let runtime = guaranteed(Mode::OnlyLocal).runtime();
    assert!(runtime.with_risk(Some(2.0), None).is_err());
}

#[test]
fn a_cascade_that_lost_a_tier_answers_and_promises_nothing() {
    let mut setup = guaranteed(Mode::OnlyLocal);
    setup.files.remove("weak.onnx");
    let answer = ask(&setup.runtime(), SURE, None).unwrap();
    assert_eq!((answer.tier.as_str(), answer.degraded), ("strong", false));
    assert!(!answer.guaranteed);
}

#[test]
fn what_is_unlike_the_training_data_is_not_trusted() {
    for (cut, reason) in [
        (-10.0, Reason::OutOfDistribution),
        (10.0, Reason::Confident),
    ] {
        let mut setup = guaranteed(Mode::OnlyLocal);
        for head in ["weak", "strong"] {
            setup.manifest["heads"][head]["ood"] = json!({"method": "energy", "cut": cut});
        }
        let answer = ask(&setup.runtime(), SURE, None).unwrap();
        assert_eq!(answer.reason, reason);
        assert_eq!(answer.guaranteed, reason == Reason::Confident);
    }
}

#[test]
fn a_card_is_read_when_asked_for() {
    let mut setup = guaranteed(Mode::OnlyLocal);
    assert_eq!(
        pollster::block_on(guaranteed(Mode::OnlyLocal).runtime().card("mood"))
            .unwrap_err()
            .code(),
        Code::FileMissing
    );
    setup.files.insert("card.md".into(), b"# Mood".to_vec());
    setup
        .files
        .insert("mood.json".into(), b"{\"n\": 3}".to_vec());
    let guarantee = setup.manifest["tasks"]["mood"]["guarantee"].clone();
    setup.manifest = manifest(&setup.files);
    setup.manifest["tasks"]["mood"]["guarantee"] = guarantee;
    setup.manifest["tasks"]["mood"]["card"] = json!("card.md");
    setup.manifest["tasks"]["mood"]["evaluation"] = json!("mood.json");
    let card = pollster::block_on(setup.runtime().card("mood")).unwrap();
    assert_eq!(
        (card.markdown.as_str(), &card.evaluation),
        ("# Mood", &Some(json!({"n": 3})))
    );
}

mod by_example;
mod leaving;
mod names;
mod remote_audits;
mod remote_worth;
mod sight;
mod watching;
