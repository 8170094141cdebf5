//! What makes a tensor of an image, as a manifest holds it.

mod geometry;
mod run;
mod size;

use serde::{Deserialize, Serialize};

pub use geometry::Geometry;
pub use run::{Data, Processed};

use crate::fault::{Result, config};
use crate::pixels::count;
use crate::resample::Filter;

/// The steps from an image to a model's input, in their order: channels, resizing, cropping, scaling, padding.
///
/// Alpha is dropped, as Pillow's `convert("RGB")` does it: what is transparent gets the colour that it has beneath, often black.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageProcessor {
    /// To which size, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// What is cut from the middle; black where the image is smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Size>,
    /// What is added around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad: Option<Pad>,
    /// What values of 0 to 255 are multiplied by; absent: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// What is subtracted then: a number for each channel of the tensor, or one for all; empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f64>,
    /// What is divided by then, as `mean`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub std: Vec<f64>,
    /// The channels of the tensor.
    #[serde(default)]
    pub channels: Channels,
    /// The order of its axes.
    #[serde(default)]
    pub layout: Layout,
    /// Its elements.
    #[serde(default)]
    pub element: Element,
}

/// A height and a width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Size {
    pub height: u32,
    pub width: u32,
}

/// To which size, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resize {
    /// The size.
    pub to: Target,
    /// How pixels are made of others.
    pub filter: Filter,
}

/// To which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Target {
    /// This one, whatever becomes of the proportions.
    Exact(Size),
    /// The shorter edge is this long, unless the longer one got longer than the other number. As torchvision rounds.
    Shortest {
        /// The length of the shorter edge.
        edge: u32,
        /// The most that the longer one may have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u32>,
    },
    /// The same as DETR's processor rounds, and YOLOS's, which then takes off what is no multiple.
    Detection {
        /// The length of the shorter edge.
        edge: u32,
        /// The most that the longer one may have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u32>,
        /// What lengths are multiples of; absent: 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        multiple: Option<u32>,
    },
    /// As large as fits into this one, also when the image is smaller.
    Within(Size),
    /// The next smaller multiples of a number.
    Multiple(u32),
    /// As PaddleOCR has it: the nearest multiples of a number, after the longest edge was brought down to a length, or the shortest up.
    Limit {
        /// The length.
        side: u32,
        /// Which edge is held to it: `longest` or `shortest`.
        of: Edge,
        /// What lengths are multiples of.
        multiple: u32,
    },
}

/// An edge of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Edge {
    Longest,
    Shortest,
}

/// What is added around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pad {
    /// Up to which size.
    pub to: PadTo,
    /// The gray of it, 0 to 255, scaled like the image; absent: zeros of the tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gray: Option<u8>,
    /// Whether the image is in the middle; otherwise all is added at the right and the bottom.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub centered: bool,
}

/// Up to which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PadTo {
    /// This one.
    Size(Size),
    /// The next larger multiples of a number.
    Multiple(u32),
}

/// The channels of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Channels {
    #[default]
    Rgb,
    Bgr,
    /// One channel, of the brightness as Pillow's `convert("L")` has it, taken before resizing.
    Gray,
}

/// The order of a tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Layout {
    /// Image, channel, row, column.
    #[default]
    Nchw,
    /// Image, row, column, channel.
    Nhwc,
}

/// A tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Element {
    /// 32-bit floats.
    #[default]
    F32,
    /// Bytes, as they are after resizing: neither scaled nor normalised.
    U8,
}

impl Channels {
    /// How many there are.
    pub fn count(self) -> usize {
        match self {
            Channels::Rgb | Channels::Bgr => 3,
            Channels::Gray => 1,
        }
    }
}

impl ImageProcessor {
    /// Holds it against what can be.
    ///
    /// # Errors
    /// When a length is zero or too large, or numbers are missing, not finite or divide by zero.
    pub fn check(&self) -> Result<()> {
        let sizes = [
            self.crop,
            match self.pad.map(|pad| pad.to) {
                Some(PadTo::Size(size)) => Some(size),
                Some(PadTo::Multiple(n)) => Some(Size {
                    height: n,
                    width: n,
                }),
                None => None,
            },
        ];
        for size in sizes.into_iter().flatten() {
            count(size.width, size.height)?;
        }
        if let Some(resize) = &self.resize {
            resize.to.check()?;
        }
        let channels = self.channels.count();
        for numbers in [&self.mean, &self.std] {
            if ![0, 1, channels].contains(&numbers.len()) {
                return config(format!(
                    "{} means or deviations for {channels} channels",
                    numbers.len()
                ));
            }
        }
        let mut all = self.mean.iter().chain(&self.std).chain(&self.scale);
        // As f32, which they are used as.
        if all.any(|&x| !(x as f32).is_finite()) || self.std.iter().any(|&x| x as f32 == 0.0) {
            return config("a scale, mean or deviation that is not finite, or a deviation of zero");
        }
        if self.element == Element::U8
            && !(self.scale.is_none() && self.mean.is_empty() && self.std.is_empty())
        {
            return config("a tensor of bytes cannot be scaled or normalised");
        }
        Ok(())
    }
}
