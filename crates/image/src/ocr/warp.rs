//! A line of text out of its image, straightened.

use super::TextBox;
use super::hull::distance;
use crate::fault::Result;
use crate::pixels::{Pixels, count};

/// What is this many times as high as wide is turned: it is a line that is written upwards or downwards.
const UPRIGHT: f32 = 1.5;

impl TextBox {
    /// What is in the box, as a rectangle: seen in perspective, with cubic interpolation, the image's edges going on beyond it. What is
    /// much higher than wide is turned to the left. Alpha is dropped.
    ///
    /// # Errors
    /// When the box is larger than an image may be.
    pub fn cut(&self, pixels: &Pixels) -> Result<Pixels> {
        let [a, b, c, d] = self.corners;
        let width = distance(a, b).max(distance(c, d)).max(1.0) as u32;
        let height = distance(a, d).max(distance(b, c)).max(1.0) as u32;
        let mut rgba = Vec::with_capacity(4 * count(width, height)?);
        let place = perspective(self.corners.map(|corner| corner.map(f64::from)));
        for y in 0..height {
            for x in 0..width {
                let [x, y] = place(
                    f64::from(x) / f64::from(width),
                    f64::from(y) / f64::from(height),
                );
                rgba.extend(cubic(pixels, x as f32, y as f32));
            }
        }
        let cut = Pixels::made(width, height, rgba);
        Ok(match height as f32 / width as f32 >= UPRIGHT {
            true => turned(&cut),
            false => cut,
        })
    }
}

/// The place in a quadrangle of one in the unit square (Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989).
fn perspective([a, b, c, d]: [[f64; 2]; 4]) -> impl Fn(f64, f64) -> [f64; 2] {
    let sum = [0, 1].map(|i| a[i] - b[i] + c[i] - d[i]);
    let right = [0, 1].map(|i| b[i] - c[i]);
    let lower = [0, 1].map(|i| d[i] - c[i]);
    let cross = |p: [f64; 2], q: [f64; 2]| p[0] * q[1] - p[1] * q[0];
    let turn = cross(right, lower);
    // A quadrangle without an area is seen as if from the front.
    let part = |x: f64| if turn == 0.0 { 0.0 } else { x / turn };
    let (g, h) = (part(cross(sum, lower)), part(cross(right, sum)));
    move |u, v| {
        let w = g * u + h * v + 1.0;
        [0, 1].map(|i| {
            let along = b[i] - a[i] + g * b[i];
            let down = d[i] - a[i] + h * d[i];
            (along * u + down * v + a[i]) / w
        })
    }
}

/// The colour between pixels, by cubic polynomials as OpenCV has them.
fn cubic(pixels: &Pixels, x: f32, y: f32) -> [u8; 4] {
    let (wx, wy) = (weights(x - x.floor()), weights(y - y.floor()));
    let held = |at: f32, step: usize, length: u32| {
        let at = at.floor() + step as f32 - 1.0;
        at.clamp(0.0, (length - 1) as f32) as usize
    };
    let columns: [usize; 4] = std::array::from_fn(|i| held(x, i, pixels.width()));
    let mut sums = [0.0f32; 4];
    for (i, wy) in wy.into_iter().enumerate() {
        let row = held(y, i, pixels.height()) * pixels.width() as usize;
        for (&column, wx) in columns.iter().zip(wx) {
            let pixel = &pixels.rgba()[4 * (row + column)..][..4];
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += wy * wx * f32::from(value);
            }
        }
    }
    let [r, g, b, _] = sums.map(|sum| sum.round() as u8);
    [r, g, b, 255]
}

/// The weights of the four pixels around a place that is `t` behind the second.
fn weights(t: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let near = |d: f32| ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
    let far = |d: f32| ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
    let w = [far(t + 1.0), near(t), near(1.0 - t)];
    [w[0], w[1], w[2], 1.0 - w[0] - w[1] - w[2]]
}

/// Turned to the left by a right angle.
fn turned(pixels: &Pixels) -> Pixels {
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let mut rgba = Vec::with_capacity(pixels.rgba().len());
    for x in (0..width).rev() {
        for y in 0..height {
            rgba.extend_from_slice(&pixels.rgba()[4 * (y * width + x)..][..4]);
        }
    }
    Pixels::made(pixels.height(), pixels.width(), rgba)
}
