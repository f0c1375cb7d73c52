//! The codecs, their presets and tunings, and each one's scale of quality.

use std::sync::Arc;

use super::command::ExternalCodec;

/// A codec that an external program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264 by libx264, through ffmpeg.
    X264,
    /// HEVC by libx265, through ffmpeg.
    X265,
    /// AV1 by SVT-AV1, through ffmpeg.
    SvtAv1,
    /// AV1 by libaom, through ffmpeg.
    Aom,
    /// VVC by VVenC, through an ffmpeg that has libvvenc.
    Vvenc,
    /// JPEG by libjpeg-turbo's `cjpeg`: optimised, progressive.
    Jpeg,
    /// WebP, lossy, by `cwebp`.
    Webp,
    /// AVIF by `avifenc`.
    Avif,
    /// JPEG XL by `cjxl`.
    Jxl,
    /// One HEVC intra picture by libx265, BT.601 full range made and undone by swscale.
    X265Intra,
    /// A codec of the user's own.
    External(Arc<ExternalCodec>),
}

/// Presets of x264 and x265 from fast to slow.
const X26X_PRESETS: &[&str] = &[
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
];
/// Those of them that compress badly.
pub(super) const WEAK_PRESETS: &[&str] = &["ultrafast", "superfast", "veryfast"];
/// A codec's scale of quality.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Name of the quantity.
    pub name: &'static str,
    /// Quality of the smallest file.
    pub small: f64,
    /// Quality of the largest file.
    pub large: f64,
    /// Finest step.
    pub step: f64,
    /// Where a search begins.
    pub start: f64,
    /// Change of quality (of its natural logarithm where `log`) that about halves the size.
    pub halving: f64,
    /// Whether size goes with the logarithm of the quality.
    pub log: bool,
}

impl Codec {
    /// The name on the command line and in results.
    pub fn name(&self) -> &str {
        match self {
            Codec::X264 => "x264",
            Codec::X265 => "x265",
            Codec::SvtAv1 => "svtav1",
            Codec::Aom => "aom",
            Codec::Vvenc => "vvenc",
            Codec::Jpeg => "jpeg",
            Codec::Webp => "webp",
            Codec::Avif => "avif",
            Codec::Jxl => "jxl",
            Codec::X265Intra => "x265-intra",
            Codec::External(c) => &c.name,
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        use Codec::*;
        [
            X264, X265, SvtAv1, Aom, Vvenc, Jpeg, Webp, Avif, Jxl, X265Intra,
        ]
        .into_iter()
        .find(|c| c.name() == name)
    }

    /// Whether it codes pictures one by one, and takes RGB or gray.
    pub fn is_picture(&self) -> bool {
        matches!(
            self,
            Codec::Jpeg | Codec::Webp | Codec::Avif | Codec::Jxl | Codec::X265Intra
        )
    }

    /// Preset if none is given; empty where one must be.
    pub(super) fn default_preset(&self) -> &'static str {
        match self {
            Codec::X264 | Codec::X265 | Codec::Vvenc => "medium",
            Codec::SvtAv1 => "8",
            Codec::Aom => "4",
            Codec::Webp => "6",
            Codec::Jxl => "7",
            _ => "",
        }
    }

    /// Allowed presets, as text for messages, and whether `preset` is one.
    pub(super) fn check_preset(&self, preset: &str) -> (&'static str, bool) {
        let number = |max: u32| {
            preset
                .parse()
                .is_ok_and(|n: u32| n <= max && preset == n.to_string())
        };
        match self {
            Codec::X264 | Codec::X265 => (
                "ultrafast, superfast, veryfast, faster, fast, medium, slow, slower, veryslow, placebo",
                X26X_PRESETS.contains(&preset),
            ),
            Codec::SvtAv1 => ("0..=13", number(13)),
            Codec::Aom => ("0..=8", number(8)),
            Codec::Vvenc => (
                "faster, fast, medium, slow, slower",
                ["faster", "fast", "medium", "slow", "slower"].contains(&preset),
            ),
            Codec::Jpeg | Codec::Avif | Codec::X265Intra => {
                ("420, 444", ["420", "444"].contains(&preset))
            }
            Codec::Webp => ("0..=6", number(6)),
            Codec::Jxl => ("1..=9", number(9) && preset != "0"),
            Codec::External(_) => ("none", preset.is_empty()),
        }
    }

    /// Allowed tunings (of avif the speed, of x265-intra the preset), and whether `tune` is one.
    pub(super) fn check_tune(&self, tune: &str) -> (&'static str, bool) {
        let of = |all: &[&str]| all.contains(&tune);
        match self {
            Codec::X264 => (
                "film, animation, grain, stillimage, psnr, ssim, fastdecode, zerolatency",
                of(&[
                    "film",
                    "animation",
                    "grain",
                    "stillimage",
                    "psnr",
                    "ssim",
                    "fastdecode",
                    "zerolatency",
                ]),
            ),
            Codec::X265 => (
                "psnr, ssim, grain, animation, fastdecode, zerolatency",
                of(&[
                    "psnr",
                    "ssim",
                    "grain",
                    "animation",
                    "fastdecode",
                    "zerolatency",
                ]),
            ),
            Codec::SvtAv1 => ("vq, psnr, ssim", of(&["vq", "psnr", "ssim"])),
            Codec::Aom => ("psnr, ssim", of(&["psnr", "ssim"])),
            Codec::Vvenc => ("psnr", tune == "psnr"),
            Codec::Avif => (
                "speed 0..=10",
                tune.parse()
                    .is_ok_and(|n: u32| n <= 10 && tune == n.to_string()),
            ),
            Codec::X265Intra => ("presets of x265", X26X_PRESETS.contains(&tune)),
            _ => ("none", false),
        }
    }

    /// The scale of quality; `None` for codecs that nothing is known of.
    pub(super) fn scale(&self) -> Option<Scale> {
        let crf = |name, top, step, start, halving| Scale {
            name,
            small: top,
            large: 0.0,
            step,
            start,
            halving,
            log: false,
        };
        Some(match self {
            Codec::X264 | Codec::X265 => crf("crf", 51.0, 0.01, 28.0, 6.0),
            Codec::X265Intra => crf("crf", 51.0, 0.01, 30.0, 8.0),
            Codec::SvtAv1 | Codec::Aom => crf("crf", 63.0, 1.0, 38.0, 9.0),
            Codec::Vvenc => crf("qp", 63.0, 1.0, 32.0, 5.0),
            Codec::Avif => crf("cq", 63.0, 1.0, 30.0, 11.0),
            Codec::Jpeg => Scale {
                name: "q",
                small: 1.0,
                large: 100.0,
                step: 1.0,
                start: 50.0,
                halving: 30.0,
                log: false,
            },
            Codec::Webp => Scale {
                name: "q",
                small: 0.0,
                large: 100.0,
                step: 0.1,
                start: 50.0,
                halving: 40.0,
                log: false,
            },
            Codec::Jxl => Scale {
                name: "d",
                small: 25.0,
                large: 0.05,
                step: 0.01,
                start: 2.0,
                halving: 1.0,
                log: true,
            },
            Codec::External(_) => return None,
        })
    }
}
