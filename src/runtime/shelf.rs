//! Things that are expensive to make, made once and shared.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::Mutex as AsyncMutex;

use crate::error::Result;

/// A place on the shelf; locked while its thing is being made.
type Place<T> = Arc<AsyncMutex<Option<Arc<T>>>>;

/// Named things. Callers who ask for the same one at the same time wait for one making of it; a
/// failed making is not remembered, so that the next caller tries again.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    places: Mutex<HashMap<String, Place<T>>>,
}

impl<T> Shelf<T> {
    pub(super) fn new() -> Self {
        Shelf {
            places: Mutex::default(),
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
        let place = self.place(name);
        let mut held = place.lock().await;
        if let Some(thing) = &*held {
            return Ok(Arc::clone(thing));
        }
        let thing = Arc::new(make().await?);
        *held = Some(Arc::clone(&thing));
        Ok(thing)
    }

    /// Whether the thing is there; false while it is being made.
    pub(super) fn has(&self, name: &str) -> bool {
        let place = self.place(name);
        place.try_lock().is_some_and(|held| held.is_some())
    }

    fn place(&self, name: &str) -> Place<T> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};
    use std::cell::Cell;

    #[test]
    fn a_thing_is_made_once_and_a_failure_is_not_kept() {
        let shelf = Shelf::new();
        let made = Cell::new(0);
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
            assert!(shelf.get_or_make("a", || make(true)).await.is_err());
            assert!(!shelf.has("a"));
            assert_eq!(*shelf.get_or_make("a", || make(false)).await.unwrap(), 2);
            assert_eq!(*shelf.get_or_make("a", || make(true)).await.unwrap(), 2);
            assert!(shelf.has("a") && !shelf.has("b"));
        });
    }

    #[test]
    fn callers_at_the_same_time_share_one_making() {
        let shelf = Shelf::new();
        let made = Cell::new(0);
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
            shelf.get_or_make("a", make),
            shelf.get_or_make("a", make),
        ));
        assert_eq!((*a.unwrap(), *b.unwrap(), made.get()), (7, 7, 1));
    }
}
