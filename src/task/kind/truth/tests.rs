use super::*;
use crate::task::kind::{
    Entity, FoundAnswer, GivenLabel, LabelsOutput, QuestionOutput, TokensOutput,
};
use crate::task::{Input, Label};

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

fn labels(ids: &[&str]) -> Vec<Label> {
    let label = |id: &&str| Label {
        id: (*id).to_owned(),
        title: None,
    };
    ids.iter().map(label).collect()
}

fn tokens(spans: &[(&str, u32, u32)]) -> KindOutput {
    let entity = |&(label, start, end): &(&str, u32, u32)| Entity {
        label: label.to_owned(),
        score: None,
        text: String::new(),
        word: String::new(),
        start,
        end,
        token: None,
    };
    KindOutput::Tokens(TokensOutput {
        entities: spans.iter().map(entity).collect(),
    })
}

fn spans(spans: &[(&str, u32, u32)]) -> Truth {
    let span = |&(label, start, end): &(&str, u32, u32)| Span {
        label: label.to_owned(),
        start,
        end,
    };
    Truth::Spans(spans.iter().map(span).collect())
}

#[test]
fn spans_cost_what_is_missed_and_what_is_made_up() {
    let right = spans(&[("PER", 0, 3), ("LOC", 9, 12)]);
    for (given, f1, miss, exact) in [
        (&[("PER", 0, 3), ("LOC", 9, 12)][..], 0.0, 0.0, 0.0),
        (&[("PER", 0, 3)], 1.0 - 2.0 / 3.0, 0.5, 1.0),
        // Another label, or another place, is no hit.
        (&[("LOC", 0, 3), ("LOC", 9, 11)], 1.0, 1.0, 1.0),
        (
            &[("PER", 0, 3), ("LOC", 9, 12), ("PER", 4, 5)],
            0.2,
            0.0,
            1.0,
        ),
        (&[], 1.0, 1.0, 1.0),
    ] {
        let output = tokens(given);
        close(loss(&output, &right, Loss::F1).unwrap(), f1);
        close(loss(&output, &right, Loss::Miss).unwrap(), miss);
        close(loss(&output, &right, Loss::Exact).unwrap(), exact);
    }
    let nothing = spans(&[]);
    for (given, f1) in [(&[][..], 0.0), (&[("PER", 0, 3)], 1.0)] {
        close(loss(&tokens(given), &nothing, Loss::F1).unwrap(), f1);
        close(loss(&tokens(given), &nothing, Loss::Miss).unwrap(), 0.0);
    }
}

#[test]
fn answers_are_compared_as_squad_compares_them() {
    let cost = |given: &str, right: &[&str], by| {
        let best = FoundAnswer {
            answer: given.to_owned(),
            score: None,
            start: 0,
            end: 0,
        };
        let output = KindOutput::Question(QuestionOutput {
            answers: vec![best.clone()],
            best,
        });
        let right = right.iter().map(|r| (*r).to_owned()).collect();
        loss(&output, &Truth::Answers(right), by).unwrap()
    };
    close(
        cost("The Eiffel Tower!", &["eiffel tower"], Loss::Exact),
        0.0,
    );
    close(
        cost("Eiffel Tower", &["the tower", "Paris"], Loss::Exact),
        1.0,
    );
    // One of two words given, one of one there: F1 2/3.
    close(
        cost("Eiffel Tower", &["the tower", "Paris"], Loss::F1),
        1.0 / 3.0,
    );
    // A word counts as often as it is there.
    close(cost("ha ha ha", &["ha"], Loss::F1), 0.5);
    close(cost("Rome", &["Paris"], Loss::F1), 1.0);
}

#[test]
fn labels_are_sets() {
    let cost = |given: &[&str], right: &[&str], by| {
        let given = given.iter().map(|label| GivenLabel {
            label: (*label).to_owned(),
            score: None,
        });
        let output = KindOutput::Labels(LabelsOutput {
            labels: given.collect(),
            scores: Vec::new(),
        });
        let right = right.iter().map(|r| (*r).to_owned()).collect();
        loss(&output, &Truth::Labels(right), by).unwrap()
    };
    close(cost(&["b", "a"], &["a", "b"], Loss::Exact), 0.0);
    close(cost(&["a"], &["a", "b"], Loss::F1), 1.0 / 3.0);
    close(cost(&["a"], &["a", "b"], Loss::Exact), 1.0);
    close(cost(&[], &[], Loss::F1), 0.0);
}

#[test]
fn every_loss_of_a_kind_lies_between_0_and_1_and_others_are_refused() {
    let output = tokens(&[("PER", 0, 3)]);
    for by in losses(TaskKind::TokenClassification) {
        let cost = loss(&output, &spans(&[("PER", 0, 4)]), *by).unwrap();
        assert!((0.0..=1.0).contains(&cost));
    }
    assert!(losses(TaskKind::FeatureExtraction).is_empty());
    let error = loss(&output, &Truth::Label("a".into()), Loss::F1).unwrap_err();
    assert_eq!(error.code(), Code::Internal);
}

#[cfg(feature = "cli")]
#[test]
fn rows_say_what_is_right_in_the_ways_that_data_sets_have() {
    let tags = labels(&["O", "B-PER", "I-PER"]);
    let text = Input::Text("😀 Ann");
    let read = |kind, labels: &[Label], said: &str| Truth::read(kind, labels, text, said);
    let ner = TaskKind::TokenClassification;
    assert_eq!(
        read(
            ner,
            &tags,
            r#"[{"label": "PER", "start": 3, "end": 6, "text": "Ann"}]"#
        )
        .unwrap(),
        spans(&[("PER", 3, 6)])
    );
    assert_eq!(read(ner, &tags, "[]").unwrap(), spans(&[]));
    for (said, why) in [
        // Code points, as Python counts: one less.
        (
            r#"[{"label": "PER", "start": 2, "end": 5, "text": "Ann"}]"#,
            "UTF-16",
        ),
        (
            r#"[{"label": "PER", "start": 3, "end": 7}]"#,
            "does not lie",
        ),
        (
            r#"[{"label": "PER", "start": 6, "end": 3}]"#,
            "does not lie",
        ),
        // Half of an emoji.
        (
            r#"[{"label": "PER", "start": 1, "end": 3}]"#,
            "does not lie",
        ),
        (
            r#"[{"label": "B-PER", "start": 3, "end": 6}]"#,
            "there are PER",
        ),
        (r#"[{"start": 3, "end": 6}]"#, "list of spans"),
        ("PER", "list of spans"),
    ] {
        let told = read(ner, &tags, said).unwrap_err();
        assert!(told.contains(why), "{said}: {told}");
    }
    let answers = Truth::Answers(vec!["Ann".into()]);
    let qa = TaskKind::QuestionAnswering;
    for said in [
        "Ann",
        r#""Ann""#,
        r#"["Ann"]"#,
        r#"{"text": ["Ann"], "answer_start": [2]}"#,
    ] {
        assert_eq!(read(qa, &[], said).unwrap(), answers, "{said}");
    }
    let topics = labels(&["a", "b"]);
    let several = TaskKind::MultiLabel;
    assert_eq!(
        read(several, &topics, r#"["a", "b"]"#).unwrap(),
        Truth::Labels(vec!["a".into(), "b".into()])
    );
    assert_eq!(
        read(several, &topics, "[]").unwrap(),
        Truth::Labels(Vec::new())
    );
    assert!(read(several, &topics, "c").unwrap_err().contains("\"c\""));
    assert!(read(TaskKind::FeatureExtraction, &[], "x").is_err());
}
