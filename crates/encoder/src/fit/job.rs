//! A group to fit, and what comes of it.

use super::quality_target::QualityTarget;
use super::settings::Settings;
use nvc::entropy::tensor::{QuantizedNetwork, Syntax};
use nvc::error::Result;
use nvc::frame::{Frame, VideoInfo};
use nvc::group::{self, Group};
use nvc::network::{Arch, Graph};

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
    /// Polled after every step; `true` ends the fit with
    /// [`Error::Interrupted`](nvc::Error::Interrupted).
    fn stop(&self) -> bool {
        false
    }
}

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

/// May improve the fraction bits of activations of a group's integers before the fit is judged.
pub type Refine<'a> = &'a mut dyn FnMut(&mut Group) -> Result<()>;
