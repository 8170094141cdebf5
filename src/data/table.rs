//! Files as records of named values.

use std::collections::BTreeMap;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use bytes::Bytes;
use serde_json::Value;

use crate::error::{Code, Error, Result, excerpt};

/// The file formats there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet with flat columns.
    Parquet,
}

impl Format {
    /// By the ending of a file's name.
    ///
    /// # Errors
    /// [`Code::InvalidData`], with the endings there are.
    pub fn of(name: &str) -> Result<Format> {
        let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
        match ending.as_str() {
            "csv" => Ok(Format::Csv),
            "tsv" | "tab" => Ok(Format::Tsv),
            "jsonl" | "ndjson" => Ok(Format::Jsonl),
            "parquet" => Ok(Format::Parquet),
            _ => Err(Error::new(
                Code::InvalidData,
                format!("{name}: the ending must be .jsonl, .ndjson, .csv, .tsv or .parquet"),
            )),
        }
    }
}

/// One record: its line, and its values by column.
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) values: BTreeMap<String, Value>,
}

/// All records of a file, and the columns it has.
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) records: Vec<Record>,
}

pub(super) fn parse(name: &str, bytes: &[u8], format: Format) -> Result<Table> {
    let at = |line: usize, what: String| {
        Error::new(
            Code::InvalidData,
            format!("{name}, line {line}: {}", excerpt(&what, 300)),
        )
    };
    match format {
        Format::Csv => delimited(bytes, b',', at),
        Format::Tsv => delimited(bytes, b'\t', at),
        Format::Jsonl => jsonl(bytes, at),
        Format::Parquet => parquet(bytes).map_err(|what| {
            Error::new(
                Code::InvalidData,
                format!("{name} cannot be read as Parquet: {}", excerpt(&what, 300)),
            )
        }),
    }
}

/// The text of a file, without a byte order mark.
fn utf8<'a>(bytes: &'a [u8], at: &impl Fn(usize, String) -> Error) -> Result<&'a str> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].split(|&b| b == b'\n').count();
        at(
            line,
            "this is not UTF-8; if it is Latin-1, convert it with `iconv -f latin1 -t utf-8`"
                .into(),
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn delimited(bytes: &[u8], delimiter: u8, at: impl Fn(usize, String) -> Error) -> Result<Table> {
    let text = utf8(bytes, &at)?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    // The reader's own line numbers are one short where lines end in CRLF.
    let line_at = |position: Option<&csv::Position>| {
        let rest = position.map_or(0, |p| p.byte() as usize).min(text.len());
        let (before, after) = text.as_bytes().split_at(rest);
        let blank = after.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
        let newlines = before.iter().chain(blank).filter(|&&b| b == b'\n');
        newlines.count() + 1
    };
    let line_of = |e: &csv::Error| line_at(e.position());
    let headers = reader
        .headers()
        .map_err(|e| at(line_of(&e), e.to_string()))?;
    let columns: Vec<String> = headers.iter().map(|h| h.trim().to_owned()).collect();
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| at(line_of(&e), e.to_string()))?;
        let line = line_at(record.position());
        let value = |v: &str| Value::String(v.to_owned());
        let values = record.iter().map(value);
        records.push(Record {
            line,
            values: columns.iter().cloned().zip(values).collect(),
        });
    }
    Ok(Table { columns, records })
}

fn jsonl(bytes: &[u8], at: impl Fn(usize, String) -> Error) -> Result<Table> {
    let text = utf8(bytes, &at)?;
    let mut columns: Vec<String> = Vec::new();
    let mut records = Vec::new();
    for (line, json) in (1..).zip(text.lines()) {
        if json.trim().is_empty() {
            continue;
        }
        let values: BTreeMap<String, Value> = serde_json::from_str(json)
            .map_err(|e| at(line, format!("this is not a JSON object: {e}")))?;
        for column in values.keys() {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        records.push(Record { line, values });
    }
    Ok(Table { columns, records })
}

/// Reads a Parquet file. A damaged one can make the reader panic; that is an error, too.
fn parquet(bytes: &[u8]) -> std::result::Result<Table, String> {
    let bytes = Bytes::copy_from_slice(bytes);
    std::panic::catch_unwind(move || records_of(bytes))
        .unwrap_or_else(|_| Err("the file is damaged".into()))
}

fn records_of(bytes: Bytes) -> std::result::Result<Table, String> {
    let text = |e: ::parquet::errors::ParquetError| {
        format!("{e} (compressions that are read: none, snappy, gzip)")
    };
    let reader = SerializedFileReader::new(bytes).map_err(text)?;
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields().iter();
    let columns: Vec<String> = fields.map(|field| field.name().to_owned()).collect();
    let mut records = Vec::new();
    for (line, row) in (1..).zip(reader.get_row_iter(None).map_err(text)?) {
        let row = row.map_err(text)?;
        let mut values = BTreeMap::new();
        for (name, field) in row.get_column_iter() {
            values.insert(name.clone(), value(field));
        }
        records.push(Record { line, values });
    }
    Ok(Table { columns, records })
}

/// A column's value. Binary columns hold text where the writer did not say so.
fn value(field: &Field) -> Value {
    match field {
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => Value::Array(Vec::new()),
        },
        Field::Null => Value::Null,
        Field::Str(text) => Value::String(text.clone()),
        Field::Bool(value) => Value::Bool(*value),
        Field::Group(_) | Field::MapInternal(_) => Value::Object(serde_json::Map::new()),
        Field::ListInternal(_) => Value::Array(Vec::new()),
        // Numbers and dates, as they print.
        other => {
            let printed = other.to_string();
            serde_json::from_str(&printed).unwrap_or(Value::String(printed))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::parquet::basic::Compression;
    use ::parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;

    use super::*;

    fn written(compression: Compression) -> Vec<u8> {
        let schema = "message rows { required binary text (STRING); optional int32 label; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .build();
        let mut out = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut out, schema, properties.into()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let texts = ["hello", "wörld", "again"].map(ByteArray::from);
        column
            .typed::<ByteArrayType>()
            .write_batch(&texts, None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<Int32Type>()
            .write_batch(&[1, 2], Some(&[1, 0, 1]), None)
            .unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        out
    }

    #[test]
    fn parquet_files_are_read() {
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            let table = parse("a.parquet", &written(compression), Format::Parquet).unwrap();
            assert_eq!(table.columns, ["text", "label"]);
            assert_eq!(table.records.len(), 3);
            assert_eq!(table.records[1].values["text"], "wörld");
            assert_eq!(table.records[1].values["label"], Value::Null);
            assert_eq!(table.records[2].values["label"], 2);
        }
    }

    #[test]
    fn a_parquet_file_cut_anywhere_is_an_error_and_no_panic() {
        let whole = written(Compression::SNAPPY);
        for cut in 0..whole.len() {
            let error = parse("a.parquet", &whole[..cut], Format::Parquet);
            let error = error.map(|_| ()).unwrap_err();
            assert_eq!(error.code(), Code::InvalidData);
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            // Damage may go unnoticed in a value; it may not panic.
            let _ = parse("a.parquet", &bytes, Format::Parquet);
        }
    }

    #[test]
    fn formats_are_told_by_the_ending() {
        assert_eq!(Format::of("a.b.CSV").unwrap(), Format::Csv);
        assert_eq!(Format::of("x/y.jsonl").unwrap(), Format::Jsonl);
        let error = Format::of("mails.xlsx").unwrap_err();
        assert!(error.to_string().contains(".parquet"), "{error}");
    }
}
