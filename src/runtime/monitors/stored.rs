//! What monitors know, kept beyond a page: numbers and the hash of what they belong to, no inputs.
//!
//! All tabs of a site write at the same place. Evidence is a product of one factor an observation, so it would be inflated if
//! two tabs multiplied from the same base and both results counted. That cannot happen: within one transaction a tab reads
//! what is kept, takes in what it has seen since it last wrote, and writes the result. Each observation is so multiplied
//! once, into one sequence in which the tabs take turns; turns do not depend on what was observed, so inputs that were
//! exchangeable stay so, and audits keep their chances. What a tab has seen and not written when it ends is lost, whatever
//! it was, which leaves a shorter sequence of the same kind: a martingale may skip observations as long as what they are
//! does not decide it.
//!
//! A tab itself goes by what is kept and its own unwritten observations on top, so it knows of an alarm at once. That is the
//! same martingale without the others' factors of the last second.

use serde::{Deserialize, Serialize};

use super::watch::{Numbers, Observation, Watch};
use crate::bundle::{Bundle, Reference};
use crate::host::Storage;

/// The longest text that is read: all risks that are watched, with every bettor, and all drawn answers fit in it.
const MOST_BYTES: usize = 2 << 20;

/// Where the monitors of a task are kept, and what they were calibrated with.
pub(in crate::runtime) struct Place<'a> {
    key: String,
    /// The hash of that.
    of: String,
    pub(super) reference: Option<&'a Reference>,
}

/// What is kept.
#[derive(Serialize, Deserialize)]
struct StoredWatch {
    of: String,
    numbers: Numbers,
}

impl<'a> Place<'a> {
    /// That of a bundle's task, which was calibrated with `of`; nothing for any other task.
    pub(in crate::runtime) fn new(bundle: &'a Bundle, task: &str, of: &str) -> Option<Self> {
        let entry = bundle.task(task).ok()?;
        Some(Place {
            key: format!("monitors/{}/{task}", bundle.manifest().name),
            of: of.to_owned(),
            reference: entry.reference(),
        })
    }

    /// What is kept of it. Whatever cannot be read, or belongs to another calibration, is nothing.
    fn read(&self, json: &str) -> Option<Watch> {
        let stored = Some(json).filter(|json| json.len() <= MOST_BYTES)?;
        let stored: StoredWatch = serde_json::from_str(stored).ok()?;
        (stored.of == self.of).then(|| Watch::resumed(&stored.numbers, self.reference))
    }

    fn write(&self, watch: &Watch) -> Option<String> {
        let stored = StoredWatch {
            of: self.of.clone(),
            numbers: watch.numbers(),
        };
        serde_json::to_string(&stored).ok()
    }

    /// Adds what was seen since the last time to what is kept, and gives the result. `own` is what this runtime knows with
    /// it: where nothing is kept, that is.
    pub(super) async fn merge(
        &self,
        own: Watch,
        seen: &[Observation],
        storage: &impl Storage,
    ) -> Watch {
        let mut merged = None;
        let mut change = |before: Option<String>| {
            let kept = before.as_deref().and_then(|json| self.read(json));
            let news = match &kept {
                Some(_) => !seen.is_empty(),
                None => !own.is_empty(),
            };
            let watch = match kept {
                Some(mut kept) => {
                    seen.iter().for_each(|seen| kept.take(seen, self.reference));
                    kept
                }
                None => own.clone(),
            };
            let after = match news {
                true => self.write(&watch),
                false => before,
            };
            merged = Some(watch);
            after
        };
        storage.update(&self.key, &mut change).await;
        merged.unwrap_or(own)
    }
}
