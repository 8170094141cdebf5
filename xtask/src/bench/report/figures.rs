//! The tables of what was timed and weighed.

use std::fmt::Write;

use super::super::results::{Api, Batch, Kind, OURS, PEER, Results, Speed};
use super::super::stats::{digits, megabytes, ratio, spread, summary};
use super::{or_none, table, title};

pub(super) fn cold(results: &Results) -> String {
    let mut rows = Vec::new();
    for entry in &results.cold {
        let Some(time) = summary(&entry.ms) else {
            continue;
        };
        let peer = results
            .cold(&entry.row, PEER)
            .filter(|_| entry.contender != PEER);
        let against =
            |value: f64, theirs: Option<f64>| or_none(theirs.map(|theirs| ratio(value / theirs)));
        let longest = summary(&entry.longest).map(|of| {
            if of.median == 0.0 {
                "< 15".into()
            } else {
                digits(of.median)
            }
        });
        rows.push(vec![
            entry.row.clone(),
            entry.contender.clone(),
            megabytes(entry.bytes),
            against(entry.bytes, peer.map(|p| p.bytes)),
            spread(time),
            against(time.median, peer.and_then(|p| Some(summary(&p.ms)?.median))),
            or_none(longest),
        ]);
    }
    let explanation = "Each run starts with an empty browser profile. The page loads one bundled script, and loopback serves the \
         files with brotli at its best quality. The time therefore covers compiling, loading and running; the bytes \
         are what a network would transfer. smallfirst gets the text or file through its public API. onnxruntime-web \
         runs the same models (for `sentiment` all three) on the page, on precomputed features, as its examples do. \
         transformers.js computes only the embedding of the text; a classifier on top of it would cost more. In \
         `MiniLM int8`, smallfirst runs the bare model on token ids in a worker. A stall is the longest time for \
         which the main thread was blocked.";
    let head = [
        "first answer",
        "contender",
        "sent",
        "ratio",
        "ms",
        "ratio",
        "longest stall, ms",
    ];
    let mut out = table("The first answer of a cold page", explanation, &head, &rows);
    for entry in results.cold.iter().filter(|entry| entry.contender == OURS) {
        let mut files: Vec<_> = entry
            .files
            .iter()
            .filter(|file| file.bytes >= 1000.0)
            .collect();
        files.sort_by(|a, b| b.bytes.total_cmp(&a.bytes));
        let listed = files.iter().map(|file| {
            format!(
                "`{}` {}",
                file.path.trim_start_matches('/'),
                digits(file.bytes / 1e3)
            )
        });
        let _ = write!(
            out,
            "\n{}, {OURS}, in kB: {}.\n",
            entry.row,
            listed.collect::<Vec<_>>().join(", ")
        );
    }
    out
}

pub(super) fn warm(results: &Results) -> String {
    let names = Results::order(results.warm.iter().map(|warm| warm.contender.as_str()));
    let mut head = vec!["model", "input"];
    for name in &names {
        head.push(name);
        if *name != PEER {
            head.push("ratio");
        }
    }
    let mut rows = Vec::new();
    for case in results.cases.iter().filter(|case| case.timed) {
        if !results.warm.iter().any(|warm| warm.case == case.id) {
            continue;
        }
        let peer = results.warm(&case.id, PEER);
        let mut row = vec![title(results, &case.model), case.title.clone()];
        for name in &names {
            let ours = results.warm(&case.id, name);
            row.push(or_none(ours.map(spread)));
            if *name != PEER {
                row.push(or_none(
                    ours.zip(peer).map(|(a, b)| ratio(a.median / b.median)),
                ));
            }
        }
        rows.push(row);
    }
    let explanation = "Milliseconds of one run in a worker, including the creation of the input tensors and the reading of the \
         output.";
    table("Warm latency", explanation, &head, &rows)
}

pub(super) fn memory(results: &Results) -> String {
    let names = Results::order(
        results
            .memory
            .iter()
            .map(|memory| memory.contender.as_str()),
    );
    let mut head = vec!["model", "after"];
    head.extend(&names);
    head.push("ratio");
    let mut rows = Vec::new();
    for model in &results.models {
        let timed: Vec<_> = results
            .cases
            .iter()
            .filter(|case| case.model == model.id && case.timed)
            .collect();
        // After the last of the single inputs, and after all.
        let single = timed.iter().rfind(|case| case.title.starts_with("1 "));
        let mut shown: Vec<_> = single.into_iter().chain(timed.last()).collect();
        shown.dedup_by_key(|case| &case.id);
        for case in shown {
            let all: Vec<_> = names
                .iter()
                .map(|name| results.memory(&case.id, name))
                .collect();
            if all.iter().all(Option::is_none) {
                continue;
            }
            let mut row = vec![model.title.clone(), case.title.clone()];
            row.extend(all.iter().map(|bytes| or_none(bytes.map(megabytes))));
            let pair = results
                .memory(&case.id, OURS)
                .zip(results.memory(&case.id, PEER));
            row.push(or_none(pair.map(|(a, b)| ratio(a / b))));
            rows.push(row);
        }
    }
    let explanation = "Size of the WebAssembly memory after this input and all smaller ones. It never shrinks. Each model runs in a \
         fresh worker.";
    table("Peak memory", explanation, &head, &rows)
}

pub(super) fn api(results: &Results) -> String {
    let row = |entry: &Api| {
        let longest = if entry.longest == 0.0 {
            "< 15".into()
        } else {
            digits(entry.longest)
        };
        Some(vec![
            format!("`run(\"{}\", …)`", entry.task),
            spread(summary(&entry.ms)?),
            longest,
        ])
    };
    let rows: Vec<_> = results.api.iter().filter_map(row).collect();
    let explanation = "Calls of the public API on a loaded page with the default bundle. The time includes the messages to the \
         worker and back, tokenization and calibration.";
    table(
        "Calls",
        explanation,
        &["call", "ms", "longest stall of the page, ms"],
        &rows,
    )
}

pub(super) fn batches(results: &Results) -> String {
    let row = |batch: &Batch| {
        let time = summary(&batch.ms)?;
        let ratio = results
            .sharing(&batch.task, batch.workers)
            .filter(|_| batch.workers > 1)
            .map(ratio);
        Some(vec![
            format!(
                "`runBatch(\"{}\", …)` of {} inputs",
                batch.task, batch.inputs
            ),
            batch.workers.to_string(),
            spread(time),
            digits(batch.inputs as f64 / time.median * 1000.0),
            or_none(ratio),
        ])
    };
    let rows: Vec<_> = results.batches.iter().filter_map(row).collect();
    let explanation = "Batches on a loaded page with the default bundle. The instance has the given number of `workers`, each with \
         one thread; all are started and have loaded their models. The ratio compares the time with that of one \
         worker.";
    let head = ["call", "workers", "ms", "inputs a second", "ratio"];
    table("Batches in several workers", explanation, &head, &rows)
}

pub(super) fn speed(results: &Results) -> String {
    let best = |speed: &Speed| Some(digits(summary(&speed.gflops)?.best));
    let row = |speed: &Speed| Some(vec![speed.name.clone(), best(speed)?]);
    let loops: Vec<_> = results.peak.iter().filter_map(row).collect();
    let explanation = "Throughput of arithmetic-only loops in WebAssembly, in 10⁹ multiplications and additions a second, best \
         round. No kernel can exceed it.";
    let mut out = table("The machine's limit", explanation, &["loop", "G/s"], &loops);

    let names = Results::order(results.warm.iter().map(|warm| warm.contender.as_str()));
    let mut head = vec!["model", "input"];
    head.extend(&names);
    let mut rows = Vec::new();
    for case in results
        .cases
        .iter()
        .filter(|case| case.timed && case.flops >= 1e6)
    {
        let limit = results.limit(Kind::of(&case.model));
        let cell = |name: &&str| {
            let rate = case.flops / results.warm(&case.id, name)?.median / 1e6;
            // The limit is WebAssembly's; the bare machine has wider registers.
            let share = limit
                .filter(|_| !name.ends_with("native"))
                .map(|limit| format!(" ({:.0} %)", 100.0 * rate / limit));
            Some(format!("{}{}", digits(rate), share.unwrap_or_default()))
        };
        let cells: Vec<_> = names.iter().map(cell).collect();
        if cells.iter().any(Option::is_some) {
            let mut row = vec![title(results, &case.model), case.title.clone()];
            row.extend(cells.into_iter().map(or_none));
            rows.push(row);
        }
    }
    let explanation = "Operations of a model's matrix products and convolutions, divided by the median time of the whole model, in \
         10⁹ a second. The parentheses give the share of the WebAssembly limit (for int8, of the limit of 8-bit \
         arithmetic).";
    for part in [
        table("How near the models come", explanation, &head, &rows),
        kernels(results),
    ] {
        if !part.is_empty() {
            out = if out.is_empty() {
                part
            } else {
                out + "\n" + &part
            };
        }
    }
    out
}

fn kernels(results: &Results) -> String {
    let mut rows = Vec::new();
    for kernel in results
        .kernels
        .iter()
        .filter(|kernel| kernel.contender == "wasm")
    {
        let Some(of) = summary(&kernel.gflops) else {
            continue;
        };
        // Others are bound by memory or by a function, not by multiplications.
        let product = ["peak", "f32", "i8", "attention", "depthwise"];
        let kind = match kernel.name.split(' ').any(|word| word == "i8") {
            true => Kind::Int8,
            false => Kind::Float,
        };
        let limit = results.limit(kind);
        let limit = limit.filter(|_| product.iter().any(|start| kernel.name.starts_with(start)));
        let share = limit.map(|limit| format!("{:.0} %", 100.0 * of.median / limit));
        let native = results
            .kernels
            .iter()
            .find(|other| other.name == kernel.name && other.contender == "native");
        let native = native.and_then(|native| summary(&native.gflops));
        rows.push(vec![
            kernel.name.clone(),
            spread(of),
            or_none(share),
            or_none(native.map(spread)),
            or_none(native.map(|native| ratio(of.median / native.median))),
        ]);
    }
    let head = [
        "kernel",
        "G/s in WebAssembly",
        "of the limit",
        "G/s native",
        "ratio",
    ];
    let explanation = "One call of each kernel, on data that stays in the caches. `f32 m.k.n` and `i8 m.k.n` multiply an m × k by a \
         k × n matrix. The counts include roundings, exponentials and similar operations.";
    table(
        "smallfirst's kernels by themselves",
        explanation,
        &head,
        &rows,
    )
}
