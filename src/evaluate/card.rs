//! The model card: Hugging Face's metadata (`model-index`) in front, then what the author says of the
//! task, then the measured figures.

use serde_json::{Value, json};

use super::beyond::EXPLAINED;
use super::delivered::PolicySlice;
use super::exceeded::exceeded;
use super::figures::{ORACLE, interval, oracle_coverage, percent, ratio};
use super::markdown::{code, is_shown, name};
use super::report::Report;

/// What only the author knows.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The licence, as an SPDX expression.
    pub license: String,
    /// The languages of the texts, as BCP 47 tags.
    pub languages: Vec<String>,
    /// Markdown: what the task is for, where its data came from, its limits.
    pub text: String,
}

/// The card as Markdown.
pub fn render(r: &Report, about: &About) -> String {
    let body = if about.text.trim_start().starts_with("# ") {
        about.text.trim().to_owned()
    } else {
        format!("# {}\n\n{}", name(&r.title), about.text.trim())
    };
    let mut out = format!("---\n{}---\n\n{body}\n\n", front_matter(r, about));
    out += &format!(
        "## Measured\n\n`smallfirst evaluate` on {}: {} labelled rows",
        code(&r.dataset),
        r.n
    );
    if r.refused > 0 {
        out += &format!(", {} of them outside the limits", r.refused);
    }
    if r.out_of_scope > 0 {
        out += &format!(", and {} out of scope", r.out_of_scope);
    }
    out += &format!(
        ". Intervals are at 95 %.\n\n| figure | value |\n| --- | --- |\n| accuracy | {} |\n| macro-F1 | {} |\n| expected calibration error | {} |\n| Brier score | {:.4} |\n| AURC, E-AURC | {:.4}, {:.4} |\n",
        interval(&r.accuracy),
        percent(r.macro_f1),
        percent(r.ece),
        r.brier,
        r.aurc,
        r.eaurc
    );
    for o in &r.ood {
        out += &format!(
            "| out-of-scope AUROC, {} | {:.3}; the cut stops {} of them and {} of the rest |\n",
            name(&o.tier),
            o.auroc,
            percent(o.stopped.value),
            percent(o.stopped_in_scope.value)
        );
    }
    if !r.policies.is_empty() {
        out += "\n## What each risk delivers\n\nThe risk is the error rate promised among locally given answers, with the confidence that the bundle's manifest states, for inputs like the calibration data. ";
        out += ORACLE;
        out += "\n\n| risk | answered locally | wrong among these | oracle's coverage | ratio |\n| --- | --- | --- | --- | --- |\n";
    }
    for p in &r.policies {
        out += &match &p.thresholds {
            Some(_) => format!(
                "| {} | {} | {} | {} | {} |\n",
                percent(p.risk),
                interval(&p.coverage),
                interval(&p.error),
                oracle_coverage(p.oracle),
                ratio(p.of_oracle)
            ),
            None => format!(
                "| {} | not certified: every input escalates | | {} | {} |\n",
                percent(p.risk),
                oracle_coverage(p.oracle),
                ratio(p.of_oracle)
            ),
        };
    }
    for sentence in exceeded(r) {
        out += &format!("\n{sentence}\n");
    }
    if let Some(rows) = &r.calibration {
        out += &format!("\n{}\n", rows.sentences().join(" "));
    }
    if r.tiers.len() > 1 {
        out += "\n## Tiers\n\n| tier | accuracy | bytes | median ms |\n| --- | --- | --- | --- |\n";
        for t in &r.tiers {
            out += &format!(
                "| {} | {} | {} | {:.2} |\n",
                name(&t.name),
                interval(&t.accuracy),
                t.bytes,
                t.median_ms
            );
        }
    }
    out += &behaviour(r);
    out += &beyond(r);
    out += &slices(r);
    out += &mistakes(r);
    out
}

fn behaviour(r: &Report) -> String {
    if r.behaviour.is_empty() {
        return String::new();
    }
    let mut out = "\n## Behaviour\n\nSmall cases whose answers are known, as in CheckList (Ribeiro et al. 2020). *Minimum functionality*: a simple input has the right label. *Invariance*: a change without meaning leaves the label as it is. *Direction*: a change does not move a label's probability the wrong way by more than 0.1. The last columns are at the default risk.\n\n| what | kind | cases | passed | answered locally | wrong among these |\n| --- | --- | --- | --- | --- | --- |\n".to_owned();
    for b in &r.behaviour {
        out += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            name(&b.capability),
            b.kind.name(),
            b.passed.n,
            percent(b.passed.value),
            percent(b.answered.value),
            b.failed_though_answered
        );
    }
    let failed: Vec<String> = r
        .behaviour
        .iter()
        .flat_map(|b| b.failed.first())
        .map(|input| code(input))
        .collect();
    if !failed.is_empty() {
        out += &format!("\nFailed, for example: {}.\n", failed.join(", "));
    }
    out
}

fn beyond(r: &Report) -> String {
    if r.beyond.is_empty() {
        return String::new();
    }
    let rows = r.beyond.iter().map(|kind| {
        let accuracy = kind
            .accuracy
            .map_or("no label".to_owned(), |a| interval(&a));
        (kind.slice.as_str(), kind.n, accuracy, &kind.policies)
    });
    format!("\n## Other kinds of input\n\n{EXPLAINED}\n") + &by_slice(r, rows)
}

fn slices(r: &Report) -> String {
    if r.slices.is_empty() {
        return String::new();
    }
    let rows = r.slices.iter().map(|s| {
        let accuracy = interval(&s.accuracy);
        (s.slice.as_str(), s.n, accuracy, &s.policies)
    });
    "\n## Slices\n".to_owned() + &by_slice(r, rows)
}

/// A table of what each certified risk delivers for some groups of rows.
fn by_slice<'a>(
    r: &Report,
    rows: impl Iterator<Item = (&'a str, u64, String, &'a Vec<PolicySlice>)>,
) -> String {
    let mut out = "\n| slice | n | accuracy |".to_owned();
    let certified: Vec<f64> = r
        .policies
        .iter()
        .filter(|p| p.thresholds.is_some())
        .map(|p| p.risk)
        .collect();
    for risk in &certified {
        out += &format!(" at {}: answered, wrong |", percent(*risk));
    }
    out += &format!(
        "\n| --- | --- | --- |{}\n",
        " --- |".repeat(certified.len())
    );
    for (slice, n, accuracy, policies) in rows {
        out += &format!("| {} | {n} | {accuracy} |", name(slice));
        for p in policies.iter().filter(|p| certified.contains(&p.risk)) {
            out += &format!(
                " {}, {} |",
                percent(p.coverage.value),
                percent(p.error.value)
            );
        }
        out += "\n";
    }
    out
}

fn mistakes(r: &Report) -> String {
    let mut wrong: Vec<_> = r
        .confusion
        .iter()
        .filter(|c| c.truth != c.predicted)
        .collect();
    wrong.sort_by_key(|c| std::cmp::Reverse(c.n));
    let listed: Vec<String> = wrong
        .iter()
        .take(8)
        .map(|c| {
            format!(
                "{} taken for {} ({})",
                name(&c.truth),
                name(&c.predicted),
                c.n
            )
        })
        .collect();
    if listed.is_empty() {
        return String::new();
    }
    format!("\nMost frequent mistakes: {}.\n", listed.join(", "))
}

/// The metadata as YAML. JSON is YAML, so every value is written as JSON, which needs no quoting
/// rules.
fn front_matter(r: &Report, about: &About) -> String {
    let metric = |kind: &str, of: &str, value: f64| json!({"type": kind, "name": of, "value": (value * 1e4).round() / 1e4});
    let mut metrics = vec![
        metric("accuracy", "accuracy", r.accuracy.value),
        metric("f1", "macro-F1", r.macro_f1),
    ];
    metrics.extend(r.slices.iter().map(|s| {
        metric(
            "accuracy",
            &format!("accuracy, {}", s.slice),
            s.accuracy.value,
        )
    }));
    let index = json!([{
        "name": r.title,
        "results": [{
            "task": {"type": "text-classification", "name": r.title},
            "dataset": {"name": r.dataset, "type": r.task, "split": "test"},
            "metrics": metrics,
        }],
    }]);
    let mut fields: Vec<(&str, Value)> = vec![
        ("license", json!(about.license.to_lowercase())),
        ("library_name", json!("smallfirst")),
        ("pipeline_tag", json!("text-classification")),
        ("tags", json!([r.task])),
        ("metrics", json!(["accuracy", "f1"])),
        ("model-index", index),
    ];
    if !about.languages.is_empty() {
        fields.insert(1, ("language", json!(about.languages)));
    }
    fields
        .iter()
        .map(|(key, value)| format!("{key}: {}\n", visible(&value.to_string())))
        .collect()
}

/// JSON whose characters are all seen: YAML refuses some of the others, or ends a line at them.
fn visible(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if is_shown(c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out += &format!("\\u{unit:04x}");
            }
        }
    }
    out
}
