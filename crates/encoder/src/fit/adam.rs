//! Adam (Kingma and Ba, 2015), each tensor in one pass over parameter, gradient and moments.

use std::collections::HashMap;

use burn::module::Param;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Tensor};

use super::ops::{self, AdamStep, FastOps};

const EPSILON: f32 = 1e-8;

/// Moments of one tensor, flat, and the number of updates.
struct State<B: Backend> {
    first: Tensor<B, 1>,
    second: Tensor<B, 1>,
    updates: usize,
}

/// Moments of all parameters that were ever updated, by parameter id.
pub struct Adam<B: Backend> {
    state: HashMap<u64, State<B>>,
}

impl<B: FastOps> Adam<B> {
    /// All moments zero.
    pub fn new() -> Self {
        Adam {
            state: HashMap::new(),
        }
    }

    /// Updates `p` by its gradient in `grads`, if there is one there.
    pub fn update<A, const D: usize>(
        &mut self,
        p: &mut Param<Tensor<A, D>>,
        grads: &mut Gradients<A>,
        rate: f64,
    ) where
        A: AutodiffBackend<InnerBackend = B>,
    {
        let x = p.val();
        if let Some(g) = grads.take(&x) {
            let next = self.step(p.id.val(), x.inner(), g, rate);
            *p = Param::initialized(p.id, Tensor::from_inner(next).require_grad());
        }
    }

    fn step<const D: usize>(
        &mut self,
        id: u64,
        x: Tensor<B, D>,
        g: Tensor<B, D>,
        rate: f64,
    ) -> Tensor<B, D> {
        let (shape, device) = (x.dims(), x.device());
        let n = shape.iter().product::<usize>();
        let rest = || Tensor::zeros([n], &device);
        let s = self.state.remove(&id).unwrap_or_else(|| State {
            first: rest(),
            second: rest(),
            updates: 0,
        });
        let updates = s.updates + 1;
        let step = AdamStep::new(rate as f32, EPSILON, updates);
        let [x, first, second] = ops::adam(x.reshape([n]), g.reshape([n]), s.first, s.second, step);
        self.state.insert(
            id,
            State {
                first,
                second,
                updates,
            },
        );
        x.reshape(shape)
    }
}

/// The gradients of one step, brought back to full precision and to the loss's own scale.
pub struct Gradients<A: AutodiffBackend> {
    grads: A::Gradients,
    /// What the loss was multiplied by.
    scale: f32,
    /// Counts values that were not finite and are taken as 0; `[1]`. None where the scale is 1.
    overflow: Option<Tensor<A::InnerBackend, 1>>,
}

impl<A: AutodiffBackend> Gradients<A> {
    /// Gradients of `scale` times the loss.
    pub fn new(grads: A::Gradients, scale: f32) -> Self {
        Gradients {
            grads,
            scale,
            overflow: None,
        }
    }

    /// Takes out the gradient of `x`.
    pub fn take<const D: usize>(&mut self, x: &Tensor<A, D>) -> Option<Tensor<A::InnerBackend, D>> {
        let g = x.grad_remove(&mut self.grads)?;
        if self.scale == 1.0 {
            return Some(g);
        }
        let g = g.cast(DType::F32) * (1.0 / self.scale);
        let bad = g.clone().is_finite().bool_not();
        let count = bad.clone().float().sum();
        self.overflow = Some(self.overflow.take().map_or(count.clone(), |o| o + count));
        Some(g.mask_fill(bad, 0.0))
    }

    /// Values so far that were not finite, `[1]`, on the device.
    pub fn overflow(self) -> Option<Tensor<A::InnerBackend, 1>> {
        self.overflow
    }
}
