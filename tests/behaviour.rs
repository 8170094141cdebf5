//! What the cards of the default bundle say of its behaviour is what it does.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A row that is no part of what is judged: `evaluate` wants one.
fn row(task: &str) -> &'static str {
    match task {
        "language" => r#"{"input": "Where is the train station?", "label": "eng"}"#,
        "file-type" => r#"{"input": "models/manifest.json", "label": "json"}"#,
        "spam" => {
            r#"{"input": "Lunch\n\nAre you in the office tomorrow? We could have lunch.", "label": "ham"}"#
        }
        _ => r#"{"input": "I love this phone.", "label": "positive"}"#,
    }
}

/// The figures of the task's behavioural tests, as they are now.
fn measured(task: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("behaviour-{task}"));
    fs::create_dir_all(&folder).unwrap();
    let (data, report) = (folder.join("row.jsonl"), folder.join("report.json"));
    fs::write(&data, format!("{}\n", row(task))).unwrap();
    let cases = format!("models/recipe/behaviour/{task}.jsonl");
    let output = Command::new(env!("CARGO_BIN_EXE_smallfirst"))
        .current_dir(root)
        .args(["evaluate", "models", "--task", task, "--brief", "--data"])
        .arg(&data)
        .args(["--behaviour", &cases, "--json"])
        .arg(&report)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    report["behaviour"].clone()
}

/// The same, as the bundle's evaluation has them.
fn stated(task: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("models/{task}/evaluation.json"));
    let report: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    report["behaviour"].clone()
}

fn of<'a>(figures: &'a Value, capability: &str) -> &'a Value {
    let all = figures.as_array().unwrap();
    let found = all.iter().find(|b| b["capability"] == capability);
    found.unwrap_or_else(|| panic!("nothing of {capability}"))
}

#[test]
fn the_cards_are_true() {
    for task in ["language", "file-type", "spam", "sentiment"] {
        let figures = measured(task);
        assert!(figures.as_array().is_some_and(|all| !all.is_empty()));
        assert_eq!(figures, stated(task), "{task}");
    }
}

#[test]
fn everyday_sentences_are_answered_here_and_rightly() {
    let figures = measured("language");
    let everyday = of(&figures, "everyday sentences");
    let share = |of: &str| everyday[of]["value"].as_f64().unwrap();
    assert!(share("passed") >= 0.95, "{everyday}");
    assert!(share("answered") >= 0.9, "{everyday}");
    assert!(
        everyday["failedThoughAnswered"].as_u64().unwrap() <= 2,
        "{everyday}"
    );
}

/// Every kind of file that people drop: what is told apart by its first bytes is certain, and text is nearly so.
#[test]
fn files_that_people_drop_are_answered_here_and_rightly() {
    let figures = measured("file-type");
    let groups = figures.as_array().unwrap();
    let cases = |of: &Value| of["passed"]["n"].as_u64().unwrap();
    assert!(groups.iter().map(cases).sum::<u64>() >= 30, "{figures}");
    for group in groups {
        let text = ["code", "tables, settings and notes"].map(Value::from);
        let least = if text.contains(&group["capability"]) {
            0.9
        } else {
            1.0
        };
        for of in ["passed", "answered"] {
            assert!(group[of]["value"].as_f64().unwrap() >= least, "{group}");
        }
        assert!(group["refused"] == 0, "{group}");
    }
}
