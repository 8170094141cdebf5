//! What tests of several rooms need.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::bundle::{FileEntry, Source, verify};
use crate::error::{Code, Error, Result};
use crate::hash::{GAMMA, mix};
use crate::host::{Clock, Storage};
use crate::remote::{
    Body, Consent, ConsentRequest, Head, HttpRequest, Network, Page, TransportError,
};

/// A small random generator (SplitMix64), so that simulations are the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number in `[0, 1)`.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A world whose time passes only when nothing else can happen: timers, a network that follows a script, a page that
/// agrees, and a place where things are kept.
pub(crate) struct World {
    pub(crate) time: Rc<Time>,
    random: RefCell<Random>,
    pub(crate) online: Cell<bool>,
    pub(crate) requests: RefCell<Vec<HttpRequest>>,
    script: Box<Answers>,
    pub(crate) consent: RefCell<std::result::Result<Consent, TransportError>>,
    pub(crate) outgoing: RefCell<Vec<ConsentRequest>>,
    pub(crate) given: RefCell<String>,
    /// How long the reader takes for each piece, in milliseconds.
    pub(crate) reader_ms: Cell<f64>,
    pub(crate) stored: RefCell<BTreeMap<String, String>>,
    /// Bodies that are open now, which all must be dropped in the end.
    open: Rc<Cell<i32>>,
}

/// The time of a world, and when its caller aborts.
pub(crate) struct Time {
    now: Cell<f64>,
    timers: RefCell<Vec<f64>>,
    /// From then on the caller has aborted.
    pub(crate) abort_at: Cell<f64>,
}

impl Time {
    /// Waits until a moment; true when the abort came before it.
    async fn until(&self, at: f64) -> bool {
        poll_fn(|_| {
            // The abort may be set while this waits.
            let ends = at.min(self.abort_at.get());
            if self.now.get() >= ends {
                return Poll::Ready(());
            }
            if ends.is_finite() {
                self.timers.borrow_mut().push(ends);
            }
            Poll::Pending
        })
        .await;
        self.now.get() < at
    }
}

/// What the network does, by the request and how many came before it.
type Answers = dyn Fn(&HttpRequest, usize) -> Script;

/// What the network does with one request.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// When the head comes, in milliseconds after the request; never when infinite.
    pub(crate) after: f64,
    pub(crate) head: std::result::Result<Head, TransportError>,
    /// What follows, each so many milliseconds after the one before.
    pub(crate) body: Vec<(f64, std::result::Result<Vec<u8>, TransportError>)>,
}

impl Script {
    pub(crate) fn reply(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Script {
            after: 1.0,
            head: Ok(Head {
                status,
                headers: Vec::new(),
            }),
            body: vec![(1.0, Ok(body.into()))],
        }
    }

    pub(crate) fn broken(error: TransportError) -> Self {
        Script {
            after: 1.0,
            head: Err(error),
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok(head) = &mut self.head {
            head.headers.push((name.into(), value.into()));
        }
        self
    }
}

impl World {
    pub(crate) fn new(seed: u64, script: impl Fn(&HttpRequest, usize) -> Script + 'static) -> Self {
        World {
            time: Rc::new(Time {
                now: Cell::new(0.0),
                timers: RefCell::default(),
                abort_at: Cell::new(f64::INFINITY),
            }),
            random: RefCell::new(Random::new(seed)),
            online: Cell::new(true),
            requests: RefCell::default(),
            script: Box::new(script),
            consent: RefCell::new(Ok(Consent {
                allow: true,
                ..Consent::default()
            })),
            outgoing: RefCell::default(),
            given: RefCell::default(),
            reader_ms: Cell::new(0.0),
            stored: RefCell::default(),
            open: Rc::default(),
        }
    }

    /// Runs to the end of all `calls`. A call that waits for nothing hangs, which is a failure.
    pub(crate) fn run<T>(&self, calls: Vec<Pin<Box<dyn Future<Output = T> + '_>>>) -> Vec<T> {
        let mut calls: Vec<_> = calls.into_iter().map(Some).collect();
        let mut results: Vec<Option<T>> = calls.iter().map(|_| None).collect();
        let mut context = Context::from_waker(Waker::noop());
        while results.iter().any(Option::is_none) {
            let mut progress = false;
            for (call, result) in calls.iter_mut().zip(&mut results) {
                let Some(future) = call else { continue };
                if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                    *result = Some(value);
                    *call = None;
                    progress = true;
                }
            }
            if progress {
                continue;
            }
            let now = self.now();
            let mut timers = self.time.timers.borrow_mut();
            timers.retain(|&at| at > now);
            let next = timers.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(
                next.is_finite(),
                "a call waits for something that never happens"
            );
            self.time.now.set(next);
        }
        results.into_iter().flatten().collect()
    }

    /// Runs one call.
    pub(crate) fn block_on<'a, T>(&'a self, call: impl Future<Output = T> + 'a) -> T {
        self.run(vec![Box::pin(call)]).remove(0)
    }

    pub(crate) fn now(&self) -> f64 {
        self.time.now.get()
    }

    pub(crate) fn open_bodies(&self) -> i32 {
        self.open.get()
    }
}

impl Clock for World {
    fn now_ms(&self) -> f64 {
        self.now()
    }

    fn wall_ms(&self) -> f64 {
        self.now()
    }

    fn uniform(&self) -> f64 {
        self.random.borrow_mut().uniform()
    }
}

/// A body that follows its script.
pub(crate) struct ScriptedBody {
    parts: std::vec::IntoIter<(f64, std::result::Result<Vec<u8>, TransportError>)>,
    time: Rc<Time>,
    open: Rc<Cell<i32>>,
}

impl Drop for ScriptedBody {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}

impl Body for ScriptedBody {
    async fn next(&mut self) -> std::result::Result<Option<Vec<u8>>, TransportError> {
        let Some((ms, part)) = self.parts.next() else {
            return Ok(None);
        };
        if self.time.until(self.time.now.get() + ms).await {
            return Err(TransportError::Aborted);
        }
        part.map(Some)
    }
}

impl Network for World {
    type Body = ScriptedBody;

    fn online(&self) -> bool {
        self.online.get()
    }

    async fn open(
        &self,
        request: &HttpRequest,
    ) -> std::result::Result<(Head, ScriptedBody), TransportError> {
        let number = self.requests.borrow().len();
        self.requests.borrow_mut().push(request.clone());
        let script = (self.script)(request, number);
        if self.time.until(self.now() + script.after).await {
            return Err(TransportError::Aborted);
        }
        let head = script.head?;
        self.open.set(self.open.get() + 1);
        let body = ScriptedBody {
            parts: script.body.into_iter(),
            time: Rc::clone(&self.time),
            open: Rc::clone(&self.open),
        };
        Ok((head, body))
    }

    async fn sleep(&self, ms: f64) {
        self.time.until(self.now() + ms).await;
    }
}

impl Page for World {
    fn aborted(&self) -> bool {
        self.now() >= self.time.abort_at.get()
    }

    async fn consent(
        &self,
        outgoing: &ConsentRequest,
    ) -> std::result::Result<Consent, TransportError> {
        self.outgoing.borrow_mut().push(outgoing.clone());
        self.consent.borrow().clone()
    }

    async fn delta(&self, text: &str) -> std::result::Result<(), TransportError> {
        if self.time.until(self.now() + self.reader_ms.get()).await {
            return Err(TransportError::Aborted);
        }
        self.given.borrow_mut().push_str(text);
        Ok(())
    }
}

impl Storage for World {
    async fn update(&self, key: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        // Others come in between, as they would.
        self.time.until(self.now() + 0.1).await;
        let mut stored = self.stored.borrow_mut();
        let before = stored.remove(key);
        if let Some(after) = change(before) {
            stored.insert(key.to_owned(), after);
        }
    }
}

/// Files in memory.
pub(crate) struct Folder(pub(crate) BTreeMap<String, Vec<u8>>);

impl Source for Folder {
    async fn read(&self, path: &str, entry: &FileEntry) -> Result<Vec<u8>> {
        let bytes = self.0.get(path);
        let bytes =
            bytes.ok_or_else(|| Error::new(Code::FileMissing, format!("{path} is missing")))?;
        verify(path, entry, bytes)?;
        Ok(bytes.clone())
    }
}
