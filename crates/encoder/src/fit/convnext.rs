//! HNeRV's embedding encoder: ConvNeXt stages that shrink a frame to its latent (HNeRV section 3.1;
//! Liu et al., "A ConvNet for the 2020s", CVPR 2022). Used while fitting only; nothing of it is
//! coded.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Tensor, backend::Backend};

use super::net::tensor;
use super::ops::{self, FastOps};
use crate::rng::Rng;

/// Channels of all stages but the last.
const WIDTH: usize = 64;

/// The encoder.
#[derive(Module, Debug)]
pub struct ConvNext<B: Backend> {
    kernels: Vec<Param<Tensor<B, 4>>>,
    vectors: Vec<Param<Tensor<B, 1>>>,
    strides: Vec<usize>,
}

/// Kernels of a stage: strided convolution, depthwise, expand, contract. Vectors: normalisation
/// gain and bias, biases of the four kernels, normalisation of the block, layer scale.
const KERNELS: usize = 4;
const VECTORS: usize = 9;

impl<B: FastOps> ConvNext<B> {
    /// Encoder from `input` planes to `channels` latent channels through `strides`.
    pub fn new(
        input: usize,
        channels: usize,
        strides: &[usize],
        rng: &mut Rng,
        device: &B::Device,
    ) -> Self {
        let mut net = ConvNext {
            kernels: Vec::new(),
            vectors: Vec::new(),
            strides: strides.to_vec(),
        };
        let mut from = input;
        for (i, &s) in strides.iter().enumerate() {
            let to = if i + 1 == strides.len() {
                channels
            } else {
                WIDTH
            };
            let normalised = if i == 0 { to } else { from };
            let mut kernel = |shape: [usize; 4], bound: f32| {
                let id = ParamId::from(5 << 32 | net.kernels.len() as u64);
                let v = (0..shape.iter().product())
                    .map(|_| rng.uniform(-bound, bound))
                    .collect();
                net.kernels.push(Param::initialized(
                    id,
                    tensor(v, shape, device).require_grad(),
                ));
            };
            kernel(
                [to, from * s * s, 1, 1],
                (3.0 / (from * s * s) as f32).sqrt(),
            );
            // standard deviation 0.02, as ConvNeXt
            kernel([to, 1, 7, 7], 0.035);
            kernel([4 * to, to, 1, 1], 0.035);
            kernel([to, 4 * to, 1, 1], 0.035);
            for (n, value) in [
                (normalised, 1.0),
                (normalised, 0.0),
                (to, 0.0),
                (to, 0.0),
                (to, 1.0),
                (to, 0.0),
                (4 * to, 0.0),
                (to, 0.0),
                (to, 1e-6),
            ] {
                let id = ParamId::from(6 << 32 | net.vectors.len() as u64);
                net.vectors.push(Param::initialized(
                    id,
                    tensor(vec![value; n], [n], device).require_grad(),
                ));
            }
            from = to;
        }
        net
    }

    /// All kernels, for the optimiser.
    pub fn kernels_mut(&mut self) -> &mut [Param<Tensor<B, 4>>] {
        &mut self.kernels
    }

    /// All vectors, likewise.
    pub fn vectors_mut(&mut self) -> &mut [Param<Tensor<B, 1>>] {
        &mut self.vectors
    }

    /// `[batch, input, rows, columns]` to `[batch, channels, rows / strides, columns / strides]`.
    pub fn forward(&self, mut x: Tensor<B, 4>) -> Tensor<B, 4> {
        for (i, &stride) in self.strides.iter().enumerate() {
            let k = |j: usize| self.kernels[i * KERNELS + j].val();
            let v = |j: usize| self.vectors[i * VECTORS + j].val();
            if i > 0 {
                x = ops::channel_norm(x, v(0), v(1));
            }
            x = ops::shuffle_linear(
                ops::conv_same(ops::pixel_unshuffle(x, stride), k(0)),
                v(2),
                1,
            );
            if i == 0 {
                x = ops::channel_norm(x, v(0), v(1));
            }
            let y = ops::channel_norm(
                ops::shuffle_linear(ops::conv_same_depthwise(x.clone(), k(1)), v(3), 1),
                v(4),
                v(5),
            );
            let y = ops::shuffle_gelu(ops::conv_same(y, k(2)), v(6), 1);
            // the layer scale is applied to the weights, of which there are fewer than samples
            let scale = v(8);
            let n = scale.dims()[0];
            let y = ops::shuffle_linear(
                ops::conv_same(y, k(3) * scale.clone().reshape([n, 1, 1, 1])),
                v(7) * scale,
                1,
            );
            x = x + y;
        }
        x
    }
}
