//! Fits by quality: what size the wanted quality takes, foreseen while the fit goes on.
//!
//! The network as quantised is looked at now and then on a few passes. What the rest of the fit
//! will add, and what bytes buy, are known from other fits ([`to_come`], [`Curve`]); the wanted
//! bytes follow. Where the network is of the wrong size for that quality, the fit says so early.

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::Misfit;
use super::net::TrainableNetwork;
use super::ops::FastOps;
use super::target;
use super::train::Trainer;
use nvc::error::{Error, Result};
use nvc::metrics;

/// What a fit by quality aims at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QualityTarget {
    /// Mean over frames of the frame's PSNR, dB, as [`metrics::frame_quality`] has it.
    Psnr(f64),
    /// The quality at which one more bit lowers the squared error by this much, in squares of
    /// samples at 8 bits.
    Price(f64),
}

/// dB that a doubling of a network and its bytes gains, unless known better.
pub const OCTAVE: f64 = 1.4;
/// Passes that are looked at, as far as there are so many.
const SAMPLE: usize = 12;
/// What may be missing or left over, dB, at the first look and when quantisation starts, without a
/// network of another size.
const SPARE_FIRST: std::ops::Range<f64> = -1.6..2.4;
const SPARE: std::ops::Range<f64> = -0.5..1.3;
/// Share of the steps before which a look is the first.
const FIRST: f64 = 0.3;
/// PSNR above the wanted that fits aim at, and that needs no other round of steps in the end, dB.
const ABOVE: f64 = 0.06;
pub const NEAR: std::ops::Range<f64> = -0.04..0.2;
/// The same where another network may be tried instead: beyond, more rounds of this one are of no
/// use.
pub const FAR: std::ops::Range<f64> = -0.4..0.6;
/// Most that bytes are turned by at once, dB: a network that gets fewer bits is worse at first than
/// it will be.
const TURN: f64 = 0.12;
/// Share of what a further round shall change that bytes are turned by: a short round loses more
/// than a whole fit. Where rounds bring less than half of it, the share doubles, up to the second.
const AGAIN: f64 = 0.5;
const AGAIN_MOST: f64 = 2.0;
/// Bits a value within which bytes follow the quality.
const BITS: std::ops::RangeInclusive<f64> = 2.0..=5.6;

/// What a network of fixed size gains from more bits for each of its values.
#[derive(Clone, Copy, Debug)]
pub struct Curve;

impl Curve {
    /// Error of quantisation at `bits` a value, relative to all other error. Of fits of 134,679
    /// parameters (bunny, 416x240), at 3.08, 4.06 and 5.21 bits.
    fn share(bits: f64) -> f64 {
        0.056 * (2.0 * (4.2 - bits)).exp2()
    }

    /// Bits a value that change the PSNR by `gain` dB from what it is at `bits`.
    pub fn bits_for(bits: f64, gain: f64) -> f64 {
        let share = (1.0 + Curve::share(bits)) * 10f64.powf(-gain / 10.0) - 1.0;
        let wanted = 4.2 - 0.5 * (share / 0.056).max(1e-6).log2();
        wanted.clamp(*BITS.start(), *BITS.end())
    }
}

/// What families without an embedding have yet to gain, relative to [`to_come`].
const LATER: f64 = 1.45;

/// Gain between two looks, relative to what [`to_come`] has, above which it is taken to go on so,
/// and the most that is taken.
const SPEED: f64 = 1.5;
const SPEED_MOST: f64 = 3.0;

/// PSNR that a fit of an HNeRV gains from the share `done` of its steps on, dB, to its end at 4.2
/// bits a value. The mean of 17 fits (three clips, 5,000 to 218,000 parameters, 8 to 75 passes),
/// which lie up to 1.4 dB apart at 0.25 and 1.3 dB at 0.4.
pub fn to_come(done: f64) -> f64 {
    const GAIN: [(f64, f64); 8] = [
        (0.0, 10.0),
        (0.15, 4.2),
        (0.25, 3.1),
        (0.4, 1.9),
        (0.6, 1.15),
        (0.8, 0.42),
        (0.9, 0.15),
        (1.0, 0.0),
    ];
    let i = GAIN
        .iter()
        .skip(1)
        .position(|&(x, _)| done <= x)
        .unwrap_or(GAIN.len() - 2);
    let ((x0, y0), (x1, y1)) = (GAIN[i], GAIN[i + 1]);
    y0 + (y1 - y0) * ((done - x0) / (x1 - x0)).clamp(0.0, 1.0)
}

/// Bytes between those of the last two of `rounds` of bytes and PSNR above the wanted, where one
/// had too much, the other too little. Rounds before say less: every round makes the network a
/// little better.
pub fn between(rounds: &[(f64, f64)]) -> Option<f64> {
    let [.., a, b] = rounds else { return None };
    let (less, more) = if a.0 < b.0 { (a, b) } else { (b, a) };
    let part = (ABOVE - less.1) / (more.1 - less.1);
    (less.1 < 0.0 && more.1 > 0.0).then(|| less.0 * (more.0 / less.0).powf(part.clamp(0.0, 1.0)))
}

/// Share of the PSNR missing after `rounds` that bytes are turned by.
pub fn turn(rounds: &[(f64, f64)]) -> f64 {
    let slow = rounds.windows(2).filter(|r| r[1].1 / r[0].1 > 0.5).count();
    (AGAIN * 2f64.powi(slow as i32)).min(AGAIN_MOST)
}

impl QualityTarget {
    /// PSNR wanted where `bits` of the whole fit, for each luma sample, are foreseen to give
    /// `psnr`.
    pub fn psnr(self, psnr: f64, bpp: f64) -> f64 {
        match self {
            QualityTarget::Psnr(p) => p + ABOVE,
            // D falls as bytes^-k with k from OCTAVE, so -dD/dR = k D / R; where that is the price,
            // R is (k D R^k / price)^(1 / (k + 1))
            QualityTarget::Price(price) => {
                let k = OCTAVE / (10.0 * 2f64.log10());
                let now = k * 255f64.powi(2) * 10f64.powf(-psnr / 10.0) / bpp;
                psnr + OCTAVE * (now / price).log2() / (k + 1.0)
            }
        }
    }
}

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
                self.steps,
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
        let bits = Curve::bits_for(self.bits(), gain);
        self.target = bits * self.values() as f64 / 8.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_follow_the_wanted_gain() {
        assert!((Curve::bits_for(4.0, 0.0) - 4.0).abs() < 1e-9);
        assert!(Curve::bits_for(4.0, -0.5) < 3.5 && Curve::bits_for(4.0, 0.1) > 4.25);
        assert_eq!(
            (Curve::bits_for(4.0, 3.0), Curve::bits_for(4.0, -30.0)),
            (5.6, 2.0)
        );
    }

    #[test]
    fn rounds_tell_the_bytes() {
        assert_eq!(
            (
                between(&[]),
                between(&[(1000.0, 0.5)]),
                between(&[(1000.0, 0.5), (900.0, 0.3)])
            ),
            (None, None, None)
        );
        let bytes =
            between(&[(1600.0, -0.3), (1000.0, ABOVE + 0.4), (500.0, ABOVE - 0.4)]).unwrap();
        assert!((bytes - 1000.0 * 0.5f64.sqrt()).abs() < 1e-6, "{bytes}");
        // more bytes that gave less say nothing
        assert_eq!(between(&[(1000.0, 0.5), (1200.0, -0.3)]), None);
        assert_eq!(
            (
                turn(&[(1.0, 0.8)]),
                turn(&[(1.0, 0.8), (0.9, 0.3)]),
                turn(&[(1.0, 0.8), (0.9, 0.6)])
            ),
            (0.5, 0.5, 1.0)
        );
        assert_eq!(turn(&[(1.0, 0.8), (0.9, 0.7), (0.8, 0.6), (0.7, 0.5)]), 2.0);
    }

    #[test]
    fn a_price_is_met_where_a_bit_is_worth_it() {
        // D = 100 at 0.1 bpp
        let psnr = 10.0 * (255.0f64.powi(2) / 100.0).log10();
        let k = OCTAVE / (10.0 * 2f64.log10());
        let price = k * 100.0 / 0.1;
        assert!((QualityTarget::Price(price).psnr(psnr, 0.1) - psnr).abs() < 1e-9);
        // where bits may cost less, more of them are spent: at the quality given, the price is met
        let wanted = QualityTarget::Price(price / 3.0).psnr(psnr, 0.1);
        let bpp = 0.1 * ((wanted - psnr) / OCTAVE).exp2();
        let slope = k * 255.0f64.powi(2) * 10f64.powf(-wanted / 10.0) / bpp;
        assert!(
            wanted > psnr && (slope / (price / 3.0) - 1.0).abs() < 1e-9,
            "{wanted}, slope {slope}"
        );
    }

    #[test]
    fn the_gain_to_come_falls() {
        let gains: Vec<f64> = (0..=100).map(|i| to_come(f64::from(i) / 100.0)).collect();
        assert!(
            gains.is_sorted_by(|a, b| a >= b)
                && gains[100] == 0.0
                && (gains[40] - 1.9).abs() < 1e-9
        );
    }
}
