//! The replies of `tests/fixtures/replies`, each sent in pieces of several sizes and under several content types.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::remote::*;
use crate::task::{Attempt, Input, Label};
use crate::testing::{Script, World};

/// One entry of the index.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    file: String,
    provider: String,
    ask: Ask,
    want: Want,
    why: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Ask {
    Choice,
    Text,
}

/// What is to come of it: a label, a text, or an error.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Want {
    label: Option<String>,
    text: Option<String>,
    truncated: bool,
    tokens: Option<(u64, u64)>,
    code: Option<String>,
    says: Option<String>,
    tries: Option<usize>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/replies")
}

fn index() -> Vec<Fixture> {
    serde_json::from_slice(&fs::read(folder().join("index.json")).unwrap()).unwrap()
}

/// Sends the bytes in pieces of `cut`, and gives what came of it and what had been handed over.
fn sent(
    fixture: &Fixture,
    bytes: &[u8],
    cut: usize,
    kind: Option<&'static str>,
) -> (Result<Reply, Error>, Vec<Attempt>, String) {
    let remote = Remote::new(
        serde_json::from_value(json!({
            "endpoints": [{"provider": fixture.provider, "baseUrl": "https://api.example", "model": "m"}],
            "answerCache": {"entries": 0},
        }))
        .unwrap(),
    )
    .unwrap();
    let pieces: Vec<Vec<u8>> = bytes.chunks(cut).map(<[u8]>::to_vec).collect();
    let world = World::new(1, move |_, _| {
        let script = Script {
            body: pieces
                .iter()
                .map(|piece| (0.0, Ok(piece.clone())))
                .collect(),
            ..Script::reply(200, "")
        };
        match kind {
            Some(kind) => script.header("content-type", kind),
            None => script,
        }
    });
    let labels = ["spam", "ham"].map(|id| Label {
        id: id.into(),
        title: None,
    });
    let wanted = match fixture.ask {
        Ask::Choice => ResponseFormat::Choice(&labels),
        Ask::Text => ResponseFormat::Text {
            system: "s",
            text: "x",
            history: &[],
        },
    };
    let question = Question {
        bundled: true,
        task: "t",
        instruction: "i",
        input: Input::Text("x"),
        wanted,
    };
    let trace = Trace::default();
    let result = world.block_on(async {
        match fixture.ask {
            Ask::Choice => remote.ask(&question, &Unnamed, &world, &trace).await,
            Ask::Text => remote.stream(&question, &Unnamed, &world, &trace).await,
        }
    });
    let given = world.given.borrow().clone();
    (result, trace.into_parts().0, given)
}

/// What is wrong with what came of it; empty when nothing is.
fn wrong(want: &Want, result: &Result<Reply, Error>, attempts: &[Attempt], given: &str) -> String {
    let reply = match (result, &want.code) {
        (Ok(reply), None) => reply,
        (Ok(reply), Some(code)) => return format!("wanted {code}, got {reply:?}"),
        (Err(error), None) => return format!("{}: {error}", error.code()),
        (Err(error), Some(code)) => {
            let says = want.says.as_deref().unwrap_or_default();
            return match () {
                () if error.code().to_string() != *code => {
                    format!("wanted {code}, got {}: {error}", error.code())
                }
                () if !error.to_string().contains(says) => {
                    format!("does not say {says:?}: {error}")
                }
                () if want.tries.is_some_and(|tries| tries != attempts.len()) => {
                    format!("{} tries: {error}", attempts.len())
                }
                () => String::new(),
            };
        }
    };
    let label = reply.output.as_ref().map(|output| output.label.clone());
    let tokens = reply
        .usage
        .as_ref()
        .map(|usage| (usage.input_tokens, usage.output_tokens));
    match () {
        () if label != want.label => format!("label {label:?}"),
        () if reply.text != want.text.as_deref().unwrap_or_default() => {
            format!("text {:?}", reply.text)
        }
        () if want.text.is_some() && reply.text != given => format!("handed over {given:?}"),
        () if reply.truncated != want.truncated => format!("truncated: {}", reply.truncated),
        () if want.tokens.is_some() && tokens != want.tokens => format!("tokens {tokens:?}"),
        () => String::new(),
    }
}

/// The content types of a file: the right one, none at all, and the one that servers send by default.
fn kinds(file: &str) -> [Option<&'static str>; 3] {
    let right = match file.rsplit_once('.').unwrap().1 {
        "sse" => "text/event-stream; charset=utf-8",
        "json" => "application/json",
        "jsonl" => "application/x-ndjson",
        _ => "text/html",
    };
    [Some(right), None, Some("text/plain")]
}

#[test]
fn replies_are_read_as_servers_send_them() {
    let mut failed = Vec::new();
    for fixture in index() {
        let bytes = fs::read(folder().join(&fixture.file)).unwrap();
        for kind in kinds(&fixture.file) {
            for cut in [1, 7, bytes.len()] {
                let (result, attempts, given) = sent(&fixture, &bytes, cut, kind);
                let wrong = wrong(&fixture.want, &result, &attempts, &given);
                if !wrong.is_empty() {
                    failed.push(format!(
                        "{} ({}; {kind:?}, {cut}): {wrong}",
                        fixture.file, fixture.why
                    ));
                    break;
                }
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} wrong:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Wherever the connection ends, a text that is given as whole is whole.
#[test]
fn a_reply_that_is_cut_anywhere_is_no_whole_one() {
    for fixture in index().iter().filter(|f| f.want.text.is_some()) {
        let bytes = fs::read(folder().join(&fixture.file)).unwrap();
        for end in 0..bytes.len() {
            let (result, _, given) = sent(fixture, &bytes[..end], bytes.len(), None);
            match result {
                Ok(reply) => assert_eq!(
                    Some(&reply.text),
                    fixture.want.text.as_ref(),
                    "{} up to {end}",
                    fixture.file
                ),
                Err(_) => assert!(
                    fixture.want.text.as_ref().unwrap().starts_with(&given),
                    "{} up to {end}",
                    fixture.file
                ),
            }
        }
    }
}

#[test]
fn every_file_is_in_the_index() {
    let listed: Vec<String> = index().into_iter().map(|f| f.file).collect();
    let names: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert_eq!(names.len(), listed.len(), "a file is listed twice");
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            names.contains(name.as_str()) || ["index.json", "README.md"].contains(&name.as_str()),
            "{name} is not in the index"
        );
    }
}
