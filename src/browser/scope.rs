//! The global scope: a worker's, or a window's, which has the same functions.

use js_sys::Promise;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::WorkerGlobalScope;

#[wasm_bindgen]
extern "C" {
    /// The global object. `js_sys::global` would take a `window` first, and in Node tests put one of jsdom there, without `fetch`.
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    static GLOBAL_THIS: JsValue;
}

/// The global object, seen as a worker's. Only members that a window has too are used.
pub(super) fn scope() -> WorkerGlobalScope {
    GLOBAL_THIS.with(|global| global.clone().unchecked_into())
}

/// Waits some milliseconds, or until it is dropped.
pub(super) async fn sleep(ms: f64) {
    // What a timer can hold; beyond it, it would ring at once.
    let ms = ms.clamp(0.0, f64::from(i32::MAX)) as i32;
    let mut timer = None;
    let rings = Promise::new(&mut |resolve, _| {
        timer = scope()
            .set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms)
            .ok()
            .map(Timer);
        if timer.is_none() {
            // Without a timer, there is nothing to wait for.
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    });
    let _ = JsFuture::from(rings).await;
}

/// A timer, stopped when nobody waits for it any more.
struct Timer(i32);

impl Drop for Timer {
    fn drop(&mut self) {
        scope().clear_timeout_with_handle(self.0);
    }
}
