//! The size of a group's network where a quality is wanted: guessed, and corrected by what fits
//! say.

use std::ops::Range;

use super::networks::{self, LEAST_BYTES};
use super::options::{Options, Target};
use crate::fit::{OCTAVE, QualityTarget, Resize};
use crate::plan;
use nvc::error::Result;
use nvc::frame::VideoInfo;
use nvc::network::Arch;

/// Whole fits that corrections may take; those that end early take their share of one.
const CORRECTIONS: f64 = 2.0;
/// Less than this is left over.
const LEAST: f64 = 0.4;
/// Fits that may end early.
const EARLY: usize = 3;
/// Bits for each luma sample beyond which other coders do better.
const MOST_BPP: f64 = 4.0;
/// dB of a doubling below which more bytes do not bring the quality.
const FLAT: f64 = 0.25;
/// Bytes of a network, relative to those of another, up to which it is no other; those of the next;
/// and the sizes that are asked for when one is sought.
const SAME: f64 = 1.1;
const NEXT: f64 = 1.3;
const ASK: f64 = 1.08;
const ASKS: i32 = 6;
/// Most that one correction changes the bytes by: a wrong forecast shall not cost hours.
const FACTOR: std::ops::RangeInclusive<f64> = 0.2..=4.0;
/// dB that a doubling of the bytes may gain.
const OCTAVES: std::ops::RangeInclusive<f64> = 0.4..=5.0;
/// PSNR above the wanted, dB, to size a network for: fewer bits a value bring it down, more do not
/// bring it up.
const ABOVE: f64 = 0.25;

/// Squared error, in samples at 8 bits, that a bit is worth at rate factor `crf`: x264's and x265's
/// at that quantiser.
pub(super) fn price(crf: f64) -> f64 {
    0.85 * ((crf - 12.0) / 3.0).exp2()
}

/// What `target` aims at, if it is a quality.
pub(super) fn goal(target: Target) -> Option<QualityTarget> {
    match target {
        Target::Psnr(p) => Some(QualityTarget::Psnr(p)),
        Target::Crf(q) => Some(QualityTarget::Price(price(q))),
        Target::Bpp(_) | Target::Bytes(_) | Target::FromModelSize => None,
    }
}

/// Bits for each luma sample to start from in a group of `frames` frames: a still takes more than
/// what moves little.
pub(super) fn guess(frames: usize) -> f64 {
    (0.5 / (frames.max(1) as f64).sqrt()).max(0.1)
}

/// What a fit said of a network.
#[derive(Clone, Copy)]
struct Tried {
    bytes: f64,
    /// PSNR above the wanted, dB.
    spare: f64,
    /// Share of its steps.
    done: f64,
}

/// A network, its bytes, and what was learnt from those before it.
pub(super) struct Sizing {
    /// The network to fit.
    pub(super) arch: Arch,
    /// Bytes it shall have.
    pub(super) bytes: f64,
    tried: Vec<Tried>,
    /// Whole fits left for corrections, and fits that may end early.
    left: f64,
    early: usize,
    /// Whether there are networks, smaller and larger, of which none has been found too small or
    /// too large.
    others: (bool, bool),
}

impl Sizing {
    /// The network for `coded` bytes in a group of `frames` frames, where these are known. Where
    /// they follow from a quality, the network that was found has its usual bits a value, also if
    /// there was none of the size.
    pub(super) fn new(
        info: &VideoInfo,
        frames: usize,
        coded: Option<f64>,
        options: &Options,
    ) -> Result<Self> {
        let (arch, bytes) = networks::network(info, frames, coded, options)?;
        let mut sizing = Sizing {
            arch,
            bytes,
            tried: Vec::new(),
            left: 0.0,
            early: EARLY,
            others: (false, false),
        };
        if goal(options.target(info)?).is_some() {
            sizing.bytes = plan::bytes_for(networks::values(&sizing.arch, info, frames)?);
            if options.model_size.is_none() {
                sizing.left = CORRECTIONS;
                sizing.look_around(info, frames, options)?;
            }
        }
        Ok(sizing)
    }

    /// Whether another network may be tried.
    pub(super) fn may_change(&self) -> bool {
        self.left > LEAST && (self.others.0 || self.others.1)
    }

    /// When the next fit may give way to one of another network.
    pub(super) fn resize(&self) -> Resize {
        if !self.may_change() {
            return Resize::default();
        }
        Resize {
            early: self.early > 0,
            smaller: self.others.0,
            larger: self.others.1,
        }
    }

    /// Bytes of the largest network that was too small, and of the smallest that was too large;
    /// later fits know better.
    fn bounds(&self) -> (f64, f64) {
        self.tried
            .iter()
            .fold((0.0, f64::INFINITY), |(low, high), t| match t.spare < 0.0 {
                true => (t.bytes, if high > t.bytes { high } else { f64::INFINITY }),
                false => (if low < t.bytes { low } else { 0.0 }, t.bytes),
            })
    }

    /// dB that a doubling of the bytes gains, if two fits told it: the last, and one of about the
    /// same share of its steps and another size.
    fn slope(&self) -> Option<f64> {
        let (last, before) = self.tried.split_last()?;
        let octaves = |t: &Tried| (last.bytes / t.bytes).log2();
        let other = before
            .iter()
            .rev()
            .find(|t| (last.done - t.done).abs() < 0.1 && octaves(t).abs() > 0.1)?;
        Some((last.spare - other.spare) / octaves(other))
    }

    /// Bytes for which a network has `ABOVE`, by what the last one had.
    fn wanted_bytes(&self) -> f64 {
        let Some(last) = self.tried.last() else {
            return self.bytes;
        };
        let octave = self
            .slope()
            .filter(|s| *s > 0.0)
            .map_or(OCTAVE, |s| s.clamp(*OCTAVES.start(), *OCTAVES.end()));
        last.bytes
            * ((ABOVE - last.spare) / octave)
                .exp2()
                .clamp(*FACTOR.start(), *FACTOR.end())
    }

    /// The network with the bytes nearest to `wanted` of those with more than `range.start` and
    /// fewer than `range.end`, if there are any.
    fn nearest(
        &self,
        wanted: f64,
        range: Range<f64>,
        info: &VideoInfo,
        frames: usize,
        options: &Options,
    ) -> Result<Option<(Arch, f64)>> {
        let most = (MOST_BPP * (frames * info.width * info.height) as f64 / 8.0).max(LEAST_BYTES);
        let range = (range.start * SAME).max(LEAST_BYTES)..(range.end / SAME).min(most);
        if range.is_empty() {
            return Ok(None);
        }
        let wanted = wanted.clamp(range.start, range.end);
        let off = |bytes: f64| (bytes / wanted).ln().abs();
        let mut best: Option<(Arch, f64)> = None;
        // sizes are steps apart, and what is asked for may be had by a size's name only
        for ask in (-ASKS..=ASKS).map(|i| wanted * ASK.powi(i)) {
            let (arch, _) = networks::network(info, frames, Some(ask), options)?;
            let bytes = plan::bytes_for(networks::values(&arch, info, frames)?);
            if range.contains(&bytes) && best.as_ref().is_none_or(|(_, b)| off(bytes) < off(*b)) {
                best = Some((arch, bytes));
            }
        }
        Ok(best)
    }

    fn look_around(&mut self, info: &VideoInfo, frames: usize, options: &Options) -> Result<()> {
        let (low, high) = self.bounds();
        let smaller = self.nearest(self.bytes / NEXT, low..self.bytes, info, frames, options)?;
        let larger = self.nearest(self.bytes * NEXT, self.bytes..high, info, frames, options)?;
        self.others = (smaller.is_some(), larger.is_some());
        Ok(())
    }

    /// Takes another network, after the share `done` of a fit of this one had `spare` dB more than
    /// wanted. `false` if none of another size would bring it.
    pub(super) fn correct(
        &mut self,
        spare: f64,
        done: f64,
        info: &VideoInfo,
        frames: usize,
        options: &Options,
    ) -> Result<bool> {
        self.tried.push(Tried {
            bytes: self.bytes,
            spare,
            done,
        });
        self.left -= done;
        self.early = self.early.saturating_sub(usize::from(done < 1.0));
        let flat = spare < 0.0 && self.slope().is_some_and(|s| s < FLAT);
        let (low, high) = self.bounds();
        let found = if flat {
            None
        } else {
            self.nearest(self.wanted_bytes(), low..high, info, frames, options)?
        };
        let Some((arch, bytes)) = found else {
            self.others = (false, false);
            return Ok(false);
        };
        (self.arch, self.bytes) = (arch, bytes);
        self.look_around(info, frames, options)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{info, options};
    use super::*;

    #[test]
    fn the_rate_factor_is_that_of_known_encoders() {
        // x264's and x265's lambda: 0.85 at 12, twice that three steps on
        assert!((price(12.0) - 0.85).abs() < 1e-12 && (price(15.0) - 1.7).abs() < 1e-12);
        assert_eq!(goal(Target::Bpp(0.1)), None);
        assert!((guess(1) - 0.5).abs() < 1e-12 && (guess(48) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn corrections_learn_the_slope() {
        let mut s = Sizing::new(
            &info(64, 48),
            4,
            Some(1000.0),
            &options(|o| o.psnr = Some(30.0)),
        )
        .unwrap();
        let tried = |bytes, spare, done| Tried { bytes, spare, done };
        // 1.4 dB an octave until known, and never far at once
        for (spare, bytes) in [(ABOVE - 1.4, 2000.0), (-30.0, 4000.0), (30.0, 200.0)] {
            s.tried = vec![tried(1000.0, spare, 1.0)];
            assert!(
                (s.wanted_bytes() - bytes).abs() < 1e-6,
                "{} bytes after {spare} dB",
                s.wanted_bytes()
            );
        }
        // an octave that gained 0.7 dB
        s.tried = vec![tried(1000.0, -1.4, 0.25), tried(2000.0, -0.7, 0.25)];
        assert!((s.slope().unwrap() - 0.7).abs() < 1e-9);
        assert!((s.wanted_bytes() - 2000.0 * ((ABOVE + 0.7) / 0.7).exp2()).abs() < 1e-6);
        // fits of other shares of their steps do not tell it, and one that lost some is noise
        for (spare, done) in [(-0.7, 1.0), (-1.9, 0.25)] {
            s.tried[1] = tried(2000.0, spare, done);
            assert!((s.wanted_bytes() - 2000.0 * ((ABOVE - spare) / OCTAVE).exp2()).abs() < 1e-6);
        }
    }

    #[test]
    fn what_was_too_small_or_too_large_is_not_tried_again() {
        let (info, options) = (info(64, 48), options(|o| o.psnr = Some(30.0)));
        let mut s = Sizing::new(&info, 4, Some(12_000.0), &options).unwrap();
        let large = s.bytes;
        assert!(s.correct(4.0, 0.25, &info, 4, &options).unwrap() && s.bytes < large / SAME);
        let small = s.bytes;
        assert!(
            s.correct(-4.0, 0.25, &info, 4, &options).unwrap()
                && (small * SAME..large / SAME).contains(&s.bytes),
            "{}",
            s.bytes
        );
        assert_eq!(s.bounds(), (small, large));
        // a second thought
        s.tried.push(Tried {
            bytes: large * 2.0,
            spare: -1.0,
            done: 0.4,
        });
        assert_eq!(s.bounds(), (large * 2.0, f64::INFINITY));
    }

    #[test]
    fn what_no_network_brings_is_not_tried_for_ever() {
        let (info, options) = (info(64, 48), options(|o| o.psnr = Some(60.0)));
        let mut s = Sizing::new(&info, 4, Some(600.0), &options).unwrap();
        let mut tries = 0;
        while s.resize().early
            && s.correct(-30.0 + 2.0 * f64::from(tries), 0.25, &info, 4, &options)
                .unwrap()
        {
            tries += 1;
            assert!(
                s.bytes <= MOST_BPP * f64::from(64 * 48 * 4) / 8.0,
                "{} bytes",
                s.bytes
            );
        }
        assert!((1..=EARLY as i32).contains(&tries), "{tries}");
        // larger ones that bring nothing end it
        let mut s = Sizing::new(&info, 4, Some(600.0), &options).unwrap();
        assert!(s.correct(-10.0, 0.25, &info, 4, &options).unwrap());
        assert!(!s.correct(-9.9, 0.25, &info, 4, &options).unwrap() && !s.may_change());
        // and there are no smaller ones than the smallest
        let mut s = Sizing::new(&info, 4, Some(LEAST_BYTES), &options).unwrap();
        assert!(!s.resize().smaller && s.resize().larger);
        assert!(
            !s.correct(9.0, 0.25, &info, 4, &options).unwrap() && s.resize() == Resize::default()
        );
    }
}
