//! The same work once: answers that are kept, and calls that wait for the same answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::lock::Mutex as AsyncMutex;
use serde::{Deserialize, Serialize};

use super::Reply;
use super::transport::Transport;
use crate::error::Result;

/// How answers of remotes are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AnswerCache {
    /// The most answers that are kept; none at 0.
    pub entries: u32,
    /// The most bytes that they may have.
    pub bytes: u32,
    /// Whether they are kept in the browser beyond this visit.
    pub persist: bool,
}

impl Default for AnswerCache {
    fn default() -> Self {
        AnswerCache {
            entries: 200,
            bytes: 1 << 20,
            persist: false,
        }
    }
}

/// Where they are kept.
const KEY: &str = "answers";

/// Answers by the hash of what was asked, the least recently used first.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept(VecDeque<(String, Reply)>);

impl Kept {
    fn read(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }

    fn get(&mut self, key: &str) -> Option<Reply> {
        let at = self.0.iter().position(|(k, _)| k == key)?;
        let entry = self.0.remove(at)?;
        let reply = entry.1.clone();
        self.0.push_back(entry);
        Some(reply)
    }

    fn put(&mut self, key: &str, reply: &Reply, options: &AnswerCache) {
        self.0.retain(|(k, _)| k != key);
        self.0.push_back((key.to_owned(), reply.clone()));
        let size = |(key, reply): &(String, Reply)| key.len() + reply.size();
        let mut bytes: usize = self.0.iter().map(size).sum();
        while self.0.len() > options.entries as usize || bytes > options.bytes as usize {
            match self.0.pop_front() {
                Some(gone) => bytes -= size(&gone),
                None => break,
            }
        }
    }
}

/// What became of a call that others wait for; nothing while it is under way.
type Flight = AsyncMutex<Option<Result<Reply>>>;

/// The answers that are kept, and the calls under way.
#[derive(Debug)]
pub struct Cache {
    options: AnswerCache,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    kept: Kept,
    loaded: bool,
    flights: BTreeMap<String, Weak<Flight>>,
}

impl Cache {
    /// An empty one.
    pub fn new(options: AnswerCache) -> Self {
        Cache {
            options,
            inner: Mutex::default(),
        }
    }

    /// The kept answer under `key`, if there is one.
    pub async fn get(&self, key: &str, transport: &impl Transport) -> Option<Reply> {
        if self.options.entries == 0 {
            return None;
        }
        if self.options.persist && !self.lock().loaded {
            let mut kept = Kept::default();
            let mut read = |json: Option<String>| {
                kept = Kept::read(json.as_deref());
                json
            };
            transport.update(KEY, &mut read).await;
            let mut inner = self.lock();
            if !inner.loaded {
                inner.loaded = true;
                inner.kept = kept;
            }
        }
        self.lock().kept.get(key)
    }

    /// Keeps an answer.
    pub async fn put(&self, key: &str, reply: &Reply, transport: &impl Transport) {
        if self.options.entries == 0 {
            return;
        }
        self.lock().kept.put(key, reply, &self.options);
        if self.options.persist {
            let mut write = |json: Option<String>| {
                let mut kept = Kept::read(json.as_deref());
                kept.put(key, reply, &self.options);
                serde_json::to_string(&kept).ok()
            };
            transport.update(KEY, &mut write).await;
        }
    }

    /// Forgets everything.
    pub async fn clear(&self, transport: &impl Transport) {
        self.lock().kept = Kept::default();
        if self.options.persist {
            transport.update(KEY, &mut |_| None).await;
        }
    }

    /// The place where callers with the same question meet. The first locks it and leaves its answer there.
    pub fn flight(&self, key: &str) -> Arc<Flight> {
        let mut inner = self.lock();
        inner.flights.retain(|_, flight| flight.strong_count() > 0);
        if let Some(flight) = inner.flights.get(key).and_then(Weak::upgrade) {
            return flight;
        }
        let flight = Arc::new(Flight::default());
        inner
            .flights
            .insert(key.to_owned(), Arc::downgrade(&flight));
        flight
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
