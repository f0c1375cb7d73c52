//! Context network: the rate of every latent, and its gradient for latents and weights, in one
//! sweep.
//!
//! A segment of samples goes through contexts, two residual layers, mean and scale, Laplace bits
//! and all the way back while it is in the first cache; nothing but the latents' gradient is
//! written out.

use super::buffer::Buffer;
use super::grid::Grid;
use super::laplace::laplace;
use super::product::{MASKED, PLAIN, RELU, fold, fold_rows, outer, product, row_sums};
use super::shape::{ContextStarts, Layout};
use super::simd::{LANES_MAX, SEGMENT, arch, keep, segments, segments_mut, vectors, vectors_mut};
use super::weights::ContextWeights;
use pulp::{Simd, WithSimd};

/// Samples of a task, about.
const TASK: usize = 20_000;

/// What to compute gradients for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gradients {
    Nothing,
    Weights,
    WeightsAndLatents,
}

/// What to compute of the rate.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    /// Weight of a bit in the loss.
    pub(crate) lambda: f32,
    pub(crate) gradients: Gradients,
    /// Also each sample's own bits and their changes for y + 1 and y - 1.
    pub(crate) moves: bool,
}

/// A run of one grid's samples: the unit of parallel work and of reduction.
pub(crate) struct ContextTask {
    pub(crate) grid: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) bits: f64,
    /// First place of `window`.
    pub(crate) low: usize,
    /// Gradient of the latents from `low` on.
    pub(crate) window: Buffer,
    /// The samples' own bits, and their changes for y + 1 and y - 1, from `start` on.
    pub(crate) moves: [Buffer; 3],
    /// Gradients of the weights, in the order of the layout.
    pub(crate) gradients: Vec<f32>,
    distances: Vec<usize>,
    starts: ContextStarts,
}

/// The layers of a segment, and sums of weight gradients.
pub(crate) struct ContextScratch {
    sums: Sums,
    x: Buffer,
    h1: Buffer,
    h2: Buffer,
    g1: Buffer,
    g2: Buffer,
    out: Buffer,
    dout: Buffer,
}

impl ContextScratch {
    /// For `n` contexts.
    pub(crate) fn new(n: usize) -> Self {
        let np = n.next_multiple_of(4);
        let plane = |count: usize| Buffer::new(count * SEGMENT);
        ContextScratch {
            sums: Sums::new(np),
            x: plane(np),
            h1: plane(np),
            h2: plane(np),
            g1: plane(np),
            g2: plane(np),
            out: plane(2),
            dout: plane(2),
        }
    }
}

/// Sums of weight gradients, lane by lane.
struct Sums {
    w1: Buffer,
    w2: Buffer,
    w3: Buffer,
    bypass: Buffer,
    b1: Buffer,
    b2: Buffer,
    b3: Buffer,
}

impl Sums {
    fn new(np: usize) -> Self {
        let sums = |n: usize| Buffer::new(n * LANES_MAX);
        Sums {
            w1: sums(np * np),
            w2: sums(np * np),
            w3: sums(2 * np),
            bypass: sums(2 * np),
            b1: sums(np),
            b2: sums(np),
            b3: sums(2),
        }
    }
    fn clear(&mut self) {
        let Sums {
            w1,
            w2,
            w3,
            bypass,
            b1,
            b2,
            b3,
        } = self;
        for b in [w1, w2, w3, bypass, b1, b2, b3] {
            b.fill(0.0);
        }
    }
}

/// The tasks of all grids.
pub(crate) fn context_tasks(n: usize, layout: &Layout, grids: &[Grid]) -> Vec<ContextTask> {
    let weights = layout.context.bypass + 2 * n;
    let mut tasks = Vec::new();
    for (l, g) in grids.iter().enumerate() {
        let last = g.row(g.h - 1) + g.w;
        let count = (last - g.base).div_ceil(TASK).max(1);
        let step = (last - g.base).div_ceil(count).next_multiple_of(SEGMENT);
        let mut start = g.base;
        while start < last {
            let end = (start + step).min(last);
            let length = (end - start).next_multiple_of(SEGMENT);
            tasks.push(ContextTask {
                grid: l,
                start,
                end,
                bits: 0.0,
                low: start - g.halo(),
                window: Buffer::new(g.halo() + length),
                moves: Default::default(),
                gradients: vec![0.0; weights],
                distances: g.distances(n),
                starts: layout.context,
            });
            start = end;
        }
    }
    tasks
}

impl ContextTask {
    /// Bits of the task's samples and what else `rate` asks for. `y` and `mask` are the arrays of
    /// all grids.
    pub(crate) fn run(
        &mut self,
        s: &mut ContextScratch,
        weights: &ContextWeights,
        y: &[f32],
        mask: &[f32],
        rate: Rate,
    ) {
        if rate.moves && self.moves[0].is_empty() {
            let length = (self.end - self.start).next_multiple_of(SEGMENT);
            self.moves.fill_with(|| Buffer::new(length));
        }
        arch().dispatch(Run {
            task: self,
            s,
            weights,
            y,
            mask,
            rate,
        });
    }
}

struct Run<'a> {
    task: &'a mut ContextTask,
    s: &'a mut ContextScratch,
    weights: &'a ContextWeights,
    y: &'a [f32],
    mask: &'a [f32],
    rate: Rate,
}

impl WithSimd for Run<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Run {
            task,
            s,
            weights,
            y,
            mask,
            rate,
        } = self;
        task.bits = 0.0;
        let gradients = rate.gradients != Gradients::Nothing;
        if gradients {
            s.sums.clear();
            task.window.fill(0.0);
        }
        for at in (task.start..task.end).step_by(SEGMENT) {
            task.forward(simd, s, weights, y, at);
            task.bits += task.price(simd, s, [&y[at..], &mask[at..]], at, rate);
            if gradients {
                task.backward(simd, s, weights, at, rate.gradients);
            }
        }
        if gradients {
            task.collect(simd, s, weights.n);
        }
    }
}

impl ContextTask {
    /// Contexts, hidden layers, mean and scale.
    #[inline(always)]
    fn forward<S: Simd>(
        &self,
        simd: S,
        s: &mut ContextScratch,
        weights: &ContextWeights,
        y: &[f32],
        at: usize,
    ) {
        let x = segments_mut(&mut s.x);
        for (x, d) in x.iter_mut().zip(&self.distances) {
            copy::<S>(&y[at - d..], x);
        }
        let (x, h1, h2) = (&*x, segments_mut(&mut s.h1), segments_mut(&mut s.h2));
        product::<S, 1, RELU>(simd, [(x, &weights.w1)], &[], h1);
        product::<S, 1, RELU>(simd, [(h1, &weights.w2)], &[], h2);
        let out = segments_mut(&mut s.out);
        product::<S, 2, PLAIN>(simd, [(h2, &weights.w3), (x, &weights.bypass)], &[], out);
    }

    /// The bits of a segment, and their derivatives for mean and scale.
    #[inline(always)]
    fn price<S: Simd>(
        &mut self,
        simd: S,
        s: &mut ContextScratch,
        [y, mask]: [&[f32]; 2],
        at: usize,
        rate: Rate,
    ) -> f64 {
        let n = SEGMENT / S::F32_LANES;
        // the last segment must not count samples of the next task
        let mut live = [0.0; SEGMENT];
        copy::<S>(mask, &mut live);
        if self.end - at < SEGMENT {
            live[self.end - at..].fill(0.0);
        }
        let (y, live) = (vectors::<S>(y, n), vectors::<S>(&live, n));
        let (mu, o) = s.out.split_at(SEGMENT);
        let (mu, o) = (vectors::<S>(mu, n), vectors::<S>(o, n));
        let (dmu, do_) = s.dout.split_at_mut(SEGMENT);
        let (dmu, do_) = (vectors_mut::<S>(dmu, n), vectors_mut::<S>(do_, n));
        let own = vectors_mut::<S>(&mut self.window[at - self.low..], n);
        let lambda = simd.splat_f32s(rate.lambda);
        let mut total = simd.splat_f32s(0.0);
        for v in 0..n {
            let (bits, dm, ds) = laplace(simd, y[v], mu[v], o[v]);
            total = simd.add_f32s(total, keep(simd, bits, live[v]));
            dmu[v] = keep(simd, simd.mul_f32s(dm, lambda), live[v]);
            do_[v] = keep(simd, simd.mul_f32s(ds, lambda), live[v]);
            if rate.gradients == Gradients::WeightsAndLatents {
                // the sample's own value enters as y - mu
                own[v] = simd.sub_f32s(own[v], dmu[v]);
            }
        }
        if rate.moves {
            let one = simd.splat_f32s(1.0);
            let [now, up, down] = &mut self.moves;
            let now = vectors_mut::<S>(&mut now[at - self.start..], n);
            let up = vectors_mut::<S>(&mut up[at - self.start..], n);
            let down = vectors_mut::<S>(&mut down[at - self.start..], n);
            for v in 0..n {
                now[v] = laplace(simd, y[v], mu[v], o[v]).0;
                let above = laplace(simd, simd.add_f32s(y[v], one), mu[v], o[v]).0;
                let below = laplace(simd, simd.sub_f32s(y[v], one), mu[v], o[v]).0;
                up[v] = simd.sub_f32s(above, now[v]);
                down[v] = simd.sub_f32s(below, now[v]);
            }
        }
        f64::from(simd.reduce_sum_f32s(total))
    }

    /// Gradients of weights and contexts.
    #[inline(always)]
    fn backward<S: Simd>(
        &mut self,
        simd: S,
        s: &mut ContextScratch,
        weights: &ContextWeights,
        at: usize,
        gradients: Gradients,
    ) {
        let (x, h1, h2) = (segments(&s.x), segments(&s.h1), segments(&s.h2));
        let (g1, g2) = (segments_mut(&mut s.g1), segments_mut(&mut s.g2));
        let (dout, sums) = (segments(&s.dout), &mut s.sums);
        outer(simd, dout, h2, &mut sums.w3);
        outer(simd, dout, x, &mut sums.bypass);
        row_sums(simd, dout, &mut sums.b3);
        product::<S, 1, MASKED>(simd, [(dout, &weights.w3t)], h2, g2);
        outer(simd, g2, h1, &mut sums.w2);
        row_sums(simd, g2, &mut sums.b2);
        product::<S, 1, MASKED>(simd, [(g2, &weights.w2t)], h1, g1);
        outer(simd, g1, x, &mut sums.w1);
        row_sums(simd, g1, &mut sums.b1);
        if gradients != Gradients::WeightsAndLatents {
            return;
        }
        let parts = [(dout, &weights.bypass_t), (&*g1, &weights.w1t)];
        product::<S, 2, PLAIN>(simd, parts, &[], g2);
        let n = SEGMENT / S::F32_LANES;
        for (g, d) in g2.iter().zip(&self.distances) {
            let to = vectors_mut::<S>(&mut self.window[at - self.low - d..], n);
            for (to, g) in to.iter_mut().zip(vectors::<S>(g, n)) {
                *to = simd.add_f32s(*to, *g);
            }
        }
    }

    /// Adds the lanes of all sums.
    #[inline(always)]
    fn collect<S: Simd>(&mut self, simd: S, s: &ContextScratch, n: usize) {
        let (np, to, s) = (n.next_multiple_of(4), &mut self.gradients, &s.sums);
        let ContextStarts {
            w1,
            b1,
            w2,
            b2,
            w3,
            b3,
            bypass,
        } = self.starts;
        let mut square = vec![0.0; np * n];
        fold(simd, &s.w1, np, np, &mut square);
        to[w1..][..n * n].copy_from_slice(&square[..n * n]);
        fold(simd, &s.w2, np, np, &mut square);
        to[w2..][..n * n].copy_from_slice(&square[..n * n]);
        fold(simd, &s.w3, 2, np, &mut to[w3..][..2 * n]);
        fold(simd, &s.bypass, 2, np, &mut to[bypass..][..2 * n]);
        fold_rows(simd, &s.b1, &mut to[b1..][..n]);
        fold_rows(simd, &s.b2, &mut to[b2..][..n]);
        fold_rows(simd, &s.b3, &mut to[b3..][..2]);
    }
}

/// Copies the first segment of `from`, vector by vector: shorter than a call.
#[inline(always)]
fn copy<S: Simd>(from: &[f32], to: &mut [f32; SEGMENT]) {
    let n = SEGMENT / S::F32_LANES;
    for (to, from) in vectors_mut::<S>(to, n)
        .iter_mut()
        .zip(vectors::<S>(from, n))
    {
        *to = *from;
    }
}

impl ContextTask {
    /// Adds the part of the window that meets the places from `first` on.
    pub(crate) fn add_window(&self, first: usize, to: &mut [f32]) {
        let (start, end) = (
            self.low.max(first),
            (self.low + self.window.len()).min(first + to.len()),
        );
        if start < end {
            let from = &self.window[start - self.low..end - self.low];
            to[start - first..end - first]
                .iter_mut()
                .zip(from)
                .for_each(|(to, g)| *to += g);
        }
    }
}
