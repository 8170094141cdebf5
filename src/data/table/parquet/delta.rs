//! How many values a page of delta encodings says it has.
//!
//! The page's header states it, and its values state it again, for the prefixes and for what follows them; the reader
//! makes room for as many as these say
//! (<https://parquet.apache.org/docs/file-format/data-pages/encodings/>).

use parquet::basic::Encoding;

/// Whether an encoding states the number of its values.
pub(super) fn is_delta(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::DELTA_BINARY_PACKED
            | Encoding::DELTA_LENGTH_BYTE_ARRAY
            | Encoding::DELTA_BYTE_ARRAY
    )
}

/// The largest number of values that is stated, or nothing where the bytes are damaged.
pub(super) fn stated(encoding: Encoding, mut values: &[u8]) -> Option<u64> {
    let first = numbers(&mut values)?;
    match encoding {
        // The lengths of the prefixes, then those of what follows them.
        Encoding::DELTA_BYTE_ARRAY => Some(first.max(numbers(&mut values)?)),
        _ => Some(first),
    }
}

/// Goes over one sequence of packed numbers and gives how many it says they are.
fn numbers(values: &mut &[u8]) -> Option<u64> {
    let block = varint(values)?;
    let parts = varint(values)?;
    let stated = varint(values)?;
    let _first = varint(values)?;
    let in_part = block.checked_div(parts)?;
    if in_part == 0 || parts > values.len() as u64 && stated > 1 {
        return None;
    }
    let mut left = stated.saturating_sub(1);
    while left > 0 {
        let _least = varint(values)?;
        let (widths, rest) = values.split_at_checked(usize::try_from(parts).ok()?)?;
        *values = rest;
        for width in widths {
            // Parts that nothing is left for have a width and no bytes.
            if left == 0 {
                break;
            }
            left = left.saturating_sub(in_part);
            let bytes = in_part.checked_mul(u64::from(*width))? / 8;
            *values = values.get(usize::try_from(bytes).ok()?..)?;
        }
    }
    Some(stated)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
