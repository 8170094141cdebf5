use super::*;

/// Small enough that a test can go beyond each.
const SMALL: Limits = Limits {
    bytes: 4096,
    rows: 20,
    columns: 8,
    row: 512,
    text: 256,
};

fn refused(name: &str, bytes: &[u8]) -> String {
    let format = Format::of(name).unwrap();
    let error = parse(name, bytes, format, &["text", "label"], &SMALL).unwrap_err();
    assert_eq!(error.code(), Code::InvalidData);
    let message = error.to_string();
    assert!(message.starts_with(name), "{message}");
    message
}

fn read(name: &str, bytes: &[u8]) -> Table {
    let format = Format::of(name).unwrap();
    parse(name, bytes, format, &["text", "label"], &SMALL).unwrap()
}

#[test]
fn formats_are_told_by_the_ending() {
    assert_eq!(Format::of("a.b.CSV").unwrap(), Format::Csv);
    assert_eq!(Format::of("x/y.jsonl").unwrap(), Format::Jsonl);
    let error = Format::of("mails.xlsx").unwrap_err();
    assert!(error.to_string().contains(".parquet"), "{error}");
}

#[test]
fn a_file_a_row_and_a_number_of_rows_or_columns_over_the_limit_name_it_and_the_line() {
    let long = "x".repeat(600);
    let many = (0..12).map(|n| format!("c{n}")).collect::<Vec<_>>();
    let fields = many
        .iter()
        .map(|name| format!("\"{name}\":1"))
        .collect::<Vec<_>>();
    let quote = format!("text,label\na,b\n\"c,d\n{}", "e,f\n".repeat(200));
    for (name, content, words) in [
        ("a.csv", "x".repeat(5000), ["5000 bytes", "4096"]),
        ("a.jsonl", "\n".repeat(5000), ["5000 bytes", "4096"]),
        ("a.parquet", "x".repeat(5000), ["5000 bytes", "4096"]),
        (
            "a.csv",
            format!("text,label\na,b\n{long},b\n"),
            ["line 3", "512"],
        ),
        (
            "a.tsv",
            format!("text\tlabel\n\n{long}\tb\n"),
            ["line 3", "512"],
        ),
        // A quote that is never closed makes one row of all that follows.
        ("a.csv", quote, ["line 3", "quote"]),
        (
            "a.jsonl",
            format!("{{}}\n{{\"text\":\"{long}\"}}"),
            ["line 2", "512"],
        ),
        ("a.csv", many.join(","), ["line 1", "8 columns"]),
        (
            "a.csv",
            format!("text,label\na{}", ",b".repeat(200)),
            ["line 2", "8 columns"],
        ),
        (
            "a.jsonl",
            format!("{{}}\n{{{}}}", fields.join(",")),
            ["line 2", "8 columns"],
        ),
        (
            "a.jsonl",
            fields.iter().map(|f| format!("{{{f}}}\n")).collect(),
            ["line 9", "8 columns"],
        ),
        (
            "a.csv",
            format!("text,label\n{}", "a,b\n".repeat(30)),
            ["line 22", "20 rows"],
        ),
        (
            "a.jsonl",
            "{\"text\":\"a\"}\n".repeat(30),
            ["line 21", "20 rows"],
        ),
        (
            "a.csv",
            "text,label\na,b\n\nc\n".into(),
            ["line 4", "1 fields"],
        ),
    ] {
        let message = refused(name, content.as_bytes());
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
    }
    // At the limit it is read.
    let table = read(
        "a.csv",
        format!("text,label\n{}", "a,b\n".repeat(20)).as_bytes(),
    );
    assert_eq!(table.records.len(), 20);
    let table = read("a.csv", many[..8].join(",").as_bytes());
    assert_eq!(table.columns.len(), 8);
}

#[test]
fn what_is_not_wanted_is_not_kept() {
    let table = read(
        "a.jsonl",
        b"{\"more\":[[[{\"text\":1}]]],\"label\":true,\"text\":\"a\",\"text\":\"b\"}",
    );
    assert_eq!(table.columns, ["label", "more", "text"]);
    let text = Some(Cell::Text("b".into()));
    let label = Some(Cell::Plain("a truth value", "true".into()));
    assert_eq!(table.records[0].cells, [text.clone(), label]);
    let table = read("a.csv", b"x,text,y\n1,b,2\n");
    assert_eq!(table.records[0].cells, [text, None]);
}

#[test]
fn numbers_lists_and_objects_are_told_apart() {
    for (json, cell) in [
        ("1", Cell::Plain("a number", "1".into())),
        ("-7", Cell::Plain("a number", "-7".into())),
        ("1.0", Cell::Plain("a number", "1.0".into())),
        ("[1,[2]]", Cell::Other("a list")),
        ("{\"a\":{}}", Cell::Other("an object")),
        ("null", Cell::Null),
    ] {
        let table = read("a.jsonl", format!("{{\"text\":{json}}}").as_bytes());
        assert_eq!(table.records[0].cells[0], Some(cell), "{json}");
    }
    for bad in ["{\"text\":[}", "{} {}", "{\"a\":", "[]", "{\"text\":1e999}"] {
        assert!(refused("a.jsonl", bad.as_bytes()).contains("not a JSON object"));
    }
    let deep = format!("{{\"text\":{}", "[".repeat(400));
    assert!(refused("a.jsonl", deep.as_bytes()).contains("line 1"));
}

/// The lines of many rows are counted once, not from the beginning for each.
#[test]
fn reading_takes_time_in_proportion_to_the_file() {
    let time = |rows: usize| {
        let mut csv = String::from("text,label\n");
        csv.extend(std::iter::repeat_n("some text,\"a\nb\"\n", rows));
        let start = std::time::Instant::now();
        let limits = Limits::default();
        let table = parse("a.csv", csv.as_bytes(), Format::Csv, &["text"], &limits).unwrap();
        assert_eq!(table.records[rows - 1].line, 2 * rows);
        start.elapsed().as_secs_f64()
    };
    let best = |rows| (0..3).map(|_| time(rows)).fold(f64::INFINITY, f64::min);
    let (some, many) = (best(4_000), best(64_000));
    assert!(
        many < 80.0 * some + 0.05,
        "{some} s and {many} s for 16 times as much"
    );
}
