//! Arguments of `nvc decode` and `nvc-decode`.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::source::SourceArgs;
use crate::parse::{parse_frames, parse_scale};

/// Which instructions to decode with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Simd {
    /// The best the processor has.
    Auto,
    /// Portable code.
    Off,
    /// SSE2.
    Sse2,
    /// AVX2.
    Avx2,
    /// AVX-512 with its 16-bit instructions.
    Avx512,
    /// AVX-512 VNNI.
    Vnni,
    /// The specification's arithmetic, op by op; slow.
    Reference,
}

/// Arguments of decoding.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// File to decode; - is stdin.
    pub input: PathBuf,
    /// Where frames go: FILE.y4m, FILE.yuv, FILE.png, f_%05d.png, - (y4m on stdout) or null:
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Frames to give out, half open, as 0..48.
    #[arg(long, value_name = "A..B", value_parser = parse_frames)]
    pub frames: Option<Range<u64>>,
    /// Output format, whatever the name says: y4m, yuv, png, jpg, md5 or null.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Frames computed at once; 0 = one a processor. Does not change the samples.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Instructions to use. Does not change the samples.
    #[arg(long, value_enum, default_value_t = Simd::Auto)]
    pub simd: Simd,
    /// Smaller pictures, from the coarser grids of a pyramid alone: 1/2, 1/4 and so on.
    #[arg(long, value_name = "1/N", value_parser = parse_scale, default_value = "1")]
    pub scale: u8,
    /// Overwrite the output.
    #[arg(short = 'y', long)]
    pub overwrite: bool,
}

/// Arguments of scoring.
#[derive(Debug, Args)]
#[command(next_help_heading = "Scoring")]
pub struct ScoreArgs {
    /// Score the decoded frames against this source.
    #[arg(long, value_name = "REF")]
    pub score: Option<PathBuf>,
    /// Encode the reference with these at the same bpp and score them too: x264, x265, svtav1,
    /// vvenc, avif:444, jpeg:420, webp..., each with :preset or :preset:tune (docs/anchors.md).
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "score")]
    pub against: Vec<String>,
    /// Print one JSON object on stdout instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Geometry of a raw reference.
    #[command(flatten)]
    pub reference: SourceArgs,
}
