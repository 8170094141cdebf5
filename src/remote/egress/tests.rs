//! All that leaves, by every way there is: with a mark in every part of a question, each mark that a request carries is one
//! that the page was shown and that the ledger has, and under redaction it carries none.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::error::Code;
use crate::remote::provider::tests::ALL;
use crate::remote::*;
use crate::task::{Input, Label};
use crate::testing::{Script, World};

/// The wire formats through which something leaves: all but that of a model on this device.
fn away() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().filter(|&provider| provider != "prompt-api")
}

/// The ways in which a reply is bound to the labels: each puts them elsewhere.
const BOUND: [Option<&str>; 4] = [None, Some("schema"), Some("tool"), Some("prompt")];

/// A mark, which is personal data, too.
fn mark(part: &str) -> String {
    format!("{part}@mark.example")
}

/// The marks in a text, which may be JSON.
fn marks(text: &str) -> BTreeSet<String> {
    let text = text.replace("\\n", " ");
    let found = text.match_indices("@mark.example").map(|(at, _)| {
        let before = &text[..at];
        let name = before
            .rfind(|c: char| !c.is_ascii_lowercase())
            .map_or(0, |at| at + 1);
        before[name..].to_owned()
    });
    found.collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Choice,
    File,
    Text,
}

struct Left {
    result: crate::error::Result<Reply>,
    requests: Vec<HttpRequest>,
    shown: Vec<ConsentRequest>,
    ledger: Vec<String>,
    sent: Vec<String>,
}

fn labels() -> Vec<Label> {
    ["one", "two"]
        .map(|n| Label {
            id: mark(&format!("label{n}")),
            title: Some(mark(&format!("title{n}"))),
        })
        .to_vec()
}

/// Asks one question with a mark in every part, of an endpoint that answers with what it was sent as its first label.
fn leave(provider: &str, bound: Option<&str>, call: Call, privacy: &Value, hook: Consent) -> Left {
    let mut endpoint = json!({
        "provider": provider, "baseUrl": "https://api.example/v1", "model": "m",
        "idempotencyHeader": "idempotency-key", "maxTokens": 64,
        "extraBody": {"user": mark("extra"), "nested": {"list": [mark("deep")]}},
    });
    if let Some(bound) = bound {
        endpoint["structured"] = bound.into();
    }
    let options = json!({"endpoints": [endpoint], "privacy": privacy, "policy": {"maxRetries": 0}});
    let remote = Remote::new(serde_json::from_value(options).unwrap()).unwrap();
    // The first reply is nonsense, so that a choice is asked for again.
    let world = World::new(1, |_, n| match n {
        0 => Script::reply(200, "{\"reply\":{\"text\":\"no\"}}"),
        _ => Script::reply(200, "{\"reply\":{\"label\":\"[EMAIL_6]\"}}"),
    });
    *world.consent.borrow_mut() = Ok(hook);
    let labels = labels();
    let (task, instruction) = (mark("task"), mark("instruction"));
    let history = [(Role::User, "asked"), (Role::Assistant, "answered")].map(|(role, part)| Turn {
        role,
        text: mark(part),
    });
    let (input, system) = (mark("input"), mark("system"));
    let question = Question {
        task: &task,
        instruction: &instruction,
        bundled: false,
        input: match call {
            Call::File => Input::Bytes(input.as_bytes()),
            _ => Input::Text(&input),
        },
        wanted: match call {
            Call::Text => ResponseFormat::Text {
                system: &system,
                text: &input,
                history: &history,
            },
            _ => ResponseFormat::Choice(&labels),
        },
    };
    let trace = Trace::default();
    let result = world.block_on(async {
        match call {
            Call::Text => remote.stream(&question, &Unnamed, &world, &trace).await,
            _ => remote.ask(&question, &Unnamed, &world, &trace).await,
        }
    });
    let bodies = |sent: Vec<crate::task::Sent>| sent.into_iter().map(|s| s.body).collect();
    Left {
        result,
        requests: world.requests.take(),
        shown: world.outgoing.take(),
        ledger: bodies(remote.egress().sent),
        sent: bodies(trace.into_parts().1),
    }
}

fn allowed() -> Consent {
    Consent {
        allow: true,
        ..Consent::default()
    }
}

/// Everything a request carries, as one text.
fn carried(request: &HttpRequest) -> String {
    format!(
        "{} {:?} {}",
        request.url(),
        request.headers(),
        request.body()
    )
}

#[test]
fn what_leaves_was_shown_and_is_written_down() {
    for provider in away() {
        for bound in BOUND {
            for call in [Call::Choice, Call::File, Call::Text] {
                if provider == "openai-decisions" && call == Call::Text {
                    continue;
                }
                let told = format!("{provider}, {bound:?}, {call:?}");
                let left = leave(provider, bound, call, &json!({"egress": "ask"}), allowed());
                assert!(!left.requests.is_empty(), "{told}: {:?}", left.result);
                assert_eq!(left.shown.len(), 1, "{told}");
                let shown = marks(&serde_json::to_string(&left.shown).unwrap());
                assert_eq!(left.requests.len(), left.ledger.len(), "{told}");
                assert_eq!(left.ledger, left.sent, "{told}");
                for (request, written) in left.requests.iter().zip(&left.ledger) {
                    let carried = marks(&carried(request));
                    assert_eq!(carried, marks(written), "{told}");
                    assert!(carried.is_subset(&shown), "{told}: {carried:?}, {shown:?}");
                    // The marks do travel, or this would test nothing.
                    let mut expected = vec!["input", "extra", "deep"];
                    match call {
                        Call::Text => expected.extend(["system", "asked", "answered"]),
                        _ => expected.extend(["instruction", "labelone", "labeltwo", "titleone"]),
                    }
                    for part in expected {
                        assert!(carried.contains(part), "{told}: no {part} in {carried:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn under_redaction_nothing_leaves_as_it_was() {
    for provider in away() {
        for bound in BOUND {
            for call in [Call::Choice, Call::Text] {
                if provider == "openai-decisions" && call == Call::Text {
                    continue;
                }
                for privacy in [
                    json!({"egress": "redacted"}),
                    json!({"redact": {}, "beforeRemote": true}),
                ] {
                    // What the page puts in is redacted, too.
                    let hook = Consent {
                        allow: true,
                        text: (call == Call::Choice && privacy["beforeRemote"] == true)
                            .then(|| mark("hook")),
                        ..Consent::default()
                    };
                    let told = format!("{provider}, {bound:?}, {call:?}, {privacy}");
                    let left = leave(provider, bound, call, &privacy, hook);
                    assert!(!left.requests.is_empty(), "{told}: {:?}", left.result);
                    for request in &left.requests {
                        let carried = carried(request);
                        assert_eq!(marks(&carried), BTreeSet::new(), "{told}: {carried}");
                        assert!(carried.contains("[EMAIL_"), "{told}: {carried}");
                    }
                    assert!(left.ledger.iter().all(|body| marks(body).is_empty()));
                }
            }
        }
    }
    let file = leave(
        "openai",
        None,
        Call::File,
        &json!({"redact": {}}),
        allowed(),
    );
    assert_eq!(file.result.unwrap_err().code(), Code::EgressDenied);
    assert!(file.requests.is_empty() && file.ledger.is_empty());
}

#[test]
fn a_label_that_was_sent_as_a_placeholder_comes_back_as_itself() {
    let privacy = json!({"egress": "redacted"});
    let left = leave("custom", None, Call::Choice, &privacy, allowed());
    let body: Value = serde_json::from_str(left.requests[0].body()).unwrap();
    let position = body["labels"]
        .as_array()
        .unwrap()
        .iter()
        .position(|label| label["id"] == "[EMAIL_6]");
    let expected = &labels()[position.unwrap()];
    let output = left.result.unwrap().output.unwrap();
    assert_eq!(
        (output.label, output.title),
        (expected.id.clone(), expected.title.clone())
    );
}

#[test]
fn the_page_changes_all_of_it_or_is_refused() {
    let privacy = json!({"beforeRemote": true});
    let message = |role, content: &str| Message {
        role,
        content: content.into(),
    };
    let said = |consent: Consent, call| {
        let consent = Consent {
            allow: true,
            ..consent
        };
        leave("openai", None, call, &privacy, consent)
    };
    // A text stands for the only message, and for nothing where there are several.
    let one = Consent {
        text: Some("changed".into()),
        ..Consent::default()
    };
    assert!(
        said(one.clone(), Call::Choice).requests[0]
            .body()
            .contains("changed")
    );
    let messages = |roles: &[Role]| Consent {
        messages: Some(roles.iter().map(|&role| message(role, "changed")).collect()),
        ..Consent::default()
    };
    let (user, assistant) = (Role::User, Role::Assistant);
    let rules = Consent {
        system: Some("other rules".into()),
        ..Consent::default()
    };
    for (consent, call) in [
        (one, Call::Text),
        (messages(&[user]), Call::Text),
        (messages(&[user, user, user]), Call::Text),
        (
            Consent {
                text: Some("both".into()),
                ..messages(&[user, assistant, user])
            },
            Call::Text,
        ),
        (rules.clone(), Call::Choice),
    ] {
        let left = said(consent.clone(), call);
        assert_eq!(
            left.result.unwrap_err().code(),
            Code::EgressDenied,
            "{consent:?}"
        );
        assert!(left.requests.is_empty());
    }
    let all = Consent {
        system: rules.system,
        ..messages(&[user, assistant, user])
    };
    let left = said(all, Call::Text);
    let body = left.requests[0].body();
    assert!(body.contains("other rules"), "{body}");
    let remaining: BTreeSet<String> = ["extra", "deep"].map(str::to_owned).into();
    assert_eq!(
        marks(body),
        remaining,
        "only the developer's own fields are left"
    );
}

#[test]
fn a_text_that_is_too_long_is_not_looked_at() {
    struct Looking(std::cell::Cell<bool>);
    impl People for Looking {
        async fn names(&self, _: &[String], _: Option<&str>) -> crate::error::Result<Vec<Named>> {
            self.0.set(true);
            Ok(Vec::new())
        }
    }
    let remote = Remote::new(
        serde_json::from_value(json!({
            "endpoints": [{"provider": "openai", "baseUrl": "https://a.example", "model": "m"}],
            "privacy": {"redact": {}, "beforeRemote": true},
        }))
        .unwrap(),
    )
    .unwrap();
    let world = World::new(1, |_, _| Script::reply(200, "{}"));
    let labels = labels();
    let text = "a@".repeat(1 << 20);
    let question = Question {
        task: "t",
        instruction: "?",
        bundled: true,
        input: Input::Text(&text),
        wanted: ResponseFormat::Choice(&labels),
    };
    let people = Looking(false.into());
    let trace = Trace::default();
    let asked = remote.ask(&question, &people, &world, &trace);
    let error = world.block_on(asked).unwrap_err();
    assert_eq!(error.code(), Code::InputTooLong);
    assert!(!people.0.get() && world.outgoing.borrow().is_empty());
    let (attempts, sent) = trace.into_parts();
    assert_eq!(attempts[0].code.as_deref(), Some("input_too_long"));
    assert!(sent.is_empty() && world.requests.borrow().is_empty());
}

#[test]
fn a_misspelt_task_is_refused() {
    let privacy = |tasks: Value| -> Privacy {
        serde_json::from_value(json!({"tasks": tasks, "ownTasks": ["triage"]})).unwrap()
    };
    let known = ["spam", "language"].into_iter();
    let right = privacy(json!({"spam": "never", "triage": "ask"}));
    assert!(right.check_tasks(known.clone()).is_ok());
    let wrong = privacy(json!({"span": "never"}));
    let error = wrong.check_tasks(known).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
    let message = error.to_string();
    assert!(
        message.contains("\"span\"") && message.contains("spam") && message.contains("ownTasks"),
        "{message}"
    );
}

#[cfg(feature = "onnx")]
mod attachments;
