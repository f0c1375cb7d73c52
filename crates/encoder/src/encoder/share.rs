//! How sections share the bytes of a file: by slope, so that a byte more is worth the same
//! everywhere.
//!
//! A short trial of each section at equal bits says how hard it is. With an error that falls as
//! `bytes^-k`, the sum of errors is least where bytes are in proportion to
//! `(frames * error)^(1 / (k + 1))` at equal bits.
//!
//! Pictures by themselves need no trial: at one price of a bit, a byte more is worth the same in
//! each, and what each takes there is forecast.

use super::choose;
use super::forecast::of_pictures;
use super::observer::Shared;
use super::options::Options;
use crate::fit::OCTAVE;
use nvc::error::Result;
use nvc::frame::{Frame, VideoInfo};

/// Bits of a section, relative to equal ones.
const SHARES: std::ops::RangeInclusive<f64> = 0.3..=3.0;

/// Bytes of each section relative to equal bits a frame, for sections of `frames` frames with the
/// mean squared `errors` at equal bits.
fn factors(frames: &[usize], errors: &[f64]) -> Vec<f64> {
    let k = OCTAVE / (10.0 * 2f64.log10());
    let raw: Vec<f64> = errors
        .iter()
        .map(|e| e.max(1e-9).powf(1.0 / (k + 1.0)))
        .collect();
    let all: f64 = frames.iter().sum::<usize>() as f64;
    // clamped factors are brought back to the whole, which moves the others
    let mut scale = 1.0;
    let at = |scale: f64| -> Vec<f64> {
        raw.iter()
            .map(|r| (r * scale).clamp(*SHARES.start(), *SHARES.end()))
            .collect()
    };
    for _ in 0..40 {
        let mean = at(scale)
            .iter()
            .zip(frames)
            .map(|(f, &n)| f * n as f64)
            .sum::<f64>()
            / all;
        scale /= mean;
    }
    at(scale)
}

/// Factors for `sections` of pictures by themselves at `bpp`.
pub(super) fn by_price(sections: &[Vec<&Frame>], info: &VideoInfo, bpp: f64) -> Vec<f64> {
    let count = sections.iter().map(Vec::len).sum::<usize>() as f64;
    let bits = bpp * (info.width * info.height) as f64 * count;
    let frames = sections.iter().flatten().copied();
    let mut shares = of_pictures(frames, info, bits).into_iter();
    sections
        .iter()
        .map(|s| shares.by_ref().take(s.len()).sum::<f64>() * count / s.len() as f64)
        .collect()
}

/// Factors for `sections` by trials at `bpp`.
pub(super) fn by_slope(
    sections: &[Vec<&Frame>],
    info: &VideoInfo,
    bpp: f64,
    options: &Options,
    threads: usize,
    shared: &Shared<'_, '_>,
) -> Result<Vec<f64>> {
    let mut errors = Vec::new();
    for frames in sections {
        let n = frames.len().min(choose::TRIAL_FRAMES);
        let some: Vec<Frame> = (0..n)
            .map(|i| frames[(2 * i + 1) * frames.len() / (2 * n)].clone())
            .collect();
        let coded = choose::trial_bytes(bpp, n, info);
        let trial = choose::trial(options.arch, &some, info, coded, options, threads, shared)?;
        errors.push(10f64.powf(-trial.psnr / 10.0));
    }
    let frames: Vec<usize> = sections.iter().map(Vec::len).collect();
    Ok(factors(&frames, &errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_keep_the_whole_and_follow_the_error() {
        let whole = |frames: &[usize], f: &[f64]| {
            frames
                .iter()
                .zip(f)
                .map(|(&n, f)| n as f64 * f)
                .sum::<f64>()
        };
        let f = factors(&[10, 10, 20], &[1.0, 1.0, 1.0]);
        assert!(f.iter().all(|f| (f - 1.0).abs() < 1e-9), "{f:?}");
        let f = factors(&[10, 10, 20], &[1.0, 2.0, 1.0]);
        assert!(
            (whole(&[10, 10, 20], &f) - 40.0).abs() < 1e-6 && f[1] > 1.2 * f[0] && f[0] == f[2],
            "{f:?}"
        );
        // slopes at these bytes are equal: k n E (f)^-k / (n f)
        let k = OCTAVE / (10.0 * 2f64.log10());
        let slope = |e: f64, f: f64| e * f.powf(-k - 1.0);
        assert!((slope(1.0, f[0]) / slope(2.0, f[1]) - 1.0).abs() < 1e-9);
        let f = factors(&[10, 30], &[1e6, 1.0]);
        assert!(
            f[0] <= 3.0 && f[1] >= 0.3 && (whole(&[10, 30], &f) - 40.0).abs() < 1e-3,
            "{f:?}"
        );
    }
}
