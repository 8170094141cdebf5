//! JavaScript values to ours and back.

use js_sys::{Array, JsString, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

use crate::error::{Code, Error, Result};
use crate::runtime::options;

/// The longest input that is copied into wasm memory at all, in bytes. Limits of tasks are lower;
/// this one keeps a mistaken gigabyte from exhausting the memory before they are looked at.
const MAX_INPUT_BYTES: u32 = 256 << 20;

/// An input of a call, owned.
pub(super) enum OwnedInput {
    Text(String),
    Bytes(Vec<u8>),
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
    if let Some(text) = value.dyn_ref::<JsString>() {
        check(text.length())?;
        if !text.is_valid_utf16() {
            return Err(Error::new(
                Code::InvalidText,
                "the text has half a surrogate pair in it; repair it with text.toWellFormed()",
            ));
        }
        return Ok(OwnedInput::Text(text.into()));
    }
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        check(bytes.length())?;
        return Ok(OwnedInput::Bytes(bytes.to_vec()));
    }
    Err(Error::new(
        Code::InputKind,
        "the input must be a string or a Uint8Array",
    ))
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
