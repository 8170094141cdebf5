//! Thousands of random worlds: servers that fail in every way, callers that abort, budgets that run out. Whatever
//! happens, a call ends once, in time, with its trace; nothing stays open; and no work is paid for twice.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

use serde_json::{Value, json};

use super::*;
use crate::error::{Code, Error};
use crate::task::{Attempt, Input, Label, Outcome};
use crate::testing::{Random, Script, World};

const WORLDS: u64 = 20_000;

/// What one server did with a request, as the test sees it from outside.
struct Served {
    endpoint: usize,
    key: String,
    /// Whether it sent a whole reply that answers the question.
    answered: bool,
}

fn reply(label: &str) -> Vec<u8> {
    let content = json!({"label": label}).to_string();
    let body = json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}],
                      "usage": {"prompt_tokens": 10, "completion_tokens": 2}});
    body.to_string().into_bytes()
}

fn frames() -> Vec<u8> {
    let delta = |text: &str| {
        format!(
            "data: {}\n\n",
            json!({"choices": [{"delta": {"content": text}, "finish_reason": null}]})
        )
    };
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    (delta("Hel") + &delta("lö ") + &delta("world") + end).into_bytes()
}

/// One fault, or none. The second part says whether it is a whole good answer.
fn fault(random: &mut Random, stream: bool) -> (Script, bool) {
    let ms = |random: &mut Random, most: f64| (random.uniform() * most).floor();
    let after = if random.uniform() < 0.1 {
        ms(random, 60_000.0)
    } else {
        ms(random, 300.0)
    };
    let good = if stream { frames() } else { reply("b") };
    let kind = if stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    let cut = (random.uniform() * good.len() as f64) as usize;
    let (script, whole) = match (random.uniform() * 16.0) as u32 {
        0 => (Script::reply(500, "<h1>oops</h1>"), false),
        1 => (
            Script::reply(429, "{}").header(
                "retry-after",
                ["0", "1", "30", "7200", "x"][(random.next() % 5) as usize],
            ),
            false,
        ),
        2 => (
            Script::reply(
                [400, 401, 404, 408, 409, 422, 529][(random.next() % 7) as usize],
                "{\"error\":{\"message\":\"m\"}}",
            ),
            false,
        ),
        3 => (
            Script::broken(TransportError::Unreachable("refused".into())),
            false,
        ),
        4 => (
            Script::broken(TransportError::Headers("signed out".into())),
            false,
        ),
        // It never answers, or never goes on.
        5 => (
            Script {
                after: f64::INFINITY,
                ..Script::reply(200, "")
            },
            false,
        ),
        6 => (
            Script {
                body: vec![
                    (1.0, Ok(good[..cut].to_vec())),
                    (f64::INFINITY, Ok(Vec::new())),
                ],
                ..Script::reply(200, "")
            },
            false,
        ),
        // It breaks off, or simply ends.
        7 => (
            Script {
                body: vec![
                    (1.0, Ok(good[..cut].to_vec())),
                    (5.0, Err(TransportError::Unreachable("reset".into()))),
                ],
                ..Script::reply(200, "")
            },
            false,
        ),
        8 => (Script::reply(200, good[..cut].to_vec()), false),
        9 => (Script::reply(200, "<!doctype html><h1>Welcome</h1>"), false),
        // To whoever wants a text, any text is one.
        10 if stream => (
            Script::reply(200, "{\"error\":{\"message\":\"m\",\"code\":429}}"),
            false,
        ),
        10 => (Script::reply(200, reply("nonsense")), false),
        // Byte by byte, slowly.
        11 => (
            Script {
                body: good
                    .iter()
                    .map(|&b| (ms(random, 400.0), Ok(vec![b])))
                    .collect(),
                ..Script::reply(200, "")
            },
            true,
        ),
        _ => (Script::reply(200, good), true),
    };
    let after = if script.after.is_finite() {
        after
    } else {
        script.after
    };
    // A server that answers too late has not answered.
    let total = after + script.body.iter().map(|(ms, _)| ms).sum::<f64>();
    let whole = whole && after < 1990.0 && total < 9990.0;
    (
        Script { after, ..script }.header("content-type", kind),
        whole,
    )
}

struct Ended {
    result: Result<Reply, Error>,
    attempts: Vec<Attempt>,
}

#[test]
fn every_call_ends_once_in_time_and_is_paid_once() {
    let labels: Vec<Label> = ["a", "b"]
        .map(|id| Label {
            id: id.into(),
            title: None,
        })
        .to_vec();
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..WORLDS {
        let mut random = Random::new(seed);
        let stream = random.uniform() < 0.4;
        let endpoints = 1 + (random.next() % 3) as usize;
        let hedge = (random.uniform() < 0.3).then(|| (random.next() % 2000) as u32);
        let options: RemoteOptions = serde_json::from_value(json!({
            "endpoints": (0..endpoints).map(|n| json!({"provider": "openai", "baseUrl": format!("https://a{n}.example"),
                "model": "m", "connectMs": 2000, "firstByteMs": 4000, "timeoutMs": 10_000,
                "idempotencyHeader": "idempotency-key"})).collect::<Vec<_>>(),
            "policy": {"maxRetries": random.next() % 4, "deadlineMs": 40_000, "hedgeAfterMs": hedge,
                "breakerFailures": 1 + random.next() % 5, "breakerOpenMs": random.next() % 20_000},
            "budget": if random.uniform() < 0.3 {
                json!({"requestsPerMinute": random.next() % 8, "concurrency": 1 + random.next() % 2})
            } else { Value::Null }.as_object().cloned().unwrap_or_default(),
            "answerCache": {"entries": if random.uniform() < 0.5 { 0 } else { 10 }},
        }))
        .unwrap();
        let deadline = f64::from(options.policy.deadline_ms);
        let concurrency = options.budget.concurrency;
        let remote = Remote::new(options).unwrap();
        let served: Rc<RefCell<Vec<Served>>> = Rc::default();
        let log = Rc::clone(&served);
        let chance = RefCell::new(Random::new(seed ^ 0xabcd));
        let world = World::new(seed, move |request, _| {
            let (script, answered) = fault(&mut chance.borrow_mut(), stream);
            let key = request
                .headers()
                .iter()
                .find(|(name, _)| name == "idempotency-key");
            log.borrow_mut().push(Served {
                endpoint: request.endpoint(),
                key: key.map(|(_, key)| key.clone()).unwrap(),
                answered,
            });
            script
        });
        let aborts = random.uniform() < 0.2;
        if aborts {
            world.time.abort_at.set(random.uniform() * 20_000.0);
        }
        let calls = 1 + random.next() % 4;
        let texts: Vec<String> = (0..calls)
            .map(|_| format!("text {}", random.next() % 3))
            .collect();
        let work = |text: &str| {
            let text = text.to_owned();
            let (remote, world, labels) = (&remote, &world, &labels);
            async move {
                let wanted = if stream {
                    ResponseFormat::Text {
                        system: "s",
                        text: &text,
                        history: &[],
                    }
                } else {
                    ResponseFormat::Choice(labels)
                };
                let question = Question {
                    bundled: true,
                    task: "t",
                    instruction: "i",
                    input: Input::Text(&text),
                    wanted,
                };
                let trace = Trace::default();
                let result = if stream {
                    remote.stream(&question, &Unnamed, world, &trace).await
                } else {
                    remote.ask(&question, &Unnamed, world, &trace).await
                };
                Ended {
                    result,
                    attempts: trace.into_parts().0,
                }
            }
        };
        // `run` itself fails when a call hangs.
        let futures: Vec<Pin<Box<dyn Future<Output = Ended>>>> =
            texts.iter().map(|text| Box::pin(work(text)) as _).collect();
        let ended = world.run(futures);
        assert_eq!(ended.len(), calls as usize);

        if !stream {
            // Callers with one question wait for each other, so each may take its turn.
            let most =
                (deadline + 100.0) * calls as f64 * if concurrency.is_some() { 2.0 } else { 1.0 };
            assert!(world.now() <= most, "world {seed} took {} ms", world.now());
        }
        assert_eq!(
            world.open_bodies(),
            0,
            "world {seed} leaves a connection open"
        );
        let served = served.borrow();
        for call in &ended {
            let answers = call
                .attempts
                .iter()
                .filter(|a| a.outcome == Outcome::Answered)
                .count();
            match &call.result {
                Ok(reply) => {
                    assert!(answers == 1 || reply.cached, "world {seed}");
                    match &reply.output {
                        Some(output) => assert_eq!(output.label, "b", "world {seed}"),
                        None => assert_eq!(reply.text, "Hellö world", "world {seed}"),
                    }
                    *seen.entry("answered".into()).or_default() += 1;
                }
                Err(error) => {
                    assert_eq!(answers, 0, "world {seed}: an answer was thrown away");
                    assert!(!error.to_string().is_empty());
                    assert!(error.code() != Code::Aborted || aborts, "world {seed}");
                    assert_ne!(error.code(), Code::Internal, "world {seed}: {error}");
                    *seen.entry(error.code().to_string()).or_default() += 1;
                }
            }
        }
        // The same work is not paid for twice: after a whole good answer no other try of that call goes to that server.
        for (at, first) in served.iter().enumerate() {
            let again = served[at + 1..]
                .iter()
                .any(|s| s.key == first.key && s.endpoint == first.endpoint);
            assert!(
                !(first.answered && again),
                "world {seed} asks again after an answer"
            );
        }
        let report = world.block_on(remote.usage(&world));
        assert!(
            report.total.requests <= served.len() as u64,
            "world {seed} pays for what was not sent"
        );
        // What was paid for is there, and what is open will be closed by its own time.
        let paid = report.total.requests + u64::from(report.in_flight);
        let unpaid = served.len() as u64 - paid.min(served.len() as u64);
        let free = ended
            .iter()
            .flat_map(|e| &e.attempts)
            .filter(|a| a.code.as_deref() == Some("invalid_option"))
            .count();
        assert!(
            unpaid <= free as u64,
            "world {seed}: {unpaid} requests are in no book"
        );
    }
    // The worlds are as varied as they should be.
    for code in [
        "answered",
        "aborted",
        "over_budget",
        "remote_status",
        "remote_timeout",
        "remote_unreachable",
        "remote_bad_response",
        "remote_interrupted",
        "remote_circuit_open",
    ] {
        assert!(
            seen.get(code).is_some_and(|&n| n >= 10),
            "{code} was hardly met: {seen:?}"
        );
    }
}
