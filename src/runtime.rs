//! One bundle, ready to be asked. Carries a call along its path: capability, local tiers, remote,
//! answer. All effects (files, network, time) come from outside, so the native command line and the
//! browser run this same code.

mod call;
mod models;
mod shelf;

use std::future::Future;

pub use call::Call;

use crate::bundle::{Bundle, Source, TaskInfo};
use crate::error::{Code, Error, Result};
use crate::remote::{Endpoint, Transport};
use crate::route::Mode;
use crate::task::Answer;

use models::Models;

/// Something that tells the time, in milliseconds from any fixed moment, and never goes backwards.
pub trait Clock {
    /// Now.
    fn now_ms(&self) -> f64;
}

/// A bundle with its loaded models, and where to turn when they are not enough.
pub struct Runtime<S> {
    bundle: Bundle,
    models: Models<S>,
    mode: Mode,
    endpoint: Option<Endpoint>,
}

impl<S> std::fmt::Debug for Runtime<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("bundle", &self.bundle.manifest().name)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl<S: Source> Runtime<S> {
    /// A runtime for `bundle`, whose files come from `source`. Nothing is loaded yet.
    ///
    /// # Errors
    /// [`Code::InvalidOption`] when the endpoint is unusable.
    pub fn new(bundle: Bundle, source: S, mode: Mode, endpoint: Option<Endpoint>) -> Result<Self> {
        if let Some(endpoint) = &endpoint {
            endpoint.validate()?;
        }
        Ok(Runtime {
            bundle,
            models: Models::new(source),
            mode,
            endpoint,
        })
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// What the bundle can do, and what of it is loaded.
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.bundle.tasks(|head| self.models.is_loaded(head))
    }

    /// Loads every model of `tasks` (all tasks when `None`), so that later calls need no network.
    /// `between` is awaited between models and may stop the work.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], or why a model could not be loaded.
    pub async fn prepare<F>(&self, tasks: Option<&[String]>, between: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let all: Vec<String>;
        let tasks = match tasks {
            Some(tasks) => tasks,
            None => {
                all = self.bundle.manifest().tasks.keys().cloned().collect();
                &all
            }
        };
        for task in tasks {
            let entry = self.bundle.task(task)?;
            let teller = entry
                .limits
                .languages
                .as_ref()
                .map(|l| self.bundle.task(&l.task));
            let teller = teller.transpose()?;
            let heads = entry
                .tiers
                .iter()
                .chain(teller.iter().flat_map(|t| &t.tiers));
            for head in heads {
                between().await?;
                self.models.head(&self.bundle, head).await?;
            }
        }
        Ok(())
    }

    /// Answers one call.
    ///
    /// # Errors
    /// When there is no answer at all: why, with everything that was tried in
    /// [`Error::attempts`].
    pub async fn run(
        &self,
        call: &Call<'_>,
        transport: &impl Transport,
        clock: &impl Clock,
    ) -> Result<Answer> {
        call::Path::new(self, call, transport, clock)?.walk().await
    }
}

/// The error of a call that its caller gave up.
fn aborted() -> Error {
    Error::new(Code::Aborted, "the call was aborted")
}

#[cfg(test)]
mod tests;
