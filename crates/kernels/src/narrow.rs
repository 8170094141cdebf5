//! Floats that are stored in fewer bits.
//!
//! | form | what is stored |
//! | --- | --- |
//! | [`Narrow::F16`] | halves, two bytes each |
//! | [`Narrow::Q8`], [`Narrow::Q4`] | blocks: scales as halves, then integers of 8 or 4 bits; a number is its scale times its integer |
//!
//! A block has [`GROUP`] numbers a scale. With one *lane* these are neighbours, as rows of a table want it. With
//! [`NR`](super::NR) lanes neighbours have a scale each: in packed panels they belong to as many columns, so that a scale is
//! one of [`GROUP`] numbers of a column. The last block is filled up. Integers of 4 bits lie in pairs, the first in the lower
//! half, 8 above their values.

use super::NR;

/// How many numbers have a scale in common.
pub const GROUP: usize = 32;

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrow {
    /// Halves.
    F16,
    /// 8 bits, scaled.
    Q8,
    /// 4 bits, scaled.
    Q4,
}

impl Narrow {
    /// The bytes of a block's integers, a lane; none for halves, which have no blocks.
    fn integers(self) -> Option<usize> {
        match self {
            Narrow::F16 => None,
            Narrow::Q8 => Some(GROUP),
            Narrow::Q4 => Some(GROUP / 2),
        }
    }

    /// The length in bytes of so many numbers.
    #[must_use]
    pub fn len(self, numbers: usize, lanes: usize) -> usize {
        match self.integers() {
            None => 2 * numbers,
            Some(integers) => numbers.div_ceil(GROUP * lanes) * (2 + integers) * lanes,
        }
    }
}

/// Fills `to` with the numbers from `from` on.
///
/// # Panics
/// If `bytes` has not as many numbers, or there are more than [`NR`](super::NR) lanes.
pub fn widen(form: Narrow, lanes: usize, bytes: &[u8], from: usize, to: &mut [f32]) {
    let Some(integers) = form.integers() else {
        let halves = bytes[2 * from..].as_chunks().0;
        assert!(halves.len() >= to.len(), "fewer halves than numbers");
        for (to, &half) in to.iter_mut().zip(halves) {
            *to = float(u16::from_le_bytes(half));
        }
        return;
    };
    assert!(matches!(lanes, 1 | NR), "{lanes} lanes");
    let (each, size) = (GROUP * lanes, (2 + integers) * lanes);
    let (mut at, mut to) = (from, to);
    while !to.is_empty() {
        let block = &bytes[at / each * size..][..size];
        let (halves, integers) = block.split_at(2 * lanes);
        let mut scales = [0.0; NR];
        for (scale, &half) in scales.iter_mut().zip(halves.as_chunks().0) {
            *scale = float(u16::from_le_bytes(half));
        }
        let first = at % each;
        let some = (each - first).min(to.len());
        let (now, rest) = to.split_at_mut(some);
        for (place, to) in (first..).zip(now) {
            let integer = if form == Narrow::Q8 {
                i32::from(integers[place].cast_signed())
            } else {
                i32::from(integers[place / 2] >> (place % 2 * 4) & 15) - 8
            };
            *to = scales[place & (lanes - 1)] * integer as f32;
        }
        at += some;
        to = rest;
    }
}

/// The numbers in another form, or nothing where one of them is out of its range or none.
#[must_use]
pub fn narrowed(form: Narrow, lanes: usize, numbers: &[f32]) -> Option<Vec<u8>> {
    let Some(integers) = form.integers() else {
        let halves = numbers.iter().map(|&number| half(number));
        let halves: Option<Vec<u16>> = halves.collect();
        return Some(halves?.into_iter().flat_map(u16::to_le_bytes).collect());
    };
    let (each, size) = (GROUP * lanes, (2 + integers) * lanes);
    let mut bytes = vec![0; form.len(numbers.len(), lanes)];
    for (block, numbers) in bytes.chunks_exact_mut(size).zip(numbers.chunks(each)) {
        let (halves, integers) = block.split_at_mut(2 * lanes);
        for lane in 0..lanes {
            let mut group = [0.0; GROUP];
            let own = numbers.iter().skip(lane).step_by(lanes);
            group.iter_mut().zip(own).for_each(|(to, &x)| *to = x);
            let scale = scale(form, &group)?;
            halves[2 * lane..][..2].copy_from_slice(&scale.to_le_bytes());
            for (at, &number) in group.iter().enumerate() {
                let (place, integer) = (at * lanes + lane, integer(form, number, float(scale)));
                match form {
                    Narrow::Q4 => integers[place / 2] |= ((integer + 8) as u8) << (place % 2 * 4),
                    _ => integers[place] = integer as u8,
                }
            }
        }
    }
    Some(bytes)
}

/// The scale of a group, as a half.
fn scale(form: Narrow, group: &[f32; GROUP]) -> Option<u16> {
    let larger = |a: f32, &b: &f32| if b.abs() > a.abs() { b } else { a };
    let largest = group.iter().fold(0.0, larger);
    if group.iter().any(|x| !x.is_finite()) {
        return None;
    }
    if form == Narrow::Q8 {
        return half(largest.abs() / 127.0);
    }
    // Where the integers end is for the sum of squares to say: with few steps, finer ones are worth cutting the largest
    // number a little. The range is not the same on both sides, so the scale may be negative.
    let ends = [-10.0, -9.5, -9.0, -8.5, -8.0, -7.5, -7.0, 7.0, 7.5, 8.0];
    let mut best: Option<(f32, u16)> = None;
    for end in ends {
        let Some(scale) = half(largest / end) else {
            continue;
        };
        let error = |&x: &f32| (x - float(scale) * integer(form, x, float(scale)) as f32).powi(2);
        let error: f32 = group.iter().map(error).sum();
        if best.is_none_or(|best| error < best.0) {
            best = Some((error, scale));
        }
    }
    best.map(|best| best.1)
}

fn integer(form: Narrow, number: f32, scale: f32) -> i32 {
    let (least, most) = match form {
        Narrow::Q4 => (-8.0, 7.0),
        _ => (-127.0, 127.0),
    };
    if scale == 0.0 {
        return 0;
    }
    (number / scale).round_ties_even().clamp(least, most) as i32
}

/// The number that a half stands for; what is infinite or no number as a half, which is never written, comes out as some
/// large one.
fn float(half: u16) -> f32 {
    // The exponent is put in its place and moved by the difference of the two biases. Also right where it is 0.
    let moved = f32::from_bits(u32::from(half & 0x7fff) << 13) * 2.0_f32.powi(112);
    f32::from_bits(moved.to_bits() | u32::from(half & 0x8000) << 16)
}

/// The nearest half, the even one of two; nothing where that is infinite, or for what is no number.
fn half(number: f32) -> Option<u16> {
    const LEAST_NORMAL: f32 = 6.103_515_6e-5;
    let sign = (number.to_bits() >> 16) as u16 & 0x8000;
    let size = number.abs();
    let half = if size < LEAST_NORMAL {
        (size * 2.0_f32.powi(24)).round_ties_even() as u16
    } else if size < 65_520.0 {
        let bits = size.to_bits() - (112 << 23);
        ((bits + 0xfff + (bits >> 13 & 1)) >> 13) as u16
    } else {
        return None;
    };
    Some(sign | half)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [Narrow; 3] = [Narrow::F16, Narrow::Q8, Narrow::Q4];

    fn numbers(len: usize) -> Vec<f32> {
        let wave = |at: usize| ((at as f32 + 1.0) * 12.9898).sin();
        (0..len).map(wave).collect()
    }

    fn there_and_back(form: Narrow, lanes: usize, numbers: &[f32]) -> Vec<f32> {
        let bytes = narrowed(form, lanes, numbers).expect("numbers that fit");
        assert_eq!(bytes.len(), form.len(numbers.len(), lanes));
        let mut back = vec![f32::NAN; numbers.len()];
        widen(form, lanes, &bytes, 0, &mut back);
        back
    }

    fn apart(a: &[f32], b: &[f32]) -> f32 {
        let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
        (squares.sum::<f32>() / b.iter().map(|b| b * b).sum::<f32>()).sqrt()
    }

    #[test]
    fn numbers_of_any_count_come_back_nearly_the_same() {
        for (form, most) in FORMS.into_iter().zip([3e-4, 6e-3, 0.12]) {
            for lanes in [1, NR] {
                for len in [1, 2, 7, 31, 32, 33, 255, 256, 257, 1000] {
                    let numbers = numbers(len);
                    let back = there_and_back(form, lanes, &numbers);
                    let apart = apart(&back, &numbers);
                    assert!(apart < most, "{form:?}, {lanes} lanes, {len}: {apart}");
                }
            }
        }
    }

    #[test]
    fn a_part_is_what_the_whole_has_there() {
        for form in FORMS {
            for lanes in [1, NR] {
                let numbers = numbers(700);
                let bytes = narrowed(form, lanes, &numbers).unwrap();
                let whole = there_and_back(form, lanes, &numbers);
                for (from, len) in [(0, 1), (1, 40), (31, 2), (250, 300), (699, 1), (700, 0)] {
                    let mut part = vec![0.0; len];
                    widen(form, lanes, &bytes, from, &mut part);
                    assert_eq!(part, whole[from..from + len], "{form:?}, {lanes}, {from}");
                }
            }
        }
    }

    #[test]
    fn zeros_stay_zeros_beside_other_groups() {
        for form in FORMS {
            let mut some = numbers(96);
            some[32..64].fill(0.0);
            let back = there_and_back(form, 1, &some);
            assert_eq!(back[32..64], [0.0; 32]);
            assert!(apart(&back[..32], &some[..32]) < 0.12);
            assert_eq!(there_and_back(form, NR, &[0.0; 77]), [0.0; 77]);
        }
    }

    /// A lane has its own scale: a column of large numbers takes nothing of the one beside it.
    #[test]
    fn lanes_do_not_disturb_each_other() {
        let mut mixed = numbers(256);
        mixed.iter_mut().step_by(NR).for_each(|x| *x *= 1e4);
        for form in [Narrow::Q8, Narrow::Q4] {
            let back = there_and_back(form, NR, &mixed);
            for lane in 0..NR {
                let own = |of: &[f32]| {
                    of.iter()
                        .copied()
                        .skip(lane)
                        .step_by(NR)
                        .collect::<Vec<_>>()
                };
                let apart = apart(&own(&back), &own(&mixed));
                assert!(apart < 0.12, "{form:?}, lane {lane}: {apart}");
            }
        }
    }

    #[test]
    fn what_no_form_holds_is_refused() {
        for form in FORMS {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
                let mut some = numbers(40);
                some[35] = bad;
                assert_eq!(narrowed(form, 1, &some), None, "{form:?}, {bad}");
            }
        }
        // The largest half, and what would round to more.
        assert_eq!(there_and_back(Narrow::F16, 1, &[-65_504.0]), [-65_504.0]);
        assert_eq!(there_and_back(Narrow::F16, 1, &[65_519.0]), [65_504.0]);
        assert_eq!(narrowed(Narrow::F16, 1, &[65_520.0]), None);
        // Scales of larger ones are halves.
        assert!(apart(&there_and_back(Narrow::Q8, 1, &[8e6, -8e6]), &[8e6, -8e6]) < 1e-3);
        assert!(apart(&there_and_back(Narrow::Q4, 1, &[4e5, -4e5]), &[4e5, -4e5]) < 0.1);
    }

    #[test]
    fn every_half_is_its_number() {
        for bits in 0..0x7c00_u16 {
            let (exponent, fraction) = (i32::from(bits >> 10), f32::from(bits & 0x3ff));
            let expected = match exponent {
                0 => fraction * 2.0_f32.powi(-24),
                _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
            };
            assert_eq!(float(bits), expected);
            assert_eq!(float(bits | 0x8000), -expected);
            assert_eq!(half(expected), Some(bits));
        }
        // Between two, the even one.
        let middle = |a: u16| (float(a) + float(a + 1)) / 2.0;
        for bits in [0, 1, 2, 0x3ff, 0x400, 0x3c00, 0x3c01, 0x7bfe] {
            assert_eq!(half(middle(bits)), Some(bits + bits % 2), "{bits:#x}");
        }
    }
}
