//! Quantisation with a scalar step, normalisation over channels, squared error. Burn's broadcasting walks such tensors element by
//! element through strides; these walk rows.

use super::arch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// `step * round(x / step)`, halves to even.
pub fn fake_quant(x: &[f32], step: f32, out: &mut [f32]) {
    let inverse = 1.0 / step;
    out.iter_mut().zip(x).for_each(|(o, &v)| *o = (v * inverse).round_ties_even() * step);
}

/// Gradient of [`fake_quant`] for the logarithm of the step: `step * sum(g * (round(x / step) - x / step))`.
pub fn fake_quant_log_step(x: &[f32], g: &[f32], step: f32) -> f32 {
    let inverse = 1.0 / step;
    // partial sums keep the loop vectorisable and the order fixed
    let mut sums = [0f32; 16];
    for (x, g) in x.chunks(16).zip(g.chunks(16)) {
        for ((s, &x), &g) in sums.iter_mut().zip(x).zip(g) {
            let v = x * inverse;
            *s += g * (v.round_ties_even() - v);
        }
    }
    step * sums.iter().sum::<f32>()
}

/// Mean and inverse deviation over channels at every position of one image `[c, n]`.
fn moments(x: &[f32], c: usize, n: usize, epsilon: f32) -> (Vec<f32>, Vec<f32>) {
    let (mut mean, mut inverse) = (vec![0f32; n], vec![0f32; n]);
    for row in x.chunks_exact(n) {
        mean.iter_mut().zip(row).for_each(|(m, &v)| *m += v);
    }
    mean.iter_mut().for_each(|m| *m /= c as f32);
    for row in x.chunks_exact(n) {
        for ((s, &v), &m) in inverse.iter_mut().zip(row).zip(&mean) {
            *s += (v - m) * (v - m);
        }
    }
    inverse.iter_mut().for_each(|s| *s = 1.0 / (*s / c as f32 + epsilon).sqrt());
    (mean, inverse)
}

/// `gain * (x - mean) / deviation + bias` over the channels of `x [b, c, n]`.
pub fn channel_norm(x: &[f32], gain: &[f32], bias: &[f32], n: usize, epsilon: f32, y: &mut [f32]) {
    let c = gain.len();
    for (x, y) in x.chunks_exact(c * n).zip(y.chunks_exact_mut(c * n)) {
        let (mean, inverse) = moments(x, c, n, epsilon);
        for (ch, (x, y)) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)).enumerate() {
            for (((y, &x), &m), &s) in y.iter_mut().zip(x).zip(&mean).zip(&inverse) {
                *y = (x - m) * s * gain[ch] + bias[ch];
            }
        }
    }
}

/// Gradients of [`channel_norm`] for x, gain and bias.
pub fn channel_norm_backward([x, gain, g]: [&[f32]; 3], n: usize, epsilon: f32, [dx, dgain, dbias]: [&mut [f32]; 3]) {
    let c = gain.len();
    dgain.fill(0.0);
    dbias.fill(0.0);
    for ((x, g), dx) in x.chunks_exact(c * n).zip(g.chunks_exact(c * n)).zip(dx.chunks_exact_mut(c * n)) {
        let (mean, inverse) = moments(x, c, n, epsilon);
        let (mut sum, mut product) = (vec![0f32; n], vec![0f32; n]);
        for (ch, (x, g)) in x.chunks_exact(n).zip(g.chunks_exact(n)).enumerate() {
            let (mut a, mut b) = (0.0, 0.0);
            for i in 0..n {
                let normal = (x[i] - mean[i]) * inverse[i];
                a += g[i] * normal;
                b += g[i];
                sum[i] += g[i] * gain[ch];
                product[i] += g[i] * gain[ch] * normal;
            }
            dgain[ch] += a;
            dbias[ch] += b;
        }
        let share = 1.0 / c as f32;
        for (ch, ((x, g), dx)) in x.chunks_exact(n).zip(g.chunks_exact(n)).zip(dx.chunks_exact_mut(n)).enumerate() {
            for i in 0..n {
                let normal = (x[i] - mean[i]) * inverse[i];
                dx[i] = (g[i] * gain[ch] - share * (sum[i] + normal * product[i])) * inverse[i];
            }
        }
    }
}

/// Values of one partial sum.
const PIECE: usize = 4096;

/// Mean over all values of `weights[channel] * (x - target)^2`; `x`, `target [b, c, n]`, `weights [c]`.
pub fn squared_error(x: &[f32], target: &[f32], weights: &[f32], n: usize) -> f32 {
    let plane = |(i, (x, t)): (usize, (&[f32], &[f32]))| {
        let sum: f64 = x.chunks(PIECE).zip(t.chunks(PIECE)).map(|(x, t)| f64::from(arch().dispatch(SquareSum(x, t)))).sum();
        sum * f64::from(weights[i % weights.len()])
    };
    let planes: Vec<f64> = x.par_chunks(n.max(1)).zip(target.par_chunks(n.max(1))).enumerate().map(plane).collect();
    (planes.iter().sum::<f64>() / x.len() as f64) as f32
}

struct SquareSum<'a>(&'a [f32], &'a [f32]);

impl WithSimd for SquareSum<'_> {
    type Output = f32;
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f32 {
        let ((x, x_rest), (t, t_rest)) = (S::as_simd_f32s(self.0), S::as_simd_f32s(self.1));
        let mut sums = [s.splat_f32s(0.0); 4];
        for (x, t) in x.chunks(4).zip(t.chunks(4)) {
            for ((sum, x), t) in sums.iter_mut().zip(x).zip(t) {
                let d = s.sub_f32s(*x, *t);
                *sum = s.mul_add_e_f32s(d, d, *sum);
            }
        }
        let rest: f32 = x_rest.iter().zip(t_rest).map(|(x, t)| (x - t) * (x - t)).sum();
        s.reduce_sum_f32s(s.add_f32s(s.add_f32s(sums[0], sums[1]), s.add_f32s(sums[2], sums[3]))) + rest
    }
}

/// Gradient of [`squared_error`] for `x`, times `g`.
pub fn squared_error_backward([x, target, weights]: [&[f32]; 3], n: usize, g: f32, dx: &mut [f32]) {
    let share = 2.0 * g / x.len() as f32;
    dx.par_chunks_mut(n.max(1)).zip(x.par_chunks(n.max(1))).zip(target.par_chunks(n.max(1))).enumerate().for_each(|(i, ((dx, x), t))| {
        let factor = share * weights[i % weights.len()];
        dx.iter_mut().zip(x).zip(t).for_each(|((dx, x), t)| *dx = factor * (x - t));
    });
}

/// `out = x + y`
pub fn add(x: &[f32], y: &[f32], out: &mut [f32]) {
    out.par_chunks_mut(4 * PIECE).zip(x.par_chunks(4 * PIECE)).zip(y.par_chunks(4 * PIECE)).for_each(|((out, x), y)| {
        out.iter_mut().zip(x).zip(y).for_each(|((out, x), y)| *out = x + y);
    });
}
