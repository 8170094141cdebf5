use super::testing::linear;
use super::*;

fn two_by_three() -> Vec<u8> {
    linear(
        &[vec![1.0, 2.0, 3.0], vec![10.0, 20.0, 30.0]],
        &[0.5, 0.0, -0.5],
    )
}

fn load(onnx: &[u8], width: usize) -> Result<Model> {
    Model::load("test.onnx", onnx.to_vec(), Element::F32, Shape::Row(width))
}

#[test]
fn a_model_runs_and_gives_its_numbers() {
    let model = load(&two_by_three(), 2).unwrap();
    assert_eq!(
        model.run(Tensor::F32(vec![1.0, 1.0])).unwrap(),
        [11.5, 22.0, 32.5]
    );
    // And again: nothing of the first run is left over.
    assert_eq!(
        model.run(Tensor::F32(vec![0.0, 0.0])).unwrap(),
        [0.5, 0.0, -0.5]
    );
}

#[test]
fn a_tensor_of_another_shape_or_type_is_refused() {
    let model = load(&two_by_three(), 2).unwrap();
    for wrong in [
        Tensor::F32(vec![1.0]),
        Tensor::F32(vec![]),
        Tensor::I64(vec![1, 1]),
        Tensor::I32(vec![1, 1]),
    ] {
        let error = model.run(wrong.clone()).expect_err("refused");
        assert_eq!(error.code(), Code::Internal, "{wrong:?}");
    }
}

#[test]
fn what_is_not_a_number_is_found() {
    let poisoned = linear(&[vec![1.0, f32::NAN], vec![1.0, 1.0]], &[0.0, 0.0]);
    let model = load(&poisoned, 2).unwrap();
    let error = model.run(Tensor::F32(vec![1.0, 1.0])).unwrap_err();
    assert_eq!(error.code(), Code::ModelOutput);
    assert!(error.to_string().contains("NaN"), "{error}");

    let overflowing = linear(&[vec![f32::MAX], vec![f32::MAX]], &[0.0]);
    let model = load(&overflowing, 2).unwrap();
    let error = model.run(Tensor::F32(vec![2.0, 2.0])).unwrap_err();
    assert_eq!(error.code(), Code::ModelOutput);
}

#[test]
fn a_file_cut_anywhere_is_refused_or_runs_but_never_panics() {
    let whole = two_by_three();
    for cut in 0..whole.len() {
        if let Err(error) = load(&whole[..cut], 2) {
            assert_eq!(error.code(), Code::ModelInvalid, "cut at {cut}");
            assert!(error.to_string().starts_with("test.onnx"), "{error}");
        }
    }
    assert!(load(&whole[..whole.len() / 2], 2).is_err());
}

#[test]
fn flipped_bits_are_survived() {
    let whole = two_by_three();
    for at in 0..whole.len() {
        for bit in [0x01, 0x10, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            if let Ok(model) = load(&bytes, 2) {
                // The answer may be wrong (that is what hashes are for); it may not be a panic.
                let _ = model.run(Tensor::F32(vec![1.0, 1.0]));
            }
        }
    }
}

#[test]
fn what_is_no_model_is_refused() {
    for bad in [&b""[..], b"<!doctype html>", b"PK\x03\x04", &[0xff; 64]] {
        let error = load(bad, 2).unwrap_err();
        assert_eq!(error.code(), Code::ModelInvalid);
    }
    // A sound model, but for another width.
    assert_eq!(
        load(&two_by_three(), 3).unwrap_err().code(),
        Code::ModelInvalid
    );
}

#[test]
fn a_token_encoder_may_have_a_mask_and_types() {
    use crate::engine::onnx::pb::{
        AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    };
    use crate::engine::onnx::pb::{attribute_proto, tensor_proto};
    use prost::Message;
    let node = |op: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: op.into(),
        name: output.into(),
        input: inputs.iter().map(|&i| i.into()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let float = AttributeProto {
        name: "to".into(),
        r#type: attribute_proto::AttributeType::Int as i32,
        i: i64::from(tensor_proto::DataType::Float as i32),
        ..AttributeProto::default()
    };
    // y = ids + mask + types
    let mut cast = node("Cast", &["all"], "y");
    cast.attribute = vec![float];
    let long = |name: &str| onnx::writer::value(name, tensor_proto::DataType::Int64, None);
    let model = |inputs: &[&str]| {
        ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: 13,
            }],
            graph: Some(GraphProto {
                node: vec![
                    node("Add", &[inputs[0], inputs[1]], "some"),
                    node("Add", &["some", inputs[2]], "all"),
                    cast.clone(),
                ],
                input: inputs.iter().map(|&i| long(i)).collect(),
                output: vec![onnx::writer::value(
                    "y",
                    tensor_proto::DataType::Float,
                    None,
                )],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        }
        .encode_to_vec()
    };
    // In whatever order the exporter lists them.
    for inputs in [
        ["input_ids", "attention_mask", "token_type_ids"],
        ["attention_mask", "token_type_ids", "input_ids"],
    ] {
        let model = Model::load("e", model(&inputs), Element::I64, Shape::AnyRow).unwrap();
        let found = model.run(Tensor::I64(vec![5, 7])).unwrap();
        assert_eq!(found, [6.0, 8.0], "{inputs:?}");
    }
    // Two inputs that both could be the text are not guessed at, nor companions of features.
    let two = model(&["input_ids", "other", "attention_mask"]);
    assert!(Model::load("e", two, Element::I64, Shape::AnyRow).is_err());
    let three = model(&["input_ids", "attention_mask", "token_type_ids"]);
    assert!(Model::load("e", three, Element::F32, Shape::Row(2)).is_err());
}
