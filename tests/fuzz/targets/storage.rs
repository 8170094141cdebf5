//! What the browser kept, which another page of the origin may have written: the book of what was spent, kept answers,
//! learned examples.

use std::sync::OnceLock;

use serde_json::json;
use smallfirst::neighbours::{LearnOptions, Learner, QuestionKey};
use smallfirst::remote::{Question, Remote, RemoteOptions, ResponseFormat, Trace, Unnamed};
use smallfirst::task::{Input, Label};

use super::Target;
use super::remote::Sent;

/// Whatever was kept, a call has an answer or a typed error.
pub const STORAGE: Target = Target {
    name: "storage",
    read,
    choice: 0,
    seeds,
    most: 8 << 10,
    words: &[
        "KEY",
        "\"minute\":",
        "\"leases\":{",
        "\"until\":",
        "\"estimate\":",
        "\"output\":{\"label\":\"a\"",
        "\"scores\":[",
        "\"usage\":",
        "\"model\":\"m\"",
        "\"total\":",
        "\"pieces\":",
        "\"distrusted\":",
        "\"vector\":[",
        "\"number\":",
    ],
};

/// The key of the subject, which stands for `KEY` in what is kept.
fn key(learner: &Learner, subject: &QuestionKey) -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| {
        let empty = Sent::new(b"", 1, None);
        pollster::block_on(learner.take(subject, vec![1, 2], "a", "x", 0.0, &empty));
        let looked = empty.looked.borrow();
        let key = looked.iter().find_map(|name| name.split('/').nth(1));
        key.expect("examples are kept by their key").to_owned()
    })
}

fn read(stored: &[u8]) {
    let learner = || Learner::new(LearnOptions::default()).expect("the defaults are usable");
    let labels = ["a", "b"].map(|id| Label {
        id: id.into(),
        title: None,
    });
    let subject = QuestionKey::new("t", "i", &labels, "e");
    let key = key(&learner(), &subject);
    let stored = String::from_utf8_lossy(stored).replace("KEY", key);
    let server = Sent::new(
        br#"{"choices":[{"message":{"content":"{\"label\":\"a\"}"}}]}"#,
        64,
        Some(stored),
    );
    let options: RemoteOptions = serde_json::from_value(json!({
        "endpoints": [{"provider": "openai", "baseUrl": "https://api.example", "model": "m"}],
        "policy": {"maxRetries": 0}, "answerCache": {"persist": true},
        "budget": {"tokensPerDay": 100_000, "concurrency": 2},
    }))
    .expect("the options are those of the documentation");
    let remote = Remote::new(options).expect("they are usable");
    let question = Question {
        bundled: true,
        task: "t",
        instruction: "i",
        input: Input::Text("x"),
        wanted: ResponseFormat::Choice(&labels),
    };
    let trace = Trace::default();
    let _ = pollster::block_on(remote.ask(&question, &Unnamed, &server, &trace));
    let _ = pollster::block_on(remote.usage(&server));

    let learner = learner();
    let advice = pollster::block_on(learner.suggest(&subject, &[1, 2], None, &server));
    assert!(advice.is_none_or(|advice| labels.iter().any(|l| l.id == advice.label)));
    pollster::block_on(learner.take(&subject, vec![1, 2], "a", "x", 0.0, &server));
    for task in pollster::block_on(learner.report(&server)) {
        assert!(task.examples <= u64::from(LearnOptions::default().examples));
    }
    let _ = pollster::block_on(learner.export(None, |_| None, &server));
    pollster::block_on(learner.forget(Some("t"), &server));
}

fn seeds() -> Vec<Vec<u8>> {
    let spent = json!({"requests": 1, "inputTokens": 2, "outputTokens": 3, "costUsd": 0.1});
    let lease = json!({"estimate": spent, "until": 60_000.0});
    let book = json!({"minute": 0, "thisMinute": spent, "lastMinute": spent, "day": 0, "today": spent, "total": spent,
        "leases": {"x": lease}});
    let reply = json!({"output": {"label": "a", "scores": [{"label": "a", "score": 1.0}]}, "text": "", "truncated": false,
        "confidence": 0.5, "usage": null, "model": "m", "on_device": false, "cached": false});
    let index = json!({"KEY": {"task": "t", "total": 3, "pieces": 2, "distrusted": false}});
    let example = json!({"number": 1, "vector": [1, 2], "label": "a", "input": "x", "at": 0.0});
    [book, json!([["k", reply]]), index, json!([example])]
        .map(|json| json.to_string().into_bytes())
        .to_vec()
}
