//! Images as somebody else is shown them: made smaller, and written anew of their pixels alone, so that nothing of the file that
//! they came from (place, camera, time) is in them.

use std::borrow::Cow;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::fault::{Fault, Result};
use crate::pixels::Pixels;
use crate::resample::{Filter, resize};

/// How much of the detail JPEG keeps, of 100.
const QUALITY: u8 = 85;

/// An image as JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its bytes.
    pub jpeg: Vec<u8>,
    /// How wide it is.
    pub width: u32,
    /// How high it is.
    pub height: u32,
}

/// An image whose longer side has at most so many pixels, on white where one sees through it.
///
/// # Errors
/// When there is not enough memory.
pub fn picture(pixels: &Pixels, longest: u32) -> Result<Picture> {
    let (width, height) = within(pixels.width(), pixels.height(), longest);
    let small = match (width, height) == (pixels.width(), pixels.height()) {
        true => Cow::Borrowed(pixels),
        false => Cow::Owned(resize(pixels, width, height, Filter::Bicubic)?),
    };
    let on_white = |pixel: &[u8]| {
        let alpha = u32::from(pixel[3]);
        let mixed = |c: u8| ((u32::from(c) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        [mixed(pixel[0]), mixed(pixel[1]), mixed(pixel[2])]
    };
    let rgb: Vec<u8> = small.rgba().chunks_exact(4).flat_map(on_white).collect();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode(&rgb, width, height, ExtendedColorType::Rgb8)
        .map_err(|why| Fault::File(why.to_string()))?;
    Ok(Picture {
        jpeg,
        width,
        height,
    })
}

/// The lengths of an image of these lengths that is to be no longer than that.
fn within(width: u32, height: u32, longest: u32) -> (u32, u32) {
    let most = width.max(height);
    if most <= longest {
        return (width, height);
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(longest);
        let rounded = (side + u64::from(most) / 2) / u64::from(most);
        u32::try_from(rounded).unwrap_or(longest).max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u32, height: u32, of: impl Fn(u32, u32) -> [u8; 4]) -> Pixels {
        let at = |n: u32| of(n % width, n / width);
        let rgba = (0..width * height).flat_map(at).collect();
        Pixels::new(width, height, rgba).unwrap()
    }

    #[test]
    fn the_longer_side_is_bounded_and_the_shape_kept() {
        assert_eq!(within(640, 480, 1024), (640, 480));
        assert_eq!(within(4000, 3000, 1024), (1024, 768));
        assert_eq!(within(3000, 4000, 1024), (768, 1024));
        assert_eq!(within(100_000, 3, 1024), (1024, 1));
        assert_eq!(within(1025, 1025, 1024), (1024, 1024));
    }

    #[test]
    fn what_is_written_is_the_picture_and_nothing_else() {
        let gradient = image(300, 200, |x, y| [(x / 2) as u8, y as u8, 90, 255]);
        let written = picture(&gradient, 150).unwrap();
        assert_eq!((written.width, written.height), (150, 100));
        let read = image::load_from_memory(&written.jpeg).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (150, 100));
        let [r, g, b] = read.get_pixel(75, 50).0.map(i32::from);
        assert!((r - 75).abs() < 6 && (g - 100).abs() < 6 && (b - 90).abs() < 6);
        // The segments of the file: JFIF (E0) and what the picture is made of, no EXIF (E1), no comment (FE), no profile (E2).
        let mut at = 2;
        while written.jpeg[at + 1] != 0xda {
            let marker = written.jpeg[at + 1];
            assert!(matches!(marker, 0xe0 | 0xdb | 0xc0 | 0xc4), "{marker:x}");
            at += 2 + usize::from(u16::from_be_bytes([
                written.jpeg[at + 2],
                written.jpeg[at + 3],
            ]));
        }
    }

    #[test]
    fn what_one_sees_through_is_white() {
        let clear = image(16, 16, |_, _| [10, 20, 30, 0]);
        let read = image::load_from_memory(&picture(&clear, 16).unwrap().jpeg).unwrap();
        let [r, g, b] = read.to_rgb8().get_pixel(8, 8).0;
        assert!(r > 250 && g > 250 && b > 250);
    }
}
