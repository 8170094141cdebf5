//! `bench-model` and `bench-kernels`: what single models and kernels take on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use smallfirst::engine::onnx::Source;
use smallfirst::engine::{Array, Data, Element, MAGIC, Model};

use crate::folder::read_model;

#[derive(Args)]
pub struct BenchModelArgs {
    /// A prepared or an ONNX file
    model: PathBuf,
    /// The inputs' lengths, such as 1,128; all inputs get them
    #[arg(long, value_delimiter = ',')]
    dims: Vec<usize>,
    /// How many runs are timed
    #[arg(long, default_value_t = 30)]
    runs: usize,
    /// Leave an ONNX file to tract
    #[arg(long)]
    tract: bool,
    /// Also tell which kinds of steps the time goes to
    #[arg(long, conflicts_with_all = ["tract", "json"])]
    steps: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints what each kind of step takes of an inference: means over all runs.
fn print_steps(model: &Model, given: &[Array], runs: usize) -> Result<()> {
    if !model.is_prepared() {
        bail!("tract runs this model: it has no steps of ours");
    }
    let mut kinds: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    let mut whole = 0.0;
    for _ in 0..runs {
        let inputs = given.to_vec();
        let start = Instant::now();
        let mut last = start;
        model.infer_observed(inputs, &mut |kind| {
            let now = Instant::now();
            let (count, ms) = kinds.entry(kind.to_owned()).or_default();
            *count += 1;
            *ms += (now - last).as_secs_f64() * 1000.0;
            last = now;
        })?;
        whole += start.elapsed().as_secs_f64() * 1000.0;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    for (kind, (count, ms)) in kinds {
        println!(
            "{:8.3} ms {:5.1} %  {:>3} {kind}",
            ms / runs as f64,
            100.0 * ms / whole,
            count / runs
        );
    }
    Ok(())
}

/// Runs a model on its inputs.
type Infer = dyn Fn(Vec<Array>) -> Result<Array>;

/// Times one model on this machine.
pub fn bench_model(args: &BenchModelArgs) -> Result<()> {
    let name = args.model.display().to_string();
    let file = read_model(&args.model)?;
    let mut prepared = None;
    let (inputs, run): (_, Box<Infer>) = if args.tract {
        if file.starts_with(&MAGIC) {
            bail!("{name} is prepared; tract reads the ONNX file it was made of");
        }
        let model = Source::read(&name, &file, None)?.into_tract()?;
        let inputs = model.inputs().to_vec();
        (inputs, Box::new(move |given| model.run(given)))
    } else {
        let model = Rc::new(Model::open(&name, file)?);
        let inputs = model.inputs().to_vec();
        prepared = Some(Rc::clone(&model));
        (inputs, Box::new(move |given| Ok(model.infer(given)?)))
    };
    let count: usize = args.dims.iter().product();
    let given: Vec<Array> = inputs
        .iter()
        .map(|input| Array {
            shape: args.dims.clone(),
            data: match input.element {
                Element::F32 => Data::F32(
                    (0..count)
                        .map(|i| (i * 7919 % 255) as f32 / 127.5 - 1.0)
                        .collect(),
                ),
                _ if input.name.contains("mask") => Data::I64(vec![1; count]),
                _ if input.name.contains("type") => Data::I64(vec![0; count]),
                _ => Data::I64((0..count as i64).map(|i| i * 37 % 200).collect()),
            },
        })
        .collect();
    for _ in 0..3 {
        run(given.clone())?;
    }
    let mut ms = Vec::new();
    for _ in 0..args.runs {
        let inputs = given.clone();
        let start = Instant::now();
        run(inputs)?;
        ms.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    if args.json {
        println!("{}", json!({ "ms": ms }));
    } else {
        ms.sort_by(f64::total_cmp);
        println!(
            "{}: median {:.3} ms of {} runs",
            shown(&args.model),
            ms[ms.len() / 2],
            ms.len()
        );
    }
    match prepared.filter(|_| args.steps) {
        Some(model) => print_steps(&model, &given, args.runs),
        None => Ok(()),
    }
}

fn shown(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Times the kernels on this machine.
#[cfg(feature = "bench")]
pub fn bench_kernels(as_json: bool) -> Result<()> {
    use smallfirst::engine::kernels::bench::{Bench, cases};
    let mut found = Vec::new();
    for (at, case) in cases().iter().enumerate() {
        let mut bench = Bench::new(at);
        let mut times = 1;
        // Long enough for the clock, then the best of several, for other work only ever adds.
        loop {
            let start = Instant::now();
            std::hint::black_box(bench.run(times));
            if start.elapsed().as_millis() >= 20 {
                break;
            }
            times *= 2;
        }
        let best = (0..5)
            .map(|_| {
                let start = Instant::now();
                std::hint::black_box(bench.run(times));
                start.elapsed().as_secs_f64()
            })
            .fold(f64::INFINITY, f64::min);
        let gflops = case.flops * f64::from(times) / best / 1e9;
        if !as_json {
            println!("{gflops:8.1} GFLOP/s  {}", case.name);
        }
        found.push(json!({ "name": case.name, "gflops": gflops }));
    }
    if as_json {
        println!("{}", serde_json::Value::Array(found));
    }
    Ok(())
}
