//! Parquet: the wanted columns of flat files.
//!
//! Of all formats this one says the most with the fewest bytes: pages are compressed, counts and sizes are stated, values
//! refer to dictionaries, lists repeat. The `parquet` crate reads pages and values, and believes what it reads. So pages
//! are handed to it only after they were unpacked here, within a bound ([`Pages`]), with no more values than there are
//! rows, and columns whose values are not one a row are not handed to it at all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use parquet::basic::{Compression, Repetition, Type as Physical};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::PageReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::{SerializedFileReader, SerializedPageReader};
use parquet::record::reader::{RowIter, TreeBuilder};
use parquet::record::{Field, Row};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::record::{Cell, Limits, Record, Table, Wrong};

mod codec;
mod delta;
mod footer;
mod pages;
mod thrift;

use pages::{CheckedHeaders, Pages};

/// Values that are taken at once from a column. One: what a value unpacks to is known only when it is there.
const BATCH: usize = 1;

/// Reads the records of a file. A damaged one can make the reader panic; that is an error, too.
pub(super) fn read(bytes: &[u8], wanted: &[&str], limits: &Limits) -> Result<Table, Wrong> {
    let bytes = Bytes::copy_from_slice(bytes);
    catch_unwind(AssertUnwindSafe(|| table(bytes, wanted, limits)))
        .unwrap_or_else(|_| Err(Wrong::new("the file is damaged")))
}

fn damaged(e: ParquetError) -> Wrong {
    // What our own page reader found is passed on in its words.
    match e {
        ParquetError::General(what) if what.starts_with(pages::OVER) => Wrong::new(what),
        e => Wrong::new(format!("it cannot be read as Parquet: {e}")),
    }
}

fn table(bytes: Bytes, wanted: &[&str], limits: &Limits) -> Result<Table, Wrong> {
    footer::check(&bytes, limits.columns).map_err(Wrong::new)?;
    let bytes = Arc::new(bytes);
    let reader = SerializedFileReader::new(Bytes::clone(&bytes)).map_err(damaged)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema();
    let columns: Vec<String> = schema
        .get_fields()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    let rows = metadata
        .row_groups()
        .iter()
        .try_fold(0usize, |sum, group| {
            sum.checked_add(usize::try_from(group.num_rows()).ok()?)
        })
        .filter(|rows| *rows <= limits.rows)
        .ok_or_else(|| {
            Wrong::new(format!(
                "the file says it has more than {} rows, which is the most that is read; split it",
                limits.rows
            ))
        })?;
    let places: Vec<Option<usize>> = wanted
        .iter()
        .map(|wanted| columns.iter().position(|column| column == wanted))
        .collect();
    let mut read: Vec<usize> = places.iter().flatten().copied().collect();
    read.sort_unstable();
    read.dedup();
    if read.is_empty() {
        // The caller says that the columns are not there.
        return Ok(Table {
            columns,
            records: (1..=rows.min(1))
                .map(|line| Record {
                    line,
                    cells: vec![None; wanted.len()],
                })
                .collect(),
            ..Table::default()
        });
    }
    let fields: Vec<_> = read
        .iter()
        .map(|at| schema.get_fields()[*at].clone())
        .collect();
    for field in &fields {
        let repeated = field.get_basic_info().has_repetition()
            && field.get_basic_info().repetition() == Repetition::REPEATED;
        if repeated || field.is_group() {
            return Err(Wrong::new(format!(
                "the column \"{}\" holds lists or objects; it must hold one text, number or truth value a row",
                field.name()
            )));
        }
    }
    let flat = Type::group_type_builder("rows").with_fields(fields).build();
    let flat = Arc::new(SchemaDescriptor::new(Arc::new(flat.map_err(damaged)?)));
    let unpacked = Arc::new(AtomicUsize::new(0));
    let mut value_bytes = 0;
    let mut records = Vec::new();
    for at in 0..metadata.num_row_groups() {
        let group = Group {
            bytes: &bytes,
            metadata,
            at,
            limits,
            unpacked: &unpacked,
        };
        let found = TreeBuilder::new()
            .with_batch_size(BATCH)
            .as_iter(flat.clone(), &group)
            .map_err(damaged)?;
        for row in found {
            let row = row.map_err(damaged)?;
            let line = records.len() + 1;
            let cells = cells(&row, &read, &places);
            value_bytes += cells.iter().flatten().map(Cell::bytes).sum::<usize>();
            if value_bytes > limits.bytes {
                return Err(Wrong::at(
                    line,
                    format!(
                        "the values up to this row have more than {} bytes, which is the most that is read; split the file",
                        limits.bytes
                    ),
                ));
            }
            records.push(Record { line, cells });
        }
    }
    Ok(Table {
        columns,
        records,
        ..Table::default()
    })
}

/// The wanted values of a row, which holds the columns `read`.
fn cells(row: &Row, read: &[usize], places: &[Option<usize>]) -> Vec<Option<Cell>> {
    let values: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
    places
        .iter()
        .map(|place| {
            let at = read.iter().position(|column| Some(*column) == *place)?;
            values.get(at).map(|field| cell(field))
        })
        .collect()
}

impl Cell {
    fn bytes(&self) -> usize {
        match self {
            Cell::Text(text) | Cell::Plain(_, text) | Cell::Nested(_, text) => text.len(),
            Cell::Null | Cell::Other(_) => 0,
        }
    }
}

/// A column's value. Binary columns hold text where the writer did not say so.
fn cell(field: &Field) -> Cell {
    match field {
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Other("binary data"),
        },
        Field::Null => Cell::Null,
        Field::Str(text) => Cell::Text(text.clone()),
        Field::Bool(value) => Cell::Plain("a truth value", value.to_string()),
        Field::Group(_) | Field::MapInternal(_) => Cell::Other("an object"),
        Field::ListInternal(_) => Cell::Other("a list"),
        // Numbers and dates, as they print.
        other => {
            let printed = other.to_string();
            match serde_json::from_str(&printed) {
                Ok(serde_json::Value::Number(n)) => Cell::Plain("a number", n.to_string()),
                _ => Cell::Text(printed),
            }
        }
    }
}

/// A row group, whose pages are unpacked here.
struct Group<'a> {
    bytes: &'a Arc<Bytes>,
    metadata: &'a ParquetMetaData,
    at: usize,
    limits: &'a Limits,
    /// How much all pages so far were unpacked to.
    unpacked: &'a Arc<AtomicUsize>,
}

impl RowGroupReader for Group<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.at)
    }

    fn num_columns(&self) -> usize {
        self.metadata().num_columns()
    }

    fn get_column_page_reader(&self, i: usize) -> parquet::errors::Result<Box<dyn PageReader>> {
        let column = self.metadata().column(i);
        let rows = usize::try_from(self.metadata().num_rows())?;
        let place = [
            column.dictionary_page_offset(),
            Some(column.data_page_offset()),
            Some(column.compressed_size()),
        ];
        if place.into_iter().flatten().any(i64::is_negative) {
            return Err(ParquetError::General(
                "a column would lie before the beginning of the file".into(),
            ));
        }
        // As if it were not compressed: the pages come as they are.
        let plain = column
            .clone()
            .into_builder()
            .set_compression(Compression::UNCOMPRESSED)
            .build()?;
        let headers = Arc::new(CheckedHeaders(self.bytes.as_ref().clone()));
        Ok(Box::new(Pages {
            packed: SerializedPageReader::new(headers, &plain, rows, None)?,
            compression: column.compression(),
            rows,
            optional: column.column_descr().max_def_level() > 0,
            width: width(
                column.column_descr().physical_type(),
                column.column_descr().type_length(),
            ),
            most: self.limits.row,
            total: self.limits.bytes,
            unpacked: self.unpacked.clone(),
        }))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, projection: Option<Type>) -> parquet::errors::Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

/// The fewest bytes of a value in a dictionary.
fn width(physical: Physical, length: i32) -> usize {
    match physical {
        Physical::BOOLEAN => 1,
        Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 4,
        Physical::INT64 | Physical::DOUBLE => 8,
        Physical::INT96 => 12,
        Physical::FIXED_LEN_BYTE_ARRAY => usize::try_from(length).unwrap_or(1).max(1),
    }
}

#[cfg(test)]
mod tests;
