//! The page: everything that stands in it without a script. Its text is in `assets/`.

use askama::Template;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::content::{Content, Kind};
use super::data;
use super::input::ReportInput;
use super::pictures::{Picture, Pictures};
use crate::bench::published::{Dataset, Published, uvg};
use crate::bench::row::{Bytes, Row};
use crate::bench::tables::{self, BdTable, Column, point_columns};
use ::nvc::error::{Error, Result};

/// The whole file.
pub fn page(content: &Content, plots: &[(String, String)], pictures: &Pictures) -> Result<String> {
    let input = content.input;
    let page = Page {
        content,
        input,
        css: include_str!("assets/report.css"),
        js: include_str!("assets/report.js"),
        data: data::script_json(content, pictures),
        version: env!("CARGO_PKG_VERSION"),
        description: input.description.trim(),
        plots,
        pictures,
        bd_tables: bd_tables(content),
        bits: bits(content),
        rows: &content.rows,
        columns: point_columns(&content.rows),
        published: input.published.then(uvg),
    };
    page.render()
        .map_err(|e| Error::Unsupported(format!("writing the report: {e}")))
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    content: &'a Content<'a>,
    input: &'a ReportInput<'a>,
    css: &'static str,
    js: &'static str,
    data: String,
    version: &'static str,
    description: &'a str,
    /// Names of files, and SVG texts.
    plots: &'a [(String, String)],
    pictures: &'a Pictures,
    bd_tables: Result<Vec<BdTable>>,
    bits: Vec<SequenceBits<'a>>,
    rows: &'a [&'a Row],
    columns: Vec<Column>,
    published: Option<&'static Dataset>,
}

/// The files of a sequence that have parts.
struct SequenceBits<'a> {
    /// Number of the view.
    view: usize,
    name: &'a str,
    files: Vec<FileBits<'a>>,
    /// Bytes of the largest.
    most: u64,
}

struct FileBits<'a> {
    row: &'a Row,
    bytes: Bytes,
}

impl FileBits<'_> {
    fn parts(&self) -> [(&'static str, u64); 3] {
        let b = &self.bytes;
        [
            ("header", b.header),
            ("weights", b.weights),
            ("latents", b.latents),
        ]
    }

    fn total(&self) -> u64 {
        self.parts()
            .iter()
            .fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes))
    }
}

fn bits<'a>(content: &'a Content<'a>) -> Vec<SequenceBits<'a>> {
    let views = content.views.iter().enumerate();
    views
        .filter(|(_, v)| v.kind == Kind::Sequence)
        .filter_map(|(number, view)| {
            let files: Vec<FileBits> = content
                .rows_of(view)
                .into_iter()
                .filter_map(|(row, p)| {
                    let bytes = p?.parts?;
                    Some(FileBits { row, bytes })
                })
                .filter(|f| f.total() > 0)
                .collect();
            Some(SequenceBits {
                view: number,
                name: &view.name,
                most: files.iter().map(FileBits::total).max()?,
                files,
            })
        })
        .collect()
}

/// A table of each metric that a point has; none where there is no anchor.
fn bd_tables(content: &Content) -> Result<Vec<BdTable>> {
    let input = content.input;
    content
        .metrics
        .iter()
        .filter(|m| content.rows.iter().any(|r| m.of(r).is_some()))
        .map(|m| BdTable::new(&content.rows, input.anchor, *m, input.method))
        .collect()
}

/// What the text asks for.
impl Page<'_> {
    /// Ids and headings of the sections that there are.
    fn sections(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let pictures = !(self.pictures.shown.is_empty() && self.pictures.beside.is_empty());
        [
            ("bd", "BD-rate", true),
            ("curves", "Rate and quality", true),
            ("bits", "Bits by part", !self.bits.is_empty()),
            ("pictures", "Decoded frames", pictures),
            ("points", "All points", true),
            ("published", "Published points", self.published.is_some()),
            ("definitions", "What the figures are", true),
        ]
        .into_iter()
        .filter(|s| s.2)
        .map(|(id, name, _)| (id, name))
    }

    /// Class of a BD-rate.
    fn sign(&self, percent: &Option<f64>) -> &'static str {
        match *percent {
            Some(v) if v < -0.05 => "less",
            Some(v) if v > 0.05 => "more",
            Some(_) => "",
            None => "na",
        }
    }

    fn percent(&self, value: &Option<f64>) -> String {
        tables::percent(*value)
    }

    fn percent_of(&self, part: &u64, all: &u64) -> f64 {
        *part as f64 * 100.0 / *all as f64
    }

    fn size(&self, bytes: &u64) -> String {
        match *bytes {
            b @ 0..10_000 => format!("{b} B"),
            b @ 10_000..10_000_000 => format!("{:.1} kB", b as f64 / 1e3),
            b => format!("{:.1} MB", b as f64 / 1e6),
        }
    }

    fn base64(&self, picture: &Picture) -> String {
        BASE64_STANDARD.encode(&picture.png)
    }

    fn is_text(&self, head: &str) -> bool {
        tables::is_text(head)
    }

    /// Version and commit.
    fn built_from(&self, row: &Row) -> String {
        let known = [row.version.as_str(), &row.git];
        let known: Vec<&str> = known.into_iter().filter(|t| !t.is_empty()).collect();
        known.join(", ")
    }

    fn or_unknown<'t>(&self, device: &'t str) -> &'t str {
        if device.is_empty() {
            "an unknown device"
        } else {
            device
        }
    }

    /// The table that a published curve was taken from.
    fn table_of<'t>(&self, data: &'t Dataset, curve: &Published) -> &'t str {
        let source = data.sources.get(&curve.source);
        source.map_or("", |s| s.title.split(',').next().unwrap_or(""))
    }

    fn definitions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let metrics = self.content.metrics.iter();
        metrics
            .map(|m| (m.name(), m.definition()))
            .chain(OTHER_DEFINITIONS.iter().copied())
    }
}

/// What figures are beside the metrics.
const OTHER_DEFINITIONS: &[(&str, &str)] = &[
    (
        "bpp",
        "Bits of the file over luma samples of all coded frames. The file is the whole one of nvc and of still-picture codecs, the \
             elementary stream without the encoder's own description elsewhere.",
    ),
    (
        "BD-rate",
        "Mean difference of the logarithm of the rate at equal quality, as percent (Bjøntegaard). Exact integrals of the interpolants \
             over the qualities that both curves reach, never beyond; n/a with its reason where those are less than half of the shorter \
             curve's, or a curve has too few points or does not rise. A note tells where another interpolation differs by more than a point.",
    ),
    (
        "enc s",
        "Wall-clock seconds of encoding all frames on the device that the point's details name.",
    ),
    ("dec fps", "Frames over wall-clock seconds of decoding."),
    (
        "(weak)",
        "A setting that the encoder's own authors would not use to compress well: one from the literature, such as no B-frames, or a \
             preset made for speed alone.",
    ),
];
