//! The report: one HTML file with everything in it, and the same curves as SVG files.

mod data;
mod html;
mod pictures;
mod plots;

use std::path::{Path, PathBuf};

use super::curves::{AVERAGE, FileNames, averages, curves, sequences};
use super::published::{Published, uvg};
use super::{Curve, Metric, Point, Row};
use ::nvc::error::{Error, Result};
use ::nvc::metrics::bd_rate::Method;
use pictures::Pictures;

/// A sequence that was coded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceInfo {
    /// Name, as rows have it.
    pub name: String,
    /// Luma samples a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pictures coded.
    pub frames: u64,
    /// PNG of one picture of the source, relative to the report's folder.
    pub picture: Option<PathBuf>,
    /// Number of that picture, and of the points' pictures, from 0.
    pub picture_frame: u64,
}

/// What a report is made from.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    /// Heading.
    pub title: String,
    /// What the reader should know of the choice of sequences and settings; empty leaves it out.
    pub description: &'a str,
    /// When it was measured; empty leaves the line out, as with the next two.
    pub date: String,
    /// What it was measured on.
    pub machine: String,
    /// The command that made it.
    pub command: String,
    /// What is missing and why, told before anything else.
    pub remarks: &'a [String],
    /// All points, in the order in which tables and legends show them.
    pub points: &'a [Point],
    /// The sequences; one that only points name is shown too.
    pub sequences: &'a [SequenceInfo],
    /// Name of the curve that BD-rates are against.
    pub anchor: &'a str,
    /// What to show. Metrics that no point has are left out of the curves.
    pub metrics: &'a [Metric],
    /// How BD-rates interpolate.
    pub method: Method,
    /// Whether to show curves from the literature.
    pub published: bool,
    /// Most bytes of the file that pictures take, such as [`PICTURE_BUDGET`]. Pictures that do not
    /// fit stay beside it.
    pub picture_budget: u64,
}

/// Bytes of pictures that browsers open without trouble.
pub const PICTURE_BUDGET: u64 = 48_000_000;

/// Writes `report.html` and `plots/*.svg` to `dir`, which holds the pictures. What could not be
/// shown, such as a missing picture, is said in the report.
pub fn write_report(dir: &Path, input: &ReportInput) -> Result<()> {
    let write = |path: PathBuf, text: &str| {
        std::fs::write(&path, text).map_err(|e| Error::io(format!("writing {}", path.display()), e))
    };
    let content = Content::new(input);
    let plots = content.plots()?;
    if !plots.is_empty() {
        let folder = dir.join("plots");
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::io(format!("making {}", folder.display()), e))?;
        for (file, svg) in &plots {
            write(folder.join(file), svg)?;
        }
    }
    let pictures = Pictures::read(dir, &content);
    write(
        dir.join("report.html"),
        &html::page(&content, &plots, &pictures),
    )
}

/// What is to be said of published curves beside pictures of a size (`None`: not all pictures):
/// which do not compare.
fn comparison(sequence: &str, whole: Option<(usize, usize)>, frames: &str) -> String {
    let all: Vec<&Published> = uvg().on(sequence).collect();
    let (own, apart): (Vec<&Published>, Vec<&Published>) = all
        .into_iter()
        .partition(|p| whole.is_some_and(|(w, h)| p.is_of(w, h)));
    // one size after the other, each once
    let mut sizes: Vec<String> = apart.iter().map(|p| p.size_text()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let sizes = sizes.join(", ");
    if own.is_empty() {
        return format!(
            " Published curves are of other pictures: they do not compare with the points measured here. Those are of {frames} of {sizes}."
        );
    }
    let mut text = " Published curves were not measured here.".to_string();
    if !apart.is_empty() {
        text += &format!(" Those marked as not comparable are of other pictures ({sizes}).");
    }
    text
}

/// The input, sorted into what is shown.
struct Content<'a> {
    input: &'a ReportInput<'a>,
    rows: Vec<&'a Row>,
    /// Those of the input that a point has.
    metrics: Vec<Metric>,
    views: Vec<View>,
    /// Rows of averages over sequences.
    means: Vec<Row>,
}

/// What is drawn in one diagram: a sequence, the average over them, or published points alone.
struct View {
    name: String,
    /// What the reader chooses it by.
    label: String,
    /// What must be known of it.
    note: String,
    kind: Kind,
    /// The data set's own name for it, where curves of it are published and wanted.
    published: Option<String>,
    /// Size of the pictures, where they are all that a published curve could be of.
    whole: Option<(usize, usize)>,
}

impl View {
    /// Whether a published curve is of the pictures that were coded here, or nothing was.
    fn compares(&self, curve: &Published) -> bool {
        self.kind == Kind::Published || self.whole.is_some_and(|(w, h)| curve.is_of(w, h))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sequence,
    Average,
    Published,
}

impl<'a> Content<'a> {
    fn new(input: &'a ReportInput<'a>) -> Self {
        let rows: Vec<&Row> = input.points.iter().map(|p| &p.row).collect();
        let metrics: Vec<Metric> = input
            .metrics
            .iter()
            .copied()
            .filter(|m| rows.iter().any(|r| m.of(r).is_some()))
            .collect();
        let mut names: Vec<String> = input.sequences.iter().map(|s| s.name.clone()).collect();
        names.extend(
            sequences(&rows)
                .into_iter()
                .filter(|s| !input.sequences.iter().any(|i| i.name == *s)),
        );
        let (means, without) = averages(&rows);
        let mut content = Content {
            input,
            rows,
            metrics,
            views: Vec::new(),
            means,
        };
        for name in &names {
            let view = content.sequence_view(name);
            content.views.push(view);
        }
        if names.len() > 1 && !content.means.is_empty() {
            let published =
                (input.published && uvg().is_whole(&names)).then(|| AVERAGE.to_string());
            let mut note = format!(
                "Means over {} of the points that a codec has on every one of them.",
                names.join(", ")
            );
            // of all pictures of one size
            let whole = content.views[0].whole.filter(|_| {
                content
                    .views
                    .iter()
                    .all(|v| v.whole == content.views[0].whole)
            });
            if published.is_some() {
                note += &comparison(AVERAGE, whole, "all frames");
            }
            if !without.is_empty() {
                note += &format!(
                    " Without {}: not the same points on every sequence.",
                    without.join("; ")
                );
            }
            content.views.push(View {
                name: AVERAGE.into(),
                label: format!("average of {}", names.len()),
                note,
                kind: Kind::Average,
                published,
                whole,
            });
        }
        if input.published
            && !content
                .views
                .iter()
                .any(|v| v.published.as_deref() == Some(AVERAGE))
        {
            if !content.metrics.contains(&Metric::PsnrRgb) {
                content.metrics.push(Metric::PsnrRgb);
            }
            content.views.push(View {
                name: format!("{} average", uvg().dataset),
                label: format!("{} average, published points alone", uvg().dataset),
                note: format!(
                    "Not measured here. {}: {}.",
                    uvg().dataset,
                    uvg().definition
                ),
                kind: Kind::Published,
                published: Some(AVERAGE.into()),
                whole: None,
            });
        }
        content
    }

    fn sequence_view(&self, name: &str) -> View {
        let row = self.rows.iter().find(|r| r.sequence == name);
        let info = self.input.sequences.iter().find(|s| s.name == name);
        let (frames, width, height) = match (info, row) {
            (Some(i), _) => (i.frames, i.width, i.height),
            (None, Some(r)) => (r.frames, r.width, r.height),
            (None, None) => (0, 0, 0),
        };
        let mut note = format!(
            "{frames} frame{} of {width}x{height}.",
            if frames == 1 { "" } else { "s" }
        );
        let data = uvg();
        let published = self.input.published.then(|| data.sequence(name)).flatten();
        let whole = published
            .filter(|own| data.frames[*own] == frames)
            .map(|_| (width, height));
        if let Some(own) = published {
            note += &comparison(own, whole, &format!("{} frames", data.frames[own]));
        }
        let published = published.map(str::to_string);
        View {
            name: name.into(),
            label: name.into(),
            note,
            kind: Kind::Sequence,
            published,
            whole,
        }
    }

    fn curves(&self) -> Vec<Curve<'a>> {
        curves(&self.rows)
    }

    /// Every point, or mean of points, of a view.
    fn rows_of(&self, view: &View) -> Vec<(&Row, Option<&'a Point>)> {
        match view.kind {
            Kind::Sequence => self
                .input
                .points
                .iter()
                .filter(|p| p.row.sequence == view.name)
                .map(|p| (&p.row, Some(p)))
                .collect(),
            Kind::Average => self.means.iter().map(|r| (r, None)).collect(),
            Kind::Published => Vec::new(),
        }
    }

    /// Published curves that go with a view and a metric.
    fn published_on(&self, view: &View, metric: Metric) -> Vec<&'static Published> {
        match &view.published {
            Some(name) if uvg().metric() == Some(metric) => uvg().on(name).collect(),
            _ => Vec::new(),
        }
    }

    /// File names and SVG texts of all diagrams that have a point.
    fn plots(&self) -> Result<Vec<(String, String)>> {
        let mut names = FileNames::default();
        let mut out = Vec::new();
        for (n, view) in self.views.iter().enumerate() {
            for &metric in &self.metrics {
                if let Some(svg) = plots::svg(&view.label, metric.axis(), self.lines(n, metric))? {
                    out.push((
                        names.make(&format!("{}__{}", view.name, metric.key()), "svg"),
                        svg,
                    ));
                }
            }
        }
        Ok(out)
    }

    /// The curves of a view, by number.
    fn lines(&self, view: usize, metric: Metric) -> Vec<plots::Line> {
        let view = &self.views[view];
        let rows = self.rows_of(view);
        let mut lines = Vec::new();
        for (style, curve) in self.curves().iter().enumerate() {
            let own = rows.iter().filter(|(r, _)| r.curve() == curve.name);
            let mut points: Vec<(f64, f64)> = own
                .filter_map(|(r, _)| Some((r.bpp, metric.on_axis(metric.of(r)?))))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            lines.push(plots::Line {
                name: curve.label(),
                style,
                published: false,
                points,
            });
        }
        // without its note beside it, a diagram shows only what compares
        for p in self
            .published_on(view, metric)
            .into_iter()
            .filter(|p| view.compares(p) && data::shown(p))
        {
            let points = p.bpp.iter().copied().zip(p.psnr.iter().copied()).collect();
            let name = format!(
                "{}{}, published",
                p.name,
                if p.weak { " (weak)" } else { "" }
            );
            lines.push(plots::Line {
                name,
                style: data::style(p),
                published: true,
                points,
            });
        }
        lines
    }
}

#[cfg(test)]
mod tests;
