//! The global scope: a worker's, or a window's, which has the same functions.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::WorkerGlobalScope;

/// The global object, seen as a worker's. Only members that a window has too are used.
pub(super) fn scope() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
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
