//! Integer search with exact local rates.
//!
//! A move y -> y +- 1 changes the distortion by `g d + h d^2 / 2` (gradient and Gauss-Newton
//! diagonal from the engine) and the rate of the sample itself and of every sample that has it in
//! its context. The latter are computed exactly: linear forecasts are far too optimistic around
//! zero.

use super::buffer::{Buffer, LINE};
use super::engine::Engine;
use super::grid::{Grid, REACH};
use super::laplace::laplace;
use super::shape::Layout;
use super::simd::{arch, vectors, vectors_mut};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Most contexts, and room for a sample with all that depend on it.
const MOST: usize = 32;
const ROOM: usize = 48;
/// Rows of a band: twice the reach of contexts, so that bands of one round never meet.
const BAND: usize = 2 * REACH;
/// Factor of the curvature: moves of one sweep overlap.
pub(crate) const CURVATURE: f32 = 1.2;
/// Moves are tried if their own forecast is below this many bits.
const MARGIN: f32 = 6.0;

/// The context network for single samples: rows of weights by input, padded to whole vectors.
struct Single {
    /// Width of a padded row.
    width: usize,
    w1: Buffer,
    w2: Buffer,
    b1: Buffer,
    b2: Buffer,
    w3: Buffer,
    bypass: Buffer,
    b3: [f32; 2],
}

impl Single {
    fn new(n: usize, layout: &Layout, p: &[f32]) -> Self {
        let (c, width) = (layout.context, n.next_multiple_of(LINE));
        let rows = |count: usize, value: &dyn Fn(usize, usize) -> f32| {
            let mut b = Buffer::new(count * width);
            for (i, row) in b.chunks_mut(width).enumerate() {
                for (j, to) in row.iter_mut().enumerate().take(n) {
                    *to = value(i, j);
                }
            }
            b
        };
        let square = |start: usize| {
            rows(n, &|i, j| {
                p[start + j * n + i] + if i == j { 1.0 } else { 0.0 }
            })
        };
        Single {
            width,
            w1: square(c.w1),
            w2: square(c.w2),
            b1: rows(1, &|_, j| p[c.b1 + j]),
            b2: rows(1, &|_, j| p[c.b2 + j]),
            w3: rows(2, &|i, j| p[c.w3 + i * n + j]),
            bypass: rows(2, &|i, j| p[c.bypass + i * n + j]),
            b3: [p[c.b3], p[c.b3 + 1]],
        }
    }
    /// Mean and scale of the sample at `q`.
    #[inline(always)]
    fn parameters<S: Simd>(&self, simd: S, y: &[f32], q: usize, distances: &[usize]) -> [f32; 2] {
        let mut c = [0.0; MOST];
        for (c, d) in c.iter_mut().zip(distances) {
            *c = y[q - d];
        }
        let h1 = self.layer(simd, &self.w1, &self.b1, &c);
        let h2 = self.layer(simd, &self.w2, &self.b2, &h1);
        let n = self.width / S::F32_LANES;
        let (h, c) = (vectors::<S>(&h2, n), vectors::<S>(&c, n));
        let mut result = self.b3;
        for (k, result) in result.iter_mut().enumerate() {
            let w = vectors::<S>(&self.w3[k * self.width..], n);
            let b = vectors::<S>(&self.bypass[k * self.width..], n);
            let mut sum = simd.splat_f32s(0.0);
            for v in 0..n {
                sum = simd.mul_add_e_f32s(h[v], w[v], sum);
                sum = simd.mul_add_e_f32s(c[v], b[v], sum);
            }
            *result += simd.reduce_sum_f32s(sum);
        }
        result
    }
    #[inline(always)]
    fn layer<S: Simd>(&self, simd: S, w: &[f32], bias: &[f32], x: &[f32; MOST]) -> [f32; MOST] {
        let mut h = [0.0; MOST];
        let n = self.width / S::F32_LANES;
        let (bias, to) = (vectors::<S>(bias, n), vectors_mut::<S>(&mut h, n));
        let zero = simd.splat_f32s(0.0);
        for v in 0..n {
            // two chains hide the latency
            let mut sums = [bias[v], zero];
            for (i, (w, x)) in w.chunks_exact(self.width).zip(x).enumerate() {
                let w = S::as_simd_f32s(w).0[v];
                sums[i % 2] = simd.mul_add_e_f32s(simd.splat_f32s(*x), w, sums[i % 2]);
            }
            to[v] = simd.max_f32s(simd.add_f32s(sums[0], sums[1]), zero);
        }
        h
    }
}

/// Tried and taken moves of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Count {
    pub(crate) tried: usize,
    pub(crate) taken: usize,
    /// Sum of the taken moves' forecasts, all negative.
    pub(crate) gain: f64,
}

/// One sweep over the samples of one 2x2 phase of one grid in three: neighbouring samples and grids
/// describe the same error, and all of them would correct it. The engine's latent gradients must be
/// those of the distortion, and its tasks hold the moves' own rates.
pub(crate) fn sweep(
    engine: &mut Engine,
    params: &[f32],
    lambda: f32,
    curvature: &[f32],
    factor: f32,
    phase: usize,
) -> Count {
    let n = engine.shape.contexts;
    let single = Single::new(n, &engine.layout, params);
    let mut count = Count::default();
    for l in (0..engine.grids.len()).filter(|l| l % 3 == phase % 3) {
        let grid = engine.grids[l].clone();
        let [mut bits, up, down] = own_bits(engine, l);
        for round in 0..2 {
            let task = Task {
                single: &single,
                grid: &grid,
                distances: &grid.distances(n),
                y: &engine.latents,
                mask: &engine.mask,
                gradient: &engine.latent_gradients,
                curvature,
                factor,
                bits: &bits,
                own: [&up, &down],
                lambda,
                phase,
            };
            let bands: Vec<usize> = (0..grid.h)
                .step_by(BAND)
                .filter(|b| b / BAND % 2 == round)
                .collect();
            let found: Vec<Moves> = bands
                .into_par_iter()
                .map(|first| arch().dispatch(Band { task: &task, first }))
                .collect();
            for moves in found {
                count.tried += moves.count.tried;
                count.taken += moves.count.taken;
                count.gain += moves.count.gain;
                moves
                    .latents
                    .into_iter()
                    .for_each(|(at, v)| engine.latents[at] = v);
                moves
                    .bits
                    .into_iter()
                    .for_each(|(at, v)| bits[at - grid.start] = v);
            }
        }
    }
    count
}

/// The samples' own bits and their changes for y + 1 and y - 1 of grid `l`, from its start on.
fn own_bits(engine: &Engine, l: usize) -> [Buffer; 3] {
    let g = &engine.grids[l];
    let mut own: [Buffer; 3] = Default::default();
    own.fill_with(|| Buffer::new(g.end - g.start));
    for task in engine.tasks.iter().filter(|t| t.grid == l) {
        let n = task.end - task.start;
        for (to, from) in own.iter_mut().zip(&task.moves) {
            to[task.start - g.start..][..n].copy_from_slice(&from[..n]);
        }
    }
    own
}

struct Task<'a> {
    single: &'a Single,
    grid: &'a Grid,
    distances: &'a [usize],
    y: &'a [f32],
    mask: &'a [f32],
    gradient: &'a [f32],
    curvature: &'a [f32],
    /// Factor of the curvature.
    factor: f32,
    /// Of the grid's samples, from its start on.
    bits: &'a [f32],
    /// Changes of the own bits for y + 1 and y - 1, likewise.
    own: [&'a [f32]; 2],
    lambda: f32,
    phase: usize,
}

/// What a band found: places and their new values.
#[derive(Default)]
struct Moves {
    latents: Vec<(usize, f32)>,
    bits: Vec<(usize, f32)>,
    count: Count,
}

/// The search in the rows from `first` on, on a copy of them and their halo.
struct Band<'a> {
    task: &'a Task<'a>,
    first: usize,
}

impl WithSimd for Band<'_> {
    type Output = Moves;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Moves {
        let Task {
            grid,
            distances,
            y,
            mask,
            gradient,
            curvature,
            factor,
            own,
            lambda,
            phase,
            ..
        } = *self.task;
        // contexts reach back from the first row, and dependents forward from the last
        let low = grid.row(self.first) - grid.halo();
        let high = (grid.row(self.first + BAND) + grid.halo()).min(grid.end);
        let mut y = y[low..high].to_vec();
        let mut bits = self.task.bits[low - grid.start..high - grid.start].to_vec();
        let mut moves = Moves::default();
        let last = (self.first + BAND).min(grid.h);
        for row in (self.first..last).filter(|r| r % 2 == phase / 2 % 2) {
            for x in (phase % 2..grid.w).step_by(2) {
                let q = grid.row(row) + x;
                let half = 0.5 * factor * curvature[q];
                let (up, down) = (gradient[q] + half, half - gradient[q]);
                let own_up = up + lambda * own[0][q - grid.start];
                let own_down = down + lambda * own[1][q - grid.start];
                let up_first = own_up < own_down;
                let (d, linear) = if up_first { (1.0, up) } else { (-1.0, down) };
                if own_up.min(own_down) > MARGIN * lambda {
                    continue;
                }
                moves.count.tried += 1;
                let (mut n, mut at) = (1, [q - low; ROOM]);
                for distance in distances {
                    if mask[q + distance] > 0.0 {
                        at[n] = q + distance - low;
                        n += 1;
                    }
                }
                y[q - low] += d;
                let mut after = [0.0; ROOM];
                self.price(simd, &y, &at[..n], &mut after);
                let mut change = 0.0;
                for (at, after) in at[..n].iter().zip(&after) {
                    change += after - bits[*at];
                }
                let change = linear + lambda * change;
                if change < 0.0 {
                    moves.count.taken += 1;
                    moves.count.gain += f64::from(change);
                    moves.latents.push((q, y[q - low]));
                    for (at, after) in at[..n].iter().zip(after) {
                        bits[*at] = after;
                        moves.bits.push((at + low, after));
                    }
                } else {
                    y[q - low] -= d;
                }
            }
        }
        moves
    }
}

impl Band<'_> {
    /// Bits of each of the samples `at`.
    #[inline(always)]
    fn price<S: Simd>(&self, simd: S, y: &[f32], at: &[usize], bits: &mut [f32; ROOM]) {
        let (mut value, mut mu, mut o) = ([0.0; ROOM], [0.0; ROOM], [0.0; ROOM]);
        for (k, &q) in at.iter().enumerate() {
            value[k] = y[q];
            [mu[k], o[k]] = self.task.single.parameters(simd, y, q, self.task.distances);
        }
        let n = at.len().div_ceil(S::F32_LANES);
        let value = vectors::<S>(&value, n);
        let (mu, o) = (vectors::<S>(&mu, n), vectors::<S>(&o, n));
        for (v, bits) in vectors_mut::<S>(bits, n).iter_mut().enumerate() {
            *bits = laplace(simd, value[v], mu[v], o[v]).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::context::Gradients;
    use super::super::engine::{Mode, What};
    use super::super::init::{Colour, Context, initial};
    use super::super::random::Random;
    use super::super::shape::{Head, Plane, Shape};
    use super::*;

    /// Without curvature and distortion gradient a sweep changes the rate only, and by its own
    /// account exactly.
    #[test]
    fn the_account_is_exact() {
        let heads = vec![Head {
            level: 0,
            planes: 1,
        }];
        let shape = Shape {
            contexts: 11,
            hidden: 4,
            grids: 4,
            heads,
        };
        let (w, h) = (61, 37);
        let plane = Plane {
            width: w,
            height: h,
            weight: 1.0,
            alpha: false,
            samples: vec![0.5; w * h],
        };
        let mut engine = Engine::new(&shape, w, h, std::slice::from_ref(&plane));
        let mut random = Random(5);
        let mut p = initial(
            &shape,
            engine.layout(),
            &[plane],
            Colour::Yuv,
            Context::Trained,
            1e-3,
            1,
        );
        p.iter_mut().for_each(|v| *v += 0.05 * random.normal());
        for l in 0..shape.grids {
            let (w, h) = Shape::grid_size(w, h, l);
            let q: Vec<i32> = (0..w * h).map(|_| (1.5 * random.normal()) as i32).collect();
            engine.set_latents(l, &q);
        }
        let lambda = 0.5;
        let flat = vec![0.0; engine.latents.len()];
        let mut taken = 0;
        for phase in 0..24 {
            let mode = Mode::new(What::Rate, Gradients::Weights);
            let mode = Mode {
                moves: true,
                ..mode
            };
            let before = engine.run(&p, lambda, mode).bits;
            engine.latent_gradients.fill(0.0);
            let count = sweep(&mut engine, &p, lambda, &flat, CURVATURE, phase);
            let after = engine.eval(&p, lambda, What::Rate, false).bits;
            let change = f64::from(lambda) * (after - before);
            assert!(change <= 1e-3, "{before} to {after}");
            assert!(
                count.gain <= 0.0 && (change - count.gain).abs() < 1e-3 * before,
                "{count:?}"
            );
            assert!(count.tried >= count.taken);
            taken += count.taken;
        }
        assert!(taken > 100, "{taken}");
    }
}
