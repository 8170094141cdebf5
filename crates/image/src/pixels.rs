//! Images.

use crate::fault::{Fault, Result};

/// The most pixels an image may have, so that a hostile file or size cannot ask for all memory.
pub const MAX_PIXELS: u64 = 100_000_000;

/// The most pixels a tensor may have: a float for each channel of each takes up to 200 MB.
pub(crate) const MAX_TENSOR: u64 = 1 << 24;

/// An image of 8-bit red, green, blue and alpha, row by row; colours are not multiplied by alpha.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    width: u32,
    height: u32,
    rgba: Vec<u8>,
}

impl std::fmt::Debug for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pixels({} x {})", self.width, self.height)
    }
}

impl Pixels {
    /// Takes the bytes of an image, four for each pixel.
    ///
    /// # Errors
    /// When there are no pixels, too many, or another number of bytes than they take.
    pub fn new(width: u32, height: u32, rgba: Vec<u8>) -> Result<Pixels> {
        let needed = 4 * count(width, height)?;
        match rgba.len() == needed {
            true => Ok(Pixels {
                width,
                height,
                rgba,
            }),
            false => Err(Fault::Bytes {
                needed,
                given: rgba.len(),
            }),
        }
    }

    /// How wide it is.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// How high it is.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Its bytes, four for each pixel.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// The bytes alone.
    pub fn into_rgba(self) -> Vec<u8> {
        self.rgba
    }

    /// Of bytes that were made to fit.
    pub(crate) fn made(width: u32, height: u32, rgba: Vec<u8>) -> Pixels {
        debug_assert_eq!(rgba.len(), 4 * width as usize * height as usize);
        Pixels {
            width,
            height,
            rgba,
        }
    }

    /// Each pixel's brightness in all three colours, as Pillow's `convert("L")` weights and rounds it.
    pub(crate) fn gray(&self) -> Pixels {
        let gray = |p: &[u8]| {
            let sum = 19_595 * u32::from(p[0]) + 38_470 * u32::from(p[1]) + 7_471 * u32::from(p[2]);
            let l = ((sum + 0x8000) >> 16) as u8;
            [l, l, l, 255]
        };
        let rgba = self.rgba.chunks_exact(4).flat_map(gray).collect();
        Pixels::made(self.width, self.height, rgba)
    }
}

/// How many pixels there are, if not none or too many.
pub(crate) fn count(width: u32, height: u32) -> Result<usize> {
    let (width, height) = (u64::from(width), u64::from(height));
    match width * height {
        0 => Err(Fault::Empty),
        // On 32 bits, too, four bytes for each of them can be counted.
        n if n <= MAX_PIXELS => Ok(n as usize),
        _ => Err(Fault::TooLarge { width, height }),
    }
}
