//! Buffers of floats that are used again: a program allocates little after its first run.

use super::array::{Data, Fault, count};

/// Small buffers between runs, and the kernels' own.
#[derive(Default)]
pub(crate) struct BufferPool {
    free: Vec<Vec<f32>>,
    /// For the kernels.
    pub scratch: Vec<f32>,
    /// For the kernels.
    pub bytes: Vec<u8>,
}

/// How many buffers are kept.
const MOST_FREE: usize = 24;
/// From how many numbers on a buffer is the allocator's again: 64 KiB. It joins neighbours that are free, and so needs
/// less memory than buffers of fixed sizes; to fill them with zeros cannot be measured beside what is computed into them.
const LARGE: usize = 16 * 1024;

impl BufferPool {
    /// A buffer of `len` numbers, whose values are unspecified.
    pub(crate) fn floats(&mut self, len: usize) -> Vec<f32> {
        if len >= LARGE {
            return vec![0.0; len];
        }
        let fits = |v: &&Vec<f32>| v.capacity() >= len;
        let best = self.free.iter().filter(fits).map(Vec::capacity).min();
        let at = self.free.iter().position(|v| Some(v.capacity()) == best);
        let mut buffer = at.map_or_else(Vec::new, |at| self.free.swap_remove(at));
        buffer.resize(len, 0.0);
        buffer
    }

    /// An array to be filled.
    pub(crate) fn array(&mut self, shape: Vec<usize>) -> Result<(Vec<usize>, Vec<f32>), Fault> {
        let len = count(&shape)?;
        Ok((shape, self.floats(len)))
    }

    /// Takes back what a value held.
    pub(crate) fn give(&mut self, data: Data) {
        let Data::F32(buffer) = data else { return };
        if buffer.capacity() >= LARGE {
            return;
        }
        self.free.push(buffer);
        if self.free.len() > MOST_FREE {
            let smallest = (0..self.free.len()).min_by_key(|&at| self.free[at].capacity());
            smallest.map(|at| self.free.swap_remove(at));
        }
    }
}
