use smallfirst_sound::VoiceState;

use super::super::runs::Runs;
use super::super::{KindOutput, Made, Numeric, Values, perform, perform_numeric};
use super::*;
use crate::task::{Input, TaskKind};

/// A model that finds loud windows probable, and counts its windows in its state.
struct Loudness {
    rate: u32,
    windows: f32,
}

impl Hears for Loudness {
    fn name(&self) -> &str {
        "played"
    }

    fn rate(&self) -> u32 {
        self.rate
    }

    fn hear(&mut self, window: &[f32], state: &mut VoiceState) -> Result<f32> {
        state.0[0] += 1.0;
        self.windows = state.0[0];
        let loudest = window.iter().fold(0.0_f32, |most, s| most.max(s.abs()));
        Ok(loudest.min(1.0))
    }
}

fn model(rate: u32) -> Loudness {
    Loudness { rate, windows: 0.0 }
}

/// Seconds of silence, a tone and silence again, many times.
fn tones(rate: u32, times: usize) -> Vec<f32> {
    let mut samples = Vec::new();
    for _ in 0..times {
        samples.extend(vec![0.0; rate as usize]);
        let tone = |at| (at as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin() * 0.8;
        samples.extend((0..rate as usize).map(tone));
    }
    samples.extend(vec![0.0; rate as usize / 2]);
    samples
}

fn segments(events: &[SpeechEvent]) -> Vec<VoiceSegment> {
    let of = |event: &SpeechEvent| match event {
        SpeechEvent::Segment(segment) => Some(*segment),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn heard(samples: &[f32], rate: u32, options: &KindOptions) -> Result<Made> {
    let input = Input::Sound { samples, rate };
    let mut model = model(16_000);
    let kind = TaskKind::VoiceActivityDetection;
    perform_numeric(kind, &[], input, options, Numeric::Hears(&mut model))
}

fn found(made: Made) -> Vec<VoiceSegment> {
    match made.output {
        KindOutput::Voice(output) => output.segments,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pieces_of_any_length_give_what_the_whole_gives() {
    let options = KindOptions::default();
    for rate in [8_000, 16_000, 44_100, 96_000] {
        let samples = tones(rate, 3);
        let made = heard(&samples, rate, &options).unwrap();
        let sure = made.confidence.unwrap();
        let whole = found(made);
        assert_eq!(whole.len(), 3, "{rate} Hz");
        for (at, segment) in whole.iter().enumerate() {
            let begins = 2.0 * at as f64 + 1.0;
            assert!((segment.start - begins).abs() < 0.08, "{segment:?}");
            assert!((segment.end - begins - 1.0).abs() < 0.08, "{segment:?}");
            let score = segment.score.unwrap();
            assert!(score > 0.7 && score <= 0.9, "{segment:?}");
        }
        assert!(sure > 0.8 && sure < 1.0, "{sure}");
        for size in [1, 160, 5_000, 1 << 20] {
            let mut model = model(16_000);
            let mut stream = VoiceStream::new(rate, &options, &model).unwrap();
            let mut told = Vec::new();
            for piece in samples.chunks(size) {
                told.extend(stream.push(piece, &mut model).unwrap());
            }
            let (rest, confidence) = stream.finish(&mut model).unwrap();
            told.extend(rest);
            assert_eq!(segments(&told), whole, "{rate} Hz in pieces of {size}");
            assert_eq!(confidence, sure);
            let starts = told
                .iter()
                .filter(|e| matches!(e, SpeechEvent::SpeechStart { .. }));
            let ends = told
                .iter()
                .filter(|e| matches!(e, SpeechEvent::SpeechEnd { .. }));
            assert_eq!((starts.count(), ends.count()), (3, 3));
        }
    }
}

#[test]
fn speech_that_goes_on_at_the_end_ends_there() {
    let mut samples = tones(16_000, 1);
    samples.truncate(30_000);
    let mut model = model(16_000);
    let mut stream = VoiceStream::new(16_000, &KindOptions::default(), &model).unwrap();
    let told = stream.push(&samples, &mut model).unwrap();
    assert!(
        matches!(told[..], [SpeechEvent::SpeechStart { .. }]),
        "{told:?}"
    );
    let (told, _) = stream.finish(&mut model).unwrap();
    assert_eq!(told[0], SpeechEvent::SpeechEnd { time: 1.875 });
    assert_eq!(segments(&told)[0].end, 1.875);
}

#[test]
fn silence_has_no_segments_and_is_no_error() {
    let made = heard(&[0.0; 48_000], 48_000, &KindOptions::default()).unwrap();
    assert_eq!(made.confidence, Some(1.0));
    assert_eq!(found(made), []);
    // Shorter than a window.
    assert_eq!(
        found(heard(&[0.0; 5], 16_000, &KindOptions::default()).unwrap()),
        []
    );
}

#[test]
fn an_hour_is_heard_piece_by_piece_and_little_is_kept_of_it() {
    let second = tones(8_000, 1);
    let mut model = model(8_000);
    let mut stream = VoiceStream::new(8_000, &KindOptions::default(), &model).unwrap();
    let (mut told, mut seconds) = (0, 0.0);
    while seconds < 3_600.0 {
        told += segments(&stream.push(&second, &mut model).unwrap()).len();
        seconds += second.len() as f64 / 8_000.0;
    }
    // What is settled is taken out on the way: the end has no more than one left to tell.
    let kept = segments(&stream.finish(&mut model).unwrap().0).len();
    assert_eq!((told + kept, kept), (1_440, 0));
    assert_eq!(model.windows, (3_600.0 * 8_000.0 / 256.0_f32).ceil());
}

#[test]
fn what_is_no_sound_is_refused_and_the_stream_goes_on() {
    let options = KindOptions::default();
    let code = |made: Result<Made>| made.unwrap_err().code();
    assert_eq!(code(heard(&[], 16_000, &options)), Code::EmptyInput);
    assert_eq!(
        code(heard(&[f32::NAN; 600], 16_000, &options)),
        Code::InputKind
    );
    assert_eq!(code(heard(&[0.0; 600], 0, &options)), Code::InputKind);
    let samples = tones(16_000, 1);
    let mut model = model(16_000);
    let mut stream = VoiceStream::new(16_000, &options, &model).unwrap();
    let mut told = stream.push(&samples[..20_000], &mut model).unwrap();
    let broken = [0.0, f32::INFINITY];
    assert_eq!(
        stream.push(&broken, &mut model).unwrap_err().code(),
        Code::InputKind
    );
    told.extend(stream.push(&samples[20_000..], &mut model).unwrap());
    told.extend(stream.finish(&mut model).unwrap().0);
    assert_eq!(
        segments(&told),
        found(heard(&samples, 16_000, &options).unwrap())
    );
}

#[test]
fn options_are_those_of_silero_s_python_and_others_are_refused() {
    let samples = tones(16_000, 2);
    let with = |options: KindOptions| heard(&samples, 16_000, &options);
    let padded = KindOptions {
        speech_pad_ms: Some(200),
        ..KindOptions::default()
    };
    let plain = found(with(KindOptions::default()).unwrap());
    let padded = found(with(padded).unwrap());
    assert!((plain[0].start - padded[0].start - 0.17).abs() < 1e-9);
    let long = KindOptions {
        min_speech_duration_ms: Some(1_500),
        ..KindOptions::default()
    };
    assert_eq!(found(with(long).unwrap()), []);
    let bridged = KindOptions {
        min_silence_duration_ms: Some(1_200),
        ..KindOptions::default()
    };
    assert_eq!(found(with(bridged).unwrap()).len(), 1);
    let strict = KindOptions {
        threshold: Some(0.9),
        ..KindOptions::default()
    };
    assert_eq!(found(with(strict).unwrap()), []);
    let wrong = KindOptions {
        threshold: Some(0.5),
        neg_threshold: Some(0.6),
        ..KindOptions::default()
    };
    let error = with(wrong).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
    assert!(error.to_string().contains("negThreshold"), "{error}");
    let odd = KindOptions {
        top_k: Some(1),
        ..KindOptions::default()
    };
    let error = with(odd).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
    assert!(error.to_string().contains("topK"), "{error}");
}

#[test]
fn the_error_of_a_model_is_its_own() {
    struct Broken;
    impl Hears for Broken {
        fn name(&self) -> &str {
            "broken"
        }
        fn rate(&self) -> u32 {
            16_000
        }
        fn hear(&mut self, _: &[f32], _: &mut VoiceState) -> Result<f32> {
            Err(Error::new(Code::ModelOutput, "broken: it broke"))
        }
    }
    let (samples, rate) = (&[0.0; 600][..], 16_000);
    let input = Input::Sound { samples, rate };
    let kind = TaskKind::VoiceActivityDetection;
    let options = KindOptions::default();
    let error = perform_numeric(kind, &[], input, &options, Numeric::Hears(&mut Broken));
    let error = error.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string()),
        (Code::ModelOutput, "broken: it broke".into())
    );
}

/// A model that gives what is said beforehand.
struct Numbers(Vec<Values>, bool);

impl Runs for Numbers {
    fn name(&self) -> &str {
        "played"
    }

    fn run(&mut self, _: Input<'_>) -> Result<Vec<Values>> {
        Ok(self.0.clone())
    }

    fn gives_probabilities(&self) -> bool {
        self.1
    }
}

fn gives(name: &str, shape: Vec<usize>, numbers: Vec<f32>) -> Values {
    let name = name.to_owned();
    Values {
        name,
        shape,
        numbers,
    }
}

#[test]
fn labels_of_a_sound_have_probabilities_of_their_own() {
    let labels = ["rock", "jazz", "folk"].map(|id| crate::task::Label {
        id: id.into(),
        title: None,
    });
    let input = Input::Sound {
        samples: &[0.0; 10],
        rate: 16_000,
    };
    let made = |numbers: Vec<f32>, probabilities: bool| {
        let mut model = Numbers(vec![gives("logits", vec![1, 3], numbers)], probabilities);
        let options = KindOptions::default();
        let model = Numeric::Runs(&mut model);
        perform_numeric(TaskKind::MultiLabel, &labels, input, &options, model)
    };
    let Made { output, confidence } = made(vec![3.0, -2.0, 0.1], false).unwrap();
    let KindOutput::Labels(output) = output else {
        panic!("{output:?}")
    };
    let held: Vec<&str> = output.labels.iter().map(|l| l.label.as_str()).collect();
    assert_eq!(held, ["rock", "folk"]);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let all = sigmoid(3.0) * (1.0 - sigmoid(-2.0)) * sigmoid(f64::from(0.1_f32));
    assert!((confidence.unwrap() - all).abs() < 1e-9);
    let KindOutput::Labels(given) = made(vec![0.9, 0.2, 0.4], true).unwrap().output else {
        panic!()
    };
    assert_eq!(given.labels.len(), 1);
    assert!((given.labels[0].score.unwrap() - 0.9).abs() < 1e-6);
    // A logit is no probability, and a model of two labels is another task's.
    assert_eq!(
        made(vec![3.0, 0.2, 0.4], true).unwrap_err().code(),
        Code::ModelOutput
    );
    assert_eq!(
        made(vec![3.0, 0.2], false).unwrap_err().code(),
        Code::ModelOutput
    );
}

#[test]
fn numbers_of_a_row_are_given_as_they_are() {
    let row = crate::task::Table::default();
    let of = |values: Vec<Values>| {
        let mut model = Numbers(values, false);
        let input = Input::Table(&row);
        let options = KindOptions::default();
        let model = Numeric::Runs(&mut model);
        perform_numeric(TaskKind::Regression, &[], input, &options, model)
    };
    let made = of(vec![gives("variable", vec![1, 2], vec![2.5, -1.0])]).unwrap();
    let KindOutput::Regression(output) = made.output else {
        panic!()
    };
    assert_eq!((output.value, output.values), (2.5, vec![2.5, -1.0]));
    assert_eq!(made.confidence, None);
    let two = of(vec![gives("variable", vec![2, 2], vec![0.0; 4])]).unwrap_err();
    assert_eq!(two.code(), Code::ModelOutput);
}

#[test]
fn a_kind_refuses_what_it_does_not_read_and_a_model_of_another_kind() {
    let options = KindOptions::default();
    let sound = Input::Sound {
        samples: &[0.0; 10],
        rate: 16_000,
    };
    let of = |kind, input, model: Numeric<'_>| {
        let error = perform_numeric(kind, &[], input, &options, model).unwrap_err();
        (error.code(), error.to_string())
    };
    let (code, told) = of(
        TaskKind::VoiceActivityDetection,
        Input::Text("a"),
        Numeric::Hears(&mut model(16_000)),
    );
    assert_eq!(code, Code::InputKind);
    assert!(told.contains("does not read text"), "{told}");
    let mut numbers = Numbers(Vec::new(), false);
    let (code, told) = of(
        TaskKind::VoiceActivityDetection,
        sound,
        Numeric::Runs(&mut numbers),
    );
    assert_eq!(code, Code::ModelInvalid);
    assert!(told.contains("keeps no state"), "{told}");
    let (code, _) = of(TaskKind::Regression, sound, Numeric::Runs(&mut numbers));
    assert_eq!(code, Code::InputKind);
    let mut text = super::super::testing::Played::of("a", 9);
    let error = perform(TaskKind::FillMask, &[], sound, &options, &mut text).unwrap_err();
    assert_eq!(error.code(), Code::InputKind);
}
