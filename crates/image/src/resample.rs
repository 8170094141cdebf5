//! Resizing, to the bit as Pillow does it.
//!
//! What a model was trained on depends on the filter's details: Pillow widens it by the factor that it shrinks the image by, where
//! OpenCV and canvases do not, and rounds to 8 bits between the horizontal and the vertical pass. Its 8-bit coefficients have 22
//! bits after the point (`src/libImaging/Resample.c`).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::fault::Result;
use crate::pixels::{Pixels, count};

/// How pixels are made of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Filter {
    /// The one pixel that is nearest.
    Nearest,
    /// All that a new pixel covers, alike.
    Box,
    /// By distance, with a triangle.
    Bilinear,
    /// By distance, with a cosine's window of two pixels.
    Hamming,
    /// By distance, with cubic polynomials.
    Bicubic,
    /// By distance, with a windowed sine of three pixels.
    Lanczos,
    /// The four nearest whatever the factor, as OpenCV's `INTER_LINEAR` has it: what lies between them is not seen.
    Linear,
}

impl Filter {
    /// The filter of Pillow's number (`PIL.Image.Resampling`).
    pub fn of_pillow(code: u64) -> Option<Filter> {
        use Filter::{Bicubic, Bilinear, Box, Hamming, Lanczos, Nearest};
        let all = [Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming];
        all.get(usize::try_from(code).ok()?).copied()
    }

    /// How far it reaches, in pixels of the larger image.
    fn support(self) -> f64 {
        match self {
            Filter::Nearest | Filter::Box => 0.5,
            Filter::Bilinear | Filter::Hamming | Filter::Linear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    /// The weight at a distance.
    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| match x == 0.0 {
            true => 1.0,
            false => (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI),
        };
        let d = x.abs();
        match self {
            // So that a pixel in the middle of two is not counted twice.
            Filter::Nearest | Filter::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Filter::Bilinear | Filter::Linear => (1.0 - d).max(0.0),
            Filter::Hamming if d == 0.0 => 1.0,
            Filter::Hamming if d >= 1.0 => 0.0,
            Filter::Hamming => sinc(d) * (0.54 + 0.46 * (d * std::f64::consts::PI).cos()),
            Filter::Bicubic if d < 1.0 => (1.5 * d - 2.5) * d * d + 1.0,
            Filter::Bicubic if d < 2.0 => ((d - 5.0) * d + 8.0) * d * -0.5 + 2.0,
            Filter::Bicubic => 0.0,
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }
}

/// Resizes an image, to the bit as Pillow's `Image.resize` does one of mode RGBA: colours count as much as they are opaque.
///
/// # Errors
/// When the new size is of no pixels or too many.
pub fn resize(pixels: &Pixels, width: u32, height: u32, filter: Filter) -> Result<Pixels> {
    count(width, height)?;
    let same = (pixels.width(), pixels.height()) == (width, height);
    let opaque = pixels.rgba().iter().skip(3).step_by(4).all(|&a| a == 255);
    if same || opaque || filter == Filter::Nearest {
        return Ok(resample(pixels, width, height, filter)?.into_owned());
    }
    let mut multiplied = pixels.clone().into_rgba();
    for p in multiplied.chunks_exact_mut(4) {
        let alpha = u32::from(p[3]);
        for c in &mut p[..3] {
            let product = u32::from(*c) * alpha + 128;
            *c = ((product + (product >> 8)) >> 8) as u8;
        }
    }
    let multiplied = Pixels::made(pixels.width(), pixels.height(), multiplied);
    let mut rgba = resample(&multiplied, width, height, filter)?
        .into_owned()
        .into_rgba();
    for p in rgba.chunks_exact_mut(4) {
        let alpha = u32::from(p[3]);
        for c in &mut p[..3] {
            // What is transparent keeps its colour.
            if let Some(plain) = (255 * u32::from(*c)).checked_div(alpha) {
                *c = plain.min(255) as u8;
            }
        }
    }
    Ok(Pixels::made(width, height, rgba))
}

/// The same with all four channels by themselves: right for colours alone, as if there were no alpha.
pub(crate) fn resample(
    pixels: &Pixels,
    width: u32,
    height: u32,
    filter: Filter,
) -> Result<Cow<'_, Pixels>> {
    count(width, height)?;
    if (pixels.width(), pixels.height()) == (width, height) {
        return Ok(Cow::Borrowed(pixels));
    }
    if filter == Filter::Nearest {
        return Ok(Cow::Owned(nearest(pixels, width, height)));
    }
    let mut pixels = Cow::Borrowed(pixels);
    if pixels.width() != width {
        // Between the passes the image has the new width and the old height.
        count(width, pixels.height())?;
        pixels = Cow::Owned(horizontal(&pixels, width, filter));
    }
    if pixels.height() != height {
        pixels = Cow::Owned(vertical(&pixels, height, filter));
    }
    Ok(pixels)
}

/// Bits of a coefficient after the point: eight of the pixel and two for sums before it leave these of 32.
const BITS: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (BITS - 1);

/// For each new pixel the first of those it is made of, and their weights.
struct Weights {
    first: Vec<usize>,
    ends: Vec<usize>,
    weights: Vec<i32>,
}

impl Weights {
    fn new(from: u32, to: u32, filter: Filter) -> Weights {
        let scale = f64::from(from) / f64::from(to);
        let wide = match filter {
            Filter::Linear => 1.0,
            _ => scale.max(1.0),
        };
        let support = filter.support() * wide;
        let mut made = Weights {
            first: Vec::with_capacity(to as usize),
            ends: Vec::with_capacity(to as usize),
            weights: Vec::new(),
        };
        let mut row = Vec::new();
        for x in 0..to {
            let center = (f64::from(x) + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as u32;
            let end = ((center + support + 0.5) as u32).min(from);
            row.clear();
            row.extend(
                (first..end).map(|i| filter.weight((f64::from(i) - center + 0.5) * (1.0 / wide))),
            );
            let sum: f64 = row.iter().sum();
            let by = if sum == 0.0 { 1.0 } else { 1.0 / sum };
            let fixed = |w: &f64| {
                let w = w * by * f64::from(1 << BITS);
                (w + 0.5f64.copysign(w)) as i32
            };
            made.weights.extend(row.iter().map(fixed));
            made.first.push(first as usize);
            made.ends.push(made.weights.len());
        }
        made
    }

    /// The first pixel and the weights of each new one.
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let mut start = 0;
        self.first
            .iter()
            .zip(&self.ends)
            .map(move |(&first, &end)| {
                let weights = &self.weights[start..end];
                start = end;
                (first, weights)
            })
    }
}

fn clip(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

fn horizontal(pixels: &Pixels, width: u32, filter: Filter) -> Pixels {
    let weights = Weights::new(pixels.width(), width, filter);
    let mut rgba = Vec::with_capacity(4 * width as usize * pixels.height() as usize);
    for row in pixels.rgba().chunks_exact(4 * pixels.width() as usize) {
        for (first, weights) in weights.iter() {
            let mut sums = [HALF; 4];
            for (p, &w) in row[4 * first..].chunks_exact(4).zip(weights) {
                for (sum, &c) in sums.iter_mut().zip(p) {
                    *sum += i32::from(c) * w;
                }
            }
            rgba.extend_from_slice(&sums.map(clip));
        }
    }
    Pixels::made(width, pixels.height(), rgba)
}

fn vertical(pixels: &Pixels, height: u32, filter: Filter) -> Pixels {
    let weights = Weights::new(pixels.height(), height, filter);
    let length = 4 * pixels.width() as usize;
    let mut rgba = Vec::with_capacity(length * height as usize);
    let mut sums = vec![HALF; length];
    for (first, weights) in weights.iter() {
        sums.fill(HALF);
        for (row, &w) in pixels.rgba()[first * length..]
            .chunks_exact(length)
            .zip(weights)
        {
            for (sum, &c) in sums.iter_mut().zip(row) {
                *sum += i32::from(c) * w;
            }
        }
        rgba.extend(sums.iter().copied().map(clip));
    }
    Pixels::made(pixels.width(), height, rgba)
}

fn nearest(pixels: &Pixels, width: u32, height: u32) -> Pixels {
    // Added up as Pillow does it: where a product would round otherwise, another pixel is taken.
    let picks = |from: u32, to: u32| -> Vec<usize> {
        let scale = f64::from(from) / f64::from(to);
        let mut at = scale * 0.5;
        let mut pick = || {
            let picked = (at as usize).min(from as usize - 1);
            at += scale;
            picked
        };
        (0..to).map(|_| pick()).collect()
    };
    let columns = picks(pixels.width(), width);
    let mut rgba = Vec::with_capacity(4 * width as usize * height as usize);
    for y in picks(pixels.height(), height) {
        let row = &pixels.rgba()[4 * y * pixels.width() as usize..];
        for &x in &columns {
            rgba.extend_from_slice(&row[4 * x..4 * x + 4]);
        }
    }
    Pixels::made(width, height, rgba)
}
