//! The browser's own copies of a bundle's files, in the Cache API.
//!
//! Everything here is best effort: a page without a secure context has no Cache API, a private
//! window may refuse to store, a disk may be full. Then files simply come from the network.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Cache, Request, Response};

use super::fetch;
use super::scope::sleep;
use crate::bundle::{Bundle, MAX_MANIFEST_BYTES};

/// How many manifests of a bundle are kept, by the queries of their addresses. What none of them names is forgotten.
const MANIFESTS: usize = 4;

#[wasm_bindgen]
extern "C" {
    /// Where a bundle's files are kept. The worker has it (pkg/src/store.ts), because it looks there before there is an
    /// engine.
    #[derive(Clone)]
    pub(super) type Files;

    #[wasm_bindgen(method, structural)]
    fn open(this: &Files) -> Promise;

    /// The key of a file.
    #[wasm_bindgen(method, structural)]
    fn file(this: &Files, address: &str, sha256: &str) -> String;

    /// The key of the manifest at an address.
    #[wasm_bindgen(method, structural)]
    fn manifest(this: &Files, address: &str) -> String;

    /// What the keys of all manifests begin with.
    #[wasm_bindgen(method, getter, structural)]
    fn manifests(this: &Files) -> String;
}

/// The stored files; empty and forgetful when the browser does not let us store.
#[derive(Clone)]
pub(super) struct Store {
    opened: Option<(Files, Cache)>,
    /// What is to be written once nobody waits for an answer.
    waiting: Rc<RefCell<Vec<(String, Uint8Array)>>>,
    /// What is still being written.
    writing: Rc<RefCell<Vec<Promise>>>,
}

impl Store {
    /// The store of one bundle; `files` is undefined where nothing is to be kept.
    pub(super) async fn open(files: JsValue) -> Self {
        let opened = if files.is_object() {
            let files: Files = files.unchecked_into();
            let cache = JsFuture::from(files.open()).await.ok();
            let cache = cache.filter(JsValue::is_object);
            // Not a cache itself, but with the same methods, which do not wait for ever.
            cache.map(|cache| (files, cache.unchecked_into()))
        } else {
            None
        };
        Store {
            opened,
            waiting: Rc::default(),
            writing: Rc::default(),
        }
    }

    /// The key of a file at an address, by what is in it.
    pub(super) fn key(&self, address: &str, sha256: &str) -> String {
        let files = self.opened.as_ref().map(|(files, _)| files);
        files.map_or_else(String::new, |files| files.file(address, sha256))
    }

    /// The key of the manifest at an address.
    pub(super) fn manifest_key(&self, address: &str) -> String {
        let files = self.opened.as_ref().map(|(files, _)| files);
        files.map_or_else(String::new, |files| files.manifest(address))
    }

    fn cache(&self) -> Option<&Cache> {
        self.opened.as_ref().map(|(_, cache)| cache)
    }

    /// The response that is stored under `key`.
    pub(super) async fn get(&self, key: &str) -> Option<Response> {
        let found = JsFuture::from(self.cache()?.match_with_str(key))
            .await
            .ok()?;
        found.dyn_into().ok()
    }

    /// The manifest that is stored under `key`.
    pub(super) async fn manifest(&self, key: &str) -> Option<Vec<u8>> {
        let stored = self.get(key).await?;
        let mut json = Vec::new();
        let read = fetch::body(
            &stored,
            fetch::STORED_MS,
            MAX_MANIFEST_BYTES,
            &mut json,
            |_, _| {},
        )
        .await;
        read.is_ok().then_some(json)
    }

    /// Will store a file: [`Store::flush`] begins.
    pub(super) fn put(&self, key: &str, bytes: &[u8]) {
        if self.opened.is_some() {
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
        let Some(cache) = self.cache() else { return };
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
        if let Some(cache) = self.cache() {
            let _ = JsFuture::from(cache.delete_with_str(key)).await;
        }
    }

    /// Begins to forget the files that this bundle's manifests do not name any more: the one with the key `manifest`, which
    /// names the files with the keys `named`, and the latest others. What other bundles store is elsewhere.
    pub(super) fn sweep(&self, base: &str, manifest: &str, named: Vec<String>) {
        let store = self.clone();
        let (base, manifest) = (base.to_owned(), manifest.to_owned());
        spawn_local(async move {
            store.forget(&base, &manifest, named).await;
        });
    }

    async fn forget(&self, base: &str, manifest: &str, mut named: Vec<String>) -> Option<()> {
        let (files, cache) = self.opened.as_ref()?;
        let keys = JsFuture::from(cache.keys()).await.ok()?;
        let keys = Array::from(&keys);
        let keys = keys.iter().filter_map(|key| key.dyn_into::<Request>().ok());
        let keys = keys.map(|request| request.url());
        let (manifests, stored): (Vec<String>, Vec<String>) =
            keys.partition(|key| key.starts_with(&files.manifests()));
        // The latest are the last.
        let others = manifests.iter().rev().filter(|key| *key != manifest);
        for (at, key) in others.enumerate() {
            let other = match self.manifest(key).await {
                Some(json) if at + 1 < MANIFESTS => Bundle::parse(&json).ok(),
                _ => None,
            };
            match other {
                Some(other) => named.extend(self.keys(base, &other)),
                None => self.delete(key).await,
            }
        }
        for key in stored {
            if !named.contains(&key) {
                self.delete(&key).await;
            }
        }
        Some(())
    }

    /// The keys of a bundle's files.
    pub(super) fn keys(&self, base: &str, bundle: &Bundle) -> Vec<String> {
        let files = bundle.manifest().files.iter();
        files
            .map(|(path, entry)| self.key(&format!("{base}{path}"), &entry.sha256))
            .collect()
    }
}
