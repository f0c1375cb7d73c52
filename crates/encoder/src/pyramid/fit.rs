//! Fits of pictures.

use super::descent::Descent;
use super::engine::{Engine, What};
use super::init::initial;
use super::latents::Latents;
use super::rehearsal::Rehearsal;
use super::run::{Count, Progress, Run, Settings};
use super::shape::{Layout, Plane, Shape};

/// A fitted model. The weights are not quantised yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// For each grid its integers, row by row.
    pub latents: Vec<Vec<i32>>,
    /// The weights in the order of the layout.
    pub params: Vec<f32>,
    /// Distortion of these latents and weights, see [`Terms::distortion`](super::Terms::distortion).
    pub distortion: f64,
    /// Bits of these latents, without the weights.
    pub bits: f64,
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
    let size = (width, height);
    fit_on(None, shape, size, planes, lambda, settings, observe)
}

/// [`fit`] whose iterations run on `device`, if there is one besides the CPU. The rehearsal and the
/// integer search are the CPU's.
pub(crate) fn fit_on(
    device: Option<Box<dyn Descent>>,
    shape: &Shape,
    size: (usize, usize),
    planes: &[Plane],
    lambda: f32,
    settings: &Settings,
    observe: &mut dyn FnMut(Progress) -> bool,
) -> Option<Fit> {
    let rehearsal = Rehearsal::new(shape, size, planes, settings);
    let steps = settings.iterations + settings.sweeps;
    let mut count = Count {
        done: 0,
        of: steps + rehearsal.as_ref().map_or(0, Rehearsal::iterations),
        observe,
    };
    let (colour, context, seed) = (settings.colour, settings.context, settings.seed);
    let layout = Layout::new(shape);
    let mut params = initial(shape, &layout, planes, colour, context, lambda, seed);
    if let Some(rehearsal) = rehearsal {
        params = rehearsal.run(shape, params, lambda, &mut count)?;
    }
    let mut engine = Engine::new(shape, size.0, size.1, planes);
    let latents = device.unwrap_or_else(|| Box::new(Latents::new(&engine, seed)));
    let mut run = Run::new(&mut engine, latents, params, lambda, settings);
    for i in 0..settings.iterations {
        let (stage, terms) = run.iterate(i);
        count.report(stage, terms)?;
    }
    run.round();
    run.search(&mut count);
    let params = run.into_params();
    Some(finish(engine, params, lambda))
}

/// Goes on from `fit` at another price of a bit, `lambda`, by the integer search alone. If the observer
/// ends it, with what there is.
///
/// # Panics
/// As [`Engine::new`].
pub fn adjust(
    shape: &Shape,
    size: (usize, usize),
    planes: &[Plane],
    lambda: f32,
    settings: &Settings,
    fit: &Fit,
    observe: &mut dyn FnMut(Progress) -> bool,
) -> Fit {
    let mut engine = Engine::with_latents(shape, size, planes, &fit.latents);
    // weights rest: an optimiser without a past would take steps that are too long
    let settings = Settings {
        search_rate: [0.0; 2],
        ..settings.clone()
    };
    let latents = Box::new(Latents::new(&engine, settings.seed));
    let mut run = Run::new(&mut engine, latents, fit.params.clone(), lambda, &settings);
    run.search(&mut Count {
        done: 0,
        of: settings.sweeps,
        observe,
    });
    let params = run.into_params();
    finish(engine, params, lambda)
}

fn finish(mut engine: Engine, params: Vec<f32>, lambda: f32) -> Fit {
    let terms = engine.eval(&params, lambda, What::Both, false);
    Fit {
        latents: (0..engine.shape.grids).map(|l| engine.latents(l)).collect(),
        params,
        distortion: terms.distortion,
        bits: terms.bits,
    }
}
