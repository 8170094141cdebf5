//! The browser's own copies of a bundle's files, in the Cache API.
//!
//! Everything here is best effort: a page without a secure context has no Cache API, a private
//! window may refuse to store, a disk may be full. Then files simply come from the network.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Cache, Request, Response};

use super::scope::{scope, sleep};

/// The name of the cache all bundles of an origin share.
const NAME: &str = "smallfirst-v1";

/// The stored files; empty and forgetful when the browser does not let us store.
#[derive(Clone)]
pub(super) struct Store {
    cache: Option<Cache>,
    /// What is to be written once nobody waits for an answer.
    waiting: Rc<RefCell<Vec<(String, Uint8Array)>>>,
    /// What is still being written.
    writing: Rc<RefCell<Vec<Promise>>>,
}

impl Store {
    pub(super) async fn open() -> Self {
        // Outside a secure context `caches` is undefined, and calling through it would throw.
        let cache = match scope().caches() {
            Ok(caches) if !caches.is_undefined() => JsFuture::from(caches.open(NAME))
                .await
                .ok()
                .and_then(|cache| cache.dyn_into().ok()),
            _ => None,
        };
        Store {
            cache,
            waiting: Rc::default(),
            writing: Rc::default(),
        }
    }

    pub(super) fn none() -> Self {
        Store {
            cache: None,
            waiting: Rc::default(),
            writing: Rc::default(),
        }
    }

    /// The response that is stored under `key`.
    pub(super) async fn get(&self, key: &str) -> Option<Response> {
        let found = JsFuture::from(self.cache.as_ref()?.match_with_str(key))
            .await
            .ok()?;
        found.dyn_into().ok()
    }

    /// Will store a file: [`Store::flush`] begins.
    pub(super) fn put(&self, key: &str, bytes: &[u8]) {
        if self.cache.is_some() {
            let copy = Uint8Array::from(bytes);
            self.waiting.borrow_mut().push((key.to_owned(), copy));
        }
    }

    /// Begins to store what was put, once what runs now has handed over its answer.
    pub(super) fn flush(&self) {
        self.flush_in(0.0);
    }

    /// Begins to store what was put after some milliseconds.
    pub(super) fn flush_in(&self, ms: f64) {
        if !self.waiting.borrow().is_empty() {
            let store = self.clone();
            spawn_local(async move {
                sleep(ms).await;
                store.write();
            });
        }
    }

    fn write(&self) {
        let Some(cache) = &self.cache else { return };
        for (key, bytes) in self.waiting.take() {
            let Ok(response) = Response::new_with_opt_js_u8_array(Some(&bytes)) else {
                continue;
            };
            let writing = cache.put_with_str(&key, &response);
            self.writing.borrow_mut().push(writing.clone());
            let all = Rc::clone(&self.writing);
            spawn_local(async move {
                let _ = JsFuture::from(writing.clone()).await;
                all.borrow_mut()
                    .retain(|other| !js_sys::Object::is(other, &writing));
            });
        }
    }

    /// Waits until what was put is stored, or could not be.
    pub(super) async fn settled(&self) {
        // What was waited for goes on first.
        sleep(0.0).await;
        self.write();
        let writing = self.writing.borrow().clone();
        for promise in writing {
            let _ = JsFuture::from(promise).await;
        }
    }

    pub(super) async fn delete(&self, key: &str) {
        if let Some(cache) = &self.cache {
            let _ = JsFuture::from(cache.delete_with_str(key)).await;
        }
    }

    /// Begins to forget what is stored under addresses that begin with `prefix`, but for those `keep` names.
    pub(super) fn sweep(&self, prefix: String, keep: impl Fn(&str) -> bool + 'static) {
        let store = self.clone();
        spawn_local(async move { store.forget(&prefix, keep).await });
    }

    async fn forget(&self, prefix: &str, keep: impl Fn(&str) -> bool) {
        let Some(cache) = &self.cache else { return };
        let Ok(keys) = JsFuture::from(cache.keys()).await else {
            return;
        };
        for request in Array::from(&keys).iter() {
            let Ok(request) = request.dyn_into::<Request>() else {
                continue;
            };
            let url = request.url();
            if url.starts_with(prefix) && !keep(&url) {
                self.delete(&url).await;
            }
        }
    }
}
