//! How large a network for a picture: stride plans and the published size rule of HNeRV. Used by
//! the encoder; nothing here is normative.

pub mod nerv;
pub mod nirvana;

use super::hnerv::Hnerv;
use crate::bitstream::header::{HnervHeader, HnervStage};
use crate::error::{Error, Result};
use crate::frame::VideoInfo;

/// What of an HNeRV is chosen; the rest follows from picture and size. The defaults are the
/// published ones.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(default, deny_unknown_fields, rename_all = "kebab-case")
)]
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

/// Refuses a count that no header can hold.
fn check_count(family: &str, name: &str, v: Option<u32>, most: u32) -> Result<()> {
    match v {
        Some(v) if !(1..=most).contains(&v) => Err(Error::Parameter(format!(
            "{family}.{name} is {v} (allowed 1..={most})"
        ))),
        _ => Ok(()),
    }
}

/// Refuses strides that no header can hold.
fn check_strides(family: &str, strides: Option<&[u32]>) -> Result<()> {
    match strides {
        Some(s) if s.is_empty() || s.len() > 12 || !s.iter().all(|s| (1..=16).contains(s)) => {
            Err(Error::Parameter(format!(
                "{family}.strides are {s:?} (allowed: 1 to 12 factors of 1..=16)"
            )))
        }
        _ => Ok(()),
    }
}

/// Strides, largest first, and the latent grid they need for a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StridePlan {
    /// Upsampling factors.
    pub strides: Vec<u32>,
    /// Rows and columns of the latent.
    pub grid: (u32, u32),
}

/// Most rows and columns of a first grid that headers hold.
const MOST_SIDE: u32 = 1024;
/// Latent positions the published configurations of HNeRV use: 2 x 4.
const POSITIONS: f64 = 8.0;

impl StridePlan {
    /// The plan of given strides.
    pub fn of(strides: &[u32], width: usize, height: usize) -> Self {
        let up = strides
            .iter()
            .fold(1u32, |a, &s| a.saturating_mul(s))
            .max(1);
        StridePlan {
            strides: strides.to_vec(),
            grid: ((height as u32).div_ceil(up), (width as u32).div_ceil(up)),
        }
    }
}

/// The stride plan for a `width` x `height` picture: among products of strides 2 to 5 (the last is
/// 2), the one with the least padding and a latent grid near the published 2 x 4, of those whose
/// grid a header can hold. Gives the published plans for the published sizes.
pub fn stride_plan(width: usize, height: usize) -> StridePlan {
    stride_plan_near(width, height, POSITIONS)
}

/// The same for a first grid of about `wanted` positions.
pub fn stride_plan_near(width: usize, height: usize, wanted: f64) -> StridePlan {
    let mut best: Option<(f64, StridePlan)> = None;
    let mut strides = Vec::new();
    visit(&mut strides, 5, &mut |strides| {
        let up: u32 = strides.iter().product();
        let grid = ((height as u32).div_ceil(up), (width as u32).div_ceil(up));
        let positions = f64::from(grid.0) * f64::from(grid.1);
        let padded = positions * f64::from(up) * f64::from(up) / (width as f64 * height as f64);
        // An octave more or fewer positions weighs as much as 2 % of padding, an octave from 5
        // stages 1 %. Fewer than three quarters starve the decoder of content: their octaves weigh
        // four times as much.
        let octaves = (positions / wanted).log2();
        let off = if positions < 0.75 * wanted {
            4.0 * octaves.abs()
        } else {
            octaves.abs()
        };
        let stages = (strides.len() as f64 / 5.0).log2().abs();
        let mut cost = padded.ln() + 0.02 * off + 0.01 * stages;
        if grid.0.max(grid.1) > MOST_SIDE {
            // even a picture of one row is rather padded
            cost += 1e3;
        }
        if best.as_ref().is_none_or(|(c, _)| cost < *c - 1e-12) {
            best = Some((
                cost,
                StridePlan {
                    strides: strides.to_vec(),
                    grid,
                },
            ));
        }
    });
    best.expect("at least one plan was visited").1
}

/// Calls `f` with every non-increasing list of 1 to 6 strides from 2..=5 that ends in 2.
fn visit(strides: &mut Vec<u32>, largest: u32, f: &mut impl FnMut(&[u32])) {
    if strides.len() == 6 {
        return;
    }
    for s in (2..=largest).rev() {
        strides.push(s);
        if s == 2 {
            f(strides);
        }
        visit(strides, s, f);
        strides.pop();
    }
}

/// The largest value of `range` whose network of size `size` has at most `params` parameters, or
/// the smallest; sizes grow with it.
fn largest(
    family: &str,
    params: f64,
    range: std::ops::RangeInclusive<u32>,
    size: impl Fn(u32) -> Result<f64>,
) -> Result<u32> {
    if !(params > 0.0 && params.is_finite()) {
        return Err(Error::Parameter(format!(
            "{family} of {params} parameters (allowed above 0)"
        )));
    }
    // the smallest says what is wrong with the fields, if anything is
    size(*range.start())?;
    let (mut low, mut high) = (*range.start(), *range.end());
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if size(middle).is_ok_and(|s| s <= params) {
            low = middle
        } else {
            high = middle - 1
        }
    }
    Ok(low)
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
        let graph = net.lower(info)?;
        if graph.params() as f64 + (graph.latent_len() * frames) as f64 <= OVER * params {
            return Ok(net);
        }
        least = Some(net);
    }
    Ok(least.expect("there is a range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Chroma, ColorInfo, PixelFormat, Ratio};

    pub(super) fn rgb(width: usize, height: usize) -> VideoInfo {
        VideoInfo {
            width,
            height,
            format: PixelFormat::new8(Chroma::Rgb),
            fps: Ratio { num: 25, den: 1 },
            sar: Ratio { num: 0, den: 0 },
            color: ColorInfo::UNSPECIFIED,
        }
    }

    #[test]
    fn published_sizes_give_the_published_plans() {
        assert_eq!(
            stride_plan(1280, 640),
            StridePlan {
                strides: vec![5, 4, 4, 2, 2],
                grid: (2, 4)
            }
        );
        assert_eq!(
            stride_plan(960, 480),
            StridePlan {
                strides: vec![5, 4, 3, 2, 2],
                grid: (2, 4)
            }
        );
        assert_eq!(
            stride_plan(1920, 960),
            StridePlan {
                strides: vec![5, 4, 4, 3, 2],
                grid: (2, 4)
            }
        );
    }

    #[test]
    fn published_model_sizes_give_the_published_widths() {
        for (params, widths, decoder) in [
            (0.35e6, [32, 27, 22, 18, 15, 12], 312_830),
            (0.75e6, [48, 40, 33, 28, 23, 19], 719_256),
            (1.5e6, [68, 57, 48, 40, 33, 28], 1_488_276),
            (3e6, [97, 81, 68, 57, 48, 40], 3_012_686),
        ] {
            let net = for_params(&rgb(1280, 640), 132, params, &HnervConfig::default()).unwrap();
            let mut got = vec![net.header.stem_channels];
            got.extend(net.stages.iter().map(|s| s.channels));
            assert_eq!(got, widths);
            assert_eq!(net.header.latent_channels, 16);
            assert_eq!(net.lower(&rgb(1280, 640)).unwrap().params(), decoder);
        }
    }

    #[test]
    fn small_networks_have_fewer_channels() {
        let mut info = rgb(176, 144);
        info.format = PixelFormat::new8(Chroma::Yuv420);
        for params in [12_000.0, 20_000.0, 30_000.0, 42_000.0, 100_000.0] {
            let net = for_params(&info, 48, params, &HnervConfig::default()).unwrap();
            let graph = net.lower(&info).unwrap();
            let got = graph.params() as f64 + 48.0 * graph.latent_len() as f64;
            assert!((0.75..=1.4).contains(&(got / params)), "{got} of {params}");
            let least = net.stages.iter().map(|s| s.channels).min().unwrap();
            assert!(
                if params < 40_000.0 {
                    (4..12).contains(&least)
                } else {
                    least == 12
                },
                "{params}: {least} channels"
            );
        }
        let config = HnervConfig {
            min_channels: Some(12),
            ..Default::default()
        };
        let net = for_params(&info, 48, 12_000.0, &config).unwrap();
        assert!(net.stages.iter().all(|s| s.channels >= 12));
    }

    #[test]
    fn every_size_has_a_plan_that_covers_it_with_little_waste() {
        for (w, h) in [
            (1, 1),
            (2, 2),
            (1, 16384),
            (16384, 1),
            (3, 65535),
            (17, 13),
            (176, 144),
            (320, 180),
            (352, 288),
            (416, 240),
            (641, 359),
            (1280, 720),
            (1920, 1080),
            (64, 4096),
        ] {
            let mut info = rgb(w, h);
            for chroma in [Chroma::Rgb, Chroma::Yuv420] {
                info.format = PixelFormat::new8(chroma);
                let net = for_params(&info, 10, 200_000.0, &HnervConfig::default()).unwrap();
                let g = net.lower(&info).unwrap_or_else(|e| panic!("{w}x{h}: {e}"));
                let [_, ph, pw] = g.nodes[g.outputs[0].node].shape;
                assert!(ph >= h && pw >= w, "{w}x{h} in {pw}x{ph}");
                assert!(
                    net.header.latent_height <= MOST_SIDE && net.header.latent_width <= MOST_SIDE,
                    "{w}x{h}: {:?}",
                    net.header
                );
                if w.min(h) >= 144 {
                    assert!(pw * ph * 100 <= w * h * 112, "{w}x{h} padded to {pw}x{ph}");
                }
            }
        }
    }
}
