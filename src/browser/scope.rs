//! The global scope: a worker's, or a window's, which has the same functions.

use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

use crate::runtime::Clock;

/// The global object, seen as a worker's. Only members that a window has too are used.
pub(super) fn scope() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// `performance.now()`, `Date.now()` and `Math.random()`.
pub(super) struct PageClock;

impl Clock for PageClock {
    fn now_ms(&self) -> f64 {
        scope().performance().map_or(0.0, |p| p.now())
    }

    fn wall_ms(&self) -> f64 {
        js_sys::Date::now()
    }

    fn uniform(&self) -> f64 {
        js_sys::Math::random()
    }
}
