//! The burn executor of a [`Graph`]: float, with gradients, on whatever device burn has.
//!
//! Parameters are kept in float and used as `step * round(w / step)`, the rounding passed straight
//! through by the gradient, so that what is trained is what will be coded (learned steps: Esser et
//! al., "Learned Step Size Quantization", ICLR 2020).

use burn::module::{Module, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData, activation, backend::Backend};

use super::ops::{self, FastOps, alone};
use super::settings::Precision;
use crate::rng::Rng;
use nvc::network::NodeId;
use nvc::network::{Activation, FusedConv, FusedOp, Graph, Node, Op, Role};

/// All that is fitted of one group except the embedding encoder.
#[derive(Module, Debug)]
pub struct TrainableNetwork<B: Backend> {
    /// Convolution kernels, in the order of `Graph::fused_convs`.
    pub weights: Vec<Param<Tensor<B, 4>>>,
    /// Biases, likewise.
    pub biases: Vec<Param<Tensor<B, 1>>>,
    /// Natural logarithm of the quantisation step of each weight, then each bias, then the latents.
    pub log_steps: Vec<Param<Tensor<B, 1>>>,
    /// One latent a frame, `[1, channels, rows, columns]`; set when the embedding encoder retires.
    pub latents: Vec<Param<Tensor<B, 4>>>,
    /// Kernels and biases of the network that this one starts from, where it has some of that size.
    pub reference_weights: Vec<Option<Tensor<B, 4>>>,
    /// Biases, likewise.
    pub reference_biases: Vec<Option<Tensor<B, 1>>>,
    /// Steps by which differences to those are brought nearer to zero before they are rounded: the
    /// dead zone of their quantiser.
    pub dead_zone: f64,
}

/// Parameter ids are fixed so that two runs key the optimiser's state alike.
fn id(kind: u64, n: usize) -> ParamId {
    ParamId::from(kind << 32 | n as u64)
}

fn param<B: Backend, const D: usize>(kind: u64, n: usize, t: Tensor<B, D>) -> Param<Tensor<B, D>> {
    Param::initialized(id(kind, n), t.require_grad())
}

/// A tensor of given values.
pub fn tensor<B: Backend, const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Values of nodes on the way through a graph; each is let go with its last reader.
struct Values<'a, B: Backend> {
    graph: &'a Graph,
    values: Vec<Option<Tensor<B, 4>>>,
    /// Readers to come, outputs of the graph included, which stay.
    readers: Vec<usize>,
}

impl<'a, B: Backend> Values<'a, B> {
    fn new(graph: &'a Graph, source: Tensor<B, 4>) -> Self {
        let mut readers = vec![0; graph.nodes.len()];
        graph
            .nodes
            .iter()
            .flat_map(|n| n.op.inputs())
            .for_each(|&i| readers[i] += 1);
        graph.outputs.iter().for_each(|o| readers[o.node] += 1);
        let mut values = vec![None; graph.nodes.len()];
        values[0] = Some(source);
        Values {
            graph,
            values,
            readers,
        }
    }

    fn read(&mut self, node: NodeId) -> Tensor<B, 4> {
        self.readers[node] -= 1;
        let value = if self.readers[node] > 0 {
            self.values[node].clone()
        } else {
            self.values[node].take()
        };
        value.expect("operations read what fused ones end with")
    }

    /// Computes a node that is no convolution and no part of a fused one.
    fn node(&mut self, node: NodeId) -> Tensor<B, 4>
    where
        B: FastOps,
    {
        let op = self.graph.nodes[node].op;
        let inputs = op.inputs().iter().map(|&i| self.read(i)).collect();
        alone::apply(op, inputs)
    }
}

/// `activation(x)`, or `x`.
fn activate<B: FastOps>(x: Tensor<B, 4>, activation: Option<Activation>) -> Tensor<B, 4> {
    let none = |x: &Tensor<B, 4>| Tensor::zeros([x.dims()[1]], &x.device());
    match activation {
        None => x,
        Some(Activation::Gelu) => {
            let b = none(&x);
            ops::shuffle_gelu(x, b, 1)
        }
        Some(Activation::Swish) => {
            let b = none(&x);
            ops::shuffle_swish(x, b, 1)
        }
        Some(Activation::Sine) => (x * (2.0 * std::f64::consts::PI)).sin(),
        Some(Activation::Tanh) => x.tanh(),
    }
}

/// What follows a convolution before its nonlinearity.
fn shuffled<B: FastOps>(y: Tensor<B, 4>, bias: Tensor<B, 1>, c: &FusedConv) -> Tensor<B, 4> {
    let y = ops::shuffle_linear(y, bias, c.factor);
    unflattened(y, c)
}

fn unflattened<B: FastOps>(y: Tensor<B, 4>, c: &FusedConv) -> Tensor<B, 4> {
    let [b, channels, ..] = y.dims();
    match c.reshape {
        Some([rows, columns]) => y.reshape([b, channels / (rows * columns), rows, columns]),
        None => y,
    }
}

fn convolved<B: FastOps>(x: Tensor<B, 4>, w: Tensor<B, 4>, c: &FusedConv) -> Tensor<B, 4> {
    if c.depthwise {
        ops::conv_same_depthwise(x, w)
    } else {
        ops::conv_same(x, w)
    }
}

/// Bound of uniform initial weights and biases of a convolution.
fn initial_bounds(graph: &Graph, c: &FusedConv) -> (f32, f32) {
    let [_, cin, kh, kw] = graph.tensors[c.weight].shape;
    let fan_in = (cin * kh * kw) as f32;
    let plain = 1.0 / fan_in.sqrt();
    let output = graph.outputs.iter().any(|o| o.node == c.end);
    // up to a sum, possibly through an upsampling
    let reader = |node: NodeId, wanted: fn(&Op) -> bool| {
        let reads = |n: &Node| wanted(&n.op) && n.op.inputs().contains(&node);
        graph.nodes.iter().position(reads)
    };
    let end = reader(c.end, |op| matches!(op, Op::Bilinear(_))).unwrap_or(c.end);
    let summed = reader(end, |op| matches!(op, Op::Add(_))).is_some();
    match c.activation {
        // SIREN (Sitzmann et al., NeurIPS 2020) with its factor of 30, in turns; any phase
        Some(Activation::Sine) if c.input == 0 => (30.0 / fan_in / std::f32::consts::TAU, 0.5),
        Some(Activation::Sine) => ((6.0 / fan_in).sqrt() / std::f32::consts::TAU, 0.25),
        _ if output => (plain * 0.5, 0.0),
        // these halve the variance; sqrt(3) keeps a unit variance
        Some(Activation::Gelu | Activation::Swish) => (plain * 3f32.sqrt() * 1.3, 0.0),
        // residual blocks start near the identity, skips weak
        _ if summed => (plain * 0.5, 0.0),
        _ => (plain * 3f32.sqrt(), 0.0),
    }
}

impl<B: FastOps> TrainableNetwork<B> {
    /// Uniform kernels from `rng` that keep activations near unit variance.
    pub fn new(graph: &Graph, convs: &[FusedConv], rng: &mut Rng, device: &B::Device) -> Self {
        let mut net = TrainableNetwork {
            weights: Vec::new(),
            biases: Vec::new(),
            log_steps: Vec::new(),
            latents: Vec::new(),
            reference_weights: convs.iter().map(|_| None).collect(),
            reference_biases: convs.iter().map(|_| None).collect(),
            dead_zone: 0.0,
        };
        for (i, c) in convs.iter().enumerate() {
            let spec = &graph.tensors[c.weight];
            debug_assert_eq!(
                (spec.role, graph.tensors[c.bias].role),
                (Role::Weight, Role::Bias)
            );
            let (bound, bias) = initial_bounds(graph, c);
            let w: Vec<f32> = (0..spec.len())
                .map(|_| rng.uniform(-1.0, 1.0) * bound)
                .collect();
            net.weights.push(param(1, i, tensor(w, spec.shape, device)));
            let b: Vec<f32> = (0..spec.shape[0])
                .map(|_| {
                    if bias > 0.0 {
                        rng.uniform(-bias, bias)
                    } else {
                        0.0
                    }
                })
                .collect();
            net.biases
                .push(param(2, i, tensor(b, [spec.shape[0]], device)));
        }
        for i in 0..2 * convs.len() + 1 {
            net.log_steps.push(param(3, i, Tensor::zeros([1], device)));
        }
        net
    }

    /// Takes over the latents as parameters of their own.
    pub fn set_latents(&mut self, latents: Vec<Tensor<B, 4>>) {
        self.latents = latents
            .into_iter()
            .enumerate()
            .map(|(i, t)| param(4, i, t.detach()))
            .collect();
    }

    /// Takes over kernel and bias `i` of the network before, and their steps.
    pub fn start_from(
        &mut self,
        i: usize,
        weight: Tensor<B, 4>,
        bias: Tensor<B, 1>,
        steps: [f64; 2],
        device: &B::Device,
    ) {
        (self.reference_weights[i], self.reference_biases[i]) =
            (Some(weight.clone()), Some(bias.clone()));
        self.weights[i] = param(1, i, weight);
        self.biases[i] = param(2, i, bias);
        self.set_log_step(i, steps[0], device);
        self.set_log_step(self.weights.len() + i, steps[1], device);
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

    /// `step * round(x / step)` with the gradient passed straight through to `x`, and to the step
    /// as in LSQ.
    pub fn quantised<const D: usize>(&self, x: Tensor<B, D>, step: usize) -> Tensor<B, D> {
        ops::fake_quant(x, self.log_steps[step].val())
    }

    /// `before` plus the quantised difference to it; the gradient passes straight through to `x`.
    fn quantized_residual<const D: usize>(
        &self,
        x: Tensor<B, D>,
        before: &Tensor<B, D>,
        step: usize,
    ) -> Tensor<B, D> {
        let log_step = self.log_steps[step].val().detach();
        let dead_zone = (log_step.clone().exp() * self.dead_zone).reshape([1; D]);
        let d = x.clone().detach() - before.clone();
        let nearer =
            activation::relu(d.clone() - dead_zone.clone()) - activation::relu(d.neg() - dead_zone);
        let value = before.clone() + ops::fake_quant(nearer, log_step);
        x.clone() + (value - x).detach()
    }

    /// Kernel of convolution `i`.
    pub fn weight(&self, i: usize, quantise: bool) -> Tensor<B, 4> {
        match (&self.reference_weights[i], self.weights[i].val()) {
            (_, w) if !quantise => w,
            (Some(before), w) => self.quantized_residual(w, before, i),
            (None, w) => self.quantised(w, i),
        }
    }

    /// Bias of convolution `i`.
    pub fn bias(&self, i: usize, quantise: bool) -> Tensor<B, 1> {
        let step = self.weights.len() + i;
        match (&self.reference_biases[i], self.biases[i].val()) {
            (_, b) if !quantise => b,
            (Some(before), b) => self.quantized_residual(b, before, step),
            (None, b) => self.quantised(b, step),
        }
    }

    /// Runs the graph on `[batch, channels, rows, columns]` of its source; returns the values of
    /// the graph's outputs. In half precision hidden nodes are 16-bit floats and output nodes, like
    /// all parameters, 32-bit ones.
    pub fn forward(
        &self,
        graph: &Graph,
        ops: &[FusedOp],
        source: Tensor<B, 4>,
        quantise: bool,
        precision: Precision,
    ) -> Vec<Option<Tensor<B, 4>>> {
        let half = precision == Precision::Half;
        let mut v = Values::new(
            graph,
            if half {
                source.cast(DType::F16)
            } else {
                source
            },
        );
        let mut i = 0;
        for op in ops {
            let y = match op {
                FusedOp::Node(n) => v.node(*n),
                FusedOp::Conv(c) => {
                    let (mut w, mut b) = (self.weight(i, quantise), self.bias(i, quantise));
                    i += 1;
                    if half {
                        (w, b) = (w.cast(DType::F16), b.cast(DType::F16));
                    }
                    let y = convolved(v.read(c.input), w, c);
                    let y = match c.activation {
                        Some(Activation::Gelu) => unflattened(ops::shuffle_gelu(y, b, c.factor), c),
                        Some(Activation::Swish) => {
                            unflattened(ops::shuffle_swish(y, b, c.factor), c)
                        }
                        activation => activate(shuffled(y, b, c), activation),
                    };
                    let output = half && graph.outputs.iter().any(|o| o.node == c.end);
                    if output { y.cast(DType::F32) } else { y }
                }
            };
            v.values[op.end()] = Some(y);
        }
        v.values
    }

    /// The quantised network on one pass, with every node that has fraction bits of its own changed
    /// by `see`; returns the values of the graph's outputs.
    fn walk(
        &self,
        graph: &Graph,
        ops: &[FusedOp],
        source: Tensor<B, 4>,
        see: &mut dyn FnMut(Tensor<B, 4>, NodeId) -> Tensor<B, 4>,
    ) -> Vec<Option<Tensor<B, 4>>> {
        let source = if graph.has_latents() {
            see(source, 0)
        } else {
            source
        };
        let mut v = Values::new(graph, source);
        let mut i = 0;
        for op in ops {
            let y = match op {
                FusedOp::Node(n) if graph.nodes[*n].op.has_frac_bits() => see(v.node(*n), *n),
                FusedOp::Node(n) => v.node(*n),
                FusedOp::Conv(c) => {
                    let y = see(
                        shuffled(
                            convolved(v.read(c.input), self.weight(i, true), c),
                            self.bias(i, true),
                            c,
                        ),
                        c.conv,
                    );
                    i += 1;
                    if c.activation.is_some() {
                        see(activate(y, c.activation), c.end)
                    } else {
                        y
                    }
                }
            };
            v.values[op.end()] = Some(y);
        }
        v.values
    }

    /// What a decoder of infinite precision makes of a pass: the quantised network, each activation
    /// kept to the range that `frac_bits`, those of the nodes, leave it. Returns the
    /// values of the graph's outputs.
    pub fn decoded(
        &self,
        graph: &Graph,
        ops: &[FusedOp],
        source: Tensor<B, 4>,
        frac_bits: &[u8],
    ) -> Vec<Option<Tensor<B, 4>>> {
        self.walk(graph, ops, source, &mut |t, node| {
            let most = 32767.0 * (-f64::from(frac_bits[node])).exp2();
            t.clamp(-most, most)
        })
    }

    /// Largest magnitude of every node that has fraction bits of its own, for one pass.
    pub fn peaks(&self, graph: &Graph, ops: &[FusedOp], source: Tensor<B, 4>) -> Vec<f32> {
        let mut peaks = vec![0.0; graph.nodes.len()];
        self.walk(graph, ops, source, &mut |t, node| {
            peaks[node] = t
                .clone()
                .abs()
                .max()
                .into_data()
                .to_vec::<f32>()
                .map_or(0.0, |v| v[0]);
            t
        });
        peaks
    }
}
