//! What to compare with: codec, preset and tuning in one word, and each codec's scale of quality.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::external::ExternalCodec;
use nvc::error::{Error, Result};

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
/// Those of them that nobody uses to compress well.
const WEAK_PRESETS: &[&str] = &["ultrafast", "superfast", "veryfast"];
const KNOWN: &str = "x264[:PRESET[:TUNE]], x265[:PRESET[:TUNE]], svtav1[:0..13[:TUNE]], aom[:0..8[:TUNE]], vvenc[:PRESET[:psnr]], \
                     jpeg:420|444, webp[:0..6], avif:420|444[:0..10], jxl[:1..9], x265-intra:420|444[:PRESET]";

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

    fn parse(name: &str) -> Option<Self> {
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
    fn default_preset(&self) -> &'static str {
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
    fn check_preset(&self, preset: &str) -> (&'static str, bool) {
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
    fn check_tune(&self, tune: &str) -> (&'static str, bool) {
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

/// What to compare with: `codec[:preset[:tune]]`, as in `x265`, `x264:veryslow:psnr`, `svtav1:8` or
/// `avif:444`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorSpec {
    /// The encoder.
    pub codec: Codec,
    /// Its preset, `medium` if not given; a number for AV1, the chroma sampling for pictures,
    /// effort for webp and jxl.
    pub preset: String,
    /// Its tuning, none if not given; for avif the speed, for x265-intra the preset.
    pub tune: Option<String>,
}

impl FromStr for AnchorSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(':');
        let Some(codec) = parts.next().and_then(Codec::parse) else {
            return Err(Error::Parameter(format!(
                "anchor '{text}' (known: {KNOWN})"
            )));
        };
        let preset = parts.next().unwrap_or(codec.default_preset()).to_string();
        let tune = parts.next().map(str::to_string);
        if parts.next().is_some() {
            return Err(Error::Parameter(format!(
                "anchor '{text}' is not of the form codec[:preset[:tune]]"
            )));
        }
        if let (allowed, false) = codec.check_preset(&preset) {
            return Err(Error::Parameter(format!(
                "anchor '{text}': second word '{preset}' (known for {}: {allowed})",
                codec.name()
            )));
        }
        if let Some(t) = &tune
            && let (allowed, false) = codec.check_tune(t)
        {
            return Err(Error::Parameter(format!(
                "anchor '{text}': third word '{t}' (known for {}: {allowed})",
                codec.name()
            )));
        }
        Ok(AnchorSpec {
            codec,
            preset,
            tune,
        })
    }
}

impl fmt::Display for AnchorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config();
        let colon = if config.is_empty() { "" } else { ":" };
        write!(f, "{}{colon}{config}", self.codec.name())
    }
}

impl From<ExternalCodec> for AnchorSpec {
    fn from(codec: ExternalCodec) -> Self {
        AnchorSpec {
            codec: Codec::External(Arc::new(codec)),
            preset: String::new(),
            tune: None,
        }
    }
}

impl AnchorSpec {
    /// Name of the codec.
    pub fn codec_name(&self) -> &str {
        self.codec.name()
    }

    /// Name of the curve beside the codec's: `medium`, `veryslow:psnr`, `444`; empty where there is
    /// but one.
    pub fn config(&self) -> String {
        if let Codec::External(c) = &self.codec {
            return c.config.clone();
        }
        let single = matches!(self.codec, Codec::Webp | Codec::Jxl)
            && self.preset == self.codec.default_preset();
        let preset = if single { "" } else { &self.preset };
        self.tune
            .as_ref()
            .map_or(preset.to_string(), |t| format!("{preset}:{t}"))
    }

    /// Whether the setting is one that the encoder's own authors would not use to compress well: no
    /// lookahead and a picture group of 12 as in much of the literature on learned codecs, or a
    /// preset made for speed alone.
    pub fn weak(&self) -> bool {
        let tune = self.tune.as_deref();
        let number = |text: &str| text.parse::<u32>().ok();
        let preset = number(&self.preset);
        match self.codec {
            Codec::SvtAv1 => preset >= Some(10),
            Codec::Aom => preset >= Some(7),
            Codec::Avif => tune.and_then(number) >= Some(9),
            Codec::Webp => preset.is_some_and(|p| p <= 1),
            Codec::Jxl => preset.is_some_and(|p| p <= 2),
            Codec::X264 | Codec::X265 => {
                matches!(tune, Some("zerolatency" | "fastdecode"))
                    || WEAK_PRESETS.contains(&self.preset.as_str())
            }
            Codec::X265Intra => tune.is_some_and(|p| WEAK_PRESETS.contains(&p)),
            _ => false,
        }
    }

    /// Whether it codes pictures one by one, and takes RGB or gray.
    pub fn is_picture(&self) -> bool {
        self.codec.is_picture()
    }

    /// What the quality is called: `crf`, `qp`, `q`, `cq`, `d` (Butteraugli distance).
    pub fn quality_name(&self) -> &str {
        match &self.codec {
            Codec::External(c) => &c.quality_name,
            codec => codec.scale().map_or("quality", |s| s.name),
        }
    }

    /// Qualities that span the useful rates, largest file first; none for a codec of the user's
    /// own.
    pub fn default_qualities(&self) -> &'static [f64] {
        match self.codec {
            Codec::X264 | Codec::X265 => &[20.0, 24.0, 28.0, 32.0, 36.0, 40.0],
            Codec::SvtAv1 | Codec::Aom => &[24.0, 34.0, 44.0, 54.0, 62.0],
            Codec::Vvenc => &[22.0, 27.0, 32.0, 37.0, 42.0],
            Codec::Jpeg => &[95.0, 85.0, 70.0, 50.0, 35.0, 20.0, 10.0],
            Codec::Webp => &[95.0, 80.0, 60.0, 40.0, 20.0, 5.0],
            Codec::Avif => &[8.0, 18.0, 28.0, 38.0, 48.0, 58.0, 63.0],
            Codec::Jxl => &[0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0],
            Codec::X265Intra => &[18.0, 24.0, 30.0, 36.0, 42.0, 48.0],
            Codec::External(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs() {
        let s: AnchorSpec = "x264:veryslow:psnr".parse().unwrap();
        assert_eq!(
            (&s.codec, s.preset.as_str(), s.tune.as_deref()),
            (&Codec::X264, "veryslow", Some("psnr"))
        );
        assert_eq!(
            "x265".parse::<AnchorSpec>().unwrap(),
            AnchorSpec {
                codec: Codec::X265,
                preset: "medium".into(),
                tune: None
            }
        );
        for bad in [
            "",
            "vp9",
            "x264:",
            "x264:medium:psnr:c",
            "x264:-y",
            "x265:slow:a b",
            "x264:fastest",
            "x265:medium:film",
            "svtav1:14",
            "svtav1:08",
            "svtav1:medium",
            "aom:9",
            "vvenc:veryslow",
            "jpeg",
            "jpeg:422",
            "jpeg:420:9",
            "webp:7",
            "avif:444:11",
            "jxl:0",
            "x265-intra",
            "x265-intra:444:medium2",
            "external",
        ] {
            assert!(
                matches!(bad.parse::<AnchorSpec>(), Err(Error::Parameter(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn printed_specs_read_back() {
        for (text, shown, config, quality) in [
            ("x265", "x265:medium", "medium", "crf"),
            (
                "x264:veryslow:psnr",
                "x264:veryslow:psnr",
                "veryslow:psnr",
                "crf",
            ),
            ("svtav1", "svtav1:8", "8", "crf"),
            ("vvenc:slow", "vvenc:slow", "slow", "qp"),
            ("jpeg:420", "jpeg:420", "420", "q"),
            ("webp", "webp", "", "q"),
            ("webp:4", "webp:4", "4", "q"),
            ("avif:444:3", "avif:444:3", "444:3", "cq"),
            ("jxl:7", "jxl", "", "d"),
            ("x265-intra:444", "x265-intra:444", "444", "crf"),
        ] {
            let spec: AnchorSpec = text.parse().unwrap();
            assert_eq!(
                (
                    spec.to_string().as_str(),
                    spec.config().as_str(),
                    spec.quality_name()
                ),
                (shown, config, quality)
            );
            assert_eq!(shown.parse::<AnchorSpec>().unwrap(), spec);
            let q = spec.default_qualities();
            let scale = spec.codec.scale().unwrap();
            let toward_small = (scale.small - scale.large).signum();
            assert!(
                q.len() >= 5 && q.windows(2).all(|w| (w[1] - w[0]) * toward_small > 0.0),
                "{text}: {q:?}"
            );
            assert!(
                q.iter()
                    .all(|q| (q - scale.small) * (q - scale.large) <= 0.0),
                "{text}"
            );
        }
    }

    #[test]
    fn weak_settings_are_labelled() {
        let weak = |s: &str| s.parse::<AnchorSpec>().unwrap().weak();
        for yes in [
            "x264:veryfast:zerolatency",
            "x265:medium:zerolatency",
            "x265:ultrafast",
            "x264:slow:fastdecode",
            "x265-intra:444:ultrafast",
            "svtav1:10",
            "svtav1:13:psnr",
            "aom:7",
            "aom:8",
            "avif:444:9",
            "avif:420:10",
            "webp:0",
            "webp:1",
            "jxl:1",
            "jxl:2",
        ] {
            assert!(weak(yes), "{yes}");
        }
        for no in [
            "x264",
            "x265:veryslow:psnr",
            "x265:fast",
            "svtav1",
            "svtav1:0",
            "svtav1:9",
            "aom",
            "aom:6",
            "vvenc",
            "vvenc:faster",
            "jpeg:420",
            "avif:444",
            "avif:444:0",
            "avif:420:8",
            "webp",
            "webp:2",
            "jxl",
            "jxl:3",
            "jxl:9",
            "x265-intra:444",
        ] {
            assert!(!weak(no), "{no}");
        }
    }
}
