//! A report as one HTML file that loads nothing.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::against::{AgainstFigures, points, points_interval};
use super::beyond::EXPLAINED;
use super::delivered::PolicySlice;
use super::exceeded::exceeded;
use super::figures::{ORACLE, interval, oracle_coverage, percent, ratio};
use super::plots;
use super::report::Report;

const STYLE: &str = "
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #8885; }
th:first-child, td:first-child { text-align: left; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; background: #fff; border: 1px solid #8885; border-radius: 6px; color: #222; }
figure svg { display: block; max-width: 100%; height: auto; }
figcaption { padding: 0.4rem 0.8rem; }
.warn { border-left: 4px solid #c85a14; padding-left: 0.8rem; }
.wide { overflow-x: auto; }
.wide td, .wide th { white-space: nowrap; }
";

const RISK_COVERAGE: &str = "Risk and coverage of all rows, those out of scope among them: blue, a threshold as it falls; grey, an ideal order of the rows, with all right answers first; dots, the certified risks; circles, the oracle at these risks";

/// The report as a document.
pub fn render(r: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (r.title) " - evaluation" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (r.title) }
                p {
                    "Task " code { (r.task) } " on " code { (r.dataset) } ": " (r.n) " labelled rows, "
                    (r.refused) " of them refused by the limits, and " (r.out_of_scope)
                    " out of scope. Intervals are at 95 %. Models and rules " code { (r.fingerprint) } "."
                }
                @if let Some((exact, near)) = r.duplicates.filter(|d| d.0 + d.1 > 0) {
                    p.warn {
                        (exact) " rows are in the training data and " (near)
                        " nearly so: these figures are too good."
                    }
                }
                (figures(r))
                h2 { "What each risk delivers" }
                (policies(r))
                p { (ORACLE) }
                @if let Some(figures) = &r.against_remote { (against(figures)) }
                @for sentence in exceeded(r) { p.warn { (sentence) } }
                @if let Some(rows) = &r.calibration {
                    @for sentence in rows.sentences() { p { (sentence) } }
                }
                div.plots {
                    (plot(plots::risk_coverage(r), RISK_COVERAGE))
                    (plot(plots::reliability(r), "Reliability: confidence against accuracy"))
                    (plot(plots::slices(r), "Slices, the worst first"))
                    (plot(plots::cost_quality(r), "Local against remote; the dots are the certified risks"))
                }
                h2 { "Tiers" }
                (tiers(r))
                @if !r.behaviour.is_empty() {
                    h2 { "Behaviour" }
                    (behaviour(r))
                }
                @if !r.beyond.is_empty() {
                    h2 { "Other kinds of input" }
                    (beyond(r))
                }
                @if !r.slices.is_empty() {
                    h2 { "Slices and bias" }
                    (slices(r))
                }
                h2 { "Labels" }
                (classes(r))
                h2 { "Confusion" }
                (confusion(r))
            }
        }
    };
    page.into_string()
}

fn plot(svg: Option<String>, caption: &str) -> Markup {
    html! {
        @if let Some(svg) = svg {
            // plotters escapes the text it draws.
            figure { (PreEscaped(svg)) figcaption { (caption) } }
        }
    }
}

fn figures(r: &Report) -> Markup {
    let (low, high) = r.macro_f1_interval;
    html! {
        table {
            tr { th { "Accuracy" } td { (interval(&r.accuracy)) } }
            tr { th { "Macro-F1" } td { (percent(r.macro_f1)) " (" (percent(low)) " to " (percent(high)) ")" } }
            tr { th { "Expected calibration error" } td { (percent(r.ece)) } }
            tr { th { "Brier score" } td { (format!("{:.4}", r.brier)) } }
            tr { th { "Negative log-likelihood" } td { (format!("{:.4}", r.nll)) } }
            tr { th { "AURC" } td { (format!("{:.4}", r.aurc)) } }
            tr { th { "E-AURC" } td { (format!("{:.4}", r.eaurc)) } }
            @for o in &r.ood {
                tr {
                    th { "Out-of-scope AUROC, " (o.tier) }
                    td { (format!("{:.3}", o.auroc)) "; the cut stops " (percent(o.stopped.value))
                         " of them and " (percent(o.stopped_in_scope.value)) " of the rest" }
                }
            }
        }
    }
}

fn policies(r: &Report) -> Markup {
    html! {
        table {
            tr { th { "Risk" } th { "Thresholds" } th { "Answered locally" } th { "Wrong among these" } th { "Oracle's coverage" } th { "Ratio" } th { "By tier" } }
            @for p in &r.policies {
                tr {
                    td { (percent(p.risk)) }
                    @if let Some(thresholds) = &p.thresholds {
                        td { @for t in thresholds { (format!("{t:.4} ")) } }
                        td { (interval(&p.coverage)) }
                        td { (interval(&p.error)) }
                        td { (oracle_coverage(p.oracle)) }
                        td { (ratio(p.of_oracle)) }
                        td { @for (t, share) in r.tiers.iter().zip(&p.by_tier) { (t.name) " " (percent(share.value)) " " } }
                    } @else {
                        td colspan="3" { "not certified: every input escalates" }
                        td { (oracle_coverage(p.oracle)) }
                        td { (ratio(p.of_oracle)) }
                        td {}
                    }
                }
            }
        }
    }
}

fn against(figures: &AgainstFigures) -> Markup {
    html! {
        p {
            "Against the remote " code { (figures.model) } ", which has " (interval(&figures.remote_error)) " of "
            (figures.remote_error.n) " rows wrong. The excess is what is promised: how many more of the local answers may be \
             wrong than of the remote's to the same inputs."
            @if figures.label_errors > 0.0 {
                " Up to " (percent(figures.label_errors)) " of the labels may be wrong, which hides a part of the difference."
            }
        }
        table {
            tr { th { "Excess" } th { "Thresholds" } th { "Answered locally" } th { "Wrong among these" } th { "The remote's" } th { "Points more" } th { "At most" } }
            @for p in &figures.promises {
                tr {
                    td { (percent(p.excess)) }
                    @if let Some(thresholds) = &p.thresholds {
                        td { @for t in thresholds { (format!("{t:.4} ")) } }
                        td { (interval(&p.coverage)) }
                        td { (interval(&p.error)) }
                        td { (interval(&p.remote_error)) }
                        td { (points_interval(&p.difference)) }
                        td { (points(p.most)) }
                    } @else {
                        td colspan="6" { "not certified: every input escalates" }
                    }
                }
            }
        }
    }
}

fn tiers(r: &Report) -> Markup {
    html! {
        table {
            tr { th { "Tier" } th { "Accuracy" } th { "ECE" } th { "Median ms" } th { "p95 ms" } th { "Bytes" } }
            @for t in &r.tiers {
                tr {
                    td { (t.name) } td { (interval(&t.accuracy)) } td { (percent(t.ece)) }
                    td { (format!("{:.2}", t.median_ms)) } td { (format!("{:.2}", t.p95_ms)) } td { (t.bytes) }
                }
            }
        }
    }
}

fn behaviour(r: &Report) -> Markup {
    html! {
        p { "Small cases whose answers are known (CheckList; Ribeiro et al. 2020); answered and wrong at the default risk." }
        table {
            tr { th { "Capability" } th { "Kind" } th { "Cases" } th { "Passed" } th { "Answered locally" } th { "Wrong among these" } th { "Failed, for example" } }
            @for b in &r.behaviour {
                tr {
                    td { (b.capability) } td { (b.kind.name()) } td { (b.passed.n) } td { (percent(b.passed.value)) }
                    td { (percent(b.answered.value)) } td { (b.failed_though_answered) }
                    td { (b.failed.join("; ")) }
                }
            }
        }
    }
}

fn beyond(r: &Report) -> Markup {
    html! {
        p { (EXPLAINED) }
        div.wide { table {
            tr { th { "Slice" } th { "n" } th { "Accuracy" } (risks(r)) }
            @for kind in &r.beyond {
                tr {
                    td { (kind.slice) } td { (kind.n) }
                    td { @if let Some(accuracy) = &kind.accuracy { (interval(accuracy)) } @else { "no label" } }
                    (delivered(r, &kind.policies))
                }
            }
        } }
    }
}

/// The heads of the columns that [`delivered`] fills.
fn risks(r: &Report) -> Markup {
    html! {
        @for p in r.policies.iter().filter(|p| p.thresholds.is_some()) {
            th { "Answered at " (percent(p.risk)) } th { "Wrong" }
        }
    }
}

fn delivered(r: &Report, of: &[PolicySlice]) -> Markup {
    html! {
        @for (_, p) in r.policies.iter().zip(of).filter(|(p, _)| p.thresholds.is_some()) {
            td { (percent(p.coverage.value)) } td { (interval(&p.error)) }
        }
    }
}

fn slices(r: &Report) -> Markup {
    let shown = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.3}"));
    html! {
        p {
            "AD, DPPL, DI and RD as Amazon SageMaker Clarify defines them, the slice against all other rows. "
            @if let Some(positive) = &r.positive { "Favourable label: " code { (positive) } "." }
            @else { "DPPL, DI and RD need a favourable label." }
        }
        div.wide { table {
            tr {
                th { "Slice" } th { "n" } th { "Accuracy" } th { "AD" } th { "DPPL" } th { "DI" } th { "RD" }
                (risks(r))
            }
            @for s in &r.slices {
                tr {
                    td { (s.slice) } td { (s.n) } td { (interval(&s.accuracy)) }
                    td { (shown(s.bias.ad)) } td { (shown(s.bias.dppl)) } td { (shown(s.bias.di)) } td { (shown(s.bias.rd)) }
                    (delivered(r, &s.policies))
                }
            }
        } }
    }
}

fn classes(r: &Report) -> Markup {
    html! {
        table {
            tr { th { "Label" } th { "n" } th { "Precision" } th { "Recall" } th { "F1" } }
            @for c in &r.classes {
                tr {
                    td { (c.label) } td { (c.recall.n) } td { (interval(&c.precision)) }
                    td { (interval(&c.recall)) } td { (percent(c.f1)) }
                }
            }
        }
    }
}

fn confusion(r: &Report) -> Markup {
    let whole = r.confusion.iter().any(|c| c.truth == c.predicted);
    let labels: BTreeSet<&str> = r
        .confusion
        .iter()
        .flat_map(|c| [c.truth.as_str(), c.predicted.as_str()])
        .collect();
    let count = |truth: &str, predicted: &str| {
        let mut found = r
            .confusion
            .iter()
            .filter(|c| c.truth == truth && c.predicted == predicted);
        found.next().map_or(0, |c| c.n)
    };
    let total = |truth: &str| -> u64 {
        r.confusion
            .iter()
            .filter(|c| c.truth == truth)
            .map(|c| c.n)
            .sum()
    };
    html! {
        @if whole {
            p { "Rows: the truth; columns: what was said." }
            div.wide { table {
                tr { th {} @for p in &labels { th { (p) } } }
                @for t in &labels {
                    tr {
                        td { (t) }
                        @for p in &labels {
                            @let share = count(t, p) as f64 / total(t).max(1) as f64;
                            td style=(format!("background: rgb(31 98 176 / {:.2})", share * 0.6)) { (count(t, p)) }
                        }
                    }
                }
            } }
        } @else {
            p { "The most frequent mistakes." }
            table {
                tr { th { "Truth" } th { "Said" } th { "n" } }
                @for c in &r.confusion { tr { td { (c.truth) } td { (c.predicted) } td { (c.n) } } }
            }
        }
    }
}
