//! The seam to the host that every room may need: time and chance, and what is stored. `remote` adds the network and the page.

use std::future::Future;

/// What time it is, and chance.
pub trait Clock {
    /// Now, in milliseconds from any fixed moment; never goes backwards.
    fn now_ms(&self) -> f64;

    /// Now, in milliseconds since 1970, as other tabs see it too.
    fn wall_ms(&self) -> f64;

    /// A fresh random number in `[0, 1)`.
    fn uniform(&self) -> f64;
}

/// Where things are stored.
pub trait Storage {
    /// Changes what is stored under `key` as one transaction: nobody else who stores things at the same place, in other tabs
    /// too, comes in between. `change` gets what is there and gives what is to be there.
    fn update(
        &self,
        key: &str,
        change: &mut dyn FnMut(Option<String>) -> Option<String>,
    ) -> impl Future<Output = ()>;
}

/// A clock that stands still, for work that nobody times.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedClock;

impl Clock for FixedClock {
    fn now_ms(&self) -> f64 {
        0.0
    }

    fn wall_ms(&self) -> f64 {
        0.0
    }

    /// The middle is as good as any.
    fn uniform(&self) -> f64 {
        0.5
    }
}
