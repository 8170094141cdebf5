//! What a call needs of the world: `fetch`, the page's functions, timers, and what is kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::ScopedClosure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, AbortSignal, Headers, ReadableStream, ReadableStreamDefaultReader,
    RequestInit, RequestRedirect,
};

use super::abort::Abort;
use super::convert::{self, describe};
use super::fetch;
use super::scope::{self, scope};
use super::source::WebSource;
use crate::host::{Clock, Storage};
use crate::remote::{
    Body, Consent, ConsentRequest, Head, HttpRequest, Network, Page, READ_HEADERS, TransportError,
};
use crate::runtime::Runtime;

/// The functions of the page (or of its worker) that are called.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    /// `headers(endpoint)` gives an object of headers, or a promise of one.
    pub(super) headers: Option<Function>,
    /// `consent(outgoing)` gives a `Consent`, or a promise of one.
    pub(super) consent: Option<Function>,
    /// `page(endpoint, body, signal)` gives a stream of bytes: the reply of the endpoint that is a function of the page.
    pub(super) page: Option<Function>,
    /// `sent(requests)` takes what the ledger says is about to leave, and gives a promise for when that is written down.
    pub(super) sent: Option<Function>,
    /// `update(key, change)` changes what is kept in one piece, and gives a promise.
    pub(super) update: Option<Function>,
}

/// What is kept where the page keeps nothing: until the worker ends.
pub(super) type Memory = Rc<RefCell<BTreeMap<String, String>>>;

/// The host of one call.
pub(super) struct PageHost<'a> {
    /// Whose call it is.
    pub(super) runtime: &'a Runtime<WebSource>,
    /// The caller's signal.
    pub(super) signal: AbortSignal,
    pub(super) hooks: Hooks,
    pub(super) memory: Memory,
    /// `deliver(text)` takes a piece of generated text and gives a promise for when the next is wanted.
    pub(super) deliver: Option<Function>,
}

/// Ends a request when it is dropped, or when the caller aborts. What `AbortSignal.any` would do, in browsers without it, too.
struct Ending {
    controller: AbortController,
    caller: AbortSignal,
    listener: ScopedClosure<'static, dyn FnMut()>,
}

impl Ending {
    fn new(caller: &AbortSignal) -> Result<Self, JsValue> {
        let controller = AbortController::new()?;
        let (ended, aborted) = (controller.clone(), caller.clone());
        let listener = ScopedClosure::<dyn FnMut()>::new(move || {
            ended.abort_with_reason(&aborted.reason());
        });
        caller.add_event_listener_with_callback("abort", listener.as_js_value().unchecked_ref())?;
        if caller.aborted() {
            controller.abort_with_reason(&caller.reason());
        }
        Ok(Ending {
            controller,
            caller: caller.clone(),
            listener,
        })
    }

    fn signal(&self) -> AbortSignal {
        self.controller.signal()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let listener = self.listener.as_js_value().unchecked_ref();
        let _ = self
            .caller
            .remove_event_listener_with_callback("abort", listener);
        self.controller.abort();
    }
}

/// The rest of a response.
pub(super) struct PageBody {
    reader: Option<ReadableStreamDefaultReader>,
    signal: AbortSignal,
    // Ends the connection when nobody reads on.
    _ending: Ending,
}

impl Body for PageBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        let Some(reader) = &self.reader else {
            return Ok(None);
        };
        let failure = |thrown: JsValue| failure(&self.signal, &thrown);
        let part = JsFuture::from(reader.read()).await.map_err(failure)?;
        let get = |key: &str| Reflect::get(&part, &JsValue::from_str(key)).map_err(failure);
        if get("done")?.is_truthy() {
            return Ok(None);
        }
        let chunk: Uint8Array = get("value")?.dyn_into().map_err(failure)?;
        Ok(Some(chunk.to_vec()))
    }
}

/// Why something failed.
fn failure(signal: &AbortSignal, thrown: &JsValue) -> TransportError {
    if signal.aborted() {
        TransportError::Aborted
    } else {
        TransportError::Unreachable(describe(thrown))
    }
}

impl PageHost<'_> {
    /// Waits for what a function of the page gave, or for the abort.
    async fn given(&self, given: Result<JsValue, JsValue>) -> Result<JsValue, Option<JsValue>> {
        let given = JsFuture::from(Promise::resolve(&given.map_err(Some)?));
        match select(given, Abort::of(&self.signal)).await {
            Either::Left((given, _)) => given.map_err(Some),
            Either::Right(_) => Err(None),
        }
    }

    /// The caller's headers. The callback may take its time: a token may have to be fetched.
    async fn own_headers(&self, endpoint: usize) -> Result<Vec<(String, String)>, TransportError> {
        let Some(callback) = &self.hooks.headers else {
            return Ok(Vec::new());
        };
        let wrong =
            || TransportError::Headers("the callback must give an object of strings".into());
        let given = callback.call1(&JsValue::UNDEFINED, &JsValue::from(endpoint as u32));
        let given = self.given(given).await.map_err(|thrown| match thrown {
            None => TransportError::Aborted,
            Some(thrown) => TransportError::Headers(describe(&thrown)),
        })?;
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

    /// Has the page write down what is about to leave, so that it is known also when this worker dies at once. Waits even
    /// where there is no news: that of another call may still be on its way.
    async fn write_down(&self) -> Result<(), TransportError> {
        let Some(callback) = &self.hooks.sent else {
            return Ok(());
        };
        let page = |why: String| TransportError::Page(why);
        let news = convert::to_js(&self.runtime.take_sent()).map_err(|e| page(e.to_string()))?;
        let given = callback.call1(&JsValue::UNDEFINED, &news);
        match self.given(given).await {
            Ok(_) => Ok(()),
            Err(None) => Err(TransportError::Aborted),
            Err(Some(thrown)) => Err(page(describe(&thrown))),
        }
    }

    async fn fetch(&self, request: &HttpRequest) -> Result<(Head, PageBody), TransportError> {
        let own = self.own_headers(request.endpoint()).await?;
        let set = || -> Result<(Headers, Ending), JsValue> {
            let headers = Headers::new()?;
            for (name, value) in request.headers().iter().chain(&own) {
                headers.set(name, value)?;
            }
            Ok((headers, Ending::new(&self.signal)?))
        };
        let (headers, ending) =
            set().map_err(|thrown| TransportError::Headers(describe(&thrown)))?;
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_headers_headers(&headers);
        init.set_body(&JsValue::from_str(request.body()));
        init.set_signal(Some(&ending.signal()));
        // A redirect would carry the input to a host the caller did not name.
        init.set_redirect(RequestRedirect::Error);
        let response = fetch::fetch(request.url(), &init)
            .await
            .map_err(|thrown| failure(&self.signal, &thrown))?;
        let headers = response.headers();
        let header = |name: &str| Some((name.to_owned(), headers.get(name).ok()??));
        let head = Head {
            status: response.status(),
            headers: READ_HEADERS.into_iter().filter_map(header).collect(),
        };
        let reader = response
            .body()
            .map(|body| body.get_reader().unchecked_into());
        let body = PageBody {
            reader,
            signal: self.signal.clone(),
            _ending: ending,
        };
        Ok((head, body))
    }

    /// Calls a function of the page.
    fn call_page(&self, request: &HttpRequest) -> Result<(Head, PageBody), TransportError> {
        let page = |thrown: JsValue| TransportError::Page(describe(&thrown));
        let Some(callback) = &self.hooks.page else {
            return Err(TransportError::Page(
                "the page gave no function for it".into(),
            ));
        };
        let ending = Ending::new(&self.signal).map_err(page)?;
        let endpoint = JsValue::from(request.endpoint() as u32);
        let body = JsValue::from_str(request.body());
        let stream = callback
            .call3(&JsValue::UNDEFINED, &endpoint, &body, &ending.signal())
            .map_err(page)?;
        let stream: ReadableStream = stream.dyn_into().map_err(page)?;
        let head = Head {
            status: 200,
            headers: Vec::new(),
        };
        let body = PageBody {
            reader: Some(stream.get_reader().unchecked_into()),
            signal: self.signal.clone(),
            _ending: ending,
        };
        Ok((head, body))
    }
}

impl Clock for PageHost<'_> {
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

impl Network for PageHost<'_> {
    type Body = PageBody;

    /// Only a browser that says `false` is offline: other hosts have no navigator, or one that knows nothing of it.
    fn online(&self) -> bool {
        let get = |object: &JsValue, key| Reflect::get(object, &JsValue::from_str(key));
        let says = get(&scope(), "navigator").and_then(|navigator| get(&navigator, "onLine"));
        says.ok().and_then(|says| says.as_bool()) != Some(false)
    }

    async fn open(&self, request: &HttpRequest) -> Result<(Head, PageBody), TransportError> {
        self.write_down().await?;
        if request.url().is_empty() {
            self.call_page(request)
        } else {
            self.fetch(request).await
        }
    }

    async fn sleep(&self, ms: f64) {
        let _ = select(pin!(scope::sleep(ms)), Abort::of(&self.signal)).await;
    }
}

impl Page for PageHost<'_> {
    fn aborted(&self) -> bool {
        self.signal.aborted()
    }

    async fn consent(&self, outgoing: &ConsentRequest) -> Result<Consent, TransportError> {
        let Some(callback) = &self.hooks.consent else {
            return Err(TransportError::Page(
                "the page gave no function that allows it".into(),
            ));
        };
        let page = |why: String| TransportError::Page(why);
        let outgoing = convert::to_js(outgoing).map_err(|e| page(e.to_string()))?;
        let given = callback.call1(&JsValue::UNDEFINED, &outgoing);
        let given = self.given(given).await.map_err(|thrown| match thrown {
            None => TransportError::Aborted,
            Some(thrown) => page(describe(&thrown)),
        })?;
        serde_wasm_bindgen::from_value(given).map_err(|e| page(e.to_string()))
    }

    async fn delta(&self, text: &str) -> Result<(), TransportError> {
        let Some(deliver) = &self.deliver else {
            return Ok(());
        };
        let given = deliver.call1(&JsValue::UNDEFINED, &JsValue::from_str(text));
        match self.given(given).await {
            Ok(_) => Ok(()),
            Err(None) => Err(TransportError::Aborted),
            Err(Some(thrown)) => Err(TransportError::Page(describe(&thrown))),
        }
    }
}

impl Storage for PageHost<'_> {
    async fn update(&self, key: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        if let Some(update) = &self.hooks.update {
            let mut done = false;
            {
                let mut call = |before: JsValue| -> JsValue {
                    done = true;
                    change(before.as_string()).map_or(JsValue::UNDEFINED, JsValue::from)
                };
                let closure =
                    ScopedClosure::<dyn FnMut(JsValue) -> JsValue>::borrow_mut_aborting(&mut call);
                let promise = update.call2(&JsValue::UNDEFINED, &key.into(), closure.as_js_value());
                if let Ok(promise) = promise {
                    // Where it cannot be kept, it is only not kept.
                    let _ = JsFuture::from(Promise::resolve(&promise)).await;
                }
            }
            if done {
                return;
            }
        }
        let mut memory = self.memory.borrow_mut();
        let before = memory.remove(key);
        if let Some(after) = change(before) {
            memory.insert(key.to_owned(), after);
        }
    }
}
