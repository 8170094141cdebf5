//! Tasks that read sounds and tables, through the runtime, with real models: silero's voice detectors on recordings beside
//! silero's own Python, and classical models beside what the libraries themselves answered.
//!
//! The models and the recordings are no part of the repository. `cargo xtask conformance` fetches the models into target/files
//! and makes those of target/classical, `python3 tests/reference/voices.py target/voices` fetches the recordings. Where they are
//! not there, a test says that it compared nothing.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;
use serde::Deserialize;
use serde_json::{Value, json};
use smallfirst::bundle::folder::{self, Descriptions};
use smallfirst::bundle::{Bundle, FileEntry, Source};
use smallfirst::engine::tensors::{Data, Tensor, proto::TensorProto, tensor_of};
use smallfirst::host::FixedClock;
use smallfirst::remote::{OfflineHost, RemoteOptions};
use smallfirst::route::Mode;
use smallfirst::runtime::{Call, KindCall, Runtime};
use smallfirst::task::kind::{KindOptions, KindOutput, SpeechEvent, VoiceSegment};
use smallfirst::task::{Cell, Input, Table};
use smallfirst::{Code, Error};

/// Files in memory.
struct Files(BTreeMap<String, Vec<u8>>);

impl Source for Files {
    async fn read(&self, path: &str, _: &FileEntry) -> smallfirst::Result<Vec<u8>> {
        let found = self.0.get(path).cloned();
        found.ok_or_else(|| Error::new(Code::FileMissing, path.to_owned()))
    }
}

/// A folder of what others made: under `variable`, or in target/.
fn made(variable: &str, name: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target")
        .join(name);
    let folder = std::env::var_os(variable).map_or(own, PathBuf::from);
    if !folder.is_dir() {
        println!("{} is not there: nothing was compared", folder.display());
        return None;
    }
    Some(folder)
}

fn runtime(bundle: Bundle, file: Vec<u8>) -> Runtime<Files> {
    let files = Files([("model.onnx".to_owned(), file)].into());
    Runtime::new(bundle, files, Mode::OnlyLocal, RemoteOptions::default()).unwrap()
}

/// A voice detector, as a folder has it.
fn detector(file: Vec<u8>, rate: u32) -> Runtime<Files> {
    let mut described = Descriptions::new();
    described.insert("config.json".into(), json!({ "model_type": "custom" }));
    described.insert(
        "preprocessor_config.json".into(),
        json!({ "feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": rate, "do_normalize": false }),
    );
    let asked = folder::asked(&described, Some(VOICE)).unwrap();
    let manifest = folder::manifest("voice", &described, "model.onnx", asked).unwrap();
    runtime(folder::bundle(&manifest).unwrap(), file)
}

const VOICE: &str = "voice-activity-detection";

fn performed(
    runtime: &Runtime<Files>,
    task: &str,
    input: Input<'_>,
) -> smallfirst::Result<KindOutput> {
    let call = KindCall {
        risk: None,
        task,
        input,
        mode: None,
        dry: false,
        options: KindOptions::default(),
    };
    let answer = pollster::block_on(runtime.perform(&call, &OfflineHost(FixedClock)))?;
    if let Some(sure) = answer.confidence {
        assert!((0.0..=1.0).contains(&sure), "{sure}");
    }
    Ok(answer.output)
}

fn voices(
    runtime: &Runtime<Files>,
    samples: &[f32],
    rate: u32,
) -> smallfirst::Result<Vec<VoiceSegment>> {
    match performed(runtime, VOICE, Input::Sound { samples, rate })? {
        KindOutput::Voice(output) => Ok(output.segments),
        other => panic!("{other:?}"),
    }
}

/// The same, heard in pieces.
fn streamed(
    runtime: &Runtime<Files>,
    samples: &[f32],
    rate: u32,
    size: usize,
) -> Vec<VoiceSegment> {
    let options = KindOptions::default();
    let mut listening = pollster::block_on(runtime.listen(VOICE, rate, &options)).unwrap();
    let mut told = Vec::new();
    for piece in samples.chunks(size) {
        told.extend(listening.push(piece).unwrap());
    }
    told.extend(listening.finish().unwrap());
    let segments = told.into_iter().filter_map(|event| match event {
        SpeechEvent::Segment(segment) => Some(segment),
        _ => None,
    });
    segments.collect()
}

/// A recording of tests/fixtures/sound/segments.json, with what silero's Python found in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording {
    file: String,
    at8k: Vec<(u64, u64)>,
    at16k: Vec<(u64, u64)>,
}

fn recordings() -> Vec<Recording> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sound/segments.json");
    serde_json::from_slice(&std::fs::read(fixture).unwrap()).unwrap()
}

/// A recording's samples, a minute at most.
fn sound(folder: &Path, file: &str) -> (Vec<f32>, u32) {
    let sound = smallfirst_sound::decode(std::fs::read(folder.join(file)).unwrap()).unwrap();
    let mut samples = sound.mixed().into_owned();
    samples.truncate(60 * sound.rate() as usize);
    (samples, sound.rate())
}

#[test]
fn voices_of_recordings_are_those_of_silero_s_python_in_the_whole_and_in_pieces() {
    let (Some(files), Some(voiced)) = (
        made("SMALLFIRST_FILES", "files"),
        made("SMALLFIRST_VOICES", "voices"),
    ) else {
        return;
    };
    let file = std::fs::read(files.join("silero-v6/model.onnx")).unwrap();
    let (mut compared, mut segments) = (0, 0);
    for at_rate in [8_000_u32, 16_000] {
        let runtime = detector(file.clone(), at_rate);
        for recording in recordings().iter().step_by(5) {
            let (samples, rate) = sound(&voiced, &recording.file);
            let found = voices(&runtime, &samples, rate).unwrap();
            let expected = match at_rate {
                8_000 => &recording.at8k,
                _ => &recording.at16k,
            };
            // A boundary may be one window off, which is 32 ms.
            let near = |seconds: f64, sample: u64| {
                (seconds - sample as f64 / f64::from(at_rate)).abs() <= 0.032
            };
            let alike = found.len() == expected.len()
                && found.iter().zip(expected).all(|(segment, (start, end))| {
                    near(segment.start, *start) && near(segment.end, *end)
                });
            assert!(
                alike,
                "{} at {at_rate} Hz: {found:?}, not {expected:?}",
                recording.file
            );
            assert_eq!(
                streamed(&runtime, &samples, rate, 1_600),
                found,
                "{}",
                recording.file
            );
            compared += 1;
            segments += found.len();
        }
    }
    println!(
        "{compared} times a recording: {segments} segments as silero's Python, in pieces the same"
    );
    assert!(compared > 70);
}

#[test]
fn every_form_of_silero_hears_or_is_refused_by_what_it_lacks() {
    let (Some(files), Some(voiced)) = (
        made("SMALLFIRST_FILES", "files"),
        made("SMALLFIRST_VOICES", "voices"),
    ) else {
        return;
    };
    let recordings = recordings();
    let spoken: Vec<&Recording> = recordings
        .iter()
        .filter(|recording| !recording.at16k.is_empty())
        .step_by(12)
        .collect();
    for form in [
        "silero-v4",
        "silero-v5",
        "silero-v6",
        "silero-op15",
        "silero-ifless",
        "silero-openvino",
        "silero-sequence",
        "silero-half",
    ] {
        let file = std::fs::read(files.join(form).join("model.onnx")).unwrap();
        let runtime = detector(file, 16_000);
        let (mut common, mut all) = (0.0, 0.0);
        for recording in &spoken {
            let (samples, rate) = sound(&voiced, &recording.file);
            let found = voices(&runtime, &samples, rate).unwrap();
            for (start, end) in &recording.at16k {
                let (start, end) = (*start as f64 / 16_000.0, *end as f64 / 16_000.0);
                all += end - start;
                let both = found
                    .iter()
                    .map(|s| (s.end.min(end) - s.start.max(start)).max(0.0));
                common += both.sum::<f64>();
            }
        }
        println!(
            "{form}: {:.1} % of {all:.0} s of speech",
            100.0 * common / all
        );
        assert!(common > 0.8 * all, "{form}: {common} of {all}");
    }
    for (form, word) in [
        ("silero-v5-encoder", "keeps no state"),
        ("silero-v5-decoder", "no output of it"),
    ] {
        let file = std::fs::read(files.join(form).join("model.onnx")).unwrap();
        let error = voices(&detector(file, 16_000), &[0.0; 16_000], 16_000).unwrap_err();
        assert_eq!(error.code(), Code::ModelInvalid, "{form}: {error}");
        assert!(error.to_string().contains(word), "{form}: {error}");
    }
}

#[test]
fn an_odd_sound_has_an_answer_or_a_code_and_the_detector_goes_on() {
    let Some(files) = made("SMALLFIRST_FILES", "files") else {
        return;
    };
    let runtime = detector(
        std::fs::read(files.join("silero-v6/model.onnx")).unwrap(),
        16_000,
    );
    let code = |samples: &[f32], rate: u32| voices(&runtime, samples, rate).map_err(|e| e.code());
    assert_eq!(code(&[0.0; 48_000], 48_000), Ok(vec![]), "silence");
    assert_eq!(code(&[0.5; 7], 16_000), Ok(vec![]), "less than a window");
    assert_eq!(code(&[0.0; 96_000], 96_000), Ok(vec![]));
    assert_eq!(code(&[], 16_000), Err(Code::EmptyInput));
    assert_eq!(code(&[f32::NAN; 1_000], 16_000), Err(Code::InputKind));
    assert_eq!(code(&[0.0; 1_000], 0), Err(Code::InputKind));
    assert_eq!(code(&[0.0; 1_000], 1_000_000), Err(Code::InputKind));
    let text = performed(&runtime, VOICE, Input::Text("hello")).unwrap_err();
    assert_eq!(text.code(), Code::InputKind, "{text}");
    let odd = KindCall {
        risk: None,
        task: VOICE,
        input: Input::Sound {
            samples: &[0.0; 600],
            rate: 16_000,
        },
        mode: None,
        dry: false,
        options: KindOptions {
            top_k: Some(2),
            ..KindOptions::default()
        },
    };
    let odd = pollster::block_on(runtime.perform(&odd, &OfflineHost(FixedClock))).unwrap_err();
    assert_eq!(odd.code(), Code::InvalidOption);
    assert_eq!(code(&[0.0; 48_000], 48_000), Ok(vec![]));
    // 8 bits are as coarse as sounds come; a file of them is decoded natively.
    let coarse = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sound/tone-8.wav");
    let coarse = smallfirst_sound::decode(std::fs::read(coarse).unwrap()).unwrap();
    assert!(code(&coarse.mixed(), coarse.rate()).is_ok());
}

#[test]
fn labels_of_music_are_the_model_s_own() {
    let (Some(folders), Some(voiced)) = (
        made("SMALLFIRST_FOLDERS", "folders"),
        made("SMALLFIRST_VOICES", "voices"),
    ) else {
        return;
    };
    let folder = folders.join("musicnn-msd");
    let described: Descriptions = ["config.json", "preprocessor_config.json"]
        .into_iter()
        .map(|name| {
            let bytes = std::fs::read(folder.join(name)).unwrap();
            (name.to_owned(), folder::description(name, &bytes).unwrap())
        })
        .collect();
    let asked = folder::asked(&described, None).unwrap();
    assert_eq!(asked.task, "audio-classification");
    let manifest = folder::manifest("music", &described, "model.onnx", asked).unwrap();
    let file = std::fs::read(folder.join("onnx/model.onnx")).unwrap();
    let runtime = runtime(folder::bundle(&manifest).unwrap(), file.clone());
    let music = std::fs::read_dir(voiced.join("asterisk-moh-opsound-wav")).unwrap();
    let music = music
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "wav"));
    let (samples, rate) = sound(Path::new(""), &music.unwrap().to_string_lossy());
    let samples = &samples[..10 * rate as usize];
    let KindOutput::Labels(output) =
        performed(&runtime, asked.task, Input::Sound { samples, rate }).unwrap()
    else {
        panic!()
    };
    assert_eq!(output.scores.len(), 50);
    // The same logits, without the runtime.
    let mut session = smallfirst::engine::Session::load("model", file).unwrap();
    let at16k = smallfirst_sound::resample(samples, rate, 16_000).unwrap();
    let outputs = session
        .run(vec![Some(Tensor::f32(vec![1, at16k.len()], at16k))])
        .unwrap();
    let logits = outputs[0].floats().unwrap();
    let labels = &runtime.bundle().task(asked.task).unwrap().labels;
    for (label, logit) in labels.iter().zip(logits.iter()) {
        let score = output
            .scores
            .iter()
            .find(|s| s.label == label.id)
            .unwrap()
            .score;
        let expected = 1.0 / (1.0 + f64::from(-logit).exp());
        assert!(
            (score - expected).abs() < 1e-9,
            "{}: {score} {expected}",
            label.id
        );
    }
    println!("music: {:?}", &output.scores[..3]);
}

/// The tensors of a vector, by the beginning of their files' names.
fn tensors(folder: &Path, what: &str) -> Vec<Tensor> {
    (0..)
        .map_while(|at| std::fs::read(folder.join(format!("test_data_set_0/{what}_{at}.pb"))).ok())
        .filter_map(|file| tensor_of(&TensorProto::decode(&file[..]).ok()?).ok())
        .collect()
}

/// A model that reads tables, with a column for each number of its inputs.
fn table(file: Vec<u8>, columns: &[Value], labels: Option<usize>) -> Runtime<Files> {
    let features = json!({ "kind": "table", "columns": columns });
    let limits = json!({ "minBytes": 1, "maxBytes": 1 << 20 });
    let entry = |kind: &str, labels: Vec<Value>| {
        json!({ "kind": kind, "input": "table", "title": "t", "instruction": "i", "labels": labels,
                "limits": limits, "tiers": ["t"] })
    };
    let file_entry = json!({ "bytes": file.len(), "sha256": "0".repeat(64), "license": "MIT" });
    let mut manifest = json!({
        "format": "smallfirst-bundle", "version": 1, "name": "t", "revision": "1",
        "files": { "model.onnx": file_entry },
    });
    match labels {
        Some(count) => {
            let labels = (0..count).map(|at| json!({ "id": format!("l{at}") }));
            manifest["heads"] = json!({ "t": { "file": "model.onnx", "features": features,
                                               "output": "probabilities", "temperature": 1.0 } });
            manifest["tasks"] = json!({ "t": entry("classify", labels.collect()) });
        }
        None => {
            manifest["models"] = json!({ "t": { "file": "model.onnx", "features": features } });
            manifest["tasks"] = json!({ "t": entry("regression", Vec::new()) });
        }
    }
    runtime(
        Bundle::parse(manifest.to_string().as_bytes()).unwrap(),
        file,
    )
}

/// The columns that a model's inputs have, and the rows of a vector.
fn rows(runtime_inputs: &[(String, bool)], inputs: &[Tensor]) -> (Vec<Value>, Vec<Table>) {
    let (mut columns, mut rows) = (Vec::new(), Vec::<Vec<(String, Cell)>>::new());
    for ((input, text), tensor) in runtime_inputs.iter().zip(inputs) {
        let [count, width] = tensor.shape[..] else {
            panic!("{:?}", tensor.shape)
        };
        rows.resize(count, Vec::new());
        for at in 0..width {
            let name = if width == 1 {
                input.clone()
            } else {
                format!("{input}{at}")
            };
            columns.push(match text {
                true => json!({ "name": name, "kind": "category", "input": input }),
                false => {
                    json!({ "name": name, "kind": "number", "input": input, "missing": "nan" })
                }
            });
            for (row, cells) in rows.iter_mut().enumerate() {
                let place = row * width + at;
                let cell = match &tensor.data {
                    Data::Text(texts) => Cell::Text(texts[place].clone()),
                    Data::F32(numbers) if numbers[place].is_nan() => Cell::Null,
                    Data::F32(numbers) => Cell::Number(f64::from(numbers[place])),
                    Data::F64(numbers) => Cell::Number(numbers[place]),
                    Data::I64(numbers) => Cell::Number(numbers[place] as f64),
                    other => panic!("{:?}", other.ty()),
                };
                cells.push((name.clone(), cell));
            }
        }
    }
    let rows = rows.into_iter().map(|cells| Table::new(cells).unwrap());
    (columns, rows.collect())
}

fn inputs_of(file: &[u8]) -> Vec<(String, bool)> {
    use smallfirst::engine::tensors::Type;
    let session = smallfirst::engine::Session::load("model", file.to_vec()).unwrap();
    let of =
        |port: &smallfirst::engine::tensors::Port| (port.name.clone(), port.ty == Some(Type::Text));
    session.inputs().iter().map(of).collect()
}

#[test]
fn classical_models_answer_rows_as_their_libraries_do() {
    let Some(folder) = made("SMALLFIRST_CLASSICAL", "classical") else {
        return;
    };
    let (mut models, mut answered) = (0, 0);
    for name in [
        "columns_ordinal_forest",
        "columns_one_hot_logistic",
        "columns_one_hot_first_dropped_forest",
        "forest_names",
        "logistic_multi",
        "hist_boosting_missing",
        "imputed_forest",
        "xgb_missing",
        "xgb_multi",
        "lgb_multi",
        "lgb_missing",
        "perceptrons_multi",
        "svc_probability",
        "bayes_gaussian",
    ] {
        let folder = folder.join(name);
        let file = std::fs::read(folder.join("model.onnx")).unwrap();
        let (columns, rows) = rows(&inputs_of(&file), &tensors(&folder, "input"));
        let outputs = tensors(&folder, "output");
        let expected = outputs.last().unwrap().floats().unwrap();
        let width = expected.len() / rows.len();
        let runtime = table(file, &columns, Some(width));
        for (row, expected) in rows.iter().zip(expected.chunks(width)) {
            let call = Call {
                top: usize::MAX,
                ..Call::new("t", Input::Table(row))
            };
            let answer = pollster::block_on(runtime.run(&call, &OfflineHost(FixedClock))).unwrap();
            for (at, expected) in expected.iter().enumerate() {
                let label = format!("l{at}");
                let scores = &answer.output.scores;
                let score = scores.iter().find(|s| s.label == label).unwrap().score;
                assert!(
                    (score - f64::from(*expected)).abs() < 1e-4,
                    "{name}: {score} {expected}"
                );
            }
            answered += 1;
        }
        models += 1;
    }
    println!("{models} classifiers, {answered} rows as their libraries answer them");
    let (mut models, mut answered) = (0, 0);
    for name in [
        "linear",
        "linear_two_targets",
        "forest_regressor",
        "xgb_regressor_missing",
        "lgb_regressor",
        "hist_boosting_regressor",
        "svr",
        "perceptrons_regressor",
    ] {
        let folder = folder.join(name);
        let file = std::fs::read(folder.join("model.onnx")).unwrap();
        let (columns, rows) = rows(&inputs_of(&file), &tensors(&folder, "input"));
        let outputs = tensors(&folder, "output");
        let expected = outputs[0].floats().unwrap();
        let width = expected.len() / rows.len();
        let runtime = table(file, &columns, None);
        for (row, expected) in rows.iter().zip(expected.chunks(width)) {
            let KindOutput::Regression(output) =
                performed(&runtime, "t", Input::Table(row)).unwrap()
            else {
                panic!()
            };
            assert_eq!(output.values.len(), width);
            for (value, expected) in output.values.iter().zip(expected) {
                let off = (value - f64::from(*expected)).abs();
                assert!(
                    off <= 1e-3 + 1e-4 * f64::from(expected.abs()),
                    "{name}: {value} {expected}"
                );
            }
            answered += 1;
        }
        models += 1;
    }
    println!("{models} regressions, {answered} rows as their libraries answer them");
}

#[test]
fn a_row_that_a_model_cannot_be_given_is_refused_by_its_column_and_the_next_is_answered() {
    let Some(folder) = made("SMALLFIRST_CLASSICAL", "classical") else {
        return;
    };
    let folder = folder.join("columns_ordinal_forest");
    let file = std::fs::read(folder.join("model.onnx")).unwrap();
    let inputs = inputs_of(&file);
    let (mut columns, rows) = rows(&inputs, &tensors(&folder, "input"));
    columns[0]["categories"] = json!(["lima", "oslo", "rome"]);
    columns[0]["unknown"] = json!("oslo");
    columns[2].as_object_mut().unwrap().remove("missing");
    let runtime = table(file.clone(), &columns, Some(2));
    let first = &rows[0];
    let with = |name: &str, cell: Option<Cell>| {
        let mut cells: BTreeMap<String, Cell> = first
            .columns()
            .map(|column| (column.to_owned(), first.cell(column).unwrap().clone()))
            .collect();
        match cell {
            Some(cell) => cells.insert(name.to_owned(), cell),
            None => cells.remove(name),
        };
        Table::new(cells).unwrap()
    };
    let of = |row: &Table| {
        let call = Call::new("t", Input::Table(row));
        pollster::block_on(runtime.run(&call, &OfflineHost(FixedClock)))
    };
    let names: Vec<&str> = inputs.iter().map(|(name, _)| name.as_str()).collect();
    for (row, word) in [
        (with(names[2], None), format!("\"{}\" is missing", names[2])),
        (
            with(names[2], Some(Cell::Text("3".into()))),
            format!("\"{}\" must be a number", names[2]),
        ),
        (
            with(names[2], Some(Cell::Number(2.5))),
            format!("\"{}\" must be a whole number", names[2]),
        ),
        (
            with(names[2], Some(Cell::Null)),
            format!("\"{}\" is null", names[2]),
        ),
        (
            with(names[1], Some(Cell::Number(1.0))),
            format!("\"{}\" must be a string", names[1]),
        ),
    ] {
        let error = of(&row).unwrap_err();
        assert_eq!(error.code(), Code::InputKind, "{error}");
        assert!(error.to_string().contains(&word), "{error}");
        assert!(of(first).is_ok());
    }
    // A town that is not listed is taken for the one that stands for it.
    let unknown = of(&with(names[0], Some(Cell::Text("nowhere".into())))).unwrap();
    let known = of(&with(names[0], Some(Cell::Text("oslo".into())))).unwrap();
    assert_eq!(unknown.output, known.output);
    // Ten thousand columns beside those that are read.
    let many = (0..10_000).map(|at| (format!("more{at}"), Cell::Number(at as f64)));
    let own = first
        .columns()
        .map(|c| (c.to_owned(), first.cell(c).unwrap().clone()));
    let many = Table::new(many.chain(own)).unwrap();
    assert_eq!(of(&many).unwrap().output, of(first).unwrap().output);
    let text = Call::new("t", Input::Text("a"));
    let error = pollster::block_on(runtime.run(&text, &OfflineHost(FixedClock))).unwrap_err();
    assert_eq!(error.code(), Code::InputKind);
    // What the manifest says of columns is held against the model.
    let mut lacking = columns.clone();
    lacking.remove(4);
    let lacking = table(file.clone(), &lacking, Some(2));
    let call = Call::new("t", Input::Table(first));
    let error = pollster::block_on(lacking.run(&call, &OfflineHost(FixedClock))).unwrap_err();
    assert_eq!(error.code(), Code::ModelInvalid, "{error}");
    assert!(error.to_string().contains("no column goes into"), "{error}");
}
