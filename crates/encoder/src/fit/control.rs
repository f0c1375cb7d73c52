//! How many bits the fit may spend: the price of bits in the loss, and the quantisation steps that
//! follow from the wanted size.
//!
//! A controller measures the real coder at intervals, shifts all steps by what is missing and turns
//! the price.

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::ops::FastOps;
use super::quant::Params;
use super::train::Trainer;
use crate::steps::RealStep;
use nvc::error::Result;
use nvc::network::QuantStep;

impl<B> Trainer<'_, B>
where
    B: AutodiffBackend + FastOps,
    B::InnerBackend: FastOps,
{
    /// Smooth stand-in for the coded size, in bits a value: every tensor as a Laplacian of its own
    /// mean magnitude, `log2(1 + 2 e mean|x| / step)`; where there is a network before it, the
    /// lesser of that and the same of the difference.
    pub(super) fn rate(&self, latent: &Tensor<B, 4>) -> Tensor<B, 1> {
        let bits = |mean: Tensor<B, 1>, step: usize| {
            let ratio = mean / self.net.log_steps[step].val().exp();
            ratio
                .mul_scalar(2.0 * std::f64::consts::E)
                .add_scalar(1.0)
                .log()
                .mul_scalar(1.0 / std::f64::consts::LN_2)
        };
        let all = self.values() as f64;
        let mut sum = Tensor::zeros([1], &self.device);
        if self.graph.has_latents() {
            let latents = (self.passes() * self.graph.latent_len()) as f64;
            sum =
                bits(latent.clone().abs().mean(), self.net.latent_step()).mul_scalar(latents / all);
        }
        let n = self.convs.len();
        for (i, c) in self.convs.iter().enumerate() {
            let count = |t: usize| self.graph.tensors[t].len() as f64 / all;
            let mut weights = bits(self.net.weights[i].val().abs().mean(), i);
            let mut biases = bits(
                self.net.biases[i].val().abs().mean().add_scalar(1e-6),
                n + i,
            );
            if let (Some(w), Some(b)) = (
                &self.net.reference_weights[i],
                &self.net.reference_biases[i],
            ) {
                let difference = bits(
                    (self.net.weights[i].val() - w.clone())
                        .abs()
                        .mean()
                        .add_scalar(1e-6),
                    i,
                );
                weights = weights.min_pair(difference);
                let difference = bits(
                    (self.net.biases[i].val() - b.clone())
                        .abs()
                        .mean()
                        .add_scalar(1e-6),
                    n + i,
                );
                biases = biases.min_pair(difference);
            }
            sum = sum + weights.mul_scalar(count(c.weight)) + biases.mul_scalar(count(c.bias));
        }
        sum
    }

    /// Coded values: parameters and latents.
    pub(super) fn values(&self) -> usize {
        self.graph.params() as usize + self.passes() * self.graph.latent_len()
    }

    /// The encoder retires; steps start at equal relative precision and are shifted to the wanted
    /// size.
    pub(super) fn start_quantising(&mut self) -> Result<()> {
        self.retire_encoder();
        self.quantising = true;
        if self.job.warm.is_some() {
            // a network that was coded before keeps its steps
            self.bytes = Some(self.target);
            return Ok(());
        }
        let mut p = Params::read(&self.net, self.graph, &self.convs)?;
        if let Some(bits) = self.job.settings.weight_bits {
            let most = (f64::from(bits) - 1.0).exp2() - 1.0;
            let step =
                |v: &[f32]| (v.iter().fold(1e-6, |m: f64, v| m.max(v.abs().into())) / most).ln();
            p.log_steps = p
                .tensors
                .iter()
                .map(|t| step(t))
                .chain([step(&p.latents)])
                .collect();
            self.write_steps(&p, |l| l);
            return Ok(());
        }
        let bits = (self.target * 8.0 / self.values() as f64).clamp(0.5, 12.0);
        let start = |v: &[f32]| {
            let mean = v.iter().map(|v| f64::from(v.abs())).sum::<f64>() / v.len().max(1) as f64;
            (mean.max(1e-4) * 2.0 * std::f64::consts::E / bits.exp2()).ln()
        };
        for (i, t) in p.tensors.iter().enumerate() {
            p.log_steps[i] = start(t);
        }
        // biases are few and reach every sample: start them finer
        for c in &self.convs {
            p.log_steps[c.bias] = p.log_steps[c.weight] - 0.7;
        }
        p.log_steps[self.graph.tensors.len()] = start(&p.latents);
        let shift = p.shift_for(self.graph, self.job.syntax(), self.target)?;
        self.write_steps(&p, |l| l + shift);
        self.bytes = Some(self.target);
        Ok(())
    }

    fn retire_encoder(&mut self) {
        if let Some(e) = self.encoder.take() {
            let e = e.valid();
            let latents = (0..self.job.frames.len())
                .map(|i| Tensor::from_inner(e.forward(self.frames.encoder_input(&[i]).inner())));
            self.net.set_latents(latents.collect());
            self.frames.drop_inputs();
        }
    }

    fn write_steps(&mut self, p: &Params, f: impl Fn(f64) -> f64) {
        let n = self.convs.len();
        for (i, c) in self.convs.iter().enumerate() {
            self.net
                .set_log_step(i, f(p.log_steps[c.weight]), &self.device);
            self.net
                .set_log_step(n + i, f(p.log_steps[c.bias]), &self.device);
        }
        let latent = self.net.latent_step();
        self.net.set_log_step(
            latent,
            f(p.log_steps[self.graph.tensors.len()]),
            &self.device,
        );
    }

    /// Asks the real coder, shifts all steps to the wanted size, and turns the rate's weight the
    /// same way.
    pub(super) fn control(&mut self, last: bool) -> Result<()> {
        let p = Params::read(&self.net, self.graph, &self.convs)?;
        let bytes = p.coded_bytes(self.graph, self.job.syntax(), self.net.dead_zone)?;
        self.bytes = Some(bytes);
        if let Some(w) = self.job.warm.filter(|_| !last) {
            // bits follow motion: fewer where the quality is there, more where it is missing
            let factor = if self.psnr() > w.quality { 0.93 } else { 1.05 };
            self.target = (self.target * factor)
                .clamp(0.1 * self.job.target_bytes.min(w.most_bytes), w.most_bytes);
        }
        self.rho = (self.rho * (bytes / self.target).powi(3).clamp(0.7, 1.4)).clamp(0.005, 5.0);
        let shift = if last {
            p.shift_for(self.graph, self.job.syntax(), self.target)?
        } else if p.is_warm() {
            (self.net.dead_zone + 0.15 * (bytes / self.target - 1.0).clamp(-1.0, 2.0)).max(0.0)
        } else {
            ((bytes - self.target) * 8.0 / self.values() as f64 * std::f64::consts::LN_2)
                .clamp(-0.3, 0.3)
        };
        self.apply(&p, shift, |l| l);
        Ok(())
    }

    /// Moves all steps by `shift` and maps them by `f`, or takes `shift` for the dead zone where
    /// steps stay.
    pub(super) fn apply(&mut self, p: &Params, shift: f64, f: impl Fn(f64) -> f64) {
        if p.is_warm() {
            self.net.dead_zone = shift;
        } else {
            self.write_steps(p, |l| f(l + shift));
        }
    }

    /// Puts the steps on the format's grid, where they stay.
    pub(super) fn freeze(&mut self) -> Result<()> {
        if self.job.warm.is_some() {
            // those of the network before lie there
            return Ok(());
        }
        let p = Params::read(&self.net, self.graph, &self.convs)?;
        self.write_steps(&p, |l| QuantStep::nearest(l.exp()).value().ln());
        Ok(())
    }
}
