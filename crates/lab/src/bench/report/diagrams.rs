//! The diagrams that stand as files beside a report.

use super::content::Content;
use super::plots::{Line, svg};
use super::published::{shown, style};
use crate::bench::metric::Metric;
use crate::bench::names::FileNames;
use ::nvc::error::Result;

impl Content<'_> {
    /// File names and SVG texts of all diagrams that have a point.
    pub fn plots(&self) -> Result<Vec<(String, String)>> {
        let mut names = FileNames::default();
        let mut out = Vec::new();
        for (n, view) in self.views.iter().enumerate() {
            for &metric in &self.metrics {
                if let Some(text) = svg(&view.label, metric.axis(), self.lines(n, metric))? {
                    out.push((
                        names.make(&format!("{}__{}", view.name, metric.key()), "svg"),
                        text,
                    ));
                }
            }
        }
        Ok(out)
    }

    /// The curves of a view, by number.
    pub fn lines(&self, view: usize, metric: Metric) -> Vec<Line> {
        let view = &self.views[view];
        let rows = self.rows_of(view);
        let mut lines = Vec::new();
        for (style, curve) in self.curves().iter().enumerate() {
            let own = rows.iter().filter(|(r, _)| r.curve() == curve.name);
            let mut points: Vec<(f64, f64)> = own
                .filter_map(|(r, _)| Some((r.bpp, metric.on_axis(metric.of(r)?))))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            lines.push(Line {
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
            .filter(|p| view.compares(p) && shown(p))
        {
            let points = p.bpp.iter().copied().zip(p.psnr.iter().copied()).collect();
            let name = format!(
                "{}{}, published",
                p.name,
                if p.weak { " (weak)" } else { "" }
            );
            lines.push(Line {
                name,
                style: style(p),
                published: true,
                points,
            });
        }
        lines
    }
}
