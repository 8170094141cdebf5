//! `fetch`, with the body read in parts and bounded, and nothing waited for without end.

use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, select};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestInit, Response};

use super::scope::{scope, sleep};

/// How long a server may take to begin its answer or to go on with it, in milliseconds. Whole files may take longer.
pub(super) const SERVER_MS: f64 = 20_000.0;

/// How long a part of what the browser has kept may take.
pub(super) const STORED_MS: f64 = 1000.0;

/// What `work` gives, unless it takes longer than that; the error says so.
pub(super) async fn within<T>(
    ms: f64,
    work: impl Future<Output = Result<T, JsValue>>,
) -> Result<T, JsValue> {
    match select(pin!(work), pin!(sleep(ms))).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(JsValue::from_str(&format!(
            "no answer within {} s",
            ms / 1000.0
        ))),
    }
}

/// Why a body could not be read to its end.
pub(super) enum BodyError {
    /// It has more bytes than are wanted.
    TooLarge,
    /// The connection broke, or the call was aborted.
    Broken(JsValue),
}

/// Starts a request. The error is what `fetch` threw. The caller bounds how long it takes.
pub(super) async fn fetch(url: &str, init: &RequestInit) -> Result<Response, JsValue> {
    let response = JsFuture::from(scope().fetch_with_str_and_init(url, init)).await?;
    response.dyn_into()
}

/// The same, ended when there is no answer within `ms`.
pub(super) async fn fetch_within(
    ms: f64,
    url: &str,
    init: &RequestInit,
) -> Result<Response, JsValue> {
    let controller = AbortController::new()?;
    init.set_signal(Some(&controller.signal()));
    let response = within(ms, fetch(url, init)).await;
    if response.is_err() {
        controller.abort();
    }
    response
}

/// Reads a body of at most `most` bytes into `bytes`, which is empty and may have room already; none of its parts may take
/// longer than `ms`. `news` sees each part once it is there, with how many bytes there are by then.
pub(super) async fn body(
    response: &Response,
    ms: f64,
    most: u64,
    bytes: &mut Vec<u8>,
    mut news: impl FnMut(&[u8], u64),
) -> Result<(), BodyError> {
    let Some(stream) = response.body() else {
        return Ok(());
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let part = within(ms, JsFuture::from(reader.read())).await;
        let part = part.map_err(|thrown| {
            let _ = reader.cancel();
            BodyError::Broken(thrown)
        })?;
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
