//! Small inputs made long, for the clock: what takes quadratic time hides in short ones.

use std::time::{Duration, Instant};

use super::Target;

/// How an input is made long.
#[derive(Debug, Clone, Copy)]
pub enum Growth {
    /// The whole is repeated.
    Whole,
    /// The first so many bytes are, before the rest.
    First(usize),
    /// The last so many bytes are, after the rest.
    Last(usize),
    /// So many bytes in the middle are, where they stand.
    Middle(usize),
    /// The first half is repeated, and then the second half as often: what opens is closed.
    Nested,
    /// What stands between two brackets, commas or ends of lines is repeated: one more item of a list.
    Item,
}

impl Growth {
    /// All that are tried.
    pub const ALL: [Growth; 10] = [
        Growth::Whole,
        Growth::First(1),
        Growth::First(8),
        Growth::Last(1),
        Growth::Last(4),
        Growth::Last(16),
        Growth::Middle(2),
        Growth::Middle(12),
        Growth::Nested,
        Growth::Item,
    ];

    /// The input with about `len` bytes.
    pub fn grow(self, input: &[u8], len: usize) -> Vec<u8> {
        let n = input.len();
        let times = |part: usize| len.saturating_sub(n - part.min(n)) / part.max(1);
        let around = |from: usize, to: usize| {
            let mut out = input[..from].to_vec();
            for _ in 0..times(to - from) {
                out.extend_from_slice(&input[from..to]);
            }
            out.extend_from_slice(&input[to..]);
            out
        };
        match self {
            Growth::Whole => around(0, n),
            Growth::First(k) => around(0, k.min(n)),
            Growth::Last(k) => around(n - k.min(n), n),
            Growth::Middle(k) => {
                let from = n.saturating_sub(k) / 2;
                around(from, (from + k).min(n))
            }
            Growth::Nested => {
                let (first, second) = input.split_at(n / 2);
                let mut out = first.repeat(len / n.max(1));
                out.extend(second.repeat(len / n.max(1)));
                out
            }
            Growth::Item => {
                let ends = |&at: &usize| matches!(input[at], b',' | b'\n' | b'[' | b'{' | 0);
                let from = (0..n / 2).rev().find(ends).map_or(0, |at| at + 1);
                let to = (from..n).find(ends).map_or(n, |at| at + 1);
                around(from, to)
            }
        }
    }
}

impl Target {
    /// An input made long; what chooses how it is read stays.
    pub fn grown(&self, input: &[u8], growth: Growth, len: usize) -> Vec<u8> {
        let (choice, rest) = input.split_at(self.choice.min(input.len()));
        let mut out = choice.to_vec();
        if !rest.is_empty() {
            out.extend(growth.grow(rest, len));
        }
        out
    }

    /// How long it takes to read an input.
    pub fn time(&self, input: &[u8]) -> Duration {
        let (worked, begin) = (worked(), Instant::now());
        (self.read)(input);
        match (worked, self::worked()) {
            (Some(before), Some(after)) => after - before,
            _ => begin.elapsed(),
        }
    }

    /// The same, the fastest of some times when it is slower than `calm`.
    pub fn fastest(&self, input: &[u8], calm: Duration) -> Duration {
        let mut best = self.time(input);
        for _ in 0..2 {
            if best <= calm {
                break;
            }
            best = best.min(self.time(input));
        }
        best
    }
}

/// How long this thread has worked, where the system says so: other work on the machine does not count.
fn worked() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = stat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}
