//! Muon: momentum whose matrix is brought near the closest orthogonal one before it is applied
//! (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024). All directions
//! of a layer learn at the same speed, which in short fits is worth several times the steps.

use burn::tensor::{Tensor, backend::Backend};

use super::ops::{self, FastOps};

const MOMENTUM: f32 = 0.95;
/// Root mean square of an update, relative to the learning rate: that of Adam (Liu et al., "Muon is
/// scalable for LLM training", 2025).
const RMS: f32 = 0.2;

/// Weight decay relative to the learning rate. Without it kernels grow in long fits until large
/// weights cancel each other, which costs bits and, in fixed point, precision.
const DECAY: f32 = 0.2;

/// Momentum of a list of convolution kernels.
pub struct Muon<B: Backend> {
    momentum: Vec<Option<Tensor<B, 2>>>,
}

impl<B: FastOps> Muon<B> {
    /// Momentum for `n` kernels, all at rest.
    pub fn new(n: usize) -> Self {
        Muon {
            momentum: (0..n).map(|_| None).collect(),
        }
    }

    /// The new value of kernel `i`, `[out, in, k, k]`, with gradient `g`; it decays towards
    /// `anchor`, or zero.
    pub fn step(
        &mut self,
        i: usize,
        w: Tensor<B, 4>,
        g: Tensor<B, 4>,
        rate: f64,
        anchor: Option<Tensor<B, 4>>,
    ) -> Tensor<B, 4> {
        let shape = w.dims();
        let (rows, columns) = (shape[0], shape[1] * shape[2] * shape[3]);
        let g = g.reshape([rows, columns]);
        let m = match self.momentum[i].take() {
            Some(m) => m * MOMENTUM + g.clone(),
            None => g.clone(),
        };
        let update = ops::orthogonal(m.clone() * MOMENTUM + g);
        self.momentum[i] = Some(m);
        let scale = rate as f32 * RMS * (rows.max(columns) as f32).sqrt();
        let decay = rate as f32 * DECAY;
        let w = match anchor {
            Some(a) => w * (1.0 - decay) + a * decay,
            None => w * (1.0 - decay),
        };
        w - (update * scale).reshape(shape)
    }
}
