//! Answers by example: what a call's path asks of the [`Learner`](crate::neighbours::Learner), and tells it.

use super::Runtime;
use crate::bundle::{Bundle, Encoder, Limits, Source, TaskEntry};
use crate::neighbours::{QuestionKey, Suggestion, quantise};
use crate::remote::{Host, Reply};
use crate::task::{Input, Label, Timing};

/// The longest input that is looked up, in bytes.
const MOST_BYTES: usize = 100_000;

/// An input, as the learner knows it, and what it says of it.
#[derive(Debug)]
pub(super) struct Lookup {
    subject: QuestionKey,
    vector: Vec<i8>,
    /// Nothing while there are no examples.
    pub(super) advice: Option<Suggestion>,
    /// Whether the remote is to be asked all the same, as a check.
    pub(super) audit: bool,
}

impl Lookup {
    /// The advice, where it may be the answer.
    pub(super) fn trusted(&self) -> Option<&Suggestion> {
        self.advice.as_ref().filter(|advice| advice.trusted)
    }
}

/// What is asked.
pub(super) struct Query<'a> {
    pub(super) task: &'a str,
    pub(super) entry: Option<&'a TaskEntry>,
    pub(super) instruction: &'a str,
    pub(super) labels: &'a [Label],
    pub(super) input: Input<'a>,
    pub(super) risk: Option<f64>,
}

impl<S: Source> Runtime<S> {
    /// Looks an input up among the examples; nothing where nothing is learned or no encoder reads it.
    pub(super) async fn look_up(
        &self,
        asked: &Query<'_>,
        host: &impl Host,
        timing: &mut Timing,
    ) -> Option<Lookup> {
        if !self.learns {
            return None;
        }
        let Input::Text(text) = asked.input else {
            return None;
        };
        if text.len() > MOST_BYTES {
            return None;
        }
        let (name, encoder) = encoder_of(&self.bundle, asked.entry)?;
        let file = self.bundle.manifest().files.get(&encoder.file)?;
        let from = host.now_ms();
        let encoder = self.models.encoder(&self.bundle, name).await;
        let loaded = host.now_ms();
        timing.load_ms += loaded - from;
        let limits = asked
            .entry
            .map_or_else(any_text, |entry| entry.limits.clone());
        let vector = encoder.and_then(|encoder| encoder.run(asked.input, &limits));
        let subject = QuestionKey::new(asked.task, asked.instruction, asked.labels, &file.sha256);
        let vector = vector.ok().and_then(|vector| quantise(&vector))?;
        let advice = self.learner.suggest(&subject, &vector, asked.risk, host);
        let advice = advice.await;
        timing.infer_ms += host.now_ms() - loaded;
        Some(Lookup {
            audit: host.uniform() < self.learner.options().audit,
            subject,
            vector,
            advice,
        })
    }

    /// Takes in what a remote answered to an input that was looked up: as a check of what would have been answered by
    /// example, and as an example.
    pub(super) async fn learn(
        &self,
        lookup: &Lookup,
        reply: &Reply,
        input: Input<'_>,
        host: &impl Host,
    ) {
        let (Some(output), Input::Text(text)) = (&reply.output, input) else {
            return;
        };
        // An answer that was kept was taken in when it came; the browser's own model is no remote.
        if reply.cached || reply.on_device {
            return;
        }
        if let Some(advice) = lookup.trusted() {
            let correct = advice.label == output.label;
            let risk = advice.learned.risk;
            let checked = self.learner.check(&lookup.subject, risk, correct, host);
            if let Some(status) = checked.await {
                self.watch.raise(
                    status
                        .into_iter()
                        .filter(|d| d.alarmed && d.risk == Some(risk)),
                );
            }
        }
        let vector = lookup.vector.clone();
        let (label, now) = (&output.label, host.wall_ms());
        self.learner
            .take(&lookup.subject, vector, label, text, now, host)
            .await;
    }
}

/// The encoder that reads a task's inputs: that of its first tier with one, else the bundle's usual one.
fn encoder_of<'a>(
    bundle: &'a Bundle,
    task: Option<&'a TaskEntry>,
) -> Option<(&'a str, &'a Encoder)> {
    let manifest = bundle.manifest();
    let tiers = task.map_or(&[][..], |task| &task.tiers);
    let own = tiers
        .iter()
        .find_map(|tier| manifest.heads.get(tier)?.encoder.as_ref());
    match own {
        Some(name) => manifest.encoders.get_key_value(name),
        None => bundle.usual_encoder(),
    }
    .map(|(name, entry)| (name.as_str(), entry))
}

/// The limits of a task that states none.
fn any_text() -> Limits {
    Limits {
        min_bytes: 1,
        max_bytes: MOST_BYTES as u64,
        max_tokens: None,
        languages: None,
    }
}
