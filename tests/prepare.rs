//! `prepare` and `pack` as a data scientist meets them: smaller weights, and onnxruntime beside what is prepared.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn onnx(path: &str) -> String {
    format!("{}/models/onnx/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs `smallfirst` and gives what it prints, and whether it succeeded.
fn smallfirst(folder: &Path, args: &[&str]) -> (bool, String) {
    ran(Command::new(env!("CARGO_BIN_EXE_smallfirst"))
        .args(args)
        .current_dir(folder))
}

fn ran(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&printed).into_owned(),
    )
}

#[test]
fn smaller_weights_say_what_they_save_and_change() {
    let folder = fresh("smaller");
    let head = onnx("sentiment-minilm/head.onnx");
    let prepare = |weights: &[&str]| {
        let args = ["prepare", &head, "--no-onnxruntime", "--out", "head.sfm"];
        let (success, printed) = smallfirst(&folder, &[&args[..], weights].concat());
        assert!(success, "{printed}");
        (fs::read(folder.join("head.sfm")).unwrap(), printed)
    };
    let (whole, printed) = prepare(&[]);
    assert!(!printed.contains("smaller"), "{printed}");
    for (form, share) in [("f16", 0.56), ("int8", 0.32), ("q4", 0.2)] {
        let (file, printed) = prepare(&["--weights", form]);
        assert!(
            (file.len() as f64) < share * whole.len() as f64,
            "{form}: {printed}"
        );
        let saved = format!("{} bytes instead of {}", file.len(), whole.len());
        for words in [&saved[..], "made-up inputs", "cosine 0.9"] {
            assert!(
                printed.contains(words) || printed.contains("cosine 1."),
                "{printed}"
            );
        }
    }
    let (success, printed) = smallfirst(&folder, &["prepare", &head, "--weights", "q2"]);
    assert!(
        !success && printed.contains("smaller weights are f16, int8 or q4"),
        "{printed}"
    );
}

/// Rows of two labels that are easily told apart.
fn toys(numbers: std::ops::Range<usize>) -> String {
    let row = |i: usize| {
        let (label, text) = match i % 2 {
            0 => ("a", "red apples"),
            _ => ("b", "blue skies"),
        };
        format!("{{\"input\": \"{text} number {i}\", \"label\": \"{label}\"}}\n")
    };
    numbers.map(row).collect()
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn a_bundle_with_smaller_weights_is_calibrated_by_itself() {
    let folder = fresh("smaller-bundle");
    for (name, numbers) in [("toy", 0..60), ("fresh", 60..260), ("test", 260..460)] {
        fs::write(folder.join(format!("{name}.jsonl")), toys(numbers)).unwrap();
    }
    let run = |args: &[&str]| {
        let (success, printed) = smallfirst(&folder, args);
        assert!(success, "{args:?}: {printed}");
        printed
    };
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    let train = ["train", "--data", "toy.jsonl", "--out", "b"];
    let from = ["--encoders-from", models, "--license", "MIT"];
    run(&[&train[..], &from].concat());
    run(&["calibrate", "b", "--data", "fresh.jsonl"]);
    run(&["evaluate", "b", "--data", "test.jsonl", "--write"]);
    let pack = |from: &str, more: &[&str]| {
        let args = ["pack", from, "--no-onnxruntime"];
        smallfirst(&folder, &[&args[..], more].concat())
    };
    assert!(pack("b", &["--out", "whole"]).0);
    let (success, printed) = pack("b", &["--weights", "q4", "--out", "small"]);
    assert!(success, "{printed}");
    for words in [
        "has other answers with these weights",
        "bytes instead of",
        "keeps its weights: it is prepared already",
    ] {
        assert!(printed.contains(words), "{printed}");
    }
    // The manifest knows what the file was made of and how; nothing is left of what was found out with other weights.
    let (whole, small) = (
        manifest(&folder.join("whole")),
        manifest(&folder.join("small")),
    );
    let (before, after) = (
        &whole["files"]["toy/head.sfm"],
        &small["files"]["toy/head.sfm"],
    );
    assert_eq!(after["weights"], "q4");
    assert_eq!(before["weights"], Value::Null);
    assert_eq!(after["preparedFrom"], before["preparedFrom"]);
    assert!(after["bytes"].as_u64() < before["bytes"].as_u64());
    let task = &small["tasks"]["toy"];
    assert!(task["guarantee"].is_null() && task["evaluation"].is_null());
    let (success, printed) = pack("small", &[]);
    assert!(
        !success && printed.contains("was not evaluated"),
        "{printed}"
    );
    // Calibrated and evaluated by itself it is fit to be shipped.
    run(&["calibrate", "small", "--data", "fresh.jsonl"]);
    run(&["evaluate", "small", "--data", "test.jsonl", "--write"]);
    let (success, printed) = pack("small", &["--out", "smaller"]);
    assert!(success, "{printed}");
    assert_eq!(
        manifest(&folder.join("smaller"))["files"]["toy/head.sfm"],
        *after
    );
    // An evaluation with whole weights is none of smaller ones.
    let path = folder.join("whole/manifest.json");
    let mut changed = whole;
    changed["files"]["toy/head.sfm"]["weights"] = json!("q4");
    fs::write(&path, changed.to_string()).unwrap();
    let (success, printed) = pack("whole", &[]);
    assert!(
        !success && printed.contains("was changed after it was evaluated"),
        "{printed}"
    );
}

/// A program that stands for a Python.
#[cfg(unix)]
fn stand_in(folder: &Path, name: &str, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_string_lossy().into_owned()
}

#[cfg(unix)]
#[test]
fn a_python_that_cannot_be_asked_is_an_error_where_it_was_named() {
    let folder = fresh("pythons");
    let head = onnx("sentiment-minilm/head.onnx");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", folder.display());
    for (script, words) in [
        (
            "echo no module named onnxruntime >&2; exit 3",
            "has no onnxruntime",
        ),
        ("echo first >&2; echo it broke >&2; exit 1", "it broke"),
        ("exit 0", "without an answer"),
        ("echo '{' > answer.json", "cannot be read"),
        (
            r#"echo '{"version": "9", "models": []}' > answer.json"#,
            "0 of 1 models",
        ),
        (
            // Not by echo: some shells make lines of it.
            r#"printf %s '{"version": "9", "models": [{"error": "Fail: no such operator\nmore"}]}' > answer.json"#,
            "onnxruntime 9 does not run",
        ),
    ] {
        let python = stand_in(&folder, "python3", script);
        let out = folder.join("head.sfm");
        let _ = fs::remove_file(&out);
        let args = ["prepare", &head, "--out", "head.sfm"];
        let named = [&args[..], &["--onnxruntime", &python]].concat();
        let (success, printed) = smallfirst(&folder, &named);
        assert!(!success && printed.contains(words), "{script}: {printed}");
        assert!(!out.exists(), "{script}");
        // The usual one is asked only because it is there.
        let (success, printed) = ran(Command::new(env!("CARGO_BIN_EXE_smallfirst"))
            .args(args)
            .current_dir(&folder)
            .env("PATH", &path));
        assert!(success && printed.contains(words), "{script}: {printed}");
        assert_eq!(printed.lines().count(), 2, "{printed}");
        assert!(out.exists(), "{script}");
    }
    let nowhere = ["prepare", &head, "--onnxruntime", "nowhere/python"];
    let (success, printed) = smallfirst(&folder, &nowhere);
    assert!(!success && printed.contains("does not start"), "{printed}");
}

#[cfg(unix)]
#[test]
fn what_disagrees_with_onnxruntime_is_not_written() {
    let folder = fresh("disagrees");
    let head = onnx("sentiment-minilm/head.onnx");
    // Three logits of zero for each of the three rows, and then of the eight.
    let python = stand_in(
        &folder,
        "python",
        r#"for rows in 3 8; do
  head -c $((12 * rows)) /dev/zero > $rows.out
  outputs="$outputs$comma{\"file\": \"$rows.out\", \"type\": \"<f4\", \"shape\": [$rows, 3]}"
  comma=,
done
echo "{\"version\": \"9.9\", \"models\": [{\"output\": \"scores\", \"outputs\": [$outputs]}]}" > answer.json"#,
    );
    let args = [
        "prepare",
        &head,
        "--out",
        "head.sfm",
        "--onnxruntime",
        &python,
    ];
    let (success, printed) = smallfirst(&folder, &args);
    assert!(!success, "{printed}");
    for words in [
        "the output \"scores\"",
        "onnxruntime 9.9",
        "at [0, ",
        "instead of 0;",
        "nothing is written",
    ] {
        assert!(printed.contains(words), "{printed}");
    }
    assert!(!folder.join("head.sfm").exists());
}

#[test]
#[ignore = "needs the Python packages of `cargo xtask test`"]
fn the_committed_models_are_as_in_onnxruntime() {
    let folder = fresh("as-in-onnxruntime");
    let python = std::env::var("SMALLFIRST_MAGIKA_PYTHON").expect("SMALLFIRST_MAGIKA_PYTHON");
    for model in [
        "minilm/encoder.onnx",
        "sentiment-minilm/head.onnx",
        "static-text/encoder.onnx",
        "file-type/head.onnx",
        "spam/ngrams.onnx",
    ] {
        for weights in [None, Some("f16"), Some("int8"), Some("q4")] {
            let model = onnx(model);
            let mut args = vec![
                "prepare",
                &model,
                "--out",
                "m.sfm",
                "--onnxruntime",
                &python,
            ];
            args.extend(weights.iter().flat_map(|form| ["--weights", form]));
            let (success, printed) = smallfirst(&folder, &args);
            println!("{printed}");
            // Of the file types' probabilities, 4 bits would leave too little: that is told, and nothing is written.
            if weights == Some("q4") && model.contains("file-type") {
                let told = printed.contains("gives other numbers, apart by");
                assert!(!success && told, "{printed}");
                continue;
            }
            assert!(
                success && printed.contains("% of onnxruntime"),
                "{model} {weights:?}: {printed}"
            );
        }
    }
}
