//! The burn executor of a [`Graph`]: float, with gradients, on whatever device burn has.
//!
//! Parameters are kept in float and used as `step * round(w / step)`, the rounding passed straight through by the gradient,
//! so that what is trained is what will be coded (learned steps: Esser et al., "Learned Step Size Quantization", ICLR 2020).

use burn::module::{Module, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData, backend::Backend};

use super::Precision;
use super::ops::{self, FastOps};
use crate::network::{Chain, Graph, Role};
use crate::rng::Rng;

/// All that is fitted of one group except the embedding encoder.
#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    /// Convolution kernels, in the order of their chains.
    pub weights: Vec<Param<Tensor<B, 4>>>,
    /// Biases, likewise.
    pub biases: Vec<Param<Tensor<B, 1>>>,
    /// Natural logarithm of the quantisation step of each weight, then each bias, then the latents.
    pub log_steps: Vec<Param<Tensor<B, 1>>>,
    /// One latent a frame, `[1, channels, rows, columns]`; set when the embedding encoder retires.
    pub latents: Vec<Param<Tensor<B, 4>>>,
}

/// Parameter ids are fixed so that two runs, and a resumed one, key the optimiser's state alike.
fn id(kind: u64, n: usize) -> ParamId {
    ParamId::from(kind << 32 | n as u64)
}

fn param<B: Backend, const D: usize>(kind: u64, n: usize, t: Tensor<B, D>) -> Param<Tensor<B, D>> {
    Param::initialized(id(kind, n), t.require_grad())
}

/// A tensor of given values.
pub fn tensor<B: Backend, const D: usize>(values: Vec<f32>, shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The input of the first of `chains`, let go if none of the others and no output reads it.
fn read<B: Backend>(values: &mut [Option<Tensor<B, 4>>], graph: &Graph, chains: &[Chain]) -> Tensor<B, 4> {
    let node = chains[0].input;
    let later = chains[1..].iter().any(|c| c.input == node) || graph.outputs.iter().any(|o| o.node == node);
    let value = if later { values[node].clone() } else { values[node].take() };
    value.expect("chains read ends of chains")
}

impl<B: FastOps> Net<B> {
    /// Kaiming-uniform kernels as PyTorch's default, from `rng`; zero biases.
    pub fn new(graph: &Graph, chains: &[Chain], rng: &mut Rng, device: &B::Device) -> Self {
        let mut net = Net { weights: Vec::new(), biases: Vec::new(), log_steps: Vec::new(), latents: Vec::new() };
        for (i, c) in chains.iter().enumerate() {
            let spec = &graph.tensors[c.weight];
            debug_assert_eq!((spec.role, graph.tensors[c.bias].role), (Role::Weight, Role::Bias));
            let bound = 1.0 / ((spec.shape[1] * spec.shape[2] * spec.shape[3]) as f32).sqrt();
            // the GELU halves the variance; sqrt(3) keeps a unit variance, a linear head starts small
            let gain = if c.gelu { 3f32.sqrt() * 1.3 } else { 0.5 };
            let w: Vec<f32> = (0..spec.len()).map(|_| rng.uniform(-1.0, 1.0) * bound * gain).collect();
            net.weights.push(param(1, i, tensor(w, spec.shape, device)));
            net.biases.push(param(2, i, Tensor::zeros([spec.shape[0]], device)));
        }
        for i in 0..2 * chains.len() + 1 {
            net.log_steps.push(param(3, i, Tensor::zeros([1], device)));
        }
        net
    }

    /// Takes over the latents as parameters of their own.
    pub fn set_latents(&mut self, latents: Vec<Tensor<B, 4>>) {
        self.latents = latents.into_iter().enumerate().map(|(i, t)| param(4, i, t.detach())).collect();
    }

    /// Overwrites kernel `i`.
    pub fn set_weight(&mut self, i: usize, value: Tensor<B, 4>) {
        self.weights[i] = param(1, i, value);
    }

    /// Overwrites the logarithm of step `i`.
    pub fn set_log_step(&mut self, i: usize, value: f64, device: &B::Device) {
        self.log_steps[i] = param(3, i, tensor(vec![value as f32], [1], device));
    }

    /// Index of the latents' step.
    pub fn latent_step(&self) -> usize {
        self.log_steps.len() - 1
    }

    /// `step * round(x / step)` with the gradient passed straight through to `x`, and to the step as in LSQ.
    pub fn quantised<const D: usize>(&self, x: Tensor<B, D>, step: usize) -> Tensor<B, D> {
        ops::fake_quant(x, self.log_steps[step].val())
    }

    /// Kernel of chain `i`.
    pub fn weight(&self, i: usize, quantise: bool) -> Tensor<B, 4> {
        let w = self.weights[i].val();
        if quantise { self.quantised(w, i) } else { w }
    }

    /// Bias of chain `i`.
    pub fn bias(&self, i: usize, quantise: bool) -> Tensor<B, 1> {
        let b = self.biases[i].val();
        if quantise { self.quantised(b, self.weights.len() + i) } else { b }
    }

    /// Runs the graph on `[batch, channels, rows, columns]` latents; returns the values of the graph's outputs. In half
    /// precision hidden nodes are 16-bit floats and output nodes, like all parameters, 32-bit ones.
    pub fn forward(
        &self,
        graph: &Graph,
        chains: &[Chain],
        latent: Tensor<B, 4>,
        quantise: bool,
        precision: Precision,
    ) -> Vec<Option<Tensor<B, 4>>> {
        let half = precision == Precision::Half;
        let mut values: Vec<Option<Tensor<B, 4>>> = vec![None; graph.nodes.len()];
        values[0] = Some(if half { latent.cast(DType::F16) } else { latent });
        for (i, c) in chains.iter().enumerate() {
            let x = read(&mut values, graph, &chains[i..]);
            let (mut w, mut b) = (self.weight(i, quantise), self.bias(i, quantise));
            if half {
                (w, b) = (w.cast(DType::F16), b.cast(DType::F16));
            }
            let y = ops::conv_same(x, w);
            let y = if c.gelu { ops::shuffle_gelu(y, b, c.factor) } else { ops::shuffle_linear(y, b, c.factor) };
            let output = half && graph.outputs.iter().any(|o| o.node == c.end);
            values[c.end] = Some(if output { y.cast(DType::F32) } else { y });
        }
        values
    }

    /// What a decoder of infinite precision makes of a latent: the quantised network, each activation kept to the range that
    /// `scales`, the fraction bits of the nodes, leave it. Returns the values of the graph's outputs.
    pub fn decoded(&self, graph: &Graph, chains: &[Chain], latent: Tensor<B, 4>, scales: &[u8]) -> Vec<Option<Tensor<B, 4>>> {
        let keep = |t: Tensor<B, 4>, node: usize| {
            let most = 32767.0 * (-f64::from(scales[node])).exp2();
            t.clamp(-most, most)
        };
        let mut values: Vec<Option<Tensor<B, 4>>> = vec![None; graph.nodes.len()];
        values[0] = Some(keep(latent, 0));
        for (i, c) in chains.iter().enumerate() {
            let x = read(&mut values, graph, &chains[i..]);
            let y = keep(ops::shuffle_linear(ops::conv_same(x, self.weight(i, true)), self.bias(i, true), c.factor), c.conv);
            values[c.end] = Some(if c.gelu {
                let none = Tensor::zeros([y.dims()[1]], &y.device());
                keep(ops::shuffle_gelu(y, none, 1), c.end)
            } else {
                y
            });
        }
        values
    }

    /// Largest magnitude of every node that has a scale, for one latent.
    pub fn peaks(&self, graph: &Graph, chains: &[Chain], latent: Tensor<B, 4>) -> Vec<f32> {
        let peak = |t: &Tensor<B, 4>| t.clone().abs().max().into_data().to_vec::<f32>().map_or(0.0, |v| v[0]);
        let mut peaks = vec![0.0; graph.nodes.len()];
        peaks[0] = peak(&latent);
        let mut values: Vec<Option<Tensor<B, 4>>> = vec![None; graph.nodes.len()];
        values[0] = Some(latent);
        for (i, c) in chains.iter().enumerate() {
            let x = read(&mut values, graph, &chains[i..]);
            let y = ops::shuffle_linear(ops::conv_same(x, self.weight(i, true)), self.bias(i, true), c.factor);
            peaks[c.conv] = peak(&y);
            values[c.end] = Some(if c.gelu {
                let none = Tensor::zeros([y.dims()[1]], &y.device());
                let y = ops::shuffle_gelu(y, none, 1);
                peaks[c.end] = peak(&y);
                y
            } else {
                y
            });
        }
        peaks
    }
}
