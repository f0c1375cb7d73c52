//! Fits by quality: what size the wanted quality takes, foreseen while the fit goes on.
//!
//! The network as quantised is looked at now and then on a few passes. What the rest of the fit
//! will add, and what bytes buy, are known from other fits ([`to_come`], [`bits_for`]); the wanted
//! bytes follow. Where the network is of the wrong size for that quality, the fit says so early.

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::job::Misfit;
use super::net::TrainableNetwork;
use super::ops::FastOps;
use super::quality_target::{bits_for, to_come};
use super::target;
use super::train::Trainer;
use nvc::error::{Error, Result};
use nvc::metrics;

/// Passes that are looked at, as far as there are so many.
const SAMPLE: usize = 12;
/// What may be missing or left over, dB, at the first look and when quantisation starts, without a
/// network of another size.
const SPARE_FIRST: std::ops::Range<f64> = -1.6..2.4;
const SPARE: std::ops::Range<f64> = -0.5..1.3;
/// Share of the steps before which a look is the first.
const FIRST: f64 = 0.3;
/// Most that bytes are turned by at once, dB: a network that gets fewer bits is worse at first than
/// it will be.
const TURN: f64 = 0.12;
/// What families without an embedding have yet to gain, relative to [`to_come`].
const LATER: f64 = 1.45;
/// Gain between two looks, relative to what [`to_come`] has, above which it is taken to go on so,
/// and the most that is taken.
const SPEED: f64 = 1.5;
const SPEED_MOST: f64 = 3.0;

impl<B> Trainer<'_, B>
where
    B: AutodiffBackend + FastOps,
    B::InnerBackend: FastOps,
{
    /// Mean quality of the frames of `passes`, dB, of the network as it is.
    pub(super) fn quality(
        &self,
        passes: impl Iterator<Item = usize>,
        quantise: bool,
    ) -> Result<f64> {
        let net: TrainableNetwork<B::InnerBackend> = self.net.valid();
        let encoder = self.encoder.as_ref().map(|e| e.valid());
        let (mut sum, mut frames) = (0.0, 0);
        for i in passes {
            let mut source = match &encoder {
                Some(e) => e.forward(self.frames.encoder_input(&[i]).inner()),
                None => self.source(&[i]).inner(),
            };
            if quantise && self.graph.has_latents() {
                source = net.quantised(source, net.latent_step());
            }
            let mut outputs = net.forward(
                self.graph,
                self.ops,
                source,
                quantise,
                self.job.settings.precision,
            );
            let errors = self.plane_errors(i, &mut outputs)?;
            sum += errors
                .iter()
                .map(|e| metrics::frame_quality(&self.job.info.format, *e))
                .sum::<f64>();
            frames += errors.len();
        }
        Ok(sum / frames.max(1) as f64)
    }

    /// Mean squared error of each plane of the frames of pass `i`, of which `outputs` holds the
    /// heads' values.
    pub(super) fn plane_errors(
        &self,
        i: usize,
        outputs: &mut [Option<Tensor<B::InnerBackend, 4>>],
    ) -> Result<Vec<[f64; 3]>> {
        let mut errors = vec![[0.0; 3]; self.graph.frames];
        for head in self.heads {
            let output = outputs[head.node]
                .take()
                .ok_or_else(|| Error::Unsupported("an output inside a fused operation".into()))?;
            let frame = &self.job.frames[i * self.graph.frames + head.frame];
            target::plane_errors(head, output, frame, self.job.info)?
                .into_iter()
                .for_each(|(p, e)| errors[head.frame][p] = e);
        }
        Ok(errors)
    }

    /// A few passes from all over the group.
    pub(super) fn sample(&self) -> impl Iterator<Item = usize> + use<B> {
        let (passes, n) = (self.passes(), self.passes().min(SAMPLE));
        (0..n).map(move |k| (2 * k + 1) * passes / (2 * n))
    }

    /// PSNR that the fit gains after the share `done` of its steps, dB.
    fn to_come(&self, done: f64) -> f64 {
        to_come(done) * if self.graph.has_latents() { 1.0 } else { LATER } * self.speed
    }

    /// Looks at the network as it is after the share `done` of the steps, without quantisation.
    /// What gains far more than others do will go on to.
    pub(super) fn glance(&mut self, done: f64) -> Result<f64> {
        let now = self.quality(self.sample(), false)?;
        if let Some((at, before)) = self.seen.replace((done, now)) {
            self.speed = 1.0;
            let speed = (now - before) / (self.to_come(at) - self.to_come(done));
            self.speed = if speed > SPEED {
                speed.min(SPEED_MOST)
            } else {
                1.0
            };
        }
        Ok(now)
    }

    /// PSNR foreseen for the end of a fit that has `now` and is to gain `gain`, less the goal's.
    fn spare(&self, now: f64, gain: f64) -> f64 {
        let Some(goal) = self.job.goal else {
            return 0.0;
        };
        let psnr = now + gain;
        psnr - goal.psnr(psnr, self.target * 8.0 / self.samples())
    }

    fn samples(&self) -> f64 {
        (self.job.frames.len() * self.job.info.width * self.job.info.height) as f64
    }

    /// Bits a value at the bytes wanted.
    fn bits(&self) -> f64 {
        self.target * 8.0 / self.values() as f64
    }

    /// After the share `done` of the steps, before quantisation has begun: whether another network
    /// is needed.
    pub(super) fn misfit(&mut self, done: f64) -> Result<Option<Misfit>> {
        let now = self.glance(done)?;
        let gain = self.to_come(done);
        // a speed that may not last is not held against the network, but it may save it
        let (least, most) = (self.spare(now, gain / self.speed), self.spare(now, gain));
        let range = if done < FIRST { SPARE_FIRST } else { SPARE };
        let out = if least > range.end {
            Some(least)
        } else {
            Some(most).filter(|m| *m < range.start)
        };
        Ok(out
            .filter(|spare| self.job.resize.early && self.job.resize.helps(*spare))
            .map(|spare| Misfit { spare, done }))
    }

    /// Turns the bytes wanted towards the goal, after the share `done` of the steps.
    pub(super) fn steer(&mut self, done: f64) -> Result<()> {
        if self.job.goal.is_none() || self.job.warm.is_some() {
            return Ok(());
        }
        let spare = self.spare(self.quality(self.sample(), true)?, self.to_come(done));
        self.aim((-spare).clamp(-TURN, TURN));
        Ok(())
    }

    /// Turns the bytes wanted so that the PSNR changes by `gain` dB.
    pub(super) fn aim(&mut self, gain: f64) {
        let bits = bits_for(self.bits(), gain);
        self.target = bits * self.values() as f64 / 8.0;
    }
}
