//! The training loop of one group: Muon on the hidden kernels, Adam on everything else.
//!
//! First part: network and embedding encoder together, in float. Second part: the encoder retires, its latents become
//! parameters of their own, and everything is quantised while it is trained. The loss is then distortion plus a
//! multiplier times a smooth stand-in for the coded size; a controller measures the real coder at intervals, shifts all
//! steps by what is missing and turns the multiplier. Last part: steps are frozen on the format's grid.

use burn::module::{AutodiffModule, ParamId};
use burn::optim::{Adam, AdamConfig, GradientsParams, Optimizer, adaptor::OptimizerAdaptor};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Tensor};

use super::convnext::ConvNext;
use super::muon::Muon;
use super::net::Net;
use super::ops::FastOps;
use super::quant::Params;
use super::target::{self, Head};
use super::{Fitted, Job, Observer, Progress};
use crate::entropy::tensor::{Network, Step};
use crate::error::{Error, Result};
use crate::group::{Arch, Group};
use crate::network::{Chain, Graph};
use crate::rng::Rng;

/// Share of the steps before quantisation starts.
const FLOAT_SHARE: f64 = 0.4;
/// Share of the steps from which on quantisation steps are frozen.
const FREEZE_SHARE: f64 = 0.9;
/// Share of the steps over which the learning rate rises.
const WARM_UP: f64 = 0.05;
/// The real coder is asked this many times.
const CONTROLS: usize = 40;
/// Learning rates of latents and of log steps, relative to the network's.
const LATENT_RATE: f64 = 4.0;
const STEP_RATE: f64 = 1.0;

/// Runs `job` on `device`.
pub fn run<B>(job: &Job<'_>, device: &B::Device, observer: &mut dyn Observer) -> Result<Fitted>
where
    B: AutodiffBackend + FastOps,
    B::InnerBackend: FastOps,
{
    let graph = job.arch.lower(job.info)?;
    let chains = graph.chains().ok_or_else(|| Error::Unsupported("fitting a graph that is not made of chains".into()))?;
    let mut t = Trainer::<B>::new(job, &graph, &chains, device);
    t.train(observer)?;
    t.finish()
}

type Opt<B, M> = OptimizerAdaptor<Adam, M, B>;

struct Trainer<'a, B: AutodiffBackend> {
    job: &'a Job<'a>,
    graph: &'a Graph,
    chains: &'a [Chain],
    heads: Vec<Head>,
    device: B::Device,
    net: Net<B>,
    encoder: Option<ConvNext<B>>,
    rng: Rng,
    /// Weight of the rate, relative to the running distortion.
    rho: f64,
    /// Running mean of the squared error.
    mse: f64,
    bytes: Option<f64>,
}

/// Learning rate of `step`, relative to the peak: linear rise from a tenth, then half a cosine to zero.
fn schedule(step: usize, steps: usize) -> f64 {
    let t = (step as f64 + 0.5) / steps as f64;
    if t < WARM_UP { 0.1 + 0.9 * t / WARM_UP } else { 0.5 * (1.0 + (std::f64::consts::PI * (t - WARM_UP) / (1.0 - WARM_UP)).cos()) }
}

/// Whether a chain is a hidden layer, whose kernel Muon trains; output layers, biases and latents are Adam's.
fn hidden(c: &Chain) -> bool {
    c.gelu
}

fn scalar<B: FastOps>(t: Tensor<B, 1>) -> f64 {
    t.into_scalar().elem::<f64>()
}

impl<'a, B> Trainer<'a, B>
where
    B: AutodiffBackend + FastOps,
    B::InnerBackend: FastOps,
{
    fn new(job: &'a Job<'a>, graph: &'a Graph, chains: &'a [Chain], device: &B::Device) -> Self {
        let seed = job.settings.seed;
        let net = Net::new(graph, chains, &mut Rng::new(seed, 1), device);
        let Arch::Hnerv(h) = job.arch;
        let strides: Vec<usize> = h.stages.iter().map(|s| s.stride as usize).collect();
        let encoder = ConvNext::new(job.info.format.chroma.planes(), graph.latent_shape()[0], &strides, &mut Rng::new(seed, 2), device);
        Trainer {
            job,
            graph,
            chains,
            heads: target::heads(graph, job.info),
            device: device.clone(),
            net,
            encoder: Some(encoder),
            rng: Rng::new(seed, 3),
            rho: 0.2,
            mse: 0.0,
            bytes: None,
        }
    }

    fn encoder_input<C: FastOps>(&self, frame: usize, device: &C::Device) -> Tensor<C, 4> {
        let [_, h, w] = self.graph.latent_shape();
        let Arch::Hnerv(a) = self.job.arch;
        let up = a.upsampling() as usize;
        target::encoder_input(&self.job.frames[frame], self.job.info, h * up, w * up, device)
    }

    fn train(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let s = self.job.settings;
        let adam = || AdamConfig::new().with_epsilon(1e-8);
        let mut network: Opt<B, Net<B>> = adam().init();
        let mut muon = Muon::<B::InnerBackend>::new(self.chains.len());
        let mut latents: Opt<B, Net<B>> = adam().init();
        let mut steps: Opt<B, Net<B>> = adam().init();
        let mut encoder: Opt<B, ConvNext<B>> = adam().init();
        let (quantise_at, freeze_at) = ((s.steps as f64 * FLOAT_SHARE) as usize, (s.steps as f64 * FREEZE_SHARE) as usize);
        let interval = ((s.steps - quantise_at) / CONTROLS).max(1);
        let mut order: Vec<usize> = Vec::new();
        for step in 0..s.steps {
            if step == quantise_at {
                self.start_quantising()?;
            }
            if step == freeze_at {
                self.control(true)?;
                self.freeze()?;
            } else if step > quantise_at && step < freeze_at && (step - quantise_at) % interval == 0 {
                self.control(false)?;
            }
            if order.is_empty() {
                order = (0..self.job.frames.len()).collect();
                self.rng.shuffle(&mut order);
            }
            let batch = order.split_off(order.len() - s.batch.min(order.len()));
            let rate = s.learning_rate * schedule(step, s.steps);
            let quantise = step >= quantise_at;

            let (mse, mut grads) = self.gradients(&batch, quantise)?;
            for (i, _) in self.chains.iter().enumerate().filter(|(_, c)| hidden(c)) {
                let w = self.net.weights[i].val();
                if let Some(g) = w.grad_remove(&mut grads) {
                    let next = muon.step(i, w.inner(), g, rate);
                    self.net.set_weight(i, Tensor::from_inner(next));
                }
            }
            let heads = self.net.weights.iter().zip(self.chains).filter(|(_, c)| !hidden(c)).map(|(p, _)| p.id);
            let ids: Vec<ParamId> = heads.chain(self.net.biases.iter().map(|p| p.id)).collect();
            let g = GradientsParams::from_params(&mut grads, &self.net, &ids);
            self.net = network.step(rate, self.net.clone(), g);
            if let Some(e) = &self.encoder {
                let g = GradientsParams::from_grads(grads, e);
                self.encoder = Some(encoder.step(rate, e.clone(), g));
            } else {
                let ids: Vec<ParamId> = batch.iter().map(|&i| self.net.latents[i].id).collect();
                let g = GradientsParams::from_params(&mut grads, &self.net, &ids);
                self.net = latents.step(rate * LATENT_RATE, self.net.clone(), g);
                if step < freeze_at {
                    let ids: Vec<ParamId> = self.net.log_steps.iter().map(|p| p.id).collect();
                    let g = GradientsParams::from_params(&mut grads, &self.net, &ids);
                    self.net = steps.step(rate * STEP_RATE, self.net.clone(), g);
                }
            }
            if !mse.is_finite() {
                return Err(Error::Parameter(format!(
                    "the fit diverged at step {step} (learning rate {}); try a lower one or another seed",
                    s.learning_rate
                )));
            }
            // about one pass over the group
            let keep = 1.0 - 1.0 / (1.0 + step.min(self.job.frames.len() / s.batch) as f64);
            self.mse = keep * self.mse + (1.0 - keep) * mse;
            observer.progress(&Progress {
                step: step + 1,
                steps: s.steps,
                psnr: psnr(self.mse, self.job.info.format.bit_depth),
                bytes: self.bytes,
            });
            if observer.stop() {
                return Err(Error::Interrupted);
            }
        }
        Ok(())
    }

    /// One forward and backward pass; the squared error and all gradients.
    fn gradients(&self, batch: &[usize], quantise: bool) -> Result<(f64, B::Gradients)> {
        let latent = match &self.encoder {
            Some(e) => e.forward(Tensor::cat(batch.iter().map(|&i| self.encoder_input(i, &self.device)).collect(), 0)),
            None => Tensor::cat(batch.iter().map(|&i| self.net.latents[i].val()).collect(), 0),
        };
        let coded = if quantise { self.net.quantised(latent.clone(), self.net.latent_step()) } else { latent.clone() };
        let mut values = self.net.forward(self.graph, self.chains, coded, quantise);
        let frames: Vec<_> = batch.iter().map(|&i| &self.job.frames[i]).collect();
        let chroma = self.job.info.format.chroma;
        let (mut loss, mut mse) = (None, 0.0);
        for head in &self.heads {
            let output = values[head.node].take().ok_or_else(|| Error::Unsupported("an output inside a chain".into()))?;
            let goal = target::target(head, &frames, self.job.info, &self.device);
            let d = target::distortion(self.job.settings.loss, head, output.clone(), goal.clone(), chroma);
            mse += match self.job.settings.loss {
                super::Loss::L2 => scalar(d.clone().inner()),
                super::Loss::Fusion6 => scalar(target::squared_error(head, output.inner(), goal.inner(), chroma)),
            };
            loss = Some(loss.map_or(d.clone(), |l: Tensor<B, 1>| l + d));
        }
        let mut loss = loss.ok_or_else(|| Error::Unsupported("a network without outputs".into()))?;
        if quantise {
            loss = loss.clone() + self.rate(latent) * (self.rho * scalar(loss.inner())) as f32;
        }
        Ok((mse, loss.backward()))
    }

    /// Smooth stand-in for the coded size, in bits a value: every tensor as a Laplacian of its own mean magnitude,
    /// `log2(1 + 2 e mean|x| / step)`.
    fn rate(&self, latent: Tensor<B, 4>) -> Tensor<B, 1> {
        let bits = |mean: Tensor<B, 1>, step: usize, count: f64| {
            let ratio = mean / self.net.log_steps[step].val().exp();
            ratio.mul_scalar(2.0 * std::f64::consts::E).add_scalar(1.0).log().mul_scalar(count / std::f64::consts::LN_2)
        };
        let all = self.values() as f64;
        let latents = (self.job.frames.len() * self.graph.latent_len()) as f64;
        let mut sum = bits(latent.abs().mean(), self.net.latent_step(), latents / all);
        let n = self.chains.len();
        for (i, c) in self.chains.iter().enumerate() {
            let count = |t: usize| self.graph.tensors[t].len() as f64 / all;
            sum = sum + bits(self.net.weights[i].val().abs().mean(), i, count(c.weight));
            sum = sum + bits(self.net.biases[i].val().abs().mean().add_scalar(1e-6), n + i, count(c.bias));
        }
        sum
    }

    /// Coded values: parameters and latents.
    fn values(&self) -> usize {
        self.graph.params() as usize + self.job.frames.len() * self.graph.latent_len()
    }

    /// The encoder retires; steps start at equal relative precision and are shifted to the wanted size.
    fn start_quantising(&mut self) -> Result<()> {
        self.retire_encoder();
        let mut p = Params::read(&self.net, self.graph, self.chains)?;
        let bits = (self.job.target_bytes * 8.0 / self.values() as f64).clamp(0.5, 12.0);
        let start = |v: &[f32]| {
            let mean = v.iter().map(|v| f64::from(v.abs())).sum::<f64>() / v.len().max(1) as f64;
            (mean.max(1e-4) * 2.0 * std::f64::consts::E / bits.exp2()).ln()
        };
        for (i, t) in p.tensors.iter().enumerate() {
            p.log_steps[i] = start(t);
        }
        // biases are few and reach every sample: start them finer
        for c in self.chains {
            p.log_steps[c.bias] = p.log_steps[c.weight] - 0.7;
        }
        p.log_steps[self.graph.tensors.len()] = start(&p.latents);
        let shift = p.shift_for(self.graph, self.job.frames.len(), self.job.target_bytes)?;
        self.write_steps(&p, |l| l + shift);
        self.bytes = Some(self.job.target_bytes);
        Ok(())
    }

    fn retire_encoder(&mut self) {
        if let Some(e) = self.encoder.take() {
            let e = e.valid();
            let latents = (0..self.job.frames.len()).map(|i| {
                let x = self.encoder_input::<B::InnerBackend>(i, &self.device);
                Tensor::from_inner(e.forward(x))
            });
            self.net.set_latents(latents.collect());
        }
    }

    fn write_steps(&mut self, p: &Params, f: impl Fn(f64) -> f64) {
        let n = self.chains.len();
        for (i, c) in self.chains.iter().enumerate() {
            self.net.set_log_step(i, f(p.log_steps[c.weight]), &self.device);
            self.net.set_log_step(n + i, f(p.log_steps[c.bias]), &self.device);
        }
        let latent = self.net.latent_step();
        self.net.set_log_step(latent, f(p.log_steps[self.graph.tensors.len()]), &self.device);
    }

    /// Asks the real coder, shifts all steps to the wanted size, and turns the rate's weight the same way.
    fn control(&mut self, last: bool) -> Result<()> {
        let p = Params::read(&self.net, self.graph, self.chains)?;
        let frames = self.job.frames.len();
        let bytes = p.coded_bytes(self.graph, frames, 0.0)?;
        self.bytes = Some(bytes);
        self.rho = (self.rho * (bytes / self.job.target_bytes).powi(3).clamp(0.7, 1.4)).clamp(0.005, 5.0);
        let shift = if last {
            p.shift_for(self.graph, frames, self.job.target_bytes)?
        } else {
            ((bytes - self.job.target_bytes) * 8.0 / self.values() as f64 * std::f64::consts::LN_2).clamp(-0.3, 0.3)
        };
        self.write_steps(&p, |l| l + shift);
        Ok(())
    }

    /// Puts the steps on the format's grid, where they stay.
    fn freeze(&mut self) -> Result<()> {
        let p = Params::read(&self.net, self.graph, self.chains)?;
        self.write_steps(&p, |l| Step::nearest(l.exp()).value().ln());
        Ok(())
    }

    /// Integers of the trained network: a last shift onto the wanted size if it is off by more than 1 %, then scales.
    fn finish(mut self) -> Result<Fitted> {
        let frames = self.job.frames.len();
        let p = Params::read(&self.net, self.graph, self.chains)?;
        let bytes = p.coded_bytes(self.graph, frames, 0.0)?;
        let shift =
            if (bytes / self.job.target_bytes - 1.0).abs() > 0.01 { p.shift_for(self.graph, frames, self.job.target_bytes)? } else { 0.0 };
        let (mut network, latents) = p.integers(self.graph, shift);
        self.write_steps(&p, |l| Step::nearest((l + shift).exp()).value().ln());

        let net = self.net.valid();
        let (mut peaks, mut error) = (vec![0f32; self.graph.nodes.len()], 0.0);
        for i in 0..frames {
            let latent = net.quantised(net.latents[i].val(), net.latent_step());
            for (a, b) in peaks.iter_mut().zip(net.peaks(self.graph, self.chains, latent.clone())) {
                *a = a.max(b);
            }
            let mut values = net.forward(self.graph, self.chains, latent, true);
            for head in &self.heads {
                let output = values[head.node].take().ok_or_else(|| Error::Unsupported("an output inside a chain".into()))?;
                error += target::sample_error(head, output, &self.job.frames[i], self.job.info)?;
            }
        }
        set_scales(self.chains, &peaks, &mut network);
        Ok(Fitted {
            group: Group { arch: self.job.arch.clone(), network, latents, frames },
            float_psnr: psnr(error / frames as f64, self.job.info.format.bit_depth),
        })
    }
}

/// PSNR of a squared error in units of the output's range -1..1, which is one code value wider than the samples'.
fn psnr(mse: f64, bit_depth: u8) -> f64 {
    let half = f64::from(1u32 << (bit_depth - 1));
    10.0 * (((2.0 * half - 1.0) / half).powi(2) / mse.max(1e-12)).log10()
}

/// Gives every node as many fraction bits as its largest magnitude leaves of 16.
fn set_scales(chains: &[Chain], peaks: &[f32], net: &mut Network) {
    let fraction = |peak: f32| (32000.0 / f64::from(peak).max(1e-9)).log2().floor().clamp(0.0, Graph::MAX_FRACTION.into()) as u8;
    net.scales[0] = fraction(peaks[0]).min(net.latent_step.exponent);
    for c in chains {
        let most = net.scales[c.input] + net.tensors[c.weight].step.exponent;
        net.scales[c.conv] = fraction(peaks[c.conv]).min(most);
        if c.gelu {
            net.scales[c.end] = fraction(peaks[c.end]);
        }
    }
}
