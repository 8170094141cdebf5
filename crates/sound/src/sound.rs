//! Samples that were checked.

use std::borrow::Cow;

use crate::fault::room;
use crate::{Fault, Resampler, Result};

/// The highest rate: what the fastest converters sample at.
pub const MAX_RATE: u32 = 768_000;

/// The longest sound.
pub const MAX_SECONDS: u64 = 4 * 60 * 60;

/// The most channels.
pub const MAX_CHANNELS: usize = 64;

/// A sound: at least one channel of at least one sample, all finite, at a rate of 1 Hz to 768 kHz, of four hours at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    rate: u32,
    channels: Vec<Vec<f32>>,
}

impl Sound {
    /// A sound of channels of one length. Full scale is -1 to 1, which is not enforced.
    ///
    /// # Errors
    /// When it is not as [`Sound`] says.
    pub fn new(rate: u32, channels: Vec<Vec<f32>>) -> Result<Sound> {
        check_rate(rate)?;
        let len = channels.first().map_or(0, Vec::len);
        if channels.is_empty() || channels.len() > MAX_CHANNELS {
            return Err(Fault::Channels(channels.len()));
        }
        if channels.iter().any(|channel| channel.len() != len) {
            return Err(Fault::Channels(channels.len()));
        }
        if len == 0 {
            return Err(Fault::Empty);
        }
        if len as u64 > u64::from(rate) * MAX_SECONDS {
            return Err(Fault::TooLong);
        }
        for channel in &channels {
            check_samples(channel)?;
        }
        Ok(Sound { rate, channels })
    }

    /// A sound of one channel.
    ///
    /// # Errors
    /// As [`Sound::new`].
    pub fn mono(rate: u32, samples: Vec<f32>) -> Result<Sound> {
        Sound::new(rate, vec![samples])
    }

    /// A sound of interleaved samples: the first of each channel, the second of each, and so on.
    ///
    /// # Errors
    /// As [`Sound::new`]; also when the samples do not divide by the channels.
    pub fn interleaved(rate: u32, channels: usize, samples: &[f32]) -> Result<Sound> {
        if channels == 0 || channels > MAX_CHANNELS || !samples.len().is_multiple_of(channels) {
            return Err(Fault::Channels(channels));
        }
        let mut parted = Vec::with_capacity(channels);
        for channel in 0..channels {
            let mut part = room(samples.len() / channels)?;
            part.extend(samples.iter().skip(channel).step_by(channels));
            parted.push(part);
        }
        Sound::new(rate, parted)
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The channels, all of one length.
    pub fn channels(&self) -> &[Vec<f32>] {
        &self.channels
    }

    /// Samples of a channel.
    #[expect(clippy::len_without_is_empty, reason = "a sound is never empty")]
    pub fn len(&self) -> usize {
        self.channels[0].len()
    }

    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.len() as f64 / f64::from(self.rate)
    }

    /// The mean of the channels.
    pub fn mixed(&self) -> Cow<'_, [f32]> {
        if let [only] = self.channels.as_slice() {
            return Cow::Borrowed(only);
        }
        let share = 1.0 / self.channels.len() as f32;
        let mut mixed = vec![0.0; self.len()];
        for channel in &self.channels {
            for (sum, sample) in mixed.iter_mut().zip(channel) {
                *sum += sample * share;
            }
        }
        Cow::Owned(mixed)
    }

    /// Every channel at another rate.
    ///
    /// # Errors
    /// As [`Resampler::new`]; also when there is not enough memory.
    pub fn resampled(&self, rate: u32) -> Result<Sound> {
        let resampler = Resampler::new(self.rate, rate)?;
        let channels = self.channels.iter();
        let channels = channels
            .map(|channel| resampler.clone().whole(channel))
            .collect::<Result<_>>()?;
        Ok(Sound { rate, channels })
    }

    /// The mean of the channels at another rate.
    ///
    /// # Errors
    /// As [`Sound::resampled`].
    pub fn mixed_at(&self, rate: u32) -> Result<Cow<'_, [f32]>> {
        if rate == self.rate {
            return Ok(self.mixed());
        }
        let resampled = Resampler::new(self.rate, rate)?.whole(&self.mixed())?;
        Ok(Cow::Owned(resampled))
    }
}

/// Refuses a rate that is none.
pub(crate) fn check_rate(rate: u32) -> Result<()> {
    match rate {
        1..=MAX_RATE => Ok(()),
        _ => Err(Fault::Rate(rate)),
    }
}

/// Refuses samples that are infinite or no numbers.
pub(crate) fn check_samples(samples: &[f32]) -> Result<()> {
    match samples.iter().position(|sample| !sample.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Fault::NotFinite { at }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sound_is_refused() {
        assert_eq!(Sound::mono(16_000, vec![]), Err(Fault::Empty));
        assert_eq!(Sound::new(16_000, vec![]), Err(Fault::Channels(0)));
        assert_eq!(Sound::mono(0, vec![0.0]), Err(Fault::Rate(0)));
        assert_eq!(Sound::mono(768_001, vec![0.0]), Err(Fault::Rate(768_001)));
        assert_eq!(
            Sound::mono(8_000, vec![0.0, f32::NAN]),
            Err(Fault::NotFinite { at: 1 })
        );
        assert_eq!(
            Sound::new(8_000, vec![vec![0.0], vec![f32::INFINITY]]),
            Err(Fault::NotFinite { at: 0 })
        );
        assert_eq!(
            Sound::new(8_000, vec![vec![0.0], vec![]]),
            Err(Fault::Channels(2))
        );
        assert_eq!(Sound::mono(1, vec![0.0; 4 * 3600 + 1]), Err(Fault::TooLong));
        assert!(Sound::mono(1, vec![0.0; 4 * 3600]).is_ok());
        assert_eq!(
            Sound::interleaved(8_000, 2, &[0.0; 3]),
            Err(Fault::Channels(2))
        );
        assert_eq!(Sound::interleaved(8_000, 0, &[]), Err(Fault::Channels(0)));
        assert_eq!(Sound::interleaved(8_000, 2, &[]), Err(Fault::Empty));
    }

    #[test]
    fn interleaved_samples_are_parted_and_mixed() {
        let sound = Sound::interleaved(8_000, 2, &[1.0, 0.0, 0.5, -0.5]).unwrap();
        assert_eq!(sound.channels(), [vec![1.0, 0.5], vec![0.0, -0.5]]);
        assert_eq!(*sound.mixed(), [0.5, 0.0]);
        assert_eq!((sound.len(), sound.seconds()), (2, 0.000_25));
        assert_eq!(sound.mixed_at(8_000).unwrap(), sound.mixed());
        assert_eq!(sound.resampled(16_000).unwrap().len(), 4);
    }
}
