//! JavaScript values to ours and back.

use js_sys::{Array, JsString, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

#[cfg(feature = "onnx")]
use super::sound;
use crate::error::{Code, Error, Result};
use crate::runtime::options;
use crate::task::Input;

/// The longest input that is copied into wasm memory at all, in bytes. Limits of tasks are lower;
/// this one keeps a mistaken gigabyte from exhausting the memory before they are looked at.
const MAX_INPUT_BYTES: u32 = 256 << 20;

/// An input of a call, owned.
pub(super) enum OwnedInput {
    Text(String),
    Bytes(Vec<u8>),
    Pair {
        text: String,
        second: String,
    },
    #[cfg(feature = "onnx")]
    Image(crate::task::Pixels),
    #[cfg(feature = "onnx")]
    Sound {
        samples: Vec<f32>,
        rate: u32,
    },
    #[cfg(feature = "onnx")]
    Table(crate::task::Table),
}

impl OwnedInput {
    /// It, as a call has it.
    pub(super) fn as_input(&self) -> Input<'_> {
        match self {
            OwnedInput::Text(text) => Input::Text(text),
            OwnedInput::Bytes(bytes) => Input::Bytes(bytes),
            OwnedInput::Pair { text, second } => Input::Pair { text, second },
            #[cfg(feature = "onnx")]
            OwnedInput::Image(pixels) => Input::Image(pixels),
            #[cfg(feature = "onnx")]
            OwnedInput::Sound { samples, rate } => Input::Sound {
                samples,
                rate: *rate,
            },
            #[cfg(feature = "onnx")]
            OwnedInput::Table(table) => Input::Table(table),
        }
    }
}

/// Reads the options of `what`.
pub(super) fn options<T: DeserializeOwned>(value: JsValue, what: &str) -> Result<T> {
    options::read(what, serde_wasm_bindgen::Deserializer::from(value))
}

pub(super) fn input(value: &JsValue) -> Result<OwnedInput> {
    let check = |len: u32| {
        if len > MAX_INPUT_BYTES {
            return Err(Error::new(
                Code::InputTooLong,
                format!(
                    "the input has {len} bytes or more; the most that is looked at is {MAX_INPUT_BYTES}"
                ),
            ));
        }
        Ok(())
    };
    let text = |text: &JsString| {
        check(text.length())?;
        if !text.is_valid_utf16() {
            return Err(Error::new(
                Code::InvalidText,
                "the text has half a surrogate pair in it; repair it with text.toWellFormed()",
            ));
        }
        Ok(String::from(text))
    };
    if let Some(value) = value.dyn_ref::<JsString>() {
        return Ok(OwnedInput::Text(text(value)?));
    }
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        check(bytes.length())?;
        return Ok(OwnedInput::Bytes(bytes.to_vec()));
    }
    let part = |name: &str| {
        let part = Reflect::get(value, &JsValue::from_str(name)).ok()?;
        part.dyn_into::<JsString>().ok()
    };
    if let (Some(first), Some(second)) = (part("text"), part("second")) {
        return Ok(OwnedInput::Pair {
            text: text(&first)?,
            second: text(&second)?,
        });
    }
    #[cfg(feature = "onnx")]
    if let Some(pixels) = image(value)? {
        return Ok(OwnedInput::Image(pixels));
    }
    #[cfg(feature = "onnx")]
    if let Some((samples, rate)) = sound::sound(value)? {
        return Ok(OwnedInput::Sound { samples, rate });
    }
    #[cfg(feature = "onnx")]
    if let Some(table) = sound::table(value)? {
        return Ok(OwnedInput::Table(table));
    }
    Err(Error::new(
        Code::InputKind,
        "the input must be a string, a Uint8Array, two texts, an image's pixels, a sound's samples, or a row of a table",
    ))
}

/// The pixels of an object like `ImageData`; nothing where it is none.
#[cfg(feature = "onnx")]
fn image(value: &JsValue) -> Result<Option<crate::task::Pixels>> {
    let part = |name: &str| Reflect::get(value, &JsValue::from_str(name)).ok();
    let number = |name: &str| part(name).and_then(|n| n.as_f64());
    let data = part("data").and_then(|data| data.dyn_into::<js_sys::Uint8ClampedArray>().ok());
    let (Some(width), Some(height), Some(data)) = (number("width"), number("height"), data) else {
        return Ok(None);
    };
    let (width, height) = (width as u32, height as u32);
    if u64::from(width) * u64::from(height) > smallfirst_image::MAX_PIXELS {
        return Err(Error::new(
            Code::InputTooLong,
            format!(
                "the image has {width} x {height} pixels; the most are {}",
                smallfirst_image::MAX_PIXELS
            ),
        ));
    }
    let pixels = crate::task::Pixels::new(width, height, data.to_vec());
    Ok(Some(pixels?))
}

/// A value as a plain JavaScript object, with `null` for what is absent.
pub(super) fn to_js<T: Serialize + ?Sized>(value: &T) -> Result<JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|e| {
            Error::new(
                Code::Internal,
                format!("an answer could not be given to JavaScript: {e}"),
            )
        })
}

/// An `Error` with `name`, `code` and, where something was tried, `attempts`.
pub(super) fn error_to_js(error: &Error) -> JsValue {
    let js = js_sys::Error::new(&error.to_string());
    js.set_name("SmallFirstError");
    let attempts = to_js(error.attempts()).unwrap_or_else(|_| Array::new().into());
    for (key, value) in [
        ("code", JsValue::from_str(error.code().as_str())),
        ("attempts", attempts),
    ] {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&js, &JsValue::from_str(key), &value);
    }
    js.into()
}

/// What a thrown JavaScript value says of itself.
pub(super) fn describe(thrown: &JsValue) -> String {
    let text = match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => thrown.as_string().unwrap_or_else(|| format!("{thrown:?}")),
    };
    crate::error::excerpt(&text, 200)
}
