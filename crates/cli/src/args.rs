//! Arguments of all commands: the one definition that `--help` comes from.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use super::{parse_format, parse_frames, parse_ratio, parse_size};
use nvc::frame::{PixelFormat, Ratio};

#[cfg(feature = "encode")]
mod encode;
#[cfg(feature = "bench")]
mod harness;
#[cfg(feature = "encode")]
mod import;

#[cfg(feature = "encode")]
pub use encode::{EncodeArgs, ProgressArg};
#[cfg(feature = "bench")]
pub use harness::{BenchArgs, DatasetsArgs, DatasetsCommand, StoreArgs};
#[cfg(feature = "encode")]
pub use import::{ImportArgs, ImportFrom, ImportHnervArgs};

/// Name, version, features and processor, for `--version`.
pub fn version() -> String {
    let mut s = format!(
        "{} ({})\nbitstream format 1\nfeatures: decode",
        env!("CARGO_PKG_VERSION"),
        env!("NVC_COMMIT")
    );
    for (name, on) in [
        ("encode", cfg!(feature = "encode")),
        ("bench", cfg!(feature = "bench")),
        ("ffmpeg", cfg!(feature = "ffmpeg")),
        ("cuda", cfg!(feature = "cuda")),
    ] {
        if on {
            s += " ";
            s += name;
        }
    }
    s += &format!("\nprocessor: {}", nvc::synth::SimdLevel::detect().name());
    #[cfg(feature = "cuda")]
    {
        s += if nvc_encoder::fit::cuda_available() {
            "\ndevices: cpu (auto), cuda (slower than two processor cores so far)"
        } else {
            "\ndevices: cpu (no CUDA driver)"
        };
    }
    s
}

/// Neural video and image codec: fits a small network to each group of frames and codes it.
#[derive(Debug, Parser)]
#[command(name = "nvc", version = version(), arg_required_else_help = true)]
pub struct Nvc {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands of `nvc`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Encode a video or picture.
    #[cfg(feature = "encode")]
    Encode(Box<EncodeArgs>),
    /// Decode a file.
    Decode(NvcDecodeArgs),
    /// Show what a file holds.
    Info(InfoArgs),
    /// Check a file: CRCs, structure, full decode. Exit code 0, or 4 for a bad file.
    Verify(VerifyArgs),
    /// PSNR and MS-SSIM of one video against another.
    Compare(CompareArgs),
    /// Write the network of another program as a file of this format.
    #[cfg(feature = "encode")]
    Import(ImportArgs),
    /// Rate-distortion runs: a plan of sequences, codecs and points becomes figures, BD-rate tables
    /// and a report.
    #[cfg(feature = "bench")]
    Bench(BenchArgs),
    /// Test sequences by name: list, fetch, verify, path.
    #[cfg(feature = "bench")]
    Datasets(DatasetsArgs),
}

/// Arguments of `nvc decode`.
#[derive(Debug, Args)]
pub struct NvcDecodeArgs {
    /// Shared with nvc-decode.
    #[command(flatten)]
    pub common: DecodeArgs,
}

/// Decoder of .nvc files. The same file gives the same samples on every machine.
#[derive(Debug, Parser)]
#[command(name = "nvc-decode", version = version(), arg_required_else_help = true)]
pub struct NvcDecode {
    /// Shared with `nvc decode`.
    #[command(flatten)]
    pub common: DecodeArgs,
    /// Scoring.
    #[command(flatten)]
    pub score: ScoreArgs,
}

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

/// Arguments that say what a raw source is.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct SourceArgs {
    /// Width and height of raw .yuv input.
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub size_in: Option<(usize, usize)>,
    /// Pixel format of raw .yuv input: gray, yuv420p, yuv444p, gbrp, or with 10le (default
    /// yuv420p).
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    pub pix_fmt: Option<PixelFormat>,
    /// Frame rate of raw input and pictures, as 25 or 30000/1001 (default 25), and the one that
    /// --vfr-to-cfr gives.
    #[arg(long, value_name = "RATE", value_parser = parse_ratio)]
    pub fps: Option<Ratio>,
    /// Number of the first of numbered pictures (default: the lowest there is).
    #[arg(long, value_name = "N")]
    pub start_number: Option<u64>,
    /// Bring a variable frame rate to a constant one: pictures are repeated and dropped, the
    /// duration stays.
    #[arg(long)]
    pub vfr_to_cfr: bool,
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
    /// vvenc, avif..., each with :preset or :preset:tune.
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "score")]
    pub against: Vec<String>,
    /// Print one JSON object on stdout instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Geometry of a raw reference.
    #[command(flatten)]
    pub reference: SourceArgs,
}

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
