//! The path of a question to remotes, in worlds whose time the tests move.

mod replies;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::error::{Code, Error};
use crate::task::{Attempt, Input, InputKind, Label, Outcome, Sent};
use crate::testing::{Script, World};

fn labels() -> Vec<Label> {
    ["spam", "ham"]
        .map(|id| Label {
            id: id.into(),
            title: None,
        })
        .to_vec()
}

fn options(value: Value) -> RemoteOptions {
    serde_json::from_value(value).unwrap()
}

fn endpoint(n: usize) -> Value {
    json!({"provider": "openai", "baseUrl": format!("https://api{n}.example/v1"), "model": format!("m{n}")})
}

/// One endpoint, with more options.
fn one(more: Value) -> Remote {
    let mut all = json!({"endpoints": [endpoint(0)]});
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    Remote::new(options(all)).unwrap()
}

fn completion(content: &str) -> Script {
    let body = json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}],
                      "usage": {"prompt_tokens": 12, "completion_tokens": 5}});
    Script::reply(200, body.to_string())
}

fn ham() -> Script {
    completion(r#"{"label":"ham"}"#)
}

type Told = (Result<Reply, Error>, Vec<Attempt>, Vec<Sent>);

async fn ask_about(remote: &Remote, world: &World, text: &str) -> Told {
    let labels = labels();
    let question = Question {
        bundled: true,
        task: "spam",
        instruction: "Is it spam?",
        input: Input::Text(text),
        wanted: ResponseFormat::Choice(&labels),
    };
    let trace = Trace::default();
    let result = remote.ask(&question, &Unnamed, world, &trace).await;
    let (attempts, sent) = trace.into_parts();
    (result, attempts, sent)
}

fn ask(remote: &Remote, world: &World) -> Told {
    world.block_on(ask_about(remote, world, "Buy now"))
}

async fn write_about(remote: &Remote, world: &World, text: &str) -> Told {
    let question = Question {
        bundled: true,
        task: "summary",
        instruction: "Summarise.",
        input: Input::Text(text),
        wanted: ResponseFormat::Text {
            system: "Be brief.",
            text,
            history: &[],
        },
    };
    let trace = Trace::default();
    let result = remote.stream(&question, &Unnamed, world, &trace).await;
    let (attempts, sent) = trace.into_parts();
    (result, attempts, sent)
}

fn codes(attempts: &[Attempt]) -> Vec<&str> {
    attempts
        .iter()
        .map(|a| a.code.as_deref().unwrap_or("answered"))
        .collect()
}

fn stream(parts: &[&[u8]]) -> Script {
    Script {
        body: parts.iter().map(|p| (1.0, Ok(p.to_vec()))).collect(),
        ..Script::reply(200, "")
    }
    .header("content-type", "text/event-stream")
}

/// The frames of a streamed completion of these pieces.
fn frames(pieces: &[&str]) -> String {
    let mut out = String::new();
    for piece in pieces {
        out += &format!(
            "data: {}\n\n",
            json!({"choices": [{"delta": {"content": piece}, "finish_reason": null}]})
        );
    }
    out + "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
}

#[test]
fn an_answer_comes_with_its_trace() {
    let world = World::new(1, |_, _| ham());
    let remote = one(json!({}));
    let (reply, attempts, sent) = ask(&remote, &world);
    let reply = reply.unwrap();
    assert_eq!(reply.output.unwrap().label, "ham");
    assert_eq!(reply.usage.unwrap().input_tokens, 12);
    assert_eq!(
        (attempts.len(), attempts[0].outcome),
        (1, Outcome::Answered)
    );
    assert_eq!(
        attempts[0].endpoint.as_deref(),
        Some("https://api0.example/v1")
    );
    let request = &world.requests.borrow()[0];
    assert_eq!(request.url(), "https://api0.example/v1/chat/completions");
    assert_eq!((sent.len(), &sent[0].body), (1, &request.body().to_owned()));
    assert_eq!(sent[0].bytes as usize, request.body().len());
    let report = remote.egress();
    assert_eq!(
        (report.requests, report.bytes as usize),
        (1, request.body().len())
    );
    assert_eq!(world.open_bodies(), 0);
}

#[test]
fn a_bad_reply_is_repaired_once() {
    let bad = [
        completion("{\"label\":\"eggs\"}"),
        completion("It is spam, I think."),
        completion("{\"label\":\"sp"),
        Script::reply(
            200,
            json!({"choices": [{"message": {"content": "{\"lab"}, "finish_reason": "length"}]})
                .to_string(),
        ),
    ];
    for bad in bad {
        let first = bad.clone();
        let world = World::new(1, move |_, n| if n == 0 { first.clone() } else { ham() });
        let (reply, attempts, _) = ask(&one(json!({})), &world);
        let reply = reply.unwrap();
        assert_eq!(reply.output.unwrap().label, "ham");
        assert_eq!(codes(&attempts), ["remote_bad_response", "answered"]);
        let second: Value = serde_json::from_str(world.requests.borrow()[1].body()).unwrap();
        let last = second["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        assert!(
            last.as_str().unwrap().starts_with("That is not valid"),
            "{last}"
        );

        let world = World::new(1, move |_, _| bad.clone());
        let (reply, attempts, _) = ask(&one(json!({})), &world);
        assert_eq!(reply.unwrap_err().code(), Code::RemoteBadResponse);
        assert_eq!(attempts.len(), 2, "once and not more");
    }
    // What both tries used is one bill.
    let world = World::new(1, |_, n| if n == 0 { completion("eggs") } else { ham() });
    let (reply, ..) = ask(&one(json!({})), &world);
    assert_eq!(reply.unwrap().usage.unwrap().input_tokens, 24);
}

#[test]
fn refusals_and_impossible_confidences_are_failures() {
    let refusal =
        json!({"choices": [{"message": {"content": null, "refusal": "I cannot"}}]}).to_string();
    let world = World::new(1, move |_, _| Script::reply(200, refusal.clone()));
    let (reply, attempts, _) = ask(&one(json!({})), &world);
    assert_eq!(
        (reply.unwrap_err().code(), attempts.len()),
        (Code::RemoteRefused, 1)
    );

    let custom = json!({"endpoints": [{"provider": "custom"}]});
    for (said, code) in [
        (
            r#"{"reply":{"label":"ham","confidence":3}}"#,
            Some(Code::RemoteBadResponse),
        ),
        (r#"{"reply":{"label":"ham","confidence":0.75}}"#, None),
    ] {
        let world = World::new(1, move |_, _| Script::reply(200, said));
        let (reply, ..) = ask(&Remote::new(options(custom.clone())).unwrap(), &world);
        match code {
            Some(code) => assert_eq!(reply.unwrap_err().code(), code),
            None => assert_eq!(reply.unwrap().confidence, Some(0.75)),
        }
    }
}

#[test]
fn only_what_may_pass_is_retried_and_the_server_is_heard() {
    let world = World::new(1, |_, n| match n {
        0 => Script::reply(429, "{}").header("retry-after", "2"),
        1 => Script::reply(503, "<h1>busy</h1>"),
        _ => ham(),
    });
    let (reply, attempts, _) = ask(&one(json!({})), &world);
    assert!(reply.is_ok());
    assert_eq!(
        codes(&attempts),
        ["remote_status", "remote_status", "answered"]
    );
    assert!(world.now() >= 2000.0);

    for status in [400, 401, 403, 404, 422, 302] {
        let world = World::new(1, move |_, _| {
            Script::reply(status, "{\"error\":{\"message\":\"no\"}}")
        });
        let (reply, attempts, _) = ask(&one(json!({})), &world);
        assert_eq!(
            (reply.unwrap_err().code(), attempts.len()),
            (Code::RemoteStatus, 1),
            "{status}"
        );
    }
    let world = World::new(1, |_, _| {
        Script::reply(429, "{}").header("retry-after", "3600")
    });
    let (reply, attempts, _) = ask(&one(json!({})), &world);
    assert_eq!(
        (reply.unwrap_err().code(), attempts.len()),
        (Code::RemoteStatus, 1)
    );
    assert!(world.now() < 60_000.0, "nobody waits an hour");
}

#[test]
fn every_time_has_its_limit() {
    let silent = |after: f64, body: Vec<(f64, Result<Vec<u8>, TransportError>)>| Script {
        after,
        body,
        ..Script::reply(200, "")
    };
    let never = f64::INFINITY;
    let slow: Vec<_> = (0..10_000).map(|_| (20.0, Ok(b" ".to_vec()))).collect();
    for script in [
        silent(never, Vec::new()),
        silent(1.0, vec![(never, Ok(Vec::new()))]),
        silent(1.0, slow),
    ] {
        let world = World::new(1, move |_, _| script.clone());
        let remote = one(
            json!({"endpoints": [{"provider": "openai", "baseUrl": "https://a.example", "model": "m",
            "connectMs": 100, "firstByteMs": 300, "timeoutMs": 1000}], "policy": {"maxRetries": 1}}),
        );
        let (reply, attempts, _) = ask(&remote, &world);
        assert_eq!(reply.unwrap_err().code(), Code::RemoteTimeout);
        assert_eq!(codes(&attempts), ["remote_timeout", "remote_timeout"]);
        assert!(world.now() < 3000.0, "{}", world.now());
        assert_eq!(world.open_bodies(), 0);
    }
    // Over all tries there is one more.
    let world = World::new(1, move |_, _| silent(never, Vec::new()));
    let (reply, attempts, _) = ask(&one(json!({"policy": {"deadlineMs": 5000}})), &world);
    assert_eq!(reply.unwrap_err().code(), Code::RemoteTimeout);
    assert_eq!(attempts[0].outcome, Outcome::Cancelled);
    assert_eq!(world.now(), 5000.0);
}

#[test]
fn endpoints_are_tried_in_order_and_a_sick_one_is_left_alone() {
    let two = json!({"endpoints": [endpoint(0), endpoint(1)],
        "policy": {"maxRetries": 0, "breakerFailures": 2, "breakerOpenMs": 1000}, "answerCache": {"entries": 0}});
    let remote = Remote::new(options(two)).unwrap();
    let world = World::new(1, |request, _| match request.endpoint() {
        0 => Script::reply(500, ""),
        _ => ham(),
    });
    for _ in 0..2 {
        let (reply, attempts, _) = ask(&remote, &world);
        assert_eq!(reply.unwrap().model, "m1");
        assert_eq!(codes(&attempts), ["remote_status", "answered"]);
    }
    let (reply, attempts, _) = ask(&remote, &world);
    assert_eq!(reply.unwrap().model, "m1");
    assert_eq!(codes(&attempts), ["remote_circuit_open", "answered"]);
    assert_eq!(attempts[0].outcome, Outcome::Skipped);
    world.block_on(world.sleep(1000.0));
    let (_, attempts, _) = ask(&remote, &world);
    assert_eq!(codes(&attempts), ["remote_status", "answered"], "the probe");
    let (_, attempts, _) = ask(&remote, &world);
    assert_eq!(codes(&attempts), ["remote_circuit_open", "answered"]);
}

#[test]
fn a_hedge_takes_the_first_answer() {
    let hedged = |first: f64, second: f64, fails: bool| {
        let two = json!({"endpoints": [endpoint(0), endpoint(1)],
            "policy": {"hedgeAfterMs": 100, "maxRetries": 0}});
        let world = World::new(1, move |request, _| match (request.endpoint(), fails) {
            (0, true) => Script {
                after: first,
                ..Script::reply(500, "")
            },
            (at, _) => Script {
                after: if at == 0 { first } else { second },
                ..ham()
            },
        });
        let (reply, attempts, _) = ask(&Remote::new(options(two)).unwrap(), &world);
        assert_eq!(world.open_bodies(), 0);
        let outcomes: Vec<_> = attempts.iter().map(|a| a.outcome).collect();
        (reply.unwrap().model, outcomes, world.now())
    };
    let (model, outcomes, _) = hedged(50.0, 1.0, false);
    assert_eq!((model.as_str(), outcomes), ("m0", vec![Outcome::Answered]));
    let (model, outcomes, at) = hedged(5000.0, 10.0, false);
    assert_eq!(
        (model.as_str(), outcomes),
        ("m1", vec![Outcome::Cancelled, Outcome::Answered])
    );
    assert!(at < 200.0);
    let (model, outcomes, _) = hedged(300.0, 1000.0, false);
    assert_eq!(
        (model.as_str(), outcomes),
        ("m0", vec![Outcome::Answered, Outcome::Cancelled])
    );
    let (model, outcomes, at) = hedged(20.0, 1.0, true);
    assert_eq!(
        (model.as_str(), outcomes),
        ("m1", vec![Outcome::Failed, Outcome::Answered])
    );
    assert!(at < 60.0, "a failure does not wait for the hedge");
}

#[test]
fn personal_data_stays_and_comes_back() {
    let world = World::new(1, |_, _| {
        stream(&[frames(&["Write to [EMA", "IL_1] or [PHO", "NE_1]", "."]).as_bytes()])
    });
    let remote = one(json!({"privacy": {"tasks": {"summary": "redacted"}}}));
    let text = "I am ann@mail.example, call +49 30 901820.";
    let (reply, _, sent) = world.block_on(write_about(&remote, &world, text));
    let expected = "Write to ann@mail.example or +49 30 901820.";
    assert_eq!(reply.unwrap().text, expected);
    assert_eq!(*world.given.borrow(), expected);
    let requests = world.requests.borrow();
    let body = requests[0].body();
    assert!(body.contains("[EMAIL_1]") && !body.contains("ann@") && !body.contains("901820"));
    assert_eq!(
        sent[0].redactions,
        BTreeMap::from([("email".into(), 1), ("phone".into(), 1)])
    );
}

#[test]
fn rules_and_earlier_turns_are_redacted_together_with_the_text() {
    let world = World::new(1, |_, _| stream(&[frames(&["Ok [EMAIL_1]"]).as_bytes()]));
    let remote = one(json!({"privacy": {"redact": {}}}));
    let history = [Turn {
        role: Role::User,
        text: "I am b@c.example, like a@b.example".into(),
    }];
    let question = Question {
        bundled: true,
        task: "t",
        instruction: "i",
        input: Input::Text("x"),
        wanted: ResponseFormat::Text {
            system: "Write for a@b.example.",
            text: "To b@c.example",
            history: &history,
        },
    };
    let trace = Trace::default();
    let reply = world.block_on(remote.stream(&question, &Unnamed, &world, &trace));
    assert_eq!(reply.unwrap().text, "Ok a@b.example");
    let body: Value = serde_json::from_str(world.requests.borrow()[0].body()).unwrap();
    let said: Vec<_> = (0..3)
        .map(|n| body["messages"][n]["content"].clone())
        .collect();
    assert_eq!(
        said,
        [
            "Write for [EMAIL_1].",
            "I am [EMAIL_2], like [EMAIL_1]",
            "To [EMAIL_2]"
        ]
    );
}

#[test]
fn nothing_leaves_against_the_settings() {
    let denied = |privacy: Value, consent: Result<Consent, TransportError>| {
        let world = World::new(1, |_, _| ham());
        *world.consent.borrow_mut() = consent;
        let remote = one(json!({"privacy": privacy}));
        let (reply, attempts, sent) = ask(&remote, &world);
        assert_eq!(reply.unwrap_err().code(), Code::EgressDenied);
        assert_eq!(codes(&attempts), ["egress_denied"]);
        assert!(
            sent.is_empty() && world.requests.borrow().is_empty() && remote.egress().requests == 0
        );
    };
    let agreed = || {
        Ok(Consent {
            allow: true,
            ..Consent::default()
        })
    };
    denied(json!({"egress": "never"}), agreed());
    denied(
        json!({"egress": "allow", "tasks": {"spam": "never"}}),
        agreed(),
    );
    let no = Consent {
        why: Some("user said no".into()),
        ..Consent::default()
    };
    denied(json!({"egress": "ask"}), Ok(no.clone()));
    denied(json!({"beforeRemote": true}), Ok(no));
    denied(
        json!({"egress": "ask"}),
        Err(TransportError::Page("it threw".into())),
    );

    // The hook sees what would leave, and may change it.
    let world = World::new(1, |_, _| ham());
    *world.consent.borrow_mut() = Ok(Consent {
        allow: true,
        text: Some("changed".into()),
        ..Consent::default()
    });
    let remote = one(json!({"privacy": {"beforeRemote": true, "redact": {}}}));
    let (reply, ..) = world.block_on(ask_about(&remote, &world, "mail a@b.example"));
    assert!(reply.is_ok());
    assert_eq!(world.outgoing.borrow()[0].text, "mail [EMAIL_1]");
    let requests = world.requests.borrow();
    let body = requests[0].body();
    assert!(body.contains("changed") && !body.contains("mail"));
}

#[test]
fn a_file_is_not_sent_where_texts_are_redacted() {
    let world = World::new(1, |_, _| ham());
    let remote = one(json!({"privacy": {"egress": "redacted"}}));
    let labels = labels();
    let question = Question {
        bundled: true,
        task: "type",
        instruction: "?",
        input: Input::Bytes(b"ann@mail.example"),
        wanted: ResponseFormat::Choice(&labels),
    };
    let trace = Trace::default();
    let error = world
        .block_on(remote.ask(&question, &Unnamed, &world, &trace))
        .unwrap_err();
    assert_eq!(error.code(), Code::EgressDenied);
    assert!(world.requests.borrow().is_empty());
}

#[test]
fn a_model_on_the_device_sees_everything_and_costs_nothing() {
    let world = World::new(1, |_, _| {
        Script::reply(200, "{\"reply\":{\"label\":\"ham\"}}")
    });
    world.online.set(false);
    let remote = Remote::new(options(json!({
        "endpoints": [{"provider": "prompt-api"}, endpoint(1)],
        "privacy": {"egress": "never", "redact": {}}, "budget": {"requestsPerDay": 0}})))
    .unwrap();
    let (reply, attempts, sent) = world.block_on(ask_about(&remote, &world, "mail a@b.example"));
    assert!(reply.unwrap().on_device);
    assert_eq!(codes(&attempts), ["egress_denied", "answered"]);
    assert!(sent.is_empty() && world.requests.borrow()[0].body().contains("a@b.example"));
}

#[test]
fn the_same_question_is_asked_once() {
    let world = World::new(1, |_, _| Script {
        after: 100.0,
        ..ham()
    });
    let remote = one(json!({}));
    let calls: Vec<std::pin::Pin<Box<dyn Future<Output = Told>>>> = (0..5)
        .map(|n| {
            Box::pin(ask_about(
                &remote,
                &world,
                if n == 4 { "other" } else { "same" },
            )) as _
        })
        .collect();
    let told = world.run(calls);
    assert!(told.iter().all(|(reply, ..)| reply.is_ok()));
    assert_eq!(world.requests.borrow().len(), 2);
    assert_eq!(
        told.iter()
            .filter(|(reply, ..)| reply.as_ref().unwrap().cached)
            .count(),
        3
    );
    let (reply, ..) = world.block_on(ask_about(&remote, &world, "same"));
    assert!(reply.unwrap().cached);
    world.block_on(remote.forget(&world));
    let (reply, ..) = world.block_on(ask_about(&remote, &world, "same"));
    assert!(!reply.unwrap().cached);

    // Beyond a visit only where that is asked for.
    for (persist, requests) in [(false, 2), (true, 1)] {
        let world = World::new(1, |_, _| ham());
        for _ in 0..2 {
            ask(&one(json!({"answerCache": {"persist": persist}})), &world)
                .0
                .unwrap();
        }
        assert_eq!(world.requests.borrow().len(), requests);
    }
    // And not more than may be kept.
    let world = World::new(1, |_, _| ham());
    let remote = one(json!({"answerCache": {"entries": 2}}));
    for text in ["a", "b", "a", "c", "a", "b"] {
        world.block_on(ask_about(&remote, &world, text)).0.unwrap();
    }
    assert_eq!(
        world.requests.borrow().len(),
        4,
        "b was the least recently used"
    );
}

#[test]
fn budgets_are_shared_by_all_who_keep_the_same_book() {
    let world = World::new(1, |_, _| ham());
    let limited = || {
        one(
            json!({"budget": {"requestsPerDay": 3}, "answerCache": {"entries": 0},
        "endpoints": [{"provider": "openai", "baseUrl": "https://a.example", "model": "m",
            "price": {"inputPerMillion": 1.0, "outputPerMillion": 2.0}}]}),
        )
    };
    let tabs = [limited(), limited()];
    let mut answered = 0;
    for turn in 0..6 {
        let (reply, attempts, _) = ask(&tabs[turn % 2], &world);
        match reply {
            Ok(reply) => {
                answered += 1;
                let cost = reply.usage.unwrap().cost_usd.unwrap();
                assert!((cost - 22e-6).abs() < 1e-12);
            }
            Err(error) => {
                assert_eq!(error.code(), Code::OverBudget);
                assert_eq!(attempts[0].outcome, Outcome::Skipped);
            }
        }
    }
    assert_eq!((answered, world.requests.borrow().len()), (3, 3));
    world.block_on(tabs[0].saved(InputKind::Text, 4, false, &world));
    let report = world.block_on(tabs[0].usage(&world));
    assert_eq!(
        (
            report.today.requests,
            report.today.input_tokens,
            report.in_flight
        ),
        (3, 36, 0)
    );
    assert_eq!(report.saved.requests, 1);
    assert!(report.saved.cost_usd > 0.0);
    // Several that go into the book at once are still several.
    for _ in 0..3 {
        world.block_on(tabs[1].saved(InputKind::Text, 4, false, &world));
    }
    let report = world.block_on(tabs[1].usage(&world));
    assert_eq!(report.saved.requests, 4);

    // Those who wait for a place get one.
    let world = World::new(2, |_, _| Script {
        after: 200.0,
        ..ham()
    });
    let remote = one(json!({"budget": {"concurrency": 2}, "answerCache": {"entries": 0}}));
    let texts: Vec<String> = (0..6).map(|n| format!("text {n}")).collect();
    let calls: Vec<std::pin::Pin<Box<dyn Future<Output = Told>>>> = texts
        .iter()
        .map(|text| Box::pin(ask_about(&remote, &world, text)) as _)
        .collect();
    assert!(world.run(calls).iter().all(|(reply, ..)| reply.is_ok()));
    assert!(world.now() >= 600.0, "two at a time");
}

#[test]
fn text_streams_whole_however_it_is_cut() {
    let pieces = ["Grüße ", "aus ", "Köln 🦀", "!"];
    let whole = frames(&pieces);
    for cut in [1, 2, 3, 7, 64, whole.len()] {
        let bytes: Vec<Vec<u8>> = whole.as_bytes().chunks(cut).map(<[u8]>::to_vec).collect();
        let world = World::new(1, move |_, _| {
            let parts: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            stream(&parts)
        });
        let (reply, ..) = world.block_on(write_about(&one(json!({})), &world, "x"));
        assert_eq!(reply.unwrap().text, pieces.concat());
        assert_eq!(*world.given.borrow(), pieces.concat());
    }
}

#[test]
fn a_stream_that_breaks_is_tried_again_only_before_its_first_word() {
    let broken = |given: &'static str| {
        move |_: &HttpRequest, n: usize| {
            let cut = frames(&["Hello"]);
            let cut = &cut.as_bytes()[..if given.is_empty() { 10 } else { 80 }];
            match n {
                0 => Script {
                    body: vec![
                        (1.0, Ok(cut.to_vec())),
                        (1.0, Err(TransportError::Unreachable("reset".into()))),
                    ],
                    ..stream(&[])
                },
                _ => stream(&[frames(&["Hello"]).as_bytes()]),
            }
        }
    };
    let world = World::new(1, broken(""));
    let (reply, attempts, _) = world.block_on(write_about(&one(json!({})), &world, "x"));
    assert_eq!(reply.unwrap().text, "Hello");
    assert_eq!(codes(&attempts), ["remote_unreachable", "answered"]);

    let world = World::new(1, broken("Hello"));
    let (reply, attempts, _) = world.block_on(write_about(&one(json!({})), &world, "x"));
    assert_eq!(reply.unwrap_err().code(), Code::RemoteInterrupted);
    assert_eq!(
        (attempts.len(), world.given.borrow().as_str()),
        (1, "Hello")
    );

    // An end without an end is no end.
    let world = World::new(1, |_, _| {
        stream(&[
            b"data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}]}\n\n",
        ])
    });
    let (reply, ..) = world.block_on(write_about(&one(json!({})), &world, "x"));
    assert_eq!(reply.unwrap_err().code(), Code::RemoteInterrupted);
    // Without `[DONE]`, and with a connection that stays open, the reason to stop is enough.
    let done =
        "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"},\"finish_reason\":\"stop\"}]}\n\n";
    let world = World::new(1, move |_, _| Script {
        body: vec![(1.0, Ok(done.into())), (f64::INFINITY, Ok(Vec::new()))],
        ..stream(&[])
    });
    let (reply, ..) = world.block_on(write_about(&one(json!({})), &world, "x"));
    assert_eq!(reply.unwrap().text, "Hel");
}

#[test]
fn a_slow_reader_is_waited_for() {
    let many: Vec<String> = (0..50).map(|n| format!("{n} ")).collect();
    let pieces: Vec<&str> = many.iter().map(String::as_str).collect();
    let whole = frames(&pieces);
    let world = World::new(1, move |_, _| stream(&[whole.as_bytes()]));
    world.reader_ms.set(5000.0);
    let (reply, ..) = world.block_on(write_about(&one(json!({})), &world, "x"));
    assert!(reply.is_ok());
    assert!(world.now() > 250_000.0, "far over the time of a try");
}

#[test]
fn what_streams_in_another_way_is_read_too() {
    let ollama = json!({"endpoints": [{"provider": "ollama", "baseUrl": "http://127.0.0.1:11434", "model": "m"}]});
    let lines = "{\"message\":{\"content\":\"Hél\"},\"done\":false}\n{\"message\":{\"content\":\"lo\"},\"done\":true,\"done_reason\":\"stop\"}";
    let world = World::new(1, move |_, _| {
        let parts: Vec<&[u8]> = lines.as_bytes().chunks(5).collect();
        stream(&parts)
    });
    let (reply, ..) = world.block_on(write_about(
        &Remote::new(options(ollama)).unwrap(),
        &world,
        "x",
    ));
    assert_eq!(reply.unwrap().text, "Héllo");
    // Whole although pieces were asked for.
    let world = World::new(1, |_, _| {
        completion("Hello").header("content-type", "application/json")
    });
    let (reply, ..) = world.block_on(write_about(&one(json!({})), &world, "x"));
    assert_eq!(reply.unwrap().text, "Hello");
    assert_eq!(*world.given.borrow(), "Hello");
    // Cut off at the token limit is still text.
    let world = World::new(1, |_, _| {
        stream(&[b"data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n"])
    });
    let (reply, ..) = world.block_on(write_about(&one(json!({})), &world, "x"));
    assert!(reply.unwrap().truncated);
}

#[test]
fn too_much_is_not_read() {
    let world = World::new(1, |_, _| Script {
        body: vec![(1.0, Ok(vec![b' '; 600_000])); 100],
        ..Script::reply(200, "")
    });
    let (reply, ..) = ask(&one(json!({})), &world);
    assert_eq!(reply.unwrap_err().code(), Code::RemoteBadResponse);
    let world = World::new(1, |_, _| Script {
        body: vec![(1.0, Ok(vec![b'x'; 1 << 20])); 100],
        ..stream(&[])
    });
    let (reply, ..) = world.block_on(write_about(&one(json!({})), &world, "x"));
    assert_eq!(reply.unwrap_err().code(), Code::RemoteBadResponse);
    assert!(world.now() < 100.0);
    // The beginning of a long error is enough.
    let world = World::new(1, |_, _| Script {
        body: vec![(1.0, Ok(vec![b'x'; 60_000])); 100],
        ..Script::reply(400, "")
    });
    let (reply, ..) = ask(&one(json!({})), &world);
    assert_eq!(reply.unwrap_err().code(), Code::RemoteStatus);
}

#[test]
fn long_texts_and_bad_options_are_refused() {
    let world = World::new(1, |_, _| ham());
    let text = "x".repeat(100_001);
    let (reply, attempts, _) = world.block_on(ask_about(&one(json!({})), &world, &text));
    assert_eq!(reply.unwrap_err().code(), Code::InputTooLong);
    assert_eq!(attempts[0].outcome, Outcome::Skipped);
    assert!(world.requests.borrow().is_empty());

    for (field, value) in [
        ("baseUrl", json!("/llm/v1")),
        ("baseUrl", json!("file:///etc")),
        ("model", json!("")),
        ("timeoutMs", json!(0)),
        ("maxTokens", json!(0)),
        ("temperature", json!(7.0)),
        (
            "price",
            json!({"inputPerMillion": -1.0, "outputPerMillion": 1.0}),
        ),
    ] {
        let mut broken = endpoint(0);
        broken[field] = value.clone();
        let error = Remote::new(options(json!({"endpoints": [broken]}))).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption, "{field} = {value}");
    }
    for more in [
        json!({"policy": {"maxRetries": 11}}),
        json!({"policy": {"deadlineMs": 0}}),
        json!({"budget": {"concurrency": 0}}),
        json!({"budget": {"costPerDay": -1.0}}),
        json!({"privacy": {"redact": {"patterns": {"A": "("}}}}),
    ] {
        assert!(Remote::new(options(more.clone())).is_err(), "{more}");
    }
}

#[test]
fn of_a_file_only_the_beginning_is_shown() {
    let file = vec![b'a'; 10_000];
    let text = question::shown(Input::Bytes(&file));
    assert!(text.starts_with("A file of 10000 bytes. Its first 512 bytes"));
    assert_eq!(text.matches("61").count(), 512);
    assert!(text.ends_with(&"a".repeat(512)));
    assert!(!question::shown(Input::Bytes(&[0xff, 0x00])).contains("as text"));
}

#[test]
fn loopback_is_told_from_the_network() {
    for (url, expected) in [
        ("http://localhost:11434/v1", true),
        ("http://127.0.0.1/v1", true),
        ("http://[::1]:8080/v1", true),
        ("http://a.localhost/v1", true),
        ("https://api.example/v1", false),
        ("https://localhost.example/v1", false),
        ("https://user@127.0.0.1:1/v1", true),
        ("https://127.0.0.1@evil.example/v1", false),
    ] {
        let mut value = endpoint(0);
        value["baseUrl"] = url.into();
        let endpoint: Endpoint = serde_json::from_value(value).unwrap();
        assert_eq!(endpoint.is_loopback(), expected, "{url}");
    }
}
