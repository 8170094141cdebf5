//! What a folder of Hugging Face's says about images: `preprocessor_config.json`.
//!
//! The steps and their rounding are those of transformers' processors that use Pillow. Those that use torchvision (`…Fast`) resize in
//! floats, so a value may differ by one of 255. What is asked for and not known is refused by its name.

mod classes;
mod read;

use serde_json::{Map, Value};

pub use classes::CLASSES;

use crate::fault::{Result, config};
use crate::processor::{Channels, ImageProcessor, Pad, PadTo, Resize, Size, Target};
use crate::resample::Filter;
use classes::{Class, Sizing};
use read::Fields;

impl ImageProcessor {
    /// The processor that a `preprocessor_config.json` describes.
    ///
    /// # Errors
    /// When it is of a class that is not in [`CLASSES`], or says something that is not known or cannot be.
    pub fn of_config(json: &Value) -> Result<ImageProcessor> {
        let Value::Object(map) = json else {
            return config("the processor's description is no JSON object");
        };
        let class = Class::named(name(map)?)?;
        let mut fields = Fields::new(map);
        let processor = read(class, &mut fields)?;
        fields.finish()?;
        processor.check()?;
        Ok(processor)
    }
}

/// The class, without the suffix of those that use torchvision.
fn name(map: &Map<String, Value>) -> Result<&str> {
    let keys = ["image_processor_type", "feature_extractor_type"];
    match keys.iter().find_map(|key| map.get(*key)) {
        Some(Value::String(name)) => Ok(name.strip_suffix("Fast").unwrap_or(name)),
        _ => config("the processor's description names no image_processor_type"),
    }
}

fn read(class: &Class, fields: &mut Fields<'_>) -> Result<ImageProcessor> {
    let mut made = ImageProcessor::default();
    let size = fields.size("size", class.square)?;
    let detects = matches!(class.sizing, Sizing::Detects | Sizing::DetectsIn16);
    let filter = match fields.number("resample")? {
        None => class.filter,
        Some(code) => match Filter::of_pillow(u64::from(code)) {
            Some(filter) => filter,
            None => return config(format!("resample: {code} is no filter of Pillow's")),
        },
    };
    if !matches!(fields.text("data_format")?, None | Some("channels_first")) {
        return config("data_format: only channels_first is supported");
    }
    let crop = fields.size("crop_size", true)?;
    let crops = fields
        .switch("do_center_crop")?
        .unwrap_or(class.crop.is_some());
    if crops && class.sizing != Sizing::Crops {
        let Some(size) = crop.or(class.crop.map(square)) else {
            return config("do_center_crop without a crop_size");
        };
        made.crop = Some(exact(size, "crop_size")?);
    }
    if fields.switch("do_resize")?.unwrap_or(true) {
        let size = size.unwrap_or(class.size);
        let to = match class.sizing {
            Sizing::Divides => Target::Multiple(fields.number("size_divisor")?.unwrap_or(32)),
            Sizing::Crops => {
                let percent = fields.float("crop_pct")?.unwrap_or(224.0 / 256.0);
                let Some((target, crop)) = cropped(size, percent) else {
                    return config("size: no shortest_edge, or a crop_pct that is none");
                };
                made.crop = crop;
                target
            }
            Sizing::Plain => plain(size),
            Sizing::Detects | Sizing::DetectsIn16 => {
                let most = fields.number("max_size")?.unwrap_or(1333);
                detecting(size, most, class.sizing == Sizing::DetectsIn16)
            }
        };
        made.resize = Some(Resize { to, filter });
    }
    let pads = match detects {
        true => fields.switch("pad_and_return_pixel_mask")?,
        false => None,
    };
    let pads = fields.switch("do_pad")?.or(pads).unwrap_or(class.pads);
    let to = fields.size("pad_size", true)?;
    match (pads, to) {
        (true, Some(to)) => {
            let to = PadTo::Size(exact(to, "pad_size")?);
            made.pad = Some(Pad {
                to,
                gray: None,
                centered: false,
            });
        }
        // Up to the largest of a batch, which is of one image here.
        (true, None) if detects => {}
        (true, None) => return config("do_pad without a pad_size"),
        (false, _) => {}
    }
    numbers(class, fields, &mut made)?;
    Ok(made)
}

/// Scaling, normalising and the order of channels.
fn numbers(class: &Class, fields: &mut Fields<'_>, made: &mut ImageProcessor) -> Result<()> {
    let factor = fields.float("rescale_factor")?;
    let scales = fields.switch("do_rescale")?.unwrap_or(true);
    if scales {
        made.scale = Some(factor.unwrap_or(1.0 / 255.0));
    }
    let mean = fields.floats("image_mean")?;
    let std = fields.floats("image_std")?;
    let std = std.unwrap_or_else(|| class.std.to_vec());
    if fields.switch("do_normalize")?.unwrap_or(class.normalises) {
        made.mean = mean.unwrap_or_else(|| class.mean.to_vec());
        made.std = std.clone();
    }
    // EfficientNet subtracts 1 before it normalises, and divides by the deviation twice.
    if fields.switch("rescale_offset")? == Some(true) && scales {
        if made.mean.is_empty() {
            made.mean.push(0.0);
        }
        made.mean.iter_mut().for_each(|mean| *mean += 1.0);
    }
    if fields
        .switch("include_top")?
        .unwrap_or(class.name == "EfficientNetImageProcessor")
    {
        made.std = match made.std.is_empty() {
            true => std,
            false => std.iter().map(|std| std * std).collect(),
        };
    }
    if fields
        .switch("do_flip_channel_order")?
        .unwrap_or(class.flips)
    {
        made.channels = Channels::Bgr;
    }
    Ok(())
}

fn square(edge: u32) -> Wanted {
    Wanted {
        height: Some(edge),
        width: Some(edge),
        ..Wanted::default()
    }
}

/// A `size` as it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    height: Option<u32>,
    width: Option<u32>,
    shortest: Option<u32>,
    longest: Option<u32>,
    most: Option<Size>,
}

fn exact(wanted: Wanted, key: &str) -> Result<Size> {
    match (wanted.height, wanted.width) {
        (Some(height), Some(width)) => Ok(Size { height, width }),
        _ => config(format!("{key}: no height and width")),
    }
}

fn plain(wanted: Wanted) -> Target {
    match (wanted, exact(wanted, "size")) {
        (
            Wanted {
                shortest: Some(edge),
                longest,
                ..
            },
            _,
        ) => Target::Shortest {
            edge,
            at_most: longest,
        },
        (_, Ok(size)) => Target::Exact(size),
        // Refused by what checks the processor.
        _ => Target::Exact(Size {
            height: 0,
            width: 0,
        }),
    }
}

fn detecting(wanted: Wanted, most: u32, in_16: bool) -> Target {
    match wanted {
        Wanted {
            shortest: Some(edge),
            longest,
            ..
        } => Target::Detection {
            edge,
            at_most: longest.or(Some(most)),
            multiple: in_16.then_some(16),
        },
        Wanted {
            most: Some(size), ..
        } => Target::Within(size),
        _ => plain(wanted),
    }
}

/// ConvNeXT: below 384 pixels a larger image is made of which the middle is cut, from there on the image is squeezed.
fn cropped(wanted: Wanted, percent: f64) -> Option<(Target, Option<Size>)> {
    let edge = wanted.shortest?;
    let size = Size {
        height: edge,
        width: edge,
    };
    if edge >= 384 {
        return Some((Target::Exact(size), None));
    }
    let larger = f64::from(edge) / percent;
    let target = Target::Shortest {
        edge: larger as u32,
        at_most: None,
    };
    let fits = percent > 0.0 && larger <= f64::from(u32::MAX);
    fits.then_some((target, Some(size)))
}
