//! What a call says in any of its options is what the page is shown, what the ledger has, and what redaction changes.

use super::*;
use crate::remote::{Role, Turn};

/// A bundle with a task that writes text, with variables in its rules and in its words.
fn setup(privacy: Value) -> Setup {
    let mut setup = Setup::new(Mode::OnlyRemote);
    setup.manifest["tasks"]["letter"] = json!({
        "kind": "generate", "input": "text", "title": "Letter", "instruction": "Write a letter.", "labels": [],
        "limits": {"minBytes": 1, "maxBytes": 200}, "tiers": [],
        "prompt": {"system": "Write for {{from}}.", "user": "To {{to}}: {{input}}"},
    });
    setup.privacy = privacy;
    setup
}

const PARTS: [&str; 5] = ["from", "to", "input", "earlier", "reply"];

fn mark(part: &str) -> String {
    format!("{part}@mark.example")
}

/// Asks for a letter with a mark in every option, and gives what the page saw and what was sent.
fn letter(privacy: Value) -> (String, String, Vec<String>) {
    let delta = json!({"choices": [{"delta": {"content": "Dear"}, "finish_reason": "stop"}]});
    let stream = format!("data: {delta}\n\ndata: [DONE]\n\n");
    let remote = Remote::with(Ok((200, &stream)));
    let runtime = setup(privacy).runtime();
    let history = [(Role::User, "earlier"), (Role::Assistant, "reply")].map(|(role, part)| Turn {
        role,
        text: mark(part),
    });
    let call = TextCall {
        task: "letter",
        input: &mark("input"),
        mode: None,
        instruction: None,
        variables: ["from", "to"]
            .map(|name| (name.to_owned(), mark(name)))
            .into(),
        history: history.to_vec(),
    };
    let world = &remote.0;
    let answer = world.block_on(runtime.generate(&call, world)).unwrap();
    let shown = serde_json::to_string(&*world.outgoing.borrow()).unwrap();
    let body = world.requests.borrow()[0].body().to_owned();
    let ledger = runtime.egress().sent.into_iter().map(|s| s.body);
    let sent = answer.sent.into_iter().map(|s| s.body);
    (shown, body, ledger.chain(sent).collect())
}

#[test]
fn variables_and_history_are_shown_and_written_down() {
    let (shown, body, written) = letter(json!({"egress": "ask"}));
    assert_eq!(written, [body.clone(), body.clone()]);
    for part in PARTS {
        assert!(body.contains(&mark(part)), "{part} is not sent: {body}");
        assert!(shown.contains(&mark(part)), "{part} is not shown: {shown}");
    }
}

#[test]
fn variables_and_history_are_redacted() {
    let (shown, body, written) = letter(json!({"egress": "redacted", "beforeRemote": true}));
    assert_eq!(written, [body.clone(), body.clone()]);
    assert!(!body.contains("@mark.example"), "{body}");
    assert!(!shown.contains("@mark.example"), "{shown}");
    assert!(body.contains("[EMAIL_5]"), "{body}");
}
