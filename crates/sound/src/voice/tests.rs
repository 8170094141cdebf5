//! Against silero-vad's own Python on made probabilities; what is refused. `silero` runs the model.

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::testing::{fixture, noise};
use crate::{Fault, Sound};

mod silero;

/// A case of `machine.json`, which tests/reference/sound.py writes.
#[derive(Deserialize)]
struct Case {
    seed: u64,
    rate: u32,
    options: Value,
    length: u64,
    segments: Vec<(u64, u64)>,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    start: Option<u64>,
    end: Option<u64>,
}

/// Python's names for options are ours in another spelling.
fn options(rate: u32, given: &Value) -> VoiceOptions {
    let mut options = VoiceOptions {
        rate,
        ..VoiceOptions::default()
    };
    let ms = |value: &Value| value.as_u64().unwrap() as u32;
    for (name, value) in given.as_object().unwrap() {
        match name.as_str() {
            "threshold" => options.threshold = value.as_f64().unwrap(),
            "neg_threshold" => options.neg_threshold = value.as_f64(),
            "min_speech_duration_ms" => options.min_speech_duration_ms = ms(value),
            "min_silence_duration_ms" => options.min_silence_duration_ms = ms(value),
            "speech_pad_ms" => options.speech_pad_ms = ms(value),
            "max_speech_duration_s" => options.max_speech_duration_s = value.as_f64(),
            other => panic!("{other}"),
        }
    }
    options
}

/// The walk of hundredths that sound.py makes.
fn walk(seed: u64, count: usize) -> Vec<f32> {
    let (mut state, mut level) = (seed, 50_i64);
    let reach = 5 + 10 * (seed % 5);
    let mut next = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        let step = (state >> 16) % (2 * reach + 1);
        level = (level + step as i64 - reach as i64).clamp(0, 100);
        level as f32 / 100.0
    };
    (0..count).map(|_| next()).collect()
}

/// The segments of a case where each is taken out as soon as nothing can change it.
fn settled_on_the_way(options: &VoiceOptions, case: &Case) -> Vec<Segment> {
    let mut segmenter = Segmenter::new(options).unwrap();
    let mut settled = Vec::new();
    for probability in walk(case.seed, 300) {
        segmenter.push(probability);
        settled.extend(segmenter.settled());
    }
    settled.extend(segmenter.segments(case.length));
    settled
}

#[test]
fn segments_and_events_are_those_of_silero_s_python() {
    let cases = std::fs::read_to_string(fixture("machine.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    assert_eq!(cases.len(), 60);
    for case in cases {
        let options = options(case.rate, &case.options);
        let mut segmenter = Segmenter::new(&options).unwrap();
        // The live iterator of Python has a lower threshold of its own, 0.15 below.
        let below = VoiceOptions {
            neg_threshold: Some((options.threshold - 0.15).max(0.0)),
            ..options.clone()
        };
        let mut events = VoiceEvents::new(&below).unwrap();
        let mut told = Vec::new();
        for probability in walk(case.seed, 300) {
            segmenter.push(probability);
            told.extend(events.push(probability));
        }
        let found = segmenter.segments(case.length);
        assert_eq!(settled_on_the_way(&options, &case), found);
        let found: Vec<(u64, u64)> = found.iter().map(|s| (s.start, s.end)).collect();
        assert_eq!(found, case.segments, "seed {}", case.seed);
        let expected = case.events.iter();
        let expected: Vec<VoiceEvent> = expected
            .map(|event| match (event.start, event.end) {
                (Some(at), None) => VoiceEvent::Start(at),
                (None, Some(at)) => VoiceEvent::End(at),
                _ => panic!("an event is a start or an end"),
            })
            .collect();
        assert_eq!(told, expected, "seed {}", case.seed);
    }
}

#[test]
fn a_segment_s_probability_is_the_mean_of_its_windows() {
    let options = VoiceOptions {
        min_speech_duration_ms: 0,
        min_silence_duration_ms: 0,
        ..VoiceOptions::default()
    };
    let mut segmenter = Segmenter::new(&options).unwrap();
    for probability in [0.1, 0.6, 0.4, 1.0, 0.0, 0.75] {
        segmenter.push(probability);
    }
    let found = segmenter.segments(6 * 512 - 100);
    assert_eq!(found.len(), 2);
    assert!((found[0].probability - 2.0 / 3.0).abs() < 1e-6);
    assert_eq!(found[1].probability, 0.75);
    assert_eq!((found[0].start, found[1].end), (512 - 480, 6 * 512 - 100));
    assert_eq!(found[0].seconds(16_000).0, 0.002);
}

#[test]
fn windows_are_those_of_silero_s_python_whatever_the_pieces() {
    for (rate, window, context) in [(16_000, 512, 64), (8_000, 256, 32)] {
        let options = VoiceOptions {
            rate,
            ..VoiceOptions::default()
        };
        let samples = noise(10 * window + 7, 5);
        let mut padded = vec![0.0; context];
        padded.extend_from_slice(&samples);
        padded.resize(context + 11 * window, 0.0);
        let expected: Vec<&[f32]> = (0..11)
            .map(|at| &padded[at * window..(at + 1) * window + context])
            .collect();
        for size in [1, 100, window, 5000] {
            let mut frames = VoiceFrames::new(&options).unwrap();
            let mut given = Vec::new();
            let mut keep = |window: &[f32]| {
                given.push(window.to_vec());
                Ok(())
            };
            for piece in samples.chunks(size) {
                frames.push(piece, &mut keep).unwrap();
            }
            frames.finish(&mut keep).unwrap();
            frames.finish(&mut keep).unwrap();
            assert_eq!(given, expected, "{rate} Hz in pieces of {size}");
        }
    }
}

/// A model that counts its calls in its state, and finds loud windows probable.
fn loudness(window: &[f32], state: &mut VoiceState) -> std::result::Result<f32, String> {
    state.0[0] += 1.0;
    let loudest = window.iter().fold(0.0_f32, |most, s| most.max(s.abs()));
    Ok(loudest.min(1.0))
}

#[test]
fn a_detector_hears_pieces_as_it_hears_the_whole() {
    let mut samples = vec![0.0; 8_000];
    samples.extend(noise(16_000, 2));
    samples.extend(vec![0.0; 8_100]);
    let sound = Sound::mono(16_000, samples.clone()).unwrap();
    let options = VoiceOptions::default();
    let whole = voices(&sound, &options, loudness).unwrap();
    assert_eq!(whole.len(), 1);
    assert!(whole[0].start.abs_diff(8_000) < 1024 && whole[0].end.abs_diff(24_000) < 1200);
    let mut detector = VoiceDetector::new(&options).unwrap();
    let mut told = Vec::new();
    for piece in samples.chunks(321) {
        told.extend(detector.push(piece, loudness).unwrap());
    }
    let (start, end) = (whole[0].start, whole[0].end);
    assert_eq!(told, [VoiceEvent::Start(start), VoiceEvent::End(end)]);
    assert_eq!(detector.segments(), whole);
    assert_eq!(detector.finish(loudness).unwrap(), whole);
}

#[test]
fn a_model_that_fails_or_gives_no_probability_is_told() {
    let mut detector = VoiceDetector::new(&VoiceOptions::default()).unwrap();
    let failing = |_: &[f32], _: &mut VoiceState| Err("it broke");
    let failed = detector.push(&[0.0; 512], failing);
    assert_eq!(failed, Err(Fault::Model("it broke".into())));
    for no in [f32::NAN, 1.5, -0.1] {
        let wrong = |_: &[f32], _: &mut VoiceState| Ok::<f32, String>(no);
        let told = detector.push(&[0.0; 512], wrong);
        assert!(matches!(told, Err(Fault::Model(_))), "{no}");
    }
    let told = detector.push(&[f32::INFINITY], loudness);
    assert_eq!(told, Err(Fault::NotFinite { at: 0 }));
}

#[test]
fn options_that_cannot_be_are_refused_by_name() {
    let refused = |json: &str, name: &str| {
        let options: VoiceOptions = serde_json::from_str(json).unwrap();
        let why = VoiceDetector::new(&options).unwrap_err().to_string();
        assert!(why.contains(name), "{why}");
    };
    refused(r#"{"rate": 44100}"#, "rate");
    refused(r#"{"threshold": 1.5}"#, "threshold");
    refused(r#"{"threshold": 0.3, "negThreshold": 0.4}"#, "negThreshold");
    refused(r#"{"speechPadMs": 4000000000}"#, "speechPadMs");
    refused(
        r#"{"minSpeechDurationMs": 86400001}"#,
        "minSpeechDurationMs",
    );
    refused(r#"{"maxSpeechDurationS": 0.05}"#, "maxSpeechDurationS");
    assert!(serde_json::from_str::<VoiceOptions>(r#"{"thresold": 0.5}"#).is_err());
    let written = serde_json::to_value(VoiceOptions::default()).unwrap();
    let read: VoiceOptions = serde_json::from_value(written).unwrap();
    assert_eq!(read, VoiceOptions::default());
}
