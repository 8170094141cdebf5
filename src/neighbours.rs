//! Learning to stay local: what a remote answered becomes an example, and examples answer inputs that nearly repeat them,
//! under the same risk as everything else that is answered here. No I/O here: the [`Storage`] keeps things.
//!
//! What stays away from a remote in this way is decided in three steps. [`Examples`] suggests a label and a score;
//! [`certify_leave_one_out`] says from which score on such suggestions may answer at a risk, by answering each example from the others;
//! and a share of those answers is checked with the remote all the same, so that a promise that does not hold is found out.

mod examples;
mod leave_one_out;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use examples::{Example, Examples, Vote, quantise};
pub use leave_one_out::{ThresholdEstimate, certify_leave_one_out, interim_look};

use crate::error::{Code, Error, Result};
use crate::host::Storage;
use crate::task::{Label, Learned, risk};
use store::{Entry, KEY_LEN, MOST_EXAMPLES, MOST_INPUT_BYTES, MOST_NAME_BYTES};

/// How examples are made of remotes' answers, and used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LearnOptions {
    /// The most examples of a task, 100 to 5000. The oldest go first.
    pub examples: u32,
    /// The share of answers by example that is checked with the remote, 0 to 1.
    pub audit: f64,
    /// The default limit on the disagreement rate with the remote, for tasks and calls that state no risk.
    #[serde(deserialize_with = "risk::deserialize")]
    pub risk: f64,
    /// Whether inputs are kept with their examples, for `exportExamples`. Without, only their vectors are.
    pub keep_inputs: bool,
}

impl Default for LearnOptions {
    fn default() -> Self {
        LearnOptions {
            examples: 2000,
            audit: 0.05,
            risk: 0.05,
            keep_inputs: true,
        }
    }
}

impl LearnOptions {
    fn validate(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::new(Code::InvalidOption, what));
        if !(100..=MOST_EXAMPLES).contains(&(self.examples as usize)) {
            return bad("learn.examples must be 100 to 5000");
        }
        if !(0.0..=1.0).contains(&self.audit) {
            return bad("learn.audit is a share, 0 to 1");
        }
        risk::check("risk", Some(self.risk))
    }
}

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

/// What is in memory of a subject.
#[derive(Debug)]
struct Set {
    labels: Vec<String>,
    entry: Entry,
    examples: Examples,
    /// The rulings of the latest look, one a risk.
    rulings: Vec<ThresholdEstimate>,
    look: Option<u32>,
}

impl Set {
    fn ruling(&mut self, risk: f64) -> Option<ThresholdEstimate> {
        let due = interim_look(self.entry.total)?;
        if self.look != Some(due) {
            self.look = Some(due);
            self.rulings.clear();
        }
        if let Some(known) = self.rulings.iter().find(|r| r.risk == risk) {
            return Some(*known);
        }
        let ruling = certify_leave_one_out(self.examples.leave_one_out(), risk, due);
        self.rulings.push(ruling);
        Some(ruling)
    }
}

impl Learner {
    /// One that has learned nothing in this worker yet.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
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

    /// What the examples suggest for an input with this vector; nothing while there are none.
    pub async fn suggest(
        &self,
        subject: &QuestionKey,
        vector: &[i8],
        risk: Option<f64>,
        storage: &impl Storage,
    ) -> Option<Suggestion> {
        let risk = risk.unwrap_or(self.options.risk);
        self.load(subject, vector.len(), storage).await;
        let mut sets = self.lock();
        let set = sets.get_mut(&subject.key)?;
        let vote = set.examples.vote(vector)?;
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
                examples: set.examples.len() as u64,
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
        self.load(subject, example.vector.len(), storage).await;
        let most = self.options.examples as usize;
        let new = self.entry(subject);
        let entry = store::change(&subject.key, new, storage, |entry| entry.total += 1).await;
        let Some(entry) = entry else { return };
        example.number = entry.total - 1;
        store::put(&subject.key, &entry, &example, storage).await;
        if let Some(set) = self.lock().get_mut(&subject.key) {
            set.entry = entry;
            // The text is not needed to answer.
            let example = Example {
                input: None,
                ..example
            };
            set.examples.insert(example, most);
        }
    }

    /// Trusts these examples no more.
    pub async fn distrust(&self, subject: &QuestionKey, storage: &impl Storage) {
        let new = self.entry(subject);
        let distrust = |entry: &mut Entry| entry.distrusted = true;
        let entry = store::change(&subject.key, new, storage, distrust).await;
        if let (Some(set), Some(entry)) = (self.lock().get_mut(&subject.key), entry) {
            set.entry = entry;
        }
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

    async fn stored(&self, key: &str, entry: &Entry, storage: &impl Storage) -> Vec<Example> {
        let mut all = store::all(key, entry, storage).await;
        let most = self.options.examples as usize;
        all.drain(..all.len().saturating_sub(most));
        all
    }

    /// Brings a subject's examples into memory, if they are not. What does not belong there is left out.
    async fn load(&self, subject: &QuestionKey, dimension: usize, storage: &impl Storage) {
        if self.lock().contains_key(&subject.key) {
            return;
        }
        let mut index = store::index(storage).await;
        let entry = index.remove(&subject.key);
        // The task is a part of the key.
        let entry = entry.filter(|entry| entry.task == subject.task);
        let entry = entry.unwrap_or_default();
        let mut examples = Examples::default();
        let labels = distinct(&subject.labels);
        for example in self.stored(&subject.key, &entry, storage).await {
            if example.vector.len() == dimension && labels.contains(example.label.as_str()) {
                let example = Example {
                    input: None,
                    ..example
                };
                examples.insert(example, usize::MAX);
            }
        }
        let set = Set {
            labels: subject.labels.clone(),
            entry,
            examples,
            rulings: Vec::new(),
            look: None,
        };
        // Another call may have been faster, and may have learned since.
        self.lock().entry(subject.key.clone()).or_insert(set);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Set>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
