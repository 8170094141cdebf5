//! How far apart two outputs are.

use crate::engine::array::{Array, Data};

/// How well outputs agree with those that are expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// The largest difference, as a part of the largest number.
    pub largest: f64,
    /// The mean difference, as a part of the mean size of a number.
    pub mean: f64,
    /// The cosine of the angle between them: 1 where they are the same but for a factor.
    pub cosine: f64,
    /// How many pairs of outputs these are of.
    pub outputs: usize,
}

/// Where and by how much two outputs differ.
pub(super) struct Apart {
    /// The length of their difference, as a part of the length of what is expected.
    pub share: f64,
    /// The place of the largest difference.
    pub place: Vec<usize>,
    /// What was found there, and what was expected.
    pub numbers: [f64; 2],
}

impl Agreement {
    /// Of pairs of what was found and what was expected; nothing where there are none. Places where one of the two is not
    /// finite do not count: where only one was, the file was refused.
    pub(super) fn of<'a>(pairs: impl Iterator<Item = (&'a Array, &'a Array)>) -> Option<Agreement> {
        let (mut outputs, mut most, mut sum) = (0, [0.0_f64; 2], [0.0; 2]);
        let (mut dot, mut squares) = (0.0, [0.0; 2]);
        for (found, expected) in pairs {
            outputs += 1;
            let both = floats(found).zip(floats(expected));
            for (f, e) in both.filter(|(f, e)| f.is_finite() && e.is_finite()) {
                for (at, size) in [(f - e).abs(), e.abs()].into_iter().enumerate() {
                    most[at] = most[at].max(size);
                    sum[at] += size;
                }
                dot += f * e;
                squares = [squares[0] + f * f, squares[1] + e * e];
            }
        }
        let part = |[apart, size]: [f64; 2]| if apart == 0.0 { 0.0 } else { apart / size };
        let lengths = (squares[0] * squares[1]).sqrt();
        (outputs > 0).then(|| Agreement {
            largest: part(most),
            mean: part(sum),
            cosine: if lengths > 0.0 { dot / lengths } else { 1.0 },
            outputs,
        })
    }
}

/// Compares two outputs.
///
/// # Errors
/// When they are not of the same shape.
pub(super) fn compare(found: &Array, expected: &Array) -> Result<Apart, String> {
    if found.shape != expected.shape {
        return Err(format!(
            "of the shape {:?} instead of {:?}",
            found.shape, expected.shape
        ));
    }
    // Infinities and numbers that are none count where only one side has them.
    let apart = |(f, e): (f64, f64)| match f - e {
        _ if f == e || (f.is_nan() && e.is_nan()) => 0.0,
        d if d.is_finite() => d.abs(),
        _ => f64::INFINITY,
    };
    let (mut size, mut sum, mut largest) = (0.0, 0.0, (0.0, 0, [0.0; 2]));
    for (at, (f, e)) in floats(found).zip(floats(expected)).enumerate() {
        let apart = apart((f, e));
        size += if e.is_finite() { e * e } else { 0.0 };
        sum += apart * apart;
        if apart > largest.0 {
            largest = (apart, at, [f, e]);
        }
    }
    let mut rest = largest.1;
    let mut place: Vec<usize> = found
        .shape
        .iter()
        .rev()
        .map(|&len| {
            let at = rest % len.max(1);
            rest /= len.max(1);
            at
        })
        .collect();
    place.reverse();
    Ok(Apart {
        share: f64::sqrt(sum) / f64::sqrt(size).max(1e-6),
        place,
        numbers: largest.2,
    })
}

fn floats(array: &Array) -> Box<dyn Iterator<Item = f64> + '_> {
    match &array.data {
        Data::F32(v) => Box::new(v.iter().map(|&v| f64::from(v))),
        Data::I64(v) => Box::new(v.iter().map(|&v| v as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32]) -> Array {
        Array::f32(vec![1, values.len()], values.to_vec())
    }

    #[test]
    fn the_place_of_the_largest_difference_is_named() {
        let expected = Array::f32(vec![2, 3], vec![1.0, 2.0, 2.0, 0.0, 4.0, 0.0]);
        let mut found = expected.clone();
        assert_eq!(compare(&found, &expected).unwrap().share, 0.0);
        let Data::F32(values) = &mut found.data else {
            panic!("integers");
        };
        values[4] = 3.0;
        values[0] = 1.5;
        let apart = compare(&found, &expected).unwrap();
        assert_eq!((&apart.place[..], apart.numbers), (&[1, 1][..], [3.0, 4.0]));
        assert!((apart.share - 1.25_f64.sqrt() / 5.0).abs() < 1e-12);
        assert!(compare(&row(&[1.0]), &row(&[1.0, 2.0])).is_err());
    }

    #[test]
    fn what_only_one_side_has_as_no_number_is_infinitely_far() {
        let numbers = [f32::NAN, f32::INFINITY, 1.0];
        assert_eq!(compare(&row(&numbers), &row(&numbers)).unwrap().share, 0.0);
        for other in [
            [1.0, f32::INFINITY, 1.0],
            [f32::NAN, f32::NEG_INFINITY, 1.0],
        ] {
            let apart = compare(&row(&other), &row(&numbers)).unwrap();
            assert!(apart.share.is_infinite());
        }
    }

    #[test]
    fn agreement_is_of_all_outputs_together() {
        let pairs = [
            (row(&[1.0, 0.0]), row(&[1.0, 0.0])),
            (row(&[0.0, 3.0]), row(&[0.0, 4.0])),
        ];
        let found = Agreement::of(pairs.iter().map(|(a, b)| (a, b))).unwrap();
        assert_eq!((found.largest, found.mean, found.outputs), (0.25, 0.2, 2));
        assert!((found.cosine - 13.0 / 170.0_f64.sqrt()).abs() < 1e-12);
        assert!(Agreement::of(std::iter::empty()).is_none());
        let zeros = row(&[0.0]);
        let same = Agreement::of([(&zeros, &zeros)].into_iter()).unwrap();
        assert_eq!((same.largest, same.mean, same.cosine), (0.0, 0.0, 1.0));
    }
}
