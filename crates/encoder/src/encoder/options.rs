//! What is asked of an encode.

use std::ops::RangeInclusive;

use super::{ArchConfig, Family};
use crate::fit;
use crate::plan::Preset;
use nvc::error::{Error, Result};

/// PSNR that may be asked for, dB.
pub const PSNR: RangeInclusive<f64> = 10.0..=70.0;
/// Rate factors.
pub const CRF: RangeInclusive<f64> = 0.0..=63.0;
/// Parameters of a group's network and latents that may be asked for.
pub const MODEL_SIZE: RangeInclusive<f64> = 100.0..=1e9;

/// Size to reach.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Bits of the whole file for each luma sample of each frame.
    Bpp(f64),
    /// Bytes of the whole file; needs a source that knows its length.
    Bytes(u64),
    /// What the model size gives at [`crate::plan::MODEL_SIZE_BITS`] bits a parameter.
    FromModelSize,
    /// [`nvc::metrics::Scores::quality`] of the whole file, dB; the size follows.
    Psnr(f64),
    /// Quality at which a bit more is worth as much squared error as x264 takes it for at this
    /// quantiser; the size follows.
    Crf(f64),
}

/// What to encode to, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Representation.
    pub family: Family,
    /// What of each family's network is chosen.
    pub config: ArchConfig,
    /// Size to reach.
    pub target: Target,
    /// Parameters of the network and latents of each group; chosen from the target if not given.
    pub model_size: Option<f64>,
    /// Effort.
    pub preset: Preset,
    /// Optimiser steps of each group; from the preset if not given.
    pub steps: Option<usize>,
    /// Passes over the frames of a group, in place of the preset's.
    pub passes: Option<usize>,
    /// Frames of a group; chosen if not given.
    pub group: Option<usize>,
    /// Groups of a section, of which each starts from the one before; chosen if not given.
    pub section: Option<usize>,
    /// Gain of a step, dB, below which a group that starts from the one before ends.
    pub least_gain: f64,
    /// Frames a step.
    pub batch: usize,
    /// Peak learning rate; the family's own if not given.
    pub learning_rate: Option<f64>,
    /// What trains the hidden kernels.
    pub optimiser: fit::Optimiser,
    /// Share of the steps before quantisation starts.
    pub float_share: f64,
    /// Whether the loss holds the rate.
    pub rate: bool,
    /// Bits of each parameter after the last step, instead of a size to reach.
    pub weight_bits: Option<u8>,
    /// Distortion to minimise.
    pub loss: fit::Loss,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Threads, 0 = one a processor. Does not change the result.
    pub threads: usize,
    /// Where to fit.
    pub device: fit::Device,
    /// Floating point of the activations while fitting.
    pub precision: fit::Precision,
    /// Sections fitted at once, 0 = as many as fill the device. Does not change the result.
    pub jobs: usize,
}

impl Default for Options {
    /// What `nvc encode` does unless told otherwise.
    fn default() -> Self {
        Options {
            family: Family::Auto,
            config: ArchConfig::default(),
            target: Target::Crf(36.0),
            model_size: None,
            preset: Preset::Medium,
            steps: None,
            passes: None,
            group: None,
            section: None,
            least_gain: 0.001,
            batch: 1,
            learning_rate: None,
            optimiser: fit::Optimiser::default(),
            float_share: fit::FLOAT_SHARE,
            rate: true,
            weight_bits: None,
            loss: fit::Loss::L2,
            seed: 0,
            threads: 0,
            device: fit::Device::default(),
            precision: fit::Precision::default(),
            jobs: 0,
        }
    }
}

impl Options {
    /// Refuses values out of range.
    pub(super) fn check(&self) -> Result<()> {
        let bad = |name: &str, v: f64, allowed: &str| {
            Err(Error::Parameter(format!(
                "{name} is {v} (allowed {allowed})"
            )))
        };
        let above = |v: f64, most: f64| v > 0.0 && v <= most;
        match self.target {
            Target::Bpp(b) if !above(b, f64::MAX) => {
                return bad("bits of a luma sample", b, "above 0");
            }
            Target::Bytes(0) => return bad("size in bytes", 0.0, "above 0"),
            Target::Psnr(p) if !PSNR.contains(&p) => return bad("PSNR", p, &range(&PSNR)),
            Target::Crf(q) if !CRF.contains(&q) => return bad("rate factor", q, &range(&CRF)),
            _ => {}
        }
        match (self.model_size, self.learning_rate) {
            (Some(p), _) if !MODEL_SIZE.contains(&p) => {
                return bad("model size", p, &range(&MODEL_SIZE));
            }
            (_, Some(r)) if !above(r, 1.0) => return bad("learning rate", r, "above 0, at most 1"),
            _ => {}
        }
        if !(0.0..=10.0).contains(&self.least_gain) {
            return bad("least gain", self.least_gain, "0..=10");
        }
        if !(0.0..=1.0).contains(&self.float_share) {
            return bad("float share", self.float_share, "0..=1");
        }
        let counts = [
            ("batch", Some(self.batch), 1..=64),
            ("steps", self.steps, 1..=100_000_000),
            ("passes", self.passes, 1..=1_000_000),
            ("frames of a group", self.group, 1..=65535),
            ("groups of a section", self.section, 1..=65535),
            (
                "bits of a weight",
                self.weight_bits.map(usize::from),
                2..=12,
            ),
        ];
        match counts
            .into_iter()
            .find(|(_, v, range)| v.is_some_and(|v| !range.contains(&v)))
        {
            Some((name, Some(v), range)) => bad(
                name,
                v as f64,
                &format!("{}..={}", range.start(), range.end()),
            ),
            _ => Ok(()),
        }
    }
}

fn range(r: &RangeInclusive<f64>) -> String {
    format!("{}..={}", r.start(), r.end())
}

#[cfg(test)]
mod tests {
    use super::super::tests::options;
    use super::*;

    #[test]
    fn numbers_that_are_none_are_refused() {
        options(Target::FromModelSize).check().unwrap();
        let targets = [f64::NAN, 0.0, -1.0, f64::INFINITY]
            .map(Target::Bpp)
            .into_iter();
        for target in targets.chain([
            Target::Bytes(0),
            Target::Psnr(f64::NAN),
            Target::Psnr(9.0),
            Target::Crf(64.0),
        ]) {
            assert_eq!(
                options(target).check().unwrap_err().exit_code(),
                2,
                "{target:?}"
            );
        }
        let natural = || options(Target::FromModelSize);
        for o in [
            Options {
                batch: 0,
                ..natural()
            },
            Options {
                model_size: Some(f64::NAN),
                ..natural()
            },
            Options {
                steps: Some(0),
                ..natural()
            },
            Options {
                group: Some(0),
                ..natural()
            },
            Options {
                float_share: f64::NAN,
                ..natural()
            },
            Options {
                learning_rate: Some(0.0),
                ..natural()
            },
        ] {
            let e = o.check().unwrap_err().to_string();
            assert!(e.contains("allowed"), "{e}");
        }
    }
}
