//! The trainer of one group: its state, a step's gradients and its update, by Muon for the hidden
//! kernels and Adam for everything else.
//!
//! The loop itself is in [`rounds`](super::rounds). First part: network and embedding encoder
//! together, in float. Second part: the encoder retires, its latents become parameters of their
//! own, and everything is quantised while it is trained. The loss is then distortion plus a
//! multiplier times a smooth stand-in for the coded size; [`control`](super::control) keeps it near
//! the wanted size. Last part: steps are frozen on the format's grid.
//!
//! A step reads nothing back from the device: what people and the checks need to know is read every
//! few steps.

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Tensor};

use super::adam::{Adam, Gradients};
use super::convnext::ConvNext;
use super::frames::Frames;
use super::job::{Job, Observer, Outcome, Refine};
use super::muon::Muon;
use super::net::{TrainableNetwork, tensor};
use super::ops::FastOps;
use super::settings::{Loss, Optimiser, Precision};
use super::target::{self, Head};
use crate::rng::Rng;
use crate::steps::RealStep;
use nvc::entropy::tensor::{QuantizedNetwork, Tensor as IntegerTensor};
use nvc::error::{Error, Result};
use nvc::network::Arch;
use nvc::network::ops::integer::SOURCE_FRACTION;
use nvc::network::{FusedConv, FusedOp, Graph, OutputRange};

/// Learning rates of latents and of log steps, relative to the network's.
const LATENT_RATE: f64 = 4.0;
const STEP_RATE: f64 = 1.0;
/// Range of what the loss is multiplied by in half precision, and the clean looks after which it is
/// doubled.
const SCALES: std::ops::RangeInclusive<f32> = 1.0..=65536.0;
const FIRST_SCALE: f32 = 4096.0;
const PATIENCE: usize = 8;
/// What of a device the training loop has to know.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Bytes of frames to keep on the device; 0 where it shares the host's memory.
    pub resident: usize,
    /// Steps between looks at the loss. A look waits for the device.
    pub observe_every: usize,
}

/// Runs `job` on `device`.
pub fn run<B>(
    job: &Job<'_>,
    device: &B::Device,
    memory: Memory,
    refine: Refine<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome>
where
    B: AutodiffBackend + FastOps,
    B::InnerBackend: FastOps,
{
    let graph = job.graph()?;
    let ops = graph.fused_ops().ok_or_else(|| {
        Error::Unsupported("fitting a graph that is not made of fused operations".into())
    })?;
    let heads = target::heads(&graph, job.info);
    // what latents are made of
    let padded = graph.has_latents().then(|| {
        let [_, h, w] = graph.latent_shape();
        let up: usize = strides(job.arch).iter().product();
        [h * up, w * up]
    });
    let frames = Frames::new(
        job.frames,
        job.info,
        &heads,
        padded,
        memory.resident,
        device,
    );
    let mut t = Trainer::<B>::new(job, &graph, &ops, &heads, frames, device)?;
    if let Some(m) = t.train(memory.observe_every, observer)? {
        return Ok(Outcome::Misfit(m));
    }
    Ok(Outcome::Fitted(Box::new(t.finish(refine)?)))
}

pub(super) struct Trainer<'a, B: AutodiffBackend> {
    pub(super) job: &'a Job<'a>,
    pub(super) graph: &'a Graph,
    pub(super) ops: &'a [FusedOp],
    pub(super) convs: Vec<FusedConv>,
    pub(super) heads: &'a [Head],
    pub(super) frames: Frames<'a, B>,
    pub(super) device: B::Device,
    pub(super) net: TrainableNetwork<B>,
    pub(super) encoder: Option<ConvNext<B>>,
    /// Bytes wanted, which a fit by quality may move.
    pub(super) target: f64,
    pub(super) rng: Rng,
    /// Weight of the rate, relative to the running distortion.
    pub(super) rho: f64,
    /// Running mean of the squared error, `[1]`, on the device.
    pub(super) mse: Tensor<B::InnerBackend, 1>,
    /// The real coder's size at the last measurement.
    pub(super) bytes: Option<f64>,
    pub(super) scale: LossScale,
    /// Steps done.
    pub(super) taken: usize,
    /// Whether quantisation has begun.
    pub(super) quantising: bool,
    /// Share of the steps and quality at the last glance, and how fast that grows, relative to what
    /// is usual.
    pub(super) seen: Option<(f64, f64)>,
    pub(super) speed: f64,
    /// PSNR above the wanted before steps got coarser, dB, where that is so far that another
    /// network is needed.
    pub(super) far: Option<f64>,
}

/// What moves the parameters, with its memory of earlier steps.
pub(super) struct Optimisers<B: burn::tensor::backend::Backend> {
    adam: Adam<B>,
    muon: Muon<B>,
}

impl<B: FastOps> Optimisers<B> {
    /// At rest, for a network of `convs` convolutions.
    pub(super) fn new(convs: usize) -> Self {
        Optimisers {
            adam: Adam::new(),
            muon: Muon::new(convs),
        }
    }
}

/// What the loss is multiplied by so that small gradients survive half precision (Micikevicius et
/// al., "Mixed precision training", ICLR 2018).
pub(super) struct LossScale {
    pub(super) now: f32,
    clean: usize,
}

impl LossScale {
    pub(super) fn new(precision: Precision) -> Self {
        LossScale {
            now: if precision == Precision::Half {
                FIRST_SCALE
            } else {
                1.0
            },
            clean: 0,
        }
    }

    /// After a look: halves where gradients overflowed, doubles when none did for long.
    pub(super) fn observe(&mut self, overflowed: bool) {
        self.clean = if overflowed { 0 } else { self.clean + 1 };
        if overflowed {
            self.now *= 0.5;
        } else if self.clean == PATIENCE {
            (self.now, self.clean) = (self.now * 2.0, 0);
        }
        self.now = self.now.clamp(*SCALES.start(), *SCALES.end());
    }
}

/// Whether a convolution is a hidden layer, whose kernel Muon trains; output layers, depthwise
/// kernels, biases and latents are Adam's.
fn hidden(graph: &Graph, c: &FusedConv) -> bool {
    !c.depthwise && !graph.outputs.iter().any(|o| o.node == c.end)
}

impl<'a, B> Trainer<'a, B>
where
    B: AutodiffBackend + FastOps,
    B::InnerBackend: FastOps,
{
    pub(super) fn new(
        job: &'a Job<'a>,
        graph: &'a Graph,
        ops: &'a [FusedOp],
        heads: &'a [Head],
        frames: Frames<'a, B>,
        device: &B::Device,
    ) -> Result<Self> {
        let seed = job.settings.seed;
        let convs: Vec<FusedConv> = ops.iter().filter_map(FusedOp::conv).collect();
        let net = TrainableNetwork::new(graph, &convs, &mut Rng::new(seed, 1), device);
        let encoder = graph.has_latents().then(|| {
            let planes = job.info.format.chroma.planes();
            let channels = graph.latent_shape()[0];
            let mut rng = Rng::new(seed, 2);
            ConvNext::new(planes, channels, &strides(job.arch), &mut rng, device)
        });
        let mut t = Trainer {
            job,
            graph,
            ops,
            convs,
            heads,
            frames,
            device: device.clone(),
            net,
            encoder,
            target: job.target_bytes,
            rng: Rng::new(seed, 3),
            rho: 0.2,
            mse: Tensor::zeros([1], device),
            bytes: None,
            scale: LossScale::new(job.settings.precision),
            taken: 0,
            quantising: false,
            seen: None,
            speed: 1.0,
            far: None,
        };
        if let Some(w) = job.warm {
            t.start_from(w.network);
        }
        Ok(t)
    }

    /// Takes over kernels, biases and steps of the network before, where sizes agree.
    fn start_from(&mut self, network: &QuantizedNetwork) {
        for i in 0..self.convs.len() {
            let c = self.convs[i];
            let shape = self.graph.tensors[c.weight].shape;
            let (Some(w), Some(b)) = (network.tensors.get(c.weight), network.tensors.get(c.bias))
            else {
                continue;
            };
            if w.values.len() != shape.iter().product::<usize>() || b.values.len() != shape[0] {
                continue;
            }
            let real = |t: &IntegerTensor| {
                t.values
                    .iter()
                    .map(|&q| (f64::from(q) * t.step.value()) as f32)
                    .collect::<Vec<_>>()
            };
            let (kernel, bias) = (
                tensor(real(w), shape, &self.device),
                tensor(real(b), [shape[0]], &self.device),
            );
            self.net.start_from(
                i,
                kernel,
                bias,
                [w.step.value().ln(), b.step.value().ln()],
                &self.device,
            );
        }
    }

    pub(super) fn passes(&self) -> usize {
        self.graph.passes(self.job.frames.len())
    }

    /// PSNR of the running mean of the squared error, dB; waits for the device.
    pub(super) fn psnr(&self) -> f64 {
        psnr(
            scalar(self.mse.clone()),
            self.job.info.format.bit_depth,
            self.graph.output_range == OutputRange::Full,
        )
    }

    /// Moves the parameters along their gradients. Quantisation steps move only while they are
    /// free.
    pub(super) fn update(
        &mut self,
        grads: &mut Gradients<B>,
        Optimisers { adam, muon }: &mut Optimisers<B::InnerBackend>,
        batch: &[usize],
        rate: f64,
        free: bool,
    ) {
        for (i, c) in self.convs.iter().enumerate() {
            if self.job.settings.optimiser == Optimiser::Muon && hidden(self.graph, c) {
                let w = self.net.weights[i].val();
                if let Some(g) = grads.take(&w) {
                    self.net.set_weight(
                        i,
                        Tensor::from_inner(muon.step(
                            i,
                            w.inner(),
                            g,
                            rate,
                            self.net.reference_weights[i].clone().map(Tensor::inner),
                        )),
                    );
                }
            } else {
                adam.update(&mut self.net.weights[i], grads, rate);
            }
            adam.update(&mut self.net.biases[i], grads, rate);
        }
        if let Some(e) = &mut self.encoder {
            e.kernels_mut()
                .iter_mut()
                .for_each(|p| adam.update(p, grads, rate));
            e.vectors_mut()
                .iter_mut()
                .for_each(|p| adam.update(p, grads, rate));
        } else {
            if self.graph.has_latents() {
                batch.iter().for_each(|&i| {
                    adam.update(&mut self.net.latents[i], grads, rate * LATENT_RATE)
                });
            }
            // steps of the network before stay
            if free && self.job.warm.is_none() {
                self.net
                    .log_steps
                    .iter_mut()
                    .for_each(|p| adam.update(p, grads, rate * STEP_RATE));
            }
        }
    }

    /// What the network sees in the passes `batch`, in float.
    pub(super) fn source(&self, batch: &[usize]) -> Tensor<B, 4> {
        match &self.encoder {
            Some(e) => e.forward(self.frames.encoder_input(batch)),
            None if self.graph.has_latents() => Tensor::cat(
                batch.iter().map(|&i| self.net.latents[i].val()).collect(),
                0,
            ),
            None => constant_source(self.graph, batch, &self.device),
        }
    }

    /// One forward and backward pass; the squared error, `[1]`, and all gradients.
    pub(super) fn gradients(
        &self,
        batch: &[usize],
        quantise: bool,
    ) -> Result<(Tensor<B::InnerBackend, 1>, Gradients<B>)> {
        let latent = self.source(batch);
        let coded = if quantise && self.graph.has_latents() {
            self.net.quantised(latent.clone(), self.net.latent_step())
        } else {
            latent.clone()
        };
        let mut values = self.net.forward(
            self.graph,
            self.ops,
            coded,
            quantise,
            self.job.settings.precision,
        );
        let chroma = self.job.info.format.chroma;
        let (mut loss, mut mse) = (None, None);
        let add =
            |sum: Option<Tensor<B, 1>>, t: Tensor<B, 1>| Some(sum.map_or(t.clone(), |s| s + t));
        for (i, head) in self.heads.iter().enumerate() {
            let output = values[head.node]
                .take()
                .ok_or_else(|| Error::Unsupported("an output inside a fused operation".into()))?;
            let goal = self.frames.target(i, batch);
            let d = target::distortion(
                self.job.settings.loss,
                head,
                output.clone(),
                goal.clone(),
                chroma,
            );
            let e = match self.job.settings.loss {
                Loss::L2 => d.clone(),
                Loss::Fusion6 => target::squared_error(head, output.detach(), goal, chroma),
            };
            (loss, mse) = (add(loss, d), add(mse, e));
        }
        let (Some(mut loss), Some(mse)) = (loss, mse) else {
            return Err(Error::Unsupported("a network without outputs".into()));
        };
        if quantise && self.job.settings.rate {
            loss = loss.clone() + self.rate(&latent) * loss.detach() * self.rho as f32;
        }
        let scale = self.scale.now;
        let grads = if scale == 1.0 {
            loss.backward()
        } else {
            (loss * scale).backward()
        };
        Ok((mse.inner(), Gradients::new(grads, scale)))
    }
}

/// Factors by which the stages of a representation upsample.
fn strides(arch: &Arch) -> Vec<usize> {
    arch.stages().iter().map(|s| s.stride as usize).collect()
}

/// A source that is not coded, for the passes `batch`.
pub(super) fn constant_source<B: FastOps>(
    graph: &Graph,
    batch: &[usize],
    device: &B::Device,
) -> Tensor<B, 4> {
    let [c, h, w] = graph.nodes[0].shape;
    let unit = (-f32::from(SOURCE_FRACTION)).exp2();
    let values = batch
        .iter()
        .flat_map(|&i| graph.nodes[0].op.constant(i).unwrap_or_default())
        .map(|v| f32::from(v) * unit);
    tensor(values.collect(), [batch.len(), c, h, w], device)
}

pub(super) fn scalar<B: FastOps>(t: Tensor<B, 1>) -> f64 {
    t.into_scalar().elem::<f64>()
}

/// PSNR of a squared error in units of the output's range -1..1, which is one code value wider than
/// the samples' unless `full_range_output`.
pub(super) fn psnr(mse: f64, bit_depth: u8, full_range_output: bool) -> f64 {
    let peak = f64::from((1u32 << bit_depth) - 1);
    10.0 * ((peak / target::half_range(bit_depth, full_range_output)).powi(2) / mse.max(1e-12))
        .log10()
}
