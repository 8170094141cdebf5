//! Vectors.

use super::*;
use crate::task::kind::{Precision, VectorOutput, Vectors};

fn vectors(outputs: Vec<Values>, options: &KindOptions) -> Result<VectorOutput> {
    let sight = Sight::Vectors {
        processor: &plain(),
        usual: (None, false),
        model: &mut Painted::giving(vec![outputs]),
    };
    match see(&white(2, 2), &[], options, sight)?.output {
        KindOutput::Vectors(output) => Ok(output),
        other => panic!("{other:?}"),
    }
}

fn floats(outputs: Vec<Values>, options: &KindOptions) -> (Vec<f32>, Vec<u32>) {
    match vectors(outputs, options).unwrap() {
        VectorOutput {
            data: Vectors::F32(data),
            dims,
            ..
        } => (data, dims),
        other => panic!("{other:?}"),
    }
}

/// Two maps of 2 x 2, and their means behind them.
fn maps() -> Vec<Values> {
    vec![
        values(
            "last_hidden_state",
            &[1, 2, 2, 2],
            &[1.0, 2.0, 3.0, 6.0, 0.0, 0.0, 4.0, 12.0],
        ),
        values("pooler_output", &[1, 2, 1, 1], &[3.0, 4.0]),
    ]
}

#[test]
fn vectors_are_the_models_or_are_made_of_its_parts() {
    let plain = KindOptions::default();
    assert_eq!(floats(maps(), &plain).1, [1, 2, 2, 2]);
    let pool = KindOptions {
        pool: Some(true),
        ..plain.clone()
    };
    assert_eq!(floats(maps(), &pool), (vec![3.0, 4.0], vec![1, 2]));
    let long = KindOptions {
        normalize: Some(true),
        ..pool
    };
    assert_eq!(floats(maps(), &long).0, [0.6, 0.8]);
    let by = |pooling| KindOptions {
        pooling: Some(pooling),
        ..plain.clone()
    };
    let (mean, max) = (by(Pooling::Mean), by(Pooling::Max));
    assert_eq!(floats(maps(), &mean), (vec![3.0, 4.0], vec![1, 2]));
    assert_eq!(floats(maps(), &max).0, [6.0, 12.0]);
    // Parts one after another, as transformers give them.
    let parts = || {
        vec![values(
            "last_hidden_state",
            &[1, 3, 2],
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        )]
    };
    assert_eq!(floats(parts(), &plain).1, [1, 3, 2]);
    assert_eq!(floats(parts(), &by(Pooling::First)).0, [1.0, 2.0]);
    assert_eq!(floats(parts(), &mean), (vec![3.0, 4.0], vec![1, 2]));
    let one = vec![values("image_embeds", &[1, 2], &[1.0, 2.0])];
    assert_eq!(floats(one, &plain).1, [1, 2]);
}

#[test]
fn what_cannot_be_is_refused() {
    let with = |change: fn(&mut KindOptions)| {
        let mut options = KindOptions::default();
        change(&mut options);
        options
    };
    let hidden = || vec![values("last_hidden_state", &[1, 2], &[1.0, 2.0])];
    for (outputs, options, code, part) in [
        (
            hidden(),
            with(|o| o.pool = Some(true)),
            Code::ModelOutput,
            "no pooler_output",
        ),
        (
            maps(),
            with(|o| o.pooling = Some(Pooling::First)),
            Code::InvalidOption,
            "mean",
        ),
        (
            maps(),
            with(|o| o.normalize = Some(true)),
            Code::InvalidOption,
            "maps",
        ),
        (
            maps(),
            with(|o| {
                o.pool = Some(true);
                o.pooling = Some(Pooling::Mean);
            }),
            Code::InvalidOption,
            "one of them",
        ),
        (
            hidden(),
            with(|o| o.precision = Some(Precision::Int8)),
            Code::InvalidOption,
            "normalize",
        ),
        (
            hidden(),
            with(|o| o.threshold = Some(0.5)),
            Code::InvalidOption,
            "threshold",
        ),
        (
            vec![values("logits", &[2, 2], &[0.0; 4])],
            with(|_| ()),
            Code::ModelOutput,
            "[2, 2]",
        ),
        (vec![], with(|_| ()), Code::ModelOutput, "painted.onnx"),
    ] {
        let error = vectors(outputs, &options).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}
