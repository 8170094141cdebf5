//! The real model on real recordings, beside silero-vad's own Python.
//!
//! `python3 tests/reference/voices.py target/voices` fetches the recordings, `cargo xtask conformance` the model, and
//! `tests/reference/sound.py segments` writes what is expected.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use smallfirst_onnx::{Data, Model, Tensor};

use super::*;
use crate::testing::{fetched, wav};
use crate::{Roc, roc};

/// A recording of `segments.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    file: String,
    kind: String,
    at8k: Vec<(u64, u64)>,
    at8k_other: Vec<(u64, u64)>,
    at16k: Vec<(u64, u64)>,
}

/// What was found on one kind of recording.
#[derive(Default)]
struct Count {
    files: usize,
    right: [usize; 3],
    spoken: usize,
    seconds: f64,
    speech: f64,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target")
        .join(name)
}

/// The model, from this folder or another that has it.
fn model() -> Model {
    let folder =
        std::env::var_os("SMALLFIRST_FILES").map_or_else(|| folder("files"), PathBuf::from);
    let file = std::fs::read(folder.join("silero-v6/model.onnx")).expect("the model");
    Model::read(file).expect("a model")
}

fn run(model: &Model, rate: u32, window: &[f32], state: &mut VoiceState) -> Result<f32, String> {
    let shape = VoiceState::SHAPE.to_vec();
    let inputs = model.inputs().iter().map(|port| match port.name.as_str() {
        "input" => Tensor::f32(vec![1, window.len()], window.to_vec()),
        "state" => Tensor::f32(shape.clone(), state.0.clone()),
        _ => Tensor::i64(vec![], vec![i64::from(rate)]),
    });
    let mut outputs = model.run(inputs.collect()).map_err(|why| why.to_string())?;
    let Data::F32(new) = outputs.remove(1).data else {
        return Err("the state is not of 32-bit floats".into());
    };
    state.0 = new;
    Ok(outputs[0].f32s().map_err(|why| why.to_string())?[0])
}

/// Whether each boundary is within one window of what is expected.
fn near(found: &[Segment], expected: &[(u64, u64)], window: u64) -> bool {
    let close = |(segment, (start, end)): (&Segment, &(u64, u64))| {
        segment.start.abs_diff(*start) <= window && segment.end.abs_diff(*end) <= window
    };
    found.len() == expected.len() && found.iter().zip(expected).all(close)
}

#[test]
#[ignore = "needs target/voices, which tests/reference/voices.py fetches, and target/files"]
fn segments_of_recordings_are_those_of_silero_s_python() {
    let Some(recordings) = fetched("voices") else {
        return;
    };
    let rows = std::fs::read_to_string(fixture("segments.json")).unwrap();
    let rows: Vec<Row> = serde_json::from_str(&rows).unwrap();
    let model = model();
    let other = VoiceOptions {
        threshold: 0.6,
        neg_threshold: Some(0.3),
        min_speech_duration_ms: 100,
        min_silence_duration_ms: 220,
        speech_pad_ms: 120,
        max_speech_duration_s: Some(3.0),
        ..VoiceOptions::default()
    };
    let mut counts = std::collections::BTreeMap::<String, Count>::new();
    let (mut scored, mut wrong, mut farthest) = (Vec::new(), Vec::new(), 0);
    for row in rows {
        let (mut samples, rate) = wav(&recordings.join(&row.file));
        samples.truncate(60 * rate as usize);
        let sound = Sound::mono(rate, samples).unwrap();
        let count = counts.entry(row.kind.clone()).or_default();
        count.files += 1;
        count.seconds += sound.seconds();
        let ways = [
            (8_000, &VoiceOptions::default(), &row.at8k),
            (8_000, &other, &row.at8k_other),
            (16_000, &VoiceOptions::default(), &row.at16k),
        ];
        for (way, (rate, options, expected)) in ways.into_iter().enumerate() {
            let options = VoiceOptions {
                rate,
                ..options.clone()
            };
            let mut seen = Vec::new();
            let found = voices(&sound, &options, |window, state| {
                let probability = run(&model, rate, window, state)?;
                seen.push((probability, row.kind == "voice"));
                Ok::<f32, String>(probability)
            });
            let found = found.unwrap();
            match near(&found, expected, u64::from(rate) / 1000 * 32) {
                true => count.right[way] += 1,
                false => wrong.push(format!("{} way {way}: {found:?} {expected:?}", row.file)),
            }
            for (segment, (start, end)) in found.iter().zip(expected) {
                let off = segment
                    .start
                    .abs_diff(*start)
                    .max(segment.end.abs_diff(*end));
                farthest = farthest.max(off);
            }
            if way == 2 {
                scored.extend(seen);
                count.spoken += usize::from(!found.is_empty());
                let samples: u64 = found.iter().map(|s| s.end - s.start).sum();
                count.speech += samples as f64 / f64::from(rate);
            }
        }
    }
    for (kind, count) in &counts {
        println!(
            "{kind}: {} files, {:.0} s; as Python at 8 kHz {}, with other options {}, at 16 kHz {}; speech in {} files, {:.1} s",
            count.files,
            count.seconds,
            count.right[0],
            count.right[1],
            count.right[2],
            count.spoken,
            count.speech
        );
    }
    println!("a boundary is off by {farthest} samples at most");
    let Roc { auc, points } = roc(&scored).unwrap();
    let (_, wrongly, rightly) = points
        .iter()
        .rfind(|(threshold, ..)| *threshold >= 0.5)
        .unwrap();
    println!(
        "{} windows: area below the curve {auc:.4}; at 0.5 {:.1} % of a voice's windows and {:.1} % of the others are speech",
        scored.len(),
        rightly * 100.0,
        wrongly * 100.0
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
