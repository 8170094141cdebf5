//! The input of the model that reads a line.

use crate::fault::Result;
use crate::pixels::Pixels;
use crate::processor::{Channels, ImageProcessor, Pad, PadTo, Processed, Resize, Size, Target};
use crate::resample::Filter;

/// The height of the input of PP-OCR's models since the third version; before, it was 32.
pub const LINE_HEIGHT: u32 = 48;

/// The width that the input has at least.
const LEAST: u32 = 320;
/// The most, as in PaddleOCR: longer lines are squeezed.
const MOST: u32 = 3200;

/// Makes the input of the model that reads a line: of this height ([`LINE_HEIGHT`] mostly), as wide as its proportions are and at
/// least 320, the rest zeros; blue, green and red from -1 to 1.
///
/// # Errors
/// As [`ImageProcessor::process`].
pub fn line_input(pixels: &Pixels, height: u32) -> Result<Processed> {
    let ratio = f64::from(pixels.width()) / f64::from(pixels.height());
    let width = f64::from(height) * ratio;
    let whole = (width as u32).clamp(LEAST, MOST);
    let size = Size {
        height,
        width: (width.ceil() as u32).min(whole),
    };
    let to = PadTo::Size(Size {
        height,
        width: whole,
    });
    let processor = ImageProcessor {
        resize: Some(Resize {
            to: Target::Exact(size),
            filter: Filter::Linear,
        }),
        pad: Some(Pad {
            to,
            gray: None,
            centered: false,
        }),
        scale: Some(1.0 / 255.0),
        mean: vec![0.5],
        std: vec![0.5],
        channels: Channels::Bgr,
        ..ImageProcessor::default()
    };
    processor.process(pixels)
}
