//! Work on all cores: rayon's names, and the same names on one thread where there are no others, as in a page. What is summed is
//! cut into parts that do not depend on the cores, so that both give the same bits.

#[cfg(feature = "cli")]
pub(super) use rayon::prelude::*;

#[cfg(not(feature = "cli"))]
pub(super) use alone::*;

#[cfg(not(feature = "cli"))]
mod alone {
    use std::slice::{Chunks, ChunksMut, IterMut};

    pub(in crate::train) trait Parts<T> {
        fn par_chunks(&self, size: usize) -> Chunks<'_, T>;
        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T>;
        fn par_iter_mut(&mut self) -> IterMut<'_, T>;
    }

    impl<T> Parts<T> for [T] {
        fn par_chunks(&self, size: usize) -> Chunks<'_, T> {
            self.chunks(size)
        }

        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T> {
            self.chunks_mut(size)
        }

        fn par_iter_mut(&mut self) -> IterMut<'_, T> {
            self.iter_mut()
        }
    }

    pub(in crate::train) trait Whole: IntoIterator + Sized {
        fn into_par_iter(self) -> Self::IntoIter {
            self.into_iter()
        }
    }

    impl<I: IntoIterator> Whole for I {}

    pub(in crate::train) trait MinLen: Iterator + Sized {
        /// How many a thread takes at least.
        fn with_min_len(self, _: usize) -> Self {
            self
        }
    }

    impl<I: Iterator> MinLen for I {}
}
