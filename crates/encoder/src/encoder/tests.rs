//! What tests of the encoder's parts share.

use super::families::Family;
use super::options::Options;
use crate::plan::Preset;
use nvc::frame::{Chroma, PixelFormat, Ratio, VideoInfo};

pub fn info(width: usize, height: usize) -> VideoInfo {
    let ratio = Ratio { num: 0, den: 0 };
    VideoInfo {
        fps: ratio,
        sar: ratio,
        ..VideoInfo::new(width, height, PixelFormat::new8(Chroma::Yuv420))
    }
}

/// A fast fit of an HNeRV, to what `target` sets.
pub fn options(target: impl Fn(&mut Options)) -> Options {
    let mut options = Options {
        arch: Family::Hnerv,
        preset: Preset::Fast,
        min_gain: 0.0,
        threads: 1,
        jobs: 1,
        ..Options::default()
    };
    target(&mut options);
    options
}
