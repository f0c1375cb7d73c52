//! The figures, and how the filters' logs tell them.

use nvc::error::{Error, Result};
use nvc::metrics::PSNR_CAP;

/// The model that VMAF figures are of.
pub const VMAF_MODEL: &str = "vmaf_v0.6.1";

/// Which figures are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// VMAF.
    pub vmaf: bool,
    /// XPSNR.
    pub xpsnr: bool,
}

/// XPSNR of a sequence in dB, 100 where equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xpsnr {
    /// Luma.
    pub y: f64,
    /// Cb; `None` for gray.
    pub u: Option<f64>,
    /// Cr; `None` for gray.
    pub v: Option<f64>,
}

impl Xpsnr {
    /// (6 Y + U + V) / 8; luma alone for gray.
    pub fn yuv611(&self) -> f64 {
        self.u
            .zip(self.v)
            .map_or(self.y, |(u, v)| (6.0 * self.y + u + v) / 8.0)
    }
}

/// The figures; one that was wanted and is `None` has its reason in `missing`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Perceptual {
    /// VMAF of [`VMAF_MODEL`], mean over frames, 0 to 100.
    pub vmaf: Option<f64>,
    /// XPSNR.
    pub xpsnr: Option<Xpsnr>,
    /// Why something wanted is missing.
    pub missing: Vec<String>,
}

/// Mean and number of frames of libvmaf's log.
pub(super) fn parse_vmaf(log: &str) -> Result<(f64, u64)> {
    let json: serde_json::Value =
        serde_json::from_str(log).map_err(|e| Error::format(0, format!("libvmaf's log: {e}")))?;
    let mean = json["pooled_metrics"]["vmaf"]["mean"].as_f64();
    let mean =
        mean.ok_or_else(|| Error::format(0, "libvmaf's log has no pooled_metrics.vmaf.mean"))?;
    Ok((
        mean,
        json["frames"].as_array().map_or(0, |f| f.len() as u64),
    ))
}

/// Averages and number of frames of xpsnr's statistics, as
/// `XPSNR average, 8 frames  y: 27.5836  u: 28.6550  v: 28.0554  (...`.
pub(super) fn parse_xpsnr(log: &str) -> Result<(Xpsnr, u64)> {
    let bad = |what: &str| Error::format(0, format!("xpsnr's statistics {what}"));
    let line = log
        .lines()
        .rev()
        .find_map(|l| l.strip_prefix("XPSNR average, "))
        .ok_or_else(|| bad("have no average"))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let frames = words
        .first()
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| bad("do not tell the number of frames"))?;
    let value = |name: &str| {
        let at = words.iter().position(|w| *w == name)?;
        // equal planes are infinite
        words
            .get(at + 1)?
            .parse::<f64>()
            .ok()
            .map(|v| v.min(PSNR_CAP))
    };
    Ok((
        Xpsnr {
            y: value("y:").ok_or_else(|| bad("have no luma"))?,
            u: value("u:"),
            v: value("v:"),
        },
        frames,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs() {
        let log = "n:    1  XPSNR y: 33.7957  XPSNR u: 35.4496\n\nXPSNR average, 8 frames  y: 27.5836  u: 28.6550  v: inf  (minimum: 27.5836)\n";
        let (x, frames) = parse_xpsnr(log).unwrap();
        assert_eq!(
            (x, frames),
            (
                Xpsnr {
                    y: 27.5836,
                    u: Some(28.655),
                    v: Some(100.0)
                },
                8
            )
        );
        assert!((x.yuv611() - (6.0 * 27.5836 + 28.655 + 100.0) / 8.0).abs() < 1e-9);
        let (x, _) = parse_xpsnr("\nXPSNR average, 1 frames  y: 30.5").unwrap();
        assert_eq!((x.u, x.yuv611()), (None, 30.5));
        assert!(parse_xpsnr("n: 1").is_err());
        let log = r#"{"frames": [{}, {}], "pooled_metrics": {"vmaf": {"min": 1.0, "mean": 74.5}}}"#;
        assert_eq!(parse_vmaf(log).unwrap(), (74.5, 2));
        assert!(parse_vmaf("{}").is_err() && parse_vmaf("").is_err());
    }
}
