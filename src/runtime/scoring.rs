//! What every tier makes of an input, without any decision: for training, calibration and
//! evaluation, which so see exactly what a call would.

use super::Runtime;
use super::head::Scored;
use super::limits::limit_violation;
use crate::bundle::{Limits, Source};
use crate::error::{Code, Error, Result};
use crate::host::Clock;
use crate::task::Input;
use crate::text::buckets;

/// What every tier of a task makes of one input.
#[derive(Debug)]
pub struct TierScores {
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
    pub async fn score_tiers(
        &self,
        task: &str,
        input: Input<'_>,
        clock: &impl Clock,
    ) -> Result<TierScores> {
        let entry = self.bundle.task(task)?;
        let refused = match limit_violation(entry, input) {
            Some((_, refused)) => Some(refused),
            None => self.foreign_language(task, input, clock).await.0,
        };
        if let Some(refused) = refused {
            return Ok(TierScores {
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
        Ok(TierScores {
            refused: None,
            tiers,
        })
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

    /// The hashed n-grams of a text, as [`buckets`] gives them, with cues of that version.
    ///
    /// # Errors
    /// [`Code::BundleInvalid`] when there is no such tokenizer, or why the text cannot be read.
    pub async fn hashed(
        &self,
        tokenizer: &str,
        text: &str,
        count: u32,
        cues: u32,
    ) -> Result<Vec<i64>> {
        if !self.bundle.manifest().tokenizers.contains_key(tokenizer) {
            return Err(self.unknown("tokenizer", tokenizer));
        }
        let tokenizer = self.models.tokenizer(&self.bundle, tokenizer).await?;
        Ok(buckets(text, &tokenizer.ids(text, false)?, count, cues))
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
