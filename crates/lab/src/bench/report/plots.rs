//! Rate-distortion diagrams as SVG files on white, for a README or a paper.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use ::nvc::error::{Error, Result};

/// One curve.
pub(super) struct Line {
    pub name: String,
    /// Number of colour and marker.
    pub style: usize,
    /// Dashed, with open markers.
    pub published: bool,
    /// (bits a pixel, quality) by rising rate; what is not finite is not drawn.
    pub points: Vec<(f64, f64)>,
}

/// Okabe and Ito's colours without yellow, told apart by all kinds of colour vision.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(176, 70, 127),
    RGBColor(176, 123, 0),
    RGBColor(58, 151, 207),
    RGBColor(77, 77, 77),
];
const PLOT: (u32, u32) = (620, 460);
const LEGEND: u32 = 300;
const ENTRY: i32 = 20;
/// Ratio of rates from which the axis is logarithmic.
const LOG_FROM: f64 = 8.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The diagram of those lines that have points, or `None`.
pub(super) fn svg(title: &str, axis: &str, mut lines: Vec<Line>) -> Result<Option<String>> {
    for line in &mut lines {
        line.points
            .retain(|(x, y)| x.is_finite() && *x > 0.0 && y.is_finite());
    }
    lines.retain(|l| !l.points.is_empty());
    if lines.is_empty() {
        return Ok(None);
    }
    let mut out = String::new();
    draw(&mut out, title, axis, &lines)
        .map_err(|e| Error::Unsupported(format!("drawing '{title}': {e}")))?;
    Ok(Some(out))
}

fn draw(
    out: &mut String,
    title: &str,
    axis: &str,
    lines: &[Line],
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let height = PLOT.1.max(70 + ENTRY as u32 * lines.len() as u32);
    let root = SVGBackend::with_string(out, (PLOT.0 + LEGEND, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let (plot, legend) = root.split_horizontally(PLOT.0);
    let range = |f: &dyn Fn(&(f64, f64)) -> f64| {
        let all = lines.iter().flat_map(|l| &l.points).map(f);
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        })
    };
    let ((x0, x1), (y0, y1)) = (range(&|p| p.0), range(&|p| p.1));
    let pad = if y1 > y0 { (y1 - y0) * 0.06 } else { 1.0 };
    let y = y0 - pad..y1 + pad;
    if x1 / x0 >= LOG_FROM {
        let pad = (x1 / x0).powf(0.04);
        chart(
            &plot,
            [title, axis],
            (x0 / pad..x1 * pad).log_scale(),
            log_label,
            y,
            lines,
        )?;
    } else {
        let pad = if x1 > x0 { (x1 - x0) * 0.06 } else { x1 * 0.1 };
        chart(
            &plot,
            [title, axis],
            (x0 - pad).max(0.0)..x1 + pad,
            short,
            y,
            lines,
        )?;
    }
    for (n, line) in lines.iter().enumerate() {
        let at = ENTRY * n as i32 + 52;
        let colour = COLOURS[line.style % COLOURS.len()];
        legend.draw(&PathElement::new(
            [(6, at), (34, at)],
            colour.stroke_width(if line.published { 1 } else { 2 }),
        ))?;
        legend.draw(&shape(line, 20, at, 4))?;
        // cut what does not fit
        let name: String = if line.name.chars().count() > 38 {
            line.name.chars().take(37).chain(['…']).collect()
        } else {
            line.name.clone()
        };
        legend.draw_text(
            &name,
            &("sans-serif", 13).into_text_style(&legend),
            (42, at - 8),
        )?;
    }
    root.present()?;
    Ok(())
}

fn chart<X>(
    area: &Area,
    [title, axis]: [&str; 2],
    x: X,
    x_label: fn(f64) -> String,
    y: std::ops::Range<f64>,
    lines: &[Line],
) -> std::result::Result<(), Box<dyn std::error::Error>>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(42)
        .y_label_area_size(54)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(213, 218, 224))
        .x_desc("bits a pixel")
        .y_desc(axis)
        .axis_desc_style(("sans-serif", 14))
        .label_style(("sans-serif", 12))
        .x_label_formatter(&|v| x_label(*v))
        .y_label_formatter(&|v| short(*v))
        .draw()?;
    for line in lines {
        let colour = COLOURS[line.style % COLOURS.len()];
        let points = line.points.iter().copied();
        if line.published {
            chart.draw_series(DashedLineSeries::new(points, 6, 4, colour.stroke_width(1)))?;
        } else {
            chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
        }
        chart.draw_series(
            line.points
                .iter()
                .map(|&at| EmptyElement::at(at) + shape(line, 0, 0, 4)),
        )?;
    }
    Ok(())
}

/// A marker around a place in pixels: filled for a measured curve, open for a published one.
fn shape(line: &Line, x: i32, y: i32, r: i32) -> Polygon<(i32, i32)> {
    const MARKERS: [&[(i32, i32)]; 6] = [
        // an octagon for the circle
        &[
            (-4, -10),
            (4, -10),
            (10, -4),
            (10, 4),
            (4, 10),
            (-4, 10),
            (-10, 4),
            (-10, -4),
        ],
        &[(-9, -9), (9, -9), (9, 9), (-9, 9)],
        &[(0, -12), (12, 9), (-12, 9)],
        &[(0, -13), (13, 0), (0, 13), (-13, 0)],
        &[(0, 12), (12, -9), (-12, -9)],
        &[
            (-4, -12),
            (4, -12),
            (4, -4),
            (12, -4),
            (12, 4),
            (4, 4),
            (4, 12),
            (-4, 12),
            (-4, 4),
            (-12, 4),
            (-12, -4),
            (-4, -4),
        ],
    ];
    let colour = COLOURS[line.style % COLOURS.len()];
    let points = MARKERS[line.style % MARKERS.len()]
        .iter()
        .map(|(a, b)| (x + a * r / 10, y + b * r / 10));
    let style = if line.published {
        colour.mix(0.45).filled()
    } else {
        colour.filled()
    };
    Polygon::new(points.collect::<Vec<_>>(), style)
}

/// On a logarithmic axis, every tenth of a decade has a line, and those have figures for which
/// there is room.
fn log_label(v: f64) -> String {
    let leading = v / 10f64.powf((v.log10() + 1e-9).floor());
    if [1.0, 2.0, 3.0, 5.0]
        .iter()
        .any(|d| (leading - d).abs() < 1e-6)
    {
        short(v)
    } else {
        String::new()
    }
}

/// Up to four significant digits.
fn short(v: f64) -> String {
    if v == 0.0 {
        return "0".into();
    }
    let digits = (3 - v.abs().log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{v:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text
    }
}
