//! The schedule of a fit.

use super::context::Gradients;
use super::engine::{Engine, Mode, Terms, What};
use super::init::{CHOICES, Colour, initial};
use super::latents::{Curvature, Latents, Quantiser, Step};
use super::search::{CURVATURE, sweep};
use super::shape::{Plane, Shape};
use super::soap::Soap;

/// How to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Steps of gradient descent.
    pub iterations: usize,
    /// Sweeps of the integer search after them.
    pub sweeps: usize,
    /// Initial weights to try; the best of them goes on.
    pub candidates: usize,
    /// Iterations that each of them has for it, if they are several.
    pub warm_up: usize,
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
        // a short fit stays nearer to where it starts
        let share = (iterations as f32 / 1000.0).min(1.0);
        Settings {
            iterations,
            sweeps,
            candidates: if iterations < 10 * WARM_UP.start() {
                1
            } else {
                CHOICES
            },
            warm_up: (iterations / 25).clamp(*WARM_UP.start(), *WARM_UP.end()),
            seed: 1,
            colour: Colour::Gbr,
            latent_rate: [0.22 - 0.06 * (iterations as f32 / 1800.0).min(1.0), 0.005],
            latent_betas: [0.8, 0.8],
            latent_look: 0.2,
            latent_epsilon: 5e-4,
            weight_rate: [0.005 + 0.005 * share, 0.0005],
            hard: 0.1,
            hard_rate: [0.004, 0.0002],
            search_rate: [0.001, 0.0001],
            temperature: [0.4, 0.1],
            noise: [0.25, 0.15],
        }
    }
}

/// Iterations after which fits from different weights can be compared: earlier the order is often
/// another.
const WARM_UP: std::ops::RangeInclusive<usize> = 300..=800;
/// Last share of a warm-up whose mean loss is compared.
const COMPARED: f64 = 0.1;
/// Share of the iterations in which the weight of the rate rises, and the most of them.
const RAMP: f64 = 0.05;
const MOST_RAMP: f64 = 60.0;
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

/// A fitted model. The weights are not quantised yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// For each grid its integers, row by row.
    pub latents: Vec<Vec<i32>>,
    /// The weights in the order of the layout.
    pub params: Vec<f32>,
    /// Distortion of these latents and weights, see [`Terms::distortion`].
    pub distortion: f64,
    /// Bits of these latents, without the weights.
    pub bits: f64,
}

fn cosine([from, to]: [f32; 2], t: f64) -> f32 {
    to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * t.min(1.0)).cos()) as f32
}
fn line([from, to]: [f32; 2], t: f64) -> f32 {
    from + (to - from) * t as f32
}

/// Fits the model to a picture. `planes` are as in [`Engine::new`]; `lambda` is the weight of a bit
/// in the loss `distortion + lambda * bits`.
///
/// `observe` is called after every iteration and sweep. If it returns false, the fit ends: with
/// `None` during the iterations, whose latents are no integers yet or whose weights do not fit
/// them, and with what there is during the integer search.
///
/// # Panics
/// As [`Engine::new`].
pub fn fit(
    shape: &Shape,
    width: usize,
    height: usize,
    planes: &[Plane],
    lambda: f32,
    settings: &Settings,
    observe: &mut dyn FnMut(Progress) -> bool,
) -> Option<Fit> {
    let mut engine = Engine::new(shape, width, height, planes);
    let start = |engine: &Engine, choice: usize| State {
        params: initial(
            shape,
            engine.layout(),
            planes,
            settings.colour,
            (lambda, choice),
            settings.seed,
        ),
        soap: Soap::new(shape, engine.layout()),
        latents: Latents::new(engine, settings.seed),
        step: None,
    };
    let first = start(&engine, 0);
    let mut run = Run {
        engine: &mut engine,
        at: first,
        lambda,
        s: settings,
        done: 0,
    };
    let warm_up = run.choose(&start, observe)?;
    for i in warm_up..settings.iterations {
        run.iterate(i, observe)?;
    }
    let State { latents, step, .. } = &mut run.at;
    latents.pass(run.engine, *step, Quantiser::Hard);
    run.search(observe);
    let params = run.at.params;
    let terms = engine.eval(&params, lambda, What::Both, false);
    Some(Fit {
        latents: (0..shape.grids).map(|l| engine.latents(l)).collect(),
        params,
        distortion: terms.distortion,
        bits: terms.bits,
    })
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
            Some((best, latents, params)) if loss > best * (1.0 + TOLERANCE) => {
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
struct State {
    params: Vec<f32>,
    soap: Soap,
    latents: Latents,
    /// To take along the engine's gradient of the latents.
    step: Option<Step>,
}

struct Run<'a> {
    engine: &'a mut Engine,
    at: State,
    lambda: f32,
    s: &'a Settings,
    /// Iterations and sweeps, those of all candidates.
    done: usize,
}

impl Run<'_> {
    /// Goes on from the weights that are best after a warm-up, of which it returns the iterations;
    /// `None` if the observer ends the fit.
    fn choose(
        &mut self,
        start: &dyn Fn(&Engine, usize) -> State,
        observe: &mut dyn FnMut(Progress) -> bool,
    ) -> Option<usize> {
        let (candidates, warm_up) = (self.s.candidates, self.s.warm_up);
        if candidates < 2 {
            return Some(0);
        }
        let mut best: Option<(f64, State, Vec<f32>)> = None;
        for choice in 0..candidates {
            self.at = start(self.engine, choice);
            let mut sum = 0.0;
            let compared = warm_up - (warm_up as f64 * COMPARED) as usize;
            for i in 0..warm_up {
                let loss = self.iterate(i, observe)?.loss(self.lambda);
                sum += if i >= compared { loss } else { 0.0 };
            }
            if best.as_ref().is_none_or(|(least, ..)| sum < *least) {
                let state = std::mem::replace(&mut self.at, start(self.engine, choice));
                best = Some((sum, state, self.engine.latent_gradients.to_vec()));
            }
        }
        if let Some((_, state, gradients)) = best {
            self.at = state;
            self.engine.latent_gradients.copy_from_slice(&gradients);
        }
        Some(warm_up)
    }

    /// Iteration `i`; `None` if the observer ends the fit.
    fn iterate(&mut self, i: usize, observe: &mut dyn FnMut(Progress) -> bool) -> Option<Terms> {
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
        at.latents.pass(self.engine, at.step, quantiser);
        // a low weight of the rate at first lets detail enter before it is priced
        let ramp = i as f64 / (RAMP * s.iterations as f64).min(MOST_RAMP);
        let ramp = ramp.clamp(0.02, 1.0);
        let lambda = self.lambda * ramp as f32;
        // resting latents need no gradient
        let gradients = match stage {
            Stage::Soft => Gradients::WeightsAndLatents,
            _ => Gradients::Weights,
        };
        let mode = Mode::new(What::Both, gradients);
        let terms = self.engine.run(&at.params, lambda, mode);
        at.step = (stage == Stage::Soft).then(|| Step {
            rate: line(s.latent_rate, t),
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
        at.soap
            .step(&mut at.params, &self.engine.gradients, cosine(range, t));
        self.report(stage, terms, observe).then_some(terms)
    }

    /// Tells the observer of an iteration or sweep; whether to go on.
    fn report(
        &mut self,
        stage: Stage,
        terms: Terms,
        observe: &mut dyn FnMut(Progress) -> bool,
    ) -> bool {
        self.done += 1;
        let s = self.s;
        observe(Progress {
            stage,
            done: self.done,
            of: s.iterations + s.candidates.saturating_sub(1) * s.warm_up + s.sweeps,
            terms,
        })
    }

    /// The integer search.
    fn search(&mut self, observe: &mut dyn FnMut(Progress) -> bool) {
        let (s, lambda) = (self.s, self.lambda);
        let mut curvature = Curvature::new(self.engine, s.seed);
        let (mut best, mut factors) = (Best::default(), [CURVATURE; 3]);
        for i in 0..s.sweeps {
            if i == 0 {
                curvature.probe(self.engine, &self.at.params, PROBES, 0.0);
            } else if i % REPROBE == REPROBE - 1 {
                curvature.probe(self.engine, &self.at.params, MORE_PROBES, KEEP);
            }
            // first the rate with the moves' own bits, then the distortion alone, whose gradient
            // the sweep wants
            let mode = Mode::new(What::Rate, Gradients::Weights);
            let mode = Mode {
                moves: true,
                ..mode
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
            let go_on = self.report(Stage::Search, terms, observe);
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
            let rate = cosine(s.search_rate, i as f64 / s.sweeps as f64);
            self.at
                .soap
                .step(&mut self.at.params, &self.engine.gradients, rate);
        }
        let loss = self
            .engine
            .eval(&self.at.params, lambda, What::Both, false)
            .loss(lambda);
        best.restore(loss, self);
    }
}
