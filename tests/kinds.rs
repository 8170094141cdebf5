//! Tasks of spans as a data scientist meets them: from a Hugging Face folder to a certificate by a loss, a report and types.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;
use serde_json::{Value, json};
use smallfirst_onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("model/onnx")).unwrap();
    folder
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

fn done(folder: &Path, args: &[&str]) -> String {
    let (success, printed) = smallfirst(folder, args);
    assert!(success, "{args:?}: {printed}");
    printed
}

/// Names that are surely ones, words that are surely none, and words that are a name half of the time.
const NAMES: [&str; 4] = ["Ann", "Bob", "Carla", "Dora"];
const WORDS: [&str; 5] = ["wrote", "to", "about", "tea", "and"];
const EITHER: [&str; 3] = ["Rose", "Mark", "Grace"];

fn vocabulary() -> Vec<&'static str> {
    [&["[UNK]"][..], &NAMES, &WORDS, &EITHER].concat()
}

fn port(name: &str, elem_type: i32, shape: &[&str]) -> ValueInfoProto {
    let dimension = |name: &&str| DimensionProto {
        dim_value: name.parse().ok(),
        dim_param: name.parse::<i64>().is_err().then(|| (*name).to_owned()),
    };
    let tensor = TensorTypeProto {
        elem_type,
        shape: Some(TensorShapeProto {
            dim: shape.iter().map(dimension).collect(),
        }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor),
            ..Default::default()
        }),
    }
}

/// A token classifier that knows each word by heart: one row of logits a word.
fn model() -> Vec<u8> {
    let row = |word: &str| match word {
        word if NAMES.contains(&word) => [0.0, 6.0],
        word if EITHER.contains(&word) => [0.0, 0.4],
        _ => [6.0, 0.0],
    };
    let table: Vec<f32> = vocabulary().into_iter().flat_map(row).collect();
    let rows = TensorProto {
        dims: vec![vocabulary().len() as i64, 2],
        data_type: 1,
        float_data: table,
        name: "rows".to_owned(),
        ..Default::default()
    };
    let gather = NodeProto {
        input: vec!["rows".to_owned(), "input_ids".to_owned()],
        output: vec!["logits".to_owned()],
        name: "gather".to_owned(),
        op_type: "Gather".to_owned(),
        attribute: vec![AttributeProto {
            name: "axis".to_owned(),
            r#type: 2,
            i: 0,
            ..Default::default()
        }],
        ..Default::default()
    };
    let graph = GraphProto {
        name: "tags".to_owned(),
        node: vec![gather],
        initializer: vec![rows],
        input: vec![port("input_ids", 7, &["batch", "tokens"])],
        output: vec![port("logits", 1, &["batch", "tokens", "2"])],
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 17,
        }],
        graph: Some(graph),
        ..Default::default()
    };
    model.encode_to_vec()
}

fn write_model(folder: &Path) {
    let vocab: BTreeMap<&str, usize> = vocabulary().into_iter().zip(0..).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab}
    });
    let config = json!({
        "architectures": ["BertForTokenClassification"], "model_type": "bert",
        "id2label": {"0": "O", "1": "B-PER"}, "max_position_embeddings": 64
    });
    let at = folder.join("model");
    fs::write(at.join("config.json"), config.to_string()).unwrap();
    fs::write(at.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    fs::write(at.join("onnx/model.onnx"), model()).unwrap();
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % most as u64) as usize
    }
}

/// Sentences with the spans of their names: a third of them holds a word that may be one or not.
fn rows(seed: u64, count: usize) -> String {
    let mut random = Random(seed);
    let mut out = String::new();
    for number in 0..count {
        let mut text = String::from("😀");
        let mut spans = Vec::new();
        let hard = random.below(3) == 0;
        let words = 4 + random.below(5);
        for at in 0..words {
            let (word, is_name) = match random.below(4) {
                _ if hard && at == 1 => (EITHER[random.below(3)], random.below(2) == 0),
                0 => (NAMES[random.below(4)], true),
                _ => (WORDS[random.below(5)], false),
            };
            text.push(' ');
            let start = text.encode_utf16().count();
            text.push_str(word);
            if is_name {
                let end = text.encode_utf16().count();
                spans.push(json!({"label": "PER", "start": start, "end": end, "text": word}));
            }
        }
        // No two are the same, so that none is a copy of another.
        let row = json!({"input": format!("{text} {seed}x{number}"), "label": spans});
        out += &format!("{row}\n");
    }
    out
}

fn answers(folder: &Path, data: &str, risk: &str) -> Vec<Value> {
    let args = [
        "run",
        "bundle",
        "--data",
        data,
        "--risk",
        risk,
        "--output",
        "answers.jsonl",
    ];
    done(folder, &args);
    let lines = fs::read_to_string(folder.join("answers.jsonl")).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_folders_spans_are_certified_by_their_f1_reported_and_typed() {
    let folder = fresh("kinds");
    write_model(&folder);
    for (name, seed, count) in [("cal.jsonl", 1, 4000), ("test.jsonl", 2, 3000)] {
        fs::write(folder.join(name), rows(seed, count)).unwrap();
    }
    done(
        &folder,
        &["import", "model", "--out", "bundle", "--license", "MIT"],
    );

    // Before calibration nothing is promised.
    let before = answers(&folder, "test.jsonl", "0.1");
    assert_eq!(before[0]["calibrated"], false);
    assert!(before.iter().all(|answer| answer["guaranteed"] == false));

    let printed = done(&folder, &["calibrate", "bundle", "--data", "cal.jsonl"]);
    assert!(
        printed.contains("a risk is the mean of 1 - F1"),
        "{printed}"
    );
    assert!(printed.contains("confidence by a slope of"), "{printed}");

    // What is given at a risk of 5 % costs no more than that on fresh rows, and is what nobody can be in doubt of.
    let given = answers(&folder, "test.jsonl", "0.05");
    let guaranteed: Vec<&Value> = given.iter().filter(|a| a["guaranteed"] == true).collect();
    assert!(guaranteed.len() > 1500, "{}", guaranteed.len());
    for answer in &guaranteed {
        assert_eq!(answer["guarantee"]["loss"], "f1");
        assert_eq!(answer["calibrated"], true);
    }
    let report = done(
        &folder,
        &[
            "evaluate",
            "bundle",
            "--data",
            "test.jsonl",
            "--write",
            "--json",
            "report.json",
        ],
    );
    for figure in [
        "wholly right",
        "F1 of spans",
        "recall of spans",
        "answered here",
    ] {
        assert!(report.contains(figure), "{report}");
    }
    let report: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap();
    let policies = report["policies"].as_array().unwrap();
    let at = |risk: f64| policies.iter().find(|p| p["risk"] == risk).unwrap();
    let (loss, coverage) = (&at(0.05)["meanLoss"], &at(0.05)["coverage"]);
    // Within three standard errors of the test rows.
    assert!(loss.as_f64().unwrap() <= 0.06, "{loss}");
    assert!(coverage.as_f64().unwrap() > 0.5, "{coverage}");
    // The confidence was calibrated: its mean is the mean quality of the answers.
    let confidence = |answer: &Value| answer["confidence"].as_f64().unwrap();
    let mean = given.iter().map(confidence).sum::<f64>() / given.len() as f64;
    let quality = 1.0 - report["meanLoss"].as_f64().unwrap();
    assert!((mean - quality).abs() < 0.03, "{mean} and {quality}");

    // The bundle ships, with a card and the report that is of it, and its types are known.
    done(&folder, &["pack", "bundle", "--out", "shipped"]);
    let card = fs::read_to_string(folder.join("shipped/token-classification/README.md"));
    assert!(card.unwrap().contains("## What each risk delivers"));
    let types = done(&folder, &["types", "shipped"]);
    assert!(
        types.contains("{ entities: (Entity & { label: \"PER\" | \"B-PER\" })[] }"),
        "{types}"
    );
}

#[test]
fn what_rows_say_wrongly_is_refused_by_line_and_changes_nothing() {
    let folder = fresh("kinds-refused");
    write_model(&folder);
    done(
        &folder,
        &["import", "model", "--out", "bundle", "--license", "MIT"],
    );
    let manifest = || fs::read(folder.join("bundle/manifest.json")).unwrap();
    let before = manifest();
    let good = "{\"input\": \"Ann wrote\", \"label\": []}\n";
    for (row, why) in [
        // Counted in code points, as Python does.
        (
            r#"{"input": "😀 Ann", "label": [{"label": "PER", "start": 2, "end": 5, "text": "Ann"}]}"#,
            "UTF-16",
        ),
        (
            r#"{"input": "Ann", "label": [{"label": "LOC", "start": 0, "end": 3}]}"#,
            "there are PER",
        ),
        (r#"{"input": "Ann", "label": "PER"}"#, "list of spans"),
        (r#"{"input": "Ann"}"#, "does not say what is right"),
    ] {
        fs::write(folder.join("rows.jsonl"), format!("{good}{row}\n")).unwrap();
        let (success, printed) =
            smallfirst(&folder, &["calibrate", "bundle", "--data", "rows.jsonl"]);
        assert!(!success && printed.contains("line 2"), "{row}: {printed}");
        assert!(printed.contains(why), "{row}: {printed}");
    }
    fs::write(folder.join("rows.jsonl"), good).unwrap();
    for (option, why) in [
        (
            &["--loss", "exact", "--per-slice"][..],
            "--per-slice is for tasks that give one label",
        ),
        (&["--options", "{\"aggregate\": 1}"], "--options"),
        (&["--options", "{\"topK\": 3}"], "has no option \"topK\""),
    ] {
        let args = [&["calibrate", "bundle", "--data", "rows.jsonl"][..], option].concat();
        let (success, printed) = smallfirst(&folder, &args);
        assert!(!success && printed.contains(why), "{option:?}: {printed}");
    }
    assert_eq!(manifest(), before);
    // A handful of rows certifies nothing, and says so.
    fs::write(folder.join("rows.jsonl"), rows(3, 20)).unwrap();
    let printed = done(&folder, &["calibrate", "bundle", "--data", "rows.jsonl"]);
    assert!(
        printed.contains("not certified, every input escalates"),
        "{printed}"
    );
    assert!(!printed.contains("threshold"), "{printed}");
}

#[test]
fn bundles_are_merged_with_what_was_certified_of_their_tasks() {
    let folder = fresh("kinds-merged");
    write_model(&folder);
    fs::write(folder.join("cal.jsonl"), rows(1, 1500)).unwrap();
    fs::write(folder.join("test.jsonl"), rows(2, 200)).unwrap();
    let import = |out: &str, more: &[&str]| {
        let args = ["import", "model", "--out", out, "--license", "MIT"];
        done(&folder, &[&args[..], more].concat())
    };
    import("a", &["--name", "people", "--title", "Who is named"]);
    import("b", &["--name", "others"]);
    done(&folder, &["calibrate", "a", "--data", "cal.jsonl"]);
    let run = |bundle: &str| {
        let args = ["run", bundle, "--task", "people", "--data", "test.jsonl"];
        let more = ["--risk", "0.1", "--output", "answers.jsonl"];
        done(&folder, &[&args[..], &more].concat());
        let lines = fs::read_to_string(folder.join("answers.jsonl")).unwrap();
        let of = |line: &str| {
            let answer: Value = serde_json::from_str(line).unwrap();
            (answer["output"].clone(), answer["guarantee"].clone())
        };
        lines.lines().map(of).collect::<Vec<_>>()
    };
    let alone = run("a");
    assert!(alone.iter().any(|(_, guarantee)| !guarantee.is_null()));
    let defaults = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    done(&folder, &["merge", defaults, "a", "b", "--out", "all"]);
    assert_eq!(run("all"), alone);
    let manifest = |bundle: &str| {
        let json = fs::read(folder.join(bundle).join("manifest.json")).unwrap();
        serde_json::from_slice::<Value>(&json).unwrap()
    };
    let all = manifest("all");
    let people = &all["tasks"]["people"];
    assert_eq!(people["title"], "Who is named");
    assert_eq!(
        people["guarantee"],
        manifest("a")["tasks"]["people"]["guarantee"]
    );
    assert_eq!(all["tasks"]["others"]["title"], "others");
    let default = fs::read(Path::new(defaults).join("manifest.json")).unwrap();
    let default: Value = serde_json::from_slice(&default).unwrap();
    assert_eq!(all["tasks"]["language"], default["tasks"]["language"]);

    // The same again is the same; another model under a name that is taken is told, and nothing is written.
    done(&folder, &["merge", "a", "--out", "all"]);
    assert_eq!(manifest("all"), all);
    import("c", &["--name", "people", "--title", "Somebody else"]);
    let (success, printed) = smallfirst(&folder, &["merge", "c", "--out", "all"]);
    assert!(
        !success && printed.contains("another model \"people\""),
        "{printed}"
    );
    assert_eq!(manifest("all"), all);
    let (success, printed) = smallfirst(
        &folder,
        &[
            "import",
            "model",
            "--out",
            "all",
            "--license",
            "MIT",
            "--name",
            "people",
        ],
    );
    assert!(!success && printed.contains("--name"), "{printed}");

    // Vectors of an encoder that is there need no file, and no evaluation to be shipped.
    done(&folder, &["merge", defaults, "--out", "vectors"]);
    let add = |encoder: &str| {
        let args = ["add-vectors", "vectors", "--task", "meaning", "--encoder"];
        smallfirst(&folder, &[&args[..], &[encoder]].concat())
    };
    let (success, printed) = add("none");
    assert!(!success && printed.contains("static-text"), "{printed}");
    assert!(add("static-text").0);
    assert_eq!(manifest("vectors")["files"], default["files"]);
    done(
        &folder,
        &["pack", "vectors", "--out", "shipped", "--no-onnxruntime"],
    );
    fs::write(
        folder.join("texts.jsonl"),
        "{\"input\": \"Where is the station?\"}\n",
    )
    .unwrap();
    let args = [
        "run",
        "shipped",
        "--task",
        "meaning",
        "--data",
        "texts.jsonl",
    ];
    let printed = done(&folder, &args);
    let line = printed.lines().find(|line| line.starts_with('{')).unwrap();
    let answer: Value = serde_json::from_str(line).unwrap();
    let vector = answer["output"]["data"].as_array().unwrap().iter();
    let length: f64 = vector.map(|v| v.as_f64().unwrap().powi(2)).sum();
    assert!((length - 1.0).abs() < 1e-5, "{length}");
}
