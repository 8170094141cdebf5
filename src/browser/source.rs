//! A bundle behind an address: fetched file by file, verified, and kept in the browser.

use wasm_bindgen::JsValue;
use web_sys::{RequestCache, RequestInit, RequestRedirect};

use super::convert;
use super::fetch::{self, BodyError};
use super::store::Store;
use crate::bundle::{
    Bundle, FileEntry, MAX_MANIFEST_BYTES, Progress, ProgressStatus, Source, verify,
};
use crate::error::{Code, Error, Result};

/// The files of one bundle.
pub(super) struct WebSource {
    /// The address of the folder, with its final slash.
    base: String,
    store: Store,
    /// Hears of progress; `undefined` when nobody does.
    listener: JsValue,
}

impl WebSource {
    /// Fetches the manifest at `url`. When the network fails, the copy of the last visit serves.
    ///
    /// # Errors
    /// As [`Bundle::parse_pinned`], [`Code::BundleUnreachable`], or [`Code::FileSize`] when the files together are
    /// over `max_bytes`.
    pub(super) async fn open(
        url: &str,
        pin: Option<&str>,
        max_bytes: u64,
        persistent: bool,
        listener: JsValue,
    ) -> Result<(Bundle, Self)> {
        let store = if persistent {
            Store::open().await
        } else {
            Store::none()
        };
        let bundle = match fetch_manifest(url).await {
            Ok(json) => {
                let bundle = Bundle::parse_pinned(&json, pin)?;
                store.put(url, &json).await;
                bundle
            }
            Err(error) if error.code() == Code::BundleUnreachable => {
                match store.get(url, MAX_MANIFEST_BYTES).await {
                    Some(json) => Bundle::parse_pinned(&json, pin).map_err(|_| error)?,
                    None => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        let total: u64 = bundle.manifest().files.values().map(|f| f.bytes).sum();
        if total > max_bytes {
            return Err(Error::new(
                Code::FileSize,
                format!(
                    "the bundle's files have {total} bytes together, over maxBundleBytes ({max_bytes})"
                ),
            ));
        }
        let base = url
            .rsplit_once('/')
            .map_or(url, |(base, _)| base)
            .to_owned()
            + "/";
        let source = WebSource {
            base,
            store,
            listener,
        };
        // Files of an older revision of this bundle will never be asked for again.
        let current: Vec<String> = bundle
            .manifest()
            .files
            .iter()
            .map(|(path, entry)| source.key(path, entry))
            .collect();
        source
            .store
            .sweep(&source.base, |stored| {
                stored == url || current.iter().any(|key| key == stored)
            })
            .await;
        Ok((bundle, source))
    }

    /// The address a file is stored under: it names the contents, so that a new revision is never
    /// answered from an old copy.
    fn key(&self, path: &str, entry: &FileEntry) -> String {
        format!("{}{path}?sha256={}", self.base, entry.sha256)
    }

    fn tell(
        &self,
        status: ProgressStatus,
        path: &str,
        entry: &FileEntry,
        loaded: u64,
        cached: bool,
    ) {
        let Some(listener) = wasm_bindgen::JsCast::dyn_ref::<js_sys::Function>(&self.listener)
        else {
            return;
        };
        let news = Progress {
            status,
            file: path.to_owned(),
            loaded,
            total: entry.bytes,
            cached,
        };
        if let Ok(news) = convert::to_js(&news) {
            // What a listener throws is its own concern.
            let _ = listener.call1(&JsValue::UNDEFINED, &news);
        }
    }

    /// Fetches one file; `cache` says what the browser's HTTP cache may do.
    async fn download(
        &self,
        path: &str,
        entry: &FileEntry,
        cache: RequestCache,
    ) -> Result<Vec<u8>> {
        self.tell(ProgressStatus::Download, path, entry, 0, false);
        let init = RequestInit::new();
        init.set_cache(cache);
        let url = format!("{}{path}", self.base);
        let unreachable = |why: String| {
            Error::new(
                Code::BundleUnreachable,
                format!(
                    "{url} could not be fetched ({why}); check the network, or that the bundle is uploaded whole"
                ),
            )
        };
        let response = fetch::fetch(&url, &init)
            .await
            .map_err(|thrown| unreachable(convert::describe(&thrown)))?;
        match response.status() {
            200 => {}
            404 | 410 => {
                return Err(Error::new(
                    Code::FileMissing,
                    format!(
                        "{url} does not exist, but the manifest names it; upload the bundle whole"
                    ),
                ));
            }
            status => return Err(unreachable(format!("HTTP status {status}"))),
        }
        let news = |loaded| self.tell(ProgressStatus::Progress, path, entry, loaded, false);
        match fetch::body(&response, entry.bytes, news).await {
            Ok(bytes) => Ok(bytes),
            Err(BodyError::Broken(thrown)) => Err(unreachable(convert::describe(&thrown))),
            Err(BodyError::TooLarge) => Err(Error::new(
                Code::FileSize,
                format!(
                    "{url} has more than the {} bytes the manifest states",
                    entry.bytes
                ),
            )),
        }
    }
}

impl Source for WebSource {
    async fn read(&self, path: &str, entry: &FileEntry) -> Result<Vec<u8>> {
        let key = self.key(path, entry);
        if let Some(bytes) = self.store.get(&key, entry.bytes).await {
            if verify(path, entry, &bytes).is_ok() {
                self.tell(ProgressStatus::Verified, path, entry, entry.bytes, true);
                return Ok(bytes);
            }
            self.store.delete(&key).await;
            self.tell(ProgressStatus::Refetch, path, entry, 0, true);
        }
        let checked = |bytes: Vec<u8>| verify(path, entry, &bytes).map(|()| bytes);
        let first = self
            .download(path, entry, RequestCache::Default)
            .await
            .and_then(checked);
        let bytes = match first {
            // A stale or damaged copy in the HTTP cache looks like this: ask the server itself, once.
            Err(e) if matches!(e.code(), Code::HashMismatch | Code::FileSize) => self
                .download(path, entry, RequestCache::Reload)
                .await
                .and_then(checked)?,
            other => other?,
        };
        self.store.put(&key, &bytes).await;
        self.tell(ProgressStatus::Verified, path, entry, entry.bytes, false);
        Ok(bytes)
    }
}

async fn fetch_manifest(url: &str) -> Result<Vec<u8>> {
    let unreachable = |why: String| {
        Error::new(
            Code::BundleUnreachable,
            format!("{url} could not be fetched ({why}); check the address and the network"),
        )
    };
    let init = RequestInit::new();
    init.set_cache(RequestCache::NoCache);
    init.set_redirect(RequestRedirect::Follow);
    let response = fetch::fetch(url, &init)
        .await
        .map_err(|thrown| unreachable(convert::describe(&thrown)))?;
    match response.status() {
        200 => {}
        status @ 500.. => return Err(unreachable(format!("HTTP status {status}"))),
        status => {
            return Err(Error::new(
                Code::NotABundle,
                format!(
                    "there is no manifest at {url} (HTTP status {status}); point `bundle` at the folder that holds manifest.json"
                ),
            ));
        }
    }
    fetch::body(&response, MAX_MANIFEST_BYTES, |_| {})
        .await
        .map_err(|e| match e {
            BodyError::Broken(thrown) => unreachable(convert::describe(&thrown)),
            BodyError::TooLarge => Error::new(
                Code::NotABundle,
                format!("{url} has more than {MAX_MANIFEST_BYTES} bytes; it is no manifest"),
            ),
        })
}
