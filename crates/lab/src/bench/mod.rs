//! The rate-distortion harness: a plan of sequences, codecs and points becomes files, figures,
//! tables and a report.

mod anchor;
pub mod compressai;
mod curves;
mod event;
mod expand;
mod geometry;
mod inputs;
mod jobs;
mod metric;
mod names;
mod nvc;
mod options;
mod plan;
mod process;
pub mod published;
pub mod report;
mod results;
mod row;
mod run;
mod sequence;
mod stats;
pub mod tables;
mod worker;

pub use curves::{AVERAGE, Curve, averages, curves, sequences};
pub use event::Event;
pub use metric::Metric;
pub use options::Options;
pub use plan::{CodecPlan, Plan, SequencePlan};
pub use results::{Finished, read_csv, write_results};
pub use row::{Bytes, Point, Progress, Row};
pub use run::{Outcome, run};
pub use sequence::Sequence;

pub use crate::files::sha256_file as file_digest;
