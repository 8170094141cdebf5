//! A report as plain text. Names come from data: what a terminal would obey is not written.

use std::fmt::Write;

use super::against::{AgainstFigures, points, points_interval};
use super::delivered::PolicySlice;
use super::exceeded::exceeded;
use super::figures::{interval, oracle_coverage, percent, ratio};
use super::markdown::shown;
use super::report::Report;

/// The report for a terminal.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, r: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "{} on {}: {} labelled rows",
        shown(&r.task),
        shown(&r.dataset),
        r.n
    )?;
    if r.refused + r.out_of_scope > 0 {
        writeln!(
            out,
            "  {} more refused by every tier's limits, {} out of scope",
            r.refused, r.out_of_scope
        )?;
    }
    if let Some((exact, near)) = r.duplicates.filter(|d| d.0 + d.1 > 0) {
        writeln!(
            out,
            "  {exact} rows are in the training data and {near} nearly so: these figures are too good"
        )?;
    }
    writeln!(out, "accuracy   {}", interval(&r.accuracy))?;
    let (low, high) = r.macro_f1_interval;
    writeln!(
        out,
        "macro-F1   {} ({} to {})",
        percent(r.macro_f1),
        percent(low),
        percent(high)
    )?;
    writeln!(
        out,
        "ECE {}   Brier {:.4}   NLL {:.4}   AURC {:.4}   E-AURC {:.4}",
        percent(r.ece),
        r.brier,
        r.nll,
        r.aurc,
        r.eaurc
    )?;
    writeln!(
        out,
        "\n{:<9}{:>10}{:>24}{:>30}{:>10}{:>10}",
        "risk", "threshold", "answered locally", "wrong among these", "oracle", "ratio"
    )?;
    for p in &r.policies {
        let Some(thresholds) = &p.thresholds else {
            writeln!(
                out,
                "{:<9}{:<64}{:>10}{:>10}",
                percent(p.risk),
                "not certified: every input escalates",
                oracle_coverage(p.oracle),
                ratio(p.of_oracle)
            )?;
            continue;
        };
        let threshold = thresholds.first().copied().unwrap_or(1.0);
        writeln!(
            out,
            "{:<9}{threshold:>10.4}{:>24}{:>30}{:>10}{:>10}",
            percent(p.risk),
            percent(p.coverage.value),
            interval(&p.error),
            oracle_coverage(p.oracle),
            ratio(p.of_oracle)
        )?;
        if p.by_tier.len() > 1 {
            for (tier, share) in r.tiers.iter().zip(&p.by_tier) {
                writeln!(
                    out,
                    "{:>19} {:>23}",
                    shown(&tier.name),
                    percent(share.value)
                )?;
            }
        }
    }
    if let Some(against) = &r.against_remote {
        write_against(out, against)?;
    }
    let rests_on = r.calibration.iter().flat_map(|rows| rows.sentences());
    for sentence in exceeded(r).into_iter().chain(rests_on) {
        writeln!(out, "{sentence}")?;
    }
    writeln!(
        out,
        "\n{:<24}{:>26}{:>8}{:>12}{:>12}{:>14}",
        "tier", "accuracy", "ECE", "median ms", "p95 ms", "bytes"
    )?;
    for t in &r.tiers {
        writeln!(
            out,
            "{:<24}{:>26}{:>8}{:>12.2}{:>12.2}{:>14}",
            shown(&t.name),
            interval(&t.accuracy),
            percent(t.ece),
            t.median_ms,
            t.p95_ms,
            t.bytes
        )?;
    }
    for o in &r.ood {
        writeln!(
            out,
            "out of distribution, {}: AUROC {:.3}; the cut stops {} of what is out of scope and {} of the rest",
            shown(&o.tier),
            o.auroc,
            percent(o.stopped.value),
            percent(o.stopped_in_scope.value)
        )?;
    }
    write_behaviour(out, r)?;
    write_beyond(out, r)?;
    write_slices(out, r)?;
    writeln!(
        out,
        "\n{:<24}{:>26}{:>26}{:>10}",
        "label", "precision", "recall", "F1"
    )?;
    for c in &r.classes {
        writeln!(
            out,
            "{:<24}{:>26}{:>26}{:>10}",
            shown(&c.label),
            interval(&c.precision),
            interval(&c.recall),
            percent(c.f1)
        )?;
    }
    if !r.cost_quality.is_empty() {
        writeln!(
            out,
            "\n{:<10}{:>10}{:>12}{:>14}{:>12}",
            "risk", "remote", "accuracy", "tokens a row", "ms a row"
        )?;
        for c in &r.cost_quality {
            writeln!(
                out,
                "{:<10}{:>10}{:>12}{:>14.1}{:>12.1}",
                c.risk.map_or("sweep".into(), percent),
                percent(c.remote),
                percent(c.accuracy),
                c.tokens,
                c.milliseconds
            )?;
        }
    }
    Ok(())
}

fn write_behaviour(out: &mut String, r: &Report) -> std::fmt::Result {
    if r.behaviour.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<24}{:<24}{:>7}{:>10}{:>20}{:>24}",
        "behaviour", "kind", "cases", "passed", "answered locally", "wrong among these"
    )?;
    for b in &r.behaviour {
        writeln!(
            out,
            "{:<24}{:<24}{:>7}{:>10}{:>20}{:>24}",
            shown(&b.capability),
            b.kind.name(),
            b.passed.n,
            percent(b.passed.value),
            percent(b.answered.value),
            b.failed_though_answered
        )?;
    }
    let failed = r.behaviour.iter().flat_map(|b| {
        let of = |input: &String| format!("  {}: {}", shown(&b.capability), shown(input));
        b.failed.iter().map(of)
    });
    for (at, failed) in failed.enumerate() {
        if at == 0 {
            writeln!(out, "failed, for example:")?;
        }
        writeln!(out, "{failed}")?;
    }
    Ok(())
}

fn write_beyond(out: &mut String, r: &Report) -> std::fmt::Result {
    if r.beyond.is_empty() {
        return Ok(());
    }
    write!(out, "\n{:<64}{:>7}{:>26}", "other kinds", "n", "accuracy")?;
    write_risks(out, r)?;
    for kind in &r.beyond {
        let accuracy = kind.accuracy.map_or("no label".into(), |a| interval(&a));
        write!(out, "{:<64}{:>7}{accuracy:>26}", shown(&kind.slice), kind.n)?;
        write_delivered(out, r, &kind.policies)?;
    }
    Ok(())
}

/// The certified risks, as the heads of the columns that [`write_delivered`] fills.
fn write_risks(out: &mut String, r: &Report) -> std::fmt::Result {
    for p in r.policies.iter().filter(|p| p.thresholds.is_some()) {
        write!(out, "{:>24}", format!("at {}", percent(p.risk)))?;
    }
    writeln!(out)
}

fn write_delivered(out: &mut String, r: &Report, of: &[PolicySlice]) -> std::fmt::Result {
    let certified = r.policies.iter().zip(of);
    for (_, p) in certified.filter(|(p, _)| p.thresholds.is_some()) {
        let cell = format!(
            "{}, {} wrong",
            percent(p.coverage.value),
            percent(p.error.value)
        );
        write!(out, "{cell:>24}")?;
    }
    writeln!(out)
}

fn write_against(out: &mut String, against: &AgainstFigures) -> std::fmt::Result {
    write!(
        out,
        "\nagainst {}, which has {} of {} rows wrong",
        shown(&against.model),
        interval(&against.remote_error),
        against.remote_error.n
    )?;
    if against.label_errors > 0.0 {
        write!(
            out,
            "; up to {} of the labels may be wrong",
            percent(against.label_errors)
        )?;
    }
    writeln!(
        out,
        "\n{:<9}{:>10}{:>24}{:>30}{:>15}{:>25}{:>10}",
        "excess",
        "threshold",
        "answered locally",
        "wrong among these",
        "the remote's",
        "points more",
        "at most"
    )?;
    for p in &against.promises {
        let Some(thresholds) = &p.thresholds else {
            writeln!(
                out,
                "{:<9}not certified: every input escalates",
                percent(p.excess)
            )?;
            continue;
        };
        writeln!(
            out,
            "{:<9}{:>10.4}{:>24}{:>30}{:>15}{:>25}{:>10}",
            percent(p.excess),
            thresholds.first().copied().unwrap_or(1.0),
            percent(p.coverage.value),
            interval(&p.error),
            percent(p.remote_error.value),
            points_interval(&p.difference),
            points(p.most)
        )?;
    }
    Ok(())
}

fn write_slices(out: &mut String, r: &Report) -> std::fmt::Result {
    if r.slices.is_empty() {
        return Ok(());
    }
    write!(
        out,
        "\n{:<24}{:>7}{:>26}{:>9}",
        "slice", "n", "accuracy", "AD"
    )?;
    write_risks(out, r)?;
    for s in &r.slices {
        let ad = s
            .bias
            .ad
            .map_or("-".into(), |ad| format!("{:+.1}", 100.0 * ad));
        write!(
            out,
            "{:<24}{:>7}{:>26}{ad:>9}",
            shown(&s.slice),
            s.n,
            interval(&s.accuracy)
        )?;
        write_delivered(out, r, &s.policies)?;
    }
    if let Some(positive) = &r.positive {
        writeln!(
            out,
            "\n{:<24}{:>9}{:>9}{:>9}   (favourable: {})",
            "slice",
            "DPPL",
            "DI",
            "RD",
            shown(positive)
        )?;
        let figure = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3}"));
        for s in &r.slices {
            let b = &s.bias;
            writeln!(
                out,
                "{:<24}{:>9}{:>9}{:>9}",
                shown(&s.slice),
                figure(b.dppl),
                figure(b.di),
                figure(b.rd)
            )?;
        }
    }
    Ok(())
}
