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

/// The lines of many rows are counted once: from the beginning for each row, these would take minutes.
#[test]
fn lines_are_counted_over_quotes_and_blank_lines() {
    let rows = 100_000;
    let mut csv = String::from("text,label\n");
    csv.extend(std::iter::repeat_n("some text,\"a\nb\"\r\n\n", rows));
    let limits = Limits::default();
    let table = parse("a.csv", csv.as_bytes(), Format::Csv, &["text"], &limits).unwrap();
    assert_eq!(table.records.len(), rows);
    for (at, record) in table.records.iter().enumerate() {
        assert_eq!(record.line, 2 + 3 * at);
    }
}
