//! What a report shows: the input, sorted by diagrams.

use super::input::ReportInput;
use crate::bench::curves::{AVERAGE, Curve, averages, curves, sequences};
use crate::bench::metric::Metric;
use crate::bench::published::{Published, uvg};
use crate::bench::row::{Point, Row};
use crate::datasets;

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
pub struct Content<'a> {
    pub input: &'a ReportInput<'a>,
    pub rows: Vec<&'a Row>,
    /// Those of the input that a point has.
    pub metrics: Vec<Metric>,
    pub views: Vec<View>,
    /// Rows of averages over sequences.
    pub means: Vec<Row>,
}

/// What is drawn in one diagram: a sequence, the average over them, or published points alone.
pub struct View {
    pub name: String,
    /// What the reader chooses it by.
    pub label: String,
    /// What must be known of it.
    pub note: String,
    pub kind: Kind,
    /// The data set's own name for it, where curves of it are published and wanted.
    pub published: Option<String>,
    /// Size of the pictures, where they are all that a published curve could be of.
    pub whole: Option<(usize, usize)>,
}

impl View {
    /// Whether a published curve is of the pictures that were coded here, or nothing was.
    pub fn compares(&self, curve: &Published) -> bool {
        self.kind == Kind::Published || self.whole.is_some_and(|(w, h)| curve.is_of(w, h))
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Sequence,
    Average,
    Published,
}

impl<'a> Content<'a> {
    pub fn new(input: &'a ReportInput<'a>) -> Self {
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
        let mut note = format!("{} of {width}x{height}.", datasets::frames(frames));
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

    pub fn curves(&self) -> Vec<Curve<'a>> {
        curves(&self.rows)
    }

    /// Every point, or mean of points, of a view.
    pub fn rows_of(&self, view: &View) -> Vec<(&Row, Option<&'a Point>)> {
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
    pub fn published_on(&self, view: &View, metric: Metric) -> Vec<&'static Published> {
        match &view.published {
            Some(name) if uvg().metric() == Some(metric) => uvg().on(name).collect(),
            _ => Vec::new(),
        }
    }
}
