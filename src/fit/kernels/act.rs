//! Bias, pixel shuffle and activation in one pass over memory, and back.
//!
//! Pixel shuffle takes `[b, c*r*r, h, w]` to `[b, c, h*r, w*r]`: input channel `c*r*r + i*r + j` holds the pixels at row
//! phase i and column phase j.

use super::arch;
use super::gelu::{gelu, gelu_slope, swish, swish_slope};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Values handled between gather and scatter: a multiple of every vector length.
const CHUNK: usize = 256;
/// Values in a parallel piece, at least.
const PIECE: usize = 16 * 1024;

/// A nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// Exact GELU, `x * Phi(x)`.
    Gelu,
    /// `x * sigmoid(x)`
    Swish,
}

impl Curve {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        match self {
            Curve::Gelu => gelu(simd, x),
            Curve::Swish => swish(simd, x),
        }
    }
    #[inline(always)]
    fn slope<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        match self {
            Curve::Gelu => gelu_slope(simd, x),
            Curve::Swish => swish_slope(simd, x),
        }
    }
}

/// `curve(pixel_shuffle(x + bias, r))`, `x [b, cin, h, w]`, `bias [cin]`, out `[b, cin/r/r, h*r, w*r]`.
pub fn shuffle_curve(x: &[f32], bias: &[f32], dims: [usize; 4], r: usize, curve: Curve, y: &mut [f32]) {
    shuffle(x, Some(bias), dims, r, Some(curve), y);
}

/// `pixel_shuffle(x + bias, r)`, or without bias; shapes as in [`shuffle_curve`].
pub fn pixel_shuffle(x: &[f32], bias: Option<&[f32]>, dims: [usize; 4], r: usize, y: &mut [f32]) {
    shuffle(x, bias, dims, r, None, y);
}

fn shuffle(x: &[f32], bias: Option<&[f32]>, [_, cin, h, w]: [usize; 4], r: usize, curve: Option<Curve>, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let row = r * r * w;
    let arch = arch();
    // one piece: r output rows, from one row of each of r * r input channels
    out.par_chunks_mut(row).enumerate().with_min_len(1 + PIECE / row).for_each(|(at, out)| {
        let (group, y) = (at / h, at % h);
        for (phase_row, out) in out.chunks_mut(r * w).enumerate() {
            for j in 0..r {
                let channel = group * r * r + phase_row * r + j;
                let from = &x[(channel * h + y) * w..][..w];
                let bias = bias.map_or(0.0, |b| b[channel % cin]);
                arch.dispatch(ShuffleRow { from, bias, out: &mut out[j..], r, curve });
            }
        }
    });
}

struct ShuffleRow<'a> {
    from: &'a [f32],
    bias: f32,
    /// every `r`th value is written
    out: &'a mut [f32],
    r: usize,
    curve: Option<Curve>,
}

impl WithSimd for ShuffleRow<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let bias = simd.splat_f32s(self.bias);
        let mut buf = [0.0f32; CHUNK];
        for (from, out) in self.from.chunks(CHUNK).zip(self.out.chunks_mut(CHUNK * self.r)) {
            buf[..from.len()].copy_from_slice(from);
            let (v, _) = S::as_mut_simd_f32s(&mut buf);
            for v in v.iter_mut().take(from.len().div_ceil(S::F32_LANES)) {
                let x = simd.add_f32s(*v, bias);
                *v = self.curve.map_or(x, |c| c.value(simd, x));
            }
            spread(&buf[..from.len()], out, self.r);
        }
    }
}

/// `out[i * r] = from[i]`, with the usual factors known to the compiler.
#[inline(always)]
pub(super) fn spread(from: &[f32], out: &mut [f32], r: usize) {
    #[inline(always)]
    fn fixed<const R: usize>(from: &[f32], out: &mut [f32]) {
        // the last group may be cut short by the phase, but its first value is there
        for (o, v) in out.chunks_mut(R).zip(from) {
            o[0] = *v;
        }
    }
    match r {
        1 => out[..from.len()].copy_from_slice(from),
        2 => fixed::<2>(from, out),
        3 => fixed::<3>(from, out),
        4 => fixed::<4>(from, out),
        5 => fixed::<5>(from, out),
        _ => out.iter_mut().step_by(r).zip(from).for_each(|(o, v)| *o = *v),
    }
}

/// `out[i] = from[i * r]`, the inverse of [`spread`].
#[inline(always)]
pub(super) fn collect(from: &[f32], out: &mut [f32], r: usize) {
    #[inline(always)]
    fn fixed<const R: usize>(from: &[f32], out: &mut [f32]) {
        for (v, o) in from.chunks(R).zip(out) {
            *o = v[0];
        }
    }
    match r {
        1 => out.copy_from_slice(&from[..out.len()]),
        2 => fixed::<2>(from, out),
        3 => fixed::<3>(from, out),
        4 => fixed::<4>(from, out),
        5 => fixed::<5>(from, out),
        6 => fixed::<6>(from, out),
        _ => from.iter().step_by(r).zip(out).for_each(|(v, o)| *o = *v),
    }
}

/// Gradients `dx [b, cin, h, w]` and `dbias [cin]` of [`shuffle_curve`] for `g [b, cin/r/r, h*r, w*r]`.
pub fn shuffle_curve_backward(
    [x, bias, g]: [&[f32]; 3],
    [b, cin, h, w]: [usize; 4],
    r: usize,
    curve: Curve,
    dx: &mut [f32],
    dbias: &mut [f32],
) {
    let mut sums = vec![0.0; b * cin];
    let arch = arch();
    if !dx.is_empty() {
        dx.par_chunks_mut(h * w).zip(sums.par_iter_mut()).enumerate().with_min_len(1 + PIECE / (h * w)).for_each(|(plane, (dx, sum))| {
            let x = &x[plane * h * w..][..h * w];
            *sum = arch.dispatch(Backward { x, bias: bias[plane % cin], g: phase(g, plane, h, w, r), dx, w, r, curve });
        });
    }
    add_images(&sums, dbias);
}

/// From the first pixel of `g` that belongs to shuffled plane `plane`.
fn phase(g: &[f32], plane: usize, h: usize, w: usize, r: usize) -> &[f32] {
    let (group, i, j) = (plane / (r * r), plane / r % r, plane % r);
    &g[group * r * r * h * w + i * r * w + j..]
}

fn add_images(sums: &[f32], total: &mut [f32]) {
    total.fill(0.0);
    sums.chunks(total.len().max(1)).for_each(|s| total.iter_mut().zip(s).for_each(|(t, s)| *t += s));
}

struct Backward<'a> {
    x: &'a [f32],
    bias: f32,
    g: &'a [f32],
    dx: &'a mut [f32],
    w: usize,
    r: usize,
    curve: Curve,
}

impl WithSimd for Backward<'_> {
    type Output = f32;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let Backward { w, r, .. } = self;
        let bias = simd.splat_f32s(self.bias);
        let mut total = simd.splat_f32s(0.0);
        let (mut xs, mut gs) = ([0.0f32; CHUNK], [0.0f32; CHUNK]);
        for ((x, dx), g) in self.x.chunks(w).zip(self.dx.chunks_mut(w)).zip(self.g.chunks(r * r * w)) {
            for ((x, dx), g) in x.chunks(CHUNK).zip(dx.chunks_mut(CHUNK)).zip(g.chunks(CHUNK * r)) {
                let n = x.len();
                xs[..n].copy_from_slice(x);
                // the lanes after the last pixel must not count in the sum
                gs[n..n.next_multiple_of(S::F32_LANES)].fill(0.0);
                collect(g, &mut gs[..n], r);
                let (xv, _) = S::as_simd_f32s(&xs);
                let (gv, _) = S::as_mut_simd_f32s(&mut gs);
                for (x, g) in xv.iter().zip(gv).take(n.div_ceil(S::F32_LANES)) {
                    *g = simd.mul_f32s(*g, self.curve.slope(simd, simd.add_f32s(*x, bias)));
                    total = simd.add_f32s(total, *g);
                }
                dx.copy_from_slice(&gs[..n]);
            }
        }
        simd.reduce_sum_f32s(total)
    }
}

/// Inverse of [`pixel_shuffle`]: `x [b, c, h*r, w*r]` to `[b, c*r*r, h, w]`; `dims` are those of the **result**.
pub fn pixel_unshuffle(x: &[f32], [_, _, h, w]: [usize; 4], r: usize, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    out.par_chunks_mut(h * w).enumerate().with_min_len(1 + PIECE / (h * w)).for_each(|(plane, out)| {
        for (out, x) in out.chunks_mut(w).zip(phase(x, plane, h, w, r).chunks(r * r * w)) {
            collect(x, out, r);
        }
    });
}

/// Sums over batch and pixels: `[c]` from `x [b, c, h, w]`, the gradient of a bias.
pub fn channel_sums(x: &[f32], [b, c, h, w]: [usize; 4], sums: &mut [f32]) {
    struct Sum<'a>(&'a [f32]);
    impl WithSimd for Sum<'_> {
        type Output = f32;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            let (v, rest) = S::as_simd_f32s(self.0);
            // four chains hide the latency of an addition
            let mut acc = [simd.splat_f32s(0.0); 4];
            for v in v.chunks(4) {
                acc.iter_mut().zip(v).for_each(|(a, v)| *a = simd.add_f32s(*a, *v));
            }
            let sum = simd.add_f32s(simd.add_f32s(acc[0], acc[1]), simd.add_f32s(acc[2], acc[3]));
            simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>()
        }
    }
    if b * c * h * w == 0 {
        return sums.fill(0.0);
    }
    let arch = arch();
    let planes: Vec<f32> = x.par_chunks(h * w).with_min_len(1 + PIECE / (h * w)).map(|x| arch.dispatch(Sum(x))).collect();
    add_images(&planes, sums);
}
