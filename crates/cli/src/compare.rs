//! `nvc compare`: one video against another.

use std::path::Path;

use super::args::CompareArgs;
use super::say::{print_line, say, say_missing};
use super::sources::{in_range, open_any, takes, warn};
use nvc::error::{Error, Result};
use nvc::metrics::{Psnr, Scorer};
use nvc_lab::scores_json;
use nvc_media::with_alpha_of;

/// Scores `a.distorted` against `a.reference`.
pub fn run(a: &CompareArgs) -> Result<()> {
    if [&a.reference, &a.distorted]
        .iter()
        .all(|p| p.as_path() == Path::new("-"))
    {
        return Err(Error::Parameter(
            "stdin can be read once: give one of the two as a file".into(),
        ));
    }
    let (reference, distorted) = (
        open_any(&a.source, &a.reference)?,
        open_any(&a.source, &a.distorted)?,
    );
    let taken = takes(&a.reference, &reference).or(takes(&a.distorted, &distorted));
    let (one, other) = (a.reference.display(), a.distorted.display());
    a.source
        .options()
        .check_used(taken, &format!("{one} and {other}"))?;
    let reference = in_range(reference, a.frames.as_ref())?;
    let distorted = in_range(distorted, a.frames.as_ref())?;
    let (i, j) = (reference.info().format, distorted.info().format);
    let mut reference = with_alpha_of(reference, j);
    let mut distorted = with_alpha_of(distorted, i);
    let (i, j) = (*reference.info(), *distorted.info());
    if (i.width, i.height, i.format) != (j.width, j.height, j.format) {
        return Err(Error::Mismatch(format!(
            "{} is {}x{} {}, {} is {}x{} {}",
            one,
            i.width,
            i.height,
            i.format.name(),
            other,
            j.width,
            j.height,
            j.format.name()
        )));
    }
    if let Some(differ) = i.differences(&j) {
        say(&format!(
            "warning: {one} and {other} differ in {differ}; their samples are compared as they are"
        ));
    }
    let mut scorer = Scorer::new(&i);
    let mut frames = 0;
    loop {
        match (reference.read()?, distorted.read()?) {
            (Some(x), Some(y)) => scorer.add(&x, &y)?,
            (None, None) => break,
            (x, _) => {
                let (short, long) = if x.is_none() {
                    (&one, &other)
                } else {
                    (&other, &one)
                };
                return Err(Error::Mismatch(format!(
                    "{short} ends after {frames} frames, {long} goes on"
                )));
            }
        }
        frames += 1;
    }
    say_missing(
        &format_args!("{one} and {other}"),
        a.frames.as_ref(),
        frames,
    );
    warn(&a.reference, &mut reference);
    warn(&a.distorted, &mut distorted);
    let s = scorer.finish()?;
    if a.json {
        return print_line(&scores_json(&s).to_string());
    }
    let row = |name: &str, p: Option<Psnr>| {
        p.map(|p| format!("{name:<12} {:>8.4} {:>8.4}\n", p.mean, p.pooled))
            .unwrap_or_default()
    };
    let mut text = format!(
        "{} frames of {}x{}\n{:<12} {:>8} {:>8}\n",
        s.frames, s.width, s.height, "PSNR, dB", "mean", "pooled"
    );
    text += &row("Y", s.psnr_y);
    text += &row("U", s.psnr_u);
    text += &row("V", s.psnr_v);
    text += &row("YUV 6:1:1", s.psnr_yuv611);
    text += &row("RGB", s.psnr_rgb);
    text += &row("alpha", s.psnr_alpha);
    if let Some(m) = s.ms_ssim_y {
        text += &format!("{:<12} {m:>8.5}\n", "MS-SSIM Y");
    }
    if let Some(m) = s.rgb_matrix {
        text += &format!("RGB by {m}");
    }
    print_line(text.trim_end())
}
