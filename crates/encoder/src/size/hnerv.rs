//! How large an HNeRV for a picture: the published size rule.

use super::strides::{StridePlan, check_count, check_strides, stride_plan, unfit};
use nvc::bitstream::header::{HnervHeader, HnervStage};
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc::network::Representation;
use nvc::network::hnerv::Hnerv;

/// What of an HNeRV is chosen; the rest follows from picture and size. The defaults are the
/// published ones.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct HnervConfig {
    /// Upsampling factors (default: from the picture).
    pub strides: Option<Vec<u32>>,
    /// Channels of a frame's latent (default: about 128 values a frame, at most 16 channels).
    pub latent_channels: Option<u32>,
    /// Channels after the stem (default: from the size).
    pub stem_channels: Option<u32>,
    /// Channels shrink by this factor from stage to stage (`--reduce`).
    pub reduce: f64,
    /// No stage has fewer channels (`--lower_width`; default: the published 12, fewer where they
    /// are too many for the size).
    pub min_channels: Option<u32>,
    /// Kernel size of stage `i` is `min(kernels[0] + 2 i, kernels[1])` (`--ks`).
    pub kernels: [u32; 2],
    /// Kernel size of the output convolutions.
    pub head_kernel: u32,
    /// The published output: a tanh.
    pub tanh: bool,
}

impl Default for HnervConfig {
    fn default() -> Self {
        HnervConfig {
            strides: None,
            latent_channels: None,
            stem_channels: None,
            reduce: 1.2,
            min_channels: None,
            kernels: [1, 5],
            head_kernel: 3,
            tanh: false,
        }
    }
}

impl HnervConfig {
    fn kernel(&self, stage: usize) -> u32 {
        (self.kernels[0] + 2 * stage as u32).min(self.kernels[1])
    }

    fn check(&self) -> Result<()> {
        let odd = |k: u32| k % 2 == 1 && k <= 15;
        if !(self.reduce >= 1.0 && self.reduce <= 16.0) {
            return Err(Error::Parameter(format!(
                "hnerv.reduce is {} (allowed 1..=16)",
                self.reduce
            )));
        }
        if !self.kernels.into_iter().chain([self.head_kernel]).all(odd) {
            let (k, h) = (self.kernels, self.head_kernel);
            return Err(Error::Parameter(format!(
                "hnerv.kernels are {k:?}, hnerv.head_kernel is {h} (allowed: odd, at most 15)"
            )));
        }
        check_count("hnerv", "latent-channels", self.latent_channels, 1024)?;
        check_count("hnerv", "stem-channels", self.stem_channels, 4096)?;
        check_count("hnerv", "min-channels", self.min_channels, 4096)?;
        check_strides("hnerv", self.strides.as_deref())
    }
}

/// Python's `round`: half to even.
fn round_half_even(x: f64) -> u32 {
    let r = x.round();
    (if (x - x.trunc()).abs() == 0.5 && r % 2.0 != 0.0 {
        r - 1.0
    } else {
        r
    }) as u32
}

/// Fewest channels of a stage: the published 12, or as few as 4 where they make a network of more
/// than the wanted parameters.
const MIN_CHANNELS: std::ops::RangeInclusive<u32> = 4..=12;
/// Parameters, relative to the wanted, that are not too many.
const OVER: f64 = 1.4;

/// The HNeRV with `stem_channels` in front and each stage narrower than the one before.
pub fn with_stem(
    plan: &StridePlan,
    latent_channels: u32,
    stem_channels: u32,
    config: &HnervConfig,
) -> Hnerv {
    let mut channels = stem_channels;
    let stages: Vec<HnervStage> = plan
        .strides
        .iter()
        .enumerate()
        .map(|(i, &stride)| {
            channels = round_half_even(f64::from(channels) / config.reduce)
                .max(config.min_channels.unwrap_or(*MIN_CHANNELS.end()));
            HnervStage {
                stride,
                kernel: config.kernel(i),
                channels,
            }
        })
        .collect();
    let header = HnervHeader {
        latent_channels,
        latent_height: plan.grid.0,
        latent_width: plan.grid.1,
        stem_channels,
        head_kernel: config.head_kernel,
        stages: stages.len() as u32,
    };
    Hnerv {
        header,
        stages,
        tanh: config.tanh,
    }
}

/// The published size rule: stem channels such that decoder and embeddings of `frames` frames have
/// about `params` parameters.
pub fn published_stem(
    plan: &StridePlan,
    latent_channels: u32,
    params: f64,
    frames: usize,
    config: &HnervConfig,
) -> u32 {
    let embeds = f64::from(latent_channels)
        * f64::from(plan.grid.0)
        * f64::from(plan.grid.1)
        * frames as f64;
    let decoder = (params - embeds).max(0.0);
    let r = 1.0 / config.reduce;
    let a = r * plan
        .strides
        .iter()
        .enumerate()
        .map(|(i, &s)| {
            r.powi(2 * i as i32) * f64::from(s * s) * f64::from(config.kernel(i)).powi(2)
        })
        .sum::<f64>();
    let b = f64::from(latent_channels) * 9.0;
    ((-b + (b * b + 4.0 * a * decoder).sqrt()) / (2.0 * a)) as u32
}

/// Channels of the latent for a grid: the published 16 at 2 x 4 positions, fewer on larger grids so
/// that a frame's latent stays near 128 values.
pub fn latent_channels(plan: &StridePlan) -> u32 {
    let positions = plan.grid.0.saturating_mul(plan.grid.1);
    (128 / positions.max(1)).clamp(2, 16)
}

/// The HNeRV with about `params` parameters (decoder and embeddings) for `frames` pictures of
/// `info`.
pub fn for_params(
    info: &VideoInfo,
    frames: usize,
    params: f64,
    config: &HnervConfig,
) -> Result<Hnerv> {
    config.check()?;
    let plan = match &config.strides {
        Some(s) => StridePlan::of(s, info.width, info.height),
        None => stride_plan(info.width, info.height),
    };
    let d = config
        .latent_channels
        .unwrap_or_else(|| latent_channels(&plan));
    let stem = config
        .stem_channels
        .unwrap_or_else(|| published_stem(&plan, d, params, frames, config));
    if !(1..=4096).contains(&stem) {
        return Err(Error::Parameter(format!(
            "model size {params:.0} gives {stem} stem channels (allowed 1..=4096) for {}x{} and {frames} frames",
            info.width, info.height
        )));
    }
    if config.min_channels.is_some() {
        return Ok(with_stem(&plan, d, stem, config));
    }
    // a stem narrower than what follows would starve it
    let stem_for = |m: u32| config.stem_channels.unwrap_or(stem.max(m));
    let nets = MIN_CHANNELS.rev().map(|m| {
        with_stem(
            &plan,
            d,
            stem_for(m),
            &HnervConfig {
                min_channels: Some(m),
                ..config.clone()
            },
        )
    });
    let mut least = None;
    for net in nets {
        let graph = net.lower(info, frames).map_err(unfit)?;
        if graph.params() as f64 + (graph.latent_len() * frames) as f64 <= OVER * params {
            return Ok(net);
        }
        least = Some(net);
    }
    Ok(least.expect("there is a range"))
}
