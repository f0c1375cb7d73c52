//! Arguments of `nvc info`, `nvc verify` and `nvc compare`.

use std::ops::Range;
use std::path::PathBuf;

use clap::Args;

use super::source::SourceArgs;
use crate::parse::parse_frames;

/// Arguments of `nvc info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// File to look at; - is stdin.
    pub input: PathBuf,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `nvc verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// File to check; - is stdin.
    pub input: PathBuf,
    /// Frames computed at once; 0 = one a processor.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
}

/// Arguments of `nvc compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Reference.
    pub reference: PathBuf,
    /// What to compare with it.
    pub distorted: PathBuf,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
    /// Frames of both to compare, half open, as 0..48.
    #[arg(long, value_name = "A..B", value_parser = parse_frames)]
    pub frames: Option<Range<u64>>,
    /// Geometry, if either is raw.
    #[command(flatten)]
    pub source: SourceArgs,
}
