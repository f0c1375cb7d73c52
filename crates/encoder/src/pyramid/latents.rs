//! The latents' parameters, what the networks see of them, and their steps of Adam.
//!
//! The step of one iteration and the quantisation for the next are one pass over memory.

use super::buffer::{Buffer, LINE};
use super::context::Gradients;
use super::engine::{Engine, Mode, What};
use super::grid::Grid;
use super::random::Random;
use super::simd::{LANES_MAX, arch, floor, round, small_integers, tanh};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Floats of a task: a multiple of every vector.
const CHUNK: usize = 8192;

/// What the networks see of the parameters `u`.
#[derive(Clone, Copy)]
pub(crate) enum Quantiser {
    /// `softround(softround(u) + Gaussian noise)` (Cool-chic after Agustsson and Theis, 2020).
    Noisy { temperature: f32, noise: f32 },
    /// `round(u)`
    Hard,
}

/// A step of Adam (Kingma and Ba, 2015).
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) rate: f32,
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    pub(crate) epsilon: f32,
    /// Share of the gradient itself in the step, as Nesterov's momentum has it; the rest is its mean.
    pub(crate) look: f32,
    /// Counted from 1.
    pub(crate) t: usize,
}

/// State of the fit of the latents, in the layout of the grids.
pub(crate) struct Latents {
    u: Buffer,
    m: Buffer,
    /// Second moments.
    v: Buffer,
    /// Derivative of what the networks see for `u`; zero between the samples.
    slope: Buffer,
    seed: u64,
}

impl Latents {
    pub(crate) fn new(engine: &Engine, seed: u64) -> Self {
        let new = || Buffer::new(engine.latents.len());
        Latents {
            u: new(),
            m: new(),
            v: new(),
            slope: new(),
            seed: seed << 32,
        }
    }
    /// Steps along the engine's gradient, if there is a step to take, and shows the result to the
    /// networks.
    pub(crate) fn pass(&mut self, engine: &mut Engine, step: Option<Step>, quantiser: Quantiser) {
        self.seed += 1;
        let seed = self.seed;
        let state = self
            .u
            .par_chunks_mut(CHUNK)
            .zip(self.m.par_chunks_mut(CHUNK));
        let state = state
            .zip(self.v.par_chunks_mut(CHUNK))
            .zip(self.slope.par_chunks_mut(CHUNK));
        let y = engine
            .latents
            .par_chunks_mut(CHUNK)
            .zip(engine.mask.par_chunks(CHUNK));
        let outside = y.zip(engine.latent_gradients.par_chunks(CHUNK));
        state.zip(outside).enumerate().with_min_len(2).for_each(
            |(i, ((((u, m), v), slope), ((y, mask), g)))| {
                let seed = seed << 16 ^ i as u64;
                let parts = Parts {
                    u,
                    m,
                    v,
                    slope,
                    y,
                    mask,
                    g,
                };
                arch().dispatch(Pass {
                    parts,
                    step,
                    quantiser,
                    seed,
                });
            },
        );
    }
}

struct Parts<'a> {
    u: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    slope: &'a mut [f32],
    y: &'a mut [f32],
    mask: &'a [f32],
    g: &'a [f32],
}

struct Pass<'a> {
    parts: Parts<'a>,
    step: Option<Step>,
    quantiser: Quantiser,
    seed: u64,
}

impl WithSimd for Pass<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Pass {
            mut parts,
            step,
            quantiser,
            seed,
        } = self;
        if let Some(step) = step {
            parts.step(simd, step);
        }
        match quantiser {
            Quantiser::Noisy { temperature, noise } => {
                parts.soften(simd, temperature, noise, seed);
            }
            Quantiser::Hard => parts.round(simd),
        }
    }
}

impl Parts<'_> {
    #[inline(always)]
    fn step<S: Simd>(&mut self, s: S, step: Step) {
        let t = i32::try_from(step.t).unwrap_or(i32::MAX);
        let k = |v: f32| s.splat_f32s(v);
        let (b1, b2) = (k(step.beta1), k(step.beta2));
        let (n1, n2) = (k(1.0 - step.beta1), k(1.0 - step.beta2));
        let rate = k(step.rate / (1.0 - step.beta1.powi(t)));
        let scale = k(1.0 / (1.0 - step.beta2.powi(t)));
        let epsilon = k(step.epsilon);
        let (look, keep) = (k(step.look), k(1.0 - step.look));
        let u = S::as_mut_simd_f32s(self.u).0.iter_mut();
        let m = S::as_mut_simd_f32s(self.m).0.iter_mut();
        let v = S::as_mut_simd_f32s(self.v).0.iter_mut();
        let g = S::as_simd_f32s(self.g)
            .0
            .iter()
            .zip(S::as_simd_f32s(self.slope).0);
        for (((u, m), v), (g, slope)) in u.zip(m).zip(v).zip(g) {
            let g = s.mul_f32s(*g, *slope);
            *m = s.mul_add_e_f32s(b1, *m, s.mul_f32s(n1, g));
            *v = s.mul_add_e_f32s(b2, *v, s.mul_f32s(s.mul_f32s(n2, g), g));
            let size = s.add_f32s(s.sqrt_f32s(s.mul_f32s(*v, scale)), epsilon);
            let ahead = s.mul_add_e_f32s(look, g, s.mul_f32s(keep, *m));
            *u = s.sub_f32s(*u, s.div_f32s(s.mul_f32s(rate, ahead), size));
        }
    }
    #[inline(always)]
    fn soften<S: Simd>(&mut self, s: S, temperature: f32, noise: f32, seed: u64) {
        let mut random = Random(seed);
        let mut lanes = [0u32; LANES_MAX];
        lanes.iter_mut().for_each(|l| *l = random.next() as u32 | 1);
        let mut state = S::as_simd_u32s(&lanes).0[0];
        let noise = s.splat_f32s(noise);
        let size = 0.5 / (0.5 / temperature).tanh();
        let u = S::as_simd_f32s(self.u)
            .0
            .iter()
            .zip(S::as_simd_f32s(self.mask).0);
        let y = S::as_mut_simd_f32s(self.y).0.iter_mut();
        let slope = S::as_mut_simd_f32s(self.slope).0.iter_mut();
        for (((u, mask), y), slope) in u.zip(y).zip(slope) {
            let (a, da) = soft_round(s, *u, temperature, size);
            let noisy = s.mul_add_e_f32s(gauss(s, &mut state), noise, a);
            let (b, db) = soft_round(s, noisy, temperature, size);
            *y = s.mul_f32s(b, *mask);
            *slope = s.mul_f32s(s.mul_f32s(da, db), *mask);
        }
    }
    #[inline(always)]
    fn round<S: Simd>(&mut self, s: S) {
        let y = S::as_mut_simd_f32s(self.y).0.iter_mut();
        for (y, u) in y.zip(S::as_simd_f32s(self.u).0) {
            *y = round(s, *u);
        }
        self.slope.copy_from_slice(self.mask);
    }
}

/// Softround at temperature `t` and its derivative; `size` is `0.5 / tanh(0.5 / t)`.
#[inline(always)]
fn soft_round<S: Simd>(s: S, x: S::f32s, t: f32, size: f32) -> (S::f32s, S::f32s) {
    let k = |v: f32| s.splat_f32s(v);
    let f = s.add_f32s(floor(s, x), k(0.5));
    let th = tanh(s, s.mul_f32s(s.sub_f32s(x, f), k(1.0 / t)));
    let slope = s.mul_f32s(k(size / t), s.sub_f32s(k(1.0), s.mul_f32s(th, th)));
    (s.mul_add_e_f32s(th, k(size), f), slope)
}

/// Unit Gaussian, nearly: the sum of the four bytes of a xorshift word (Marsaglia, 2003) a lane.
#[inline(always)]
fn gauss<S: Simd>(s: S, state: &mut S::u32s) -> S::f32s {
    let k = |v: u32| s.splat_u32s(v);
    let mut x = *state;
    x = s.xor_u32s(x, s.wrapping_dyn_shl_u32s(x, k(13)));
    x = s.xor_u32s(x, s.wrapping_dyn_shr_u32s(x, k(17)));
    x = s.xor_u32s(x, s.wrapping_dyn_shl_u32s(x, k(5)));
    *state = x;
    let low = k(0x00ff_00ff);
    let bytes = s.and_u32s(s.wrapping_dyn_shr_u32s(x, k(8)), low);
    let pairs = s.add_u32s(s.and_u32s(x, low), bytes);
    let high = s.wrapping_dyn_shr_u32s(pairs, k(16));
    let sum = small_integers(s, s.add_u32s(s.and_u32s(pairs, k(0xffff)), high));
    s.mul_f32s(
        s.sub_f32s(sum, s.splat_f32s(510.0)),
        s.splat_f32s(1.0 / 147.8),
    )
}

/// Diagonal of the distortion's Gauss-Newton matrix for the latents, estimated by random probes.
pub(crate) struct Curvature {
    raw: Buffer,
    /// Averaged over windows: a dozen probes leave 40 % of error in each sample, and a search for
    /// the smallest cost finds what is underestimated.
    pub(crate) smooth: Buffer,
    seed: u64,
}

/// Reach of the averaging window in rows and columns.
const SMOOTH: usize = 2;

impl Curvature {
    pub(crate) fn new(engine: &Engine, seed: u64) -> Self {
        let new = || Buffer::new(engine.latents.len());
        Curvature {
            raw: new(),
            smooth: new(),
            seed: seed << 16,
        }
    }
    /// Adds `probes`: with weights that make a mean of all if `keep` is 0, else each as an
    /// exponential mean that keeps this share of the old.
    pub(crate) fn probe(&mut self, engine: &mut Engine, p: &[f32], probes: usize, keep: f32) {
        for i in 0..probes {
            self.seed += 1;
            let probe = Some(self.seed);
            let mode = Mode::new(What::Distortion, Gradients::WeightsAndLatents);
            engine.run(p, 0.0, Mode { probe, ..mode });
            let share = if keep == 0.0 {
                1.0 / (i + 1) as f32
            } else {
                1.0 - keep
            };
            for (h, g) in self.raw.iter_mut().zip(engine.latent_gradients.iter()) {
                *h += share * (g * g - *h);
            }
        }
        for g in &engine.grids {
            self.smoothen(g);
        }
    }
    fn smoothen(&mut self, g: &Grid) {
        let mean = |i: usize, n: usize, at: &dyn Fn(usize) -> f32| {
            let window = i.saturating_sub(SMOOTH)..(i + SMOOTH + 1).min(n);
            let count = window.len() as f32;
            window.map(at).sum::<f32>() / count
        };
        let mut rows = vec![0.0; g.h * g.w.next_multiple_of(LINE)];
        let stride = g.w.next_multiple_of(LINE);
        for y in 0..g.h {
            let from = &self.raw[g.row(y)..][..g.w];
            for x in 0..g.w {
                rows[y * stride + x] = mean(x, g.w, &|i| from[i]);
            }
        }
        for y in 0..g.h {
            for x in 0..g.w {
                self.smooth[g.row(y) + x] = mean(y, g.h, &|i| rows[i * stride + x]);
            }
        }
    }
}
