//! What tests of the encoder's parts share.

use super::{Family, Options, Target};
use crate::plan::Preset;
use nvc::frame::{Chroma, ColorInfo, PixelFormat, Ratio, VideoInfo};

pub fn info(width: usize, height: usize) -> VideoInfo {
    let ratio = Ratio { num: 0, den: 0 };
    VideoInfo {
        width,
        height,
        format: PixelFormat::new8(Chroma::Yuv420),
        fps: ratio,
        sar: ratio,
        color: ColorInfo::UNSPECIFIED,
    }
}

pub fn options(target: Target) -> Options {
    Options {
        family: Family::Hnerv,
        target,
        preset: Preset::Fast,
        least_gain: 0.0,
        threads: 1,
        jobs: 1,
        ..Options::default()
    }
}
