//! The footer of a file, looked at before the reader makes room for what it states.
//!
//! The reader calls itself once for each level of the schema, and asks for memory by the length that a list states. Here
//! the footer is gone through without either: it is a struct of Thrift's compact protocol
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>), whose field 2 is the schema's
//! elements in pre-order, each with its number of children in field 5
//! (<https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>).

/// The most bytes of a footer.
const MAX_BYTES: usize = 32 << 20;

/// The deepest that a schema may be nested, and any value in the footer.
const MAX_DEPTH: usize = 32;

/// The fewest bytes of a struct that a footer has lists of.
const LEAST_STRUCT: usize = 3;

/// How a file ends.
const MAGIC: &[u8] = b"PAR1";

/// The elements of a schema that are read for each column that is: a column may be a list of lists.
const ELEMENTS: usize = 4;

const SCHEMA: i64 = 2;
const CHILDREN: i64 = 5;

const STOP: u8 = 0;
const I32: u8 = 5;
const STRUCT: u8 = 12;

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
    let mut footer = Thrift {
        rest: &rest[from..],
    };
    let damaged = || "its footer is damaged".to_owned();
    let mut id = 0;
    while let Some((kind, field)) = footer.field(id).ok_or_else(damaged)? {
        id = field;
        if id == SCHEMA && kind == 9 {
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

/// What is left of a struct. Everything gives nothing where the bytes end or say what they cannot.
struct Thrift<'a> {
    rest: &'a [u8],
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn bytes(&mut self, n: usize) -> Option<()> {
        self.rest = self.rest.get(n..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The next field's kind and number, or nothing after the last.
    #[allow(clippy::option_option, reason = "damaged, the end, or a field")]
    fn field(&mut self, last: i64) -> Option<Option<(u8, i64)>> {
        let header = self.byte()?;
        let kind = header & 0x0f;
        if kind == STOP {
            return Some(None);
        }
        let id = match header >> 4 {
            0 => self.zigzag()?,
            delta => last.checked_add(i64::from(delta))?,
        };
        Some(Some((kind, id)))
    }

    /// The kind and the number of a list's elements, which can be there.
    fn list(&mut self) -> Option<(u8, usize)> {
        let header = self.byte()?;
        let kind = header & 0x0f;
        let len = match header >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            len => usize::from(len),
        };
        let least = if kind == STRUCT { LEAST_STRUCT } else { 1 };
        (len.checked_mul(least)? <= self.rest.len()).then_some((kind, len))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.byte().map(|_| ()),
            4..=6 => self.varint().map(|_| ()),
            7 => self.bytes(8),
            8 => {
                let len = usize::try_from(self.varint()?).ok()?;
                self.bytes(len)
            }
            9 | 10 => {
                let (kind, len) = self.list()?;
                for _ in 0..len {
                    match kind {
                        // In a list, unlike in a field's header, a truth value is a byte.
                        1 | 2 => self.bytes(1)?,
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
                Some(())
            }
            STRUCT => {
                let mut id = 0;
                while let Some((kind, field)) = self.field(id)? {
                    id = field;
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            // Nothing in a footer is a map.
            _ => None,
        }
    }
}
