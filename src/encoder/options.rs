//! What is asked of an encode.

use super::{Family, Knobs};
use crate::fit;
use crate::plan::Preset;

/// Size to reach.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Bits of the whole file for each luma sample of each frame.
    Bpp(f64),
    /// Bytes of the whole file; needs a source that knows its length.
    Bytes(u64),
    /// What the model size gives at [`crate::plan::MODEL_SIZE_BITS`] bits a parameter.
    Natural,
    /// [`crate::metrics::Scores::quality`] of the whole file, dB; the size follows.
    Psnr(f64),
    /// Quality at which a bit more is worth as much squared error as x264 takes it for at this quantiser; the size follows.
    Crf(f64),
}

/// What to encode to, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Representation.
    pub family: Family,
    /// What of each family's network is chosen.
    pub knobs: Knobs,
    /// Size to reach.
    pub target: Target,
    /// Parameters of the network and latents of each group; chosen from the target if not given.
    pub model_size: Option<f64>,
    /// Effort.
    pub preset: Preset,
    /// Optimiser steps of each group; from the preset if not given.
    pub steps: Option<usize>,
    /// Passes over the frames of a group, in place of the preset's.
    pub passes: Option<usize>,
    /// Frames of a group; chosen if not given.
    pub group: Option<usize>,
    /// Groups of a section, of which each starts from the one before; chosen if not given.
    pub section: Option<usize>,
    /// Gain of a step, dB, below which a group that starts from the one before ends.
    pub least_gain: f64,
    /// Frames a step.
    pub batch: usize,
    /// Peak learning rate; the family's own if not given.
    pub learning_rate: Option<f64>,
    /// What trains the hidden kernels.
    pub optimiser: fit::Optimiser,
    /// Share of the steps before quantisation starts.
    pub float_share: f64,
    /// Whether the loss holds the rate.
    pub rate: bool,
    /// Bits of each parameter after the last step, instead of a size to reach.
    pub weight_bits: Option<u8>,
    /// Distortion to minimise.
    pub loss: fit::Loss,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Threads, 0 = one a processor. Does not change the result.
    pub threads: usize,
    /// Where to fit.
    pub device: fit::Device,
    /// Floating point of the activations while fitting.
    pub precision: fit::Precision,
    /// Sections fitted at once, 0 = as many as fill the device. Does not change the result.
    pub jobs: usize,
}
