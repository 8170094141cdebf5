//! A bundle behind an address: fetched file by file, verified, and kept in the browser.

use std::pin::pin;

use futures_util::future::{Either, select};
use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestCache, RequestInit, RequestRedirect, Response};

use super::convert;
use super::fetch::{self, BodyError};
use super::scope::{scope, sleep};
use super::store::Store;
use crate::bundle::{
    Bundle, FileEntry, MAX_MANIFEST_BYTES, Progress, ProgressStatus, Source, verify, verify_hash,
};
use crate::error::{Code, Error, Result};

/// The files of one bundle.
pub(super) struct WebSource {
    /// The address of the folder, with its final slash.
    base: String,
    /// What follows the path in the manifest's address, a signature for example: the files beside it need it, too.
    query: String,
    store: Store,
    /// Hears of progress; `undefined` when nobody does.
    listener: JsValue,
    ahead: Ahead,
    /// The most bytes of a file where no manifest lists the files: they are neither verified nor kept.
    #[cfg(feature = "onnx")]
    unlisted: Option<u64>,
}

/// When the manifest is stored where nothing is asked, in milliseconds: after what a first answer needs.
const UNASKED_MS: f64 = 2000.0;

/// The slowest network on which a file that comes whole is waited for, in bytes a millisecond.
const SLOWEST: f64 = 32.0;

/// How long the manifest is waited for where there is a copy of it, in milliseconds.
const WITH_COPY_MS: f64 = 4000.0;

/// Gives the response to a request that the worker made before there was an engine.
#[derive(Clone)]
pub(super) struct Ahead(Option<Function>);

impl Ahead {
    /// `fetch(url)` gives a response or nothing, or a promise of it.
    pub(super) fn new(fetch: Option<Function>) -> Self {
        Ahead(fetch)
    }

    /// The response to a request for `url`, if one was made ahead. The error is what was thrown.
    pub(super) async fn take(&self, url: &str) -> std::result::Result<Option<Response>, JsValue> {
        let Some(ahead) = &self.0 else {
            return Ok(None);
        };
        let made = ahead.call1(&JsValue::UNDEFINED, &JsValue::from_str(url))?;
        let made = JsFuture::from(Promise::resolve(&made)).await?;
        Ok(made.dyn_into().ok())
    }
}

impl Ahead {
    /// The response to a request that was made ahead, or else to one that is made now.
    pub(super) async fn get(
        &self,
        url: &str,
        init: &RequestInit,
    ) -> std::result::Result<Response, JsValue> {
        match fetch::within(fetch::SERVER_MS, self.take(url)).await? {
            Some(response) => Ok(response),
            None => fetch::fetch_within(fetch::SERVER_MS, url, init).await,
        }
    }
}

impl WebSource {
    /// Fetches the manifest at `url`. When the network fails, the copy of the last visit serves. Where copies are: `files`.
    ///
    /// # Errors
    /// As [`Bundle::parse_pinned`], [`Code::BundleUnreachable`], [`Code::FileMissing`] when there is no manifest, or
    /// [`Code::FileSize`] when the files together are over `max_bytes`.
    pub(super) async fn open(
        url: &str,
        pin: Option<&str>,
        max_bytes: u64,
        files: JsValue,
        listener: JsValue,
        ahead: Ahead,
    ) -> Result<(Bundle, Self)> {
        let store = Store::open(files).await;
        let manifest_key = store.manifest_key(url);
        let fetched = manifest_or_copy(url, &ahead, &store, &manifest_key).await;
        let bundle = match fetched {
            Ok(json) => {
                let bundle = Bundle::parse_pinned(&json, pin)?;
                store.put(&manifest_key, &json);
                store.flush_in(UNASKED_MS);
                bundle
            }
            Err(error) if error.code() == Code::BundleUnreachable => {
                match store.manifest(&manifest_key).await {
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
        let (base, query) = WebSource::place(url);
        let named = store.keys(&base, &bundle);
        store.sweep(&base, &manifest_key, named);
        let source = WebSource {
            base,
            query,
            store,
            listener,
            ahead,
            #[cfg(feature = "onnx")]
            unlisted: None,
        };
        Ok((bundle, source))
    }

    /// The folder of a manifest, with its final slash, and what follows the path in its address.
    pub(super) fn place(url: &str) -> (String, String) {
        // What follows the path may have slashes, too.
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let query = url.split('#').next().unwrap_or(url);
        let query = query.strip_prefix(path).unwrap_or_default().to_owned();
        let base = path.rsplit_once('/').map_or(path, |(base, _)| base);
        (format!("{base}/"), query)
    }

    /// The files of a folder without a manifest, each of `most` bytes at most.
    #[cfg(feature = "onnx")]
    pub(super) async fn unlisted(
        base: String,
        query: String,
        most: u64,
        listener: JsValue,
        ahead: Ahead,
    ) -> Self {
        WebSource {
            base,
            query,
            store: Store::open(JsValue::UNDEFINED).await,
            listener,
            ahead,
            unlisted: Some(most),
        }
    }

    /// Fetches a file of which nothing is known. The browser's own HTTP cache is all that keeps it.
    #[cfg(feature = "onnx")]
    async fn fetch_unlisted(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        let url = format!("{}{path}{}", self.base, self.query);
        let unreachable = |why: String| unreachable(&url, &why);
        let response = self.ahead.get(&url, &RequestInit::new()).await;
        let response = response.map_err(|thrown| unreachable(convert::describe(&thrown)))?;
        if response.status() != 200 {
            return Err(Error::new(
                Code::FileMissing,
                format!("{url} is not there: HTTP status {}", response.status()),
            ));
        }
        let length = response.headers().get("content-length").ok().flatten();
        let length = length.and_then(|length| length.parse::<u64>().ok());
        let entry = FileEntry {
            bytes: length.unwrap_or_default(),
            sha256: String::new(),
            license: String::new(),
            prepared_from: None,
            weights: None,
        };
        let mut bytes = Vec::new();
        let _ = bytes.try_reserve_exact(entry.bytes.min(most) as usize);
        let news = |loaded| self.tell(ProgressStatus::Progress, path, &entry, loaded, false);
        match fetch::body(&response, fetch::SERVER_MS, most, &mut bytes, |_, n| {
            news(n)
        })
        .await
        {
            Ok(()) => Ok(bytes),
            Err(BodyError::Broken(thrown)) => Err(unreachable(convert::describe(&thrown))),
            Err(BodyError::TooLarge) => Err(Error::new(
                Code::FileSize,
                format!("{url} has more than maxBundleBytes ({most})"),
            )),
        }
    }

    fn tell(
        &self,
        status: ProgressStatus,
        path: &str,
        entry: &FileEntry,
        loaded: u64,
        cached: bool,
    ) {
        let Some(listener) = self.listener.dyn_ref::<Function>() else {
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

    /// Begins to store what was fetched.
    pub(super) fn flush(&self) {
        self.store.flush();
    }

    /// Waits until what was fetched is stored, for a visit without a network.
    pub(super) async fn settled(&self) {
        self.store.settled().await;
    }

    /// Reads a file from a response, straight into the memory it stays in, and verifies it. No part of it may take longer
    /// than `ms`.
    async fn receive(
        &self,
        response: &Response,
        ms: f64,
        path: &str,
        entry: &FileEntry,
        mut news: impl FnMut(u64),
    ) -> std::result::Result<Result<Vec<u8>>, BodyError> {
        let mut bytes = Vec::new();
        // `open` has seen to it that all files together are within bounds. Without room at once, it is made on the way.
        let _ = bytes.try_reserve_exact(entry.bytes as usize);
        fetch::body(response, ms, entry.bytes, &mut bytes, |_, loaded| {
            news(loaded)
        })
        .await?;
        let verified = match digest(&bytes).await {
            Some(found) if bytes.len() as u64 == entry.bytes => verify_hash(path, entry, &found),
            _ => verify(path, entry, &bytes),
        };
        Ok(verified.map(|()| bytes))
    }

    /// Fetches one file, unless that was done ahead, and verifies it. The browser's HTTP cache is not asked where it is to
    /// be fetched `anew`.
    async fn download(
        &self,
        path: &str,
        entry: &FileEntry,
        made: Option<Response>,
        anew: bool,
    ) -> Result<Vec<u8>> {
        self.tell(ProgressStatus::Download, path, entry, 0, false);
        let init = RequestInit::new();
        if anew {
            init.set_cache(RequestCache::Reload);
        }
        let url = format!("{}{path}{}", self.base, self.query);
        let unreachable = |why: String| unreachable(&url, &why);
        let response = match made {
            Some(response) => response,
            None => fetch::fetch_within(fetch::SERVER_MS, &url, &init)
                .await
                .map_err(|thrown| unreachable(convert::describe(&thrown)))?,
        };
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
        match self
            .receive(&response, fetch::SERVER_MS, path, entry, news)
            .await
        {
            Ok(verified) => verified,
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
        #[cfg(feature = "onnx")]
        if let Some(most) = self.unlisted {
            return self.fetch_unlisted(path, most).await;
        }
        let url = format!("{}{path}{}", self.base, self.query);
        // Without the query: that may be another one the next time.
        let key = self
            .store
            .key(&format!("{}{path}", self.base), &entry.sha256);
        // It may come whole: the wait is for all of it.
        let patience = fetch::SERVER_MS + entry.bytes as f64 / SLOWEST;
        let made = fetch::within(patience, self.ahead.take(&url)).await;
        let made = made.map_err(|thrown| unreachable(&url, &convert::describe(&thrown)))?;
        // What was fetched ahead was not in the store.
        let stored = match &made {
            Some(_) => None,
            None => self.store.get(&key).await,
        };
        if let Some(stored) = stored {
            // A copy that is too long is as damaged as one that is too short.
            if let Ok(Ok(bytes)) = self
                .receive(&stored, fetch::STORED_MS, path, entry, |_| {})
                .await
            {
                self.tell(ProgressStatus::Verified, path, entry, entry.bytes, true);
                return Ok(bytes);
            }
            self.store.delete(&key).await;
            self.tell(ProgressStatus::Refetch, path, entry, 0, true);
        }
        let bytes = match self.download(path, entry, made, false).await {
            // A stale or damaged copy in the HTTP cache looks like this: ask the server itself, once.
            Err(e) if matches!(e.code(), Code::HashMismatch | Code::FileSize) => {
                // Each request that was made ahead is handed out once; what is no server's is read again.
                let again = self.ahead.take(&url).await.ok().flatten();
                self.download(path, entry, again, true).await?
            }
            other => other?,
        };
        self.store.put(&key, &bytes);
        self.tell(ProgressStatus::Verified, path, entry, entry.bytes, false);
        Ok(bytes)
    }
}

fn unreachable(url: &str, why: &str) -> Error {
    Error::new(
        Code::BundleUnreachable,
        format!(
            "{url} could not be fetched ({why}); check the network, or that the bundle is uploaded whole"
        ),
    )
}

/// From how many bytes on a file is hashed by the browser: it does so beside this thread, but takes a turn for it.
const LONG: usize = 128 * 1024;

/// The SHA-256 of a long file, where the browser computes it: in secure contexts only.
async fn digest(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < LONG {
        return None;
    }
    let subtle = scope().crypto().ok()?.subtle();
    if subtle.is_undefined() {
        return None;
    }
    // It takes a copy before it returns.
    let hash = subtle.digest_with_str_and_u8_array("SHA-256", bytes).ok()?;
    let hash = JsFuture::from(hash).await.ok()?;
    Some(Uint8Array::new(&hash).to_vec())
}

/// Fetches the manifest. A server that is slow is waited for no longer than for others where there is a copy of it.
async fn manifest_or_copy(url: &str, ahead: &Ahead, store: &Store, key: &str) -> Result<Vec<u8>> {
    let mut fetching = pin!(fetch_manifest(url, ahead));
    match select(&mut fetching, pin!(sleep(WITH_COPY_MS))).await {
        Either::Left((fetched, _)) => fetched,
        Either::Right(_) if store.get(key).await.is_some() => {
            let why = format!("no answer within {} s", WITH_COPY_MS / 1000.0);
            Err(unreachable(url, &why))
        }
        Either::Right(_) => fetching.await,
    }
}

async fn fetch_manifest(url: &str, ahead: &Ahead) -> Result<Vec<u8>> {
    let unreachable = |why: String| {
        Error::new(
            Code::BundleUnreachable,
            format!("{url} could not be fetched ({why}); check the address and the network"),
        )
    };
    let init = RequestInit::new();
    init.set_cache(RequestCache::NoCache);
    init.set_redirect(RequestRedirect::Follow);
    let response = ahead.get(url, &init).await;
    let response = response.map_err(|thrown| unreachable(convert::describe(&thrown)))?;
    let ty = response.headers().get("content-type").ok().flatten();
    match response.status() {
        // Servers of apps give the app's page for what is not there.
        200 if !ty.is_some_and(|ty| ty.starts_with("text/html")) => {}
        status @ 500.. => return Err(unreachable(format!("HTTP status {status}"))),
        status => {
            return Err(Error::new(
                Code::FileMissing,
                format!(
                    "there is no manifest at {url} (HTTP status {status}); point `bundle` at the folder that holds manifest.json"
                ),
            ));
        }
    }
    let mut json = Vec::new();
    match fetch::body(
        &response,
        fetch::SERVER_MS,
        MAX_MANIFEST_BYTES,
        &mut json,
        |_, _| {},
    )
    .await
    {
        Ok(()) => Ok(json),
        Err(BodyError::Broken(thrown)) => Err(unreachable(convert::describe(&thrown))),
        Err(BodyError::TooLarge) => Err(Error::new(
            Code::NotABundle,
            format!("{url} has more than {MAX_MANIFEST_BYTES} bytes; it is no manifest"),
        )),
    }
}
