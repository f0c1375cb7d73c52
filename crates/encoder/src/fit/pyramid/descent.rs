//! The iterations of a fit on any device of burn. Latents and their moments stay there; in each
//! iteration the weights go there, and their gradient and the terms of the loss come back.

use std::sync::{Mutex, PoisonError};

use super::loss::Model;
use crate::pyramid::{Descent, Engine, Gradients, Iteration, Plane, Quantiser, Shape, Step, Terms};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Distribution, Tensor, TensorData, backend::Backend};

/// The latents' parameters on the canvas of a device.
pub(super) struct OnDevice<B: AutodiffBackend> {
    model: Model<B>,
    u: Tensor<B::InnerBackend, 4>,
    /// First and second moments.
    m: Tensor<B::InnerBackend, 4>,
    v: Tensor<B::InnerBackend, 4>,
    /// Of the last iteration, if latents moved.
    gradient: Option<Tensor<B::InnerBackend, 4>>,
    seed: u64,
    /// Iterations done.
    done: u64,
    device: B::Device,
}

/// Backends have one generator for all fits; who seeds it draws before others do, so that what each
/// draws does not depend on them.
static GENERATOR: Mutex<()> = Mutex::new(());

impl<B: AutodiffBackend> OnDevice<B> {
    pub(super) fn new(
        shape: &Shape,
        size: (usize, usize),
        planes: &[Plane],
        seed: u64,
        device: B::Device,
    ) -> Self {
        let model = Model::new(shape, size, planes, &device);
        let zeros = || Tensor::zeros([1, 1, model.canvas.h, model.canvas.w], &device);
        OnDevice {
            u: zeros(),
            m: zeros(),
            v: zeros(),
            gradient: None,
            model,
            seed,
            done: 0,
            device,
        }
    }

    /// Noise of this iteration, of standard deviation `size`.
    fn noise(&self, size: f32) -> Tensor<B, 4> {
        let _mine = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        // far from those of other seeds
        let seed = self.seed ^ self.done.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        B::seed(&self.device, seed);
        let law = Distribution::Normal(0.0, f64::from(size));
        Tensor::random(self.u.dims(), law, &self.device)
    }

    /// A step of Adam, as the engine takes it.
    fn step(&mut self, step: Option<Step>) {
        let (Some(step), Some(g)) = (step, self.gradient.take()) else {
            return;
        };
        let t = i32::try_from(step.t).unwrap_or(i32::MAX);
        let rate = step.rate / (1.0 - step.beta1.powi(t));
        let scale = 1.0 / (1.0 - step.beta2.powi(t));
        self.m = self.m.clone() * step.beta1 + g.clone() * (1.0 - step.beta1);
        self.v = self.v.clone() * step.beta2 + g.clone() * g.clone() * (1.0 - step.beta2);
        let size = (self.v.clone() * scale).sqrt() + step.epsilon;
        let ahead = g * step.look + self.m.clone() * (1.0 - step.look);
        self.u = self.u.clone() - ahead * rate / size;
    }
}

impl<B: AutodiffBackend> Descent for OnDevice<B> {
    fn iterate(&mut self, engine: &mut Engine, params: &[f32], iteration: Iteration) -> Terms {
        self.step(iteration.step);
        self.done += 1;
        let count = params.len();
        let params = Tensor::<B, 1>::from_data(TensorData::from(params), &self.device);
        let params = params.require_grad();
        let moving = iteration.gradients == Gradients::WeightsAndLatents;
        let mut u = Tensor::<B, 4>::from_inner(self.u.clone());
        if moving {
            u = u.require_grad();
        }
        let seen = match iteration.quantiser {
            Quantiser::Noisy { temperature, noise } => {
                let noise = self.noise(noise);
                soft_round(soft_round(u.clone(), temperature) + noise, temperature)
                    * self.model.mask.clone()
            }
            Quantiser::Hard => u.clone().round(),
        };
        let [distortion, bits] = self.model.terms(&params, seen);
        let loss = distortion.clone() + bits.clone() * iteration.lambda;
        let mut gradients = loss.backward();
        if moving {
            self.gradient = u.grad_remove(&mut gradients);
        }
        let none = || Tensor::zeros([count], &self.device);
        let of_weights = params.grad_remove(&mut gradients).unwrap_or_else(none);
        // one wait for the device
        let all = Tensor::cat(vec![of_weights, distortion.inner(), bits.inner()], 0);
        let all: Vec<f32> = all.into_data().iter().collect();
        let (of_weights, terms) = all.split_at(count);
        engine.gradients.copy_from_slice(of_weights);
        Terms {
            distortion: terms[0].into(),
            bits: terms[1].into(),
        }
    }

    fn round(&mut self, engine: &mut Engine, step: Option<Step>) {
        self.step(step);
        let plane: Vec<f32> = self.u.clone().round().into_data().iter().collect();
        for l in 0..self.model.canvas.grids.len() {
            engine.set_values(l, &self.model.canvas.grid(&plane, l));
        }
    }
}

/// Softround at temperature `t` (Agustsson and Theis, 2020).
fn soft_round<B: Backend>(x: Tensor<B, 4>, t: f32) -> Tensor<B, 4> {
    let size = 0.5 / (0.5 / t).tanh();
    let centre = x.clone().detach().floor() + 0.5;
    ((x - centre.clone()) / t).tanh() * size + centre
}
