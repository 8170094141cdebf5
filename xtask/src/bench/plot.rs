//! The plots of docs/performance.md, as SVG.

use std::error::Error;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::results::{Results, Warm};
use super::stats::{digits, summary};

const INK: RGBColor = RGBColor(40, 40, 48);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// One colour a contender, wherever it is shown.
fn colour(contender: &str) -> RGBColor {
    match contender {
        "smallfirst" => RGBColor(31, 98, 176),
        "onnxruntime-web" => RGBColor(200, 90, 20),
        "transformers.js" => RGBColor(120, 80, 160),
        "onnxruntime native" => RGBColor(150, 150, 158),
        "smallfirst native" => RGBColor(90, 150, 90),
        "tract native" => RGBColor(190, 170, 60),
        _ => RGBColor(90, 180, 200),
    }
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn svg(size: (u32, u32), draw: impl FnOnce(&Area) -> Drawn) -> Result<String> {
    let mut out = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut out, size).into_drawing_area();
        (|| {
            area.fill(&WHITE)?;
            draw(&area)?;
            Ok::<_, Box<dyn Error>>(area.present()?)
        })()
    };
    drawn.map_err(|error| anyhow!("a plot could not be drawn: {error}"))?;
    Ok(out)
}

/// Warm latency of MiniLM by the number of tokens; a panel for each precision.
pub fn warm(results: &Results) -> Result<String> {
    svg((1040, 430), |area| {
        let panels = area.split_evenly((1, 2));
        for (panel, (model, title)) in panels.iter().zip([
            ("minilm-fp32", "MiniLM-L6 fp32"),
            ("minilm-int8", "MiniLM-L6 int8"),
        ]) {
            latency(panel, results, model, title)?;
        }
        Ok(())
    })
}

fn latency(area: &Area, results: &Results, model: &str, title: &str) -> Drawn {
    let start = format!("{model}-1x");
    let tokens = |warm: &Warm| warm.case.strip_prefix(&start)?.parse::<f64>().ok();
    let mut points: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for name in Results::order(results.warm.iter().map(|w| w.contender.as_str())) {
        let of = results.warm.iter().filter(|w| w.contender == name);
        let line: Vec<_> = of
            .filter_map(|w| Some((tokens(w)?, summary(&w.ms)?.median)))
            .collect();
        if !line.is_empty() {
            points.push((name, line));
        }
    }
    let values = || points.iter().flat_map(|(_, line)| line.iter());
    let least = values().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let most = values().map(|p| p.1).fold(0.0, f64::max);
    if most == 0.0 {
        return Ok(());
    }
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{title}, one text: ms by tokens"), font(16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(
            (7.0..300.0).log_scale().base(2.0),
            (least / 1.5..most * 1.5).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("tokens")
        .y_desc("milliseconds, median")
        .x_label_formatter(&|v| digits_short(*v))
        .y_label_formatter(&|v| digits_short(*v))
        .label_style(font(12))
        .axis_desc_style(font(13))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (name, line) in points {
        let colour = colour(name);
        chart
            .draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(
            line.into_iter()
                .map(|at| Circle::new(at, 3, colour.filled())),
        )?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(font(12))
        .draw()?;
    Ok(())
}

fn digits_short(value: f64) -> String {
    if value >= 1.0 {
        format!("{value:.0}")
    } else {
        digits(value)
    }
}

/// The first answer of a cold page: bars of milliseconds, and of megabytes beside them.
pub fn cold(results: &Results) -> Result<String> {
    let height = 90 + 26 * results.cold.len() as u32;
    svg((1040, height), |area| {
        let (left, right) = area.split_horizontally(620);
        let times: Vec<_> = results
            .cold
            .iter()
            .map(|c| summary(&c.ms).map_or(0.0, |of| of.median))
            .collect();
        bars(
            &left,
            results,
            "milliseconds from navigation to the first answer, median",
            &times,
            200,
        )?;
        let bytes: Vec<_> = results.cold.iter().map(|c| c.bytes / 1e6).collect();
        bars(
            &right,
            results,
            "megabytes sent until then (brotli)",
            &bytes,
            16,
        )
    })
}

fn bars(area: &Area, results: &Results, title: &str, values: &[f64], names: u32) -> Drawn {
    let most = values.iter().copied().fold(0.0, f64::max);
    let rows = values.len() as f64;
    if most == 0.0 {
        return Ok(());
    }
    let mut chart = ChartBuilder::on(area)
        .caption(title, font(15))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(names)
        .build_cartesian_2d(0.0..most * 1.15, rows..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .x_label_formatter(&|v| format!("{v:.0}"))
        .label_style(font(12))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (row, (entry, value)) in results.cold.iter().zip(values).enumerate() {
        let (top, bottom) = (row as f64 + 0.15, row as f64 + 0.85);
        chart.draw_series([Rectangle::new(
            [(0.0, top), (*value, bottom)],
            colour(&entry.contender).filled(),
        )])?;
        chart.draw_series([Text::new(
            digits(*value),
            (*value + most * 0.01, top + 0.15),
            font(12),
        )])?;
        if names > 100 {
            // The names stand where the axis would have its numbers.
            let (_, y) = chart.backend_coord(&(0.0, top + 0.15));
            let text = format!("{}: {}", entry.row, entry.contender);
            area.draw(&Text::new(
                text,
                (14, y - area.get_base_pixel().1),
                font(12),
            ))?;
        }
    }
    Ok(())
}
