//! How large a NeRV or NeRV++ for a picture.

use super::strides::{StridePlan, check_count, check_strides, largest, stride_plan_near};
use nvc::bitstream::header::{HnervStage, NervHeader, NervppHeader};
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc::network::Representation;
use nvc::network::nerv::Nerv;

/// Positions of the first feature map unless asked otherwise.
const POSITIONS: f64 = 24.0;

/// What of a NeRV or NeRV++ is chosen; the rest follows from picture and size. Names in parentheses
/// are those of the published code.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NervConfig {
    /// Frequencies of the positional code (`--embed 1.25_40`).
    pub levels: u32,
    /// Channels of the stem's first layer (`--stem_dim_num 512_1`; default: 8 times the width, 16
    /// to 512).
    pub hidden: Option<u32>,
    /// Channels of the first feature map (`--fc_hw_dim 9_16_26`; default: half the width).
    pub channels: Option<u32>,
    /// Upsampling factors (`--strides`; default: from the picture).
    pub strides: Option<Vec<u32>>,
    /// Kernel size of the stages.
    pub kernel: u32,
    /// The first stage has this many times the channels of the first feature map (`--expansion`).
    pub expansion: f64,
    /// Channels shrink by this factor from stage to stage (`--reduction`).
    pub reduction: f64,
    /// The width: no stage but the first has fewer channels (`--lower_width`; default: from the
    /// size).
    pub min_channels: Option<u32>,
    /// Swish in place of GELU (`--act swish`).
    pub swish: bool,
    /// Kernel size of the output convolutions.
    pub head_kernel: u32,
    /// NeRV++: residual blocks before and after the upsampling of each stage.
    pub blocks: [u32; 2],
    /// NeRV++: kernel size of their depthwise convolutions.
    pub block_kernel: u32,
}

impl Default for NervConfig {
    fn default() -> Self {
        NervConfig {
            levels: 40,
            hidden: None,
            channels: None,
            strides: None,
            kernel: 3,
            expansion: 1.0,
            reduction: 2.0,
            min_channels: None,
            swish: true,
            head_kernel: 3,
            blocks: [1, 1],
            block_kernel: 3,
        }
    }
}

impl NervConfig {
    fn check(&self) -> Result<()> {
        let bad = |what: String| Err(Error::Parameter(what));
        check_count("nerv", "levels", Some(self.levels), 40)?;
        check_count("nerv", "hidden", self.hidden, 4096)?;
        check_count("nerv", "channels", self.channels, 4096)?;
        check_count("nerv", "min-channels", self.min_channels, 4096)?;
        let odd = |k: u32| k % 2 == 1 && k <= 15;
        if ![self.kernel, self.head_kernel, self.block_kernel]
            .into_iter()
            .all(odd)
        {
            let k = [self.kernel, self.head_kernel, self.block_kernel];
            return bad(format!(
                "nerv.kernel, head_kernel and block_kernel are {k:?} (allowed: odd, at most 15)"
            ));
        }
        if !(self.expansion > 0.0
            && self.expansion <= 64.0
            && self.reduction >= 1.0
            && self.reduction <= 64.0)
        {
            return bad(format!(
                "nerv.expansion is {} (allowed above 0, at most 64), nerv.reduction {} (allowed 1..=64)",
                self.expansion, self.reduction
            ));
        }
        if self.blocks.iter().any(|&b| b > 4) {
            return bad(format!("nerv.blocks are {:?} (allowed 0..=4)", self.blocks));
        }
        check_strides("nerv", self.strides.as_deref())
    }

    /// The network of width `width`; NeRV++ if `plus`.
    fn network(&self, plan: &StridePlan, width: u32, plus: bool) -> Nerv {
        let width = self.min_channels.unwrap_or(width);
        let first = self.channels.unwrap_or(width / 2).max(1);
        let mut channels = first;
        let stages: Vec<HnervStage> = plan
            .strides
            .iter()
            .enumerate()
            .map(|(i, &stride)| {
                channels = match i {
                    0 => (f64::from(channels) * self.expansion) as u32,
                    // a stage that does not upsample keeps its channels
                    _ if stride == 1 => channels.max(width),
                    _ => ((f64::from(channels) / self.reduction) as u32).max(width),
                };
                HnervStage {
                    stride,
                    kernel: self.kernel,
                    channels: channels.clamp(1, 4096),
                }
            })
            .collect();
        let header = NervHeader {
            levels: self.levels,
            hidden: self.hidden.unwrap_or((8 * width).clamp(16, 512)),
            rows: plan.grid.0,
            columns: plan.grid.1,
            channels: first,
            curve: self.swish.into(),
            head_kernel: self.head_kernel,
            stages: stages.len() as u32,
        };
        let plus = plus.then_some(NervppHeader {
            before: self.blocks[0],
            after: self.blocks[1],
            kernel: self.block_kernel,
        });
        Nerv {
            header,
            plus,
            stages,
        }
    }
}

/// The NeRV, or NeRV++ if `plus`, with at most about `params` parameters for pictures of `info`.
pub fn for_params(info: &VideoInfo, params: f64, plus: bool, config: &NervConfig) -> Result<Nerv> {
    config.check()?;
    let plan = match &config.strides {
        Some(s) => StridePlan::of(s, info.width, info.height),
        None => stride_plan_near(info.width, info.height, POSITIONS),
    };
    let size = |width: u32| {
        config
            .network(&plan, width, plus)
            .lower(info, 1)
            .map(|g| g.params() as f64)
    };
    largest("nerv", params, 1..=1024, size).map(|width| config.network(&plan, width, plus))
}
