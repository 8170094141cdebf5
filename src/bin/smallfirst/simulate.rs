//! `learn`: what learning from the remote's answers would bring on a stream of inputs. The labels of the data stand for the
//! remote; everything else is the path of a call as in the browser.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::json;
use smallfirst::bundle::Bundle;
use smallfirst::data::Row;
use smallfirst::evaluate::{Growth, growth};
use smallfirst::host::{Clock, Storage};
use smallfirst::neighbours::LearnOptions;
use smallfirst::remote::{
    FullBody, Head, HttpRequest, Network, Page, RemoteOptions, TransportError,
};
use smallfirst::route::Mode;
use smallfirst::runtime::{Call, Runtime};
use smallfirst::task::{Input, InputKind, Label, RanOn, Reason};

use crate::folder::Folder;
use crate::rows::{ColumnArgs, bar};

#[derive(Args)]
pub struct SimulateArgs {
    /// The folder that holds manifest.json
    bundle: PathBuf,
    /// The task; of the bundle, or a name of your own, whose labels are those of the data
    #[arg(long)]
    task: String,
    /// What a task of your own is to decide, in one sentence
    #[arg(long, default_value = "")]
    instruction: String,
    /// The labelled inputs, as they come
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    /// The risk; the task's own when absent
    #[arg(long)]
    risk: Option<f64>,
    /// The most examples that are kept
    #[arg(long, default_value_t = LearnOptions::default().examples)]
    examples: u32,
    /// The share of answers by example that is checked with the remote
    #[arg(long, default_value_t = LearnOptions::default().audit)]
    audit: f64,
    /// In how many random orders the inputs come
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Let them come as they stand in the file, once
    #[arg(long, conflicts_with = "rounds")]
    in_order: bool,
    /// Where the random orders begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// In how many parts the stream is reported
    #[arg(long, default_value_t = 10)]
    parts: usize,
    /// Where the figures go, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where a plot of the first round goes, as SVG
    #[arg(long)]
    plot: Option<PathBuf>,
}

/// A remote that knows the right label.
struct Oracle {
    label: RefCell<String>,
    asked: Cell<u64>,
    stored: RefCell<BTreeMap<String, String>>,
    start: Instant,
    random: RefCell<Pcg32>,
}

impl Network for Oracle {
    type Body = FullBody;

    fn online(&self) -> bool {
        true
    }

    async fn open(&self, _: &HttpRequest) -> Result<(Head, FullBody), TransportError> {
        self.asked.set(self.asked.get() + 1);
        let head = Head {
            status: 200,
            headers: Vec::new(),
        };
        let reply = json!({"reply": {"label": *self.label.borrow()}});
        Ok((head, FullBody(Some(format!("{reply}\n").into_bytes()))))
    }

    async fn sleep(&self, _: f64) {
        // It answers at once, so no time passes that could be up.
        std::future::pending().await
    }
}

impl Page for Oracle {}

impl Storage for Oracle {
    async fn update(&self, key: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        let mut stored = self.stored.borrow_mut();
        let before = stored.remove(key);
        if let Some(after) = change(before) {
            stored.insert(key.to_owned(), after);
        }
    }
}

/// Real time, and chance from a seed.
impl Clock for Oracle {
    fn now_ms(&self) -> f64 {
        self.start.elapsed().as_secs_f64() * 1000.0
    }

    fn wall_ms(&self) -> f64 {
        self.now_ms()
    }

    fn uniform(&self) -> f64 {
        f64::from(self.random.borrow_mut().next_u32()) / 2f64.powi(32)
    }
}

/// What became of some inputs.
#[derive(Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tally {
    inputs: u64,
    /// Answered by the bundle's own model, and how many of them wrongly.
    model: u64,
    model_wrong: u64,
    /// Answered by example, and how many of them otherwise than by the label.
    learned: u64,
    learned_wrong: u64,
    /// Answered by the remote; kept answers and failures are the rest.
    remote: u64,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.inputs += other.inputs;
        self.model += other.model;
        self.model_wrong += other.model_wrong;
        self.learned += other.learned;
        self.learned_wrong += other.learned_wrong;
        self.remote += other.remote;
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Round {
    parts: Vec<Tally>,
    total: Tally,
    /// Whether the checks took the trust away.
    distrusted: bool,
    /// How many requests the remote got.
    asked: u64,
}

/// Lets the stream through, and prints how much stays on the device.
pub fn simulate(args: &SimulateArgs) -> Result<()> {
    let rows = args.columns.read_labelled(&args.data)?;
    if rows.len() < args.parts.max(1) {
        bail!("{} has {} rows, too few", args.data.display(), rows.len());
    }
    let mut rounds = Vec::new();
    for round in 0..args.rounds.max(1) {
        let seed = args.seed + u64::from(round);
        let mut order: Vec<&Row> = rows.iter().collect();
        if !args.in_order {
            let mut random = Pcg32::seed_from_u64(seed);
            order.sort_by_cached_key(|_| random.next_u64());
        }
        let result = stream(args, &order, seed)?;
        if round == 0 {
            print(&result);
        } else {
            let t = result.total;
            println!(
                "round {}: {} by example, {} wrong ({}){}",
                round + 1,
                t.learned,
                t.learned_wrong,
                percent(t.learned_wrong, t.learned),
                trust(&result)
            );
        }
        rounds.push(result);
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&rounds)?;
        fs::write(path, text + "\n").with_context(|| path.display().to_string())?;
    }
    if let (Some(path), Some(first)) = (&args.plot, rounds.first()) {
        let points: Vec<Growth> = first.parts.iter().map(point).collect();
        let svg = growth(&points).context("there is too little to draw")?;
        fs::write(path, svg).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn stream(args: &SimulateArgs, rows: &[&Row], seed: u64) -> Result<Round> {
    let path = args.bundle.join("manifest.json");
    let json = fs::read(&path).with_context(|| path.display().to_string())?;
    let bundle = Bundle::parse(&json)?;
    let known = bundle.task(&args.task).ok();
    if known.is_some_and(|task| task.input != InputKind::Text) {
        bail!("the task \"{}\" does not read text", args.task);
    }
    let names: BTreeSet<&str> = rows.iter().filter_map(|r| r.label.as_deref()).collect();
    let labels = match known {
        Some(_) => None,
        None => Some(names.into_iter().map(label).collect::<Vec<_>>()),
    };
    let remote: RemoteOptions = serde_json::from_value(json!({
        "endpoints": [{"provider": "custom"}],
    }))?;
    let source = Folder::new(&args.bundle);
    let runtime = Runtime::new(bundle, source, Mode::PreferLocal, remote)?
        .with_risk(args.risk, None)?
        .with_learning(Some(LearnOptions {
            examples: args.examples,
            audit: args.audit,
            ..LearnOptions::default()
        }))?;
    let oracle = Oracle {
        label: RefCell::default(),
        asked: Cell::new(0),
        stored: RefCell::default(),
        start: Instant::now(),
        random: RefCell::new(Pcg32::seed_from_u64(seed)),
    };
    let size = rows.len().div_ceil(args.parts.max(1));
    let mut parts = vec![Tally::default(); rows.len().div_ceil(size)];
    let bar = bar(rows.len(), "streaming");
    for (row, part) in rows.iter().zip((0..).map(|at| at / size)) {
        bar.inc(1);
        let (Some(truth), Some(tally)) = (&row.label, parts.get_mut(part)) else {
            continue;
        };
        oracle.label.replace(truth.clone());
        tally.inputs += 1;
        let call = Call {
            labels: labels.clone(),
            instruction: Some(args.instruction.clone()).filter(|words| !words.is_empty()),
            ..Call::new(&args.task, Input::Text(&row.text))
        };
        let Ok(answer) = pollster::block_on(runtime.run(&call, &oracle)) else {
            continue;
        };
        let wrong = u64::from(answer.output.label != *truth);
        match (answer.reason, answer.ran_on) {
            (Reason::Learned, _) => {
                tally.learned += 1;
                tally.learned_wrong += wrong;
            }
            (_, RanOn::Local) => {
                tally.model += 1;
                tally.model_wrong += wrong;
            }
            _ if !answer.cached => tally.remote += 1,
            _ => {}
        }
    }
    bar.finish_and_clear();
    let mut total = Tally::default();
    parts.iter().for_each(|part| total.add(part));
    let learned = pollster::block_on(runtime.learned(&oracle));
    Ok(Round {
        parts,
        total,
        distrusted: learned.iter().any(|task| task.distrusted),
        asked: oracle.asked.get(),
    })
}

fn label(id: &str) -> Label {
    Label {
        id: id.to_owned(),
        title: None,
    }
}

fn print(round: &Round) {
    println!("inputs    model  (wrong)  examples (otherwise)   remote");
    let mut seen = 0;
    let line = |upto: String, t: &Tally| {
        println!(
            "{upto:>6}  {:>7} {:>8}   {:>7} {:>11}   {:>6}",
            percent(t.model, t.inputs),
            percent(t.model_wrong, t.model),
            percent(t.learned, t.inputs),
            percent(t.learned_wrong, t.learned),
            percent(t.remote, t.inputs),
        );
    };
    for part in &round.parts {
        seen += part.inputs;
        line(seen.to_string(), part);
    }
    line("all".to_owned(), &round.total);
    println!(
        "{} requests; {} by example, {} of them otherwise than by the label{}",
        round.asked,
        round.total.learned,
        round.total.learned_wrong,
        trust(round)
    );
}

fn trust(round: &Round) -> &'static str {
    if round.distrusted {
        "; the checks took the trust away"
    } else {
        ""
    }
}

fn point(part: &Tally) -> Growth {
    let share = |k: u64, n: u64| k as f64 / n.max(1) as f64;
    Growth {
        inputs: part.inputs,
        model: share(part.model, part.inputs),
        local: share(part.model + part.learned, part.inputs),
        error: share(
            part.model_wrong + part.learned_wrong,
            part.model + part.learned,
        ),
    }
}

fn percent(k: u64, n: u64) -> String {
    if n == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", 100.0 * k as f64 / n as f64)
}
