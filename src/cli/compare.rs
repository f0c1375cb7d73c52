//! `nvc compare`: one video against another.

use super::args::CompareArgs;
use super::{open_range, print_line};
use crate::error::{Error, Result};
use crate::metrics::{Psnr, Scorer};

/// Scores `a.distorted` against `a.reference`.
pub fn run(a: &CompareArgs) -> Result<()> {
    let mut reference = open_range(&a.source, &a.reference, a.frames.as_ref())?;
    let mut distorted = open_range(&a.source, &a.distorted, a.frames.as_ref())?;
    let (i, j) = (*reference.info(), *distorted.info());
    if (i.width, i.height, i.format) != (j.width, j.height, j.format) {
        return Err(Error::Mismatch(format!(
            "{} is {}x{} {}, {} is {}x{} {}",
            a.reference,
            i.width,
            i.height,
            i.format.name(),
            a.distorted,
            j.width,
            j.height,
            j.format.name()
        )));
    }
    let mut scorer = Scorer::new(&i);
    let mut frames = 0;
    loop {
        match (reference.read()?, distorted.read()?) {
            (Some(x), Some(y)) => scorer.add(&x, &y)?,
            (None, None) => break,
            (x, _) => {
                let (short, long) = if x.is_none() { (&a.reference, &a.distorted) } else { (&a.distorted, &a.reference) };
                return Err(Error::Mismatch(format!("{short} ends after {frames} frames, {long} goes on")));
            }
        }
        frames += 1;
    }
    let s = scorer.finish()?;
    if a.json {
        return print_line(&s.to_json().to_string());
    }
    let row = |name: &str, p: Option<Psnr>| p.map(|p| format!("{name:<12} {:>8.4} {:>8.4}\n", p.mean, p.pooled)).unwrap_or_default();
    let mut text = format!("{} frames of {}x{}\n{:<12} {:>8} {:>8}\n", s.frames, s.width, s.height, "PSNR, dB", "mean", "pooled");
    text += &row("Y", s.psnr_y);
    text += &row("U", s.psnr_u);
    text += &row("V", s.psnr_v);
    text += &row("YUV 6:1:1", s.psnr_yuv611);
    text += &row("RGB", s.psnr_rgb);
    if let Some(m) = s.ms_ssim_y {
        text += &format!("{:<12} {m:>8.5}\n", "MS-SSIM Y");
    }
    if let Some(m) = s.rgb_matrix {
        text += &format!("RGB by {m}");
    }
    print_line(text.trim_end())
}
