//! An ONNX file that is run as it is, on inputs that are made up.

use smallfirst::engine::tensors::{Data, Length, Model, Numbers, Port, Tensor, Type, count};

use super::Target;

/// A file is a model that comes to an end, or there is a typed error.
pub const ONNX: Target = Target {
    name: "onnx",
    read,
    choice: 1,
    seeds,
    most: 4 << 10,
    words: &[
        "ai.onnx.ml",
        "com.microsoft",
        "axis",
        "axes",
        "keepdims",
        "kernel_shape",
        "pads",
        "strides",
        "dilations",
        "auto_pad",
        "SAME_UPPER",
        "mode",
        "to",
        "body",
        "then_branch",
        "perm",
        "direction",
        "bidirectional",
        "hidden_size",
        "equation",
        "Constant",
        "Identity",
        "Loop",
        "Expand",
        "Resize",
        "Slice",
        "Reshape",
        "MatMul",
        "Gather",
    ],
};

fn read(data: &[u8]) {
    let [choice, file @ ..] = data else { return };
    let Ok(model) = Model::read(file.to_vec()) else {
        return;
    };
    let mut total = 0;
    let mut inputs = Vec::new();
    for (at, port) in model.inputs().iter().enumerate() {
        let Some(input) = made_up(port, usize::from(*choice) + at) else {
            return;
        };
        // Who runs a model has made its inputs.
        total += input.len();
        if total > 1 << 16 {
            return;
        }
        inputs.push(input);
    }
    if let Ok(outputs) = model.run(inputs) {
        assert_eq!(outputs.len(), model.outputs().len());
        for output in outputs {
            assert_eq!(count(&output.shape), Ok(output.len()));
        }
    }
}

/// Numbers for an input, of which `choice` decides the lengths that are open and the values.
fn made_up(port: &Port, choice: usize) -> Option<Tensor> {
    let length = |(axis, length): (usize, &Length)| match length {
        Length::Known(n) => *n,
        _ => (choice + axis) % 4,
    };
    let shape = port.shape.as_deref().unwrap_or(&[Length::Any, Length::Any]);
    let shape: Vec<usize> = shape.iter().enumerate().map(length).collect();
    let len = count(&shape).ok().filter(|len| *len <= 1 << 14)?;
    let small = (0..len).map(|at| ((at + choice) % 7) as i64 - 2);
    let data = match port.ty.unwrap_or(Type::F32) {
        Type::Text => Data::Text(small.map(|n| format!("Word {n}")).collect()),
        Type::Bool => Data::Bool(small.map(|n| n > 0).collect()),
        ty if ty.is_float() => {
            let odd = |n: i64| match (n, choice % 5) {
                (-2, 1) => f64::NAN,
                (-2, 2) => f64::INFINITY,
                _ => n as f64 / 2.0,
            };
            Numbers::F64(small.map(odd).collect()).narrow(ty)
        }
        ty => Numbers::I64(small.collect()).narrow(ty),
    };
    Tensor::new(shape, data).ok()
}

fn seeds() -> Vec<Vec<u8>> {
    [
        &include_bytes!("../../fixtures/models/running-sum.onnx")[..],
        include_bytes!("../../fixtures/models/types.onnx"),
        include_bytes!("../../fixtures/models/beside.onnx"),
        include_bytes!("../../fixtures/models/unknown.onnx"),
    ]
    .iter()
    .map(|file| [b"\x03", *file].concat())
    .collect()
}
