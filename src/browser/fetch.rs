//! `fetch`, with the body read in parts and bounded.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, RequestInit, Response};

use super::scope::scope;

/// Why a body could not be read to its end.
pub(super) enum BodyError {
    /// It has more bytes than are wanted.
    TooLarge,
    /// The connection broke, or the call was aborted.
    Broken(JsValue),
}

/// Starts a request. The error is what `fetch` threw.
pub(super) async fn fetch(url: &str, init: &RequestInit) -> Result<Response, JsValue> {
    let response = JsFuture::from(scope().fetch_with_str_and_init(url, init)).await?;
    response.dyn_into()
}

/// Reads a body of at most `most` bytes into `bytes`, which is empty and may have room already. `news` sees each part
/// once it is there, with how many bytes there are by then.
pub(super) async fn body(
    response: &Response,
    most: u64,
    bytes: &mut Vec<u8>,
    mut news: impl FnMut(&[u8], u64),
) -> Result<(), BodyError> {
    let Some(stream) = response.body() else {
        return Ok(());
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let part = JsFuture::from(reader.read())
            .await
            .map_err(BodyError::Broken)?;
        let get =
            |key: &str| Reflect::get(&part, &JsValue::from_str(key)).map_err(BodyError::Broken);
        if get("done")?.is_truthy() {
            return Ok(());
        }
        let chunk: Uint8Array = get("value")?.dyn_into().map_err(BodyError::Broken)?;
        if bytes.len() as u64 + u64::from(chunk.length()) > most {
            // The rest is not wanted; whether cancelling works does not matter any more.
            let _ = reader.cancel();
            return Err(BodyError::TooLarge);
        }
        let from = bytes.len();
        bytes.resize(from + chunk.length() as usize, 0);
        chunk.copy_to(&mut bytes[from..]);
        news(&bytes[from..], bytes.len() as u64);
    }
}
