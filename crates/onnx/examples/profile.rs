//! Where the time of a model goes: `profile <folder with a folder a file> [--only <part of a name>] [--nodes]`.
//!
//! The folder is one that `cargo xtask conformance --files` makes; each file runs on its second set of inputs, as in
//! `cargo xtask bench --only files`. Prints the shortest run of each file, and how the time is divided among operators,
//! or with `--nodes` among nodes, with the shapes of their first results.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use prost::Message;
use smallfirst_onnx::proto::TensorProto;
use smallfirst_onnx::{Model, Tensor, external, tensor_of};

/// How long each file is run, at least three times.
const LONG: Duration = Duration::from_millis(1500);

fn main() {
    let (mut folder, mut only, mut nodes) = (None, String::new(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => only = arguments.next().unwrap_or_default(),
            "--nodes" => nodes = true,
            other => folder = Some(PathBuf::from(other)),
        }
    }
    let folder = folder.expect("a folder");
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut tests: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    tests.sort();
    for test in tests {
        let name = test.file_name().unwrap_or_default().to_string_lossy();
        if name.contains(&only) && test.join("model.onnx").exists() {
            match profile(&test, nodes) {
                Ok(lines) => println!("{name}: {lines}"),
                Err(why) => println!("{name}: {why}"),
            }
        }
    }
}

fn profile(test: &Path, by_node: bool) -> Result<String, String> {
    let mut file = std::fs::read(test.join("model.onnx")).map_err(|e| e.to_string())?;
    let beside = external::files(&file).map_err(|e| e.0)?.into_iter();
    let beside =
        beside.filter_map(|name| Some((name.clone(), std::fs::read(test.join(&name)).ok()?)));
    let beside = beside.collect();
    let begun = Instant::now();
    file = external::inline(&file, &beside).map_err(|e| e.0)?;
    let model = Model::read(file).map_err(|e| e.0)?;
    let read = begun.elapsed();
    let inputs = (0..model.inputs().len()).map(|at| {
        let bytes = std::fs::read(test.join(format!("test_data_set_1/input_{at}.pb")));
        let proto = TensorProto::decode(&*bytes.map_err(|e| e.to_string())?);
        tensor_of(&proto.map_err(|e| e.to_string())?).map_err(|e| e.0)
    });
    let inputs: Vec<Tensor> = inputs.collect::<Result<_, String>>()?;

    let mut best = Duration::MAX;
    let mut runs = 0;
    let begun = Instant::now();
    while runs < 3 || begun.elapsed() < LONG {
        let given = inputs.clone();
        let begun = Instant::now();
        model.run(given).map_err(|e| e.0)?;
        best = best.min(begun.elapsed());
        runs += 1;
    }

    // For each node the shortest time of several runs.
    let shortest: Rc<RefCell<Vec<(String, Duration)>>> = Rc::default();
    for run in 0..runs.min(20) {
        let (mut at, mut last) = (0, Instant::now());
        let of = shortest.clone();
        let observer = move |label: &str, results: &[smallfirst_onnx::Value]| {
            let took = last.elapsed();
            let mut all = of.borrow_mut();
            if run == 0 {
                let shape = results.first().map(|result| result.shape.clone());
                all.push((format!("{label} {:?}", shape.unwrap_or_default()), took));
            } else if let Some((_, shortest)) = all.get_mut(at) {
                *shortest = (*shortest).min(took);
            }
            at += 1;
            last = Instant::now();
        };
        let ran = model.observed(inputs.clone(), Box::new(observer));
        ran.map_err(|e| e.0)?;
    }
    let mut groups: HashMap<&str, (usize, Duration)> = HashMap::new();
    let shortest = shortest.borrow();
    for (label, took) in shortest.iter() {
        let operator = label.split(' ').next().unwrap_or_default();
        let group = groups
            .entry(if by_node { label } else { operator })
            .or_default();
        *group = (group.0 + 1, group.1 + *took);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (_, took))| std::cmp::Reverse(*took));
    let lines = groups.into_iter().take(if by_node { 30 } else { 10 });
    let lines =
        lines.map(|(of, (count, took))| format!("\n{:9.1} us  {count:4} {of}", micros(took)));
    let begin = format!(
        "{:.3} ms, {} nodes, read in {:.1} ms",
        micros(best) / 1e3,
        shortest.len(),
        micros(read) / 1e3
    );
    Ok(begin + &lines.collect::<String>())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
