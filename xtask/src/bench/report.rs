//! The tables of a run, as Markdown: on the terminal and in docs/performance.md.

mod figures;

use std::fmt::Write;

use super::results::{PEER, Results};
use super::stats::{digits, megabytes, ratio};
use super::targets::targets;

const NONE: &str = "–";

/// docs/performance.md.
pub fn page(results: &Results) -> String {
    format!(
        "# Performance\n\n\
         Written by `cargo xtask bench --write`; run it to get the figures of your machine.\n\n\
         ![Warm latency of MiniLM](performance.svg)\n\n\
         ![The first answer of a cold page](performance-cold.svg)\n\n{}",
        tables(results)
    )
}

pub fn tables(results: &Results) -> String {
    let parts = [
        about(results),
        reached(results),
        figures::cold(results),
        figures::warm(results),
        figures::memory(results),
        figures::api(results),
        figures::batches(results),
        figures::speed(results),
        agreement(results),
        soak(results),
        models(results),
        missing(results),
    ];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A table whose columns line up, or nothing without rows.
fn table(title: &str, explanation: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([head[column].chars().count(), 3])
            .max()
            .unwrap_or(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let mut out = format!("## {title}\n\n");
    if !explanation.is_empty() {
        let _ = write!(out, "{explanation}\n\n");
    }
    out += &line(&head.iter().map(ToString::to_string).collect::<Vec<_>>());
    out += &line(
        &widths
            .iter()
            .map(|width| "-".repeat(*width))
            .collect::<Vec<_>>(),
    );
    for row in rows {
        out += &line(row);
    }
    out
}

fn or_none(value: Option<String>) -> String {
    value.unwrap_or_else(|| NONE.into())
}

fn about(results: &Results) -> String {
    let (machine, options) = (&results.machine, &results.options);
    let versions: Vec<_> = results
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let partial = if results.is_whole() {
        ""
    } else {
        "\n\n**A partial run: not for quoting.**"
    };
    format!(
        "{}, {} cores, {} GB of memory, {}; {}.\n{}.\n\n\
         Every contender uses one thread, and WebAssembly runs without cross-origin isolation. In each of {} rounds the contenders \
         take turns of about {} ms in random order; each of {} cold runs starts with an empty profile. Figures are medians, with \
         the 10th and 90th percentiles in parentheses; several very short runs in a row count as one measurement. Ratios compare \
         with {PEER} in the same run: below 1 is faster or smaller.{partial}\n",
        machine.cpu,
        machine.cores,
        digits(machine.memory / 1e9),
        machine.system,
        results.date,
        versions.join(", "),
        options.rounds,
        options.turn_ms,
        options.cold_runs,
    )
}

fn reached(results: &Results) -> String {
    let all = targets(results);
    let met = all
        .iter()
        .filter(|target| target.met() == Some(true))
        .count();
    let rows: Vec<_> = all
        .iter()
        .filter_map(|target| {
            let verdict = if target.met()? { "met" } else { "**not met**" };
            let limit = format!("≤ {}", ratio(target.limit));
            Some(vec![
                target.title.clone(),
                ratio(target.ratio?),
                limit,
                verdict.into(),
            ])
        })
        .collect();
    let explanation = format!(
        "Each target is a ratio to {PEER} with the same model, unless the row names something else. Met: {met} of {} measured; \
         not measured: {}.",
        rows.len(),
        all.len() - rows.len()
    );
    table(
        "Targets",
        &explanation,
        &["what", "measured", "target", ""],
        &rows,
    )
}

fn title(results: &Results, model: &str) -> String {
    let found = results.models.iter().find(|m| m.id == model);
    found.map_or_else(|| model.to_owned(), |m| m.title.clone())
}

fn agreement(results: &Results) -> String {
    let mut rows = Vec::new();
    for model in &results.models {
        let of_model = |case: &str| {
            results
                .cases
                .iter()
                .any(|c| c.id == case && c.model == model.id)
                || case == model.id
        };
        let checks: Vec<_> = results
            .checks
            .iter()
            .filter(|check| of_model(&check.case))
            .collect();
        for name in Results::order(checks.iter().map(|check| check.contender.as_str())) {
            let own: Vec<_> = checks
                .iter()
                .filter(|check| check.contender == name)
                .collect();
            let cosine = own.iter().filter_map(|check| check.cosine).reduce(f64::min);
            let largest = own
                .iter()
                .filter_map(|check| check.largest)
                .reduce(f64::max);
            let failed: Vec<_> = own.iter().filter(|check| !check.ok).collect();
            let verdict = match failed.first() {
                None => "agrees".to_owned(),
                Some(first) => {
                    let why = first.error.as_deref().map_or("differs too much", |error| {
                        error.lines().next().unwrap_or(error)
                    });
                    format!("**not timed** on {} of {}: {why}", failed.len(), own.len())
                }
            };
            rows.push(vec![
                model.title.clone(),
                name.to_owned(),
                or_none(cosine.map(|cosine| format!("{cosine:.6}"))),
                or_none(largest.map(|largest| format!("{largest:.1e}"))),
                verdict.replace('|', "/"),
            ]);
        }
    }
    let explanation = "Outputs are checked before anything is timed. For fp32, each output is compared with native onnxruntime's: \
         the cosine must be at least 0.9999 and no difference above 1e-3. For int8, the mean over the tokens is \
         compared with that of the fp32 model: the cosine must be at least 0.98. The table shows the worst input of \
         each model.";
    let head = ["model", "contender", "cosine", "largest difference", ""];
    table("Agreement", explanation, &head, &rows)
}

fn soak(results: &Results) -> String {
    let row = |soak: &super::results::Soak| {
        let growth = megabytes(soak.after - soak.before);
        vec![
            soak.what.clone(),
            soak.contender.clone(),
            megabytes(soak.before),
            megabytes(soak.after),
            growth,
        ]
    };
    let rows: Vec<_> = results.soak.iter().map(row).collect();
    table(
        "Long runs",
        "",
        &["what", "contender", "memory before", "after", "growth"],
        &rows,
    )
}

fn models(results: &Results) -> String {
    let row = |model: &super::results::Model| {
        let from = or_none(model.prepared_from.clone());
        vec![
            model.title.clone(),
            megabytes(model.bytes),
            model.about.clone(),
            from,
        ]
    };
    let rows: Vec<_> = results.models.iter().map(row).collect();
    table(
        "The models",
        "",
        &[
            "model",
            "ONNX file",
            "what it is",
            "smallfirst's file is made of",
        ],
        &rows,
    )
}

fn missing(results: &Results) -> String {
    let mut out = String::new();
    if !results.missing.is_empty() {
        out += "## Not measured\n\n";
    }
    for line in &results.missing {
        let _ = writeln!(out, "- {}", line.lines().next().unwrap_or(line));
    }
    out
}
