//! Arguments of `nvc encode`.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SourceArgs;
use crate::{parse_frames, parse_scaled};

/// Representations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchArg {
    /// The one that a short trial on the first frames finds best.
    Auto,
    /// Hybrid neural representation: embeddings and a convolutional decoder.
    Hnerv,
    /// Positional code of the frame and a convolutional decoder.
    Nerv,
    /// The same with residual blocks of separable convolutions.
    Nervpp,
    /// Sine network of patches; each group starts from the one before.
    Nirvana,
}

/// Effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresetArg {
    /// 8 passes over the frames of a group.
    Ultrafast,
    /// 25 passes.
    Fast,
    /// 75 passes.
    Medium,
    /// 250 passes.
    Slow,
    /// 1000 passes.
    Veryslow,
}

/// Distortions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossArg {
    /// Mean squared error.
    L2,
    /// 0.7 L1 + 0.3 (1 - SSIM).
    Fusion6,
}

/// What trains the hidden kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserArg {
    /// Momentum made orthogonal: several times faster.
    Muon,
    /// Adam, as published fits; wants a learning rate near 0.001.
    Adam,
}

/// Floating point of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionArg {
    /// 32 bits.
    F32,
    /// 16 bits; parameters, loss and optimiser keep 32. For GPUs: on a CPU it is slower.
    F16,
}

/// Progress on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressArg {
    /// A bar on a terminal, a line now and then elsewhere.
    Auto,
    /// A bar.
    Bar,
    /// One JSON object a line, on stderr.
    Json,
    /// Nothing.
    Off,
}

/// Arguments of `nvc encode`.
#[derive(Clone, Debug, Args)]
pub struct EncodeArgs {
    /// Video or picture; - is y4m on stdin.
    pub input: PathBuf,
    /// File to write; - is stdout, null: is nowhere.
    #[arg(short, long, value_name = "OUT.nvc")]
    pub output: PathBuf,
    /// Encode what comes before damage in the source, instead of nothing.
    #[arg(long)]
    pub keep_going: bool,
    /// Frames of the source to encode, half open, as 0..48.
    #[arg(long, value_name = "A..B", value_parser = parse_frames)]
    pub frames: Option<Range<u64>>,
    /// Overwrite outputs.
    #[arg(short = 'y', long)]
    pub overwrite: bool,

    /// Quality by what a bit is worth, 0 to 63, on x264's scale: the size follows, and hard parts
    /// get more (default 36 unless another of these is given).
    #[arg(long, value_name = "Q", help_heading = "Size or quality", conflicts_with_all = ["size", "bitrate", "bpp", "psnr"])]
    pub crf: Option<f64>,
    /// Quality as PSNR, 10 to 70 dB, mean over frames: 6:1:1, RGB of RGB sources, Y of gray ones.
    #[arg(long, value_name = "DB", help_heading = "Size or quality", conflicts_with_all = ["size", "bitrate", "bpp"])]
    pub psnr: Option<f64>,
    /// Size as bits of the whole file for each luma sample of each frame.
    #[arg(long, value_name = "BPP", help_heading = "Size or quality", conflicts_with_all = ["size", "bitrate"])]
    pub bpp: Option<f64>,
    /// Size of the whole file in bytes, as 500k; the source must know its length.
    #[arg(long, value_name = "BYTES", help_heading = "Size or quality", value_parser = parse_scaled, conflicts_with = "bitrate")]
    pub size: Option<f64>,
    /// Size in bits a second, as 300k; the source must know its frame rate.
    #[arg(long, value_name = "RATE", help_heading = "Size or quality", value_parser = parse_scaled)]
    pub bitrate: Option<f64>,
    /// Parameters of each group's network and latents, as 1.5M (default: from the size, at 4.2 bits
    /// each).
    #[arg(long, value_name = "PARAMS", help_heading = "Size or quality", value_parser = parse_scaled)]
    pub model_size: Option<f64>,

    /// Representation (default auto).
    #[arg(long, value_enum, help_heading = "Fitting")]
    pub arch: Option<ArchArg>,
    /// Choices for all options of fitting and for the networks.
    #[arg(long, value_name = "FILE|NAME", help_heading = "Fitting", help = crate::config::help())]
    pub config: Option<String>,
    /// Effort (default medium).
    #[arg(long, value_enum, help_heading = "Fitting")]
    pub preset: Option<PresetArg>,
    /// Passes over the frames of each group, 1 to 1000000, in place of the preset's.
    #[arg(
        long,
        value_name = "N",
        help_heading = "Fitting",
        conflicts_with = "steps"
    )]
    pub passes: Option<usize>,
    /// Optimiser steps of each group (default: from the preset).
    #[arg(long, value_name = "N", help_heading = "Fitting")]
    pub steps: Option<usize>,
    /// Passes a step, 1 to 64: frames, or whole groups of nirvana (default 1).
    #[arg(long, value_name = "N", help_heading = "Fitting")]
    pub batch: Option<usize>,
    /// Peak learning rate, above 0, at most 1 (default 0.015 for hnerv, 0.03 for nerv, 0.012 for
    /// nervpp, 0.06 for nirvana).
    #[arg(long, value_name = "RATE", help_heading = "Fitting")]
    pub lr: Option<f64>,
    /// What trains the hidden kernels (default muon).
    #[arg(long, value_enum, help_heading = "Fitting")]
    pub optimiser: Option<OptimiserArg>,
    /// Share of the steps before quantisation starts, 0 to 1 (default 0.4); at 1 the network is
    /// quantised after its last step.
    #[arg(long, value_name = "SHARE", help_heading = "Fitting")]
    pub float_share: Option<f64>,
    /// Leave the rate out of the loss: quantisation steps alone bring the size.
    #[arg(long, help_heading = "Fitting")]
    pub no_rate: bool,
    /// Quantise each parameter to this many bits, 2 to 12, after the last step, as published codecs
    /// do; --bpp or --model-size sizes the network, and the file comes out smaller.
    #[arg(long, value_name = "BITS", help_heading = "Fitting", conflicts_with_all = ["size", "bitrate", "psnr", "crf", "float_share"])]
    pub weight_bits: Option<usize>,
    /// Distortion to minimise (default l2).
    #[arg(long, value_enum, help_heading = "Fitting")]
    pub loss: Option<LossArg>,
    /// Frames of a group, or auto: 3 for nirvana, else up to 132, as equal as can be (default
    /// auto).
    #[arg(long, value_name = "N|auto", help_heading = "Fitting")]
    pub group: Option<String>,
    /// Groups of a section, the unit of random access, or auto: up to 132 frames for nirvana, whose
    /// groups each start from the one before; else 1 (default auto).
    #[arg(long, value_name = "N|auto", help_heading = "Fitting")]
    pub section: Option<String>,
    /// Gain of a step, dB, below which a group that starts from the one before ends (default
    /// 0.001).
    #[arg(long, value_name = "DB", help_heading = "Fitting")]
    pub min_gain: Option<f64>,
    /// Seed of all random numbers (default 0). The same seed gives the same file on the same
    /// machine.
    #[arg(long, value_name = "N", help_heading = "Fitting")]
    pub seed: Option<u64>,
    /// Where to fit: auto (the CPU), cpu, cuda or cuda:N.
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "auto",
        help_heading = "Fitting"
    )]
    pub device: String,
    /// Floating point of the network's activations while it is fitted (default f32).
    #[arg(long, value_enum, help_heading = "Fitting")]
    pub precision: Option<PrecisionArg>,
    /// Threads; 0 = one a processor. Does not change the file.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Fitting")]
    pub threads: usize,
    /// Sections fitted at once; 0 = as many as fill the machine. Does not change the file; each
    /// takes memory of its own.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Fitting")]
    pub jobs: usize,

    /// Write the decoded frames here, as a decoder will give them.
    #[arg(long, value_name = "OUT", help_heading = "Reports")]
    pub recon: Option<PathBuf>,
    /// Write statistics here, one JSON object a line (docs/stats.md).
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub stats: Option<PathBuf>,
    /// Progress on stderr.
    #[arg(long, value_enum, default_value_t = ProgressArg::Auto, help_heading = "Reports")]
    pub progress: ProgressArg,
    /// Stop as on Ctrl-C when stdin ends: what a program that starts this one holds open ends with
    /// it.
    #[arg(long, help_heading = "Reports")]
    pub end_with_stdin: bool,
    /// Print errors and warnings only.
    #[arg(short, long, help_heading = "Reports")]
    pub quiet: bool,

    /// Geometry of raw input.
    #[command(flatten)]
    pub source: SourceArgs,
}
