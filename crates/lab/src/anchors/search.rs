//! The quality at which a codec's file has a wanted size.

use super::backend::Run;
use super::codec::Scale;
use super::options::AnchorOptions;
use nvc::error::{Error, Result};

/// Interpolates the logarithm of the size, which is nearly linear in the quality (or its
/// logarithm).
pub(super) fn search(
    scale: &Scale,
    target: u64,
    opts: &AnchorOptions,
    mut encode: impl FnMut(f64) -> Result<Run>,
) -> Result<(Run, Option<String>)> {
    // Position on an axis on which files get smaller.
    let sign = if scale.small > scale.large { 1.0 } else { -1.0 };
    let position = |quality: f64| sign * if scale.log { quality.ln() } else { quality };
    let quality = |position: f64| {
        let q = sign * position;
        let q = if scale.log { q.exp() } else { q };
        // dividing by a whole number keeps 0.01 steps from showing as 27.150000000000002
        let per_unit = (1.0 / scale.step).round();
        ((q * per_unit).round() / per_unit)
            .clamp(scale.small.min(scale.large), scale.small.max(scale.large))
    };
    let slope = scale.halving / std::f64::consts::LN_2;
    let excess = |r: &Run| (r.bytes.max(1) as f64 / target.max(1) as f64).ln();
    // The nearest too large and too small encodes: position, and logarithm of size over wanted
    // size.
    let (mut large, mut small) = (None::<(f64, f64)>, None::<(f64, f64)>);
    let mut best: Option<Run> = None;
    let mut q = scale.start;
    let mut reason = "after the allowed number of encodes".to_string();
    for n in 0..opts.max_runs.max(1) {
        let run = encode(q)?;
        let e = excess(&run);
        let bracket = if e > 0.0 { &mut large } else { &mut small };
        *bracket = Some((position(q), e));
        if best.as_ref().is_none_or(|b| e.abs() < excess(b).abs()) {
            best = Some(run);
        }
        if e.exp_m1().abs() <= opts.tolerance {
            break;
        }
        if (e > 0.0 && q == scale.small) || (e < 0.0 && q == scale.large) {
            let side = if e > 0.0 { "below" } else { "above" };
            reason = format!("the wanted size is {side} what {} {q} gives", scale.name);
            break;
        }
        let next = match (large, small) {
            // Bisect now and then, for curves that are anything but linear.
            (Some((a, _)), Some((b, _))) if n % 4 == 3 => (a + b) / 2.0,
            (Some((a, ea)), Some((b, eb))) => {
                let margin = 0.05 * (a - b).abs();
                (a + (b - a) * ea / (ea - eb)).clamp(a.min(b) + margin, a.max(b) - margin)
            }
            (Some((a, ea)), None) => a + (ea * slope).max(scale.halving / 12.0),
            (None, Some((b, eb))) => b + (eb * slope).min(-scale.halving / 12.0),
            (None, None) => position(q),
        };
        let tried = |q: f64| {
            [large, small]
                .iter()
                .flatten()
                .any(|&(p, _)| quality(p) == q)
        };
        let mut next = quality(next);
        if tried(next) {
            // coarse scales: the rest of the bracket may still hold a step
            let middle = large
                .zip(small)
                .map(|((a, _), (b, _))| quality((a + b) / 2.0));
            match middle.filter(|&m| !tried(m)) {
                Some(m) => next = m,
                None => {
                    reason = format!("{} has no finer steps", scale.name);
                    break;
                }
            }
        }
        q = next;
    }
    let best = best.ok_or_else(|| Error::Parameter("no encode allowed".into()))?;
    let off = excess(&best).exp_m1();
    let note = (off.abs() > opts.tolerance).then(|| {
        format!(
            "{:+.1} % off the wanted {target} bytes: {reason}",
            100.0 * off
        )
    });
    Ok((best, note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchors::AnchorSpec;

    fn model(spec: &str, target: u64, size: impl Fn(f64) -> f64) -> (Run, Option<String>, usize) {
        let scale = spec.parse::<AnchorSpec>().unwrap().codec.scale().unwrap();
        let mut runs = 0;
        let encode = |quality: f64| {
            runs += 1;
            let bytes = size(quality) as u64;
            Ok(Run {
                quality,
                bytes,
                whole: bytes,
                seconds: 0.0,
                streams: Vec::new(),
            })
        };
        let (run, note) = search(&scale, target, &AnchorOptions::default(), encode).unwrap();
        (run, note, runs)
    }

    /// Size halves every 5 at first and every 9 later, and is never below 900.
    fn crf(crf: f64) -> f64 {
        900.0 + 1e6 * (-crf / 5.0f64).exp2() + 1e5 * (-crf / 9.0f64).exp2()
    }

    #[test]
    fn search_hits_the_size_or_says_why_not() {
        for target in [4000, 20_000, 100_000, 1_000_000] {
            let (run, note, runs) = model("x265", target, crf);
            assert!(
                (run.bytes as f64 / target as f64 - 1.0).abs() <= 0.01 && note.is_none(),
                "{target}: {run:?} in {runs}"
            );
            assert!(runs <= 9);
        }
        let (run, note, _) = model("x264", 100, crf);
        assert!(run.quality == 51.0 && note.unwrap().contains("crf 51"));
        let (run, note, _) = model("x264", 1 << 30, crf);
        assert!(run.quality == 0.0 && note.unwrap().contains("crf 0"));
    }

    #[test]
    fn other_scales() {
        // Butteraugli distance: size falls with its power.
        for target in [5000, 20_000, 90_000] {
            let (run, note, runs) = model("jxl", target, |d| 40_000.0 * d.powf(-0.7));
            assert!(
                note.is_none() && runs <= 9,
                "{target}: {run:?} {note:?} in {runs}"
            );
        }
        // Where more quality is a larger file, in whole steps.
        let jpeg = |q: f64| 5000.0 * (q / 25.0).exp();
        let (run, note, _) = model("jpeg:420", 40_000, jpeg);
        assert_eq!((run.quality, note.is_some()), (52.0, false));
        let (run, note, runs) = model("jpeg:420", 40_900, jpeg);
        assert!(
            [52.0, 53.0].contains(&run.quality) && note.unwrap().contains("q has no finer steps"),
            "{run:?} in {runs}"
        );
        let (run, note, _) = model("jpeg:444", 10, jpeg);
        assert!(run.quality == 1.0 && note.unwrap().contains("below what q 1"));
    }

    #[test]
    fn the_first_encode_that_fails_ends_it() {
        let scale = "x264".parse::<AnchorSpec>().unwrap().codec.scale().unwrap();
        let mut runs = 0;
        let e = search(&scale, 1, &AnchorOptions::default(), |_| {
            runs += 1;
            Err(Error::Unsupported("no".into()))
        });
        assert!(e.is_err() && runs == 1);
    }
}
