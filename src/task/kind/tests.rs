//! Kinds against models that are played.

use super::testing::{MASK, Played};
use super::*;

fn label(id: &str) -> Label {
    Label {
        id: id.to_owned(),
        title: None,
    }
}

#[test]
fn several_labels_hold_or_none_does() {
    let labels = ["a", "b", "c"].map(label);
    let mut model = Played::of("x", 9);
    model.gives("logits", vec![1, 3], vec![2.0, -2.0, 0.5]);
    let made = |threshold, model: &mut Played| {
        let options = KindOptions {
            threshold,
            ..KindOptions::default()
        };
        let made = perform(
            TaskKind::MultiLabel,
            &labels,
            Input::Text("x"),
            &options,
            model,
        );
        match made.unwrap() {
            Made {
                output: KindOutput::Labels(output),
                confidence,
            } => (output, confidence.unwrap()),
            other => panic!("{other:?}"),
        }
    };
    let (output, confidence) = made(None, &mut model);
    let ids = |of: &[crate::task::LabelScore]| -> Vec<String> {
        of.iter().map(|l| l.label.clone()).collect()
    };
    let held: Vec<&str> = output.labels.iter().map(|l| l.label.as_str()).collect();
    assert_eq!(held, ["a", "c"]);
    assert_eq!(ids(&output.scores), ["a", "c", "b"]);
    let p = |x: f64| 1.0 / (1.0 + (-x).exp());
    assert!((confidence - p(2.0) * p(2.0) * p(0.5)).abs() < 1e-9);
    assert!(made(Some(0.99), &mut model).0.labels.is_empty());
}

#[test]
fn labels_that_the_caller_names_are_held_against_the_text() {
    let relations = ["contradiction", "entailment", "neutral"].map(label);
    let logits = |contradicts: f32, entails: f32| {
        vec![Values {
            name: "logits".into(),
            shape: vec![1, 3],
            numbers: vec![contradicts, entails, 0.0],
        }]
    };
    let run = |multi, labels: &[&str], model: &mut Played| {
        let options = KindOptions {
            candidate_labels: Some(labels.iter().map(|l| (*l).to_owned()).collect()),
            multi_label: Some(multi),
            ..KindOptions::default()
        };
        let kind = TaskKind::ZeroShotClassification;
        perform(kind, &relations, Input::Text("rain"), &options, model)
    };
    for multi in [false, true] {
        let mut model = Played::of("rain", 9);
        model.runs = vec![logits(0.0, 1.0), logits(0.0, 3.0)];
        let made = run(multi, &["sport", "weather"], &mut model).unwrap();
        let KindOutput::Label(output) = made.output else {
            panic!()
        };
        assert_eq!(output.label, "weather");
        let sum: f64 = output.scores.iter().map(|s| s.score).sum();
        assert_eq!((sum - 1.0).abs() < 1e-9, !multi);
        // Each label was a second text.
        assert!(model.seen.iter().all(|tokens| tokens.types.contains(&1)));
    }
    let mut model = Played::of("rain", 9);
    assert_eq!(
        run(false, &[], &mut model).unwrap_err().code(),
        Code::InvalidOption
    );
}

#[test]
fn gaps_are_filled() {
    let mut model = Played::of("a [MASK] b", 9);
    model.gives_rows(&[0, 0, 3, 0, 0], 5);
    let made = |text, model: &mut Played| {
        let options = KindOptions {
            top_k: Some(2),
            ..KindOptions::default()
        };
        perform(TaskKind::FillMask, &[], Input::Text(text), &options, model)
    };
    let KindOutput::Mask(output) = made("a [MASK] b", &mut model).unwrap().output else {
        panic!()
    };
    assert_eq!((output.masks.len(), output.masks[0].len()), (1, 2));
    assert_eq!(
        (output.masks[0][0].token, output.masks[0][0].text.as_str()),
        (3, "w3")
    );
    assert!(!output.masks[0][0].sequence.contains(&format!("w{MASK}")));
    assert_eq!(
        made("a b", &mut model).unwrap_err().code(),
        Code::InvalidText
    );
}

#[test]
fn an_answer_stands_in_the_text() {
    let (question, context) = ("who is it", "it is Ann Lee 😀 here");
    let input = Input::Pair {
        text: question,
        second: context,
    };
    let mut model = Played::of(question, 9);
    let tokens = model
        .tokens(question, Some(context), false)
        .unwrap()
        .ids
        .len();
    // [CLS] who is it [SEP] it is Ann Lee 😀 here [SEP]; the question's own words are the likeliest.
    let logits = |at: usize| {
        let mut logits = vec![0.0; tokens];
        (logits[1], logits[at]) = (9.0, 5.0);
        logits
    };
    model.gives("start_logits", vec![1, tokens], logits(7));
    model.gives("end_logits", vec![1, tokens], logits(9));
    let made = |options: &KindOptions, model: &mut Played| {
        let kind = TaskKind::QuestionAnswering;
        match perform(kind, &[], input, options, model).unwrap().output {
            KindOutput::Question(output) => output,
            other => panic!("{other:?}"),
        }
    };
    let best = made(&KindOptions::default(), &mut model).best;
    assert_eq!(best.answer, "Ann Lee 😀");
    assert_eq!((best.start, best.end), (6, 16));
    let short = KindOptions {
        max_answer_tokens: Some(1),
        top_k: Some(3),
        ..KindOptions::default()
    };
    let short = made(&short, &mut model);
    assert_eq!(short.answers.len(), 3);
    assert!(
        short
            .answers
            .iter()
            .all(|a| a.answer.split(' ').count() == 1)
    );
}

#[test]
fn what_a_kind_has_no_use_for_is_refused() {
    let mut model = Played::of("a", 9);
    let options = KindOptions {
        top_k: Some(1),
        ..KindOptions::default()
    };
    let kind = TaskKind::FeatureExtraction;
    let error = perform(kind, &[], Input::Text("a"), &options, &mut model).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
    assert!(error.to_string().contains("topK"), "{error}");
    let plain = KindOptions::default();
    let error = perform(kind, &[], Input::Bytes(b"a"), &plain, &mut model).unwrap_err();
    assert_eq!(error.code(), Code::InputKind);
    let error = perform(
        TaskKind::TokenClassification,
        &[label("O")],
        Input::Text("a"),
        &plain,
        &mut {
            model.gives("logits", vec![1, 2], vec![0.0; 2]);
            model
        },
    );
    assert_eq!(error.unwrap_err().code(), Code::ModelOutput);
}
