//! What every tier makes of an input, without any decision: for training, calibration and
//! evaluation, which so see exactly what a call would.

use super::models::Scored;
use super::{Clock, Runtime};
use crate::bundle::{Limits, Source, TaskEntry};
use crate::error::{Code, Error, Result};
use crate::route::{Verdict, judge};
use crate::task::{Input, Timing};
use crate::text::buckets;

/// What every tier of a task makes of one input.
#[derive(Debug)]
pub struct Examined {
    /// Why the task's limits refuse the input, where they do. No tier was run then.
    pub refused: Option<Error>,
    /// One entry a tier, in the tiers' order, with the milliseconds it took.
    pub tiers: Vec<(Result<Scored>, f64)>,
}

impl<S: Source> Runtime<S> {
    /// Runs every tier of `task` on `input`, unless the task's limits refuse it.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], or why a model could not be loaded.
    pub async fn examine(
        &self,
        task: &str,
        input: Input<'_>,
        clock: &impl Clock,
    ) -> Result<Examined> {
        let entry = self.bundle.task(task)?;
        let refused = match refuse(entry, input) {
            Some(refused) => Some(refused),
            None => self.foreign_language(task, input, clock).await.0,
        };
        if let Some(refused) = refused {
            return Ok(Examined {
                refused: Some(refused),
                tiers: Vec::new(),
            });
        }
        let mut tiers = Vec::with_capacity(entry.tiers.len());
        for name in &entry.tiers {
            let head = self.models.head(&self.bundle, name).await?;
            let from = clock.now_ms();
            let scored = head.run(input, &entry.limits);
            tiers.push((scored, clock.now_ms() - from));
        }
        Ok(Examined {
            refused: None,
            tiers,
        })
    }

    /// The error of a text that is confidently in a language the task does not cover, and how long
    /// it took to tell. A language that cannot be told is none: the task's own confidence decides.
    pub(super) async fn foreign_language(
        &self,
        task: &str,
        input: Input<'_>,
        clock: &impl Clock,
    ) -> (Option<Error>, Timing) {
        let mut timing = Timing::default();
        let limit = |id: &str| self.bundle.task(id).ok()?.limits.languages.as_ref();
        let Some(limit) = limit(task) else {
            return (None, timing);
        };
        let Ok(teller) = self.bundle.task(&limit.task) else {
            return (None, timing);
        };
        // The language is told at the teller's own risk: the call's is about its own task.
        let thresholds = self.bundle.thresholds(teller, None).values;
        for (name, threshold) in teller.tiers.iter().zip(thresholds) {
            let from = clock.now_ms();
            let head = self.models.head(&self.bundle, name).await;
            let loaded = clock.now_ms();
            timing.load_ms += loaded - from;
            let scored = head.and_then(|head| head.run(input, &teller.limits));
            timing.infer_ms += clock.now_ms() - loaded;
            let Ok(scored) = scored else { continue };
            let confidence = scored.calibrated.confidence;
            if judge(confidence, threshold, scored.in_distribution()) != Verdict::Trust {
                continue;
            }
            let best = scored
                .calibrated
                .probabilities
                .iter()
                .position(|p| *p == confidence);
            let Some(label) = best.and_then(|best| teller.labels.get(best)) else {
                continue;
            };
            if limit.allow.contains(&label.id) {
                return (None, timing);
            }
            let error = Error::new(
                Code::UnsupportedLanguage,
                format!(
                    "the text is in {}; the task \"{task}\" covers {}",
                    label.title.as_ref().unwrap_or(&label.id),
                    limit.allow.join(", ")
                ),
            );
            return (Some(error), timing);
        }
        (None, timing)
    }

    /// The vector that the encoder called `encoder` makes of `input`.
    ///
    /// # Errors
    /// [`Code::BundleInvalid`] when there is no such encoder, or why the input is not for it.
    pub async fn embed(
        &self,
        encoder: &str,
        input: Input<'_>,
        limits: &Limits,
    ) -> Result<Vec<f32>> {
        if !self.bundle.manifest().encoders.contains_key(encoder) {
            return Err(self.unknown("encoder", encoder));
        }
        let encoder = self.models.encoder(&self.bundle, encoder).await?;
        encoder.run(input, limits)
    }

    /// The hashed n-grams of a text, as [`buckets`] gives them.
    ///
    /// # Errors
    /// [`Code::BundleInvalid`] when there is no such tokenizer, or why the text cannot be read.
    pub async fn hashed(&self, tokenizer: &str, text: &str, count: u32) -> Result<Vec<i64>> {
        if !self.bundle.manifest().tokenizers.contains_key(tokenizer) {
            return Err(self.unknown("tokenizer", tokenizer));
        }
        let tokenizer = self.models.tokenizer(&self.bundle, tokenizer).await?;
        Ok(buckets(&tokenizer.ids(text, false)?, count))
    }

    fn unknown(&self, what: &str, name: &str) -> Error {
        Error::new(
            Code::BundleInvalid,
            format!(
                "the bundle \"{}\" has no {what} \"{name}\"",
                self.bundle.manifest().name
            ),
        )
    }
}

/// The error of an input outside the task's limits of length.
pub(super) fn refuse(task: &TaskEntry, input: Input) -> Option<Error> {
    let len = input.len() as u64;
    let (least, most) = (task.limits.min_bytes, task.limits.max_bytes);
    if len < least {
        return Some(Error::new(
            Code::InputTooShort,
            format!("the input has {len} bytes, the task needs {least}"),
        ));
    }
    (len > most).then(|| {
        Error::new(
            Code::InputTooLong,
            format!("the input has {len} bytes, over the task's limit of {most}; split it"),
        )
    })
}
