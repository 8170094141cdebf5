//! The runtime for JavaScript. The only room that names wasm-bindgen, web-sys and js-sys; it turns
//! JavaScript values into calls, carries out `fetch`, the Cache API and the clock, and turns answers
//! and errors back. It runs in a worker (or a window, as its tests do).

// wasm-bindgen's macros expand to unsafe code.
#![allow(unsafe_code)]

mod abort;
#[cfg(feature = "bench")]
mod bench;
mod convert;
mod fetch;
mod folder;
mod host;
#[cfg(feature = "onnx")]
mod kinds;
#[cfg(feature = "onnx")]
mod listening;
mod model;
mod runtime;
mod scope;
#[cfg(feature = "onnx")]
mod searching;
#[cfg(feature = "onnx")]
mod session;
#[cfg(feature = "onnx")]
mod sound;
mod source;
mod store;
#[cfg(feature = "training")]
mod training;

#[cfg(feature = "bench")]
pub use bench::{KernelBench, kernel_cases};
pub use model::Model;
pub use runtime::WasmRuntime;
#[cfg(feature = "onnx")]
pub use session::Session;

use wasm_bindgen::prelude::wasm_bindgen;

/// Sends the message of a panic to the console. A panic is a defect; the worker that meets one is
/// replaced.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}
