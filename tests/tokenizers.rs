//! Real tokenizers beside Python's `tokenizers`: the same ids and the same places on 10,000 lines, and the table of them in
//! docs/tokenizers.md.
//!
//! Needs what tests/reference/tokens.py makes, so it runs under `cargo xtask conformance --tokenizers`, which sets the
//! environment variable; plain `cargo test` skips it.
#![cfg(not(target_arch = "wasm32"))]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use smallfirst::text::{Encoded, Part, TextTokenizer};

const BEGIN: &str = "<!-- tokenizers -->\n";
const END: &str = "<!-- /tokenizers -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn numbers(value: &Value) -> Vec<i64> {
    let all = value.as_array().unwrap();
    all.iter().map(|number| number.as_i64().unwrap()).collect()
}

/// What is put around a text or two: for each place the ids and the types of tokens.
fn runs(value: &Value) -> Vec<(Vec<i64>, Vec<i64>)> {
    let token = |token: &Value| (token[0].as_i64().unwrap(), token[1].as_i64().unwrap());
    let run = |run: &Value| run.as_array().unwrap().iter().map(token).unzip();
    value.as_array().unwrap().iter().map(run).collect()
}

/// How many lines a tokenizer was run on, and of how many it gives what Python gives.
#[derive(Default)]
struct Counts {
    lines: usize,
    ids: usize,
    places: usize,
    tokens: usize,
    coarse: usize,
    problems: Vec<String>,
}

fn compare(tokenizer: &TextTokenizer, lines: &[String], expected: &str) -> Counts {
    let mut rows = expected.lines();
    let head: Value = serde_json::from_str(rows.next().unwrap()).unwrap();
    let (single, pair) = (runs(&head["single"]), runs(&head["pair"]));
    let types = numbers(&head["types"]);
    let mut counts = Counts::default();
    let (mut before, mut last) = ("", Vec::new());
    for (line, row) in lines.iter().zip(rows) {
        let row: Value = serde_json::from_str(row).unwrap();
        let ids = numbers(&row["ids"]);
        let or = |key: &str, usual: Vec<i64>| row.get(key).map_or(usual, numbers);
        let after = if single.len() > 1 {
            single[1].0.clone()
        } else {
            Vec::new()
        };
        let special = or("special", [&single[0].0[..], &ids, &after].concat());
        let usual = [&pair[0].0[..], &last, &pair[1].0, &ids, &pair[2].0].concat();
        let both_ids = or("pair", usual);

        let plain = tokenizer.encoded(line, None, false).unwrap();
        let whole = tokenizer.encoded(line, None, true).unwrap();
        let both = tokenizer.encoded(before, Some(line), true).unwrap();
        counts.lines += 1;
        counts.tokens += ids.len();
        counts.coarse += plain.coarse;
        let same = plain.ids == ids
            && whole.ids == special
            && both.ids == both_ids
            && tokenizer.ids(line, false).unwrap() == ids
            && both.type_ids == kinds(&pair, &types, [last.len(), ids.len()]);
        counts.ids += usize::from(same);
        if !same {
            counts.problems.push(format!("ids of {line:?}"));
        }
        let places = numbers(&row["places"]);
        counts.places += usize::from(same && flat(&plain, Part::First) == places);
        // Around other tokens and beside another text they are where they were.
        assert_eq!(
            flat(&whole, Part::First),
            flat(&plain, Part::First),
            "{line:?}"
        );
        assert_eq!(
            flat(&both, Part::Second),
            flat(&plain, Part::First),
            "{line:?}"
        );
        for place in &plain.places {
            assert!(line.get(place.start..place.end).is_some(), "{line:?}");
        }
        (before, last) = (line, ids);
    }
    assert_eq!(counts.lines, lines.len());
    counts
}

fn kinds(around: &[(Vec<i64>, Vec<i64>)], types: &[i64], len: [usize; 2]) -> Vec<i64> {
    let text = |n: usize| vec![types[n]; len[n]];
    [
        &around[0].1[..],
        &text(0),
        &around[1].1,
        &text(1),
        &around[2].1,
    ]
    .concat()
}

fn flat(encoded: &Encoded, part: Part) -> Vec<i64> {
    let places = encoded
        .places
        .iter()
        .filter(|place| place.part == Some(part));
    places
        .flat_map(|place| [place.start as i64, place.end as i64])
        .collect()
}

fn percent(part: usize, of: usize) -> String {
    let hundredths = part * 10_000 / of;
    match hundredths {
        10_000 => "100".to_owned(),
        _ => format!("{}.{:02}", hundredths / 100, hundredths % 100),
    }
}

#[test]
#[ignore = "needs fetched tokenizers: run by `cargo xtask conformance --tokenizers`"]
fn real_tokenizers_give_what_python_gives() {
    // All tests of a machine run, also the ignored ones.
    let Some(folder) = env::var_os("SMALLFIRST_TOKENIZERS").map(PathBuf::from) else {
        println!("nothing was compared: run `cargo xtask conformance --tokenizers`");
        return;
    };
    let only = env::var("SMALLFIRST_ONLY").unwrap_or_default();
    let lines = read(&folder.join("lines.jsonl"));
    let lines: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let list = read(&root().join("tests/reference/tokens.json"));
    let list: Vec<Value> = serde_json::from_str(&list).unwrap();
    let mut table = String::from(
        "| tokenizer | package | licence | model | tokens | ids equal, % | places equal, % | |\n\
         | --- | --- | --- | --- | --: | --: | --: | --- |\n",
    );
    let mut problems = Vec::new();
    for entry in &list {
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        let name = text("name");
        if !name.contains(&only) {
            continue;
        }
        let file = fs::read(folder.join(name).join("tokenizer.json")).unwrap();
        let kind: Value = serde_json::from_slice(&file).unwrap();
        let kind = kind["model"]["type"].as_str().unwrap_or("BPE").to_owned();
        let package = match text("registry") {
            "here" => "in models/".to_owned(),
            registry => format!("{registry} {} {}", text("package"), text("version")),
        };
        let row = match TextTokenizer::load(name, &file) {
            Ok(_) if !text("refused").is_empty() => {
                problems.push(format!("{name} is no longer refused"));
                String::new()
            }
            Ok(tokenizer) => {
                let expected = read(&folder.join(name).join("expected.jsonl"));
                let counts = compare(&tokenizer, &lines, &expected);
                problems.extend(
                    counts
                        .problems
                        .iter()
                        .take(3)
                        .map(|p| format!("{name}: {p}")),
                );
                // Where Python's are elsewhere, it is known why.
                if counts.places < counts.lines && text("elsewhere").is_empty() {
                    problems.push(format!(
                        "{name}: {} lines have other places",
                        counts.lines - counts.places
                    ));
                }
                if counts.coarse > 0 {
                    problems.push(format!(
                        "{name}: {} places could not be told",
                        counts.coarse
                    ));
                }
                let ids = percent(counts.ids, counts.lines);
                let places = percent(counts.places, counts.lines);
                format!(
                    "{} | {ids} | {places} | {}",
                    counts.tokens,
                    text("elsewhere")
                )
            }
            Err(error) if text("refused").is_empty() => {
                problems.push(format!("{name} is refused: {error}"));
                String::new()
            }
            Err(_) => format!("| | | refused: {}", text("refused")),
        };
        println!("{name}: {row}");
        let licence = text("licence");
        let _ = writeln!(table, "| {name} | {package} | {licence} | {kind} | {row} |");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    if only.is_empty() {
        let said = format!("{} lines each.\n\n{table}", lines.len());
        let page = root().join("docs/tokenizers.md");
        let old = read(&page);
        let (before, rest) = old.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        fs::write(&page, format!("{before}{BEGIN}\n{said}\n{END}{after}")).unwrap();
    }
}
