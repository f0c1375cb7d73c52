//! The rate-distortion harness: a plan of sequences, codecs and points becomes files, figures, tables and a report.

mod row;

pub use row::{Bytes, Point, Progress, Row};
