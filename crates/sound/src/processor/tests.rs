//! Against transformers' feature extractors; what is refused.

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::testing::{fixture, wav};

/// A case of `features.json`, which tests/reference/sound.py writes.
#[derive(Deserialize)]
struct Case {
    sound: String,
    extractor: String,
    config: Value,
    shape: Vec<usize>,
    kept: Vec<usize>,
    last: f32,
}

/// How far each extractor's features are from ours, at most, on the sounds for which `take` has a file.
fn compare(take: impl Fn(&str) -> Option<std::path::PathBuf>) -> Vec<(String, f32)> {
    let cases = std::fs::read_to_string(fixture("features.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    let numbers = std::fs::read(fixture("features.i16")).unwrap();
    let mut numbers = numbers
        .chunks_exact(2)
        .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])));
    let mut found: Vec<(String, f32)> = Vec::new();
    for case in cases {
        let count = case.kept.iter().product();
        let expected: Vec<f32> = numbers.by_ref().take(count).collect();
        let Some(path) = take(&case.sound) else {
            continue;
        };
        let mut samples = wav(&path).0;
        samples.truncate(64_000);
        let seen = samples.len();
        let sound = Sound::mono(16_000, samples).unwrap();
        let processor = SoundProcessor::from_config(&case.config.to_string()).unwrap();
        let ours = processor.process(&sound).unwrap();
        assert_eq!(ours.shape, case.shape, "{}", case.extractor);
        let step = if case.sound == "made" { 2 } else { 8 };
        let (kept, scale): (Vec<f32>, f32) = match case.extractor.as_str() {
            "wav2vec2" => (ours.data.iter().step_by(16).copied().collect(), 1e-3),
            "ast" => {
                let rows = ours.data.chunks(128).take(seen / 160).step_by(step);
                (rows.flatten().copied().collect(), 1e-4)
            }
            _ => {
                let rows = ours.data.chunks(3000);
                let frames = rows.flat_map(|row| row[..seen / 160 + 2].iter().step_by(step));
                (frames.copied().collect(), 1e-4)
            }
        };
        assert_eq!(kept.len(), count, "{}", case.extractor);
        let pairs = kept.iter().zip(&expected);
        let off = pairs
            .map(|(ours, theirs)| (ours - theirs * scale).abs())
            .fold((ours.data.last().unwrap() - case.last).abs(), f32::max);
        let worst = found.iter_mut().find(|(name, _)| *name == case.extractor);
        match worst {
            Some((_, worst)) => *worst = worst.max(off),
            None => found.push((case.extractor, off)),
        }
    }
    assert_eq!(numbers.next(), None);
    found
}

#[test]
fn features_are_those_of_transformers() {
    for (extractor, off) in compare(|sound| (sound == "made").then(|| fixture("made.wav"))) {
        println!("{extractor}: off by {off:.6} at most");
        assert!(off < 1e-3, "{extractor}: {off}");
    }
}

#[test]
#[ignore = "needs target/voices, which tests/reference/voices.py fetches"]
fn features_of_recordings_are_those_of_transformers() {
    let Some(voices) = crate::testing::fetched("voices") else {
        return;
    };
    for (extractor, off) in compare(|sound| (sound != "made").then(|| voices.join(sound))) {
        println!("{extractor}: off by {off:.6} at most");
        assert!(off < 1e-3, "{extractor}: {off}");
    }
}

#[test]
fn a_sound_of_another_rate_and_of_two_channels_is_brought_to_the_model_s() {
    let left = crate::testing::sine(4_800, 440.0, 48_000);
    let right = left.iter().map(|sample| sample / 2.0).collect();
    let sound = Sound::new(48_000, vec![left, right]).unwrap();
    let processor = SoundProcessor::Samples {
        rate: 16_000,
        normalise: false,
    };
    let features = processor.process(&sound).unwrap();
    assert_eq!(features.shape, [1, 1_600]);
    let highest = features.data.iter().copied().fold(0.0, f32::max);
    assert!((highest - 0.75).abs() < 0.01, "{highest}");
}

#[test]
fn a_manifest_keeps_it_in_few_words() {
    let whisper = json!({"kind": "whisper", "rate": 16000, "mels": 80, "fft": 400, "hop": 160, "seconds": 30});
    let config = r#"{"feature_extractor_type": "WhisperFeatureExtractor"}"#;
    let read = SoundProcessor::from_config(config).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), whisper);
    let bank = json!({"kind": "filterBank", "rate": 16000, "mels": 128, "frames": 1024, "normal": [-4.5, 4.5]});
    for value in [
        whisper.clone(),
        bank,
        json!({"kind": "samples", "rate": 16000, "normalise": true}),
    ] {
        let processor: SoundProcessor = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&processor).unwrap(), value);
        let mut more = value;
        more["dither"] = json!(0.1);
        assert!(serde_json::from_value::<SoundProcessor>(more).is_err());
    }
}

#[test]
fn configurations_that_are_not_known_are_refused_by_name() {
    let refused = |config: Value, name: &str| {
        let why = SoundProcessor::from_config(&config.to_string()).unwrap_err();
        assert!(why.to_string().contains(name), "{why}");
    };
    let whisper = |key: &str, value: Value| {
        let mut config = json!({"feature_extractor_type": "WhisperFeatureExtractor"});
        config[key] = value;
        config
    };
    refused(json!([]), "no object");
    refused(json!({}), "feature_extractor_type");
    refused(
        json!({"feature_extractor_type": "ClapFeatureExtractor"}),
        "ClapFeatureExtractor",
    );
    refused(whisper("dither", json!(0.1)), "dither");
    refused(whisper("do_normalize", json!(true)), "do_normalize");
    refused(whisper("padding_side", json!("left")), "padding_side");
    refused(whisper("padding_value", json!(1)), "padding_value");
    refused(whisper("preemphasis", json!(0.97)), "preemphasis");
    refused(whisper("n_fft", json!("400")), "n_fft");
    refused(whisper("n_fft", json!(401)), "fft");
    refused(whisper("n_fft", json!(2 * 17 * 20)), "fft");
    refused(whisper("hop_length", json!(0)), "hop");
    refused(whisper("chunk_length", json!(1e6 as u32)), "seconds");
    refused(whisper("feature_size", json!(0)), "mels");
    refused(whisper("sampling_rate", json!(0)), "rate");
    refused(whisper("sampling_rate", json!(1_000_000)), "rate");
    let ast = json!({"feature_extractor_type": "ASTFeatureExtractor", "std": 0.0});
    refused(ast, "normal");
    assert!(SoundProcessor::from_config("{").is_err());
}

#[test]
fn configurations_as_they_are_found_are_read() {
    // facebook/wav2vec2-base, openai/whisper-tiny with its table of filters cut short, MIT/ast-finetuned-audioset.
    let wav2vec2 = json!({"do_normalize": true, "feature_size": 1, "padding_side": "right", "padding_value": 0.0,
        "return_attention_mask": false, "sampling_rate": 16000});
    let whisper = json!({"chunk_length": 30, "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80,
        "hop_length": 160, "mel_filters": [[0.0, 0.1]], "n_fft": 400, "n_samples": 480000, "nb_max_frames": 3000,
        "padding_side": "right", "padding_value": 0.0, "processor_class": "WhisperProcessor",
        "return_attention_mask": false, "sampling_rate": 16000});
    let ast = json!({"do_normalize": true, "feature_extractor_type": "ASTFeatureExtractor", "feature_size": 1,
        "max_length": 1024, "mean": -4.2677393, "num_mel_bins": 128, "padding_side": "right", "padding_value": 0.0,
        "return_attention_mask": false, "sampling_rate": 16000, "std": 4.5689974});
    for config in [wav2vec2, whisper, ast] {
        SoundProcessor::from_config(&config.to_string()).unwrap();
    }
}

#[test]
fn too_short_for_a_frame_is_refused_and_silence_is_not() {
    let bank = SoundProcessor::FilterBank {
        rate: 16_000,
        mels: 128,
        frames: 10,
        normal: None,
    };
    let short = Sound::mono(16_000, vec![0.0; 399]).unwrap();
    assert!(matches!(
        bank.process(&short),
        Err(Fault::Option { name: "sound", .. })
    ));
    let silence = Sound::mono(16_000, vec![0.0; 400]).unwrap();
    let features = bank.process(&silence).unwrap();
    assert_eq!(features.shape, [1, 10, 128]);
    assert!((features.data[0] - f32::EPSILON.ln()).abs() < 1e-5);
    assert_eq!(features.data[128], 0.0);
    let whisper =
        SoundProcessor::from_config(r#"{"feature_extractor_type": "WhisperFeatureExtractor"}"#);
    let features = whisper.unwrap().process(&silence).unwrap();
    assert!(features.data.iter().all(|level| *level == -1.5));
}
