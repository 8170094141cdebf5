//! The remotes, and what is remembered of them between calls.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::attachment::Medium;
use super::budget::{Budget, UsageReport};
use super::cache::{AnswerCache, Cache};
use super::egress::{EgressReport, Ledger, Privacy};
use super::endpoint::Endpoint;
use super::host::Host;
use super::policy::{Breaker, Policy};
use super::profile::TaskProfile;
use super::redact::{Named, Redactor};
use crate::error::Result;
use crate::task::{InputKind, Sent};

/// Which remotes there are and how they are asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "RuntimeRemote"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RemoteOptions {
    /// The endpoints, in the order in which they are tried.
    #[cfg_attr(test, ts(type = "RuntimeEndpoint[]"))]
    pub endpoints: Vec<Endpoint>,
    /// How failures are met.
    #[cfg_attr(test, ts(type = "Partial<Policy>"))]
    pub policy: Policy,
    /// What may be spent.
    #[cfg_attr(test, ts(type = "Partial<Budget>"))]
    pub budget: Budget,
    /// What may leave the device.
    #[cfg_attr(test, ts(type = "Partial<RuntimePrivacy>"))]
    pub privacy: Privacy,
    /// How answers are kept.
    #[cfg_attr(test, ts(type = "Partial<AnswerCache>"))]
    pub answer_cache: AnswerCache,
}

/// The remotes, with all that is remembered of them between calls.
#[derive(Debug)]
pub struct Remote {
    pub(super) options: RemoteOptions,
    pub(super) accounts: Accounts,
    pub(super) ledger: Ledger,
    pub(super) redactor: Redactor,
    breakers: Mutex<Vec<Breaker>>,
    pub(super) cache: Cache,
}

/// Finds people's names in what is about to leave, and what else is somebody's.
pub trait People {
    /// The names in these texts, and the entities that a task finds there.
    ///
    /// # Errors
    /// Why nobody could look: then nothing leaves.
    fn names(
        &self,
        texts: &[String],
        task: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Named>>>;
}

/// Nobody looks for names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unnamed;

impl People for Unnamed {
    async fn names(&self, _: &[String], _: Option<&str>) -> Result<Vec<Named>> {
        Ok(Vec::new())
    }
}

impl Remote {
    /// Remotes as described.
    ///
    /// # Errors
    /// [`Code::InvalidOption`](crate::error::Code::InvalidOption).
    pub fn new(options: RemoteOptions) -> Result<Self> {
        for endpoint in &options.endpoints {
            endpoint.validate()?;
        }
        options.policy.validate()?;
        options.budget.validate()?;
        options.answer_cache.validate()?;
        let redact = options.privacy.redact.clone();
        let redactor = Redactor::new(&redact.unwrap_or_default())?;
        Ok(Remote {
            redactor,
            breakers: Mutex::new(vec![Breaker::default(); options.endpoints.len()]),
            cache: Cache::new(options.answer_cache.clone()),
            ledger: Ledger::default(),
            accounts: Accounts::new(options.budget.clone()),
            options,
        })
    }

    /// How likely a remote is right about an input of `task` whose best local answer has this confidence: the most likely one.
    /// Nothing where one that may be asked was never measured beside these `models`, is `refuted` by audits, or there is none.
    /// The models' name is a hash, which only a task with profiles needs.
    pub fn expected_accuracy(
        &self,
        task: &str,
        models: impl FnOnce() -> String,
        confidence: f64,
        refuted: impl Fn(u64) -> bool,
    ) -> Option<f64> {
        let endpoints = self.options.endpoints.iter();
        let profiles = endpoints.map(|endpoint| endpoint.profile.as_ref()?.tasks.get(task));
        let profiles: Vec<&TaskProfile> = profiles.collect::<Option<_>>()?;
        let named = profiles.first().map(|_| models())?;
        let known = profiles.iter().all(|profile| profile.models == named);
        let expected = profiles.iter().map(|profile| profile.accuracy(confidence));
        let mut claims = self.models().zip(&profiles);
        let holds = |(model, profile): (&str, &&TaskProfile)| !refuted(profile.claim(model));
        let expected = expected.reduce(f64::max).filter(|_| known);
        expected.filter(|_| claims.all(holds))
    }

    /// What the profile of `model` claims of such an input: the number of the claim, and how likely it is right.
    pub fn claimed_accuracy(&self, model: &str, task: &str, confidence: f64) -> Option<(u64, f64)> {
        let endpoint = self.options.endpoints.iter().find(|e| e.model() == model)?;
        let profile = endpoint.profile.as_ref()?.tasks.get(task)?;
        Some((profile.claim(model), profile.accuracy(confidence)))
    }

    /// The models that are asked.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.options.endpoints.iter().map(Endpoint::model)
    }

    /// Whether one of them may be asked about inputs of this kind.
    pub fn takes(&self, kind: InputKind) -> bool {
        match (kind, Medium::of(kind)) {
            (InputKind::Table, _) => false,
            (_, None) => true,
            (_, Some(medium)) => {
                let mut endpoints = self.options.endpoints.iter();
                endpoints.any(|endpoint| endpoint.accepts.contains(&medium))
            }
        }
    }

    /// Whether one of the remotes asks this model.
    pub fn asks(&self, model: &str) -> bool {
        self.options.endpoints.iter().any(|e| e.model == model)
    }

    /// What left the device.
    pub fn egress(&self) -> EgressReport {
        self.ledger.report()
    }

    /// What was written down since this was last asked.
    pub fn take_sent(&self) -> Vec<Sent> {
        self.ledger.news()
    }

    /// Checks that every task that the privacy options name is one.
    ///
    /// # Errors
    /// [`Code::InvalidOption`](crate::error::Code::InvalidOption).
    pub fn check_tasks<'t>(&self, known: impl Iterator<Item = &'t str> + Clone) -> Result<()> {
        self.options.privacy.check_tasks(known)
    }

    /// The task whose entities are taken out of what leaves.
    pub fn redacts_by(&self) -> Option<&str> {
        let redact = self.options.privacy.redact.as_ref();
        redact.and_then(|redact| redact.task.as_deref())
    }

    /// Forgets the answers that are kept.
    pub async fn forget(&self, host: &impl Host) {
        self.cache.clear(host).await;
    }

    /// What was spent and saved, in all tabs.
    pub async fn usage(&self, host: &impl Host) -> UsageReport {
        self.accounts.usage(host).await
    }

    /// Takes in that an input of so many bytes was answered without a remote. It is what the first endpoint that is not
    /// on this device would have cost.
    pub async fn saved(&self, kind: InputKind, bytes: usize, text: bool, host: &impl Host) {
        let Some(endpoint) = self.options.endpoints.iter().find(|e| !e.is_on_device()) else {
            return;
        };
        let bytes = match kind {
            InputKind::Text | InputKind::Pair => bytes,
            InputKind::Bytes => bytes.min(512) * 3,
            // What a remote counts for one is known when it was asked.
            InputKind::Image | InputKind::Sound | InputKind::Table => return,
        };
        if self.accounts.saved(endpoint, bytes, text) {
            let _ = self.usage(host).await;
        }
    }

    pub(super) fn breakers<R>(&self, change: impl FnOnce(&mut Vec<Breaker>) -> R) -> R {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut breakers)
    }
}
