//! Names and descriptions that somebody else chose, in reports and model cards.

use smallfirst::bundle::{AgainstRemote, ExcessCertificate};
use smallfirst::evaluate::card::{self, About};
use smallfirst::evaluate::{
    Measured, Observation, Policy, Prediction, RemoteOutcome, Report, html, text,
};

use super::Target;

/// Whatever labels, slices, tiers and data are called, a card's tables stay tables, and a report stays one page.
pub const CARD: Target = Target {
    name: "card",
    read,
    choice: 1,
    seeds,
    most: 2 << 10,
    words: &[
        "[a](https://b)",
        "![a](https://b)",
        "<img src=x>",
        "|",
        "`",
        "---\n",
        "# ",
        "&lt;",
        "\\",
        "\r\n",
        "\u{202e}",
    ],
};

fn read(data: &[u8]) {
    let [choice, rest @ ..] = data else { return };
    let all = String::from_utf8_lossy(rest);
    // One name a line; a zero byte, which no text has, lets a name have more.
    let names: Vec<String> = all
        .split('\n')
        .map(|name| name.replace('\0', "\n"))
        .collect();
    let name = |at: usize| names[at % names.len()].clone();
    let labels: Vec<String> = (0..2.max(names.len())).map(name).collect();
    let rows = 1 + usize::from(*choice) % 32 + names.len();
    let prediction = |at: usize| {
        let mut probabilities = vec![0.0; labels.len()];
        probabilities[at % labels.len()] = 1.0;
        Prediction {
            probabilities,
            confidence: 1.0,
            ood: Some(0.5),
            in_distribution: !at.is_multiple_of(5),
            milliseconds: 1.0,
        }
    };
    // Each row has as many numbers as there are labels.
    let rows = rows.min((1 << 20) / labels.len());
    let measured = Measured {
        task: name(0),
        title: name(1),
        fingerprint: String::new(),
        calibration: None,
        against_remote: Some(AgainstRemote {
            model: name(8),
            label_errors: 0.05,
            certificates: vec![ExcessCertificate {
                excess: 0.02,
                thresholds: Some(vec![0.5, 0.5]),
                n: 0,
                errors: 0,
                remote_errors: 0,
                p_value: None,
            }],
        }),
        dataset: name(2),
        tiers: vec![(name(3), 10), (name(4), 20)],
        rows: (0..rows)
            .map(|at| Observation {
                truth: (at % 7 != 3).then_some(at % labels.len()),
                slice: Some(name(at)),
                tiers: vec![
                    Some(prediction(at)),
                    (at % 3 == 0).then(|| prediction(at / 2)),
                ],
                remote: (at % 2 == 0).then_some(RemoteOutcome {
                    label: Some(at % labels.len()),
                    milliseconds: 9.0,
                    tokens: 5,
                }),
            })
            .collect(),
        policies: vec![
            Policy {
                risk: 0.05,
                thresholds: Some(vec![0.5, 0.5]),
            },
            Policy {
                risk: 0.01,
                thresholds: None,
            },
        ],
        positive: Some(0),
        duplicates: Some((1, 2)),
        labels,
        behaviour: Vec::new(),
        beyond: Vec::new(),
    };
    let report = Report::new(&measured);
    let about = About {
        license: name(5),
        languages: vec![name(6)],
        text: name(7),
    };
    let card = card::render(&report, &about);
    let mut front = card.split("---\n");
    assert_eq!(front.next(), Some(""), "the metadata comes first");
    assert!(!text::render(&report).is_empty());
    let page = html::render(&report);
    assert_eq!(page.matches("<html").count(), 1);
    assert_eq!(page.matches("</html>").count(), 1);
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "\x05spam\nham",
        "\x10Spam mail\nspam\nham\nmails.jsonl\nsmall\nlarge\nMIT\nen\nWhat it is for.",
        "\x20[a](https://evil.example)\n![a](https://evil.example)\n|\n`\n<script>alert(1)</script>\n---\n# x\n&amp;",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
