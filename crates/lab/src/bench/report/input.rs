//! What a report is made from.

use std::path::PathBuf;

use crate::bench::metric::Metric;
use crate::bench::row::Point;
use ::nvc::metrics::bd_rate::Method;

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
