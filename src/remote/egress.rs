//! The one way out of the device: what may leave (`clearance`), of which a prompt is made (`prompt`), of which a request
//! is made (`departure`), which is written down (`ledger`).

pub(super) mod clearance;
pub(super) mod departure;
mod ledger;
pub(super) mod prompt;
mod request;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::redact::RedactOptions;
use crate::error::{Code, Error, Result};

pub use ledger::{EgressReport, Ledger};
pub use prompt::{Prompt, Role, Turn};
pub use request::HttpRequest;

/// What may leave the device for a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Egress {
    /// Nothing.
    Never,
    /// What the page's `consent` function allows, each time.
    Ask,
    /// Texts without personal data; files not at all.
    Redacted,
    /// Everything.
    #[default]
    Allow,
}

/// What may leave the device, and how it is changed before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "RuntimePrivacy"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Privacy {
    /// For tasks that `tasks` does not name. Default: `"allow"`.
    pub egress: Egress,
    /// For single tasks: `never`, `ask` (the page's `beforeRemote` must say yes), `redacted`, `allow`. A name that is neither
    /// the bundle's nor in `ownTasks` is refused: a misspelt one would leave the task that was meant without its rule.
    #[cfg_attr(test, ts(type = "Record<string, Egress>"))]
    pub tasks: BTreeMap<String, Egress>,
    /// The names of tasks that the bundle does not have: those that calls describe with `labels` or an `instruction`.
    pub own_tasks: Vec<String>,
    /// What is taken out of texts. With it, all texts are redacted; without it, those of tasks whose egress is
    /// `redacted`, and then of every kind.
    #[cfg_attr(test, ts(type = "Partial<RedactOptions> | null"))]
    pub redact: Option<RedactOptions>,
    /// Whether the page has a function that is asked before anything leaves.
    pub before_remote: bool,
}

impl Privacy {
    /// What may leave for a task.
    pub fn of(&self, task: &str) -> Egress {
        self.tasks.get(task).copied().unwrap_or(self.egress)
    }

    /// Whether personal data is taken out of what leaves for a task.
    pub fn redacts(&self, task: &str) -> bool {
        self.of(task) == Egress::Redacted || self.redact.is_some()
    }

    /// Checks that every task that is named is one: a misspelt name would leave the task that was meant without its rule.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn check_tasks<'t>(&self, known: impl Iterator<Item = &'t str> + Clone) -> Result<()> {
        for task in self.tasks.keys() {
            if !self.own_tasks.contains(task) && !known.clone().any(|name| name == task) {
                let known: Vec<&str> = known.take(20).collect();
                return Err(Error::new(
                    Code::InvalidOption,
                    format!(
                        "privacy.tasks: the bundle has no task \"{}\" (it has {}); correct the name, or list a task of your own in privacy.ownTasks",
                        crate::error::excerpt(task, 60),
                        known.join(", ")
                    ),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
