//! Warm-started sections by quality: what bytes a section of groups that lean on each other takes,
//! found by fits of the whole section.
//!
//! The quality of such a section is that of its later groups, which have few steps each and share
//! the first group's quantisation steps: nothing of it can be foreseen while the first is fitted.

use super::groups::groups;
use super::networks::LEAST_BYTES;
use super::observer::Shared;
use super::options::Options;
use super::report::PSNR_TOLERANCE;
use super::work::{Coded, Work};
use crate::fit::{OCTAVE, QualityTarget};
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc::metrics::Scorer;

/// Fits of the section.
const TRIES: usize = 5;
/// dB that a doubling of the bytes may gain.
const OCTAVES: std::ops::RangeInclusive<f64> = 0.5..=4.0;
/// Most that bytes change by from one fit to the next.
const FACTOR: std::ops::RangeInclusive<f64> = 0.25..=4.0;
/// PSNR above the wanted that is aimed at: the middle of what counts as reached, dB.
const ABOVE: f64 = 0.1;

/// Bytes for the next of `tries`, each of bytes and PSNR above the wanted, dB.
fn next(tries: &[(f64, f64)]) -> Option<f64> {
    let &(bytes, spare) = tries.last()?;
    let too_few = tries
        .iter()
        .filter(|t| t.1 < 0.0)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let too_many = tries
        .iter()
        .filter(|t| t.1 >= 0.0)
        .min_by(|a, b| a.0.total_cmp(&b.0));
    if let (Some(a), Some(b)) = (too_few, too_many)
        && a.0 < b.0
    {
        // the slope bends, so neither end is taken again
        let part = ((ABOVE - a.1) / (b.1 - a.1)).clamp(0.15, 0.85);
        return Some(a.0 * (b.0 / a.0).powf(part));
    }
    let slope = match tries {
        [.., a, b] if (b.0 / a.0).log2().abs() > 0.1 => (b.1 - a.1) / (b.0 / a.0).log2(),
        _ => OCTAVE,
    };
    // more bytes that brought nothing will not bring it
    (spare >= 0.0 || slope > 0.0).then(|| {
        let octave = slope.clamp(*OCTAVES.start(), *OCTAVES.end());
        bytes
            * ((ABOVE - spare) / octave)
                .exp2()
                .clamp(*FACTOR.start(), *FACTOR.end())
    })
}

/// The section at the quality that `goal` wants, or as near as it came.
pub(super) fn by_quality(
    work: &Work,
    goal: QualityTarget,
    info: &VideoInfo,
    options: &Options,
    shared: &Shared<'_, '_>,
) -> Result<Coded> {
    let frames: usize = work.parts.iter().map(Vec::len).sum();
    let samples = (frames * info.width * info.height) as f64;
    let sized = &options.sized();
    let mut bytes = work.start.unwrap_or(LEAST_BYTES);
    let (mut tries, mut best) = (Vec::<(f64, f64)>::new(), None::<(f64, Coded)>);
    while tries.len() < TRIES {
        let coded = match groups(work, Some(bytes), info, sized, shared) {
            Ok(c) => c,
            // a fit that goes wrong does not undo the ones before
            Err(Error::Parameter(_)) if best.is_some() => break,
            Err(e) => return Err(e),
        };
        let mut scorer = Scorer::new(info);
        work.parts
            .iter()
            .flatten()
            .zip(&coded.decoded)
            .try_for_each(|(a, b)| scorer.add(a, b))?;
        let psnr = scorer.finish()?.quality();
        let spare = match goal {
            QualityTarget::Psnr(wanted) => psnr - wanted,
            QualityTarget::Price(_) => psnr - goal.psnr(psnr, bytes * 8.0 / samples),
        };
        tries.push((bytes, spare));
        if best.as_ref().is_none_or(|(b, _)| spare.abs() < b.abs()) {
            best = Some((spare, coded));
        }
        if PSNR_TOLERANCE.contains(&spare) {
            break;
        }
        let Some(wanted) = next(&tries) else { break };
        if (wanted / bytes).ln().abs() < 0.01 {
            break;
        }
        bytes = wanted.max(LEAST_BYTES);
    }
    best.map(|(_, c)| c)
        .ok_or_else(|| Error::Parameter("a section without a fit; this is a bug".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_what_fits_say() {
        assert_eq!(next(&[]), None);
        assert!((next(&[(1000.0, ABOVE - OCTAVE)]).unwrap() - 2000.0).abs() < 1e-6);
        // a slope of 2 dB
        assert!(
            (next(&[(1000.0, ABOVE - 4.0), (2000.0, ABOVE - 2.0)]).unwrap() - 4000.0).abs() < 1e-6
        );
        assert_eq!(next(&[(1000.0, -4.0), (2000.0, -4.5)]), None);
        // between two
        assert!(
            (next(&[(1000.0, ABOVE - 1.0), (4000.0, ABOVE + 1.0)]).unwrap() - 2000.0).abs() < 1e-6
        );
        assert!(next(&[(1000.0, -0.2), (4000.0, 9.0)]).unwrap() > 1200.0);
    }

    #[test]
    fn a_chain_with_a_curve_is_found() {
        for wanted in [20.0, 27.0, 33.0] {
            let mut tries = Vec::new();
            let mut bytes = 10_000.0;
            while tries.len() < TRIES {
                // 28 dB at 10,000 bytes, with a slope that falls
                let psnr = 28.0 + 6.0 * (1.0 - (bytes / 10_000.0f64).powf(-0.4));
                tries.push((bytes, psnr - wanted));
                if PSNR_TOLERANCE.contains(&(psnr - wanted)) {
                    break;
                }
                bytes = next(&tries).unwrap();
            }
            assert!(
                PSNR_TOLERANCE.contains(&tries.last().unwrap().1),
                "{wanted} dB: {tries:?}"
            );
        }
    }
}
