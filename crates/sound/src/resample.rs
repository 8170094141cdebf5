//! Sound at another rate: each new sample is the old ones through a low-pass filter, centred where the new sample lies.
//!
//! Rates are whole numbers, so the places between two old samples where new ones lie repeat: for 44.1 to 16 kHz there are 160.
//! For each the filter is kept as a row, where the rows are few enough.
//!
//! Its own, because pieces must give what the whole gives, to the bit and without a delay, and because of its size: rubato's
//! resampler by sinc costs 13 kB of compressed WebAssembly, and the one by Fourier transforms as much as realfft, 48 kB.
//!
//! The quality is that of the filter (`kernel`): up to 0.9 of the lower Nyquist frequency it changes nothing by more than
//! 0.01 dB, and from that frequency on it leaves less than -70 dB. There is no delay: a new sample lies at its own time.

use crate::fault::room;
use crate::kernel::{Kernel, REACH};
use crate::sound::{check_rate, check_samples};
use crate::{Fault, Result};

/// How far apart two rates may be.
const MAX_RATIO: u32 = 256;

/// Rows are kept up to this many numbers, 1 MB.
const MAX_ROWS: usize = 1 << 18;

/// So many samples are taken at once, so that not the whole sound is copied.
const PIECE: usize = 1 << 16;

/// Brings samples that come in pieces to another rate. What all pieces give is what the whole gives, to the bit.
#[derive(Debug, Clone)]
pub struct Resampler {
    /// The two rates without their common divisor.
    from: usize,
    to: usize,
    kernel: Kernel,
    /// Samples that the filter spans.
    taps: usize,
    /// A row of the filter for each place between two old samples, or none.
    rows: Vec<f32>,
    /// The row in use, where they are not kept.
    row: Vec<f32>,
    /// What new samples may still need, from some time before the first.
    old: Vec<f32>,
    /// Where the next new sample's filter begins in `old`, and how far after an old sample it is, in parts of `to`.
    at: usize,
    phase: usize,
    taken: u64,
    given: u64,
}

/// Samples at another rate: `ceil(n to / from)` of them.
///
/// # Errors
/// When a rate is none, they are too far apart, a sample is not finite, or there is not enough memory.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    Resampler::new(from, to)?.whole(samples)
}

impl Resampler {
    /// From one rate to another.
    ///
    /// # Errors
    /// When a rate is 0 or above 768 kHz, or the two are further apart than a factor of 256.
    pub fn new(from: u32, to: u32) -> Result<Resampler> {
        check_rate(from)?;
        check_rate(to)?;
        if from.div_ceil(to).max(to.div_ceil(from)) > MAX_RATIO {
            return Err(Fault::Ratio { from, to });
        }
        let common = divisor(from, to);
        let (from, to) = ((from / common) as usize, (to / common) as usize);
        let (half, kernel) = match from == to {
            true => (1, Kernel::default()),
            false => ((REACH * from.max(to)).div_ceil(to), Kernel::new()),
        };
        let taps = 2 * half;
        let mut made = Resampler {
            from,
            to,
            kernel,
            taps,
            rows: Vec::new(),
            row: vec![0.0; taps],
            old: vec![0.0; half - 1],
            at: 0,
            phase: 0,
            taken: 0,
            given: 0,
        };
        if from != to && to.saturating_mul(taps) <= MAX_ROWS {
            for phase in 0..to {
                made.fill(phase);
                made.rows.extend_from_slice(&made.row);
            }
        }
        Ok(made)
    }

    /// Takes a piece and adds to `new` what can be said by now.
    ///
    /// # Errors
    /// When a sample is not finite, and nothing was taken; when there is not enough memory.
    pub fn push(&mut self, samples: &[f32], new: &mut Vec<f32>) -> Result<()> {
        check_samples(samples)?;
        let about = samples.len() as u64 * self.to as u64 / self.from as u64 + 1;
        let about = usize::try_from(about).map_err(|_| Fault::Memory)?;
        new.try_reserve(about).map_err(|_| Fault::Memory)?;
        for piece in samples.chunks(PIECE) {
            self.take(piece, u64::MAX, new);
        }
        self.taken += samples.len() as u64;
        Ok(())
    }

    /// The end: adds what is still to come, and is then as new.
    pub fn finish(&mut self, new: &mut Vec<f32>) {
        let all = u128::from(self.taken) * self.to as u128;
        let all = all.div_ceil(self.from as u128) as u64;
        let beyond = vec![0.0; self.taps / 2];
        self.take(&beyond, all, new);
        self.old.clear();
        self.old.resize(self.taps / 2 - 1, 0.0);
        (self.at, self.phase, self.taken, self.given) = (0, 0, 0, 0);
    }

    /// The whole in one, by a resampler that has taken nothing yet.
    pub(crate) fn whole(mut self, samples: &[f32]) -> Result<Vec<f32>> {
        if self.from == self.to {
            check_samples(samples)?;
            return Ok(samples.to_vec());
        }
        let len = (samples.len() as u128 * self.to as u128).div_ceil(self.from as u128);
        let len = usize::try_from(len).map_err(|_| Fault::Memory)?;
        let mut new = room(len)?;
        self.push(samples, &mut new)?;
        self.finish(&mut new);
        Ok(new)
    }

    fn take(&mut self, piece: &[f32], all: u64, new: &mut Vec<f32>) {
        if self.from == self.to {
            // With all samples taken nothing is to come.
            if all == u64::MAX {
                new.extend_from_slice(piece);
            }
            return;
        }
        self.old.extend_from_slice(piece);
        while self.at + self.taps <= self.old.len() && self.given < all {
            if self.rows.is_empty() {
                self.fill(self.phase);
            }
            let row = match self.rows.is_empty() {
                true => &self.row,
                false => &self.rows[self.phase * self.taps..][..self.taps],
            };
            new.push(dot(row, &self.old[self.at..self.at + self.taps]));
            self.given += 1;
            let next = self.phase + self.from;
            self.at += next / self.to;
            self.phase = next % self.to;
        }
        let done = self.at.min(self.old.len());
        self.old.drain(..done);
        self.at -= done;
    }

    /// The filter where a new sample lies `phase / to` after an old one; its sum is 1, so that a constant stays as it is.
    fn fill(&mut self, phase: usize) {
        let between = phase as f64 / self.to as f64;
        let scale = self.to.min(self.from) as f64 / self.from as f64;
        let before = self.taps as f64 / 2.0 - 1.0;
        let mut sum = 0.0;
        for (at, tap) in self.row.iter_mut().enumerate() {
            *tap = self.kernel.at((at as f64 - before - between) * scale);
            sum += f64::from(*tap);
        }
        let share = (1.0 / sum) as f32;
        self.row.iter_mut().for_each(|tap| *tap *= share);
    }
}

fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Sums side by side, which compilers make vectors of.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (left, right) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = left.remainder().iter().zip(right.remainder());
    let rest: f32 = rest.map(|(x, y)| x * y).sum();
    for (x, y) in left.zip(right) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests;
