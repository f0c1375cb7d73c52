//! Bias, pixel shuffle and activation in one pass over memory, and back.
//!
//! Pixel shuffle takes `[b, c*r*r, h, w]` to `[b, c, h*r, w*r]`: input channel `c*r*r + i*r + j`
//! holds the pixels at row phase i and column phase j.

use super::common::arch;
use super::gelu::{gelu, gelu_slope, swish, swish_slope};
use super::interleave::{deinterleave, interleave};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Values handled between gather and scatter: a multiple of every vector length.
const CHUNK: usize = 256;
/// Largest factor with fast paths.
const PHASES: usize = 6;
/// Values in a parallel piece, at least.
const PIECE: usize = 16 * 1024;

/// A nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FusedActivation {
    /// Exact GELU, `x * Phi(x)`.
    Gelu,
    /// `x * sigmoid(x)`
    Swish,
}

impl FusedActivation {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        match self {
            FusedActivation::Gelu => gelu(simd, x),
            FusedActivation::Swish => swish(simd, x),
        }
    }
    #[inline(always)]
    fn slope<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        match self {
            FusedActivation::Gelu => gelu_slope(simd, x),
            FusedActivation::Swish => swish_slope(simd, x),
        }
    }
}

/// `activation(pixel_shuffle(x + bias, r))`, `x [b, cin, h, w]`, `bias [cin]`, out
/// `[b, cin/r/r, h*r, w*r]`.
pub fn shuffle_activation(
    x: &[f32],
    bias: &[f32],
    dims: [usize; 4],
    r: usize,
    activation: FusedActivation,
    y: &mut [f32],
) {
    shuffle(x, Some(bias), dims, r, Some(activation), y);
}

/// `pixel_shuffle(x + bias, r)`, or without bias; shapes as in [`shuffle_activation`].
pub fn pixel_shuffle(x: &[f32], bias: Option<&[f32]>, dims: [usize; 4], r: usize, y: &mut [f32]) {
    shuffle(x, bias, dims, r, None, y);
}

fn shuffle(
    x: &[f32],
    bias: Option<&[f32]>,
    [_, cin, h, w]: [usize; 4],
    r: usize,
    activation: Option<FusedActivation>,
    out: &mut [f32],
) {
    if out.is_empty() {
        return;
    }
    let row = r * r * w;
    let arch = arch();
    // one piece: r output rows, from one row of each of r * r input channels
    out.par_chunks_mut(row)
        .enumerate()
        .with_min_len(1 + PIECE / row)
        .for_each(|(at, out)| {
            let (group, y) = (at / h, at % h);
            for (phase_row, out) in out.chunks_mut(r * w).enumerate() {
                let channel = (group * r + phase_row) * r;
                let bias = bias.map_or(&[][..], |b| &b[channel % cin..][..r]);
                arch.dispatch(ShuffleRow {
                    from: &x[(channel * h + y) * w..],
                    step: h * w,
                    bias,
                    out,
                    r,
                    activation,
                });
            }
        });
}

struct ShuffleRow<'a> {
    /// Row of the first of r channels, which are `step` apart.
    from: &'a [f32],
    step: usize,
    /// Of the r channels, or empty.
    bias: &'a [f32],
    out: &'a mut [f32],
    r: usize,
    activation: Option<FusedActivation>,
}

impl WithSimd for ShuffleRow<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ShuffleRow {
            from,
            step,
            bias,
            out,
            r,
            activation,
        } = self;
        let mut buf = [0.0f32; PHASES * CHUNK];
        if r > PHASES {
            // no format's network has such strides
            for (i, out) in out.iter_mut().enumerate() {
                buf[0] = from[i % r * step + i / r];
                activate(
                    simd,
                    &mut buf[..CHUNK],
                    1,
                    bias.get(i % r).copied(),
                    activation,
                );
                *out = buf[0];
            }
            return;
        }
        for (at, out) in out.chunks_mut(CHUNK * r).enumerate() {
            let n = out.len() / r;
            for (j, buf) in buf.chunks_exact_mut(CHUNK).enumerate().take(r) {
                buf[..n].copy_from_slice(&from[j * step + at * CHUNK..][..n]);
                activate(simd, buf, n, bias.get(j).copied(), activation);
            }
            interleave(&buf, CHUNK, out, r);
        }
    }
}

/// Adds the bias to the first `n` values, rounded up to whole vectors, and bends them.
#[inline(always)]
fn activate<S: Simd>(
    simd: S,
    buf: &mut [f32],
    n: usize,
    bias: Option<f32>,
    activation: Option<FusedActivation>,
) {
    let Some(bias) = bias else { return };
    let bias = simd.splat_f32s(bias);
    let (v, _) = S::as_mut_simd_f32s(buf);
    let v = &mut v[..n.div_ceil(S::F32_LANES)];
    match activation {
        None => v.iter_mut().for_each(|v| *v = simd.add_f32s(*v, bias)),
        Some(activation) => {
            for v in v {
                *v = activation.value(simd, simd.add_f32s(*v, bias));
            }
        }
    }
}

/// Gradients `dx [b, cin, h, w]` and `dbias [cin]` of [`shuffle_activation`] for
/// `g [b, cin/r/r, h*r, w*r]`.
pub fn shuffle_activation_backward(
    [x, bias, g]: [&[f32]; 3],
    [b, cin, h, w]: [usize; 4],
    r: usize,
    activation: FusedActivation,
    dx: &mut [f32],
    dbias: &mut [f32],
) {
    let mut sums = vec![0.0; b * cin];
    let arch = arch();
    if !dx.is_empty() {
        // one piece: the r channels whose pixels share rows of g
        let pieces = dx
            .par_chunks_mut(r * h * w)
            .zip(sums.par_chunks_mut(r))
            .enumerate();
        pieces
            .with_min_len(1 + PIECE / (r * h * w))
            .for_each(|(at, (dx, sums))| {
                let (group, phase_row) = (at / r, at % r);
                let g = &g[group * r * r * h * w + phase_row * r * w..];
                let bias = &bias[at * r % cin..][..r];
                arch.dispatch(Backward {
                    x: &x[at * r * h * w..][..r * h * w],
                    bias,
                    g,
                    dx,
                    sums,
                    w,
                    r,
                    activation,
                });
            });
    }
    add_images(&sums, dbias);
}

fn add_images(sums: &[f32], total: &mut [f32]) {
    total.fill(0.0);
    sums.chunks(total.len().max(1))
        .for_each(|s| total.iter_mut().zip(s).for_each(|(t, s)| *t += s));
}

struct Backward<'a> {
    /// `[r, h, w]`
    x: &'a [f32],
    bias: &'a [f32],
    /// Rows of `r * w`, each `r` rows after the other.
    g: &'a [f32],
    dx: &'a mut [f32],
    sums: &'a mut [f32],
    w: usize,
    r: usize,
    activation: FusedActivation,
}

impl WithSimd for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward {
            x,
            bias,
            g,
            dx,
            sums,
            w,
            r,
            activation,
        } = self;
        let plane = x.len() / r;
        let mut total = vec![simd.splat_f32s(0.0); r];
        let mut gs = vec![0.0f32; r * CHUNK];
        let mut xs = [0.0f32; CHUNK];
        for (y, g) in g.chunks(r * r * w).enumerate().take(plane / w) {
            for (at, g) in g[..r * w].chunks(CHUNK * r).enumerate() {
                let n = g.len() / r;
                deinterleave(g, &mut gs, CHUNK, r);
                for (j, gs) in gs.chunks_exact_mut(CHUNK).enumerate() {
                    let from = j * plane + y * w + at * CHUNK;
                    xs[..n].copy_from_slice(&x[from..from + n]);
                    // the lanes after the last pixel must not count in the sum
                    gs[n..n.next_multiple_of(S::F32_LANES)].fill(0.0);
                    let (bias, mut sum) = (simd.splat_f32s(bias[j]), total[j]);
                    let ((xv, _), (gv, _)) = (S::as_simd_f32s(&xs), S::as_mut_simd_f32s(gs));
                    let vectors = n.div_ceil(S::F32_LANES);
                    for (x, g) in xv[..vectors].iter().zip(&mut gv[..vectors]) {
                        *g = simd.mul_f32s(*g, activation.slope(simd, simd.add_f32s(*x, bias)));
                        sum = simd.add_f32s(sum, *g);
                    }
                    total[j] = sum;
                    dx[from..from + n].copy_from_slice(&gs[..n]);
                }
            }
        }
        sums.iter_mut()
            .zip(total)
            .for_each(|(s, t)| *s = simd.reduce_sum_f32s(t));
    }
}

/// Inverse of [`pixel_shuffle`]: `x [b, c, h*r, w*r]` to `[b, c*r*r, h, w]`; `dims` are those of
/// the **result**.
pub fn pixel_unshuffle(x: &[f32], [_, _, h, w]: [usize; 4], r: usize, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let arch = arch();
    out.par_chunks_mut(r * h * w)
        .enumerate()
        .with_min_len(1 + PIECE / (r * h * w))
        .for_each(|(at, out)| {
            let (group, phase_row) = (at / r, at % r);
            arch.dispatch(Unshuffle {
                x: &x[group * r * r * h * w + phase_row * r * w..],
                out,
                w,
                r,
            });
        });
}

struct Unshuffle<'a> {
    /// Rows of `r * w`, each `r` rows after the other.
    x: &'a [f32],
    /// `[r, h, w]`
    out: &'a mut [f32],
    w: usize,
    r: usize,
}

impl WithSimd for Unshuffle<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Unshuffle { x, out, w, r } = self;
        let plane = out.len() / r;
        for (y, x) in x.chunks(r * r * w).enumerate().take(plane / w) {
            deinterleave(&x[..r * w], &mut out[y * w..], plane, r);
        }
    }
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
                acc.iter_mut()
                    .zip(v)
                    .for_each(|(a, v)| *a = simd.add_f32s(*a, *v));
            }
            let sum = simd.add_f32s(simd.add_f32s(acc[0], acc[1]), simd.add_f32s(acc[2], acc[3]));
            simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>()
        }
    }
    if b * c * h * w == 0 {
        return sums.fill(0.0);
    }
    let arch = arch();
    let planes: Vec<f32> = x
        .par_chunks(h * w)
        .with_min_len(1 + PIECE / (h * w))
        .map(|x| arch.dispatch(Sum(x)))
        .collect();
    add_images(&planes, sums);
}
