//! From an image to a tensor.

use std::borrow::Cow;

use super::{Channels, Element, Geometry, ImageProcessor, Layout, Pad, PadTo, Size};
use crate::fault::{Result, config};
use crate::pixels::Pixels;
use crate::resample::resample;

/// A tensor of an image, and where in it the image lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Processed {
    /// The elements, row-major.
    pub data: Data,
    /// The length of each axis; there is one image.
    pub shape: Vec<usize>,
    /// Where in it the image lies.
    pub geometry: Geometry,
}

/// The elements of a tensor.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Data {
    F32(Vec<f32>),
    U8(Vec<u8>),
}

/// Where the parts of a tensor lie in it.
struct Frame {
    /// The resized image; may reach beyond.
    image: [i64; 4],
    /// What was cut, which is black where there is no image; the rest is padding.
    crop: [i64; 4],
    size: Size,
}

impl ImageProcessor {
    /// Makes a tensor of an image.
    ///
    /// # Errors
    /// When the processor is not as [`ImageProcessor::check`] says, the tensor would be too large, or the image is larger than what
    /// it is padded to.
    pub fn process(&self, pixels: &Pixels) -> Result<Processed> {
        self.check()?;
        let original = Size {
            height: pixels.height(),
            width: pixels.width(),
        };
        let resized = match &self.resize {
            Some(resize) => resize.to.of(original)?,
            None => original,
        };
        let frame = self.frame(resized)?;
        let mut image = match self.channels {
            Channels::Gray => Cow::Owned(pixels.gray()),
            Channels::Rgb | Channels::Bgr => Cow::Borrowed(pixels),
        };
        if let Some(resize) = &self.resize {
            let made = resample(&image, resized.width, resized.height, resize.filter)?;
            if let Cow::Owned(made) = made {
                image = Cow::Owned(made);
            }
        }
        let geometry = Geometry {
            original,
            input: frame.size,
            scale: [
                resized.width as f32 / original.width as f32,
                resized.height as f32 / original.height as f32,
            ],
            offset: [frame.image[0] as f32, frame.image[1] as f32],
        };
        let (h, w) = (frame.size.height as usize, frame.size.width as usize);
        let channels = self.channels.count();
        let data = match self.element {
            Element::U8 => {
                let same = std::array::from_fn(|i| i as u8);
                let tables = vec![same; channels];
                let pad = self.pad.and_then(|pad| pad.gray).unwrap_or(0);
                Data::U8(self.fill(&image, &frame, &tables, &vec![pad; channels]))
            }
            Element::F32 => {
                let tables: Vec<[f32; 256]> = (0..channels).map(|c| self.table(c)).collect();
                let gray = self.pad.and_then(|pad| pad.gray);
                let pad: Vec<f32> = tables
                    .iter()
                    .map(|table| gray.map_or(0.0, |gray| table[usize::from(gray)]))
                    .collect();
                Data::F32(self.fill(&image, &frame, &tables, &pad))
            }
        };
        let shape = match self.layout {
            Layout::Nchw => vec![1, channels, h, w],
            Layout::Nhwc => vec![1, h, w, channels],
        };
        Ok(Processed {
            data,
            shape,
            geometry,
        })
    }

    /// What each value of a channel becomes: scaled in 64 bits and normalised in 32, as transformers does it.
    fn table(&self, channel: usize) -> [f32; 256] {
        let of = |numbers: &[f64]| numbers.get(channel).or(numbers.first()).map(|&x| x as f32);
        let (mean, std) = (of(&self.mean).unwrap_or(0.0), of(&self.std).unwrap_or(1.0));
        let scale = self.scale.unwrap_or(1.0);
        std::array::from_fn(|value| ((value as f64 * scale) as f32 - mean) / std)
    }

    fn frame(&self, resized: Size) -> Result<Frame> {
        let crop = self.crop.unwrap_or(resized);
        // Python's `//` rounds down, so an odd pixel of black is at the top and the left, and one that is cut at the bottom.
        let before = |image: u32, crop: u32| -(i64::from(image) - i64::from(crop)).div_euclid(2);
        let inner = [
            before(resized.width, crop.width),
            before(resized.height, crop.height),
        ];
        let (size, outer) = match self.pad {
            None => (crop, [0, 0]),
            Some(pad) => padded(crop, pad)?,
        };
        size.of_tensor()?;
        let placed = |x: i64, y: i64, size: Size| {
            [x, y, x + i64::from(size.width), y + i64::from(size.height)]
        };
        Ok(Frame {
            image: placed(outer[0] + inner[0], outer[1] + inner[1], resized),
            crop: placed(outer[0], outer[1], crop),
            size,
        })
    }

    fn fill<T: Copy>(
        &self,
        image: &Pixels,
        frame: &Frame,
        tables: &[[T; 256]],
        pad: &[T],
    ) -> Vec<T> {
        let (h, w) = (frame.size.height as usize, frame.size.width as usize);
        let channels = tables.len();
        let black: Vec<T> = tables.iter().map(|table| table[0]).collect();
        let byte = |c: usize| match self.channels {
            Channels::Bgr => 2 - c,
            Channels::Rgb | Channels::Gray => c,
        };
        let inside = |at: i64, most: usize| at.clamp(0, most as i64) as usize;
        let [crop_from, crop_to] = [frame.crop[0], frame.crop[2]].map(|x| inside(x, w));
        let [from, to] =
            [frame.image[0], frame.image[2]].map(|x| inside(x, w).clamp(crop_from, crop_to));
        let mut data = Vec::with_capacity(channels * h * w);
        let mut line = |y: usize, picked: std::ops::Range<usize>| {
            let y = y as i64;
            let has = |part: &[i64; 4]| y >= part[1] && y < part[3];
            // Padding up to the first of these, black up to the second, the image up to the third, and back.
            let spans = match (has(&frame.crop), has(&frame.image)) {
                (true, true) => [crop_from, from, to, crop_to],
                (true, false) => [crop_from, crop_from, crop_from, crop_to],
                (false, _) => [0; 4],
            };
            let even = |data: &mut Vec<T>, from: usize, to: usize, of: &[T]| {
                (from..to).for_each(|_| data.extend_from_slice(&of[picked.clone()]));
            };
            even(&mut data, 0, spans[0], pad);
            even(&mut data, spans[0], spans[1], &black);
            if spans[1] < spans[2] {
                let row = (y - frame.image[1]) as usize * image.width() as usize;
                let first = row + (spans[1] as i64 - frame.image[0]) as usize;
                for pixel in image.rgba()[4 * first..]
                    .chunks_exact(4)
                    .take(spans[2] - spans[1])
                {
                    data.extend(
                        picked
                            .clone()
                            .map(|c| tables[c][usize::from(pixel[byte(c)])]),
                    );
                }
            }
            even(&mut data, spans[2], spans[3], &black);
            even(&mut data, spans[3], w, pad);
        };
        match self.layout {
            Layout::Nchw => (0..channels).for_each(|c| (0..h).for_each(|y| line(y, c..c + 1))),
            Layout::Nhwc => (0..h).for_each(|y| line(y, 0..channels)),
        }
        data
    }
}

/// The size with padding, and where in it the image begins.
fn padded(size: Size, pad: Pad) -> Result<(Size, [i64; 2])> {
    let to = match pad.to {
        PadTo::Size(to) => to,
        PadTo::Multiple(n) => Size {
            height: size.height.next_multiple_of(n),
            width: size.width.next_multiple_of(n),
        },
    };
    if to.height < size.height || to.width < size.width {
        return config(format!(
            "an image of {} x {} cannot be padded to {} x {}",
            size.width, size.height, to.width, to.height
        ));
    }
    let before = |to: u32, size: u32| i64::from(if pad.centered { (to - size) / 2 } else { 0 });
    Ok((
        to,
        [before(to.width, size.width), before(to.height, size.height)],
    ))
}
