//! From float parameters to the integers that are coded, and what they cost.

use burn::tensor::Tensor as BurnTensor;

use super::net::TrainableNetwork;
use super::ops::FastOps;
use crate::steps::RealStep;
use nvc::entropy::contexts::MAX_MAGNITUDE;
use nvc::entropy::tensor::{QuantizedNetwork, Syntax, Tensor, blank_network, code_network};
use nvc::entropy::{Cost, latent::code_latents};
use nvc::error::{Error, Result};
use nvc::network::QuantStep;
use nvc::network::{FusedConv, Graph};

/// Largest magnitude of a coded latent; half the range, so that differences fit too.
const MAX_LATENT: f64 = (MAX_MAGNITUDE / 2) as f64;

/// Float parameters on the host.
#[derive(Clone, Debug)]
pub struct Params {
    /// One list for each of the graph's tensors.
    pub tensors: Vec<Vec<f32>>,
    /// All latents, frame after frame.
    pub latents: Vec<f32>,
    /// Natural logarithm of the step of each tensor, then of the latents.
    pub log_steps: Vec<f64>,
    /// The same tensor of the network before, where the fit started from it: its steps stay.
    pub before: Vec<Option<Vec<i16>>>,
}

/// Values of a burn tensor.
pub fn values<B: FastOps, const D: usize>(t: BurnTensor<B, D>) -> Result<Vec<f32>> {
    t.into_data()
        .convert::<f32>()
        .to_vec()
        .map_err(|e| Error::Parameter(format!("reading a tensor back: {e:?}")))
}

impl Params {
    /// Copies the parameters off the device.
    pub fn read<B: FastOps>(
        net: &TrainableNetwork<B>,
        graph: &Graph,
        convs: &[FusedConv],
    ) -> Result<Self> {
        let n = graph.tensors.len();
        let mut p = Params {
            tensors: vec![Vec::new(); n],
            latents: Vec::new(),
            log_steps: vec![0.0; n + 1],
            before: vec![None; n],
        };
        let step = |i: usize| values(net.log_steps[i].val()).map(|v| f64::from(v[0]));
        for (i, c) in convs.iter().enumerate() {
            p.tensors[c.weight] = values(net.weights[i].val())?;
            p.tensors[c.bias] = values(net.biases[i].val())?;
            p.log_steps[c.weight] = step(i)?;
            p.log_steps[c.bias] = step(convs.len() + i)?;
            let integers = |v: Vec<f32>, log_step: f64| {
                v.iter()
                    .map(|&v| (f64::from(v) / log_step.exp()).round() as i16)
                    .collect()
            };
            if let (Some(w), Some(b)) = (&net.reference_weights[i], &net.reference_biases[i]) {
                p.before[c.weight] = Some(integers(values(w.clone())?, p.log_steps[c.weight]));
                p.before[c.bias] = Some(integers(values(b.clone())?, p.log_steps[c.bias]));
            }
        }
        p.log_steps[graph.tensors.len()] = step(net.latent_step())?;
        for l in &net.latents {
            p.latents.extend(values(l.val())?);
        }
        Ok(p)
    }

    /// The integers, with every step moved by `shift` in the natural logarithm and snapped to the
    /// format's grid; where there is a network before, with its steps and a dead zone of `shift`.
    /// Fraction bits of activations are left at 0.
    pub fn integers(&self, graph: &Graph, shift: f64) -> (QuantizedNetwork, Vec<i16>) {
        if self.is_warm() {
            return (self.quantized_residual(graph, shift), Vec::new());
        }
        let mut net = blank_network(graph);
        let round = |v: &[f32], step: QuantStep, max: f64| -> Vec<i16> {
            let inverse = 1.0 / step.value();
            v.iter()
                .map(|&v| (f64::from(v) * inverse).round_ties_even().clamp(-max, max) as i16)
                .collect()
        };
        for ((t, v), &l) in net
            .tensors
            .iter_mut()
            .zip(&self.tensors)
            .zip(&self.log_steps)
        {
            let step = QuantStep::nearest((l + shift).exp());
            *t = Tensor {
                step,
                values: round(v, step, MAX_MAGNITUDE.into()),
                scaled: None,
            };
        }
        if graph.has_latents() {
            net.latent_step =
                QuantStep::nearest((self.log_steps[graph.tensors.len()] + shift).exp());
        }
        let latents = round(&self.latents, net.latent_step, MAX_LATENT);
        (net, latents)
    }

    /// Whether the fit started from a network before.
    pub fn is_warm(&self) -> bool {
        self.before.iter().any(Option::is_some)
    }

    fn quantized_residual(&self, graph: &Graph, dead_zone: f64) -> QuantizedNetwork {
        let max = f64::from(MAX_MAGNITUDE);
        let mut net = blank_network(graph);
        for (((t, v), &l), before) in net
            .tensors
            .iter_mut()
            .zip(&self.tensors)
            .zip(&self.log_steps)
            .zip(&self.before)
        {
            t.step = QuantStep::nearest(l.exp());
            let inverse = 1.0 / t.step.value();
            let zero = vec![0; if before.is_none() { v.len() } else { 0 }];
            let from = before.as_ref().unwrap_or(&zero);
            let dead = if before.is_some() { dead_zone } else { 0.0 };
            let one = |(&v, &q): (&f32, &i16)| {
                let d = f64::from(v) * inverse - f64::from(q);
                let d = d.signum() * (d.abs() - dead).max(0.0).round_ties_even();
                (f64::from(q) + d).clamp(-max, max) as i16
            };
            t.values = v.iter().zip(from).map(one).collect();
        }
        net
    }

    /// Bytes that the real coder spends on the integers at `shift`, by its own probabilities.
    pub fn coded_bytes(&self, graph: &Graph, syntax: Syntax<'_>, shift: f64) -> Result<f64> {
        let (net, mut latents) = self.integers(graph, shift);
        let mut weights = Cost::default();
        code_network(&mut weights, graph, &net, syntax)?;
        let mut best = u64::MAX;
        for temporal in [false, true] {
            let mut c = Cost::default();
            if graph.has_latents() {
                let passes = latents.len() / graph.latent_len();
                code_latents(&mut c, graph.latent_shape(), passes, temporal, &mut latents)?;
            }
            best = best.min(c.units);
        }
        // the range coder ends on whole words
        let bits = (weights.units + best) as f64 / Cost::UNIT as f64;
        Ok(bits / 8.0 + 8.0)
    }

    /// The shift at which the coded size is nearest to `target` bytes.
    pub fn shift_for(&self, graph: &Graph, syntax: Syntax<'_>, target: f64) -> Result<f64> {
        if self.is_warm() {
            return self.dead_zone_for(graph, syntax, target);
        }
        let count = (graph.params() as usize + self.latents.len()).max(1) as f64;
        let (mut best, mut best_miss, mut shift) = (0.0, f64::INFINITY, 0.0);
        for _ in 0..12 {
            let bytes = self.coded_bytes(graph, syntax, shift)?;
            let miss = bytes - target;
            if miss.abs() < best_miss {
                (best, best_miss) = (shift, miss.abs());
            }
            if miss.abs() < 0.001 * target {
                break;
            }
            // a factor of 2 in the step is one bit a value, less where most values are zero already
            let bits = (bytes * 8.0 / count).min(4.0);
            shift += (miss * 8.0 / count * std::f64::consts::LN_2 * (1.0 + 0.5 / bits.max(0.2)))
                .clamp(-0.7, 0.7);
        }
        Ok(best)
    }

    /// The smallest dead zone with which the coded size is at most `target` bytes, or one that
    /// leaves the network as it was.
    fn dead_zone_for(&self, graph: &Graph, syntax: Syntax<'_>, target: f64) -> Result<f64> {
        /// No difference is left beyond this.
        const WIDEST: f64 = 64.0;
        let fits = |dead_zone: f64| {
            self.coded_bytes(graph, syntax, dead_zone)
                .map(|b| b <= target)
        };
        if fits(0.0)? {
            return Ok(0.0);
        }
        let (mut low, mut high) = (0.0, 0.5);
        while high < WIDEST && !fits(high)? {
            (low, high) = (high, 2.0 * high);
        }
        for _ in 0..8 {
            let middle = 0.5 * (low + high);
            if fits(middle)? {
                high = middle
            } else {
                low = middle
            }
        }
        Ok(high)
    }
}
