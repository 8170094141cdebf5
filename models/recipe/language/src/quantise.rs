//! Rows of numbers as codes of few bits, with a step for each row.
//!
//! There is no zero: as many codes are below it as above. A row's step is that of the best uniform quantiser for a normal
//! distribution with the row's mean square; training goes on with the rounded rows, so that they make up for each other.

/// Steps for the bits, in parts of a row's root mean square.
fn width(bits: u32) -> f32 {
    match bits {
        2 => 0.996,
        3 => 0.586,
        _ => 0.335,
    }
}

/// A step's code: the step is 2^((code - 160) / 8).
pub fn step_code(row: &[f32], bits: u32) -> u8 {
    let square = row.iter().map(|x| x * x).sum::<f32>() / row.len() as f32;
    if square == 0.0 {
        return 0;
    }
    ((square.sqrt() * width(bits)).log2() * 8.0 + 160.5).clamp(0.0, 255.0) as u8
}

fn step(code: u8) -> f32 {
    2.0_f32.powf((f32::from(code) - 160.0) / 8.0)
}

/// The codes of a row, with this code of its step.
pub fn codes(row: &[f32], step_code: u8, bits: u32) -> impl Iterator<Item = u8> {
    let half = (1_u16 << (bits - 1)) as f32;
    let step = step(step_code);
    row.iter()
        .map(move |x| ((x / step).floor() + half).clamp(0.0, 2.0 * half - 1.0) as u8)
}

/// The row as it is read again.
pub fn rounded<const D: usize>(row: &[f32; D], bits: u32) -> [f32; D] {
    let code = step_code(row, bits);
    let half = (1_u16 << (bits - 1)) as f32;
    let step = step(code);
    let mut out = [0.0; D];
    for (out, code) in out.iter_mut().zip(codes(row, code, bits)) {
        *out = (f32::from(code) - half + 0.5) * step;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_near_and_stays() {
        let row: [f32; 24] = std::array::from_fn(|at| ((at * 7 % 24) as f32 - 11.5) / 10.0);
        for (bits, most) in [(2, 0.4), (3, 0.2), (4, 0.1)] {
            let once = rounded(&row, bits);
            let square = |a: &[f32; 24], b: &[f32; 24]| {
                a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()
            };
            let part = square(&row, &once) / square(&row, &[0.0; 24]);
            assert!(part < most, "{bits} bits: {part}");
        }
        assert_eq!(step_code(&[0.0; 4], 3), 0);
    }
}
