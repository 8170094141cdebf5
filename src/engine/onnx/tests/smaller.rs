//! Smaller weights: what they cost, that their files are read as carefully as others, and that rubbish is refused.

use std::path::Path;

use super::*;
use crate::bundle::SmallWeights;
use crate::engine::run::Runner;

const FORMS: [SmallWeights; 3] = [SmallWeights::F16, SmallWeights::Int8, SmallWeights::Q4];

/// Rows of a table, a product with odd lengths, and one with few columns.
fn words() -> Vec<u8> {
    let mut graph = Graph::default();
    let x = graph.input("x", DataType::Int64, &[Some(1), None]);
    let (table, w, b) = (
        graph.weight(&[301, 75]),
        graph.weight(&[75, 513]),
        graph.weight(&[513]),
    );
    let v = graph.weight(&[513, 3]);
    let y = graph.node("Gather", &[&table, &x], &[("axis", &[0])]);
    let y = graph.node("MatMul", &[&y, &w], &[]);
    let y = graph.node("Add", &[&y, &b], &[]);
    let y = graph.node("Relu", &[&y], &[]);
    let y = graph.node("MatMul", &[&y, &v], &[]);
    graph.finish(&y)
}

/// Convolutions, one of each channel by itself.
fn picture() -> Vec<u8> {
    let mut graph = Graph::default();
    let x = graph.input("x", DataType::Float, &[Some(1), Some(3), Some(9), Some(9)]);
    let (w, b) = (graph.weight(&[40, 3, 3, 3]), graph.weight(&[40]));
    let y = graph.node("Conv", &[&x, &w, &b], &[("kernel_shape", &[3, 3])]);
    let w = graph.weight(&[40, 1, 3, 3]);
    let apart: [(&str, &[i64]); 2] = [("kernel_shape", &[3, 3]), ("group", &[40])];
    let y = graph.node("Conv", &[&y, &w], &apart);
    let w = graph.weight(&[70, 40, 2, 2]);
    let y = graph.node("Conv", &[&y, &w], &[("kernel_shape", &[2, 2])]);
    graph.finish(&y)
}

fn small(onnx: &[u8], weights: Option<SmallWeights>) -> PreparedFile {
    prepare("t", onnx, None, weights).unwrap().unwrap()
}

#[test]
fn each_form_is_smaller_and_nearly_agrees() {
    for (onnx, sizes) in [(words(), [0.52, 0.31, 0.18]), (picture(), [0.6, 0.4, 0.3])] {
        let whole = small(&onnx, None);
        let exact = whole.agreement().unwrap();
        assert!(
            exact.largest < 1e-5 && exact.cosine > 0.999_999,
            "{exact:?}"
        );
        let bounds = [(1e-3, 0.999_99), (0.03, 0.999), (0.2, 0.98)];
        for ((form, size), (mean, cosine)) in FORMS.into_iter().zip(sizes).zip(bounds) {
            let file = small(&onnx, Some(form));
            let share = file.bytes.len() as f64 / whole.bytes.len() as f64;
            assert!(share < size, "{form:?}: {share}");
            let found = file.agreement().unwrap();
            assert!(
                found.mean < mean && found.cosine > cosine,
                "{form:?}: {found:?}"
            );
            assert!(found.outputs >= 2);
            // A page reads it as any other, twice with the same result.
            let model = Model::open("t", file.bytes.clone()).unwrap();
            let given = file.trials[0].given.clone();
            assert_eq!(model.infer(given.clone()).unwrap(), file.trials[0].found);
            assert_eq!(model.infer(given).unwrap(), file.trials[0].found);
        }
    }
}

#[test]
fn rubbish_is_refused_in_every_form() {
    let onnx = words();
    for form in FORMS {
        let file = small(&onnx, Some(form));
        let right = &file.trials[1].found;
        assert_eq!(file.hold_against(1, right), Ok(()));
        let with = |change: &dyn Fn(usize, f32) -> f32| {
            let Data::F32(values) = &right.data else {
                panic!("floats were wanted");
            };
            let values = values.iter().enumerate().map(|(at, &x)| change(at, x));
            Array::f32(right.shape.clone(), values.collect())
        };
        let last = right.len() - 1;
        for rubbish in [
            with(&|at, _| (at as f32).cos()),
            with(&|_, x| -x),
            with(&|_, x| 3.0 * x),
            with(&|at, x| if at == last { f32::NAN } else { x }),
        ] {
            let why = file.hold_against(1, &rubbish).unwrap_err();
            assert!(why.contains("instead of") && why.contains("at ["), "{why}");
        }
        let why = file.hold_against(1, &file.trials[0].found).unwrap_err();
        assert!(why.contains("shape"), "{why}");
    }
}

#[test]
fn a_weight_that_is_no_number_is_refused() {
    for form in FORMS {
        let mut graph = Graph::default();
        let x = graph.input("x", DataType::Float, &[Some(1), Some(64)]);
        let mut values = numbers(64 * 64, 5);
        values[100] = f32::NAN;
        let w = graph.constant(&[64, 64], &values);
        let y = graph.node("MatMul", &[&x, &w], &[]);
        let onnx = graph.finish(&y);
        let why = prepare("t", &onnx, None, Some(form)).unwrap().unwrap_err();
        assert!(why.contains("NaN"), "{why}");
    }
}

#[test]
fn files_with_smaller_weights_survive_damage() {
    let mut graph = Graph::default();
    let x = graph.input("x", DataType::Float, &[None, Some(32)]);
    let w = graph.weight(&[32, 33]);
    let y = graph.node("MatMul", &[&x, &w], &[]);
    let onnx = graph.finish(&y);
    for form in FORMS {
        let file = small(&onnx, Some(form)).bytes;
        assert_eq!(file[3], 3, "the version of {form:?}");
        damage(&file, &[32]);
    }
}

#[test]
fn an_older_version_has_no_smaller_weights() {
    for form in [SmallWeights::F16, SmallWeights::Q4] {
        let mut file = small(&words(), Some(form)).bytes;
        file[3] = 2;
        let error = Model::open("t", file).unwrap_err();
        assert!(error.to_string().contains("earlier version"), "{error}");
    }
}

/// Weights that lie in the same bytes would make much memory of a small file.
#[test]
fn weights_that_share_their_bytes_are_refused() {
    use crate::engine::program::{Program, Step, Weight, WeightKind};
    use crate::engine::{Element, op::Op};
    let file = |weights: usize| {
        let weight = Weight {
            kind: WeightKind::Q4,
            shape: vec![1 << 16],
            at: 0,
        };
        let add = |at: usize| Step {
            op: Op::Binary(crate::engine::kernels::Binary::Add),
            of: vec![at as i32, -(at as i32) - 1],
        };
        let program = Program {
            symbols: 0,
            inputs: vec![InputSpec {
                name: "x".into(),
                element: Element::F32,
                dims: vec![crate::engine::Dim::Number(1)],
            }],
            weights: vec![weight; weights],
            steps: (0..weights).map(add).collect(),
            output: weights as u32,
        };
        program.to_file(&vec![0; (1 << 16) / 32 * 18])
    };
    assert!(Runner::load(file(1)).is_ok());
    let why = Runner::load(file(50)).err().expect("refused");
    assert!(why.contains("share"), "{why}");
}

/// The committed encoder, whose weights are int8 already, and the head that reads its vectors.
#[test]
fn the_committed_models_agree_with_themselves() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/onnx");
    let read = |path: &str| std::fs::read(models.join(path)).unwrap();
    let (encoder, head) = (
        read("minilm/encoder.onnx"),
        read("sentiment-minilm/head.onnx"),
    );
    for (onnx, form, most, cosine) in [
        // What is int8 stays so, and nothing else is worth halves.
        (&encoder, SmallWeights::F16, 1.0, 0.99),
        (&encoder, SmallWeights::Int8, 1.0, 0.99),
        (&encoder, SmallWeights::Q4, 0.6, 0.9),
        (&head, SmallWeights::F16, 0.6, 0.999_99),
        (&head, SmallWeights::Int8, 0.4, 0.999),
        (&head, SmallWeights::Q4, 0.25, 0.95),
    ] {
        let whole = small(onnx, None).bytes.len();
        let file = small(onnx, Some(form));
        let agreement = file.agreement().unwrap();
        println!(
            "{form:?}: {} of {whole} bytes, {agreement:?}",
            file.bytes.len()
        );
        assert!(file.bytes.len() as f64 <= most * whole as f64, "{form:?}");
        assert!(agreement.cosine > cosine, "{form:?}: {agreement:?}");
    }
}
