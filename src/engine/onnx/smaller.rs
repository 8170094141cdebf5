//! Weights in fewer bits than their file has: matrices of products and convolutions, and tables of which rows are picked.
//! Vectors (biases, norms) and convolutions of each channel by itself stay as they are: they are a small part, and each of
//! their numbers has much to say.

use super::graph::{Lowered, unsupported};
use crate::bundle::SmallWeights;
use crate::engine::kernels::{self, NR, Narrow};
use crate::engine::program::WeightKind;

/// From how many numbers on a weight is worth it.
const FROM: usize = 1024;

/// A weight as it is stored, and where a number of each row is by itself, those.
pub(super) struct Stored {
    pub kind: WeightKind,
    pub bytes: Vec<u8>,
    pub scales: Option<Vec<f32>>,
}

/// Packed panels in another form; nothing where they are to stay floats.
pub(super) fn panels(weights: SmallWeights, numbers: &[f32]) -> Lowered<Option<Stored>> {
    let form = match weights {
        SmallWeights::F16 => Narrow::F16,
        SmallWeights::Int8 => Narrow::Q8,
        SmallWeights::Q4 => Narrow::Q4,
    };
    narrow(form, NR, numbers)
}

/// A table of rows in another form. Integers of 8 bits have one scale a row, as the kernel that picks rows reads them.
pub(super) fn table(
    weights: SmallWeights,
    numbers: &[f32],
    columns: usize,
) -> Lowered<Option<Stored>> {
    match weights {
        SmallWeights::F16 => narrow(Narrow::F16, 1, numbers),
        SmallWeights::Q4 => narrow(Narrow::Q4, 1, numbers),
        SmallWeights::Int8 => {
            if !worth_it(numbers)? || columns == 0 {
                return Ok(None);
            }
            let largest = |row: &[f32]| row.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let rows = numbers.chunks_exact(columns);
            let scales: Vec<f32> = rows.clone().map(|row| largest(row) / 127.0).collect();
            let integer = |x: f32, scale: f32| match scale > 0.0 {
                true => (x / scale).round_ties_even().clamp(-127.0, 127.0) as i8,
                false => 0,
            };
            let rows = rows.zip(&scales);
            let integers: Vec<i8> = rows
                .flat_map(|(row, &scale)| row.iter().map(move |&x| integer(x, scale)))
                .collect();
            let back = integers.iter().enumerate();
            let back = back.map(|(at, &q)| f32::from(q) * scales[at / columns]);
            Ok(near(numbers, back, Narrow::Q8).then(|| Stored {
                kind: WeightKind::I8,
                bytes: integers.iter().map(|q| q.cast_unsigned()).collect(),
                scales: Some(scales),
            }))
        }
    }
}

fn narrow(form: Narrow, lanes: usize, numbers: &[f32]) -> Lowered<Option<Stored>> {
    if !worth_it(numbers)? {
        return Ok(None);
    }
    // Numbers beyond the range of halves.
    let Some(bytes) = kernels::narrowed(form, lanes, numbers) else {
        return Ok(None);
    };
    let mut back = vec![0.0; numbers.len()];
    kernels::widen(form, lanes, &bytes, 0, &mut back);
    let kind = match form {
        Narrow::F16 => WeightKind::F16,
        Narrow::Q8 => WeightKind::Q8,
        Narrow::Q4 => WeightKind::Q4,
    };
    Ok(near(numbers, back.into_iter(), form).then_some(Stored {
        kind,
        bytes,
        scales: None,
    }))
}

fn worth_it(numbers: &[f32]) -> Lowered<bool> {
    if numbers.len() < FROM {
        return Ok(false);
    }
    match numbers.iter().find(|x| !x.is_finite()) {
        Some(x) => unsupported(format!(
            "one of {} numbers of a weight is {x}, which has no smaller form; prepare it without --weights",
            numbers.len()
        )),
        None => Ok(true),
    }
}

/// Whether a form keeps what the numbers say. A weight of numbers that are too small for halves, or with few that are far
/// larger than all others, may lose more than rounding is thought to take, and stays as it is.
fn near(numbers: &[f32], back: impl Iterator<Item = f32>, form: Narrow) -> bool {
    let most = match form {
        Narrow::F16 => 1e-3,
        Narrow::Q8 => 0.03,
        Narrow::Q4 => 0.2,
    };
    let square = |x: f32| f64::from(x) * f64::from(x);
    let size: f64 = numbers.iter().map(|&x| square(x)).sum();
    let apart = numbers.iter().zip(back).map(|(&x, back)| square(x - back));
    apart.sum::<f64>() <= most * most * size
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [SmallWeights; 3] = [SmallWeights::F16, SmallWeights::Int8, SmallWeights::Q4];

    fn waves(len: usize) -> Vec<f32> {
        let wave = |at: usize| ((at as f32 + 1.0) * 12.9898).sin();
        (0..len).map(wave).collect()
    }

    fn stored(stored: Lowered<Option<Stored>>) -> Option<Stored> {
        stored.map_err(|why| why.0).unwrap()
    }

    #[test]
    fn tables_of_odd_lengths_with_rows_of_zeros_are_made_smaller() {
        let mut numbers = waves(37 * 41);
        numbers[41 * 5..41 * 6].fill(0.0);
        for (form, most) in FORMS.into_iter().zip([0.51, 0.29, 0.15]) {
            let stored = stored(table(form, &numbers, 41)).unwrap();
            let bytes = stored.bytes.len() + 4 * stored.scales.as_ref().map_or(0, Vec::len);
            assert!(
                bytes as f64 <= most * 4.0 * numbers.len() as f64,
                "{form:?}"
            );
        }
        let stored = stored(table(SmallWeights::Int8, &numbers, 41)).unwrap();
        assert_eq!(stored.scales.unwrap()[5], 0.0);
        assert_eq!(stored.bytes[41 * 5..41 * 6], [0; 41]);
    }

    #[test]
    fn what_is_small_or_would_lose_much_stays() {
        for form in FORMS {
            assert!(stored(panels(form, &waves(FROM - 1))).is_none());
            assert!(stored(panels(form, &waves(FROM))).is_some());
            // All far below the least half.
            let tiny: Vec<f32> = waves(2048).iter().map(|x| x * 1e-9).collect();
            assert!(stored(panels(form, &tiny)).is_none(), "{form:?}");
            // Beyond the largest.
            let mut huge = waves(2048);
            huge[77] = 1e30;
            assert!(stored(panels(form, &huge)).is_none(), "{form:?}");
            // Nothing but zeros is nothing lost.
            assert!(stored(panels(form, &[0.0; 2048])).is_some());
        }
        // A row with one large number would have nothing left of the others.
        let mut row = waves(2048);
        row[3] = 1e5;
        row.iter_mut().skip(4).for_each(|x| *x *= 300.0);
        assert!(stored(table(SmallWeights::Int8, &row, 2048)).is_none());
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for form in FORMS {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut numbers = waves(2048);
                numbers[2000] = bad;
                let refused = [panels(form, &numbers), table(form, &numbers, 64)];
                for refused in refused {
                    let why = refused.err().expect("refused").0;
                    assert!(why.contains("has no smaller form"), "{why}");
                }
            }
        }
    }
}
