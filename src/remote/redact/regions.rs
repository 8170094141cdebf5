//! What telephone numbers look like in the world's regions.
//!
//! `regions.txt` is made by `tests/reference/phone_regions.py` from the metadata of libphonenumber, which says what it holds.

use std::sync::LazyLock;

/// A region's numbering plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    /// ISO 3166-1, two letters; `001` for none.
    pub code: &'static str,
    calling: &'static str,
    /// What is written before a national number, where anything is.
    trunk: &'static str,
    /// Whether numbers are written without it, too.
    optional: bool,
    /// National numbers without it.
    numbers: &'static str,
}

/// All regions, in the order of their calling codes.
pub(super) static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| {
    let lines = include_str!("regions.txt").lines();
    let regions = lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut parts = line.split(' ');
            let (code, calling, trunk) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Region {
                code,
                calling,
                trunk: trunk.trim_end_matches(['-', '?']),
                optional: trunk.ends_with(['-', '?']),
                numbers: parts.next()?,
            })
        });
    regions.collect()
});

/// The most digits of a number.
pub(super) const MOST_DIGITS: usize = 17;

/// Lengths, as bits: bit n for n digits.
pub(super) type Lengths = u32;

/// How long the national numbers are that begin with some digits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct National {
    /// With the trunk prefix.
    pub trunk: Lengths,
    /// Without one, where they are written so.
    pub bare: Lengths,
}

impl National {
    /// Of one or the other.
    pub fn any(self) -> Lengths {
        self.trunk | self.bare
    }

    /// The lengths of the numbers of some regions that begin with these digits, of which no more than
    /// [`MOST_DIGITS`] may be known: any may follow.
    pub fn of<'a>(regions: impl Iterator<Item = &'a Region>, head: &[u8]) -> Self {
        let digits = Digits::new(head, true);
        let mut lengths = National::default();
        for region in regions {
            let trunk = region.trunk.as_bytes();
            let known = head.len().min(trunk.len());
            if !trunk.is_empty() && head.get(..known) == trunk.get(..known) {
                lengths.trunk |= digits.lengths(region.numbers, trunk.len());
            }
            if region.optional {
                lengths.bare |= digits.lengths(region.numbers, 0);
            }
        }
        lengths
    }
}

/// An international number.
#[derive(Debug, Clone, Copy)]
pub(super) struct International {
    /// How many digits the calling code has.
    pub calling: usize,
    /// With how many digits in all it is valid.
    pub valid: Lengths,
    /// The same with a trunk prefix behind the calling code, as in +49 (0)30.
    pub with_trunk: Lengths,
}

/// The number that begins with these digits, if they begin with a calling code.
pub(super) fn international(all: &[u8]) -> Option<International> {
    let (calling, regions) = (1..=3).find_map(|n| {
        let code = all.get(..n)?;
        let from = REGIONS.partition_point(|r| r.calling.as_bytes() < code);
        let to = REGIONS.partition_point(|r| r.calling.as_bytes() <= code);
        (from < to).then(|| (n, &REGIONS[from..to]))
    })?;
    let digits = Digits::new(all, false);
    let mut number = International {
        calling,
        valid: 0,
        with_trunk: 0,
    };
    for region in regions {
        number.valid |= digits.lengths(region.numbers, calling);
        let rest = &all[calling..];
        if region.trunk == "0" && rest.first() == Some(&b'0') {
            number.with_trunk |= digits.lengths(region.numbers, calling + 1);
        }
    }
    Some(number)
}

/// Digits that patterns are held against, each as the set of those that it may be.
struct Digits {
    sets: [u16; MOST_DIGITS],
    length: usize,
}

/// Any digit.
const ANY: u16 = 0x3ff;

impl Digits {
    fn new(known: &[u8], open: bool) -> Self {
        let mut sets = [ANY; MOST_DIGITS];
        for (set, digit) in sets.iter_mut().zip(known) {
            *set = 1 << (digit - b'0');
        }
        let length = if open { MOST_DIGITS } else { known.len() };
        Digits {
            sets,
            length: length.min(MOST_DIGITS),
        }
    }

    /// Up to where a pattern that begins at `from` fits, as bits.
    fn lengths(&self, pattern: &str, from: usize) -> Lengths {
        let mut rest = pattern.as_bytes();
        self.alternatives(&mut rest, 1 << from)
    }

    /// Where the pattern ends if it begins at any of these places; the pattern ends at a bracket, or at its end.
    fn alternatives(&self, pattern: &mut &[u8], from: Lengths) -> Lengths {
        let mut ends = 0;
        loop {
            let mut at = from;
            while !matches!(pattern.first(), None | Some(b'|' | b')')) {
                at = self.repeated(pattern, at);
            }
            ends |= at;
            match pattern.split_first() {
                Some((b'|', rest)) => *pattern = rest,
                _ => return ends,
            }
        }
    }

    /// One part of a pattern, as often as it says.
    fn repeated(&self, pattern: &mut &[u8], from: Lengths) -> Lengths {
        let part = *pattern;
        let once = self.part(pattern, from);
        let (least, most) = match pattern.split_first() {
            Some((b'?', rest)) => {
                *pattern = rest;
                (0, 1)
            }
            Some((b'{', _)) => {
                let end = pattern.iter().position(|&b| b == b'}').unwrap_or(0);
                let (inside, rest) = pattern.split_at(end + 1);
                *pattern = rest;
                let mut numbers = inside
                    .split(|b| !b.is_ascii_digit())
                    .filter(|n| !n.is_empty())
                    .map(|n| n.iter().fold(0, |n, b| n * 10 + usize::from(b - b'0')));
                let least = numbers.next().unwrap_or(1);
                (least, numbers.next().unwrap_or(least))
            }
            _ => return once,
        };
        let mut at = from;
        let mut ends = if least == 0 { from } else { 0 };
        for n in 1..=most {
            at = match n {
                1 => once,
                _ => self.part(&mut { part }, at),
            };
            if n >= least {
                ends |= at;
            }
        }
        ends
    }

    /// One part of a pattern, once.
    fn part(&self, pattern: &mut &[u8], from: Lengths) -> Lengths {
        let Some((&first, rest)) = pattern.split_first() else {
            return from;
        };
        *pattern = rest;
        let set = match first {
            b'(' => {
                let ends = self.alternatives(pattern, from);
                *pattern = pattern.get(1..).unwrap_or_default();
                return ends;
            }
            b'[' => {
                let end = pattern.iter().position(|&b| b == b']').unwrap_or(0);
                let (inside, rest) = pattern.split_at(end);
                *pattern = rest.get(1..).unwrap_or_default();
                class(inside)
            }
            b'd' => ANY,
            digit => 1 << (digit & 0xf),
        };
        let mut left = from & ((1 << self.length) - 1);
        if set == ANY {
            return left << 1;
        }
        let mut ends = 0;
        while left != 0 {
            let at = left.trailing_zeros();
            left &= left - 1;
            if self.sets[at as usize] & set != 0 {
                ends |= 1 << (at + 1);
            }
        }
        ends
    }
}

/// The digits of a class, such as `2-57`.
fn class(inside: &[u8]) -> u16 {
    let mut set = 0;
    let mut first = 0;
    let mut range = false;
    for &b in inside {
        if b == b'-' {
            range = true;
            continue;
        }
        let digit = b & 0xf;
        let from = if range { first } else { digit };
        set = (from..=digit).fold(set, |set, digit| set | 1 << digit);
        (first, range) = (digit, false);
    }
    set
}
