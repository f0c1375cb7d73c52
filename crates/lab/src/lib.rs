//! Rate-distortion measurements: other codecs at the same size, test sequences by name, plans, runs
//! and reports.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod anchors;
#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "bench")]
pub mod datasets;
#[cfg(feature = "bench")]
mod files;
mod memo;
mod program;
mod scores;

pub use scores::scores_json;

#[cfg(test)]
#[path = "../../media/tests/support/mod.rs"]
mod support;
