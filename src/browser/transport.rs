//! The remote's transport: `fetch`, with the caller's headers, timeout and abort.

use futures_util::future::{Either, select};
use js_sys::{Array, Function, Object, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect};

use super::convert::describe;
use super::fetch::{self, BodyError};
use super::scope::scope;
use crate::remote::{HttpRequest, HttpResponse, MAX_REPLY_BYTES, Transport, TransportError};

/// The transport of one call.
pub(super) struct FetchTransport {
    /// The caller's signal.
    pub(super) signal: AbortSignal,
    /// The caller's function that gives headers, if there is one.
    pub(super) headers: Option<Function>,
}

impl FetchTransport {
    /// Why something failed, seen from the two signals.
    fn failure(&self, timeout: &AbortSignal, thrown: &JsValue) -> TransportError {
        if self.signal.aborted() {
            TransportError::Aborted
        } else if timeout.aborted() {
            TransportError::Timeout
        } else {
            TransportError::Unreachable(describe(thrown))
        }
    }

    /// The caller's headers. The callback may take its time (a token has to be fetched), but no
    /// longer than the call may.
    async fn own_headers(&self, either: &AbortSignal) -> Result<Vec<(String, String)>, JsValue> {
        let Some(callback) = &self.headers else {
            return Ok(Vec::new());
        };
        let given = callback.call0(&JsValue::UNDEFINED)?;
        let given = JsFuture::from(Promise::resolve(&given));
        let stop = Promise::new(&mut |resolve, _| either.set_onabort(Some(&resolve)));
        let given = match select(given, JsFuture::from(stop)).await {
            Either::Left((given, _)) => given?,
            Either::Right(_) => return Err(either.reason()),
        };
        let wrong = || JsValue::from_str("the callback must give an object of strings");
        let object = given.dyn_ref::<Object>().ok_or_else(wrong)?;
        Object::entries(object)
            .iter()
            .map(|entry| {
                let entry = Array::from(&entry);
                Some((entry.get(0).as_string()?, entry.get(1).as_string()?))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(wrong)
    }

    fn init(
        &self,
        request: &HttpRequest,
        own: &[(String, String)],
        signal: &AbortSignal,
    ) -> Result<RequestInit, JsValue> {
        let headers = Headers::new()?;
        for (name, value) in &request.headers {
            headers.set(name, value)?;
        }
        for (name, value) in own {
            headers.set(name, value)?;
        }
        let init = RequestInit::new();
        init.set_method(request.method);
        init.set_headers_headers(&headers);
        init.set_body(&JsValue::from_str(&request.body));
        init.set_signal(Some(signal));
        // A redirect would carry the input to a host the caller did not name.
        init.set_redirect(RequestRedirect::Error);
        Ok(init)
    }
}

impl Transport for FetchTransport {
    fn online(&self) -> bool {
        scope().navigator().on_line()
    }

    fn aborted(&self) -> bool {
        self.signal.aborted()
    }

    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let timeout = AbortSignal::timeout_with_u32(request.timeout_ms);
        let either = AbortSignal::any(&Array::of2(&self.signal, &timeout));
        let headers = |thrown: JsValue| {
            if either.aborted() {
                self.failure(&timeout, &thrown)
            } else {
                TransportError::Headers(describe(&thrown))
            }
        };
        let own = self.own_headers(&either).await.map_err(headers)?;
        let init = self.init(request, &own, &either).map_err(headers)?;
        let response = fetch::fetch(&request.url, &init)
            .await
            .map_err(|thrown| self.failure(&timeout, &thrown))?;
        let body = fetch::body(&response, MAX_REPLY_BYTES as u64, |_| {})
            .await
            .map_err(|e| match e {
                BodyError::TooLarge => TransportError::TooLarge,
                BodyError::Broken(thrown) => self.failure(&timeout, &thrown),
            })?;
        Ok(HttpResponse {
            status: response.status(),
            body,
        })
    }
}
