//! The rate-distortion harness: a plan of sequences, codecs and points becomes files, figures,
//! tables and a report.

mod anchor;
pub mod compressai;
mod curves;
mod jobs;
mod metric;
mod nvc;
mod plan;
mod process;
pub mod published;
pub mod report;
mod results;
mod row;
mod run;
mod sequence;
pub mod tables;

pub use curves::{AVERAGE, Curve, averages, curves, sequences};
pub use jobs::file_digest;
pub use metric::Metric;
pub use plan::{CodecPlan, Plan, SequencePlan};
pub use results::{Finished, read_csv, write_results};
pub use row::{Bytes, Point, Progress, Row};
pub use run::{Event, Options, Outcome, run};
pub use sequence::Sequence;

/// A name that is safe as a file's: letters, digits, `.`, `-` and `_`.
fn file_name(text: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
            c
        } else {
            '-'
        }
    };
    text.chars()
        .map(safe)
        .collect::<String>()
        .trim_start_matches('.')
        .to_string()
}
