//! Labelled data: tables in text, and Parquet.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use smallfirst::data::{Columns, Fingerprints, Limits, Rows, read_within, split};

use super::Target;

/// A table is rows with text, or there is an error that names the line.
pub const TABLE: Target = Target {
    name: "table",
    read: table,
    choice: 1,
    seeds: tables,
    most: 4 << 10,
    words: &[
        "text,label,group\n",
        "text\tlabel\n",
        "{\"text\":\"",
        "\",\"label\":\"",
        "\"group\":",
        "\"\"",
        "\r\n",
        "\u{feff}",
        "}\n{",
    ],
};

/// The same of a Parquet file.
pub const PARQUET: Target = Target {
    name: "parquet",
    read: columns,
    choice: 0,
    seeds: files,
    most: 4 << 10,
    words: &["PAR1", "text", "label"],
};

/// Small, so that what goes beyond them is found early; a megabyte of text is within them.
const LIMITS: Limits = Limits {
    bytes: 2 << 20,
    rows: 20_000,
    columns: 512,
    row: 1 << 20,
    text: 1 << 20,
};

fn judged(rows: smallfirst::Result<Rows>) {
    let Ok(rows) = rows else { return };
    // Whether there are bad rows is told in one way only.
    let skipped = rows.skipped();
    assert!(rows.summary().len() < 64 << 10);
    assert_eq!(rows.clone().all().is_ok(), skipped == 0);
    let Ok(rows) = rows.readable() else { return };
    assert!(!rows.is_empty());
    for row in &rows {
        assert!(row.line > 0 && !row.text.trim().is_empty());
    }
    let prints = Fingerprints::new(rows.iter().map(|row| row.text.as_str()));
    let groups = prints.groups();
    let labels: Vec<Option<String>> = rows.into_iter().map(|row| row.label).collect();
    let parts = split(&groups, &labels, &[0.7, 0.3], 1);
    assert_eq!(parts.len(), labels.len());
}

fn asked() -> Columns {
    Columns {
        nested: false,
        text: "text".into(),
        label: "label".into(),
        slice: None,
    }
}

fn table(data: &[u8]) {
    let [choice, rest @ ..] = data else { return };
    let name = ["a.jsonl", "a.csv", "a.tsv"][usize::from(*choice) % 3];
    judged(read_within(name, rest, &asked(), &LIMITS));
}

fn columns(data: &[u8]) {
    judged(read_within("a.parquet", data, &asked(), &LIMITS));
}

fn tables() -> Vec<Vec<u8>> {
    [
        "\x00{\"text\": \"a, \\\"b\\\"\", \"label\": 1, \"more\": []}\r\n\n{\"text\": \"c\\nd\", \"label\": null}\n",
        "\x01text,label,group\r\n\"a, \"\"b\"\"\",1,x\r\n\"c\nd\",,\r\n",
        "\x02text\tlabel\tgroup\n\"a, \"\"b\"\"\"\t1\tx\n\"c\nd\"\t\t\n",
        "\x01\u{feff}text,label\na,b\n\n\nc,d\n",
        "\x01sep=;\ntext;label\n\"a;b\";c\n",
        "\x02text\tlabel\n\"a\tx\nb\ty\n",
        "\x00{\"text\": \"a\\ud800\", \"label\": NaN, \"more\": -Infinity}\n{\"text\": 1}\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Files as others write them: with dictionaries and without, compressed and not.
fn files() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
    ] {
        for dictionary in [true, false] {
            let schema = "message rows { required binary text (STRING); optional int32 label; repeated binary more; }";
            let schema = Arc::new(parse_message_type(schema).expect("a schema"));
            let properties = WriterProperties::builder()
                .set_compression(compression)
                .set_dictionary_enabled(dictionary)
                .build();
            let mut out = Vec::new();
            let mut writer =
                SerializedFileWriter::new(&mut out, schema, properties.into()).expect("in memory");
            let mut group = writer.next_row_group().expect("a group");
            let texts = ["hello", "w\u{f6}rld", "hello"].map(ByteArray::from);
            for (levels, repeated) in [
                (None, None),
                (Some(&[1i16, 0, 1]), None),
                (Some(&[0, 1, 1]), Some(&[0i16, 0, 1])),
            ] {
                let Some(mut column) = group.next_column().expect("a column") else {
                    break;
                };
                match (levels, repeated) {
                    (None, _) => column
                        .typed::<ByteArrayType>()
                        .write_batch(&texts, None, None),
                    (Some(levels), None) => {
                        column
                            .typed::<Int32Type>()
                            .write_batch(&[1, 2], Some(levels), None)
                    }
                    (Some(_), Some(_)) => column.typed::<ByteArrayType>().write_batch(
                        &texts[..2],
                        Some(&[0, 1, 1]),
                        Some(&[0, 0, 0]),
                    ),
                }
                .expect("three rows");
                column.close().expect("in memory");
            }
            group.close().expect("in memory");
            writer.close().expect("in memory");
            all.push(out);
        }
    }
    all
}
