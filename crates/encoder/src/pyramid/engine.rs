//! One evaluation of distortion, rate and gradients.
//!
//! The coarse part of the upsampling chain; then the rate's tasks and the heads' strips in one
//! parallel loop; the 3x3 layers and the heads' way back; the chain backwards; reductions in fixed
//! order.

use super::buffer::Buffer;
use super::chain::Chain;
use super::context::{ContextScratch, ContextTask, Gradients, Rate, context_tasks};
use super::grid::{Grid, grids};
use super::picture::Picture;
use super::pool::Pool;
use super::residual::{self, Residual, ResidualScratch, ResidualStrip, residual_strips};
use super::shape::{Layout, Plane, Shape};
use super::synthesis::{self, HeadScratch, HeadStrip, Inputs, head_strips};
use super::weights::{ContextWeights, HeadWeights};
use rayon::prelude::*;

/// Which terms of the loss to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The latents' bits.
    Rate,
    /// The planes' error.
    Distortion,
    /// All of the loss.
    Both,
}

/// Terms of the loss `distortion + lambda * bits`; those not evaluated are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// `width * height * sum over planes of weight * mean squared error`, samples in 0..1; with
    /// alpha that on black and on white, half each.
    pub distortion: f64,
    /// Ideal code length of the latents.
    pub bits: f64,
}

impl Terms {
    /// `distortion + lambda * bits`
    pub fn loss(&self, lambda: f32) -> f64 {
        self.distortion + f64::from(lambda) * self.bits
    }
}

/// The details of an evaluation.
#[derive(Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) what: What,
    pub(crate) gradients: Gradients,
    /// See [`Rate::moves`].
    pub(crate) moves: bool,
    /// See [`residual::Task::probe`].
    pub(crate) probe: Option<u64>,
}

impl Mode {
    pub(crate) fn new(what: What, gradients: Gradients) -> Self {
        Mode {
            what,
            gradients,
            moves: false,
            probe: None,
        }
    }
}

/// A head's planes at the stages between which strips exchange rows.
pub(crate) struct HeadPlanes {
    target: Picture,
    /// Before the 3x3 layers.
    input: Picture,
    /// Gradient of `input`, or the finished planes.
    pub(crate) out: Picture,
    /// Weight of each plane's summed squared error.
    scales: Vec<f32>,
    /// Whether the last plane is alpha.
    alpha: bool,
}

/// Scratch memory of a head's strips.
struct Scratch {
    head: Pool<HeadScratch>,
    residual: Pool<ResidualScratch>,
}

/// The model and the picture it is fitted to, with the latents and all that an evaluation needs.
pub struct Engine {
    pub(crate) shape: Shape,
    pub(crate) layout: Layout,
    pub(crate) grids: Vec<Grid>,
    pub(crate) mask: Buffer,
    /// The latents as the networks see them, all grids.
    pub(crate) latents: Buffer,
    pub(crate) latent_gradients: Buffer,
    pub(crate) gradients: Vec<f32>,
    chain: Chain,
    pub(crate) heads: Vec<HeadPlanes>,
    pub(crate) tasks: Vec<ContextTask>,
    context_scratch: Pool<ContextScratch>,
    scratch: Vec<Scratch>,
    head_strips: Vec<HeadStrip>,
    residual_strips: Vec<ResidualStrip>,
}

enum Job<'a> {
    Context(&'a mut ContextTask),
    Head(&'a mut HeadStrip, &'a mut [f32]),
}

impl Engine {
    /// An engine with all latents at zero. `planes` are those of all heads in turn; `width` and
    /// `height` are the size of the finest grid.
    ///
    /// # Panics
    /// If the shape is not valid, or a plane is not of the size of its head's grid.
    pub fn new(shape: &Shape, width: usize, height: usize, planes: &[Plane]) -> Self {
        assert!(shape.is_valid() && width > 0 && height > 0, "no such model");
        let layout = Layout::new(shape);
        let (grids, mask) = grids(width, height, shape.grids);
        let half = grids.get(1).map_or((1, 1), |g| (g.w, g.h));
        let mut rest = planes.iter();
        let (mut heads, mut strips, mut residuals) = (Vec::new(), Vec::new(), Vec::new());
        for (i, head) in shape.heads.iter().enumerate() {
            let (w, h) = (grids[head.level].w, grids[head.level].h);
            let mut target = Picture::new(w, h, head.planes);
            let (mut scales, mut alpha) = (Vec::new(), false);
            for (c, plane) in rest.by_ref().take(head.planes).enumerate() {
                assert!(
                    (plane.width, plane.height) == (w, h) && plane.samples.len() == w * h,
                    "a plane of another size than its head"
                );
                for (y, row) in plane.samples.chunks(w).enumerate() {
                    let at = target.at(c, y);
                    target.data[at..at + w].copy_from_slice(row);
                }
                scales.push(plane.weight * (width * height) as f32 / (w * h) as f32);
                alpha = plane.alpha;
            }
            assert!(scales.len() == head.planes, "a plane is missing");
            let new = || Picture::new(w, h, head.planes);
            strips.extend(head_strips(shape, i, (w, h), half));
            residuals.extend(residual_strips(i, &target));
            heads.push(HeadPlanes {
                input: new(),
                out: new(),
                target,
                scales,
                alpha,
            });
        }
        Engine {
            latents: Buffer::new(mask.len()),
            latent_gradients: Buffer::new(mask.len()),
            gradients: vec![0.0; layout.total()],
            chain: Chain::new(&grids),
            context_scratch: Pool::new(),
            scratch: shape
                .heads
                .iter()
                .map(|_| Scratch {
                    head: Pool::new(),
                    residual: Pool::new(),
                })
                .collect(),
            tasks: context_tasks(shape.contexts, &layout, &grids),
            head_strips: strips,
            residual_strips: residuals,
            shape: shape.clone(),
            layout,
            grids,
            mask,
            heads,
        }
    }
    /// The loss at the present latents for weights `params`, and its gradients if wanted.
    pub fn eval(&mut self, params: &[f32], lambda: f32, what: What, gradients: bool) -> Terms {
        let gradients = if gradients {
            Gradients::WeightsAndLatents
        } else {
            Gradients::Nothing
        };
        self.run(params, lambda, Mode::new(what, gradients))
    }

    pub(crate) fn run(&mut self, params: &[f32], lambda: f32, mode: Mode) -> Terms {
        let rate = mode.what != What::Distortion;
        let distortion = mode.what != What::Rate;
        let (shape, layout) = (&self.shape, &self.layout);
        let context = ContextWeights::new(shape.contexts, layout, params);
        let weights: Vec<(HeadWeights, Residual)> = shape
            .heads
            .iter()
            .enumerate()
            .map(|(i, h)| {
                let residual = Residual::new(i, h.planes, layout, params);
                (HeadWeights::new(shape, i, layout, params), residual)
            })
            .collect();
        if distortion {
            self.chain
                .forward(layout, params, &self.grids, &self.latents);
        }
        self.first_pass(&context, &weights, lambda, mode);
        let mut terms = Terms::default();
        if distortion {
            self.second_pass(&weights, mode);
            terms.distortion = self.residual_strips.iter().map(|s| s.distortion).sum();
        }
        if rate {
            terms.bits = self.tasks.iter().map(|t| t.bits).sum();
        }
        if mode.gradients != Gradients::Nothing {
            self.reduce(params, rate, distortion);
        }
        if mode.gradients == Gradients::WeightsAndLatents {
            self.reduce_latents(rate, distortion);
        }
        terms
    }

    /// All of the rate, and the heads up to the 3x3 layers.
    fn first_pass(
        &mut self,
        context: &ContextWeights,
        weights: &[(HeadWeights, Residual)],
        lambda: f32,
        mode: Mode,
    ) {
        let (latents, mask) = (&*self.latents, &*self.mask);
        let inputs = Inputs {
            latents,
            grid: &self.grids[0],
            half: self.chain.half(),
        };
        let rate = Rate {
            lambda,
            gradients: mode.gradients,
            moves: mode.moves,
        };
        let (shape, half) = (&self.shape, inputs.half.w);
        let mut jobs: Vec<Job> = Vec::new();
        if mode.what != What::Distortion {
            jobs.extend(self.tasks.iter_mut().map(Job::Context));
        }
        if mode.what != What::Rate {
            let mut strips = self.head_strips.iter_mut();
            for head in &mut self.heads {
                let rows = synthesis::STRIP * head.input.planes * head.input.stride;
                let chunks = head.input.data.chunks_mut(rows);
                jobs.extend(chunks.zip(strips.by_ref()).map(|(to, s)| Job::Head(s, to)));
            }
        }
        jobs.into_par_iter()
            .with_max_len(1)
            .for_each(|job| match job {
                Job::Context(task) => self.context_scratch.with(
                    || ContextScratch::new(shape.contexts),
                    |s| task.run(s, context, latents, mask, rate),
                ),
                Job::Head(strip, to) => self.scratch[strip.head].head.with(
                    || HeadScratch::new(shape, strip.head, strip.w, half),
                    |s| strip.forward(s, &weights[strip.head].0, inputs, to),
                ),
            });
    }

    /// The 3x3 layers, the error and all of its way back to the grids and level 1.
    fn second_pass(&mut self, weights: &[(HeadWeights, Residual)], mode: Mode) {
        let (latents, half) = (&*self.latents, self.chain.half());
        let inputs = Inputs {
            latents,
            grid: &self.grids[0],
            half,
        };
        let (shape, scratch) = (&self.shape, &self.scratch);
        let mut jobs = Vec::new();
        let (mut residuals, mut strips) =
            (&mut self.residual_strips[..], &mut self.head_strips[..]);
        for (head, weights) in self.heads.iter_mut().zip(weights) {
            let HeadPlanes {
                target,
                input,
                out,
                scales,
                alpha,
            } = head;
            let task = residual::Task {
                weights: &weights.1,
                input,
                target,
                scales,
                alpha: *alpha,
                gradients: mode.gradients != Gradients::Nothing,
                probe: mode.probe,
            };
            let h = target.h;
            let (own, rest) = residuals.split_at_mut(h.div_ceil(residual::STRIP));
            let (heads, others) = strips.split_at_mut(h.div_ceil(synthesis::STRIP));
            (residuals, strips) = (rest, others);
            let rows = out.planes * out.stride;
            let chunks = out.data.chunks_mut(residual::STRIP * rows);
            let heads = heads.chunks_mut(residual::STRIP / synthesis::STRIP);
            let own = own.iter_mut().zip(heads).zip(chunks);
            jobs.extend(own.map(|((own, heads), to)| (own, task, to, heads, &weights.0, rows)));
        }
        jobs.into_par_iter()
            .with_max_len(1)
            .for_each(|(own, task, to, heads, weights, rows)| {
                let (head, input) = (own.head, task.input);
                let scratch = &scratch[head];
                scratch.residual.with(
                    || ResidualScratch::new(input.w, input.planes),
                    |s| own.run(s, task, to),
                );
                if task.gradients {
                    // while the rows are in the cache
                    for (strip, g) in heads.iter_mut().zip(to.chunks(synthesis::STRIP * rows)) {
                        scratch.head.with(
                            || HeadScratch::new(shape, head, input.w, half.w),
                            |s| strip.backward(s, weights, inputs, g),
                        );
                    }
                }
            });
    }

    /// Collects the gradients of all tasks.
    fn reduce(&mut self, params: &[f32], rate: bool, distortion: bool) {
        let layout = &self.layout;
        self.gradients.fill(0.0);
        if distortion {
            for strip in &self.head_strips {
                let at = layout.heads[strip.head];
                strip.add_gradients(at, layout.up, &mut self.gradients);
            }
            for strip in &self.residual_strips {
                strip.add_gradients(layout.heads[strip.head], &mut self.gradients);
            }
            self.chain
                .backward(layout, params, &self.head_strips, &mut self.gradients);
        }
        if rate {
            for task in &self.tasks {
                let to = self.gradients.iter_mut().zip(&task.gradients);
                to.for_each(|(to, g)| *to += g);
            }
        }
    }

    fn reduce_latents(&mut self, rate: bool, distortion: bool) {
        const ROWS: usize = 16;
        let (chain, strips, tasks) = (&self.chain, &self.head_strips, &self.tasks);
        let mut jobs = Vec::new();
        let mut rest = &mut self.latent_gradients[..];
        for (l, g) in self.grids.iter().enumerate() {
            let (part, after) = rest.split_at_mut(g.end - g.start);
            rest = after;
            let samples = &mut part[g.base - g.start..][..g.h * g.stride];
            let chunks = samples.chunks_mut(ROWS * g.stride).enumerate();
            jobs.extend(chunks.map(|(i, to)| (l, g, i * ROWS, to)));
        }
        jobs.into_par_iter()
            .with_min_len(2)
            .for_each(|(l, g, y0, to)| {
                for (y, to) in to.chunks_mut(g.stride).enumerate() {
                    let row = &mut to[..g.w];
                    match l {
                        _ if !distortion => row.fill(0.0),
                        0 => {
                            row.fill(0.0);
                            strips.iter().for_each(|s| s.add_own(y0 + y, row));
                        }
                        _ => row.copy_from_slice(&chain.gradient(l).row(0, y0 + y)[..g.w]),
                    }
                    to[g.w..].fill(0.0);
                }
                if rate {
                    let first = g.row(y0);
                    tasks
                        .iter()
                        .filter(|t| t.grid == l)
                        .for_each(|t| t.add_window(first, to));
                }
            });
    }
}
