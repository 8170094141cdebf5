//! The guide, run as written on real mail, and the other commands a data scientist meets.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A fresh folder with the default bundle in it, as `models`.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    copy(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models")),
        &folder.join("models"),
    );
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let to = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, &to).unwrap();
        }
    }
}

/// Runs `smallfirst` and gives what it prints, and whether it succeeded.
fn smallfirst(folder: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_smallfirst"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&printed).into_owned(),
    )
}

/// The words of a command line, where double quotes hold words together.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

fn data(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("SMALLFIRST_DATA").expect("SMALLFIRST_DATA names the labelled data");
    PathBuf::from(folder).join(name)
}

#[test]
#[ignore = "needs the data of `cargo xtask test`"]
fn the_guide_runs_as_written() {
    let folder = folder("guide");
    fs::copy(data("spam.jsonl"), folder.join("mails.jsonl")).unwrap();
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide.md")).unwrap();
    let mut printed = String::new();
    let mut commands = 0;
    for block in guide.split("```sh\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let line = words(line);
            assert_eq!(line[0], "smallfirst");
            let args: Vec<&str> = line[1..].iter().map(String::as_str).collect();
            let (success, output) = smallfirst(&folder, &args);
            assert!(success, "{line:?}: {output}");
            printed += &output;
            commands += 1;
        }
    }
    assert!(commands >= 8, "only {commands} commands");
    assert!(printed.contains("fit to be shipped") || printed.contains("packed to dist"));
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let report: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
    assert!(
        report["accuracy"]["value"].as_f64().unwrap() > 0.95,
        "{}",
        report["accuracy"]
    );
    assert_eq!(report["slices"].as_array().unwrap().len(), 5);
    // No near-copy of a training mail is left in the test data.
    assert_eq!(report["duplicates"][0], 0);
    assert!(read("report.html").contains("<svg"));
    let manifest: serde_json::Value = serde_json::from_str(&read("dist/manifest.json")).unwrap();
    let certificates = manifest["tasks"]["mail"]["guarantee"]["certificates"]
        .as_array()
        .unwrap();
    assert!(
        certificates
            .iter()
            .any(|c| c["risk"] == 0.05 && !c["thresholds"].is_null())
    );
    assert!(read("dist/mail/README.md").starts_with("---\nlicense: \"mit\"\n"));
    assert!(!folder.join("dist/.work").exists());
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

#[test]
fn a_bundle_that_was_not_evaluated_is_not_packed() {
    let folder = folder("unevaluated");
    fs::write(folder.join("toy.jsonl"), toys(0..60)).unwrap();
    fs::write(folder.join("fresh.jsonl"), toys(60..120)).unwrap();
    let train = ["train", "--data", "toy.jsonl", "--out", "bundle"];
    let (success, printed) = smallfirst(&folder, &train);
    assert!(success, "{printed}");
    let (success, printed) = smallfirst(&folder, &["pack", "bundle"]);
    assert!(!success);
    for fault in [
        "licence is not stated",
        "no model card",
        "was not evaluated",
    ] {
        assert!(printed.contains(fault), "{printed}");
    }
    // Rows that were trained on certify nothing.
    let (success, printed) = smallfirst(&folder, &["calibrate", "bundle", "--data", "toy.jsonl"]);
    assert!(!success, "{printed}");
    assert!(
        printed.contains("60 of 60 rows are in the training data"),
        "{printed}"
    );
    assert!(
        printed.contains("calibration rows are tuning rows"),
        "{printed}"
    );
    // Sixty others certify little: the small risks escalate, and it says so.
    let (success, printed) = smallfirst(&folder, &["calibrate", "bundle", "--data", "fresh.jsonl"]);
    assert!(success, "{printed}");
    assert!(
        printed.contains("tuning on the out-of-fold predictions of 60 training rows"),
        "{printed}"
    );
    assert!(printed.contains("60 calibration rows"), "{printed}");
    assert!(printed.contains("risk    1 %: not certified"), "{printed}");
    // The same seed gives the same bytes.
    let head = fs::read(folder.join("bundle/toy/head.onnx")).unwrap();
    let (success, printed) =
        smallfirst(&folder, &["train", "--data", "toy.jsonl", "--out", "again"]);
    assert!(success, "{printed}");
    assert_eq!(head, fs::read(folder.join("again/toy/head.onnx")).unwrap());
    // An evaluation of other thresholds is found out.
    let evaluate = ["evaluate", "bundle", "--data", "fresh.jsonl", "--write"];
    assert!(smallfirst(&folder, &evaluate).0);
    let calibrate = [
        "calibrate",
        "bundle",
        "--data",
        "fresh.jsonl",
        "--delta",
        "0.2",
    ];
    assert!(smallfirst(&folder, &calibrate).0);
    let (success, printed) = smallfirst(&folder, &["pack", "bundle"]);
    assert!(
        !success && printed.contains("was not evaluated"),
        "{printed}"
    );
}

#[test]
fn no_row_is_lost_without_a_word() {
    let folder = folder("rows");
    let good: String = (0..40)
        .map(|i| format!("{{\"input\": \"number {i}\", \"label\": \"{}\"}}\n", i % 2))
        .collect();
    fs::write(folder.join("good.jsonl"), &good).unwrap();
    fs::write(
        folder.join("other.jsonl"),
        good.replace("number", "another"),
    )
    .unwrap();
    let third = good.replace("number", "a third");
    let bad = third.replacen('\n', "\n{oops\n{\"input\": \" \"}\n", 1);
    fs::write(folder.join("bad.jsonl"), bad).unwrap();
    let train = ["train", "--data", "good.jsonl", "--out", "b", "--l2", "0.1"];
    let (success, printed) = smallfirst(&folder, &train);
    assert!(
        success && printed.contains("40 rows read, none skipped"),
        "{printed}"
    );
    // Every command that reads rows.
    for args in [
        &["split", "--out", "parts", "--data", "bad.jsonl"][..],
        &[
            "train",
            "--out",
            "again",
            "--l2",
            "0.1",
            "--data",
            "bad.jsonl",
        ],
        &[
            "train",
            "--out",
            "again",
            "--l2",
            "0.1",
            "--data",
            "good.jsonl",
            "--against",
            "bad.jsonl",
        ],
        &["embed", "--out", "vectors.jsonl", "--data", "bad.jsonl"],
        &["calibrate", "b", "--data", "bad.jsonl"],
        &[
            "calibrate",
            "b",
            "--data",
            "other.jsonl",
            "--tune",
            "bad.jsonl",
        ],
        &["evaluate", "b", "--data", "bad.jsonl"],
        &[
            "evaluate",
            "b",
            "--data",
            "good.jsonl",
            "--out-of-scope",
            "bad.jsonl",
        ],
        &["simulate", "b", "--task", "good", "--data", "bad.jsonl"],
        &["run", "b", "--data", "bad.jsonl"],
    ] {
        let (success, printed) = smallfirst(&folder, args);
        assert!(!success, "{args:?}: {printed}");
        for words in [
            "bad.jsonl, line 2: this is not a JSON object",
            "line 3",
            "--skip-bad-rows",
        ] {
            assert!(printed.contains(words), "{args:?}: {printed}");
        }
        let args = [args, &["--skip-bad-rows"]].concat();
        let (success, printed) = smallfirst(&folder, &args);
        assert!(success, "{args:?}: {printed}");
        assert!(
            printed.contains("40 rows read, 2 skipped, because"),
            "{args:?}: {printed}"
        );
    }
    let same = [
        "calibrate",
        "b",
        "--data",
        "good.jsonl",
        "--tune",
        "good.jsonl",
    ];
    let (success, printed) = smallfirst(&folder, &same);
    let refusal = "40 of 40 calibration rows are tuning rows, too (lines 1, 2, 3, 4, 5, ...): a certificate needs rows";
    assert!(!success && printed.contains(refusal), "{printed}");
    fs::write(
        folder.join("used.jsonl"),
        good.replace("number", "a fourth"),
    )
    .unwrap();
    let again = ["calibrate", "b", "--data", "used.jsonl", "--dry-run"];
    let (_, first) = smallfirst(&folder, &again);
    let (_, second) = smallfirst(&folder, &again);
    assert!(!first.contains("have now certified"), "{first}");
    assert!(
        second.contains("have now certified 2 times for \"good\""),
        "{second}"
    );
    let parts = ["train", "tune", "cal", "test"].map(|part| {
        let path = folder.join(format!("parts/bad.{part}.jsonl"));
        fs::read_to_string(path).unwrap().lines().count()
    });
    assert_eq!(parts.iter().sum::<usize>(), 40, "{parts:?}");
}

#[test]
fn test_rows_certify_after_their_report_is_written() {
    let folder = folder("final");
    for (name, numbers) in [("toy", 0..60), ("fresh", 60..260), ("test", 260..460)] {
        fs::write(folder.join(format!("{name}.jsonl")), toys(numbers)).unwrap();
    }
    let run = |args: &[&str]| smallfirst(&folder, args);
    let train = [
        "train",
        "--data",
        "toy.jsonl",
        "--out",
        "b",
        "--license",
        "MIT",
    ];
    assert!(run(&train).0);
    let calibrate = ["calibrate", "b", "--data", "fresh.jsonl"];
    let last = [&calibrate[..], &["--final", "test.jsonl"]].concat();
    // Nothing was evaluated yet.
    assert!(run(&calibrate).0);
    let (success, printed) = run(&last);
    assert!(
        !success && printed.contains("after their report is written"),
        "{printed}"
    );
    assert!(run(&["evaluate", "b", "--data", "test.jsonl", "--write"]).0);
    // Another rule than the one that was evaluated, and rows that count twice.
    let other = [&calibrate[..], &["--ood", "msp", "--final", "test.jsonl"]].concat();
    let (success, printed) = run(&other);
    assert!(
        !success && printed.contains("not the one that was evaluated"),
        "{printed}"
    );
    let twice = [&calibrate[..], &["--final", "fresh.jsonl"]].concat();
    let (success, printed) = run(&twice);
    assert!(
        !success && printed.contains("would count twice"),
        "{printed}"
    );
    let (success, printed) = run(&last);
    assert!(
        success && printed.contains("400 calibration rows"),
        "{printed}"
    );
    let manifest = || -> serde_json::Value {
        let json = fs::read(folder.join("b/manifest.json")).unwrap();
        serde_json::from_slice(&json).unwrap()
    };
    let guarantee = &manifest()["tasks"]["toy"]["guarantee"];
    assert_eq!(
        (&guarantee["rows"], &guarantee["finalRows"]["rows"]),
        (&400.into(), &200.into())
    );
    // The report is of the same models and rules, so the bundle is fit to be shipped; once is enough.
    let (success, printed) = run(&["pack", "b"]);
    assert!(success, "{printed}");
    assert!(!run(&last).0);
    // All risks together: each at a fifth of delta.
    let jointly = [&calibrate[..], &["--jointly"]].concat();
    let (success, printed) = run(&jointly);
    assert!(success && printed.contains("delta 0.01 each"), "{printed}");
    let delta = manifest()["tasks"]["toy"]["guarantee"]["delta"]
        .as_f64()
        .unwrap();
    assert!((delta - 0.01).abs() < 1e-9, "{delta}");
    assert!(!run(&["pack", "b"]).0);
}

#[test]
fn a_certificate_against_a_remote_needs_its_answers() {
    let folder = folder("against");
    for (name, numbers) in [("toy", 0..60), ("fresh", 60..1060), ("test", 1060..1460)] {
        fs::write(folder.join(format!("{name}.jsonl")), toys(numbers)).unwrap();
    }
    // A remote that knows the label of every other row only.
    let answers = |numbers: std::ops::Range<usize>| -> String {
        numbers
            .map(|i| {
                format!(
                    "{{\"label\": \"{}\", \"ms\": 100, \"tokens\": 9}}\n",
                    if i % 4 < 2 { "a" } else { "b" }
                )
            })
            .collect()
    };
    fs::write(folder.join("answers.jsonl"), answers(60..1060)).unwrap();
    fs::write(folder.join("test-answers.jsonl"), answers(1060..1460)).unwrap();
    fs::write(folder.join("few.jsonl"), answers(60..1000)).unwrap();
    let run = |args: &[&str]| smallfirst(&folder, args);
    assert!(run(&["train", "--data", "toy.jsonl", "--out", "b"]).0);
    let against = |answers: &str, more: &[&str]| {
        let args = [
            "calibrate",
            "b",
            "--data",
            "fresh.jsonl",
            "--against-remote",
            answers,
        ];
        run(&[&args[..], more].concat())
    };
    let (success, printed) = against("few.jsonl", &["--remote-model", "llm"]);
    assert!(
        !success && printed.contains("940 answers for 1000 rows"),
        "{printed}"
    );
    let (success, printed) = against("answers.jsonl", &[]);
    assert!(!success && printed.contains("--remote-model"), "{printed}");
    let (success, printed) = against(
        "answers.jsonl",
        &["--remote-model", "llm", "--label-errors", "0.6"],
    );
    assert!(
        !success && printed.contains("nothing can be learned"),
        "{printed}"
    );
    let (success, printed) = against(
        "answers.jsonl",
        &["--remote-model", "llm", "--excess", "0.02"],
    );
    assert!(
        success && printed.contains("against llm, which has"),
        "{printed}"
    );
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("b/manifest.json")).unwrap()).unwrap();
    let against = &json["tasks"]["toy"]["guarantee"]["againstRemote"];
    assert_eq!(against["model"], "llm");
    let certificate = &against["certificates"][0];
    assert!(certificate["thresholds"][0].is_number(), "{certificate}");
    assert!(certificate["remoteErrors"].as_u64() > certificate["errors"].as_u64());
    // Its profile: worse than the local models everywhere, so that nothing is left to ask it.
    let evaluate = |more: &[&str]| {
        let args = ["evaluate", "b", "--data", "test.jsonl", "--brief"];
        run(&[&args[..], more].concat())
    };
    let answered = [
        "--remote-answers",
        "test-answers.jsonl",
        "--remote-model",
        "llm",
        "--profile",
        "profile.json",
    ];
    let (success, printed) = evaluate(&answered);
    assert!(success && printed.contains("0.0 % after"), "{printed}");
    assert!(
        printed.contains("against llm, which has 50.0 % (45.1 to 54.9) of 400 rows wrong"),
        "{printed}"
    );
    let profile: smallfirst::remote::RemoteProfile =
        serde_json::from_slice(&fs::read(folder.join("profile.json")).unwrap()).unwrap();
    assert_eq!(
        (profile.model.as_str(), profile.tasks["toy"].rows),
        ("llm", 400)
    );
    let (success, printed) = evaluate(&["--profile", "other.json", "--remote-model", "llm"]);
    assert!(
        !success && printed.contains("at least 20 labelled rows"),
        "{printed}"
    );
    let mut other = answered;
    other[3] = "another";
    let (success, printed) = evaluate(&other);
    assert!(
        !success && printed.contains("is a profile of the model \"llm\""),
        "{printed}"
    );
}

#[test]
fn a_bundle_stands_for_a_remote() {
    let folder = folder("stand-in");
    for (name, numbers) in [("toy", 0..60), ("fresh", 60..1060)] {
        fs::write(folder.join(format!("{name}.jsonl")), toys(numbers)).unwrap();
    }
    // A row without a label has no answer in the file; nor is it measured by those who read the file.
    let mut test = toys(1060..1460);
    test += "{\"input\": \"whatever\"}\n";
    fs::write(folder.join("test.jsonl"), test).unwrap();
    let run = |args: &[&str]| smallfirst(&folder, args);
    assert!(run(&["train", "--data", "toy.jsonl", "--out", "b"]).0);
    // Nothing is certified, so every answer is one of little confidence; the label is there all the same.
    for (data, answers) in [("fresh.jsonl", "cal"), ("test.jsonl", "test")] {
        let (success, printed) = run(&[
            "run",
            "b",
            "--data",
            data,
            "--as-remote",
            "--output",
            answers,
        ]);
        assert!(
            success && printed.contains("rows answered, 0 not"),
            "{printed}"
        );
    }
    let (success, printed) = run(&[
        "calibrate",
        "b",
        "--data",
        "fresh.jsonl",
        "--against-remote",
        "cal",
        "--remote-model",
        "itself",
        "--excess",
        "0.05",
    ]);
    assert!(success, "{printed}");
    // No bundle is better than itself, or worse: whatever is answered, the difference is none.
    let (success, printed) = run(&[
        "evaluate",
        "b",
        "--data",
        "test.jsonl",
        "--remote-answers",
        "test",
        "--brief",
    ]);
    assert!(
        success && printed.contains("0.00 (0.00 to 0.00)"),
        "{printed}"
    );
    let (success, printed) = run(&[
        "run",
        "b",
        "--data",
        "test.jsonl",
        "--as-remote",
        "--risk",
        "0.1",
    ]);
    assert!(!success && printed.contains("--risk"), "{printed}");
}

#[test]
fn mistakes_are_explained() {
    let folder = folder("mistakes");
    fs::write(
        folder.join("one.jsonl"),
        "{\"input\": \"x\", \"label\": \"a\"}\n",
    )
    .unwrap();
    fs::write(folder.join("broken.jsonl"), "{\"input\": \"x\"}\n{oops\n").unwrap();
    fs::write(folder.join("unlabelled.csv"), "input,label\nx,a\ny,\n").unwrap();
    fs::write(folder.join("not.onnx"), "hello").unwrap();
    for (args, words) in [
        (
            &["train", "--data", "one.jsonl", "--out", "b"][..],
            &["two labels"][..],
        ),
        (
            &["train", "--data", "broken.jsonl", "--out", "b"],
            &["line 2", "not a JSON object"],
        ),
        (
            &["train", "--data", "unlabelled.csv", "--out", "b"],
            &["line 3", "--label"],
        ),
        (
            &["train", "--data", "none.jsonl", "--out", "b"],
            &["none.jsonl"],
        ),
        (
            &[
                "train",
                "--data",
                "one.jsonl",
                "--encoder",
                "huge",
                "--out",
                "b",
            ],
            &["static-text"],
        ),
        (
            &["calibrate", "models", "--data", "one.jsonl"],
            &["--task", "language"],
        ),
        (
            &[
                "calibrate",
                "models",
                "--task",
                "spam",
                "--data",
                "one.jsonl",
            ],
            &["no label \"a\"", "--out-of-scope"],
        ),
        (
            &["calibrate", "nowhere", "--data", "one.jsonl"],
            &["manifest.json"],
        ),
        (
            &[
                "import",
                "not.onnx",
                "--out",
                "b",
                "--task",
                "t",
                "--labels",
                "a,b",
                "--license",
                "MIT",
            ],
            &["not an ONNX file"],
        ),
        (
            &[
                "import",
                "models/onnx/spam/head.onnx",
                "--out",
                "b",
                "--task",
                "t",
                "--labels",
                "a,b,c",
                "--license",
                "MIT",
                "--encoder",
                "static",
            ],
            &["2 scores", "names 3"],
        ),
        (
            &[
                "run",
                "models",
                "--task",
                "spam",
                "--data",
                "one.jsonl",
                "--risk",
                "2",
            ],
            &["risk must be a number above 0 and below 1"],
        ),
    ] {
        let (success, printed) = smallfirst(&folder, args);
        let refused = !success || printed.contains("\"code\"");
        assert!(refused, "{args:?}: {printed}");
        for word in words {
            assert!(printed.contains(word), "{args:?}: {printed}");
        }
        assert!(!printed.contains("panicked"), "{printed}");
    }
}

#[test]
#[ignore = "needs the data and the Python packages of `cargo xtask test`"]
fn a_scikit_learn_model_and_a_sagemaker_archive_become_tasks() {
    let folder = folder("import");
    for split in ["train", "test"] {
        let name = format!("spam.{split}.jsonl");
        fs::copy(data(&name), folder.join(name)).unwrap();
    }
    let embed = [
        "embed",
        "--data",
        "spam.train.jsonl",
        "--out",
        "vectors.jsonl",
    ];
    let (success, printed) = smallfirst(&folder, &embed);
    assert!(success, "{printed}");
    let python = std::env::var_os("SMALLFIRST_MAGIKA_PYTHON").expect("SMALLFIRST_MAGIKA_PYTHON");
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/reference/sklearn_head.py"
    );
    let trained = Command::new(python)
        .args([script, "vectors.jsonl", "model.onnx"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(
        trained.status.success(),
        "{}",
        String::from_utf8_lossy(&trained.stderr)
    );
    let labels = String::from_utf8(trained.stdout).unwrap().trim().to_owned();
    // The archive that a SageMaker training job leaves.
    let packed = Command::new("tar")
        .args(["-czf", "model.tar.gz", "./model.onnx"])
        .current_dir(&folder)
        .status()
        .unwrap();
    assert!(packed.success());
    let mut accuracies = Vec::new();
    for model in ["model.onnx", "model.tar.gz"] {
        let import = [
            "import",
            model,
            "--out",
            "bundle",
            "--task",
            "mail",
            "--labels",
            &labels,
            "--encoder",
            "static",
            "--license",
            "MIT",
        ];
        let (success, printed) = smallfirst(&folder, &import);
        assert!(success && printed.contains("probabilities"), "{printed}");
        let evaluate = [
            "evaluate",
            "bundle",
            "--data",
            "spam.test.jsonl",
            "--json",
            "report.json",
        ];
        let (success, printed) = smallfirst(&folder, &evaluate);
        assert!(success, "{printed}");
        let report = fs::read(folder.join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        accuracies.push(report["accuracy"]["value"].as_f64().unwrap());
    }
    assert!(
        accuracies[0] > 0.93 && accuracies[0] == accuracies[1],
        "{accuracies:?}"
    );
    // An archive without a model says what it holds.
    let packed = Command::new("tar")
        .args(["-czf", "other.tar.gz", "./vectors.jsonl"])
        .current_dir(&folder)
        .status()
        .unwrap();
    assert!(packed.success());
    let import = [
        "import",
        "other.tar.gz",
        "--out",
        "bundle",
        "--task",
        "t",
        "--labels",
        "a,b",
        "--encoder",
        "static",
        "--license",
        "MIT",
    ];
    let (success, printed) = smallfirst(&folder, &import);
    assert!(
        !success && printed.contains("vectors.jsonl") && printed.contains("skl2onnx"),
        "{printed}"
    );
}

/// All files under a folder, links as what they are.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            found.push((path, b"link".to_vec()));
        } else if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

#[test]
fn a_name_that_leads_out_of_the_bundle_is_refused_by_every_command_before_anything_is_written() {
    let folder = folder("names");
    fs::create_dir_all(folder.join("in/deep")).unwrap();
    let rows: String = (0..40)
        .map(|n| {
            format!(
                "{{\"input\": \"some words {n}\", \"label\": \"{}\"}}\n",
                n % 2
            )
        })
        .collect();
    fs::write(folder.join("rows.jsonl"), &rows).unwrap();
    fs::write(folder.join("my rows.jsonl"), &rows).unwrap();
    let model = "models/onnx/spam/head.onnx";
    let tokenizer = "models/static-text/tokenizer.json";
    let before = files(&folder);
    let import = |task: &'static str, out: &'static str| {
        vec![
            "import",
            model,
            "--out",
            out,
            "--task",
            task,
            "--labels",
            "a,b",
            "--license",
            "MIT",
            "--encoder",
            "static",
        ]
    };
    let train = |task: &'static str| {
        vec![
            "train",
            "--data",
            "rows.jsonl",
            "--out",
            "in/deep/b",
            "--task",
            task,
        ]
    };
    let encoder = |name: &'static str| {
        vec![
            "add-encoder",
            model,
            "--out",
            "models",
            "--name",
            name,
            "--tokenizer",
            tokenizer,
            "--license",
            "MIT",
        ]
    };
    let text = |task: &'static str| {
        vec![
            "add-text",
            "models",
            "--task",
            task,
            "--title",
            "T",
            "--instruction",
            "I",
            "--system",
            "S",
        ]
    };
    let mut refused = Vec::new();
    for name in [
        "../../x",
        "/tmp/x",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "a b",
        "n\u{e4}me",
        "a\nb",
    ] {
        refused.push(import(name, "in/deep/b"));
        refused.push(train(name));
        refused.push(encoder(name));
        refused.push(text(name));
    }
    // A task that is named after its file.
    refused.push(vec![
        "train",
        "--data",
        "my rows.jsonl",
        "--out",
        "in/deep/b",
    ]);
    // What the manifest does not take is not written either: two labels of the same name.
    let mut twice = import("fine", "in/deep/b");
    twice[7] = "a,a";
    refused.push(twice);
    for args in refused {
        let (success, printed) = smallfirst(&folder, &args);
        assert!(!success, "{args:?}: {printed}");
        assert!(!printed.contains("panicked"), "{printed}");
        assert!(
            files(&folder) == before,
            "{args:?} wrote something: {printed}"
        );
    }
    // Nor through a link inside the folder.
    #[cfg(unix)]
    {
        fs::create_dir_all(folder.join("elsewhere")).unwrap();
        fs::create_dir_all(folder.join("linked")).unwrap();
        std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("linked/mail")).unwrap();
        let before = files(&folder.join("elsewhere"));
        let (success, printed) = smallfirst(&folder, &import("mail", "linked"));
        assert!(!success && printed.contains("is a link"), "{printed}");
        assert!(files(&folder.join("elsewhere")) == before);
    }
    // A sound name is written.
    let (success, printed) = smallfirst(&folder, &import("mail", "in/deep/b"));
    assert!(success, "{printed}");
    assert!(folder.join("in/deep/b/mail/head.onnx").is_file());
}

#[test]
fn a_manifest_from_elsewhere_cannot_make_a_command_write_or_read_outside() {
    let folder = folder("manifest-names");
    let path = folder.join("models/manifest.json");
    let manifest = fs::read_to_string(&path).unwrap();
    // A head is a folder's name for `train --add-tier`, `calibrate` and `evaluate`.
    for (from, to) in [
        ("\"spam/", "\"../spam/"),
        ("\"static-text/", "\"/static-text/"),
    ] {
        fs::write(&path, manifest.replace(from, to)).unwrap();
        for args in [
            &["inspect", "models"][..],
            &["pack", "models", "--out", "packed"],
            &["calibrate", "models", "--task", "spam", "--data", "x.jsonl"],
        ] {
            let (success, printed) = smallfirst(&folder, args);
            assert!(
                !success && printed.contains("must stay inside the bundle"),
                "{printed}"
            );
        }
    }
}

#[test]
fn archives_are_imported_when_they_hold_one_model_alone() {
    let folder = folder("archives");
    let packed = |name: &str, files: &[(&str, &[u8])]| {
        let file = fs::File::create(folder.join(name)).unwrap();
        let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *bytes).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
    };
    let onnx = fs::read(folder.join("models/onnx/spam/head.onnx")).unwrap();
    let import = |name: &str| {
        let args = [
            "import",
            name,
            "--out",
            "b",
            "--task",
            "mail",
            "--labels",
            "a,b",
            "--license",
            "MIT",
            "--encoder",
            "static",
        ];
        smallfirst(&folder, &args)
    };
    packed("two.tar.gz", &[("a.onnx", &onnx), ("b.onnx", &onnx)]);
    let (success, printed) = import("two.tar.gz");
    assert!(
        !success && printed.contains("\"a.onnx\" and \"b.onnx\""),
        "{printed}"
    );
    assert!(!folder.join("b").exists());
    packed(
        "one.tar.gz",
        &[("._a.onnx", b"x"), ("a.onnx", &onnx), ("code.py", b"x")],
    );
    let (success, printed) = import("one.tar.gz");
    assert!(success && printed.contains("ignored ._a.onnx"), "{printed}");
}
