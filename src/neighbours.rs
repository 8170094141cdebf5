//! Learning to stay local: what a remote answered becomes an example, and examples answer inputs that nearly repeat them,
//! under the same risk as everything else that is answered here. No I/O here: the [`Storage`] keeps things.
//!
//! What stays away from a remote in this way is decided in three steps. [`Examples`] suggests a label and a score;
//! [`certify_leave_one_out`] says from which score on such suggestions may answer at a risk, by answering each example from the others;
//! and a share of those answers is checked with the remote all the same, so that a promise that does not hold is found out.
//! The examples that were tested are those that vote: newer ones wait until the next test (`looks`).

mod checks;
mod examples;
mod leave_one_out;
mod looks;
mod options;
mod set;
mod store;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use examples::{Example, Examples, Vote, quantise};
pub use leave_one_out::{ThresholdEstimate, certify_leave_one_out};
pub use options::LearnOptions;

use crate::error::Result;
use crate::host::Storage;
use crate::monitor::Drift;
use crate::task::{Label, Learned};
use set::Set;
use store::{Entry, KEY_LEN, MOST_INPUT_BYTES, MOST_NAME_BYTES};

/// Labels to look one up among, for every example.
fn distinct(labels: &[String]) -> BTreeSet<&str> {
    labels.iter().map(String::as_str).collect()
}

/// A question whose answers belong together: the same task, asked in the same words, of the same labels, read by the same
/// encoder. Whatever of it changes, examples of before say nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionKey {
    /// The task.
    pub task: String,
    key: String,
    labels: Vec<String>,
}

impl QuestionKey {
    /// The subject of a task. `encoder` is the hash of the encoder's file.
    pub fn new(task: &str, instruction: &str, labels: &[Label], encoder: &str) -> Self {
        let labels: Vec<String> = labels.iter().map(|label| label.id.clone()).collect();
        let mut hash = Sha256::new();
        let parts = [task, instruction, encoder].into_iter();
        for part in parts.chain(labels.iter().map(String::as_str)) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        QuestionKey {
            task: task.to_owned(),
            key: digest
                .iter()
                .take(KEY_LEN / 2)
                .map(|b| format!("{b:02x}"))
                .collect(),
            labels,
        }
    }
}

/// What examples suggest for an input, and whether that may be its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// The label.
    pub label: String,
    /// Its share of the vote, and the least that may answer.
    pub score: f64,
    /// The least that may answer; nothing when no examples may.
    pub threshold: Option<f64>,
    /// Whether it may be the answer.
    pub trusted: bool,
    /// What speaks for it.
    pub learned: Learned,
}

/// A task's examples, as the page sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LearnedTask {
    /// The task.
    pub task: String,
    /// How many examples are kept.
    #[cfg_attr(test, ts(type = "number"))]
    pub examples: u64,
    /// How many have come since the beginning.
    #[cfg_attr(test, ts(type = "number"))]
    pub total: u64,
    /// Whether too many of the checked answers were wrong. They then answer nothing until they are forgotten.
    pub distrusted: bool,
}

/// An example, as the page may take it away: a labelled row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LearnedExample {
    /// The task.
    pub task: String,
    /// The input; `null` where inputs are not kept, or it was longer than 16 KiB.
    pub input: Option<String>,
    /// The label that the remote gave.
    pub label: String,
    /// When, in milliseconds since 1970.
    pub at: f64,
}

/// All that was learned.
#[derive(Debug, Default)]
pub struct Learner {
    options: LearnOptions,
    sets: Mutex<BTreeMap<String, Set>>,
}

impl Learner {
    /// One that has learned nothing in this worker yet.
    ///
    /// # Errors
    /// [`Code::InvalidOption`](crate::error::Code::InvalidOption).
    pub fn new(options: LearnOptions) -> Result<Self> {
        options.validate()?;
        Ok(Learner {
            options,
            sets: Mutex::default(),
        })
    }

    /// How it learns.
    pub fn options(&self) -> &LearnOptions {
        &self.options
    }

    /// What the examples of the latest look suggest for an input with this vector; nothing before the first.
    pub async fn suggest(
        &self,
        subject: &QuestionKey,
        vector: &[i8],
        risk: Option<f64>,
        storage: &impl Storage,
    ) -> Option<Suggestion> {
        let risk = risk.unwrap_or(self.options.risk);
        self.load(subject, vector.len(), storage).await;
        self.test(subject, risk, storage).await;
        let sets = self.lock();
        let set = sets.get(&subject.key)?;
        let vote = set.voters.vote(vector)?;
        let ruling = set.ruling(risk);
        let threshold = ruling
            .and_then(|r| r.threshold)
            .filter(|_| !set.entry.distrusted);
        Some(Suggestion {
            trusted: threshold.is_some_and(|least| vote.score >= least),
            label: vote.label,
            score: vote.score,
            threshold,
            learned: Learned {
                examples: set.voters.len() as u64,
                nearest: vote.nearest,
                agreeing: vote.agreeing,
                risk,
                tested: ruling.map_or(0, |r| r.n),
                wrong: ruling.map_or(0, |r| r.wrong),
                bound: ruling.map_or(1.0, |r| r.bound),
            },
        })
    }

    /// Takes in what a remote answered.
    pub async fn take(
        &self,
        subject: &QuestionKey,
        vector: Vec<i8>,
        label: &str,
        input: &str,
        at: f64,
        storage: &impl Storage,
    ) {
        let keep = self.options.keep_inputs && input.len() <= MOST_INPUT_BYTES;
        let mut example = Example {
            number: 0,
            vector,
            label: label.to_owned(),
            input: keep.then(|| input.to_owned()),
            at,
        };
        // What could not be read again is not kept.
        if !example.is_sound() || subject.task.len() > MOST_NAME_BYTES {
            return;
        }
        let most = self.options.examples as usize;
        let new = self.entry(subject);
        let count = |entry: &mut Entry| {
            entry.total += 1;
            entry.open(most);
        };
        let entry = store::change(&subject.key, new, storage, count).await;
        let Some(entry) = entry else { return };
        example.number = entry.total - 1;
        store::put(&subject.key, &entry, &example, storage).await;
        self.adopt(subject, Some(&entry));
    }

    /// Tests what a risk allows, unless the latest look already knows. What the test depends on is settled with all tabs first,
    /// and what it finds is stored, so that all come to the same.
    async fn test(&self, subject: &QuestionKey, risk: f64, storage: &impl Storage) {
        let untested = |set: &Set| set.untested(risk);
        let Some(look) = self.lock().get(&subject.key).and_then(untested) else {
            return;
        };
        let most = self.options.examples as usize;
        let settle = |entry: &mut Entry| {
            entry.open(most);
            entry.settle(&look, risk);
        };
        let entry = store::amend(&subject.key, &subject.task, storage, settle).await;
        self.adopt(subject, entry.as_ref());
        let Some(found) = self.found(subject, risk) else {
            return;
        };
        let keep = |entry: &mut Entry| entry.keep(&look, found);
        let entry = store::amend(&subject.key, &subject.task, storage, keep).await;
        self.adopt(subject, entry.as_ref());
    }

    fn found(&self, subject: &QuestionKey, risk: f64) -> Option<ThresholdEstimate> {
        self.lock().get_mut(&subject.key)?.test(risk)
    }

    /// Takes over what is stored of a subject now.
    fn adopt(&self, subject: &QuestionKey, stored: Option<&Entry>) {
        if let Some(set) = self.lock().get_mut(&subject.key) {
            set.adopt(stored);
        }
    }

    /// Takes in whether an answer by example at a risk was the remote's. Where that raised the alarm, in any tab, these examples
    /// are trusted no more; gives how the monitors stand then.
    pub async fn check(
        &self,
        subject: &QuestionKey,
        risk: f64,
        correct: bool,
        storage: &impl Storage,
    ) -> Option<Vec<Drift>> {
        let alarm = Cell::new(false);
        let check = |entry: &mut Entry| alarm.set(entry.check(risk, correct));
        let entry = store::amend(&subject.key, &subject.task, storage, check).await;
        self.adopt(subject, entry.as_ref());
        let entry = entry.filter(|_| alarm.get())?;
        Some(entry.checks.status(&subject.task).collect())
    }

    /// How the checks of a task's examples stand, one a question and risk. Nothing where there are no examples.
    pub async fn checks(&self, task: &str, storage: &impl Storage) -> Option<Vec<Drift>> {
        let index = store::index(storage).await;
        let entries = index.values().filter(|entry| entry.task == task);
        let found: Vec<_> = entries.map(|entry| entry.checks.status(task)).collect();
        (!found.is_empty()).then(|| found.into_iter().flatten().collect())
    }

    /// What is known of a subject without examples.
    fn entry(&self, subject: &QuestionKey) -> Entry {
        Entry {
            task: subject.task.clone(),
            pieces: store::pieces(self.options.examples as usize),
            ..Entry::default()
        }
    }

    /// The tasks there are examples of.
    pub async fn report(&self, storage: &impl Storage) -> Vec<LearnedTask> {
        let mut tasks = Vec::new();
        for (key, entry) in store::index(storage).await {
            let examples = self.stored(&key, &entry, storage).await;
            tasks.push(LearnedTask {
                examples: examples.len() as u64,
                task: entry.task,
                total: entry.total,
                distrusted: entry.distrusted,
            });
        }
        tasks
    }

    /// The examples, of one task or of all, the oldest first; without those whose label is none of `labels`, where those
    /// of the task are known: it gives them by its name. Of a task that was asked here, the labels it was asked with count.
    pub async fn export(
        &self,
        task: Option<&str>,
        labels: impl Fn(&str) -> Option<Vec<String>>,
        storage: &impl Storage,
    ) -> Vec<LearnedExample> {
        let mut found = Vec::new();
        for (key, entry) in store::index(storage).await {
            if task.is_some_and(|task| task != entry.task) {
                continue;
            }
            let asked = self.lock().get(&key).map(|set| set.labels.clone());
            let labels = asked.or_else(|| labels(&entry.task));
            let labels = labels.as_deref().map(distinct);
            let mut examples = self.stored(&key, &entry, storage).await;
            examples.retain(|e| labels.as_ref().is_none_or(|l| l.contains(e.label.as_str())));
            found.extend(examples.into_iter().map(|example| LearnedExample {
                task: entry.task.clone(),
                input: example.input,
                label: example.label,
                at: example.at,
            }));
        }
        found
    }

    /// Forgets the examples, of one task or of all.
    pub async fn forget(&self, task: Option<&str>, storage: &impl Storage) {
        for (key, entry) in store::index(storage).await {
            if task.is_none_or(|task| task == entry.task) {
                store::forget(&key, storage).await;
                self.lock().remove(&key);
            }
        }
    }

    /// The examples of the latest look, and those that wait for the next.
    async fn stored(&self, key: &str, entry: &Entry, storage: &impl Storage) -> Vec<Example> {
        let mut entry = entry.clone();
        entry.open(self.options.examples as usize);
        let from = entry.look.as_ref().map_or(0, |look| look.from);
        let mut all = store::all(key, &entry, storage).await;
        all.retain(|example| example.number >= from);
        all
    }

    /// Brings the examples of a subject's latest look into memory, if they are not. What does not belong there is left out.
    async fn load(&self, subject: &QuestionKey, dimension: usize, storage: &impl Storage) {
        if self.lock().get(&subject.key).is_some_and(|set| !set.stale) {
            return;
        }
        let mut index = store::index(storage).await;
        let entry = index.remove(&subject.key);
        // The task is a part of the key.
        let entry = entry.filter(|entry| entry.task == subject.task);
        let mut entry = entry.unwrap_or_default();
        entry.open(self.options.examples as usize);
        let mut examples = Vec::new();
        // Before the first look, none votes.
        if entry.look.is_some() {
            examples = store::all(&subject.key, &entry, storage).await;
        }
        let labels = distinct(&subject.labels);
        examples.retain(|e| e.vector.len() == dimension && labels.contains(e.label.as_str()));
        for example in &mut examples {
            // The text is not needed to answer.
            example.input = None;
        }
        let set = Set::new(subject.labels.clone(), entry, examples);
        self.lock().insert(subject.key.clone(), set);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Set>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
