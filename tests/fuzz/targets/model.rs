//! A prepared model: its header up to the first zero byte, then its weights; or the whole file where it begins as one.

use serde_json::{Value, json};
use smallfirst::engine::{Array, Data, Dim, Element, MAGIC, Model, Shape, Tensor};

use super::Target;

/// A file is a model that comes to an end, or there is a typed error.
pub const MODEL: Target = Target {
    name: "model",
    read,
    choice: 1,
    seeds,
    most: 4 << 10,
    words: &[
        "\"symbols\":1",
        "\"inputs\":[{\"name\":\"x\",\"element\":\"F32\",\"dims\":[",
        "\"weights\":[{\"kind\":\"F32\",\"shape\":[",
        "\"kind\":\"F16\"",
        "\"kind\":\"Q8\"",
        "\"kind\":\"Q4\"",
        "\"steps\":[{\"op\":",
        "\"of\":[0,-1]",
        "\"output\":1",
        "{\"n\":4}",
        "{\"s\":0}",
        "{\"+\":[",
        "{\"*\":[",
        "{\"/\":[{\"s\":0},2]}",
        "{\"<\":[",
        "{\"MatMul\":{\"left\":\"mk\",\"right\":{\"Packed\":{\"k\":",
        "{\"Dynamic\":\"kn\"}",
        "{\"Attention\":{",
        "{\"Conv\":{\"windows\":{\"kernel\":[3,3],\"stride\":[1,1],\"dilation\":[1,1],\"before\":[1,1],\"after\":[1,1]}",
        "{\"Pool\":{",
        "{\"Unary\":\"Exp\"}",
        "{\"Activate\":\"Relu\"}",
        "{\"Binary\":\"Add\"}",
        "{\"Compare\":\"Eq\"}",
        "{\"Reshape\":[",
        "{\"Broadcast\":[",
        "{\"Pad\":{\"pads\":[[",
        "{\"Range\":{\"len\":",
        "{\"TopK\":{\"k\":",
        "{\"Reduce\":{\"kind\":\"Sum\",\"axes\":[",
        "{\"Concat\":{\"axis\":",
        "{\"Slice\":{\"axis\":",
        "{\"Gather\":{\"axis\":0}}",
        "{\"Transpose\":[1,0]}",
        "\"then\":{\"bias\":false,\"residual\":false,\"activation\":\"None\"}",
        "4611686018427387904",
        "9223372036854775807",
    ],
};

/// A file of a header and weights, as they are on disk.
fn file(header: &[u8], weights: &[u8]) -> Vec<u8> {
    let len = (header.len() + 8).next_multiple_of(64) - 8;
    let mut file = [&MAGIC[..], &[3]].concat();
    file.extend((len as u32).to_le_bytes());
    file.extend(header);
    file.resize(8 + len, b' ');
    file.extend(weights);
    file
}

fn read(data: &[u8]) {
    let [choice, rest @ ..] = data else { return };
    let bytes = if rest.starts_with(&MAGIC) {
        rest.to_vec()
    } else {
        let mut parts = rest.splitn(2, |&byte| byte == 0);
        let header = parts.next().unwrap_or_default();
        file(header, parts.next().unwrap_or_default())
    };
    if let Ok(model) = Model::open("m", bytes.clone()) {
        run(&model, *choice);
    }
    // As a bundle has it: one row in, finite numbers out.
    for (input, shape) in [
        (Tensor::F32(vec![0.5; 4]), Shape::Row(4)),
        (Tensor::I64(vec![1; 3]), Shape::AnyRow),
        (Tensor::I32(vec![7; 8]), Shape::Row(8)),
    ] {
        let Ok(model) = Model::load("m", bytes.clone(), input.element(), shape) else {
            continue;
        };
        if let Ok(values) = model.run(input) {
            assert!(values.iter().all(|v| v.is_finite()));
        }
    }
}

fn run(model: &Model, choice: u8) {
    // What a symbol stands for; the same one is the same everywhere.
    let length = |dim: &Dim| match dim {
        Dim::Number(n) => usize::try_from(*n).unwrap_or(0),
        Dim::Symbol(s) => 1 + (usize::from(choice) + *s as usize) % 9,
        _ => 1,
    };
    let mut total = 0usize;
    let mut inputs = Vec::new();
    for given in model.inputs() {
        let shape: Vec<usize> = given.dims.iter().map(length).collect();
        let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let Some(count) = count.filter(|count| *count <= 1 << 16) else {
            return;
        };
        total += count;
        // Who runs a model has made its inputs.
        if total > 1 << 20 {
            return;
        }
        let numbers = (0..count).map(|i| (i + usize::from(choice)) % 7);
        let data = if given.element == Element::F32 {
            Data::F32(numbers.map(|n| n as f32 - 3.0).collect())
        } else {
            Data::I64(numbers.map(|n| n as i64).collect())
        };
        inputs.push(Array { shape, data });
    }
    if let Ok(array) = model.infer(inputs) {
        let len = match &array.data {
            Data::F32(v) => v.len(),
            Data::I64(v) => v.len(),
        };
        assert_eq!(len, array.shape.iter().product::<usize>());
    }
}

/// A program of one input, some weights and these steps.
fn program(
    element: &str,
    dims: &Value,
    weights: &[(&str, &[usize])],
    steps: &[(Value, &[i32])],
) -> Vec<u8> {
    let mut blob: Vec<u8> = Vec::new();
    let listed: Vec<Value> = weights
        .iter()
        .map(|(kind, shape)| {
            blob.resize(blob.len().next_multiple_of(64), 0);
            let at = blob.len();
            let numbers = shape.iter().product::<usize>();
            // Blocks of scaled integers, the last one filled up.
            let bytes = match *kind {
                "F16" => 2 * numbers,
                "Q8" | "Q4" => 2 * numbers.next_multiple_of(256),
                _ => 0,
            };
            blob.extend((0..bytes).map(|i| 40 + i as u8 % 9));
            let numbers = if bytes == 0 { numbers } else { 0 };
            for i in 0..numbers {
                match *kind {
                    "F32" => blob.extend((i as f32 / 8.0 - 1.0).to_le_bytes()),
                    "I64" => blob.extend((i as i64 % 3).to_le_bytes()),
                    "I32" => blob.extend((i as i32 % 5).to_le_bytes()),
                    _ => blob.push(i as u8),
                }
            }
            json!({"kind": kind, "shape": shape, "at": at})
        })
        .collect();
    let steps: Vec<Value> = steps
        .iter()
        .map(|(op, of)| json!({"op": op, "of": of}))
        .collect();
    let header = json!({"symbols": 2, "inputs": [{"name": "x", "element": element, "dims": dims}],
        "weights": listed, "steps": steps, "output": steps.len()});
    [b"\x03", header.to_string().as_bytes(), b"\0", &blob].concat()
}

fn seeds() -> Vec<Vec<u8>> {
    let row = json!([{"n": 1}, {"n": 4}]);
    let any = json!([{"n": 1}, {"s": 0}]);
    let image = json!([{"n": 1}, {"n": 5}, {"s": 0}, {"n": 3}]);
    let heads = json!([{"n": 1}, {"s": 0}, {"n": 3}, {"n": 2}, {"n": 4}]);
    let none = json!({"bias": false, "residual": false, "activation": "None"});
    let bias = json!({"bias": true, "residual": false, "activation": "Gelu"});
    let packed = json!({"MatMul": {"left": "mk", "right": {"Packed": {"k": 4, "n": [2]}}, "result": "m", "then": bias}});
    let int8 = json!({"MatMul": {"left": "mk", "right": {"Int8": {"k": 4, "n": [2]}}, "result": "m", "then": none}});
    let dynamic = json!({"MatMul": {"left": "mk", "right": {"Dynamic": "nk"}, "result": "mn", "scale": 0.5, "then": none}});
    let windows = json!({"kernel": [3, 3], "stride": [1, 1], "dilation": [1, 1], "before": [1, 1], "after": [1, 1]});
    let conv =
        json!({"Conv": {"windows": windows, "outputs": 2, "depthwise": false, "then": none}});
    let deep = json!({"Conv": {"windows": windows, "outputs": 3, "depthwise": true, "then": none}});
    let one = json!({"kernel": [1, 1], "stride": [1, 1], "dilation": [1, 1], "before": [0, 0], "after": [0, 0]});
    let wide = json!({"Conv": {"windows": one, "outputs": 3, "depthwise": false, "then": none}});
    let pool = json!({"Pool": {"windows": windows, "average": true, "include_padding": false}});
    let attention = json!({"Attention": {"q": [0, 1, 2, 3], "k": [0, 1, 2, 3], "v": [0, 1, 2, 3], "together": true, "scale": 0.5, "mask": false}});
    let mut all = vec![
        program(
            "F32",
            &row,
            &[("F32", &[4 * 16]), ("F32", &[2])],
            &[(packed, &[0, -1, -2])],
        ),
        program(
            "F32",
            &row,
            &[("F32", &[4 * 8]), ("F32", &[2])],
            &[(
                json!({"MatMul": {"left": "mk", "right": {"Packed": {"k": 4, "n": [2]}}, "result": "m", "then": bias}}),
                &[0, -1, -2],
            )],
        ),
        program(
            "F32",
            &row,
            &[("I8", &[128]), ("F32", &[2]), ("I32", &[2])],
            &[(int8, &[0, -1, -2, -3])],
        ),
        program(
            "F32",
            &row,
            &[("Q4", &[4 * 8])],
            &[(
                json!({"MatMul": {"left": "mk", "right": {"Packed": {"k": 4, "n": [2]}}, "result": "m", "then": none}}),
                &[0, -1],
            )],
        ),
        program(
            "F32",
            &image,
            &[("Q8", &[27 * 8])],
            &[(conv.clone(), &[0, -1])],
        ),
        program(
            "I64",
            &any,
            &[("F16", &[7, 4]), ("Q4", &[9, 3])],
            &[
                (json!({"Rows": {"scaled": false}}), &[-1, 0]),
                (json!({"Rows": {"scaled": false}}), &[-2, 0]),
            ],
        ),
        program("F32", &row, &[], &[(dynamic, &[0, 0])]),
        program("F32", &heads, &[], &[(attention, &[0])]),
        program("F32", &image, &[("F32", &[27 * 8])], &[(conv, &[0, -1])]),
        program(
            "F32",
            &image,
            &[("F32", &[3, 3, 3])],
            &[(deep.clone(), &[0, -1])],
        ),
        program(
            "F32",
            &image,
            &[("F32", &[3 * 8]), ("F32", &[3, 3, 3])],
            &[(wide, &[0, -1]), (deep, &[1, -2])],
        ),
        program("F32", &image, &[], &[(pool, &[0])]),
        program(
            "I64",
            &any,
            &[("I8", &[7, 4]), ("F32", &[7])],
            &[
                (json!({"Rows": {"scaled": true}}), &[-1, 0, -2]),
                (json!({"Reduce": {"kind": "Mean", "axes": [1]}}), &[1]),
                (json!({"Length": {"s": 0}}), &[]),
                (json!({"Reshape": [{"n": 1}, {"n": 1}]}), &[3]),
                (json!({"Cast": "F32"}), &[4]),
                (json!({"Binary": "Mul"}), &[2, 5]),
            ],
        ),
        program(
            "F32",
            &any,
            &[("F32", &[1])],
            &[
                (json!({"Compare": "Gt"}), &[0, -1]),
                (json!({"Select": null}), &[1, 0, -1]),
            ],
        ),
        program(
            "F32",
            &row,
            &[("F32", &[4]), ("F32", &[4])],
            &[(
                json!({"LayerNorm": {"eps": 1e-5, "residual": true}}),
                &[0, -1, -2, 0],
            )],
        ),
        program(
            "F32",
            &row,
            &[("F32", &[4])],
            &[(json!({"RmsNorm": {"eps": 1e-5}}), &[0, -1])],
        ),
    ];
    let chain = [
        json!({"Unary": "Exp"}),
        json!({"Activate": {"Clamp": [0.0, 6.0]}}),
        json!("IsNan"),
        json!({"Softmax": {"axis": 1, "log": true}}),
        json!({"Reduce": {"kind": "ArgMax", "axes": [1]}}),
        json!({"Transpose": [1, 0]}),
        json!({"Slice": {"axis": 1, "start": {"n": 1}, "end": {"/": [{"+": [{"s": 0}, {"n": 4}]}, 2]}}}),
        json!({"Broadcast": [{"n": 2}, {"n": 1}, {"n": 4}]}),
        json!({"Pad": {"pads": [[1, 0], [0, 2]], "value": 0.5}}),
        json!({"TopK": {"k": 2, "smallest": true}}),
        json!({"Reshape": [{"*": [{"n": 2}, {"n": 2}]}]}),
    ];
    all.extend(chain.map(|op| program("F32", &row, &[], &[(op, &[0])])));
    all.push(program(
        "F32",
        &row,
        &[],
        &[(json!({"Concat": {"axis": 0}}), &[0, 0, 0])],
    ));
    all.push(program(
        "I64",
        &any,
        &[("F32", &[9, 2])],
        &[(json!({"Gather": {"axis": 0}}), &[-1, 0])],
    ));
    all.push(program(
        "I64",
        &any,
        &[],
        &[
            (json!({"Range": {"len": {"s": 0}}}), &[]),
            (json!({"Binary": "Add"}), &[0, 1]),
        ],
    ));
    for shipped in [
        &include_bytes!("../../../models/spam/head.sfm")[..],
        include_bytes!("../../../models/sentiment/head.sfm"),
    ] {
        all.push([b"\x00", shipped].concat());
    }
    all
}
