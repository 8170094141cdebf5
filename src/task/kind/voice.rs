//! Where somebody speaks (voice activity detection), in a whole sound or in one that goes on: windows follow each other, and the
//! model keeps a state from one to the next. How probabilities become segments is `crates/sound`'s, as silero's Python has it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smallfirst_sound::{Fault, Resampler, Segment, VoiceDetector, VoiceEvent, VoiceOptions};

use super::options::KindOptions;
use super::runs::Hears;
use super::schema::object_of;
use crate::error::{Code, Error, Result};
use crate::task::json_of;
use crate::task::sound::of_sound;

/// The options that it takes.
pub(super) const OPTIONS: [&str; 6] = [
    "threshold",
    "negThreshold",
    "minSpeechDurationMs",
    "minSilenceDurationMs",
    "speechPadMs",
    "maxSpeechDurationS",
];

/// So many samples are brought to the model's rate at once: whatever the length of a piece, little is copied of it.
const PIECE: usize = 1 << 16;

/// Where somebody speaks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct VoiceOutput {
    /// In the order of the sound. None where nobody speaks.
    pub segments: Vec<VoiceSegment>,
}

/// A stretch of speech.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct VoiceSegment {
    /// Where it begins, in seconds.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// The mean probability of its windows, 0 to 1, without what was added to its ends; `null` where a remote answered.
    pub score: Option<f64>,
}

/// What is told of a sound while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SpeechEvent {
    /// Speech begins. Told at once, so it may turn out too short for a segment.
    SpeechStart {
        /// When, in seconds from the first sample.
        time: f64,
    },
    /// It ends: told as soon as the pause is long enough, or the sound is over.
    SpeechEnd {
        /// When.
        time: f64,
    },
    /// A segment that nothing can change any more. All of them are what the whole sound has.
    Segment(VoiceSegment),
}

/// A sound that goes on, as a voice detector hears it. What it keeps does not grow with the sound.
#[derive(Debug)]
pub struct VoiceStream {
    /// The model's rate.
    rate: u32,
    threshold: f64,
    resampler: Option<Resampler>,
    detector: VoiceDetector,
    /// How many samples of the model's rate there were.
    heard: u64,
    speaking: bool,
    /// How many windows, and the sum of the probabilities of what was decided of each.
    decided: (u64, f64),
}

impl VoiceStream {
    /// A sound of this rate, with nothing heard yet.
    ///
    /// # Errors
    /// [`Code::InvalidOption`], [`Code::InputKind`] when the rate is none.
    pub fn new(rate: u32, options: &KindOptions, model: &dyn Hears) -> Result<Self> {
        let usual = VoiceOptions::default();
        let ms = |given: Option<u32>, usual| given.unwrap_or(usual);
        let options = VoiceOptions {
            rate: model.rate(),
            threshold: options.threshold.unwrap_or(usual.threshold),
            neg_threshold: options.neg_threshold,
            min_speech_duration_ms: ms(
                options.min_speech_duration_ms,
                usual.min_speech_duration_ms,
            ),
            min_silence_duration_ms: ms(
                options.min_silence_duration_ms,
                usual.min_silence_duration_ms,
            ),
            speech_pad_ms: ms(options.speech_pad_ms, usual.speech_pad_ms),
            max_speech_duration_s: options.max_speech_duration_s,
        };
        let resampler = match rate == options.rate {
            true => None,
            false => {
                let resampler = Resampler::new(rate, options.rate);
                Some(resampler.map_err(|why| of_sound(&why))?)
            }
        };
        let detector = VoiceDetector::new(&options).map_err(|why| of_sound(&why))?;
        Ok(VoiceStream {
            rate: options.rate,
            threshold: options.threshold,
            resampler,
            detector,
            heard: 0,
            speaking: false,
            decided: (0, 0.0),
        })
    }

    /// Hears a piece of any length.
    ///
    /// # Errors
    /// [`Code::InputKind`] when a sample is not finite, and nothing of the piece was heard; how the model fails, after which the
    /// sound cannot go on.
    pub fn push(&mut self, samples: &[f32], model: &mut dyn Hears) -> Result<Vec<SpeechEvent>> {
        if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(of_sound(&Fault::NotFinite { at }));
        }
        let mut told = Vec::new();
        for piece in samples.chunks(PIECE) {
            match &mut self.resampler {
                None => self.hear(piece, model, &mut told)?,
                Some(resampler) => {
                    let mut brought = Vec::new();
                    let pushed = resampler.push(piece, &mut brought);
                    pushed.map_err(|why| of_sound(&why))?;
                    self.hear(&brought, model, &mut told)?;
                }
            }
        }
        Ok(told)
    }

    /// The end of the sound: what is still to be told, and how sure the model is (see [`VoiceStream::confidence`]).
    ///
    /// # Errors
    /// How the model fails.
    pub fn finish(mut self, model: &mut dyn Hears) -> Result<(Vec<SpeechEvent>, f64)> {
        let mut told = Vec::new();
        if let Some(resampler) = &mut self.resampler {
            let mut brought = Vec::new();
            resampler.finish(&mut brought);
            self.hear(&brought, model, &mut told)?;
        }
        let VoiceStream {
            rate,
            threshold,
            detector,
            heard,
            speaking,
            mut decided,
            ..
        } = self;
        let mut failure = None;
        let segments = detector.finish(asked(model, threshold, &mut decided, &mut failure));
        let segments = segments.map_err(|why| failure.unwrap_or_else(|| of_sound(&why)))?;
        if speaking {
            let time = heard as f64 / f64::from(rate);
            told.push(SpeechEvent::SpeechEnd { time });
        }
        told.extend(segments.iter().map(|found| settled(found, rate)));
        Ok((told, confidence(decided)))
    }

    /// The mean over all windows so far of the probability of what was decided of each: that of speech from the threshold on,
    /// else that of its absence. It is no probability that every segment is right.
    pub fn confidence(&self) -> f64 {
        confidence(self.decided)
    }

    /// Hears samples of the model's rate.
    fn hear(
        &mut self,
        samples: &[f32],
        model: &mut dyn Hears,
        told: &mut Vec<SpeechEvent>,
    ) -> Result<()> {
        let mut failure = None;
        let (threshold, rate) = (self.threshold, self.rate);
        let asked = asked(model, threshold, &mut self.decided, &mut failure);
        let events = self.detector.push(samples, asked);
        let events = events.map_err(|why| failure.unwrap_or_else(|| of_sound(&why)))?;
        self.heard += samples.len() as u64;
        let seconds = |at: u64| at as f64 / f64::from(rate);
        for event in events {
            told.push(match event {
                VoiceEvent::Start(at) => SpeechEvent::SpeechStart { time: seconds(at) },
                VoiceEvent::End(at) => SpeechEvent::SpeechEnd { time: seconds(at) },
            });
            self.speaking = matches!(event, VoiceEvent::Start(_));
        }
        let found = self.detector.settled();
        told.extend(found.iter().map(|found| settled(found, rate)));
        Ok(())
    }
}

/// The model as the detector asks it. What it fails with is kept: the detector has only words for it.
fn asked<'a>(
    model: &'a mut dyn Hears,
    threshold: f64,
    (count, sum): &'a mut (u64, f64),
    failure: &'a mut Option<Error>,
) -> impl FnMut(&[f32], &mut smallfirst_sound::VoiceState) -> std::result::Result<f32, String> + 'a
{
    move |window, state| match model.hear(window, state) {
        Ok(probability) => {
            let speech = f64::from(probability);
            *count += 1;
            *sum += match speech >= threshold {
                true => speech,
                false => 1.0 - speech,
            };
            Ok(probability)
        }
        Err(error) => {
            let why = error.to_string();
            *failure = Some(error);
            Err(why)
        }
    }
}

fn confidence((count, sum): (u64, f64)) -> f64 {
    (sum / count.max(1) as f64).clamp(0.0, 1.0)
}

fn settled(found: &Segment, rate: u32) -> SpeechEvent {
    let (start, end) = found.seconds(rate);
    SpeechEvent::Segment(VoiceSegment {
        start,
        end,
        score: Some(f64::from(found.probability)),
    })
}

pub(super) fn perform(
    (samples, rate): (&[f32], u32),
    options: &KindOptions,
    model: &mut dyn Hears,
) -> Result<(VoiceOutput, f64)> {
    if samples.is_empty() {
        return Err(Error::new(Code::EmptyInput, "the sound is empty"));
    }
    let mut stream = VoiceStream::new(rate, options, model)?;
    let mut told = stream.push(samples, model)?;
    let (rest, sure) = stream.finish(model)?;
    told.extend(rest);
    let segments = told.into_iter().filter_map(|event| match event {
        SpeechEvent::Segment(segment) => Some(segment),
        _ => None,
    });
    Ok((
        VoiceOutput {
            segments: segments.collect(),
        },
        sure,
    ))
}

/// What a remote is told of the shape of its answer.
pub(super) const RULES: &str = "Answer with JSON only: {\"segments\": [{\"start\": …, \"end\": …}]}, with every stretch of the sound in which somebody speaks, \
                                in its order, or none. start and end are seconds from the beginning of the sound.";

/// How far behind the end of a sound a remote may set the end of a segment, in seconds: times are rounded.
const ROUNDED: f64 = 0.1;

/// The JSON schema of a remote's answer.
pub(super) fn schema() -> Value {
    let seconds = json!({ "type": "number" });
    let segment = object_of(&[("start", seconds.clone()), ("end", seconds)]);
    object_of(&[("segments", json!({ "type": "array", "items": segment }))])
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    segments: Vec<Named>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    start: f64,
    end: f64,
}

/// Reads a remote's answer: segments one behind the other, within a sound of that many seconds.
pub(super) fn read(reply: &str, seconds: f64) -> Result<VoiceOutput> {
    let reply: Reply = json_of(reply)?;
    let mut behind = 0.0;
    let mut segments = Vec::new();
    for Named { start, end } in reply.segments {
        if !(behind <= start && start < end && end <= seconds + ROUNDED && start < seconds) {
            return Err(Error::new(
                Code::RemoteBadResponse,
                format!(
                    "the remote named the segment {start} to {end} s, which is none behind {behind} s in a sound of {seconds:.1} s"
                ),
            ));
        }
        behind = end;
        segments.push(VoiceSegment {
            start,
            end: end.min(seconds),
            score: None,
        });
    }
    Ok(VoiceOutput { segments })
}

#[cfg(test)]
mod tests;
