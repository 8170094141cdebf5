//! On the committed bundle's encoder of texts.

use std::collections::BTreeMap;

use super::*;
use crate::bundle::{Bundle, Tiers};
use crate::host::FixedClock;
use crate::remote::{OfflineHost, RemoteOptions};
use crate::route::Mode;
use crate::runtime::Call;
use crate::task::Reason;
use crate::testing::Folder;

const KIND: [&str; 8] = [
    "What a lovely day this has been",
    "I love this little phone",
    "Thank you, that was wonderful",
    "The food was excellent and the staff friendly",
    "Great work, I am very happy with it",
    "This made me smile all morning",
    "A beautiful film, I would watch it again",
    "Best purchase of the year",
];
const HARSH: [&str; 8] = [
    "What a terrible day this has been",
    "I hate this broken phone",
    "That was awful, never again",
    "The food was cold and the staff rude",
    "Bad work, I am very unhappy with it",
    "This ruined my whole morning",
    "A boring film, I left after an hour",
    "Worst purchase of the year",
];

/// The committed bundle: all that its encoders of texts need.
fn runtime() -> Runtime<Folder> {
    let manifest = std::fs::read("models/manifest.json").unwrap();
    let bundle = Bundle::parse(&manifest).unwrap();
    let paths = bundle.manifest().files.keys();
    let paths = paths.filter(|path| path.starts_with("static-text/"));
    let read = |path: &String| {
        (
            path.clone(),
            std::fs::read(format!("models/{path}")).unwrap(),
        )
    };
    let files: BTreeMap<String, Vec<u8>> = paths.map(read).collect();
    opened(&manifest, files)
}

fn opened(manifest: &[u8], files: BTreeMap<String, Vec<u8>>) -> Runtime<Folder> {
    let bundle = Bundle::parse(manifest).unwrap();
    let remote = RemoteOptions::default();
    Runtime::new(bundle, Folder(files), Mode::OnlyLocal, remote).unwrap()
}

fn example(text: &str, label: &str) -> Example {
    Example {
        text: text.to_owned(),
        label: label.to_owned(),
    }
}

fn moods() -> Vec<Example> {
    let of = |texts: [&str; 8], label: &str| texts.map(|text| example(text, label));
    [of(KIND, "kind"), of(HARSH, "harsh")].concat()
}

fn trained(rows: Vec<Example>, options: &TrainingOptions) -> Result<TrainedBundle> {
    let examples = Examples::Rows(rows);
    let work = runtime();
    pollster::block_on(work.train("mood", examples, options, async || Ok(())))
}

fn refused(rows: Vec<Example>) -> Error {
    trained(rows, &TrainingOptions::default()).unwrap_err()
}

#[test]
fn sixteen_rows_make_a_bundle_that_answers_and_promises_nothing() {
    let made = trained(moods(), &TrainingOptions::default()).unwrap();
    let report = &made.report;
    assert_eq!(report.encoder, "static-text");
    assert_eq!((report.trained_on, report.certified_on), (16, 0));
    assert!(report.accuracy.leave_one_out && report.accuracy.of == 16);
    assert!(report.accuracy.right >= 11, "{report:?}");
    assert_eq!((report.accuracy.commonest, report.risk), (8, None));
    assert!(report.certificates.iter().all(|c| c.threshold.is_none()));
    let twenty = report.certificates.last().unwrap();
    assert!(
        twenty.rows_needed.is_some_and(|rows| rows >= 35),
        "{twenty:?}"
    );
    // Only what it needs, and with the encoder's card.
    let paths: Vec<&str> = made.files.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "manifest.json",
            "mood.head/head.sfm",
            "static-text/README.md",
            "static-text/encoder.sfm",
            "static-text/tokenizer.json"
        ]
    );
    let mut files = made.files.clone();
    let manifest = files.remove("manifest.json").unwrap();
    let bundle = opened(&manifest, files);
    let host = OfflineHost(FixedClock);
    for (text, label) in [(KIND[0], "kind"), ("An awful, broken thing", "harsh")] {
        let answer = pollster::block_on(bundle.run(&Call::new("mood", Input::Text(text)), &host));
        let answer = answer.unwrap();
        assert_eq!(answer.output.label, label);
        assert_eq!((answer.guaranteed, answer.calibrated), (false, false));
        assert_eq!(answer.reason, Reason::Uncertified);
    }
    // The same rows, the same bytes.
    assert_eq!(made, trained(moods(), &TrainingOptions::default()).unwrap());
    pollster::block_on(bundle.preload(None, Tiers::All, async || Ok(()))).unwrap();
}

#[test]
fn what_cannot_be_learnt_from_is_refused_with_what_to_do() {
    let one = KIND.map(|text| example(text, "kind")).to_vec();
    let error = refused(one.clone());
    assert_eq!(error.code(), Code::InvalidData);
    assert!(error.to_string().contains("at least two labels"), "{error}");
    let error = refused(Vec::new());
    assert!(error.to_string().contains("no rows"), "{error}");
    // A copy is no second text.
    let rows = [one, vec![example(HARSH[1], "harsh"); 3]].concat();
    let error = refused(rows);
    assert!(
        error.to_string().contains("\"harsh\" has 1 texts"),
        "{error}"
    );
    let many = vec![example("a", "b"); MOST_ROWS_AND_ONE];
    assert!(refused(many).to_string().contains("100001 rows"));
    let long = vec![example("a", &"b".repeat(300)); 2];
    assert!(refused(long).to_string().contains("right column"));
    let options = |json: &str| serde_json::from_str::<TrainingOptions>(json).unwrap();
    for wrong in [
        r#"{"risks": []}"#,
        r#"{"risks": [1.5]}"#,
        r#"{"encoder": "nope"}"#,
    ] {
        let error = trained(moods(), &options(wrong)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption, "{wrong}: {error}");
    }
    for name in ["", "..", "a/b", "a b"] {
        let examples = Examples::Rows(moods());
        let work = runtime();
        let given = TrainingOptions::default();
        let error = pollster::block_on(work.train(name, examples, &given, async || Ok(())));
        assert_eq!(error.unwrap_err().code(), Code::InvalidOption);
    }
}

const MOST_ROWS_AND_ONE: usize = 100_001;

#[test]
fn blank_rows_contradictions_and_copies_are_told() {
    let mut rows = moods();
    rows.push(example("  ", "kind"));
    rows.push(example("said without a label", ""));
    rows.push(example(KIND[0], "harsh"));
    rows.push(example(HARSH[0], "harsh"));
    let report = trained(rows, &TrainingOptions::default()).unwrap().report;
    assert_eq!((report.rows, report.left_out.count), (18, 2));
    assert_eq!(report.left_out.first[0], "row 17: its text is blank");
    assert_eq!(report.contradictions.count, 1);
    let said = &report.contradictions.first[0];
    assert!(said.contains("row 19") && said.contains("row 1,"), "{said}");
    assert_eq!(report.copies, 2);
}

#[test]
fn a_table_is_read_as_the_command_line_reads_it() {
    let table = |name: &str, text: &str, options: &str| {
        let options: TrainingOptions = serde_json::from_str(options).unwrap();
        let examples = Examples::Table(name.to_owned(), text.as_bytes().to_vec());
        pollster::block_on(runtime().train("mood", examples, &options, async || Ok(())))
    };
    let row = |(text, label): (&str, &str)| format!("\"{text}\";{label}\n");
    let rows =
        KIND.map(|text| row((text, "1"))).join("") + &HARSH.map(|text| row((text, "0"))).join("");
    let csv = format!("said;mood\n{rows};broken;row;\n");
    let made = table(
        "moods.csv",
        &csv,
        r#"{"textColumn": "said", "labelColumn": "mood"}"#,
    )
    .unwrap();
    assert_eq!((made.report.rows, made.report.left_out.count), (16, 1));
    assert!(made.report.left_out.first[0].starts_with("line 18: "));
    let error = table("moods.csv", &csv, "{}").unwrap_err();
    assert_eq!(error.code(), Code::InvalidData);
    assert!(error.to_string().contains("textColumn"), "{error}");
    assert_eq!(
        table("a.xlsx", "", "{}").unwrap_err().code(),
        Code::InvalidData
    );
}

#[test]
fn it_ends_where_it_is_told_to() {
    let examples = Examples::Rows(moods());
    let stop = async || Err(Error::aborted());
    let given = TrainingOptions::default();
    let error = pollster::block_on(runtime().train("mood", examples, &given, stop));
    assert_eq!(error.unwrap_err().code(), Code::Aborted);
}
