//! How much personal data is found: in generated texts, and in real mails held against what other libraries see there.
//!
//! The mails need fetched data and packages, so that test runs under `cargo xtask test`, which sets the environment
//! variables.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use smallfirst::bundle::{Bundle, FileEntry, Source, verify};
use smallfirst::remote::{Named, People, RedactOptions, Redactor, RemoteOptions};
use smallfirst::route::Mode;
use smallfirst::runtime::Runtime;

#[path = "redaction/cases.rs"]
mod cases;

use cases::{Case, Draw, FORMS};

fn variable(name: &str) -> PathBuf {
    env::var_os(name)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`"))
}

/// A bundle's files.
struct Folder(PathBuf);

impl Source for Folder {
    async fn read(&self, path: &str, entry: &FileEntry) -> smallfirst::Result<Vec<u8>> {
        let bytes = fs::read(self.0.join(path)).unwrap();
        verify(path, entry, &bytes)?;
        Ok(bytes)
    }
}

#[derive(Default)]
struct Counts {
    theirs: u32,
    ours: u32,
    /// Of theirs, those of which we replace every character.
    covered: u32,
    /// Of ours, those that touch one of theirs.
    confirmed: u32,
}

#[test]
#[ignore = "needs data and Python packages: cargo xtask test"]
fn what_other_libraries_see_is_found() {
    let data = variable("SMALLFIRST_DATA").join("spam.jsonl");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/personal_data.py");
    let output = Command::new(variable("SMALLFIRST_MAGIKA_PYTHON"))
        .arg(script)
        .stdin(Stdio::from(fs::File::open(&data).unwrap()))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let theirs = String::from_utf8(output.stdout).unwrap();
    let redactor = Redactor::new(&RedactOptions::default()).unwrap();
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut mails = 0;
    for (line, theirs) in fs::read_to_string(&data)
        .unwrap()
        .lines()
        .zip(theirs.lines())
    {
        mails += 1;
        let row: Value = serde_json::from_str(line).unwrap();
        let text = row["input"].as_str().unwrap();
        let places: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        let theirs: Vec<(String, usize, usize)> = serde_json::from_str(theirs).unwrap();
        let theirs: Vec<_> = theirs
            .into_iter()
            .map(|(kind, start, end)| (kind, places[start], places[end]))
            .collect();
        let ours = redactor.find(text, &[]);
        for kind in ["EMAIL", "IP", "PHONE"] {
            let count = counts.entry(kind).or_default();
            for (_, start, end) in theirs.iter().filter(|(k, ..)| k == kind) {
                count.theirs += 1;
                // By whatever name: what is replaced does not leave.
                let uncovered = |at: &usize| !ours.iter().any(|f| f.start <= *at && *at < f.end);
                let alphanumeric = |at: &usize| text[*at..].starts_with(char::is_alphanumeric);
                let inside = places.iter().filter(|at| (*start..*end).contains(*at));
                let whole = !inside.filter(|at| alphanumeric(at)).any(uncovered);
                if !whole && env::var_os("SHOW").is_some() {
                    println!("missed {kind}: {:?}", &text[*start..*end]);
                }
                count.covered += u32::from(whole);
            }
            for found in ours.iter().filter(|f| f.name == kind) {
                count.ours += 1;
                let touches = |(_, start, end): &&(String, usize, usize)| {
                    *start < found.end && found.start < *end
                };
                // By any of their kinds, a number of another country among them.
                let confirmed = theirs.iter().any(|t| touches(&t));
                if !confirmed && env::var_os("SHOW").is_some() {
                    println!("alone {kind}: {:?}", &text[found.start..found.end]);
                }
                count.confirmed += u32::from(confirmed);
            }
        }
    }
    println!("{mails} mails");
    for (kind, c) in &counts {
        println!(
            "{kind}: of {} that the reference sees {} are replaced ({:.1} %); of {} replaced {} are ones it sees ({:.1} %)",
            c.theirs,
            c.covered,
            100.0 * f64::from(c.covered) / f64::from(c.theirs),
            c.ours,
            c.confirmed,
            100.0 * f64::from(c.confirmed) / f64::from(c.ours),
        );
        assert!(
            c.theirs > 20,
            "{kind}: the reference sees only {}",
            c.theirs
        );
    }
    let recall = |kind: &str| f64::from(counts[kind].covered) / f64::from(counts[kind].theirs);
    let precision = |kind: &str| f64::from(counts[kind].confirmed) / f64::from(counts[kind].ours);
    assert!(recall("EMAIL") > 0.999 && recall("IP") > 0.995 && recall("PHONE") > 0.95);
    assert!(precision("EMAIL") > 0.98 && precision("IP") > 0.98 && precision("PHONE") > 0.94);
}

/// The table of numbering plans, and the numbers they are tested with, are what their script makes.
#[test]
#[ignore = "needs Python packages: cargo xtask test"]
fn what_is_known_of_telephone_numbers_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(variable("SMALLFIRST_MAGIKA_PYTHON"))
        .arg(root.join("tests/reference/phone_regions.py"))
        .arg("--check")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}run tests/reference/phone_regions.py with the packages of tests/reference/requirements.txt",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What became of the cases of a kind, or of a group of them.
#[derive(Default)]
struct Outcome {
    cases: u32,
    /// Of which nothing is left.
    covered: u32,
    /// Which were found from their first character to their last, by their name.
    exact: u32,
}

impl Outcome {
    fn percent(&self) -> f64 {
        100.0 * f64::from(self.covered) / f64::from(self.cases)
    }
}

/// What was found in generated texts.
#[derive(Default)]
struct Tally {
    outcomes: BTreeMap<String, Outcome>,
    /// By kind: what was found, and what of it is part of a value of the kind.
    found: BTreeMap<String, (u32, u32)>,
    show: bool,
}

impl Tally {
    fn add(&mut self, redactor: &Redactor, case: &Case, groups: &[String]) {
        let text = case.text();
        let (start, end) = (case.before.len(), case.before.len() + case.value.len());
        let found = redactor.find(&text, &[]);
        let uncovered = |at: &usize| !found.iter().any(|f| f.start <= *at && *at < f.end);
        let mut inside = text
            .char_indices()
            .filter(|&(at, c)| (start..end).contains(&at) && c.is_alphanumeric());
        let covered = !case.kind.is_empty() && !inside.any(|(at, _)| uncovered(&at));
        let exact = found
            .iter()
            .any(|f| f.name == case.kind && (f.start, f.end) == (start, end));
        for group in groups {
            let outcome = self.outcomes.entry(group.clone()).or_default();
            outcome.cases += 1;
            outcome.covered += u32::from(covered);
            outcome.exact += u32::from(exact);
        }
        for f in &found {
            let right = f.name == case.kind && f.start < end && start < f.end;
            let count = self.found.entry(f.name.clone()).or_default();
            count.0 += 1;
            count.1 += u32::from(right);
            if !right && self.show {
                println!(
                    "alone {}: {:?} in {text:?} ({})",
                    f.name,
                    &text[f.start..f.end],
                    case.group
                );
            }
        }
        if self.show && !case.kind.is_empty() && !covered {
            println!("missed {} {}: {text:?}", groups.last().unwrap(), case.group);
        }
    }

    fn precision(&self, kind: &str) -> f64 {
        self.found.get(kind).map_or(100.0, |(all, right)| {
            100.0 * f64::from(*right) / f64::from(*all)
        })
    }
}

/// Prints recall and precision as the tables of docs/fallback.md.
#[test]
fn generated_personal_data_is_found_and_little_else() {
    let mut draw = Draw::new(2026);
    let redactor = Redactor::new(&RedactOptions::default()).unwrap();
    let mut tally = Tally {
        show: env::var_os("SHOW").is_some(),
        ..Tally::default()
    };
    let mut positive = 0;
    let plain = [
        cases::emails(&mut draw, 1500),
        cases::ibans(&mut draw, 40),
        cases::cards(&mut draw, 100),
        cases::addresses(&mut draw, 1500),
    ];
    for case in plain.iter().flatten() {
        positive += 1;
        tally.add(
            &redactor,
            case,
            &[
                case.kind.to_owned(),
                format!("{} {}", case.kind, case.group),
            ],
        );
    }
    let phones = cases::phones(&mut draw, include_str!("data/phones.tsv"));
    let mut named: BTreeMap<&str, Redactor> = BTreeMap::new();
    for (case, form) in &phones {
        positive += 1;
        let code = form.starts_with(['i', '0', 'E']);
        let wide = if code { "with code" } else { *form };
        let groups = [
            "PHONE".to_owned(),
            format!("PHONE {wide}"),
            format!("{} {wide}", case.group),
        ];
        tally.add(&redactor, case, &groups);
    }
    let others = cases::others(&mut draw, 250);
    for case in &others {
        tally.add(&redactor, case, &[]);
    }
    // The same again by somebody who says where the numbers are from.
    let mut own = Tally {
        show: tally.show,
        ..Tally::default()
    };
    for (case, form) in phones.iter().filter(|(_, form)| form.starts_with('n')) {
        let redactor = named.entry(&case.group).or_insert_with(|| {
            let regions = vec![case.group.clone()];
            Redactor::new(&RedactOptions {
                regions,
                ..RedactOptions::default()
            })
            .unwrap()
        });
        own.add(redactor, case, &[format!("{} {form}", case.group)]);
    }

    println!(
        "{positive} texts with personal data, {} with what only looks like it",
        others.len()
    );
    println!(
        "| kind | texts | replaced | from end to end, by its name | of what is replaced, right |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for kind in [
        "EMAIL",
        "IBAN",
        "CARD",
        "IP",
        "PHONE",
        "PHONE with code",
        "PHONE national",
        "PHONE national, no groups",
    ] {
        let outcome = &tally.outcomes[kind];
        let exact = 100.0 * f64::from(outcome.exact) / f64::from(outcome.cases);
        let precision = match kind.split_once(' ') {
            Some(_) => String::new(),
            None => format!("{:.1} %", tally.precision(kind)),
        };
        println!(
            "| {kind} | {} | {:.1} % | {exact:.1} % | {precision} |",
            outcome.cases,
            outcome.percent()
        );
    }
    println!(
        "\n| country | with code | national | no groups | `regions`: national | `regions`: no groups |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let countries: Vec<&str> = named.keys().copied().collect();
    let of = |tally: &Tally, country: &str, form: &str| {
        tally.outcomes[&format!("{country} {form}")].percent()
    };
    for country in &countries {
        println!(
            "| {country} | {:.0} % | {:.0} % | {:.0} % | {:.0} % | {:.0} % |",
            of(&tally, country, "with code"),
            of(&tally, country, FORMS[3]),
            of(&tally, country, FORMS[4]),
            of(&own, country, FORMS[3]),
            of(&own, country, FORMS[4]),
        );
    }
    assert!(positive > 10_000 && others.len() > 4_000 && countries.len() > 40);
    for kind in ["EMAIL", "IBAN", "CARD", "IP"] {
        let outcome = &tally.outcomes[kind];
        assert!(
            outcome.percent() >= 99.5,
            "{kind}: {:.2} %",
            outcome.percent()
        );
    }
    for kind in ["EMAIL", "IBAN", "CARD", "IP", "PHONE"] {
        assert!(
            tally.precision(kind) >= 98.0,
            "{kind}: {:.2} %",
            tally.precision(kind)
        );
    }
    for country in countries {
        assert!(of(&tally, country, "with code") >= 98.0, "{country}");
        // What stands between two pairs of digits may as well be a row of pairs.
        assert!(of(&own, country, FORMS[3]) >= 90.0, "{country}");
    }
    // Where numbers have a trunk prefix, nobody needs to say where they are from.
    for country in [
        "AR", "AT", "AU", "BE", "CH", "DE", "EG", "FI", "FR", "GB", "HU", "ID", "IE", "IL", "IN",
        "IR", "JP", "KE", "KR", "MY", "NG", "NL", "NZ", "RO", "RU", "SA", "TH", "TR", "UA", "US",
        "VN", "ZA",
    ] {
        let percent = of(&tally, country, FORMS[3]);
        assert!(percent >= 95.0, "{country}: {percent:.1} %");
    }
}

/// The bytes of a place in UTF-16 units.
fn bytes(text: &str, start: u64, end: u64) -> (usize, usize) {
    let mut units = 0;
    let mut ends = text.char_indices().map(|(at, c)| {
        let before = units;
        units += c.len_utf16() as u64;
        (before, at)
    });
    let starts: BTreeMap<u64, usize> = ends.by_ref().collect();
    let at = |unit| starts.get(&unit).copied().unwrap_or(text.len());
    (at(start), at(end))
}

/// What of somebody's data would leave, with patterns alone and with the task `personal-data` of the larger bundle. The table of
/// docs/fallback.md.
#[test]
fn a_task_of_entities_finds_what_patterns_do_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let (folder, rows) = (root.join("more-bundle"), root.join("more-rows"));
    if !folder.join("manifest.json").is_file() || !rows.is_dir() {
        println!(
            "nothing was compared: `cargo xtask models --more` fetches the model and the rows"
        );
        return;
    }
    let bundle = Bundle::parse(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let runtime = Runtime::new(
        bundle,
        Folder(folder),
        Mode::OnlyLocal,
        RemoteOptions::default(),
    );
    let runtime = runtime.unwrap();
    let redactor = Redactor::new(&RedactOptions::default()).unwrap();
    // By label: how many there are, and of how many a character is left, without the task and with it.
    let mut counts: BTreeMap<String, [u32; 3]> = BTreeMap::new();
    for split in ["cal", "test"] {
        let rows = fs::read_to_string(rows.join(format!("personal-data.{split}.jsonl"))).unwrap();
        for row in rows.lines() {
            let row: Value = serde_json::from_str(row).unwrap();
            let text = row["input"].as_str().unwrap().to_owned();
            let texts = [text.clone()];
            let named = pollster::block_on(runtime.names(&texts, Some("personal-data"))).unwrap();
            let left = |named: &[Named], (start, end): (usize, usize)| {
                let found = redactor.find(&text, named);
                let covers = |at| found.iter().any(|f| f.start <= at && at < f.end);
                u32::from(!(start..end).all(covers))
            };
            for span in row["label"].as_array().unwrap() {
                let unit = |key: &str| span[key].as_u64().unwrap();
                let place = bytes(&text, unit("start"), unit("end"));
                assert_eq!(&text[place.0..place.1], span["text"].as_str().unwrap());
                for label in [span["label"].as_str().unwrap(), "all"] {
                    let count = counts.entry(label.to_owned()).or_default();
                    count[0] += 1;
                    count[1] += left(&[], place);
                    count[2] += left(&named, place);
                }
            }
        }
    }
    println!("| label | in the sentences | left by patterns alone | and with the task |");
    println!("| --- | --- | --- | --- |");
    for (label, [n, without, with]) in &counts {
        let share = |left: &u32| 100.0 * f64::from(*left) / f64::from(*n);
        println!(
            "| {label} | {n} | {:.1} % | {:.1} % |",
            share(without),
            share(with)
        );
    }
    let [_, without, with] = counts["all"];
    assert!(3 * with < without, "{with} of {without}");
}
