//! An image or a sound on its way to a remote: made smaller and written anew, so that it has a bound, and holds nothing but what is
//! seen or heard.

#[cfg(not(feature = "onnx"))]
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

#[cfg(feature = "onnx")]
use crate::error::{Code, Error, Result};
#[cfg(feature = "onnx")]
use crate::task::Input;
use crate::task::InputKind;
#[cfg(feature = "onnx")]
use crate::task::sound::of_sound;

/// How many pixels the longer side of an image has at most.
#[cfg(feature = "onnx")]
pub const LONGEST_SIDE: u32 = 1024;

/// So many pixels are a token, about, as Anthropic counts them.
#[cfg(feature = "onnx")]
const PIXELS_OF_A_TOKEN: u32 = 750;

/// How many samples a second of a sound has.
#[cfg(feature = "onnx")]
pub const SOUND_RATE: u32 = 16_000;

/// How many seconds of a sound are sent at most.
#[cfg(feature = "onnx")]
pub const MOST_SECONDS: u32 = 60;

/// A second of a sound is so many tokens, as Gemini counts them.
#[cfg(feature = "onnx")]
const TOKENS_OF_A_SECOND: u32 = 32;

/// What beside text a remote may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Medium {
    /// Images.
    Image,
    /// Sounds.
    Sound,
}

impl Medium {
    /// That of an input; none where words, or a file's bytes in words, are enough.
    pub fn of(kind: InputKind) -> Option<Self> {
        match kind {
            InputKind::Image => Some(Medium::Image),
            InputKind::Sound => Some(Medium::Sound),
            InputKind::Text | InputKind::Pair | InputKind::Bytes | InputKind::Table => None,
        }
    }

    /// Its name in the options.
    pub fn as_str(self) -> &'static str {
        match self {
            Medium::Image => "image",
            Medium::Sound => "sound",
        }
    }
}

/// A file that goes with a question.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Attachment {
    /// Its media type: `"image/jpeg"` or `"audio/wav"`.
    #[serde(rename = "type")]
    mime: &'static str,
    /// Its bytes in base64.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(test, ts(type = "string"))]
    data: Arc<str>,
    #[serde(skip)]
    medium: Medium,
    /// How many tokens it costs, about.
    #[serde(skip)]
    tokens: u32,
    /// Without images and sounds there is none, and no code for one.
    #[cfg(not(feature = "onnx"))]
    #[serde(skip)]
    none: Infallible,
}

fn as_text<S: serde::Serializer>(data: &Arc<str>, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(data)
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.mime, self.data.len() / 4 * 3)
    }
}

impl Attachment {
    /// What it is.
    pub fn medium(&self) -> Medium {
        self.medium
    }

    /// Its media type.
    pub fn mime(&self) -> &'static str {
        self.mime
    }

    /// The name of its format in requests that have no media type.
    pub fn format(&self) -> &'static str {
        match self.medium {
            Medium::Image => "jpeg",
            Medium::Sound => "wav",
        }
    }

    /// Its bytes in base64.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// It as an address that holds all of it.
    pub fn data_url(&self) -> String {
        format!("data:{};base64,{}", self.mime, self.data)
    }

    /// How many tokens it costs, about: every provider counts in its own way.
    pub(super) fn tokens(&self) -> u32 {
        self.tokens
    }
}

/// What of an input goes with a question as a file.
///
/// # Errors
/// [`Code::InputTooLong`] for a sound over [`MOST_SECONDS`], or what is wrong with the input.
#[cfg(feature = "onnx")]
pub(super) fn attachment(input: Input<'_>) -> Result<Option<Attachment>> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    Ok(Some(match input {
        Input::Image(pixels) => {
            let picture = smallfirst_image::picture(pixels, LONGEST_SIDE)?;
            Attachment {
                mime: "image/jpeg",
                data: STANDARD.encode(&picture.jpeg).into(),
                medium: Medium::Image,
                tokens: (picture.width * picture.height).div_ceil(PIXELS_OF_A_TOKEN),
            }
        }
        Input::Sound { samples, rate } => {
            let most = u64::from(rate) * u64::from(MOST_SECONDS);
            if rate > 0 && samples.len() as u64 > most {
                let seconds = samples.len() as f64 / f64::from(rate);
                return Err(Error::new(
                    Code::InputTooLong,
                    format!(
                        "the sound has {seconds:.1} seconds, and at most {MOST_SECONDS} are sent to a remote; cut it"
                    ),
                ));
            }
            let samples = smallfirst_sound::resample(samples, rate, SOUND_RATE);
            let samples = samples.map_err(|why| of_sound(&why))?;
            let seconds = (samples.len() as u32).div_ceil(SOUND_RATE);
            Attachment {
                mime: "audio/wav",
                data: STANDARD
                    .encode(smallfirst_sound::wav(&samples, SOUND_RATE))
                    .into(),
                medium: Medium::Sound,
                tokens: seconds * TOKENS_OF_A_SECOND,
            }
        }
        Input::Text(_) | Input::Pair { .. } | Input::Bytes(_) | Input::Table(_) => return Ok(None),
    }))
}
