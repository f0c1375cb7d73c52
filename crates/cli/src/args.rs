//! Arguments of all commands: the one definition that `--help` comes from.

mod decode;
#[cfg(feature = "encode")]
mod encode;
#[cfg(feature = "bench")]
mod harness;
#[cfg(feature = "encode")]
mod import;
mod inspect;
mod source;

use clap::{Args, Parser};

pub use decode::{DecodeArgs, ScoreArgs, Simd};
#[cfg(feature = "encode")]
pub use encode::{EncodeArgs, ProgressArg};
#[cfg(feature = "bench")]
pub use harness::{BenchArgs, DatasetsArgs, DatasetsCommand, StoreArgs};
#[cfg(feature = "encode")]
pub use import::{ImportArgs, ImportFrom, ImportHnervArgs};
pub use inspect::{CompareArgs, InfoArgs, VerifyArgs};
pub use source::SourceArgs;

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
