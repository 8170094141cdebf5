//! Files of images to pixels, natively: in the browser the page does it.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};

use crate::fault::{Fault, Result};
use crate::pixels::{MAX_PIXELS, Pixels, count};

/// What a file may have beside its pixels while it is read.
const BESIDE: u64 = 64 << 20;

/// Reads a file of PNG, JPEG, WebP, GIF or BMP; of a moving one the first frame. It is turned as its EXIF data says, as browsers do it.
/// Colour profiles are not applied; browsers apply them.
///
/// # Errors
/// When it is none of these, is damaged, or has no pixels or too many: that is seen before any are read.
pub fn decode(file: &[u8]) -> Result<Pixels> {
    let mut reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(|why| Fault::File(why.to_string()))?;
    // Up to 16 bits for each of four channels.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(8 * MAX_PIXELS + BESIDE);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(told)?;
    let (width, height) = decoder.dimensions();
    count(width, height)?;
    // A file without it, or with a damaged one, is as it is.
    let orientation = decoder.orientation();
    let mut image = DynamicImage::from_decoder(decoder).map_err(told)?;
    if let Ok(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let image = image.into_rgba8();
    Pixels::new(image.width(), image.height(), image.into_raw())
}

fn told(why: ImageError) -> Fault {
    Fault::File(match why {
        ImageError::Unsupported(why) => format!("the file is no image that is read here: {why}"),
        // Some of its errors are several lines.
        why => format!("the image cannot be read: {}", why.to_string().trim_end()),
    })
}
