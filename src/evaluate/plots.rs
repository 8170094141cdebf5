//! The plots of a report, as SVG.

use std::error::Error;

use plotters::coord::ranged1d::IntoSegmentedCoord;
use plotters::prelude::*;

use super::report::{PolicyFigures, Report};

const SIZE: (u32, u32) = (520, 360);
const INK: RGBColor = RGBColor(40, 40, 48);
const BLUE: RGBColor = RGBColor(31, 98, 176);
const ORANGE: RGBColor = RGBColor(200, 90, 20);
const GREY: RGBColor = RGBColor(150, 150, 158);

type Drawn = Result<(), Box<dyn Error>>;

/// A drawing, or nothing when there is too little to draw.
fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend, plotters::coord::Shift>) -> Drawn,
) -> Option<String> {
    let mut out = String::new();
    {
        let area = SVGBackend::with_string(&mut out, size).into_drawing_area();
        area.fill(&WHITE).ok()?;
        draw(&area).ok()?;
        area.present().ok()?;
    }
    Some(out)
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// The error rate of a falling threshold by its coverage, that of an ideal order, and what each risk and its oracle deliver.
pub(super) fn risk_coverage(r: &Report) -> Option<String> {
    let certified: Vec<&PolicyFigures> = r
        .policies
        .iter()
        .filter(|p| p.thresholds.is_some() && p.coverage.n > 0)
        .collect();
    let drawn = r.risk_coverage.iter().map(|p| p.risk);
    // A cascade whose thresholds differ need not lie on the curve.
    let drawn = drawn.chain(certified.iter().map(|p| p.error.value));
    let most = drawn.fold(0.02, f64::max) * 1.1;
    svg(SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..1.0, 0.0..most)?;
        chart
            .configure_mesh()
            .x_desc("coverage")
            .y_desc("error among the answered")
            .label_style(font(13))
            .axis_desc_style(font(14))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (points, colour) in [(&r.ideal_order, GREY), (&r.risk_coverage, BLUE)] {
            let line = points.iter().map(|p| (p.coverage, p.risk));
            chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
        }
        let oracles = r.policies.iter().filter_map(|p| p.oracle);
        let circle = |at| Circle::new(at, 7, BLUE.stroke_width(2));
        chart.draw_series(oracles.map(|o| circle((o.coverage.value, o.error.value))))?;
        for p in &certified {
            let at = (p.coverage.value, p.error.value);
            chart.draw_series([Circle::new(at, 5, ORANGE.filled())])?;
            // Several risks may come to the same thresholds; the largest names them all.
            let same =
                |other: &&&PolicyFigures| other.thresholds == p.thresholds && other.risk > p.risk;
            if certified.iter().any(|other| same(&other)) {
                continue;
            }
            let label = format!("{} %", 100.0 * p.risk);
            chart.draw_series([Text::new(
                label,
                (at.0, (at.1 + most * 0.06).min(most)),
                font(13),
            )])?;
        }
        Ok(())
    })
}

/// Accuracy by confidence; a calibrated model lies on the diagonal.
pub(super) fn reliability(r: &Report) -> Option<String> {
    let most = r.reliability.iter().map(|b| b.n).max().unwrap_or(1).max(1) as f64;
    svg(SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart
            .configure_mesh()
            .x_desc("confidence (grey: share of the rows)")
            .y_desc("accuracy")
            .label_style(font(13))
            .axis_desc_style(font(14))
            .light_line_style(TRANSPARENT)
            .draw()?;
        chart.draw_series(r.reliability.iter().map(|b| {
            let height = 0.25 * b.n as f64 / most;
            let (from, to) = (
                (b.confidence - 0.02).max(0.0),
                (b.confidence + 0.02).min(1.0),
            );
            Rectangle::new([(from, 0.0), (to, height)], GREY.mix(0.45).filled())
        }))?;
        chart.draw_series(LineSeries::new(
            [(0.0, 0.0), (1.0, 1.0)],
            GREY.stroke_width(1),
        ))?;
        let line = r.reliability.iter().map(|b| (b.confidence, b.accuracy));
        chart.draw_series(LineSeries::new(line.clone(), BLUE.stroke_width(2)))?;
        chart.draw_series(line.map(|at| Circle::new(at, 4, BLUE.filled())))?;
        Ok(())
    })
}

/// The accuracy of each slice with its interval, at most 40 slices.
pub(super) fn slices(r: &Report) -> Option<String> {
    let mut shown: Vec<_> = r.slices.iter().filter(|s| s.accuracy.n > 0).collect();
    shown.sort_by(|a, b| a.accuracy.value.total_cmp(&b.accuracy.value));
    shown.truncate(40);
    // The axis counts upwards, and the worst belongs on top.
    shown.reverse();
    if shown.is_empty() {
        return None;
    }
    let names: Vec<String> = shown.iter().map(|s| cut(&s.slice)).collect();
    let places: Vec<usize> = (0..shown.len()).collect();
    svg((SIZE.0, 90 + 22 * shown.len() as u32), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(24)
            .x_label_area_size(40)
            .y_label_area_size(150)
            .build_cartesian_2d(0.0..1.0, places.as_slice().into_segmented())?;
        chart
            .configure_mesh()
            .x_desc("accuracy, with 95 % intervals")
            .y_labels(shown.len())
            .y_label_formatter(&|at| match at {
                SegmentValue::CenterOf(i) => names.get(**i).cloned().unwrap_or_default(),
                _ => String::new(),
            })
            .label_style(font(13))
            .axis_desc_style(font(14))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (i, s) in places.iter().zip(&shown) {
            let y = || SegmentValue::CenterOf(i);
            let whisker = [(s.accuracy.low, y()), (s.accuracy.high, y())];
            chart.draw_series([PathElement::new(whisker, GREY.stroke_width(3))])?;
            chart.draw_series([Circle::new((s.accuracy.value, y()), 4, BLUE.filled())])?;
        }
        Ok(())
    })
}

/// Accuracy of local and remote together, by the share of rows that the remote is asked.
pub(super) fn cost_quality(r: &Report) -> Option<String> {
    let low = r.cost_quality.iter().map(|p| p.accuracy).reduce(f64::min)?;
    let high = r.cost_quality.iter().map(|p| p.accuracy).reduce(f64::max)?;
    let room = ((high - low) * 0.15).max(0.01);
    svg(SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..1.0, (low - room)..(high + room))?;
        chart
            .configure_mesh()
            .x_desc("share of the rows asked remotely")
            .y_desc("accuracy of both together")
            .label_style(font(13))
            .axis_desc_style(font(14))
            .light_line_style(TRANSPARENT)
            .draw()?;
        let sweep = r.cost_quality.iter().filter(|p| p.risk.is_none());
        chart.draw_series(LineSeries::new(
            sweep.map(|p| (p.remote, p.accuracy)),
            BLUE.stroke_width(2),
        ))?;
        for p in &r.cost_quality {
            if let Some(risk) = p.risk {
                chart.draw_series([Circle::new((p.remote, p.accuracy), 5, ORANGE.filled())])?;
                let label = format!("{} %", 100.0 * risk);
                chart.draw_series([Text::new(
                    label,
                    (p.remote, p.accuracy + room * 0.5),
                    font(13),
                )])?;
            }
        }
        Ok(())
    })
}

/// A name that fits beside a plot.
fn cut(name: &str) -> String {
    match name.chars().count() {
        0..=22 => name.to_owned(),
        _ => name.chars().take(21).chain(['…']).collect(),
    }
}

/// One part of a stream of inputs, for [`growth`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// How many inputs it has.
    pub inputs: u64,
    /// The share that the bundle's own model answered.
    pub model: f64,
    /// The share that was answered on the device: by the model or by example.
    pub local: f64,
    /// The share of these that was wrong.
    pub error: f64,
}

type Share = fn(&Growth) -> f64;

/// How much of a stream is answered on the device, and how much of that wrongly, part by part, as SVG.
pub fn growth(parts: &[Growth]) -> Option<String> {
    let total: u64 = parts.iter().map(|part| part.inputs).sum();
    let ends = parts.iter().scan(0, |seen, part| {
        *seen += part.inputs;
        Some(*seen as f64)
    });
    let ends: Vec<f64> = ends.collect();
    svg(SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..total as f64, 0.0..1.0)?;
        chart
            .configure_mesh()
            .x_desc("inputs seen")
            .x_label_formatter(&|inputs| format!("{inputs:.0}"))
            .y_desc("share of inputs")
            .label_style(font(13))
            .axis_desc_style(font(14))
            .light_line_style(TRANSPARENT)
            .draw()?;
        let lines: [(_, _, Share); 3] = [
            ("on the device", BLUE, |part| part.local),
            ("by the model alone", GREY, |part| part.model),
            ("wrong, of those on the device", ORANGE, |part| part.error),
        ];
        for (name, colour, value) in lines {
            let points = ends
                .iter()
                .zip(parts)
                .map(|(&end, part)| (end, value(part)));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
        }
        chart
            .configure_series_labels()
            .label_font(font(13))
            .background_style(WHITE.mix(0.85))
            .position(SeriesLabelPosition::MiddleRight)
            .draw()?;
        Ok(())
    })
}
