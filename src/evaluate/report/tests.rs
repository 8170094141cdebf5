use super::*;
use crate::evaluate::calibration::tests::calibration;
use crate::evaluate::{Policy, RemoteOutcome, card, html, text};

fn says(label: usize, confidence: f64) -> Option<Prediction> {
    let mut probabilities = vec![1.0 - confidence; 2];
    probabilities[label] = confidence;
    Some(Prediction {
        probabilities,
        confidence,
        ood: Some(1.0 - confidence),
        in_distribution: confidence > 0.55,
        milliseconds: 2.0,
    })
}

fn row(truth: Option<usize>, slice: &str, tiers: Vec<Option<Prediction>>) -> Observation {
    Observation {
        truth,
        slice: Some(slice.into()),
        tiers,
        remote: None,
    }
}

/// Two tiers, two labels, two slices; one row out of scope, one refused.
pub(in crate::evaluate) fn measured() -> Measured {
    Measured {
        task: "spam".into(),
        title: "Spam".into(),
        labels: vec!["ham".into(), "spam".into()],
        fingerprint: "abc".into(),
        dataset: "test.jsonl".into(),
        tiers: vec![("small".into(), 10), ("large".into(), 100)],
        rows: vec![
            row(Some(0), "easy", vec![says(0, 0.95), says(0, 0.9)]),
            row(Some(1), "easy", vec![says(1, 0.9), says(1, 0.9)]),
            row(Some(0), "hard", vec![says(1, 0.7), says(0, 0.85)]),
            row(Some(1), "hard", vec![says(0, 0.92), says(1, 0.8)]),
            row(None, "none", vec![says(0, 0.53), says(1, 0.81)]),
            row(Some(0), "hard", vec![None, None]),
        ],
        policies: vec![
            Policy {
                risk: 0.01,
                thresholds: None,
            },
            Policy {
                risk: 0.2,
                thresholds: Some(vec![0.8, 0.8]),
            },
        ],
        positive: Some(0),
        calibration: None,
        against_remote: None,
        duplicates: Some((1, 0)),
        behaviour: Vec::new(),
        beyond: Vec::new(),
    }
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn figures_by_hand() {
    let r = Report::new(&measured());
    assert_eq!((r.n, r.refused, r.out_of_scope), (5, 1, 1));
    // The surest tier is right on the first three rows, and wrong on the fourth.
    assert_eq!((r.accuracy.value, r.accuracy.n), (0.75, 4));
    // ham: 2 found, predicted 3, true 2; spam: 1 found, predicted 1, true 2.
    close(r.macro_f1, (0.8 + 2.0 / 3.0) / 2.0);
    assert!(r.macro_f1_interval.0 <= r.macro_f1 && r.macro_f1 <= r.macro_f1_interval.1);
    // Brier: twice the squared distance of the right label's probability.
    let right: f64 = [0.95_f64, 0.9, 0.85, 0.08]
        .iter()
        .map(|p| 2.0 * (1.0 - p).powi(2))
        .sum();
    close(r.brier, right / 4.0);
    // The small tier alone gets 2 of 4, the large one all.
    assert_eq!(
        (r.tiers[0].accuracy.value, r.tiers[1].accuracy.value),
        (0.5, 1.0)
    );
    close(r.tiers[1].median_ms, 2.0);
}

#[test]
fn what_a_risk_delivers_counts_every_row() {
    let r = Report::new(&measured());
    assert_eq!(r.policies[0].coverage.value, 0.0);
    let p = &r.policies[1];
    // Answered: four labelled rows and the out-of-scope one, which is wrong; one is refused.
    assert_eq!((p.coverage.value, p.coverage.n), (5.0 / 6.0, 6));
    assert_eq!((p.error.value, p.error.n), (0.4, 5));
    assert!(!p.within_risk);
    // The third row and the out-of-scope one go on to the large tier.
    assert_eq!(
        (p.by_tier[0].value, p.by_tier[1].value),
        (3.0 / 6.0, 2.0 / 6.0)
    );
}

#[test]
fn the_curve_and_the_dots_are_of_the_same_rows() {
    let mut measured = measured();
    let r = Report::new(&measured);
    let dot = |r: &Report| SelectivePoint {
        coverage: (1e4 * r.policies[1].coverage.value).round() / 1e4,
        risk: (1e4 * r.policies[1].error.value).round() / 1e4,
    };
    // Five of six rows are answered at 0.8, and two of them wrongly: one is out of scope.
    assert_eq!((dot(&r).coverage, dot(&r).risk), (0.8333, 0.4));
    assert!(r.risk_coverage.contains(&dot(&r)), "{:?}", r.risk_coverage);
    // The refused row is never answered, so the curve ends before it.
    assert_eq!(r.risk_coverage.last().unwrap().coverage, 0.8333);
    // Every row that is taken has a tier that is right, but for the one out of scope.
    assert_eq!(r.ideal_order[1].coverage, 0.6667);
    // More rows that no label fits move both alike.
    for _ in 0..4 {
        measured
            .rows
            .push(row(None, "none", vec![says(0, 0.93), None]));
    }
    let more = Report::new(&measured);
    assert!(dot(&more).risk > dot(&r).risk);
    assert!(more.risk_coverage.contains(&dot(&more)));
}

#[test]
fn each_risk_is_held_against_the_oracle() {
    let r = Report::new(&measured());
    // The surest row is right, and the next one, at 0.92, is wrong.
    let oracle = r.policies[0].oracle.unwrap();
    assert_eq!((oracle.threshold, oracle.coverage.value), (0.95, 1.0 / 6.0));
    assert_eq!(r.policies[0].of_oracle, Some(0.0));
    // At 20 % the oracle answers no more, and the threshold that was certified does, beyond the risk.
    assert_eq!(r.policies[1].oracle.unwrap().threshold, 0.95);
    close(r.policies[1].of_oracle.unwrap(), 5.0);
    for written in [
        text::render(&r),
        html::render(&r),
        card::render(&r, &card::About::default()),
    ] {
        assert!(
            written.contains("16.7 %") && written.contains("500 %"),
            "{written}"
        );
    }
    let json = serde_json::to_value(&r).unwrap();
    assert_eq!(json["policies"][1]["oracle"]["threshold"], 0.95);
    // A risk that no threshold keeps has no oracle, and no ratio to it.
    let mut measured = measured();
    measured.rows.truncate(4);
    measured.rows.remove(0);
    measured.rows.remove(0);
    let r = Report::new(&measured);
    assert_eq!(
        (r.policies[0].oracle, r.policies[0].of_oracle),
        (None, None)
    );
}

#[test]
fn what_the_certificates_rest_on_stands_beside_them() {
    let mut measured = measured();
    let plain = Report::new(&measured);
    measured.calibration = Some(CalibrationRows {
        uses: Some(2),
        ..calibration(50, Some(0.1))
    });
    let r = Report::new(&measured);
    for (with, without) in [
        (text::render(&r), text::render(&plain)),
        (html::render(&r), html::render(&plain)),
        (
            card::render(&r, &card::About::default()),
            card::render(&plain, &card::About::default()),
        ),
    ] {
        for word in ["up to 10.0 % are out of scope", "have certified 2 times"] {
            assert!(with.contains(word) && !without.contains(word), "{with}");
        }
    }
}

#[test]
fn bias_figures_follow_clarify() {
    let r = Report::new(&measured());
    let hard = r.slices.iter().find(|s| s.slice == "hard").unwrap();
    // Favourable is ham. Easy: said ham 1 of 2; hard: 2 of 2.
    close(hard.bias.dppl.unwrap(), 0.5 - 1.0);
    close(hard.bias.di.unwrap(), 2.0);
    close(hard.bias.ad.unwrap(), 1.0 - 0.5);
    close(hard.bias.rd.unwrap(), 0.0);
    let mut without = measured();
    without.positive = None;
    let bias = &Report::new(&without).slices[0].bias;
    assert!(bias.ad.is_some() && bias.dppl.is_none() && bias.di.is_none() && bias.rd.is_none());
}

#[test]
fn out_of_scope_rows_are_told() {
    let r = Report::new(&measured());
    // The small tier scores the out-of-scope row highest of all, and its cut stops it.
    assert_eq!((r.ood[0].auroc, r.ood[0].stopped.value), (1.0, 1.0));
    assert_eq!(r.ood[1].stopped.value, 0.0);
}

#[test]
fn remote_answers_make_a_cost_quality_curve() {
    let mut measured = measured();
    assert!(Report::new(&measured).cost_quality.is_empty());
    for row in &mut measured.rows {
        row.remote = Some(RemoteOutcome {
            label: row.truth,
            milliseconds: 100.0,
            tokens: 50,
        });
    }
    let curve = Report::new(&measured).cost_quality;
    let all_remote = curve
        .iter()
        .find(|p| p.remote == 1.0 && p.risk.is_none())
        .unwrap();
    close(all_remote.accuracy, 1.0);
    close(all_remote.tokens, 50.0);
    // At 20 %: one refused row of five goes remote; one local answer is wrong.
    let policy = curve.iter().find(|p| p.risk == Some(0.2)).unwrap();
    close(policy.remote, 0.2);
    close(policy.accuracy, 0.8);
    close(policy.tokens, 10.0);
    // A remote that fails leaves the best local answer, or none.
    for row in &mut measured.rows {
        row.remote = Some(RemoteOutcome {
            label: None,
            milliseconds: 1.0,
            tokens: 0,
        });
    }
    let failing = Report::new(&measured).cost_quality;
    let all_remote = failing
        .iter()
        .find(|p| p.remote == 1.0 && p.risk.is_none())
        .unwrap();
    close(all_remote.accuracy, 0.6);
}

#[test]
fn nothing_measured_is_no_reason_to_fail() {
    let mut empty = measured();
    empty.rows.clear();
    for measured in [&empty, &{
        let mut refused = empty.clone();
        refused.rows = vec![row(Some(0), "x", vec![None, None])];
        refused
    }] {
        let r = Report::new(measured);
        // JSON has no NaN: serde_json writes null, which only optional figures may be.
        let value = serde_json::to_value(&r).unwrap();
        for key in ["macroF1", "ece", "brier", "nll", "aurc", "eaurc"] {
            assert!(value[key].is_number(), "{key}: {}", value[key]);
        }
        assert!(!text::render(&r).is_empty() && html::render(&r).ends_with("</html>"));
    }
}

#[test]
fn hostile_names_stay_names() {
    let mut measured = measured();
    let hostile = "<script>alert(1)</script>|x";
    measured.title = hostile.into();
    measured.labels[1] = hostile.into();
    for row in &mut measured.rows {
        row.slice = Some(hostile.into());
    }
    let r = Report::new(&measured);
    let page = html::render(&r);
    assert!(!page.contains("<script"), "a name became markup");
    assert!(page.contains("&lt;script&gt;"));
    // Nothing is loaded: the only addresses are the names of SVG's own language.
    for (at, _) in page.match_indices("http") {
        assert!(page[at..].starts_with("http://www.w3.org/2000/svg"));
    }
    for section in [
        "What each risk delivers",
        "Tiers",
        "Slices and bias",
        "Labels",
        "Confusion",
    ] {
        assert!(page.contains(section), "{section}");
    }
    assert!(page.matches("<svg").count() >= 3);
    let markdown = card::render(
        &r,
        &card::About {
            license: "MIT".into(),
            ..Default::default()
        },
    );
    assert!(!markdown.split("---").nth(2).unwrap().contains("| <script"));
}

#[test]
fn a_card_begins_with_metadata_that_is_yaml() {
    let about = card::About {
        license: "Apache-2.0".into(),
        languages: vec!["en".into()],
        text: "# My spam filter\n\nFor mail.".into(),
    };
    let markdown = card::render(&Report::new(&measured()), &about);
    assert!(
        markdown.starts_with("---\nlicense: \"apache-2.0\"\nlanguage: [\"en\"]\n"),
        "{markdown}"
    );
    let index = markdown
        .lines()
        .find_map(|l| l.strip_prefix("model-index: "))
        .unwrap();
    let index: serde_json::Value = serde_json::from_str(index).unwrap();
    assert_eq!(index[0]["results"][0]["metrics"][0]["value"], 0.75);
    assert!(markdown.contains("# My spam filter") && markdown.contains("not certified"));
}

#[test]
fn other_kinds_of_input_are_in_a_table_of_their_own() {
    let mut measured = measured();
    let without = Report::new(&measured);
    measured.beyond = vec![
        row(Some(0), "shouting", vec![says(0, 0.9), says(0, 0.9)]),
        row(None, "code", vec![says(1, 0.9), says(1, 0.9)]),
        row(Some(1), "shouting", vec![says(0, 0.85), says(0, 0.9)]),
        row(None, "code", vec![says(1, 0.5), says(1, 0.6)]),
        row(Some(1), "shouting", vec![None, None]),
    ];
    let mut r = Report::new(&measured);
    let [shouting, code] = &r.beyond[..] else {
        panic!("{:?}", r.beyond)
    };
    assert_eq!((shouting.slice.as_str(), shouting.n), ("shouting", 3));
    assert_eq!(shouting.accuracy.unwrap().value, 0.5);
    let at_20 = &shouting.policies[1];
    assert_eq!((at_20.coverage.n, at_20.error.n), (3, 2));
    assert_eq!(at_20.error.value, 0.5);
    // Without a label, the answer that is given is wrong, and there is no accuracy.
    assert_eq!((code.slice.as_str(), code.accuracy), ("code", None));
    assert_eq!(code.policies[1].coverage.value, 0.5);
    assert_eq!(code.policies[1].error.value, 1.0);

    let card = card::render(&r, &card::About::default());
    assert!(
        card.contains("| code | 2 | no label | 50.0 %, 100.0 % |\n"),
        "{card}"
    );
    assert!(text::render(&r).contains("50.0 %, 100.0 % wrong"));
    assert!(html::render(&r).contains("no label"));
    // They are in no other figure.
    r.beyond.clear();
    assert_eq!(r, without);
}
