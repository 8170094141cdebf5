//! The footer of a file, looked at before the reader makes room for what it states.
//!
//! The reader calls itself once for each level of the schema, and asks for memory by the length that a list states. Here
//! the footer is gone through without either: it is a Thrift struct, whose field 2 is the schema's elements in pre-order, each with its number of children in field 5
//! (<https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>).

use super::thrift::{I32, LIST, MAX_DEPTH, STRUCT, Thrift};

/// The most bytes of a footer.
const MAX_BYTES: usize = 32 << 20;

/// How a file ends.
const MAGIC: &[u8] = b"PAR1";

/// The elements of a schema that are read for each column that is: a column may be a list of lists.
const ELEMENTS: usize = 4;

const SCHEMA: i64 = 2;
const CHILDREN: i64 = 5;

/// Whether the footer of a file can be read, with at most `columns` columns. A file without a footer is left to the
/// reader, which says so.
pub(super) fn check(file: &[u8], columns: usize) -> Result<(), String> {
    let Some(rest) = file.strip_suffix(MAGIC) else {
        return Ok(());
    };
    let Some((rest, len)) = rest.split_last_chunk::<4>() else {
        return Ok(());
    };
    let len = u32::from_le_bytes(*len) as usize;
    if len > MAX_BYTES {
        return Err(format!(
            "its footer has {len} bytes; the most that is read is {MAX_BYTES}"
        ));
    }
    let Some(from) = rest.len().checked_sub(len) else {
        return Ok(());
    };
    let mut footer = Thrift::new(&rest[from..]);
    let damaged = || "its footer is damaged".to_owned();
    let mut id = 0;
    while let Some((kind, field)) = footer.field(id).ok_or_else(damaged)? {
        id = field;
        if id == SCHEMA && kind == LIST {
            schema(&mut footer, columns)?;
        } else {
            footer.skip(kind, 0).ok_or_else(damaged)?;
        }
    }
    Ok(())
}

fn schema(footer: &mut Thrift<'_>, columns: usize) -> Result<(), String> {
    let damaged = || "its schema is damaged".to_owned();
    let (kind, elements) = footer.list().ok_or_else(damaged)?;
    if kind != STRUCT {
        return Err(damaged());
    }
    if elements > columns.saturating_mul(ELEMENTS) {
        return Err(format!(
            "its schema has {elements} elements; the most columns that are read are {columns}"
        ));
    }
    // How many children of each level are still to come.
    let mut open: Vec<i64> = Vec::new();
    for _ in 0..elements {
        let mut children = 0;
        let mut id = 0;
        while let Some((kind, field)) = footer.field(id).ok_or_else(damaged)? {
            id = field;
            if id == CHILDREN && kind == I32 {
                children = footer.zigzag().ok_or_else(damaged)?;
            } else {
                footer.skip(kind, 0).ok_or_else(damaged)?;
            }
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        if open.len() > MAX_DEPTH {
            return Err(format!(
                "its schema is nested more than {MAX_DEPTH} levels deep, which is the most that is read"
            ));
        }
    }
    Ok(())
}
