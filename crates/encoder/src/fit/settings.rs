//! How to fit.

/// What to compute on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The CPU, until a GPU is measured to be faster (docs/gpu.md).
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
