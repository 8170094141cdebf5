//! What a task of entities finds is taken out of what leaves.

use super::*;
use crate::runtime::Call;
use crate::task::Label;

fn with_task(task: &str) -> Result<Runtime<Folder>> {
    let files = files();
    let redact = json!({"task": task});
    redacting(
        &manifest(&files, guarantee()),
        files,
        Mode::OnlyRemote,
        redact,
    )
}

fn mood(text: &str) -> Call<'_> {
    let labels = ["good", "bad"].map(|id| Label {
        id: id.into(),
        title: None,
    });
    Call {
        labels: Some(labels.to_vec()),
        instruction: Some("Name the mood.".into()),
        ..Call::new("mood", Input::Text(text))
    }
}

fn sent(runtime: &Runtime<Folder>, text: &str) -> (Result<String>, usize) {
    let world = saying(&json!({"label": "good"}));
    let answer = world.block_on(runtime.run(&mood(text), &world));
    let requests = world.requests.borrow();
    let body = requests.first().map(|request| request.body().to_owned());
    let found = answer.map(|answer| {
        let counts = &answer.sent[0].redactions;
        assert_eq!(
            counts.get("per").copied().unwrap_or(0) > 0,
            text.contains("Ann")
        );
        body.unwrap_or_default()
    });
    (found, requests.len())
}

#[test]
fn entities_do_not_leave_wherever_they_stand() {
    let runtime = with_task("names").unwrap();
    let body = sent(&runtime, "Ann wrote x. Anna, Ann@x and Ann")
        .0
        .unwrap();
    for whole in ["[PER_1] wrote x. Anna,", "and [PER_1]"] {
        assert!(body.contains(whole), "{whole}: {body}");
    }
    // A text without any is sent as it is.
    assert!(sent(&runtime, "x wrote x").0.unwrap().contains("x wrote x"));
}

#[test]
fn a_text_that_is_longer_than_the_task_takes_is_looked_at_whole() {
    let runtime = with_task("names").unwrap();
    // The task takes 100 bytes; a name stands wherever parts meet.
    for before in 0..120 {
        let text = format!("{}Ann {}Ann", "x ".repeat(before), "é ".repeat(200));
        let body = sent(&runtime, &text).0.unwrap();
        assert!(!body.contains("Ann"), "{before}: {body}");
    }
}

#[test]
fn where_the_task_cannot_look_nothing_is_sent() {
    let mut files = files();
    let manifest = manifest(&files, guarantee());
    files.insert("model.onnx".into(), b"no model".to_vec());
    let runtime = redacting(&manifest, files, Mode::OnlyRemote, json!({"task": "names"})).unwrap();
    let (answer, requests) = sent(&runtime, "Ann wrote x");
    let error = answer.unwrap_err();
    assert_eq!((error.code(), requests), (Code::EgressDenied, 0));
    assert!(error.to_string().contains("nothing is sent"), "{error}");
}

#[test]
fn a_task_that_finds_no_entities_is_refused_by_name() {
    for (task, why) in [("vectors", "feature-extraction"), ("none", "has no task")] {
        let error = with_task(task).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
        let told = error.to_string();
        assert!(told.contains("redact.task") && told.contains(why), "{told}");
    }
}
