use serde_json::json;

use super::*;
use crate::task::Pixels;

fn labels(ids: &[&str]) -> Vec<Label> {
    let label = |id: &&str| Label {
        id: (*id).to_owned(),
        title: None,
    };
    ids.iter().map(label).collect()
}

fn plain() -> KindOptions {
    KindOptions::default()
}

fn refused(form: &Form<'_>, reply: &str) -> String {
    let error = form.read(reply).expect_err(reply);
    assert_eq!(error.code(), Code::RemoteBadResponse, "{reply}");
    error.to_string()
}

#[test]
fn entities_of_a_remote_are_placed_in_the_text_in_javascripts_units() {
    let labels = labels(&["O", "B-PER", "I-PER", "B-LOC"]);
    let options = plain();
    let text = "😀 Ann met Ann in שרה.";
    let form = |text| {
        Form::new(
            TaskKind::TokenClassification,
            &labels,
            Input::Text(text),
            &options,
        )
    };
    let form = form(text).unwrap();
    let reply = r#"{"entities": [
        {"label": "PER", "text": "Ann"}, {"label": "PER", "text": "Ann"}, {"label": "LOC", "text": "שרה"}
    ]}"#;
    let KindOutput::Tokens(output) = form.read(reply).unwrap() else {
        panic!("no entities")
    };
    let units: Vec<u16> = text.encode_utf16().collect();
    for entity in &output.entities {
        let part = &units[entity.start as usize..entity.end as usize];
        assert_eq!(String::from_utf16(part).unwrap(), entity.text);
        assert_eq!((entity.score, entity.token), (None, None));
    }
    let starts: Vec<u32> = output.entities.iter().map(|e| e.start).collect();
    assert_eq!(starts, [3, 11, 18]);
    // What was named out of order still has its place; the order is the text's.
    let reply =
        r#"{"entities": [{"label": "LOC", "text": "שרה"}, {"label": "PER", "text": "Ann"}]}"#;
    let KindOutput::Tokens(output) = form.read(reply).unwrap() else {
        panic!("no entities")
    };
    assert_eq!(output.entities[0].start, 3);
    assert_eq!(form.read(r#"{"entities": []}"#).unwrap(), {
        KindOutput::Tokens(crate::task::kind::TokensOutput {
            entities: Vec::new(),
        })
    });
}

#[test]
fn what_a_remote_makes_up_is_refused() {
    let labels = labels(&["O", "B-PER", "I-PER"]);
    let options = plain();
    let entities = Form::new(
        TaskKind::TokenClassification,
        &labels,
        Input::Text("Ann and Ann"),
        &options,
    );
    let entities = entities.unwrap();
    for (reply, why) in [
        (
            r#"{"entities": [{"label": "PER", "text": "Bob"}]}"#,
            "does not stand in the text",
        ),
        (
            r#"{"entities": [{"label": "PER", "text": ""}]}"#,
            "does not stand in the text",
        ),
        (
            r#"{"entities": [{"label": "B-PER", "text": "Ann"}]}"#,
            "label \"B-PER\"",
        ),
        (
            r#"{"entities": [{"label": "O", "text": "and"}]}"#,
            "label \"O\"",
        ),
        (
            r#"{"entities": [{"label": "PER", "text": "Ann", "start": 0}]}"#,
            "not the JSON",
        ),
        (r#"{"entities": {}}"#, "not the JSON"),
        ("Ann is a person.", "not the JSON"),
    ] {
        assert!(refused(&entities, reply).contains(why), "{reply}");
    }
    // A third Ann is not there.
    let ann = r#"{"label": "PER", "text": "Ann"}"#;
    let three = format!(r#"{{"entities": [{ann}, {ann}, {ann}]}}"#);
    assert!(refused(&entities, &three).contains("does not stand"));

    let pair = Input::Pair {
        text: "Who met Ann?",
        second: "Bob met Ann.",
    };
    let question = Form::new(TaskKind::QuestionAnswering, &[], pair, &options).unwrap();
    for made_up in [r#"{"answer": "Carl"}"#, r#"{"answer": " "}"#] {
        assert!(refused(&question, made_up).contains("does not stand in the text"));
    }
    let KindOutput::Question(output) = question.read(r#"Sure: {"answer": "Bob"}"#).unwrap() else {
        panic!("no answer")
    };
    assert_eq!((output.best.start, output.best.end), (0, 3));
}

#[test]
fn labels_of_a_remote_are_the_tasks() {
    let labels = labels(&["a", "b"]);
    let options = plain();
    let text = Input::Text("x");
    let form = Form::new(TaskKind::MultiLabel, &labels, text, &options).unwrap();
    let KindOutput::Labels(output) = form.read(r#"{"labels": ["b", "b"]}"#).unwrap() else {
        panic!("no labels")
    };
    assert_eq!(output.labels.len(), 1);
    assert!(refused(&form, r#"{"labels": ["c"]}"#).contains("label \"c\""));

    let asked = |several| KindOptions {
        candidate_labels: Some(vec!["sport".into(), "trade".into()]),
        multi_label: several,
        ..KindOptions::default()
    };
    let zero_shot = TaskKind::ZeroShotClassification;
    let one = asked(None);
    let form = Form::new(zero_shot, &labels, text, &one).unwrap();
    assert_eq!(
        form.schema()["properties"]["label"]["enum"],
        json!(["sport", "trade"])
    );
    assert!(matches!(
        form.read(r#"{"label": "sport"}"#).unwrap(),
        KindOutput::Label(output) if output.label == "sport" && output.score.is_none()
    ));
    // A probability of each label is what a model gives.
    let several = asked(Some(true));
    let error = Form::new(zero_shot, &labels, text, &several).unwrap_err();
    assert!(error.to_string().contains("multiLabel"), "{error}");
    let none = plain();
    let error = Form::new(zero_shot, &labels, text, &none).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
}

#[test]
fn every_form_says_what_its_schema_asks_for() {
    let labels = labels(&["O", "B-PER", "B-LOC"]);
    let asked = KindOptions {
        candidate_labels: Some(vec!["PER".into(), "LOC".into()]),
        ..KindOptions::default()
    };
    let pair = Input::Pair {
        text: "Who?",
        second: "Ann.",
    };
    let pixels = Pixels::new(1, 1, vec![0; 4]).unwrap();
    let sound = Input::Sound {
        samples: &[0.0; 16],
        rate: 8,
    };
    for (kind, input, options) in [
        (TaskKind::MultiLabel, Input::Text("x"), &plain()),
        (TaskKind::TokenClassification, Input::Text("x"), &plain()),
        (TaskKind::QuestionAnswering, pair, &plain()),
        (TaskKind::ZeroShotClassification, Input::Text("x"), &asked),
        (TaskKind::ObjectDetection, Input::Image(&pixels), &plain()),
        (TaskKind::Ocr, Input::Image(&pixels), &plain()),
        (TaskKind::VoiceActivityDetection, sound, &plain()),
    ] {
        let form = Form::new(kind, &labels, input, options).unwrap();
        let schema = form.schema();
        // What strict structured output asks of every object.
        assert_eq!(schema["additionalProperties"], json!(false), "{kind:?}");
        for field in schema["required"].as_array().unwrap() {
            let field = field.as_str().unwrap();
            assert!(form.rules().contains(&format!("\"{field}\"")), "{kind:?}");
        }
        assert!(form.text().contains(match kind {
            TaskKind::QuestionAnswering => "Question: Who?",
            TaskKind::ObjectDetection | TaskKind::Ocr => "The image is attached",
            TaskKind::VoiceActivityDetection => "2.0 seconds",
            _ => "x",
        }));
    }
    for kind in [TaskKind::FillMask, TaskKind::FeatureExtraction] {
        assert!(!is_for_remotes(kind, &asked));
        let error = Form::new(kind, &[], Input::Text("x"), &asked).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
    }
}

#[test]
fn segments_of_a_remote_lie_one_behind_the_other_in_the_sound() {
    let options = plain();
    let sound = Input::Sound {
        samples: &[0.0; 30],
        rate: 10,
    };
    let form = Form::new(TaskKind::VoiceActivityDetection, &[], sound, &options).unwrap();
    let segments = |spans: &[(f64, f64)]| {
        let segment = |(start, end): &(f64, f64)| json!({"start": start, "end": end});
        let all: Vec<Value> = spans.iter().map(segment).collect();
        json!({ "segments": all }).to_string()
    };
    let KindOutput::Voice(output) = form.read(&segments(&[(0.5, 1.0), (1.0, 3.05)])).unwrap()
    else {
        panic!("no segments")
    };
    let found: Vec<(f64, f64, Option<f64>)> = output
        .segments
        .iter()
        .map(|s| (s.start, s.end, s.score))
        .collect();
    // A rounded end is the sound's.
    assert_eq!(found, [(0.5, 1.0, None), (1.0, 3.0, None)]);
    for wrong in [
        segments(&[(-0.1, 1.0)]),
        segments(&[(1.0, 1.0)]),
        segments(&[(0.0, 3.2)]),
        segments(&[(3.0, 3.05)]),
        segments(&[(1.0, 2.0), (1.5, 2.5)]),
        json!({"segments": [{"start": 0}]}).to_string(),
    ] {
        refused(&form, &wrong);
    }
}
