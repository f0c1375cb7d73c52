//! A fit under way: its schedule, its iterations, and the integer search.

use super::context::Gradients;
use super::descent::{Descent, Iteration};
use super::engine::{Engine, Mode, Terms, What};
use super::init::{Colour, Context};
use super::latents::{Curvature, Quantiser, Step};
use super::search::{CURVATURE, sweep};
use super::soap::Soap;

/// How to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Steps of gradient descent.
    pub iterations: usize,
    /// Sweeps of the integer search after them.
    pub sweeps: usize,
    /// Iterations in which the weights are first fitted to a sample of the picture, if it is large
    /// enough to have one; 0: none.
    pub rehearsal: usize,
    /// What the context network starts from.
    pub context: Context,
    /// Of initial weights and noise.
    pub seed: u64,
    /// What the planes are.
    pub colour: Colour,
    /// Learning rate of the latents at the start and at the end, in integer units.
    pub latent_rate: [f32; 2],
    /// Decay of the latents' first and second moments.
    pub latent_betas: [f32; 2],
    /// Share of the gradient beside its mean in a step of the latents.
    pub latent_look: f32,
    /// Added to the roots of the latents' second moments, in loss per integer unit.
    pub latent_epsilon: f32,
    /// Learning rate of the weights at the start and at the end.
    pub weight_rate: [f32; 2],
    /// Share of the iterations, the last, in which latents are rounded and rest.
    pub hard: f64,
    /// Learning rate of the weights at the start and at the end of those.
    pub hard_rate: [f32; 2],
    /// Learning rate of the weights at the start and at the end of the integer search: the weights
    /// are nearly settled, and a restart at a higher rate undoes more than the moves gain.
    pub search_rate: [f32; 2],
    /// Softround's temperature at the start and at the end.
    pub temperature: [f32; 2],
    /// Deviation of the noise at the start and at the end.
    pub noise: [f32; 2],
}

impl Settings {
    /// The recipe, for any number of iterations.
    pub fn new(iterations: usize, sweeps: usize) -> Self {
        let thousands = iterations as f32 / 1000.0;
        // a short fit stays nearer to where it starts
        let share = thousands.min(1.0);
        // weights of a very short one are far from settled
        let left = 1.0 - (thousands / 0.8).min(1.0);
        let settled = |short: f32, long: f32| long + (short - long) * left;
        // long fits would come to rest between integers
        let colder = 0.01 * (thousands - 1.0).clamp(0.0, 1.0);
        // the more iterations, the longer a step's size remembers
        let forget = (HORIZON / thousands.max(0.1).powi(2)).clamp(*FORGET.start(), *FORGET.end());
        Settings {
            iterations,
            sweeps,
            rehearsal: if REHEARSED.contains(&iterations) {
                REHEARSAL
            } else {
                0
            },
            context: if iterations < REHEARSED.end {
                Context::Trained
            } else {
                Context::New
            },
            seed: 1,
            colour: Colour::Gbr,
            latent_rate: [0.22 - 0.06 * (thousands / 1.8).min(1.0), 0.0002],
            latent_betas: [0.8, 1.0 - forget],
            latent_look: 0.2,
            latent_epsilon: 5e-4,
            weight_rate: [0.005 + 0.005 * share, 0.00001],
            hard: 0.1,
            hard_rate: [settled(0.004, 0.001), 0.0002],
            search_rate: [settled(0.001, 0.0002), settled(0.0001, 0.00002)],
            temperature: [0.4, settled(0.1, 0.05) - colder],
            noise: [0.25, 0.15],
        }
    }
}

/// Iterations of a rehearsal, and of fits that gain by one: shorter ones have no time for it, and
/// longer ones learn as much from the picture itself.
const REHEARSAL: usize = 800;
const REHEARSED: std::ops::Range<usize> = 1000..2500;
/// What the latents' second moments forget in an iteration, in a fit of a thousand, and its range.
const HORIZON: f32 = 0.1;
const FORGET: std::ops::RangeInclusive<f32> = 0.001..=0.2;
/// Share of the iterations in which the weights' rate rises, and the most of them: steep gradients of
/// latents that are still zero would undo what the weights start from.
const CALM: f64 = 0.083;
const MOST_CALM: f64 = 100.0;
/// Probes of the curvature at the start of the integer search, and every [`REPROBE`] sweeps.
const PROBES: usize = 12;
const MORE_PROBES: usize = 4;
const REPROBE: usize = 16;
/// Share of the old curvature that a later probe keeps.
const KEEP: f32 = 0.8;

/// Part of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Latents and weights move.
    Soft,
    /// Latents are rounded and rest, weights move.
    Hard,
    /// Latents move by integers.
    Search,
}

/// Where a fit stands.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The present part.
    pub stage: Stage,
    /// Iterations and sweeps done.
    pub done: usize,
    /// Iterations and sweeps in all.
    pub of: usize,
    /// Terms of the loss; with noise on the latents in the first part.
    pub terms: Terms,
}

fn cosine([from, to]: [f32; 2], t: f64) -> f32 {
    to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * t.min(1.0)).cos()) as f32
}
fn line([from, to]: [f32; 2], t: f64) -> f32 {
    from + (to - from) * t as f32
}

/// The best state of the integer search so far.
#[derive(Default)]
struct Best(Option<(f64, Vec<f32>, Vec<f32>)>);

/// Rise of the loss, relative, that is left to the sweeps that follow.
const TOLERANCE: f64 = 2e-4;

impl Best {
    /// Goes back to the best state if the one of `run`, of loss `loss`, is worse.
    fn restore(&mut self, loss: f64, run: &mut Run<'_>) -> bool {
        match &self.0 {
            Some((best, latents, params)) if loss.is_nan() || loss > best * (1.0 + TOLERANCE) => {
                run.engine.latents.copy_from_slice(latents);
                run.at.params.clone_from(params);
                true
            }
            Some((best, ..)) if loss >= *best => false,
            _ => {
                self.0 = Some((loss, run.engine.latents.to_vec(), run.at.params.clone()));
                false
            }
        }
    }
}

/// What the iterations change.
struct State<'a> {
    params: Vec<f32>,
    soap: Soap,
    latents: Box<dyn Descent + 'a>,
    /// To take along the engine's gradient of the latents.
    step: Option<Step>,
}

/// What the observer is told.
pub(super) struct Count<'a> {
    pub(super) done: usize,
    pub(super) of: usize,
    pub(super) observe: &'a mut dyn FnMut(Progress) -> bool,
}

impl Count<'_> {
    /// Tells of an iteration or sweep; `None` if the fit shall end.
    pub(super) fn report(&mut self, stage: Stage, terms: Terms) -> Option<()> {
        self.done += 1;
        let (done, of) = (self.done, self.of);
        let progress = Progress {
            stage,
            done,
            of,
            terms,
        };
        (self.observe)(progress).then_some(())
    }
}

/// A fit under way.
pub(super) struct Run<'a> {
    engine: &'a mut Engine,
    at: State<'a>,
    lambda: f32,
    s: &'a Settings,
}

impl<'a> Run<'a> {
    /// From weights `params` and the latents that are there.
    pub(super) fn new(
        engine: &'a mut Engine,
        latents: Box<dyn Descent + 'a>,
        params: Vec<f32>,
        lambda: f32,
        s: &'a Settings,
    ) -> Self {
        let at = State {
            params,
            soap: Soap::new(&engine.shape, engine.layout()),
            latents,
            step: None,
        };
        Run {
            engine,
            at,
            lambda,
            s,
        }
    }

    /// Rounds the latents where they are.
    pub(super) fn round(&mut self) {
        let State { latents, step, .. } = &mut self.at;
        latents.round(self.engine, *step);
    }

    /// The weights as they are.
    pub(super) fn into_params(self) -> Vec<f32> {
        self.at.params
    }

    /// Iteration `i`.
    pub(super) fn iterate(&mut self, i: usize) -> (Stage, Terms) {
        let s = self.s;
        let hard = (s.hard * s.iterations as f64) as usize;
        let soft = s.iterations - hard;
        let (stage, t) = if i < soft {
            (Stage::Soft, i as f64 / soft as f64)
        } else {
            (Stage::Hard, (i - soft) as f64 / hard as f64)
        };
        let quantiser = match stage {
            Stage::Soft => Quantiser::Noisy {
                temperature: line(s.temperature, t),
                noise: line(s.noise, t),
            },
            _ => Quantiser::Hard,
        };
        let at = &mut self.at;
        let iteration = Iteration {
            step: at.step,
            quantiser,
            lambda: self.lambda,
            // resting latents need no gradient
            gradients: match stage {
                Stage::Soft => Gradients::WeightsAndLatents,
                _ => Gradients::Weights,
            },
        };
        let terms = at.latents.iterate(self.engine, &at.params, iteration);
        at.step = (stage == Stage::Soft).then(|| Step {
            rate: cosine(s.latent_rate, t),
            beta1: s.latent_betas[0],
            beta2: s.latent_betas[1],
            look: s.latent_look,
            epsilon: s.latent_epsilon,
            t: i + 1,
        });
        let range = if stage == Stage::Soft {
            s.weight_rate
        } else {
            s.hard_rate
        };
        let calm = (CALM * s.iterations as f64).min(MOST_CALM);
        let rise = ((i as f64 / calm) as f32).min(1.0);
        at.soap.step(
            &mut at.params,
            &self.engine.gradients,
            rise * cosine(range, t),
        );
        (stage, terms)
    }

    /// The integer search.
    pub(super) fn search(&mut self, count: &mut Count<'_>) {
        let (s, lambda) = (self.s, self.lambda);
        let mut curvature = Curvature::new(self.engine, s.seed);
        let (mut best, mut factors) = (Best::default(), [CURVATURE; 3]);
        let learns = s.search_rate != [0.0; 2];
        for i in 0..s.sweeps {
            if i == 0 {
                curvature.probe(self.engine, &self.at.params, PROBES, 0.0);
            } else if i % REPROBE == REPROBE - 1 {
                curvature.probe(self.engine, &self.at.params, MORE_PROBES, KEEP);
            }
            // first the rate with the moves' own bits, then the distortion alone, whose gradient
            // the sweep wants
            let wanted = if learns {
                Gradients::Weights
            } else {
                Gradients::Nothing
            };
            let mode = Mode {
                moves: true,
                ..Mode::new(What::Rate, wanted)
            };
            let mut terms = self.engine.run(&self.at.params, lambda, mode);
            let rate_gradients = self.engine.gradients.clone();
            let distortion = self
                .engine
                .eval(&self.at.params, lambda, What::Distortion, true);
            terms.distortion = distortion.distortion;
            let both = self.engine.gradients.iter_mut().zip(rate_gradients);
            both.for_each(|(g, r)| *g += r);
            let loss = terms.loss(lambda);
            let go_on = count.report(Stage::Search, terms).is_some();
            if best.restore(loss, self) {
                // moves of a sweep that correct the same error were too many
                factors[(i + 2) % 3] *= 1.5;
                if go_on { continue } else { return }
            }
            if !go_on {
                return;
            }
            sweep(
                self.engine,
                &self.at.params,
                lambda,
                &curvature.smooth,
                factors[i % 3],
                i % 12,
            );
            if learns {
                let rate = cosine(s.search_rate, i as f64 / s.sweeps as f64);
                self.at
                    .soap
                    .step(&mut self.at.params, &self.engine.gradients, rate);
            }
        }
        let loss = self
            .engine
            .eval(&self.at.params, lambda, What::Both, false)
            .loss(lambda);
        best.restore(loss, self);
    }
}
