//! Runs ONNX's operator vectors: `conformance <folder with a folder a test> [--only <part of a name>] [--tolerance <t>] [--list] [--lines]`.
//!
//! A test is right when every output is of the expected type and shape, and its numbers are within 1e-3 of the expected ones
//! (relative, and 1e-5 absolute; for float16 and bfloat16 two steps of their own), or as near as other outputs beside them: an
//! `unoptimized_<n>.pb` or `perturbed_<n>.pb` of a real model (tests/reference/files.py) tells how far rounding alone moves its
//! `output_<n>.pb`, and twice that is allowed, up to a tenth of the largest number. `--tolerance` gives another bound, relative
//! and absolute. `--list` prints what is not right, `--lines` every test as `outcome<tab>name<tab>operators<tab>why`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;
use smallfirst_onnx::proto::{ModelProto, NodeProto, TensorProto};
use smallfirst_onnx::{Data, Model, Numbers, Tensor, external, tensor_of};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Right,
    Wrong(String),
    Refused(String),
    /// Of a type that the engine does not have.
    Aside(String),
    Crashed,
}

fn main() {
    let mut folder = None;
    let (mut only, mut list, mut lines, mut tolerance) = (String::new(), false, false, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => only = arguments.next().unwrap_or_default(),
            "--list" => list = true,
            "--lines" => lines = true,
            "--tolerance" => {
                let given = arguments.next().and_then(|t| t.parse().ok());
                tolerance = Some(given.expect("a number"));
            }
            other => folder = Some(PathBuf::from(other)),
        }
    }
    let Some(folder) = folder else {
        eprintln!("conformance <folder> [--only <part of a name>] [--tolerance <t>] [--list]");
        std::process::exit(2);
    };
    std::panic::set_hook(Box::new(|_| {}));
    let mut tests: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|e| e.expect("an entry").path())
        .collect();
    tests.sort();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for test in tests {
        let name = test
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        if !name.contains(&only) || !test.join("model.onnx").exists() {
            continue;
        }
        let outcome =
            std::panic::catch_unwind(|| run(&test, tolerance)).unwrap_or(Outcome::Crashed);
        let (kind, why) = match &outcome {
            Outcome::Right => ("right", ""),
            Outcome::Wrong(why) => ("WRONG", why.as_str()),
            Outcome::Refused(why) => ("refused", why.as_str()),
            Outcome::Aside(why) => ("aside", why.as_str()),
            Outcome::Crashed => ("CRASHED", ""),
        };
        *counts.entry(kind).or_default() += 1;
        if lines {
            println!(
                "{kind}\t{name}\t{}\t{}",
                operators(&test).join(" "),
                why.replace(['\n', '\t'], " ")
            );
        }
        if list && outcome != Outcome::Right {
            println!("{kind:8} {name}: {why}");
        }
    }
    let all: usize = counts.values().sum();
    let has = all - counts.get("aside").copied().unwrap_or(0);
    let right = counts.get("right").copied().unwrap_or(0);
    println!(
        "{all} tests, {has} of types that the engine has: {counts:?}; {:.1} % right",
        100.0 * right as f64 / has.max(1) as f64
    );
}

/// Vectors of older releases that ONNX corrected later: the operands, the expected output or its type were wrong. The newest ones
/// are right.
const CORRECTED: [&str; 11] = [
    "1.12/test_cast_FLOAT_to_BFLOAT16",
    "1.17/test_cast_FLOAT_to_BFLOAT16",
    "1.12/test_castlike_FLOAT_to_BFLOAT16",
    "1.12/test_castlike_BFLOAT16_to_FLOAT",
    "1.12/test_cast_BFLOAT16_to_FLOAT",
    "1.17/test_castlike_FLOAT_to_BFLOAT16",
    "1.17/test_castlike_BFLOAT16_to_FLOAT",
    "1.17/test_cast_BFLOAT16_to_FLOAT",
    "1.17/test_qlinearmatmul_2D_int8_float",
    "1.17/test_qlinearmatmul_3D_int8_float",
    "1.17/test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
];

fn run(test: &Path, tolerance: Option<f64>) -> Outcome {
    let path = test.to_string_lossy();
    if CORRECTED.iter().any(|corrected| path.contains(corrected)) {
        return Outcome::Aside("ONNX corrected this vector later".into());
    }
    let mut file = std::fs::read(test.join("model.onnx")).expect("the model");
    let beside = external::files(&file).unwrap_or_default().into_iter();
    let beside: BTreeMap<String, Vec<u8>> = beside
        .filter_map(|name| Some((name.clone(), std::fs::read(test.join(&name)).ok()?)))
        .collect();
    if !beside.is_empty() {
        file = external::inline(&file, &beside).expect("the weights");
    }
    let model = match Model::read(file) {
        Ok(model) => model,
        Err(why) if aside(&why.0) => return Outcome::Aside(why.0),
        Err(why) => return Outcome::Refused(why.0),
    };
    for set in 0.. {
        let folder = test.join(format!("test_data_set_{set}"));
        if !folder.exists() {
            return if set == 0 {
                Outcome::Refused("there is no data".into())
            } else {
                Outcome::Right
            };
        }
        let read = |kind: &str, count: usize| {
            (0..count)
                .map(|at| tensor(&folder.join(format!("{kind}_{at}.pb"))))
                .collect::<Result<Vec<_>, _>>()
        };
        let (inputs, expected) = match (
            read("input", model.inputs().len()),
            read("output", model.outputs().len()),
        ) {
            (Ok(inputs), Ok(expected)) => (inputs, expected),
            (Err(why), _) | (_, Err(why)) => return Outcome::Aside(why),
        };
        let given = match model.run(inputs) {
            Ok(given) => given,
            Err(why) => return Outcome::Refused(why.0),
        };
        for (at, ((port, given), expected)) in model
            .outputs()
            .iter()
            .zip(&given)
            .zip(&expected)
            .enumerate()
        {
            let rounding = ["unoptimized", "perturbed"]
                .iter()
                .filter_map(|kind| tensor(&folder.join(format!("{kind}_{at}.pb"))).ok())
                .map(|other| farthest(&other, expected))
                .fold(0.0, f64::max);
            if let Some(difference) = differs(given, expected, tolerance, 2.0 * rounding) {
                return Outcome::Wrong(format!("{}: {difference}", port.name));
            }
        }
    }
    Outcome::Right
}

/// The operators of a test's graph, each once, with their domain where it is not ONNX's own.
fn operators(test: &Path) -> Vec<String> {
    let file = std::fs::read(test.join("model.onnx")).expect("the model");
    let nodes = ModelProto::decode(&*file)
        .ok()
        .and_then(|model| model.graph)
        .map(|graph| graph.node);
    let called = |node: &NodeProto| match node.domain.as_str() {
        "" | "ai.onnx" => node.op_type.clone(),
        domain => format!("{domain}.{}", node.op_type),
    };
    let mut found: Vec<String> = nodes.iter().flatten().map(called).collect();
    found.sort();
    found.dedup();
    found
}

/// Whether a refusal is one of a type.
fn aside(why: &str) -> bool {
    [
        "sequence, a map or optional",
        "8-bit floats",
        "4-bit floats",
        "8-bit exponents",
        "2-bit integers",
        "complex numbers",
        "4-bit integers that",
        // Of sequences and optional values; pictures and patterns, which ONNX leaves to libraries; training.
        "the operator Sequence",
        "the operator Optional",
        "the operator SplitToSequence",
        "the operator ConcatFromSequence",
        "the operator ImageDecoder",
        "the operator RegexFullMatch",
        "ai.onnx.preview.training",
        "as in training",
    ]
    .iter()
    .any(|part| why.contains(part))
}

fn tensor(path: &Path) -> Result<Tensor, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let proto = TensorProto::decode(&*bytes).map_err(|e| e.to_string())?;
    tensor_of(&proto).map_err(|e| e.0)
}

/// Floats in double precision; `None` of other types.
fn wide(tensor: &Tensor) -> Option<Vec<f64>> {
    Some(match tensor.data.numbers()? {
        Numbers::F32(v) => v.iter().map(|&v| f64::from(v)).collect(),
        Numbers::F64(v) => v.into_owned(),
        _ => return None,
    })
}

/// How far the numbers of two outputs are apart at most.
fn farthest(one: &Tensor, two: &Tensor) -> f64 {
    match (wide(one), wide(two)) {
        (Some(one), Some(two)) if one.len() == two.len() => {
            let apart = one.iter().zip(&two).map(|(a, b)| (a - b).abs());
            apart.fold(0.0, f64::max)
        }
        _ => 0.0,
    }
}

fn differs(
    given: &Tensor,
    expected: &Tensor,
    tolerance: Option<f64>,
    rounding: f64,
) -> Option<String> {
    if given.ty() != expected.ty() || given.shape != expected.shape {
        return Some(format!(
            "{} {:?} instead of {} {:?}",
            given.ty().name(),
            given.shape,
            expected.ty().name(),
            expected.shape
        ));
    }
    let coarse = match given.data {
        Data::F16(_) => 2e-3,
        Data::BF16(_) => 1.6e-2,
        _ => 1e-3,
    };
    let (coarse, least) = tolerance.map_or((coarse, 1e-5), |t| (t, t));
    match (wide(given), wide(expected)) {
        (Some(numbers), Some(right)) => {
            let largest = right.iter().fold(0.0, |most: f64, e| most.max(e.abs()));
            let allowed = rounding.min(largest / 10.0);
            let near = |(g, e): (&f64, &f64)| {
                let bound = allowed.max(least + coarse * e.abs());
                g == e || (g.is_nan() && e.is_nan()) || (g - e).abs() <= bound
            };
            let at = numbers.iter().zip(&right).position(|pair| !near(pair))?;
            let off = numbers.iter().zip(&right).filter(|&pair| !near(pair));
            Some(format!(
                "{} instead of {} at {at}; {} of {} are off, at most by {} where the largest is {}",
                numbers[at],
                right[at],
                off.count(),
                numbers.len(),
                farthest(given, expected),
                largest
            ))
        }
        _ => (given.data != expected.data).then(|| {
            let short = |t: &Tensor| {
                format!("{:?}", t.data)
                    .chars()
                    .take(120)
                    .collect::<String>()
            };
            format!("{} instead of {}", short(given), short(expected))
        }),
    }
}
