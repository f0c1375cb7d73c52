//! What tests of the encoder's parts share.

use super::{Family, Options, Target};
use crate::plan::Preset;
use nvc::frame::{Chroma, ColorInfo, PixelFormat, Ratio, VideoInfo};

pub fn info(width: usize, height: usize) -> VideoInfo {
    let ratio = Ratio { num: 0, den: 0 };
    VideoInfo { width, height, format: PixelFormat::new8(Chroma::Yuv420), fps: ratio, sar: ratio, color: ColorInfo::UNSPECIFIED }
}

pub fn options(target: Target) -> Options {
    Options {
        family: Family::Hnerv,
        knobs: Default::default(),
        target,
        model_size: None,
        preset: Preset::Fast,
        steps: None,
        passes: None,
        group: None,
        section: None,
        least_gain: 0.0,
        batch: 1,
        learning_rate: None,
        optimiser: Default::default(),
        float_share: 0.4,
        rate: true,
        weight_bits: None,
        loss: crate::fit::Loss::L2,
        seed: 0,
        threads: 1,
        device: Default::default(),
        precision: Default::default(),
        jobs: 1,
    }
}
