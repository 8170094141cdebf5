//! Waiting for a caller's abort.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::closure::ScopedClosure;
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

/// Ends when the caller aborts. A call waits many times, and its signal may be one for all calls: nothing stays with the signal
/// once this is dropped, which a promise's callbacks would.
pub(super) struct Abort {
    signal: AbortSignal,
    waker: Rc<RefCell<Option<Waker>>>,
    listener: ScopedClosure<'static, dyn FnMut()>,
}

impl Abort {
    pub(super) fn of(signal: &AbortSignal) -> Self {
        let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
        let waiting = Rc::clone(&waker);
        let listener = ScopedClosure::<dyn FnMut()>::new(move || {
            if let Some(waker) = waiting.take() {
                waker.wake();
            }
        });
        // Adding a listener to a signal cannot fail.
        let _ = signal
            .add_event_listener_with_callback("abort", listener.as_js_value().unchecked_ref());
        Abort {
            signal: signal.clone(),
            waker,
            listener,
        }
    }
}

impl Future for Abort {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.signal.aborted() {
            return Poll::Ready(());
        }
        self.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        let listener = self.listener.as_js_value().unchecked_ref();
        let _ = self
            .signal
            .remove_event_listener_with_callback("abort", listener);
    }
}
