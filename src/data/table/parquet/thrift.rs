//! Thrift's compact protocol, as far as it takes to go over a struct without believing what it states
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).

/// The deepest that a schema may be nested, and any value.
pub(super) const MAX_DEPTH: usize = 32;

/// The fewest bytes of a struct that there are lists of.
const LEAST_STRUCT: usize = 3;

const STOP: u8 = 0;
pub(super) const I32: u8 = 5;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// What is left of a struct. Everything gives nothing where the bytes end or say what they cannot.
pub(super) struct Thrift<'a> {
    rest: &'a [u8],
}

impl<'a> Thrift<'a> {
    /// Of these bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Thrift { rest: bytes }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn bytes(&mut self, n: usize) -> Option<()> {
        self.rest = self.rest.get(n..)?;
        Some(())
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
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

    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The next field's kind and number, or nothing after the last.
    #[allow(clippy::option_option, reason = "damaged, the end, or a field")]
    pub(super) fn field(&mut self, last: i64) -> Option<Option<(u8, i64)>> {
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
    pub(super) fn list(&mut self) -> Option<(u8, usize)> {
        let header = self.byte()?;
        let kind = header & 0x0f;
        let len = match header >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            len => usize::from(len),
        };
        let least = if kind == STRUCT { LEAST_STRUCT } else { 1 };
        (len.checked_mul(least)? <= self.rest.len()).then_some((kind, len))
    }

    pub(super) fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
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
            LIST | 10 => {
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
            // Nothing in these files is a map.
            _ => None,
        }
    }
}
