//! Tables of BD-rates.

use super::markdown::{md, table_head, table_line};
use crate::bench::curves::{Curve, curves, sequences};
use crate::bench::metric::Metric;
use crate::bench::row::Row;
use ::nvc::error::{Error, Result};
use ::nvc::metrics::bd_rate::{Method, bd_rate};

/// Points of percent by which another method must differ to be told.
const METHODS_DIFFER: f64 = 1.0;
/// Common part of the shorter curve below which a note tells it.
const WELL_COVERED: f64 = 0.75;

/// BD-rates of all curves against one, in percent: negative where less rate is needed than the
/// anchor needs.
#[derive(Clone, Debug, PartialEq)]
pub struct BdTable {
    /// Name of the curve compared against.
    pub anchor: String,
    /// The quality held equal.
    pub metric: Metric,
    /// How curves are interpolated.
    pub method: Method,
    /// Columns.
    pub sequences: Vec<String>,
    /// Sequences that the means are over: those on which every curve that is defined anywhere is
    /// defined.
    pub common: Vec<String>,
    /// Rows, the anchor's own among them.
    pub lines: Vec<BdLine>,
    /// What the cells refer to, numbered from 1.
    pub notes: Vec<String>,
}

/// One curve of a [`BdTable`].
#[derive(Clone, Debug, PartialEq)]
pub struct BdLine {
    /// Name of the curve.
    pub curve: String,
    /// Whether its setting is a weak one.
    pub weak: bool,
    /// One a sequence.
    pub cells: Vec<Cell>,
    /// Mean over [`BdTable::common`].
    pub mean: Option<f64>,
}

/// A figure, or `n/a`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Percent of rate; `None` is `n/a`.
    pub percent: Option<f64>,
    /// Number of the note that belongs to it, from 1.
    pub note: Option<usize>,
}

impl Cell {
    /// The figure as printed.
    pub fn text(&self) -> String {
        percent(self.percent)
    }
}

/// A BD-rate as printed.
pub fn percent(value: Option<f64>) -> String {
    match value {
        // no -0.0
        Some(v) => format!("{:+.1} %", v)
            .replace("+0.0 %", "0.0 %")
            .replace("-0.0 %", "0.0 %"),
        None => "n/a".into(),
    }
}

impl BdTable {
    /// The table of `rows` against the curve named `anchor`, [`Error::Parameter`] where there is
    /// none of that name.
    pub fn new(rows: &[&Row], anchor: &str, metric: Metric, method: Method) -> Result<BdTable> {
        let curves = curves(rows);
        let Some(base) = curves.iter().find(|c| c.name == anchor) else {
            let names: Vec<&str> = curves.iter().map(|c| c.name.as_str()).collect();
            return Err(Error::Parameter(format!(
                "no curve is named '{anchor}' to compare against; there are: {}",
                names.join(", ")
            )));
        };
        let all = sequences(rows);
        let mut notes = Vec::new();
        let mut lines: Vec<BdLine> = curves
            .iter()
            .map(|c| {
                let cells = all
                    .iter()
                    .map(|s| cell(base, c, s, metric, method, &mut notes))
                    .collect();
                BdLine {
                    curve: c.name.clone(),
                    weak: c.weak,
                    cells,
                    mean: None,
                }
            })
            .collect();
        let defined = |l: &&BdLine| l.cells.iter().any(|c| c.percent.is_some());
        let common: Vec<usize> = (0..all.len())
            .filter(|&s| {
                lines.iter().any(|l| defined(&l))
                    && lines
                        .iter()
                        .filter(defined)
                        .all(|l| l.cells[s].percent.is_some())
            })
            .collect();
        for line in &mut lines {
            let values: Option<Vec<f64>> = common.iter().map(|&s| line.cells[s].percent).collect();
            line.mean = values
                .filter(|v| !v.is_empty())
                .map(|v| v.iter().sum::<f64>() / v.len() as f64);
        }
        let common = common.into_iter().map(|s| all[s].clone()).collect();
        Ok(BdTable {
            anchor: anchor.into(),
            metric,
            method,
            sequences: all,
            common,
            lines,
            notes,
        })
    }

    /// The table in Markdown, its notes below.
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "BD-rate against {} at equal {} ({}):\n\n",
            md(&self.anchor),
            self.metric.name(),
            self.method.name()
        );
        let heads: Vec<String> = self.sequences.iter().map(|s| md(s)).collect();
        let mean = format!("mean (n = {})", self.common.len());
        table_head(
            &mut out,
            &[&["curve".to_string()][..], &heads, &[mean]].concat(),
            1,
        );
        for line in &self.lines {
            let cells = line
                .cells
                .iter()
                .map(|c| c.text() + &c.note.map_or(String::new(), |n| format!(" \\[{n}\\]")));
            let label = md(&line.curve) + if line.weak { " (weak)" } else { "" };
            table_line(
                &mut out,
                [label].into_iter().chain(cells).chain([percent(line.mean)]),
            );
        }
        for (n, note) in self.notes.iter().enumerate() {
            out += &format!(
                "{}- \\[{}\\] {}\n",
                if n == 0 { "\n" } else { "" },
                n + 1,
                md(note)
            );
        }
        if self.common.len() < self.sequences.len() {
            let over = if self.common.is_empty() {
                "no sequence".into()
            } else {
                self.common.join(", ")
            };
            out += &format!(
                "\nThe mean is over sequences on which every curve with a figure has one: {}.\n",
                md(&over)
            );
        }
        out
    }
}

fn cell(
    anchor: &Curve,
    test: &Curve,
    sequence: &str,
    metric: Metric,
    method: Method,
    notes: &mut Vec<String>,
) -> Cell {
    let (value, note) = match compare(anchor, test, sequence, metric, method) {
        Ok((value, note)) => (Some(value), note),
        Err(why) => (None, Some(why)),
    };
    let note = note.map(|text| {
        notes.iter().position(|n| *n == text).unwrap_or_else(|| {
            notes.push(text);
            notes.len() - 1
        }) + 1
    });
    Cell {
        percent: value,
        note,
    }
}

/// The BD-rate and what is to be said of it, or why there is none.
fn compare(
    anchor: &Curve,
    test: &Curve,
    sequence: &str,
    metric: Metric,
    method: Method,
) -> std::result::Result<(f64, Option<String>), String> {
    let (a, t) = (anchor.on(sequence), test.on(sequence));
    for (curve, rows) in [(anchor, &a), (test, &t)] {
        if rows.is_empty() {
            return Err(format!("{} was not run on {sequence}", curve.name));
        }
    }
    let what = |r: &Row| (r.frames, r.width, r.height);
    let first = what(a[0]);
    if let Some(other) = a.iter().chain(&t).map(|r| what(r)).find(|w| *w != first) {
        let tell = |(frames, w, h): (u64, usize, usize)| format!("{frames} frames of {w}x{h}");
        return Err(format!(
            "the points on {sequence} are not of the same pictures: {} and {}",
            tell(first),
            tell(other)
        ));
    }
    let points = |curve: &Curve, rows: &[&Row]| -> std::result::Result<Vec<(f64, f64)>, String> {
        let point = |r: &&Row| metric.of(r).map(|q| (r.bpp, metric.on_axis(q)));
        let found: Vec<_> = rows.iter().filter_map(point).collect();
        if found.len() == rows.len() {
            return Ok(found);
        }
        let missing: Vec<&str> = rows
            .iter()
            .filter(|r| metric.of(r).is_none())
            .map(|r| r.point.as_str())
            .collect();
        Err(format!(
            "{} on {sequence} has no {} at {}",
            curve.name,
            metric.name(),
            missing.join(", ")
        ))
    };
    let (a, t) = (points(anchor, &a)?, points(test, &t)?);
    let bd = bd_rate(&a, &t, method).map_err(|why| {
        // name the curves, which the reader knows better than their parts in the comparison
        let text = why
            .to_string()
            .replace("the anchor", &anchor.name)
            .replace("the test", &test.name);
        format!("{sequence}: {text}")
    })?;
    let mut says = Vec::new();
    for other in Method::ALL.into_iter().filter(|m| *m != method) {
        if let Ok(o) = bd_rate(&a, &t, other)
            && (o.value - bd.value).abs() > METHODS_DIFFER
        {
            says.push(format!("{} by {}", percent(Some(o.value)), other.name()));
        }
    }
    if bd.covered < WELL_COVERED {
        says.push(format!(
            "the curves share {:.0} % of the shorter one",
            bd.covered * 100.0
        ));
    }
    let note =
        (!says.is_empty()).then(|| format!("{} on {sequence}: {}", test.name, says.join("; ")));
    Ok((bd.value, note))
}
