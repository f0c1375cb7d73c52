//! What an encode says when it has ended, and whether it is what was asked for.

use super::choice::Choice;
use super::families::Family;
use super::order0::Order0;
use nvc::error::{Error, Result};
use nvc::group::GroupBytes;
use nvc::metrics::Scores;

/// How far off the wanted size a file may be and still count as reached.
pub const TARGET_TOLERANCE: f64 = 0.02;
/// PSNR, less that wanted, that counts as reached, dB.
pub const PSNR_TOLERANCE: std::ops::RangeInclusive<f64> = -0.1..=0.3;

/// One group as coded.
#[derive(Clone, Debug)]
pub struct GroupReport {
    /// Index of the group.
    pub index: usize,
    /// First frame.
    pub first_frame: u64,
    /// Frames.
    pub frames: usize,
    /// Representation.
    pub arch: &'static str,
    /// Parameters of the network.
    pub params: u64,
    /// Multiply-accumulates for each luma sample.
    pub macs_per_pixel: f64,
    /// Optimiser steps.
    pub steps: usize,
    /// Bytes by part.
    pub bytes: GroupBytes,
    /// What plain coders would take for the same integers.
    pub order0: Order0,
    /// PSNR of the float network, activations kept to the coded ranges, over all planes as weighted
    /// by the loss, dB; those of networks of frames rounded to samples.
    pub float_psnr: f64,
    /// The same of the exact decoder, dB.
    pub exact_psnr: f64,
    /// Seconds of fitting.
    pub fit_seconds: f64,
    /// Frames decoded a second.
    pub decode_fps: f64,
}

/// The whole file.
#[derive(Clone, Debug)]
pub struct Report {
    /// Frames coded.
    pub frames: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bits of the file for each luma sample.
    pub bpp: f64,
    /// Size that was wanted, bytes.
    pub wanted: Option<f64>,
    /// PSNR that was wanted, dB.
    pub wanted_psnr: Option<f64>,
    /// Bytes that networks of the family can have on these pictures, about; those that the fits of a
    /// picture had.
    pub reach: (f64, f64),
    /// Whether the model size was given.
    pub fixed_size: bool,
    /// Representation.
    pub family: Family,
    /// How it was chosen, if it was.
    pub choice: Option<Choice>,
    /// Every group.
    pub groups: Vec<GroupReport>,
    /// Decoded against source.
    pub scores: Scores,
    /// Seconds in all.
    pub seconds: f64,
}

impl Report {
    /// An [`Error::Target`] if the file's size is off by more than [`TARGET_TOLERANCE`], or its
    /// PSNR not within [`PSNR_TOLERANCE`].
    pub fn check_target(&self) -> Result<()> {
        match self.wanted {
            Some(w) if (self.bytes as f64 / w - 1.0).abs() > TARGET_TOLERANCE => {
                let (least, most) = self.reach;
                let reach = if self.family.is_still() {
                    format!("all fits that were tried had {least:.0} to {most:.0} bytes")
                } else {
                    format!(
                        "{} can have about {least:.0} to {most:.0} bytes on these pictures{}",
                        self.family.name(),
                        if self.fixed_size {
                            ", with another --model-size"
                        } else {
                            ""
                        }
                    )
                };
                Err(Error::Target(format!(
                    "the file has {} bytes, {:.0} were asked for ({:+.1} %, at most {:.0} % counts as reached); {reach}",
                    self.bytes,
                    w,
                    (self.bytes as f64 / w - 1.0) * 100.0,
                    TARGET_TOLERANCE * 100.0,
                )))
            }
            _ => self.check_psnr(),
        }
    }

    fn check_psnr(&self) -> Result<()> {
        let (Some(wanted), got) = (self.wanted_psnr, self.scores.quality()) else {
            return Ok(());
        };
        if PSNR_TOLERANCE.contains(&(got - wanted)) {
            return Ok(());
        }
        let params = self.groups.iter().map(|g| g.params).max().unwrap_or(0);
        let (at, remedy) = if self.family.is_still() {
            ("after all corrections", "a slower --preset comes nearer")
        } else if got < wanted {
            (
                "at most",
                "a slower --preset reaches more, so does a larger --model-size",
            )
        } else {
            ("at least", "a smaller --model-size reaches less")
        };
        Err(Error::Target(format!(
            "the file has {got:.2} dB, {wanted:.2} dB were asked for ({:+.1} to {:+.1} dB count as reached); this effort gave {at} {got:.2} dB, \
             with {params} parameters a group in {:.4} bpp: {remedy}",
            PSNR_TOLERANCE.start(),
            PSNR_TOLERANCE.end(),
            self.bpp,
        )))
    }
}
