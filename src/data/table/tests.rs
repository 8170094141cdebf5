use super::*;
use crate::data::Rows;
use crate::data::rows::Skipped;

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
    let error = match parse(name, bytes, format, &["text", "label"], &SMALL) {
        Ok(table) => Rows::new(name, Vec::new(), table.skipped, Vec::new())
            .all()
            .unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.code(), Code::InvalidData);
    let message = error.to_string();
    assert!(message.starts_with(name), "{message}");
    message
}

fn read(name: &str, bytes: &[u8]) -> Table {
    let format = Format::of(name).unwrap();
    let table = parse(name, bytes, format, &["text", "label"], &SMALL);
    table.unwrap_or_else(|e| panic!("{:?}: {e}", String::from_utf8_lossy(bytes)))
}

/// The texts and labels of a file of which every row can be read.
fn pairs(name: &str, bytes: &[u8]) -> Vec<(String, String)> {
    let table = read(name, bytes);
    assert_eq!(
        table.skipped,
        Skipped::default(),
        "{:?}",
        String::from_utf8_lossy(bytes)
    );
    let text = |cell: &Option<Cell>| match cell {
        Some(Cell::Text(text) | Cell::Plain(_, text)) => text.clone(),
        other => format!("{other:?}"),
    };
    let pair = |record: &Record| (text(&record.cells[0]), text(&record.cells[1]));
    table.records.iter().map(pair).collect()
}

fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
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
        ("[1,[2]]", Cell::Nested("a list", "[1,[2]]".into())),
        ("{\"a\":{}}", Cell::Nested("an object", "{\"a\":{}}".into())),
        ("null", Cell::Null),
        // As they are written: an f64 holds none of these digits after the sixteenth.
        (
            "12345678901234567890123",
            Cell::Plain("a number", "12345678901234567890123".into()),
        ),
        ("1e5", Cell::Plain("a number", "1e5".into())),
        ("NaN", Cell::Null),
        ("Infinity", Cell::Other("an infinite number")),
        ("-Infinity", Cell::Other("an infinite number")),
        ("1e999", Cell::Other("an infinite number")),
        (
            "\"NaN, Infinity and \\\"NaN\"",
            Cell::Text("NaN, Infinity and \"NaN".into()),
        ),
    ] {
        let table = read("a.jsonl", format!("{{\"text\":{json}}}").as_bytes());
        assert_eq!(table.records[0].cells[0], Some(cell), "{json}");
    }
    for bad in [
        "{\"text\":[}",
        "{} {}",
        "{\"a\":",
        "[]",
        "{\"text\":nan}",
        "{\"text\":Nan}",
    ] {
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

#[test]
fn a_tab_separated_file_has_as_many_rows_as_lines_whatever_its_quotes() {
    for (tsv, expected) in [
        // A quote that opens a field and never ends.
        (
            "text\tlabel\n\"a\tx\nb\ty\nc\tz\n",
            &[("\"a", "x"), ("b", "y"), ("c", "z")][..],
        ),
        // One that another row closes, at the end of a field.
        (
            "text\tlabel\n\"a\tx\nb\ty\nc\"\tz\n",
            &[("\"a", "x"), ("b", "y"), ("c\"", "z")],
        ),
        (
            "text\tlabel\n\"a\tx\nb\"\tz\n",
            &[("\"a", "x"), ("b\"", "z")],
        ),
        (
            "label\ttext\nx\t\"a\nz\t\"b\"\n",
            &[("\"a", "x"), ("\"b\"", "z")],
        ),
        // A quoted word at the beginning, and a title in quotes.
        (
            "text\tlabel\n\"a\" b\tx\n\"c\"\ty\n",
            &[("\"a\" b", "x"), ("\"c\"", "y")],
        ),
        // As programs write CSV with tabs: quotes where they are needed, or around everything but numbers.
        (
            "text\tlabel\n\"a \"\"b\"\"\"\tx\nc\ty\n",
            &[("a \"b\"", "x"), ("c", "y")],
        ),
        (
            "\"text\"\t\"label\"\r\n\"a\"\t1\r\n\"c\"\t2.5\r\n",
            &[("a", "1"), ("c", "2.5")],
        ),
        (
            "text\tlabel\n\"a\nb\"\tx\n\"c\td\"\ty\n",
            &[("a\nb", "x"), ("c\td", "y")],
        ),
    ] {
        assert_eq!(pairs("a.tsv", tsv.as_bytes()), of(expected), "{tsv:?}");
    }
    let notes = read("a.tsv", b"text\tlabel\n\"a\tx\nb\ty\n").notes;
    assert!(notes[0].contains("quotes are kept"), "{notes:?}");
    // Rows that quotes could join are bad rows by themselves, where a line has too few fields.
    let table = read("a.tsv", b"text\tlabel\n\"a\tx\nb\nc\ty\nd\"\tz\n");
    assert_eq!(table.records.len(), 3);
    assert!(
        refused("a.tsv", b"text\tlabel\n\"a\tx\nb\nc\ty\nd\"\tz\n")
            .contains("line 3: the row has 1")
    );
}

#[test]
fn a_quote_out_of_place_in_csv_names_the_line_it_opened_in() {
    for (csv, words) in [
        (
            "text,label\na,b\n\"c,d\ne,f\n",
            &["line 3", "never closed"][..],
        ),
        (
            "text,label\n\"a\nb\",\"x\nc,d\n",
            &["line 3", "never closed"],
        ),
        // The next quote closes it, in the middle of a field.
        ("text,label\n\"a,x\nb,y\nc,\"z\"\n", &["line 2", "line 4"]),
        (
            "text,label\n\"a\" b,x\nc,y\n",
            &["line 2", "after its closing quote", "1 of 1 rows"],
        ),
        // Rows that became one, and have too few fields together.
        (
            "text,label\n\"a,x\nb,y\n\"\nc,z\n",
            &["line 2", "1 fields", "to line 4"],
        ),
    ] {
        let message = refused("a.csv", csv.as_bytes());
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
    }
    let fine = "text,label\n\"a, \"\"b\"\"\nc\",\"\"\n5\" pipe,y\r\n\"\"\"d\"\"\",z";
    let expected = [("a, \"b\"\nc", ""), ("5\" pipe", "y"), ("\"d\"", "z")];
    assert_eq!(pairs("a.csv", fine.as_bytes()), of(&expected));
}

#[test]
fn the_separator_is_what_the_header_shows() {
    let expected = of(&[("a, b; c", "x"), ("d", "y")]);
    for (name, content) in [
        ("a.csv", "text,label\n\"a, b; c\",x\nd,y\n"),
        ("a.tsv", "text,label\n\"a, b; c\",x\nd,y\n"),
        ("a.csv", "text;label\n\"a, b; c\";x\nd;y\n"),
        ("a.csv", "sep=;\r\ntext;label\r\n\"a, b; c\";x\r\nd;y\r\n"),
        ("a.csv", "\"sep=^\"\ntext^label\na, b; c^x\nd^y\n"),
        ("a.csv", "text\tlabel\na, b; c\tx\nd\ty\n"),
        ("a.csv", "text|label\na, b; c|x\nd|y\n"),
        ("a.tsv", "more;label;text\n;x;\"a, b; c\"\n1;y;d\n"),
    ] {
        assert_eq!(pairs(name, content.as_bytes()), expected, "{content:?}");
        let usual = match name {
            "a.csv" => content.contains("text,"),
            _ => content.contains("text\t"),
        };
        assert_eq!(
            read(name, content.as_bytes()).notes.is_empty(),
            usual,
            "{content:?}"
        );
    }
    let message = refused("a.csv", b"sep=;\ntext;label\na;b\nc\n");
    assert!(message.contains("line 4"), "{message}");
    let message = refused("a.csv", b"text,label,text\na,b,c\n");
    assert!(message.contains("several columns"), "{message}");
}

#[test]
fn a_quote_that_is_text_does_not_make_one_row_of_two() {
    // Whoever wrote these quotes nothing: the quotes in lines 2 and 3 are text, and so are those of the other line.
    for content in [
        "text,label\n\"5 tall,x\n6\",y\nsaid \"no\",x\n",
        "text,label\nsaid \"no\",x\n\"5 tall,x\n6\",y\n",
        "text;label\nsaid \"no\";x\n\"5 tall;x\n6\";y\n",
    ] {
        let message = refused("a.csv", content.as_bytes());
        assert!(message.contains("these quotes may be text"), "{message}");
    }
    // Each is fine where the other is not there.
    let several = "text,label\n\"a\nb\",x\n\"c\"\"d\",y\n";
    assert_eq!(
        read("a.csv", several.as_bytes()).notes,
        ["one row goes over several lines: 2 to 3"]
    );
    assert_eq!(pairs("a.csv", several.as_bytes())[0].0, "a\nb");
    let inches = "text,label\n5\" wide,x\n6,y\n";
    assert_eq!(pairs("a.csv", inches.as_bytes())[0].0, "5\" wide");
}

#[test]
fn utf_16_is_read_with_and_without_a_mark() {
    let encoded = |text: &str, big: bool| -> Vec<u8> {
        let order = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        text.encode_utf16().flat_map(order).collect()
    };
    for (name, text) in [
        ("a.csv", "text,label\r\nGrüße 😀,x\r\nd,y\r\n"),
        ("a.tsv", "text\tlabel\r\nGrüße 😀\tx\r\nd\ty\r\n"),
        (
            "a.jsonl",
            "{\"text\": \"Grüße 😀\", \"label\": \"x\"}\n{\"text\":\"d\",\"label\":\"y\"}",
        ),
    ] {
        for big in [true, false] {
            for mark in ["\u{feff}", ""] {
                let bytes = encoded(&format!("{mark}{text}"), big);
                assert_eq!(pairs(name, &bytes), of(&[("Grüße 😀", "x"), ("d", "y")]));
                assert!(read(name, &bytes).notes[0].contains("UTF-16"));
            }
        }
    }
    let chinese = format!(
        "text,label\n{}\n",
        "你好世界你好世界你好世界,天气\n".repeat(9)
    );
    assert_eq!(pairs("a.csv", &encoded(&chinese, false)).len(), 9);
    let mut cut = encoded("\u{feff}text,label\na,b\n", false);
    cut.pop();
    assert!(refused("a.csv", &cut).contains("cut short"));
    let utf32: Vec<u8> = "\u{feff}text"
        .chars()
        .flat_map(|c| (c as u32).to_le_bytes())
        .collect();
    assert!(refused("a.csv", &utf32).contains("utf-32"));
    // One zero byte makes no UTF-16.
    assert_eq!(
        pairs("a.csv", b"text,label\na\0b,c\n"),
        of(&[("a\0b", "c")])
    );
}

#[test]
fn json_lines_are_read_as_programs_write_them() {
    for line in [
        // Python, with what is none of JSON in columns that nobody asked for.
        r#"{"text": "a", "label": "x", "score": NaN, "more": [-Infinity, Infinity, {"NaN": NaN}]}"#,
        r#"{"text": "a", "label": "x", "tweet": "\ud83d", "\udc00": 1, "deep": {"of": ["\ude00 \ud83d"]}}"#,
        // pandas, Spark and jq: escaped slashes, nested columns, the widest numbers.
        r#"{"text":"a","label":"x","at":1700000000000,"url":"http:\/\/x","big":123456789012345678901234567890}"#,
        r#"{"label":"y","text":"b","text":"a","label":"x"}"#,
    ] {
        for (before, after) in [("", ""), ("\u{feff}", "\n"), ("\n  \r\n", "\r\n\r\n")] {
            let file = format!("{before}{line}{after}");
            assert_eq!(
                pairs("a.jsonl", file.as_bytes()),
                of(&[("a", "x")]),
                "{file}"
            );
        }
    }
    let two = "\u{feff}{\"text\":\"a\",\"label\":1}\n\u{feff}{\"text\":\"b\",\"label\":2}\n";
    assert_eq!(
        pairs("a.jsonl", two.as_bytes()),
        of(&[("a", "1"), ("b", "2")])
    );
    for (json, words) in [
        ("[\n{\"text\":\"a\"},\n{\"text\":\"b\"}]", "jq -c '.[]'"),
        ("[{\"text\":\"a\"}]", "jq -c '.[]'"),
        ("{\n  \"text\": \"a\"\n}\n", "jq -c ."),
    ] {
        let message = refused("a.jsonl", json.as_bytes());
        assert!(
            message.contains(words) && message.contains("line 1"),
            "{message}"
        );
    }
}

#[test]
fn half_of_a_surrogate_pair_is_read_as_a_browser_does_and_told() {
    let jsonl = concat!(
        "{\"text\": \"a\", \"label\": \"x\"}\n",
        "{\"text\": \"b \\ud800 c\", \"label\": \"\\\\ud800\"}\n",
        "{\"text\": \"\\uDE00\\ud83d\\ude00\\uD83D\", \"label\": \"\\ud83d\\ud83d\\ude00\"}\n",
        "{\"text\": \"d\", \"label\": \"x\"}\n",
    );
    let expected = [
        ("a", "x"),
        ("b \u{fffd} c", "\\ud800"),
        ("\u{fffd}😀\u{fffd}", "\u{fffd}😀"),
        ("d", "x"),
    ];
    assert_eq!(pairs("a.jsonl", jsonl.as_bytes()), of(&expected));
    let notes = read("a.jsonl", jsonl.as_bytes()).notes;
    assert!(
        notes[0].contains("U+FFFD") && notes[0].contains("2 lines: 2, 3"),
        "{notes:?}"
    );
    let mut units: Vec<u16> = "\u{feff}text,label\na".encode_utf16().collect();
    units.extend([0xd800, b',' as u16, b'b' as u16]);
    let bytes: Vec<u8> = units.into_iter().flat_map(u16::to_le_bytes).collect();
    assert_eq!(pairs("a.csv", &bytes), of(&[("a\u{fffd}", "b")]));
    assert!(read("a.csv", &bytes).notes[1].contains("1 lines: 2"));
}

/// However a file is damaged: every line is a row, a part of one, or counted.
#[test]
fn no_line_is_lost() {
    let good = [("a", "x"), ("b c", "y"), ("d", "z"), ("e", "x"), ("f", "y")];
    for (name, header, line) in [
        ("a.tsv", "text\tlabel\n", "TEXT\tLABEL\n"),
        ("a.csv", "text,label\n", "TEXT,LABEL\n"),
        ("a.jsonl", "", "{\"text\":\"TEXT\",\"label\":\"LABEL\"}\n"),
    ] {
        let lines: String = good
            .iter()
            .map(|(text, label)| line.replace("TEXT", text).replace("LABEL", label))
            .collect();
        let whole = format!("{header}{lines}");
        for at in header.len()..whole.len() {
            for put in ["\"", "\\", "\t", ",", "{", "\u{0}", "\""] {
                let mut bad = whole.clone();
                bad.insert_str(at, put);
                let format = Format::of(name).unwrap();
                let Ok(table) = parse(name, bad.as_bytes(), format, &["text", "label"], &SMALL)
                else {
                    continue;
                };
                let rows = Rows::new(name, Vec::new(), table.skipped, Vec::new());
                assert_eq!(table.records.len() + rows.skipped(), 5, "{bad:?}");
            }
        }
    }
}
