use std::sync::Arc;

use parquet::basic::{Compression, Encoding, GzipLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::super::{Cell, Format, Limits, Table, parse};
use crate::error::{Code, Error};

/// Small enough that a test can go beyond each.
const SMALL: Limits = Limits {
    bytes: 64 << 10,
    rows: 100_000,
    columns: 8,
    row: 16 << 10,
    text: 1 << 10,
};

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
}

/// A file of texts and optional numbers, some of which are not there.
fn written(texts: &[&str], properties: WriterPropertiesBuilder) -> Vec<u8> {
    let schema = "message rows { required binary text (STRING); optional int32 label; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut out = Vec::new();
    let properties = Arc::new(properties.build());
    let mut writer = SerializedFileWriter::new(&mut out, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let texts: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
    column
        .typed::<ByteArrayType>()
        .write_batch(&texts, None, None)
        .unwrap();
    column.close().unwrap();
    let there: Vec<i16> = (0..texts.len()).map(|at| i16::from(at % 2 == 0)).collect();
    let labels: Vec<i32> = (0..texts.len() as i32).step_by(2).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int32Type>()
        .write_batch(&labels, Some(&there), None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    out
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Table, Error> {
    let wanted = ["text", "label"];
    parse("a.parquet", bytes, Format::Parquet, &wanted, limits)
}

fn refused(bytes: &[u8]) -> String {
    let error = read(bytes, &SMALL).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::InvalidData);
    let message = error.to_string();
    assert!(message.starts_with("a.parquet"), "{message}");
    message
}

#[test]
fn files_of_every_compression_version_and_encoding_are_read() {
    let column = |name: &str| ColumnPath::from(name);
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
    ] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for dictionary in [true, false] {
                for encoding in [
                    Encoding::PLAIN,
                    Encoding::DELTA_BYTE_ARRAY,
                    Encoding::DELTA_LENGTH_BYTE_ARRAY,
                ] {
                    let number = match encoding {
                        Encoding::PLAIN => Encoding::PLAIN,
                        _ => Encoding::DELTA_BINARY_PACKED,
                    };
                    let properties = properties()
                        .set_compression(compression)
                        .set_writer_version(version)
                        .set_dictionary_enabled(dictionary)
                        .set_column_encoding(column("text"), encoding)
                        .set_column_encoding(column("label"), number);
                    let texts: Vec<String> =
                        (0..700).map(|at| format!("wörld {}", at / 3)).collect();
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    let table = read(&written(&texts, properties), &SMALL).unwrap();
                    assert_eq!(table.columns, ["text", "label"]);
                    assert_eq!(table.records.len(), 700);
                    for (at, record) in table.records.iter().enumerate() {
                        let text = Some(Cell::Text(texts[at].into()));
                        let label = match at % 2 {
                            0 => Cell::Plain("a number", at.to_string()),
                            _ => Cell::Null,
                        };
                        assert_eq!(record.cells, [text, Some(label)]);
                        assert_eq!(record.line, at + 1);
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_that_many_rows_share_is_counted_for_each() {
    let text = "x".repeat(900);
    let schema = "message rows { required binary text (STRING); }";
    let delta = properties()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BYTE_ARRAY);
    // A dictionary's value, and prefixes, which refer to the value before.
    for properties in [properties(), delta] {
        let file = one_column(schema, properties, |column| {
            let texts = vec![ByteArray::from(text.as_str()); 5000];
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&texts, None, None).unwrap();
        });
        assert!(file.len() < 8000, "{} bytes", file.len());
        let message = refused(&file);
        // The row at which it is too much, not all of them.
        assert!(
            message.contains("line 73") && message.contains("65536"),
            "{message}"
        );
    }
}

fn one_column(
    schema: &str,
    properties: WriterPropertiesBuilder,
    write: impl FnOnce(&mut parquet::file::writer::SerializedColumnWriter<'_>),
) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut out = Vec::new();
    let properties = Arc::new(properties.build());
    let mut writer = SerializedFileWriter::new(&mut out, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    write(&mut column);
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    out
}

#[test]
fn a_page_that_unpacks_to_too_much_is_left_while_it_is_unpacked() {
    let text = "x".repeat(40_000);
    for compression in [
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::try_new(9).unwrap()),
        Compression::UNCOMPRESSED,
    ] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for dictionary in [true, false] {
                let properties = properties()
                    .set_compression(compression)
                    .set_writer_version(version)
                    .set_dictionary_enabled(dictionary);
                let message = refused(&written(&[text.as_str(); 1], properties));
                assert!(message.contains("more than 16384 bytes"), "{message}");
            }
        }
    }
    // Pages that are each small enough, and many.
    let text = "x".repeat(9_000);
    let properties = properties()
        .set_dictionary_enabled(false)
        .set_compression(Compression::GZIP(GzipLevel::default()))
        .set_data_page_size_limit(1);
    let properties = properties.set_write_batch_size(1);
    let message = refused(&written(&vec![text.as_str(); 30], properties));
    assert!(message.contains("65536 bytes"), "{message}");
}

#[test]
fn a_repeated_column_is_not_read_and_others_are_beside_it() {
    for schema in [
        "message rows { repeated binary text (STRING); }",
        "message rows { required group text (LIST) { repeated group list { required binary element (STRING); } } }",
    ] {
        let file = one_column(schema, properties(), |column| {
            // One row of a million values, in a few bytes.
            let texts = vec![ByteArray::from("x"); 1_000_000];
            let definition = vec![1; texts.len()];
            let mut repetition = vec![1; texts.len()];
            repetition[0] = 0;
            let typed = column.typed::<ByteArrayType>();
            typed
                .write_batch(&texts, Some(&definition), Some(&repetition))
                .unwrap();
        });
        let message = refused(&file);
        assert!(
            message.contains("\"text\" holds lists or objects"),
            "{message}"
        );
        let other = parse("a.parquet", &file, Format::Parquet, &["other"], &SMALL).unwrap();
        assert_eq!(other.columns, ["text"]);
    }
}

#[test]
fn kinds_of_values_are_told_apart() {
    let file = one_column(
        "message rows { required boolean text; }",
        properties(),
        |column| {
            let typed = column.typed::<BoolType>();
            typed.write_batch(&[true, false], None, None).unwrap();
        },
    );
    let truth = |value: &str| [Some(Cell::Plain("a truth value", value.into())), None];
    let table = read(&file, &SMALL).unwrap();
    assert_eq!(table.records[0].cells, truth("true"));
    assert_eq!(table.records[1].cells, truth("false"));
    let file = one_column(
        "message rows { required double text; }",
        properties(),
        |column| {
            let typed = column.typed::<DoubleType>();
            typed.write_batch(&[1.5], None, None).unwrap();
        },
    );
    let table = read(&file, &SMALL).unwrap();
    assert_eq!(
        table.records[0].cells[0],
        Some(Cell::Plain("a number", "1.5".into()))
    );
    let file = one_column(
        "message rows { required binary text; }",
        properties(),
        |column| {
            let bytes = [ByteArray::from("text"), ByteArray::from(vec![0xff, 0xfe])];
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&bytes, None, None).unwrap();
        },
    );
    let table = read(&file, &SMALL).unwrap();
    assert_eq!(table.records[0].cells[0], Some(Cell::Text("text".into())));
    assert_eq!(table.records[1].cells[0], Some(Cell::Other("binary data")));
}

/// The place of the footer in a file.
fn footer(file: &[u8]) -> usize {
    let len = file.len() - 8;
    let stated = u32::from_le_bytes(file[len..len + 4].try_into().unwrap());
    len - stated as usize
}

/// A file that is nothing but a footer.
fn of_footer(footer: &[u8]) -> Vec<u8> {
    let mut file = b"PAR1".to_vec();
    file.extend(footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file
}

#[test]
fn a_footer_that_states_more_than_it_has_is_refused_before_room_is_made() {
    // A schema nested a hundred thousand levels deep: struct field 2, a list of structs, each with a name and a child.
    let levels = 1000u32;
    let mut deep = vec![0x15, 2, 0x19, 0xfc];
    let mut number = levels;
    while number >= 0x80 {
        deep.push(number as u8 | 0x80);
        number >>= 7;
    }
    deep.push(number as u8);
    for _ in 0..levels {
        deep.extend([0x48, 1, b'a', 0x15, 2, 0]);
    }
    deep.push(0);
    let many = Limits {
        columns: 1 << 20,
        ..SMALL
    };
    let error = read(&of_footer(&deep), &many).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("32 levels"), "{error}");
    assert!(refused(&of_footer(&deep)).contains("1000 elements"));
    // A list of two billion columns.
    for kind in [0x19, 0x29, 0x49] {
        let lie = [kind, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0];
        assert!(refused(&of_footer(&lie)).contains("damaged"));
    }
    // The number of rows is wherever it says it is; here each place in turn is the largest number there is.
    let file = written(&["a", "b", "c"], properties());
    let from = footer(&file);
    for at in from..file.len() - 8 {
        let mut lie = file[from..at].to_vec();
        lie.extend([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
        lie.extend(&file[at + 1..file.len() - 8]);
        let mut whole = file[..from].to_vec();
        whole.extend(&of_footer(&lie)[4..]);
        if let Ok(table) = read(&whole, &SMALL) {
            assert!(table.records.len() <= SMALL.rows);
        }
    }
}

#[test]
fn a_file_cut_or_changed_anywhere_is_an_error_or_other_rows_and_no_panic() {
    let delta = properties()
        .set_dictionary_enabled(false)
        .set_writer_version(WriterVersion::PARQUET_2_0);
    for properties in [
        properties().set_compression(Compression::SNAPPY),
        properties().set_compression(Compression::GZIP(GzipLevel::default())),
        properties(),
        delta,
    ] {
        let whole = written(&["hello", "wörld", "hello", "again"], properties);
        assert!(read(&whole, &SMALL).is_ok());
        for cut in 0..whole.len() {
            let error = read(&whole[..cut], &SMALL).map(|_| ()).unwrap_err();
            assert_eq!(error.code(), Code::InvalidData);
        }
        for at in 0..whole.len() {
            for flip in [0xff, 0x01, 0x80] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                // Damage may go unnoticed in a value; it may not panic.
                let _ = read(&bytes, &SMALL);
            }
        }
    }
}

#[test]
fn a_header_of_a_page_that_does_not_end_in_the_file_is_refused_before_it_is_read() {
    // Found by the fuzzer: lists within lists of a field that nobody knows, going on behind the end.
    let message = refused(&fixture("damaged-page-header.parquet"));
    assert!(message.contains("header is damaged"), "{message}");
}

/// A file that another program wrote (tests/fixtures/parquet/README.md).
fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn fixtures(begin: &[&str]) -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".parquet"))
        .filter(|name| begin.iter().any(|begin| name.starts_with(begin)))
        .collect();
    names.sort();
    names
}

#[test]
fn files_of_other_writers_are_read() {
    let names = fixtures(&["polars", "duckdb", "pandas", "pyarrow", "spark"]);
    assert_eq!(names.len(), 36, "{names:?}");
    for name in names {
        let table = read(&fixture(&name), &SMALL).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(table.columns, ["text", "label", "number", "many"], "{name}");
        assert_eq!(table.records.len(), 60, "{name}");
        for (at, record) in table.records.iter().enumerate() {
            let long = "a".repeat(40);
            let begin = [
                "Grüße",
                "你好，世界",
                "a \"quoted\", text",
                "two\nlines",
                &long,
            ][at % 5];
            let text = Some(Cell::Text(format!("{begin} {}", at / 2)));
            let label = match at % 3 {
                2 => Cell::Null,
                other => Cell::Text(["ham", "spam"][other].into()),
            };
            assert_eq!(record.cells, [text, Some(label)], "{name}");
        }
        let number = parse(
            "a.parquet",
            &fixture(&name),
            Format::Parquet,
            &["number"],
            &SMALL,
        );
        let last = &number.unwrap().records[59].cells[0];
        assert_eq!(
            *last,
            Some(Cell::Plain("a number", "29.5".into())),
            "{name}"
        );
    }
}

#[test]
fn pages_of_every_codec_are_left_while_they_unpack_to_too_much() {
    let names = fixtures(&["bomb"]);
    assert_eq!(names.len(), 10, "{names:?}");
    for name in names {
        let message = refused(&fixture(&name));
        assert!(
            message.contains("more than 16384 bytes"),
            "{name}: {message}"
        );
        assert_eq!(
            read(&fixture(&name), &Limits::default())
                .unwrap()
                .records
                .len(),
            1
        );
    }
}

#[test]
fn a_damaged_page_of_any_codec_is_an_error_or_other_rows_and_no_panic() {
    for name in ["polars", "duckdb-lz4-raw", "duckdb-v2", "pandas-brotli"] {
        let whole = fixture(&format!("{name}.parquet"));
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            if let Ok(table) = read(&bytes, &SMALL) {
                assert!(table.records.len() <= SMALL.rows);
            }
        }
    }
}
