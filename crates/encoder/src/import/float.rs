//! A network in floating point, for the ranges of its activations and to compare the exact decoder
//! with.

use rayon::prelude::*;

use crate::steps::RealStep;
use nvc::entropy::tensor::{QuantizedNetwork, Tensor};
use nvc::error::{Error, Result};
use nvc::network::Activation;
use nvc::network::{Graph, Op};

/// Output channels of a convolution that are computed at once.
const BLOCK: usize = 4;

/// Activations `[channels][rows][columns]` of one node.
type Plane = Vec<f32>;

/// What a network computes of one latent.
pub struct Evaluation {
    /// Range that each node's activations need.
    pub ranges: Vec<f32>,
    /// The samples, plane after plane, from 0 to 1.
    pub samples: Vec<Plane>,
}

/// Evaluates `graph`, whose nodes must be those of HNeRV.
pub fn evaluate(graph: &Graph, net: &QuantizedNetwork, latent: &[i16]) -> Result<Evaluation> {
    let real = |t: &Tensor| -> Vec<f32> {
        t.values
            .iter()
            .map(|&v| f32::from(v) * t.step.value() as f32)
            .collect()
    };
    let mut nodes: Vec<Plane> = Vec::with_capacity(graph.nodes.len());
    let mut ranges = Vec::with_capacity(graph.nodes.len());
    for (i, node) in graph.nodes.iter().enumerate() {
        let out = match node.op {
            Op::Latent(_) => latent
                .iter()
                .map(|&v| f32::from(v) * net.latent_step.value() as f32)
                .collect(),
            Op::Conv2d(c) => convolution(
                &nodes[c.input],
                graph.nodes[c.input].shape,
                &real(&net.tensors[c.weight]),
                &real(&net.tensors[c.bias]),
                graph.tensors[c.weight].shape[2],
            ),
            Op::PixelShuffle(s) => shuffle(&nodes[s.input], node.shape, s.factor),
            Op::Activate(a) if a.activation == Activation::Gelu => {
                nodes[a.input].iter().map(|&x| gelu(x)).collect()
            }
            Op::Activate(a) if a.activation == Activation::Tanh => {
                nodes[a.input].iter().map(|x| x.tanh()).collect()
            }
            op => return Err(Error::Unsupported(format!("{op:?} in an imported network"))),
        };
        let to = |activation: Activation| {
            graph.nodes[i + 1..]
                .iter()
                .take(2)
                .any(|n| matches!(n.op, Op::Activate(a) if a.activation == activation))
        };
        let mut range = out.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
        // an activation function is flat out there
        if matches!(node.op, Op::Conv2d(_)) && to(Activation::Gelu) {
            range = out.iter().fold(6.0, |m: f32, &v| m.max(v));
        } else if matches!(node.op, Op::Conv2d(_)) && to(Activation::Tanh) {
            range = range.min(7.9);
        }
        ranges.push(range);
        nodes.push(out);
    }
    let plane = |o: &nvc::network::graph::OutputPlane| {
        let [_, h, w] = graph.nodes[o.node].shape;
        nodes[o.node][o.channel * h * w..][..h * w]
            .iter()
            .map(|v| 0.5 * v + 0.5)
            .collect()
    };
    Ok(Evaluation {
        ranges,
        samples: graph.outputs.iter().map(plane).collect(),
    })
}

/// With the error function of Abramowitz and Stegun 7.1.26, which is good to 1.5e-7.
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = t
        * (0.254_829_6
            + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    let upper = 0.5 * poly * (-z * z).exp();
    x * if x > 0.0 { 1.0 - upper } else { upper }
}

fn shuffle(input: &[f32], [c, h, w]: [usize; 3], r: usize) -> Plane {
    let mut out = vec![0.0; c * h * w];
    for (n, v) in out.iter_mut().enumerate() {
        let (c, y, x) = (n / (h * w), n / w % h, n % w);
        let from = c * r * r + y % r * r + x % r;
        *v = input[from * (h / r) * (w / r) + y / r * (w / r) + x / r];
    }
    out
}

fn convolution(
    input: &[f32],
    [cin, h, w]: [usize; 3],
    weights: &[f32],
    bias: &[f32],
    kernel: usize,
) -> Plane {
    let (pad, row) = (kernel / 2, w + kernel - 1);
    // rows with zeros to both sides
    let mut padded = vec![0.0; cin * h * row];
    for (to, from) in padded.chunks_exact_mut(row).zip(input.chunks_exact(w)) {
        to[pad..pad + w].copy_from_slice(from);
    }
    let size = cin * kernel * kernel;
    let mut out = vec![0.0; bias.len() * h * w];
    out.par_chunks_mut(BLOCK * h * w)
        .enumerate()
        .for_each(|(block, out)| {
            let count = out.len() / (h * w);
            let first = block * BLOCK;
            let mut sums = vec![[0.0f32; BLOCK]; w];
            let mut taps = vec![[0.0f32; BLOCK]; size];
            for (n, tap) in taps.iter_mut().enumerate() {
                (0..count).for_each(|m| tap[m] = weights[(first + m) * size + n]);
            }
            for y in 0..h {
                sums.fill(std::array::from_fn(|m| {
                    if m < count { bias[first + m] } else { 0.0 }
                }));
                for i in 0..cin {
                    for u in (0..kernel).filter(|u| (pad..h + pad).contains(&(y + u))) {
                        let from = &padded[(i * h + y + u - pad) * row..][..row];
                        for v in 0..kernel {
                            let tap = taps[(i * kernel + u) * kernel + v];
                            for (sum, &a) in sums.iter_mut().zip(&from[v..v + w]) {
                                (0..BLOCK).for_each(|m| sum[m] += tap[m] * a);
                            }
                        }
                    }
                }
                for (x, sum) in sums.iter().enumerate() {
                    (0..count).for_each(|m| out[(m * h + y) * w + x] = sum[m]);
                }
            }
        });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convolves_as_the_definition_says() {
        let (shape, kernel, cout) = ([3, 5, 4], 3, 6);
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let input: Vec<f32> = (0..60).map(number).collect();
        let weights: Vec<f32> = (0..cout * 27).map(|i| number(i + 1000)).collect();
        let bias: Vec<f32> = (0..cout).map(number).collect();
        let got = convolution(&input, shape, &weights, &bias, kernel);
        for o in 0..cout {
            for y in 0..5isize {
                for x in 0..4isize {
                    let mut sum = bias[o];
                    for i in 0..3 {
                        for (u, v) in (0..3).flat_map(|u| (0..3).map(move |v| (u, v))) {
                            let (yy, xx) = (y + u - 1, x + v - 1);
                            if (0..5).contains(&yy) && (0..4).contains(&xx) {
                                sum += weights[((o * 3 + i) * 3 + u as usize) * 3 + v as usize]
                                    * input[i * 20 + (yy * 4 + xx) as usize];
                            }
                        }
                    }
                    assert!((sum - got[o * 20 + (y * 4 + x) as usize]).abs() < 1e-4);
                }
            }
        }
        for (x, y) in [
            (-3.0, -0.004_049_7),
            (-0.5, -0.154_268_8),
            (0.0, 0.0),
            (1.0, 0.841_344_7),
        ] {
            assert!((gelu(x) - y).abs() < 1e-6, "gelu({x}) = {}", gelu(x));
        }
        assert_eq!(
            shuffle(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [1, 2, 4], 2),
            [1.0, 3.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0]
        );
    }
}
