use super::testing::linear;
use super::*;

fn two_by_three() -> Vec<u8> {
    linear(
        &[vec![1.0, 2.0, 3.0], vec![10.0, 20.0, 30.0]],
        &[0.5, 0.0, -0.5],
    )
}

fn load(onnx: &[u8], width: usize) -> Result<Model> {
    Model::load("test.onnx", onnx, Element::F32, Shape::Row(width))
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
