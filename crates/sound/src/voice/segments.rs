//! Probabilities to segments.

use serde::{Deserialize, Serialize};

use super::options::{Limits, VoiceOptions};
use crate::Result;

/// A stretch of speech.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Segment {
    /// Its first sample, at the detector's rate.
    pub start: u64,
    /// The sample after its last.
    pub end: u64,
    /// The mean probability of its windows, without what was added to its ends.
    pub probability: f32,
}

impl Segment {
    /// Its start and its end in seconds.
    pub fn seconds(&self, rate: u32) -> (f64, f64) {
        let of = |samples: u64| samples as f64 / f64::from(rate);
        (of(self.start), of(self.end))
    }
}

/// A window's first sample, with the sum of the probabilities before it.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: u64,
    sum: f64,
}

/// Makes segments of the probabilities of windows that follow each other.
#[derive(Debug, Clone)]
pub struct Segmenter {
    limits: Limits,
    here: Mark,
    /// Where the speech that is going on began.
    start: Option<Mark>,
    /// Where it fell below the lower threshold, if it has not come back since.
    quiet: Option<Mark>,
    /// The longest pause within it, from its first window to the one that was speech again.
    pause: Option<(Mark, Mark)>,
    found: Vec<(Mark, Mark)>,
    /// How much is added to the start of the first of those found.
    before: u64,
}

impl Segmenter {
    /// With nothing heard yet.
    ///
    /// # Errors
    /// [`crate::Fault::Option`] with the name of what is unusable.
    pub fn new(options: &VoiceOptions) -> Result<Segmenter> {
        let limits = options.limits()?;
        Ok(Segmenter {
            before: limits.pad,
            limits,
            here: Mark { at: 0, sum: 0.0 },
            start: None,
            quiet: None,
            pause: None,
            found: Vec::new(),
        })
    }

    /// The next window's probability.
    pub fn push(&mut self, probability: f32) {
        let probability = f64::from(probability);
        let here = self.here;
        self.here = Mark {
            at: here.at + self.limits.window,
            sum: here.sum + probability,
        };
        if probability >= self.limits.threshold {
            if let Some(quiet) = self.quiet.take() {
                self.heard_again(quiet, here);
            }
            if self.start.is_none() {
                self.start = Some(here);
                return;
            }
        }
        if self.cut(here) {
            return;
        }
        let Some(start) = self.start else { return };
        if probability >= self.limits.negative {
            return;
        }
        let quiet = *self.quiet.get_or_insert(here);
        if here.at - quiet.at >= self.limits.silence {
            if quiet.at.saturating_sub(start.at) > self.limits.speech {
                self.found.push((start, quiet));
            }
            (self.start, self.quiet, self.pause) = (None, None, None);
        }
    }

    /// A pause is over: of those that are long enough to be cut at, the longest is kept, and of two the first.
    fn heard_again(&mut self, quiet: Mark, here: Mark) {
        let longest = self.pause.map_or(0, |(from, to)| to.at - from.at);
        let length = here.at - quiet.at;
        if length > self.limits.pause && length > longest {
            self.pause = Some((quiet, here));
        }
    }

    /// Ends speech that lasts too long: at its longest pause, after which it goes on, or here. Whether it ended here.
    fn cut(&mut self, here: Mark) -> bool {
        let Some(start) = self.start else {
            return false;
        };
        if (here.at - start.at) as f64 <= self.limits.longest {
            return false;
        }
        self.quiet = None;
        let pause = self.pause.take();
        let (end, next) = pause.map_or((here, None), |(from, to)| (from, Some(to)));
        self.found.push((start, end));
        self.start = next;
        next.is_none()
    }

    /// Takes out the segments that nothing can change any more, whatever follows: those before the last, and that one as well
    /// where the next cannot be near. What is kept is then of a bounded size, however long the sound is.
    pub fn settled(&mut self) -> Vec<Segment> {
        let mut settled = Vec::new();
        while let Some(&(from, to)) = self.found.first() {
            // Where the next one begins, or may.
            let next = match (self.found.get(1), self.start) {
                (Some((next, _)), _) => next.at,
                (None, Some(start)) => start.at,
                (None, None) => self.here.at,
            };
            let known = self.found.len() > 1;
            let (after, before) = between(next - to.at, self.limits.pad);
            if !known && next - to.at < 2 * self.limits.pad {
                break;
            }
            settled.push(self.segment((from, to), self.before, after, u64::MAX));
            self.before = before;
            self.found.remove(0);
        }
        settled
    }

    /// The segments of a sound of `len` samples that were not taken out: with what is added to their ends, which never overlap.
    pub fn segments(&self, len: u64) -> Vec<Segment> {
        let mut found = self.found.clone();
        let mut last = self.here;
        last.at = len;
        if let Some(start) = self.start
            && len.saturating_sub(start.at) > self.limits.speech
        {
            found.push((start, last));
        }
        let mut before = self.before;
        let mut segments = Vec::with_capacity(found.len());
        for (at, &(from, to)) in found.iter().enumerate() {
            let next = found.get(at + 1);
            let (after, next) = match next {
                // Two that are near share what lies between them.
                Some((next, _)) => between(next.at - to.at, self.limits.pad),
                None => (self.limits.pad, 0),
            };
            segments.push(self.segment((from, to), before, after, len));
            before = next;
        }
        segments
    }

    fn segment(&self, (from, to): (Mark, Mark), before: u64, after: u64, len: u64) -> Segment {
        let windows = (to.at - from.at).div_ceil(self.limits.window);
        Segment {
            start: from.at.saturating_sub(before),
            end: (to.at + after).min(len),
            probability: ((to.sum - from.sum) / windows as f64) as f32,
        }
    }
}

/// What is added to the end of a segment and to the start of the next one, of so many samples between them.
fn between(samples: u64, pad: u64) -> (u64, u64) {
    match samples < 2 * pad {
        true => (samples / 2, samples / 2),
        false => (pad, pad),
    }
}
