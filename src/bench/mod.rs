//! The rate-distortion harness: a plan of sequences, codecs and points becomes files, figures, tables and a report.

pub mod compressai;
mod curves;
mod metric;
pub mod published;
pub mod report;
mod row;
pub mod tables;

pub use curves::{AVERAGE, Curve, averages, curves, sequences};
pub use metric::Metric;
pub use row::{Bytes, Point, Progress, Row};
