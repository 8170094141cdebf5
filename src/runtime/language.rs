//! The language of a text, for tasks that cover some languages only.

use super::Runtime;
use crate::bundle::Source;
use crate::error::{Code, Error};
use crate::host::Clock;
use crate::route::{Verdict, judge};
use crate::task::{Input, Timing};

impl<S: Source> Runtime<S> {
    /// The error of a text that is confidently in a language the task does not cover, and how long detection took. Where no
    /// language is detected with confidence there is no error: the task's own confidence decides.
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
        let Ok(detector) = self.bundle.task(&limit.task) else {
            return (None, timing);
        };
        // The language is detected at the detector's own risk: the call's is about its own task.
        let thresholds = self.bundle.thresholds(detector, None).values;
        for (name, threshold) in detector.tiers.iter().zip(thresholds) {
            let from = clock.now_ms();
            let head = self.models.head(&self.bundle, name).await;
            let loaded = clock.now_ms();
            timing.load_ms += loaded - from;
            let scored = head.and_then(|head| head.run(input, &detector.limits));
            timing.infer_ms += clock.now_ms() - loaded;
            let Ok(scored) = scored else { continue };
            let confidence = scored.calibrated.confidence;
            if judge(confidence, threshold, scored.in_distribution()) != Verdict::Trust {
                continue;
            }
            let Some(label) = detector.labels.get(scored.calibrated.label()) else {
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
}
