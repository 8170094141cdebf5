//! The same work once: answers that are kept, and calls that wait for the same answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::lock::Mutex as AsyncMutex;
use serde::{Deserialize, Serialize};

use super::budget::DAY_MS;
use super::endpoint::Endpoint;
use super::host::Host;
use super::question::ResponseFormat;
use super::{MAX_REPLY_BYTES, Reply};
use crate::error::{Code, Error, Result};

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
    /// For how many days an answer is kept, 1 to 365.
    pub days: u32,
}

impl Default for AnswerCache {
    fn default() -> Self {
        AnswerCache {
            entries: 200,
            bytes: 1 << 20,
            persist: false,
            days: 30,
        }
    }
}

impl AnswerCache {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn validate(&self) -> Result<()> {
        if (1..=365).contains(&self.days) {
            return Ok(());
        }
        Err(Error::new(
            Code::InvalidOption,
            "answerCache.days must be 1 to 365",
        ))
    }

    /// The longest text that kept answers are read from: JSON writes a byte in up to six.
    fn most_read(&self) -> u64 {
        u64::from(self.bytes) * 8 + 4096
    }

    /// Whether an answer of then may still be given. One from the future was dated by another clock, or by somebody else.
    fn is_fresh(&self, at: f64, now: f64) -> bool {
        at <= now && now - at <= f64::from(self.days) * DAY_MS
    }
}

/// Where they are kept.
const KEY: &str = "answers";

/// The most scores of a kept answer, where the task has fewer labels: what providers list at most.
const MOST_SCORES: usize = 20;

/// Whether a kept answer may be the answer to what is asked now. All scripts of the site can write where it was kept, so
/// it is held against everything that is known of the question, as a reply of a remote is.
pub fn fits(reply: &Reply, wanted: ResponseFormat<'_>, endpoints: &[Endpoint]) -> bool {
    let share = |p: &f64| (0.0..=1.0).contains(p);
    let mut endpoints = endpoints.iter();
    let asked = endpoints.any(|e| e.model() == reply.model && e.is_on_device() == reply.on_device);
    let answers = match (wanted, &reply.output) {
        (ResponseFormat::Choice(labels), Some(output)) => {
            let chosen = labels.iter().find(|label| label.id == output.label);
            chosen.is_some_and(|label| label.title == output.title)
                && reply.text.is_empty()
                && output.score.iter().all(share)
                && output.scores.len() <= labels.len().max(MOST_SCORES)
                && output
                    .scores
                    .iter()
                    .all(|s| share(&s.score) && labels.iter().any(|l| l.id == s.label))
        }
        (ResponseFormat::Text { .. }, None) => {
            !reply.text.trim().is_empty() && reply.text.len() <= MAX_REPLY_BYTES
        }
        (ResponseFormat::Json(form), None) => {
            reply.text.len() <= MAX_REPLY_BYTES && form.check(&reply.text).is_ok()
        }
        _ => false,
    };
    asked && answers && reply.confidence.iter().all(share)
}

/// An answer that is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The hash of what was asked.
    key: String,
    /// When it was answered, in milliseconds since 1970.
    at: f64,
    reply: Reply,
}

impl Entry {
    fn size(&self) -> usize {
        self.key.len() + self.reply.size()
    }
}

/// Answers, the least recently used first.
#[derive(Debug, Default, Serialize, Deserialize)]
struct CachedReplies(VecDeque<Entry>);

impl CachedReplies {
    /// Reads what was kept. What cannot be read is forgotten.
    fn read(json: Option<&str>, options: &AnswerCache) -> Self {
        json.filter(|json| json.len() as u64 <= options.most_read())
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }

    /// The answer under a key, unless `stands` says no: then it is forgotten.
    fn get(&mut self, key: &str, stands: impl Fn(&Entry) -> bool) -> Option<Reply> {
        let at = self.0.iter().position(|entry| entry.key == key)?;
        let entry = self.0.remove(at).filter(stands)?;
        let reply = entry.reply.clone();
        self.0.push_back(entry);
        Some(reply)
    }

    fn put(&mut self, key: &str, reply: &Reply, now: f64, options: &AnswerCache) {
        self.0
            .retain(|entry| entry.key != key && options.is_fresh(entry.at, now));
        self.0.push_back(Entry {
            key: key.to_owned(),
            at: now,
            reply: reply.clone(),
        });
        let mut bytes: usize = self.0.iter().map(Entry::size).sum();
        while self.0.len() > options.entries as usize || bytes > options.bytes as usize {
            match self.0.pop_front() {
                Some(gone) => bytes -= gone.size(),
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
    replies: CachedReplies,
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

    /// The kept answer under `key`, if there is one that is not too old at `now` (milliseconds since 1970) and that `fits`.
    pub async fn get(
        &self,
        key: &str,
        now: f64,
        fits: impl Fn(&Reply) -> bool,
        host: &impl Host,
    ) -> Option<Reply> {
        if self.options.entries == 0 {
            return None;
        }
        if self.options.persist && !self.lock().loaded {
            let mut replies = CachedReplies::default();
            let mut read = |json: Option<String>| {
                replies = CachedReplies::read(json.as_deref(), &self.options);
                json
            };
            host.update(KEY, &mut read).await;
            let mut inner = self.lock();
            if !inner.loaded {
                inner.loaded = true;
                inner.replies = replies;
            }
        }
        let stands = |entry: &Entry| self.options.is_fresh(entry.at, now) && fits(&entry.reply);
        self.lock().replies.get(key, stands)
    }

    /// Keeps an answer that was given at `now`.
    pub async fn put(&self, key: &str, reply: &Reply, now: f64, host: &impl Host) {
        if self.options.entries == 0 {
            return;
        }
        self.lock().replies.put(key, reply, now, &self.options);
        if self.options.persist {
            let mut write = |json: Option<String>| {
                let mut replies = CachedReplies::read(json.as_deref(), &self.options);
                replies.put(key, reply, now, &self.options);
                serde_json::to_string(&replies).ok()
            };
            host.update(KEY, &mut write).await;
        }
    }

    /// Forgets everything, also what was kept by an instance that keeps more than this one.
    pub async fn clear(&self, host: &impl Host) {
        self.lock().replies = CachedReplies::default();
        host.update(KEY, &mut |_| None).await;
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::task::Label;
    use crate::testing::{Script, World};

    const NOW: f64 = 1.7e12;

    fn world() -> World {
        World::new(1, |_, _| Script::reply(200, ""))
    }

    fn labels() -> Vec<Label> {
        [("spam", Some("Spam")), ("ham", None)]
            .map(|(id, title)| Label {
                id: id.into(),
                title: title.map(str::to_owned),
            })
            .to_vec()
    }

    fn endpoints() -> Vec<Endpoint> {
        let endpoint =
            json!({"provider": "openai", "baseUrl": "https://a.example/v1", "model": "m"});
        vec![serde_json::from_value(endpoint).unwrap()]
    }

    const TEXT: ResponseFormat<'_> = ResponseFormat::Text {
        system: "",
        text: "",
        history: &[],
    };

    fn choice() -> Value {
        json!({
            "output": {"label": "spam", "title": "Spam", "score": 0.9,
                       "scores": [{"label": "spam", "score": 0.9}, {"label": "ham", "score": 0.1}]},
            "text": "", "truncated": false, "confidence": 0.9, "usage": null,
            "model": "m", "on_device": false, "cached": false
        })
    }

    fn text() -> Value {
        json!({
            "output": null, "text": "So it is.", "truncated": true, "confidence": null, "usage": null,
            "model": "m", "on_device": false, "cached": false
        })
    }

    fn reply(value: Value) -> Reply {
        serde_json::from_value(value).unwrap()
    }

    fn cache(options: Value) -> Cache {
        let options: AnswerCache = serde_json::from_value(options).unwrap();
        options.validate().unwrap();
        Cache::new(options)
    }

    /// What a new worker finds under `key`.
    async fn found(
        key: &str,
        now: f64,
        wanted: ResponseFormat<'_>,
        world: &World,
    ) -> Option<Reply> {
        let endpoints = endpoints();
        let fits = |reply: &Reply| fits(reply, wanted, &endpoints);
        let cache = cache(json!({"persist": true, "days": 3}));
        cache.get(key, now, fits, world).await
    }

    #[test]
    fn whoever_forgets_forgets_what_others_persist() {
        let world = world();
        let labels = labels();
        world.block_on(async {
            let persists = cache(json!({"persist": true}));
            persists.put("k", &reply(choice()), NOW, &world).await;
            let wanted = ResponseFormat::Choice(&labels);
            assert!(found("k", NOW, wanted, &world).await.is_some());
            cache(json!({"persist": false})).clear(&world).await;
            assert_eq!(found("k", NOW, wanted, &world).await, None);
            assert!(world.stored.borrow().is_empty());
            persists.put("k", &reply(choice()), NOW, &world).await;
            cache(json!({"entries": 0})).clear(&world).await;
            assert!(world.stored.borrow().is_empty());
        });
    }

    #[test]
    fn an_answer_is_kept_for_some_days_in_memory_too() {
        let world = world();
        let labels = labels();
        let wanted = ResponseFormat::Choice(&labels);
        let fits = |_: &Reply| true;
        world.block_on(async {
            let cache = cache(json!({"persist": true, "days": 3}));
            for (age, fresh) in [
                (0.0, true),
                (3.0 * DAY_MS, true),
                (3.0 * DAY_MS + 1.0, false),
                // Dated by a clock that was set back since.
                (-1.0, false),
                (f64::NAN, false),
            ] {
                cache.put("k", &reply(choice()), NOW, &world).await;
                let now = NOW + age;
                assert_eq!(found("k", now, wanted, &world).await.is_some(), fresh);
                let found = cache.get("k", now, fits, &world).await;
                assert_eq!(found.is_some(), fresh, "{age}");
            }
            // Whoever writes lets the old go.
            cache.put("k", &reply(choice()), NOW, &world).await;
            let later = NOW + 4.0 * DAY_MS;
            cache.put("l", &reply(choice()), later, &world).await;
            assert!(!world.stored.borrow()[KEY].contains("\"k\""));
        });
        for days in [0, 366] {
            let options = AnswerCache {
                days,
                ..AnswerCache::default()
            };
            assert_eq!(options.validate().unwrap_err().code(), Code::InvalidOption);
        }
    }

    #[test]
    fn what_was_kept_is_judged_again_when_it_is_read() {
        let labels = labels();
        let evil = || Value::from("<img onerror>");
        type Change<'a> = &'a dyn Fn(&mut Value);
        let choices: [Change; 18] = [
            &|e| e["reply"]["output"]["label"] = evil(),
            &|e| e["reply"]["output"]["title"] = evil(),
            &|e| e["reply"]["output"]["title"] = Value::Null,
            &|e| e["reply"]["output"]["score"] = 1.5.into(),
            &|e| e["reply"]["output"]["scores"][1]["label"] = evil(),
            &|e| e["reply"]["output"]["scores"][1]["score"] = (-0.1).into(),
            &|e| {
                e["reply"]["output"]["scores"] =
                    vec![json!({"label": "ham", "score": 0.1}); 21].into()
            },
            &|e| e["reply"]["output"] = Value::Null,
            &|e| e["reply"]["text"] = evil(),
            &|e| e["reply"]["confidence"] = 2.into(),
            &|e| e["reply"]["model"] = evil(),
            &|e| e["reply"]["on_device"] = true.into(),
            &|e| e["reply"] = text(),
            &|e| e["reply"] = Value::Null,
            &|e| e["at"] = (NOW + 1.0).into(),
            &|e| e["at"] = Value::Null,
            &|e| e["key"] = "other".into(),
            &|e| *e = json!(["k", choice()]),
        ];
        let texts: [Change; 4] = [
            &|e| e["reply"]["text"] = " ".into(),
            &|e| e["reply"]["text"] = "x".repeat(MAX_REPLY_BYTES + 1).into(),
            &|e| e["reply"]["text"] = "x".repeat(10 << 20).into(),
            &|e| e["reply"] = choice(),
        ];
        let choices = choices.map(|change| (ResponseFormat::Choice(&labels), choice(), change));
        let texts = texts.map(|change| (TEXT, text(), change));
        for (at, (wanted, answer, change)) in choices.into_iter().chain(texts).enumerate() {
            let world = world();
            world.block_on(async {
                let cache = cache(json!({"persist": true}));
                cache.put("k", &reply(answer), NOW, &world).await;
                assert!(found("k", NOW, wanted, &world).await.is_some());
                let mut all: Value = serde_json::from_str(&world.stored.borrow()[KEY]).unwrap();
                change(&mut all[0]);
                world
                    .stored
                    .borrow_mut()
                    .insert(KEY.into(), all.to_string());
                assert_eq!(found("k", NOW, wanted, &world).await, None, "change {at}");
            });
        }
        // Of what is not asked any more, too.
        let world = world();
        world.block_on(async {
            let cache = cache(json!({"persist": true}));
            cache.put("k", &reply(choice()), NOW, &world).await;
            let others = ResponseFormat::Choice(&labels[1..]);
            assert_eq!(found("k", NOW, others, &world).await, None);
        });
    }
}
