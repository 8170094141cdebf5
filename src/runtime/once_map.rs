//! Values that are expensive to make, made once and shared.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::Mutex as AsyncMutex;

use crate::error::Result;

/// The cell of a value; locked while the value is being made.
type Cell<T> = Arc<AsyncMutex<Option<Arc<T>>>>;

/// Values by name. Concurrent callers of one name wait for a single computation of it; a failure is not stored, so the next
/// caller tries again.
#[derive(Debug)]
pub(super) struct OnceMap<T> {
    cells: Mutex<HashMap<String, Cell<T>>>,
}

impl<T> OnceMap<T> {
    pub(super) fn new() -> Self {
        OnceMap {
            cells: Mutex::default(),
        }
    }

    pub(super) async fn get_or_make<F>(
        &self,
        name: &str,
        make: impl FnOnce() -> F,
    ) -> Result<Arc<T>>
    where
        F: Future<Output = Result<T>>,
    {
        let cell = self.cell(name);
        let mut held = cell.lock().await;
        if let Some(value) = &*held {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make().await?);
        *held = Some(Arc::clone(&value));
        Ok(value)
    }

    /// Whether the value has been made; false while it is being made.
    pub(super) fn has(&self, name: &str) -> bool {
        let cell = self.cell(name);
        cell.try_lock().is_some_and(|held| held.is_some())
    }

    fn cell(&self, name: &str) -> Cell<T> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};
    use std::cell::Cell as Counter;

    #[test]
    fn a_value_is_made_once_and_a_failure_is_not_kept() {
        let map = OnceMap::new();
        let made = Counter::new(0);
        let make = |fail: bool| {
            let made = &made;
            async move {
                made.set(made.get() + 1);
                if fail {
                    Err(Error::new(Code::Internal, "no"))
                } else {
                    Ok(made.get())
                }
            }
        };
        pollster::block_on(async {
            assert!(map.get_or_make("a", || make(true)).await.is_err());
            assert!(!map.has("a"));
            assert_eq!(*map.get_or_make("a", || make(false)).await.unwrap(), 2);
            assert_eq!(*map.get_or_make("a", || make(true)).await.unwrap(), 2);
            assert!(map.has("a") && !map.has("b"));
        });
    }

    #[test]
    fn callers_at_the_same_time_share_one_making() {
        let map = OnceMap::new();
        let made = Counter::new(0);
        let make = || async {
            made.set(made.get() + 1);
            // Give way once, so that the other caller comes in between.
            let mut given_way = false;
            std::future::poll_fn(|cx| {
                if given_way {
                    return std::task::Poll::Ready(());
                }
                given_way = true;
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            Ok(7)
        };
        let (a, b) = pollster::block_on(futures_util::future::join(
            map.get_or_make("a", make),
            map.get_or_make("a", make),
        ));
        assert_eq!((*a.unwrap(), *b.unwrap(), made.get()), (7, 7, 1));
    }
}
