//! Fitting: the burn executor of a graph, trained on the frames of one group.
//!
//! Nothing of burn crosses this module's border: a [`Job`] goes in, the group's integers come out.

mod adam;
mod control;
mod convnext;
mod frames;
pub mod kernels;
mod muon;
mod net;
pub mod ops;
mod quality;
mod quant;
mod rounds;
mod schedule;
mod target;
#[cfg(test)]
mod tests;
mod train;

pub use quality::{OCTAVE, QualityTarget};

use nvc::entropy::tensor::{QuantizedNetwork, Syntax};
use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};
use nvc::group::{self, Group};
use nvc::network::Arch;
use nvc::network::Graph;

/// What to compute on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// A GPU if this build and machine have one, else the CPU.
    #[default]
    Auto,
    /// burn-flex.
    Cpu,
    /// The CUDA device of this index.
    Cuda(usize),
}

impl Device {
    /// The device that is meant: `Auto` is the CPU, until a GPU is measured to be faster
    /// (docs/gpu.md).
    pub fn resolve(self) -> Device {
        match self {
            Device::Auto => Device::Cpu,
            d => d,
        }
    }
}

impl std::str::FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let index = |text: &str| text.strip_prefix("cuda:").and_then(|n| n.parse().ok());
        match text {
            "auto" => Ok(Device::Auto),
            "cpu" => Ok(Device::Cpu),
            "cuda" => Ok(Device::Cuda(0)),
            _ => index(text)
                .map(Device::Cuda)
                .ok_or_else(|| format!("'{text}' is no device (allowed: auto, cpu, cuda, cuda:N)")),
        }
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Device::Auto => write!(f, "auto"),
            Device::Cpu => write!(f, "cpu"),
            Device::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// Distortion that is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Mean squared error.
    L2,
    /// 0.7 L1 + 0.3 (1 - SSIM).
    Fusion6,
}

/// Floating point of the network's activations while it is fitted. Parameters, loss and optimiser
/// are 32-bit always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    #[cfg_attr(feature = "clap", value(name = "f32"))]
    #[serde(rename = "f32")]
    Full,
    /// 16 bits; parameters, loss and optimiser keep 32. For GPUs: on a CPU it is slower.
    #[cfg_attr(feature = "clap", value(name = "f16"))]
    #[serde(rename = "f16")]
    Half,
}

/// What trains the hidden kernels; everything else is Adam's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Momentum made orthogonal: several times faster.
    #[default]
    Muon,
    /// Adam, as published fits; wants a learning rate near 0.001.
    Adam,
}

/// Share of a fit's steps before quantisation starts, unless asked otherwise.
pub const FLOAT_SHARE: f64 = 0.4;

/// Whether a fit may give way to one of another network: by default never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resize {
    /// As soon as it is foreseen, not only when it has ended.
    pub early: bool,
    /// There are smaller networks.
    pub smaller: bool,
    /// There are larger ones.
    pub larger: bool,
}

impl Resize {
    /// Whether there is a network for a fit that has `spare` dB more than wanted.
    pub fn helps(self, spare: f64) -> bool {
        if spare < 0.0 {
            self.larger
        } else {
            self.smaller
        }
    }
}

/// How long and how to fit.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Optimiser steps.
    pub steps: usize,
    /// Frames a step.
    pub batch: usize,
    /// Adam's peak learning rate for the network.
    pub learning_rate: f64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Distortion.
    pub loss: Loss,
    /// Where to compute.
    pub device: Device,
    /// Floating point of the activations.
    pub precision: Precision,
    /// What trains the hidden kernels.
    pub optimiser: Optimiser,
    /// Share of the steps before quantisation starts; at 1 the network is quantised after its last
    /// step.
    pub float_share: f64,
    /// Whether the loss holds the rate; else the steps alone bring the size.
    pub rate: bool,
    /// Bits of every value instead of a size: steps by the largest magnitude of each tensor, after
    /// the last step.
    pub weight_bits: Option<u8>,
}

/// Bytes of frames kept on a device with memory of its own; frames beyond are sent there when they
/// are needed.
#[cfg(feature = "cuda")]
const RESIDENT: usize = 4 << 30;

/// Bytes of activations that a step on the CPU keeps for its gradients. Beyond, those that follow
/// from others by a pixel shuffle and a nonlinearity are computed again instead, which halves the
/// memory and changes no bit.
const KEEP_BYTES: u64 = 256 << 20;

/// One group to fit.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// Pictures' geometry and format.
    pub info: &'a VideoInfo,
    /// The group's frames.
    pub frames: &'a [Frame],
    /// Representation and its sizes.
    pub arch: &'a Arch,
    /// Bytes wanted for weights and latents together; what a fit by quality starts from.
    pub target_bytes: f64,
    /// Quality wanted, if the bytes shall follow from it.
    pub goal: Option<QualityTarget>,
    /// Whether another network may be tried where this one has the wrong size for the goal.
    pub resize: Resize,
    /// The network of the group before in the section, after which this one's is coded.
    pub previous: Option<&'a QuantizedNetwork>,
    /// What to start from, and when to stop.
    pub warm: Option<Warm<'a>>,
    /// How to fit.
    pub settings: Settings,
}

/// A start from the network of the group before (NIRVANA section 3.3).
#[derive(Clone, Copy)]
pub struct Warm<'a> {
    /// That network, [`Job::previous`].
    pub network: &'a QuantizedNetwork,
    /// PSNR at which the fit may end, dB, as [`Fitted::float_psnr`].
    pub quality: f64,
    /// Gain of a step, dB, below which it ends anyhow.
    pub least_gain: f64,
    /// Bytes that it may take at most, where it needs more than others for that quality.
    pub most_bytes: f64,
}

impl<'a> Job<'a> {
    /// How the network will be coded.
    pub fn syntax(&self) -> Syntax<'a> {
        group::syntax(self.arch, self.previous)
    }

    /// The graph to fit.
    pub fn graph(&self) -> Result<Graph> {
        Ok(self.arch.lower(self.info, self.frames.len())?)
    }
}

/// State of a running fit.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all; at most, where a fit ends by its quality.
    pub steps: usize,
    /// PSNR of the running mean of the weighted squared error, float network, dB.
    pub psnr: f64,
    /// Coded size at the last measurement, bytes; `None` before quantisation starts.
    pub bytes: Option<f64>,
}

/// Is told how a fit goes, and may stop it.
pub trait Observer {
    /// After every step.
    fn progress(&mut self, progress: &Progress);
    /// Polled after every step; `true` ends the fit with [`Error::Interrupted`].
    fn stop(&self) -> bool {
        false
    }
}

/// Share of plane `p` in the distortion.
pub fn plane_weight(chroma: nvc::frame::Chroma, p: usize) -> f64 {
    target::weight(chroma, p).into()
}

/// A fitted group.
pub struct Fitted {
    /// The integers to code.
    pub group: Group,
    /// PSNR of the quantised network in float arithmetic, activations kept to the ranges of the
    /// group's fraction bits, over all planes (weighted as in the loss), after rounding to samples,
    /// dB: what exact decoding is compared with.
    pub float_psnr: f64,
    /// Mean over frames of the frame's PSNR, dB, as [`nvc::metrics::frame_quality`] has it,
    /// likewise.
    pub quality: f64,
    /// Bytes it was to have.
    pub target_bytes: f64,
    /// Optimiser steps taken.
    pub steps: usize,
    /// PSNR less that wanted as the network would have it, dB, where another is needed: coarser
    /// steps may have hidden that.
    pub far: Option<f64>,
}

/// Why a fit by quality ended early.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Misfit {
    /// PSNR foreseen for the network at its bytes, less that wanted, dB.
    pub spare: f64,
    /// Share of the steps that it took.
    pub done: f64,
}

/// How a fit ended.
pub enum Outcome {
    /// With a group to code.
    Fitted(Box<Fitted>),
    /// Early: another network is needed.
    Misfit(Misfit),
}

/// Bytes that groups fitted at once may take together, by [`groups_at_once`]'s estimate.
const AT_ONCE_BYTES: u64 = 4 << 30;

/// How many groups of `graph` to fit at once so that `device` is filled: small networks leave most
/// of a machine idle. One thread a group where there are groups enough is the best use of
/// processors; on a GPU, steps that are too short to fill it.
pub fn groups_at_once(graph: &Graph, batch: usize, device: Device, threads: usize) -> usize {
    /// Multiply-accumulates of a step, forward, below which a large GPU waits for the host more
    /// than it computes.
    const SHORT_STEP: u64 = 20_000_000_000;
    let batch = batch as u64;
    // activations before and after each nonlinearity, and gradients of about as many
    let bytes = graph.activations().saturating_mul(batch * 4 * 2).max(1);
    let most = match device.resolve() {
        Device::Cuda(_) => 1 + SHORT_STEP / graph.macs().saturating_mul(batch).max(SHORT_STEP / 3),
        _ => threads as u64,
    };
    most.min(AT_ONCE_BYTES / bytes).max(1) as usize
}

/// May improve the fraction bits of activations of a group's integers before the fit is judged.
pub type Refine<'a> = &'a mut dyn FnMut(&mut Group) -> Result<()>;

/// Fits one group.
pub fn fit(job: &Job<'_>, refine: Refine<'_>, observer: &mut dyn Observer) -> Result<Outcome> {
    use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
    use burn::backend::{Autodiff, Flex};
    match job.settings.device.resolve() {
        #[cfg(feature = "cuda")]
        Device::Cuda(index) => {
            if !cuda_available() {
                return Err(Error::Device(format!(
                    "cuda:{index}: no CUDA driver on this machine"
                )));
            }
            type Cuda = burn::backend::Autodiff<burn_cuda::Cuda>;
            let memory = train::Memory {
                resident: RESIDENT,
                look_every: 32,
            };
            train::run::<Cuda>(
                job,
                &burn_cuda::CudaDevice::new(index),
                memory,
                refine,
                observer,
            )
        }
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(index) => Err(Error::Device(format!(
            "cuda:{index}: this build has no CUDA support (cargo feature 'cuda')"
        ))),
        Device::Auto | Device::Cpu => {
            let memory = train::Memory {
                resident: 0,
                look_every: 1,
            };
            let graph = job.graph()?;
            let kept = graph
                .activations()
                .saturating_mul(4 * job.settings.batch as u64);
            let fitted = if kept > KEEP_BYTES {
                train::run::<Autodiff<Flex, BalancedCheckpointing>>(
                    job,
                    &Default::default(),
                    memory,
                    refine,
                    observer,
                )
            } else {
                train::run::<Autodiff<Flex>>(job, &Default::default(), memory, refine, observer)
            };
            // the next group's shapes may differ
            ops::release();
            fitted
        }
    }
}

/// Whether this machine has an NVIDIA device and its driver library. Looks at files only: burn's
/// runtime panics where there is none.
#[cfg(feature = "cuda")]
pub fn cuda_available() -> bool {
    use std::path::Path;
    let device = ["/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg"]
        .iter()
        .any(|p| Path::new(p).exists());
    let from_environment = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/nvidia/lib64",
        "/usr/lib/wsl/lib",
    ];
    let driver = from_environment
        .split(':')
        .chain(usual)
        .any(|d| Path::new(d).join("libcuda.so.1").exists());
    device && driver
}
