//! What an iteration of a fit asks of the machine it runs on.

use super::context::Gradients;
use super::engine::{Engine, Mode, Terms, What};
use super::latents::{Latents, Quantiser, Step};

/// An iteration.
#[derive(Clone, Copy)]
pub(crate) struct Iteration {
    /// Of the latents along the gradient of the last iteration, if there is one to take.
    pub(crate) step: Option<Step>,
    /// What the networks see of the latents after that.
    pub(crate) quantiser: Quantiser,
    /// Weight of a bit in the loss.
    pub(crate) lambda: f32,
    pub(crate) gradients: Gradients,
}

/// Where the latents are while they are real numbers, and what evaluates the loss meanwhile.
pub(crate) trait Descent: Send {
    /// Moves the latents and evaluates the loss for weights `params`, whose gradient is left in the
    /// engine.
    fn iterate(&mut self, engine: &mut Engine, params: &[f32], iteration: Iteration) -> Terms;
    /// Moves the latents, rounds them and leaves them in the engine.
    fn round(&mut self, engine: &mut Engine, step: Option<Step>);
}

/// The engine itself.
impl Descent for Latents {
    fn iterate(&mut self, engine: &mut Engine, params: &[f32], iteration: Iteration) -> Terms {
        self.pass(engine, iteration.step, iteration.quantiser);
        let mode = Mode::new(What::Both, iteration.gradients);
        engine.run(params, iteration.lambda, mode)
    }
    fn round(&mut self, engine: &mut Engine, step: Option<Step>) {
        self.pass(engine, step, Quantiser::Hard);
    }
}
