//! The first and last bytes of a file, as the file type model `magika` was trained on (PyPI magika
//! 1.0.3, described step by step in `models/file-type/README.md`).

/// Which bytes a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Bytes kept from the beginning.
    pub begin: usize,
    /// Bytes kept from the end.
    pub end: usize,
    /// Bytes looked at on each side before white space is stripped.
    pub block: usize,
    /// The number that stands for "no byte here".
    pub padding: i32,
}

impl Windows {
    /// How many numbers come out.
    pub fn width(&self) -> usize {
        self.begin + self.end
    }

    /// The numbers, or nothing when fewer than `least` bytes are left of the beginning once its
    /// leading white space is gone.
    pub fn numbers(&self, file: &[u8], least: usize) -> Option<Vec<i32>> {
        let block = self.block.min(file.len());
        let head = trim_start(&file[..block]);
        let head = &head[..head.len().min(self.begin)];
        if head.len() < least {
            return None;
        }
        let tail = trim_end(&file[file.len() - block..]);
        let tail = &tail[tail.len() - tail.len().min(self.end)..];

        let mut numbers = vec![self.padding; self.width()];
        let numbered = |(place, &byte): (&mut i32, &u8)| *place = i32::from(byte);
        numbers.iter_mut().zip(head).for_each(numbered);
        let from = self.width() - tail.len();
        numbers[from..].iter_mut().zip(tail).for_each(numbered);
        Some(numbers)
    }
}

/// The white space that Python's `bytes.strip` removes.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d)
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes
        .iter()
        .position(|&b| !is_space(b))
        .unwrap_or(bytes.len());
    &bytes[start..]
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|&b| !is_space(b))
        .map_or(0, |last| last + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Windows = Windows {
        begin: 4,
        end: 4,
        block: 6,
        padding: 256,
    };

    #[test]
    fn the_beginning_is_padded_behind_and_the_end_before() {
        let got = SMALL.numbers(b" ab ", 1).unwrap();
        assert_eq!(got, [97, 98, 32, 256, 256, 32, 97, 98]);
    }

    #[test]
    fn only_one_block_of_each_side_is_looked_at() {
        let got = SMALL.numbers(b"0123456789", 1).unwrap();
        assert_eq!(got, [48, 49, 50, 51, 54, 55, 56, 57]);
        // The first block is all blank but for one byte.
        let got = SMALL.numbers(b"     x123456     ", 1).unwrap();
        assert_eq!(got, [120, 256, 256, 256, 256, 256, 256, 54]);
    }

    #[test]
    fn too_little_gives_nothing() {
        assert!(SMALL.numbers(b"", 1).is_none());
        assert!(SMALL.numbers(b" \t\n\x0b\x0c\r", 1).is_none());
        assert!(SMALL.numbers(b"abc", 4).is_none());
        assert!(SMALL.numbers(b"abcd", 4).is_some());
    }
}
