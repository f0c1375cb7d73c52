//! What to compare with: codec, preset and tuning in one word.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::codec::{Codec, WEAK_PRESETS};
use super::command::ExternalCodec;
use nvc::error::{Error, Result};

const KNOWN: &str = "x264[:PRESET[:TUNE]], x265[:PRESET[:TUNE]], svtav1[:0..13[:TUNE]], aom[:0..8[:TUNE]], vvenc[:PRESET[:psnr]], \
                     jpeg:420|444, webp[:0..6], avif:420|444[:0..10], jxl[:1..9], x265-intra:420|444[:PRESET]";

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
            if preset.is_empty() {
                return Err(Error::Parameter(format!(
                    "anchor '{text}': a second word is needed, as in {}:{} (known: {allowed})",
                    codec.name(),
                    allowed.split(',').next().unwrap_or_default()
                )));
            }
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
