//! The rounds of steps of a fit, and its end.
//!
//! A fit is one round; a fit by quality that missed its goal goes on with short ones at other
//! bytes.

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::job::{Fitted, Misfit, Observer, Progress, Refine};
use super::net::TrainableNetwork;
use super::ops::FastOps;
use super::quality_target::{self, QualityTarget};
use super::quant::Params;
use super::schedule::{LrSchedule, StopCriterion};
use super::target;
use super::train::{Optimisers, Trainer, constant_source, psnr, scalar};
use crate::frac_bits::most_frac_bits;
use crate::steps::RealStep;
use nvc::entropy::tensor::QuantizedNetwork;
use nvc::error::{Error, Result};
use nvc::group::Group;
use nvc::metrics;
use nvc::network::QuantStep;
use nvc::network::{Graph, OutputRange};

/// The real coder is asked this many times, and a fit by quality looks at it once in so many of
/// them.
const CONTROLS: usize = 40;
const STEER_EVERY: usize = 4;
/// Further rounds of a fit by quality that missed it.
const MORE_ROUNDS: usize = 4;
/// Natural logarithm of the most that steps grow by in the end, and how often what is between is
/// tried.
const COARSEST: f64 = 2.0;
const COARSENINGS: usize = 12;
/// Natural logarithm of the most that steps shrink by in the end, two bits a value, and how often
/// what is between is tried.
const FINEST: f64 = 1.4;
const REFINEMENTS: usize = 8;
/// Coded bytes, relative to those wanted, that need no last shift: less than wanted costs little,
/// more is over a limit.
const REACHED: std::ops::RangeInclusive<f64> = 0.99..=1.003;

impl<B> Trainer<'_, B>
where
    B: AutodiffBackend + FastOps,
    B::InnerBackend: FastOps,
{
    /// All rounds of the fit, or why it needs another network.
    pub(super) fn train(
        &mut self,
        observe_every: usize,
        observer: &mut dyn Observer,
    ) -> Result<Option<Misfit>> {
        let s = self.job.settings;
        let mut optimisers = Optimisers::new(self.convs.len());
        let until = self.job.warm.map(|w| StopCriterion {
            quality: w.quality,
            least_gain: w.least_gain,
        });
        let misfit = self.round(
            &mut LrSchedule::new(
                s.steps,
                if s.weight_bits.is_some() {
                    1.0
                } else {
                    s.float_share
                },
                until,
            ),
            &mut optimisers,
            observe_every,
            observer,
        )?;
        if misfit.is_some() {
            return Ok(misfit);
        }
        if !self.quantising {
            self.start_quantising()?;
            self.freeze()?;
        }
        if let (Some(QualityTarget::Psnr(wanted)), None) = (self.job.goal, self.job.warm) {
            let mut best: Option<(f64, TrainableNetwork<B>, f64)> = None;
            let mut rounds: Vec<(f64, f64)> = Vec::new();
            for round in 0..=MORE_ROUNDS {
                let spare = self.quality(0..self.passes(), true)? - wanted;
                rounds.push((self.target, spare));
                if best.as_ref().is_none_or(|(b, ..)| spare.abs() < b.abs()) {
                    best = Some((spare, self.net.clone(), self.target));
                }
                // more rounds do not make a network larger
                let far = self.job.resize.helps(spare) && !quality_target::FAR.contains(&spare);
                if round == MORE_ROUNDS || quality_target::NEAR.contains(&spare) || far {
                    break;
                }
                match quality_target::between(&rounds) {
                    Some(bytes) => self.target = bytes,
                    None => self.aim(-spare * quality_target::turn(&rounds)),
                }
                self.round(
                    &mut LrSchedule::again(s.steps),
                    &mut optimisers,
                    observe_every,
                    observer,
                )?;
            }
            if let Some((spare, net, target)) = best {
                (self.net, self.target) = (net, target);
                self.far = Some(spare)
                    .filter(|&s| self.job.resize.helps(s) && !quality_target::FAR.contains(&s));
                // another network may yet turn out worse than this one
                if spare >= quality_target::NEAR.end {
                    self.coarsen(wanted)?;
                } else if spare < quality_target::NEAR.start && self.far.is_none() {
                    self.refine(wanted)?;
                }
            }
        }
        Ok(None)
    }

    /// Coarser steps, without training, until little more than `wanted` is left: for what rounds at
    /// fewer bytes did not bring down.
    fn coarsen(&mut self, wanted: f64) -> Result<()> {
        let p = Params::read(&self.net, self.graph, &self.convs)?;
        let on_grid = |l: f64| QuantStep::nearest(l.exp()).value().ln();
        let (mut finer, mut coarser) = (0.0, COARSEST);
        for _ in 0..COARSENINGS {
            let shift = 0.5 * (finer + coarser);
            self.apply(&p, shift, on_grid);
            let spare = self.quality(0..self.passes(), true)? - wanted;
            if spare < quality_target::NEAR.start {
                coarser = shift;
            } else {
                finer = shift;
                if spare < quality_target::NEAR.end {
                    break;
                }
            }
        }
        self.apply(&p, finer, on_grid);
        self.target = p.coded_bytes(self.graph, self.job.syntax(), finer)?;
        Ok(())
    }

    /// Finer steps, without training, if these bring what is missing to `wanted`: for what rounds
    /// at more bytes did not.
    fn refine(&mut self, wanted: f64) -> Result<()> {
        let p = Params::read(&self.net, self.graph, &self.convs)?;
        let on_grid = |l: f64| QuantStep::nearest(l.exp()).value().ln();
        let mut taken = 0.0;
        for i in 1..=REFINEMENTS {
            let shift = -FINEST * i as f64 / REFINEMENTS as f64;
            self.apply(&p, shift, on_grid);
            if self.quality(0..self.passes(), true)? - wanted >= quality_target::NEAR.start {
                taken = shift;
                break;
            }
        }
        self.apply(&p, taken, on_grid);
        self.target = p.coded_bytes(self.graph, self.job.syntax(), taken)?;
        Ok(())
    }

    /// One round at `schedule`.
    fn round(
        &mut self,
        schedule: &mut LrSchedule,
        optimisers: &mut Optimisers<B::InnerBackend>,
        observe_every: usize,
        observer: &mut dyn Observer,
    ) -> Result<Option<Misfit>> {
        let s = self.job.settings;
        let interval = ((schedule.steps() - schedule.quantise_at()) / CONTROLS).max(1);
        let passes = self.passes();
        let mut order: Vec<usize> = Vec::new();
        let mut overflow: Option<Tensor<B::InnerBackend, 1>> = None;
        let mut step = 0;
        while step < schedule.steps() {
            let (quantise_at, freeze_at) = (schedule.quantise_at(), schedule.freeze_at());
            let done = step as f64 / schedule.steps() as f64;
            if self.job.goal.is_some() && !self.quantising {
                if step == schedule.glance() {
                    self.glance(done)?;
                } else if step == quantise_at || step == schedule.first_observation() {
                    let misfit = self.misfit(done)?;
                    if misfit.is_some() {
                        return Ok(misfit);
                    }
                }
            }
            if step == quantise_at && !self.quantising {
                self.start_quantising()?;
            }
            let steers = self.taken == 0;
            if step == freeze_at {
                if steers {
                    self.steer(done)?;
                }
                self.control(true)?;
                self.freeze()?;
            } else if step > quantise_at && step < freeze_at && (step - quantise_at) % interval == 0
            {
                let control = (step - quantise_at) / interval;
                // quantisation is a shock at first
                if steers && control >= CONTROLS / 4 && control.is_multiple_of(STEER_EVERY) {
                    self.steer(done)?;
                }
                self.control(false)?;
            }
            if order.is_empty() {
                order = (0..passes).collect();
                self.rng.shuffle(&mut order);
            }
            let batch = order.split_off(order.len() - s.batch.min(order.len()));
            let rate = s.learning_rate * schedule.rate(step);

            let (mse, mut grads) = self.gradients(&batch, self.quantising)?;
            self.update(&mut grads, optimisers, &batch, rate, step < freeze_at);
            overflow = match (overflow, grads.overflow()) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
            // about one pass over the group
            let keep = 1.0 - 1.0 / (1.0 + (self.taken + step).min(passes / s.batch) as f64);
            self.mse = self.mse.clone() * keep + mse * (1.0 - keep);
            step += 1;
            if step % observe_every == 0 || step == schedule.steps() || schedule.observes(step) {
                self.scale
                    .observe(overflow.take().is_some_and(|o| scalar(o) > 0.0));
                let mse = scalar(self.mse.clone());
                if !mse.is_finite() {
                    return Err(Error::Parameter(format!(
                        "the fit diverged by step {step} (learning rate {}); try a lower one or another seed",
                        s.learning_rate
                    )));
                }
                let psnr = psnr(
                    mse,
                    self.job.info.format.bit_depth,
                    self.graph.output_range == OutputRange::Full,
                );
                if schedule.observes(step) {
                    schedule.observe(step, psnr);
                }
                let (step, steps) = (self.taken + step, self.taken + schedule.steps());
                observer.progress(&Progress {
                    step,
                    steps,
                    psnr,
                    bytes: self.bytes,
                });
            }
            if observer.stop() {
                return Err(Error::Interrupted);
            }
        }
        self.taken += step;
        Ok(None)
    }

    /// Integers of the trained network: a last shift onto the wanted size unless it lies in
    /// [`REACHED`], then fraction bits, which `refine` may change.
    pub(super) fn finish(mut self, refine: Refine<'_>) -> Result<Fitted> {
        let p = Params::read(&self.net, self.graph, &self.convs)?;
        let bytes = p.coded_bytes(self.graph, self.job.syntax(), 0.0)?;
        let shift = if self.job.settings.weight_bits.is_some() {
            0.0
        } else if p.is_warm() || !REACHED.contains(&(bytes / self.target)) {
            p.shift_for(self.graph, self.job.syntax(), self.target)?
        } else {
            0.0
        };
        let (mut network, latents) = p.integers(self.graph, shift);
        self.apply(&p, shift, |l| QuantStep::nearest(l.exp()).value().ln());

        let net = self.net.valid();
        let source = |i: usize| match net.latents.get(i) {
            Some(l) => net.quantised(l.val(), net.latent_step()),
            None => constant_source(self.graph, &[i], &self.device),
        };
        let mut peaks = vec![0f32; self.graph.nodes.len()];
        for i in 0..self.passes() {
            for (a, b) in peaks
                .iter_mut()
                .zip(net.peaks(self.graph, self.ops, source(i)))
            {
                *a = a.max(b);
            }
        }
        set_frac_bits(self.graph, &peaks, &mut network);
        let mut group = Group {
            arch: self.job.arch.clone(),
            network,
            latents,
            frames: self.job.frames.len(),
        };
        refine(&mut group)?;

        let format = self.job.info.format;
        let half = target::half_range(
            format.bit_depth,
            self.graph.output_range == OutputRange::Full,
        );
        let (mut error, mut quality) = (0.0, 0.0);
        for i in 0..self.passes() {
            let mut values = net.decoded(self.graph, self.ops, source(i), &group.network.frac_bits);
            for e in self.plane_errors(i, &mut values)? {
                let planes = 0..format.chroma.colours();
                error += planes
                    .map(|p| f64::from(target::weight(format.chroma, p)) * e[p])
                    .sum::<f64>()
                    / (half * half);
                quality += metrics::frame_quality(&format, e);
            }
        }
        let frames = self.job.frames.len() as f64;
        let float_psnr = psnr(
            error / frames,
            format.bit_depth,
            self.graph.output_range == OutputRange::Full,
        );
        Ok(Fitted {
            group,
            float_psnr,
            quality: quality / frames,
            target_bytes: self.target,
            steps: self.taken,
            far: self.far,
        })
    }
}

/// Gives every node as many fraction bits as its largest magnitude leaves of 16.
fn set_frac_bits(graph: &Graph, peaks: &[f32], net: &mut QuantizedNetwork) {
    let fraction = |peak: f32| {
        (32000.0 / f64::from(peak).max(1e-9))
            .log2()
            .floor()
            .clamp(0.0, Graph::MAX_FRACTION.into()) as u8
    };
    let coded = |&i: &usize| graph.nodes[i].op.has_frac_bits();
    for i in (0..graph.nodes.len()).filter(coded) {
        let most = most_frac_bits(graph, net, i);
        net.frac_bits[i] = fraction(peaks[i]).min(most);
    }
}
